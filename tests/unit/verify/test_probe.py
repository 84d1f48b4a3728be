"""What is run in an image, and what is read of its answer."""

import pytest

from isol8_tasks.verify.conditions import conditions
from isol8_tasks.verify.probe import Look, read_look, request, upstream_request

ANSWER = """
m4rk first
tini

m4rk release
3.21.0

m4rk apk
P:musl
V:1

P:curl
V:2

m4rk modes
89ed /usr/bin/su
seen /etc
closed /root
41ff /a b
c

m4rk runtime
{"answer": 42}

m4rk item 0


m4rk item 1
error: not there

m4rk end 0 yes
"""


class TestRead:
    """The answer in its sections."""

    def test_a_whole_answer(self) -> None:
        """Every section is found, whatever stands in it."""
        assert read_look(ANSWER, "m4rk") == Look(
            first="tini",
            release="3.21.0",
            apk="P:musl\nV:1\n\nP:curl\nV:2",
            modes=(("/usr/bin/su", 0o104755), ("/a b", 0o040777)),
            searched=True,
            closed=("/root",),
            runtime='{"answer": 42}',
            items=(("0", ""), ("1", "error: not there")),
            status=0,
            forwarded=True,
        )

    def test_an_answer_that_breaks_off(self) -> None:
        """Without its last line, an answer has no status."""
        look = read_look(ANSWER.partition("m4rk runtime")[0], "m4rk")
        assert (look.first, look.runtime, look.status, look.forwarded) == ("tini", "", None, False)

    def test_nothing(self) -> None:
        """An image that says nothing gives an empty look."""
        assert read_look("sh: not found\n", "m4rk") == Look()

    def test_another_mark(self) -> None:
        """What a package prints does not pass for a section."""
        assert read_look("m4rk first\ntini\n", "other") == Look()


class TestRequest:
    """What is run."""

    def test_packages_are_data(self) -> None:
        """Whatever a package is called, it is a word of the command line and never part of a script."""
        item = "$(reboot)'; reboot #"
        asked = request("isol8:bash", "bash", (item,), mark="m4rk", kind=conditions("bash")[0], whole=True)
        assert asked.command[-1] == item
        assert not any("reboot" in word for word in asked.command[:-1])
        assert (asked.user, asked.entrypoint) == ("sandbox", None)

    def test_each_package_has_its_time(self) -> None:
        """The more packages there are, the longer a look may take."""
        assert (
            request("a", "node", ("x",) * 10, mark="m", kind=conditions("node")[0], whole=True).seconds > 300
        )

    @pytest.mark.parametrize(("limit", "patience", "said"), [(30, 1, "30"), (30, 2, "60"), (0.5, 1, "1")])
    def test_a_package_has_the_time_that_is_set(self, limit: float, patience: int, said: str) -> None:
        """It is told in whole seconds, and the look waits longer than that."""
        kind = conditions("node")[0]
        asked = request(
            "a", "node", ("x",), mark="m", kind=kind, whole=True, patience=patience, load_timeout=limit
        )
        assert asked.environment["ISOL8_CHECK_SECONDS"] == said
        assert asked.seconds > int(said)
        # By the clock, ten times as long.
        assert asked.environment["ISOL8_CHECK_CLOCK"] == f"{said}0"
        assert asked.clock == 10 * asked.seconds

    def test_the_loader_is_asked_once_an_image(self) -> None:
        """Only where all is asked, and of packages: the script is a part of the command then."""
        kind = conditions("node")[0]
        words = [
            " ".join(request("a", "node", items, mark="m", kind=kind, whole=whole).command)
            for items, whole in ((("x",), True), (("x",), False), ((), True))
        ]
        assert ["Constructors are not run" in each for each in words] == [True, False, False]

    def test_upstream(self) -> None:
        """An upstream image has neither our user nor, maybe, our entrypoint."""
        asked = upstream_request("alpine:3.21", mark="m4rk")
        assert (asked.user, asked.entrypoint, asked.command[-2]) == ("100:101", (), "none")
