"""The command diff: what differs between two builds."""

import json
import re

import pytest

from isol8_tasks.ecosystems.inventory import Package, encode
from isol8_tasks.plan.model import ImageSpec
from tests.command_line import ALPINE, CommandLine, Ended
from tests.fake_engine import DOCKERFILE


def lines_of(done: Ended) -> list[str]:
    """Return the lines without times and keys, which differ."""
    assert (done.code, done.err) == (0, "")
    return re.sub(r"built \d{4}-\d\d-\d\d \d\d:\d\d  key [0-9a-f]{12}", "…", done.out).splitlines()


@pytest.fixture
def changed(built: CommandLine) -> CommandLine:
    """Give a checkout in which bash was built again, by another Dockerfile and with other packages."""

    def check(_spec: ImageSpec, _image: str) -> str:
        found = (
            Package(ecosystem="apk", name="musl", version="1.2.6-r0"),
            Package(ecosystem="pypi", name="six", version="1"),
        )
        return encode(ALPINE, found)

    built.check = check
    built.engine.reproducible = True
    (built.folder / "docker" / "Dockerfile").write_text(
        DOCKERFILE.replace("FROM base AS bash", "FROM base AS bash\nARG LEVEL=1\nRUN echo $LEVEL\nCOPY a /a")
    )
    (built.folder / "docker" / "a").write_text("a")
    assert built("base:bash").code == 0
    return built


class TestDiff:
    """What it prints."""

    def test_what_differs_is_a_line_each(self, changed: CommandLine) -> None:
        """One name alone is the build in use and the one before it."""
        found = lines_of(changed("diff", "bash"))
        assert found[:2] == ["isol8:bash@1  …", "isol8:bash@0  …"]
        assert [line for line in found[2:] if "configuration" not in line] == [
            "  size           1 kB → 3 kB (+2 kB)",
            "  apk            musl 1.2.5-r9 → 1.2.6-r0",
            "  pypi           + six 1",
            "  input          stage bash changed",
            "  input          file a was added",
            "  input          argument LEVEL: (unset) → 1",
        ]
        assert changed("diff", "bash@1", "bash@0") == changed("diff", "bash")
        assert changed("diff", "isol8:bash@1", "base:bash") == changed("diff", "bash")

    def test_the_other_way_round(self, changed: CommandLine) -> None:
        """As of git."""
        assert "  input          file a was removed" in lines_of(changed("diff", "bash", "bash@1"))

    def test_two_images(self, built: CommandLine) -> None:
        """Which need not have anything in common."""
        found = lines_of(built("diff", "bash", "bash-custom"))
        assert "  apk            + jq 1.7.1-r0" in found
        assert "  input          package jq was added" in found

    def test_no_difference(self, built: CommandLine) -> None:
        """Is said."""
        assert lines_of(built("diff", "bash", "bash")) == [
            "isol8:bash@0  …",
            "isol8:bash@0  …",
            "  the same packages, size, inputs and configuration",
        ]

    def test_json(self, changed: CommandLine) -> None:
        """The same as data; a hash stands for a file."""
        found = json.loads(changed("diff", "bash", "--json").out)
        assert (found["old"]["image"], found["old"]["size"]) == ("isol8:bash@1", 1000)
        assert (found["new"]["image"], found["new"]["size"]) == ("isol8:bash@0", 3000)
        assert found["packages"][0] == {
            "ecosystem": "apk",
            "name": "musl",
            "old": "1.2.5-r9",
            "new": "1.2.6-r0",
            "published": None,
        }
        assert {"name": "argument LEVEL", "old": None, "new": "1"} in found["inputs"]

    def test_build_that_is_gone_from_the_engine(self, changed: CommandLine) -> None:
        """The history has enough of it."""
        before = changed("diff", "bash")
        changed.engine.untag("isol8:bash-previous")
        assert changed("diff", "bash") == before

    def test_without_the_history_it_is_what_labels_say(self, changed: CommandLine) -> None:
        """As long as the build before is on the engine; of how containers run they say nothing."""
        (changed.folder / ".isol8" / "history.jsonl").unlink()
        found = lines_of(changed("diff", "bash"))
        assert "  apk            musl 1.2.5-r9 → 1.2.6-r0" in found
        assert found[-1] == "  configuration  undetermined: the history does not say it of one of both"


class TestMistakes:
    """Words that mean no build."""

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ((), "diff: expected one or two builds, for example: ./doitw diff python-custom@1 python-custom"),
            (
                ("a", "b", "c"),
                "diff: expected one or two builds, for example: ./doitw diff python-custom@1 python-custom",
            ),
            (("bash@x",), "diff: 'bash@x' is not a build; write NAME or NAME@N, for example web@1"),
            (("@1",), "diff: '@1' is not a build; write NAME or NAME@N, for example web@1"),
            (
                ("bsh",),
                "isol8:bsh: no such image (did you mean bash? there are bash, bash-custom, bun, deno, node, python)",
            ),
            (("bash",), "isol8:bash@1: only @0 is known; ./doitw log bash lists them"),
            (("bash@7",), "isol8:bash@7: only @0 is known; ./doitw log bash lists them"),
        ],
    )
    def test_line_and_3(self, built: CommandLine, words: tuple[str, ...], said: str) -> None:
        """The line says what to write."""
        assert built("diff", *words) == Ended(3, "", f"ERROR: {said}\n")

    def test_image_that_was_never_built(self, built: CommandLine) -> None:
        """Though it is declared."""
        built.declare('[dependencies]\nnode = ["zod"]\n')
        said = "ERROR: isol8:node-custom: no build of it is known yet; ./doitw log lists those that are\n"
        assert built("diff", "node-custom") == Ended(3, "", said)

    def test_image_that_was_removed(self, built: CommandLine) -> None:
        """There is nothing to compare."""
        assert built("clean", "base:bun").code == 0
        said = "ERROR: isol8:bun@0: the image was removed then; name a build before that\n"
        assert built("diff", "bun") == Ended(3, "", said)
