"""How generations of clients are grouped, and the words for them."""

import json

import pytest

from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.verify.clients import GENERATIONS
from isol8_tasks.verify.conditions import (
    RELEASES,
    Start,
    conditions,
    next_after,
    profile,
    released,
    writes,
)

EARLY = ("7eeb3af", "v0.1.0-alpha.2")


class TestGroups:
    """One container for all that give it the same."""

    @pytest.mark.parametrize("runtime", RUNTIMES)
    def test_every_release_is_in_one(self, runtime: str) -> None:
        kinds = conditions(runtime)
        assert sorted(release for kind in kinds for release in kind.releases) == sorted(RELEASES)

    @pytest.mark.parametrize("runtime", RUNTIMES)
    def test_each_has_what_its_generations_give(self, runtime: str) -> None:
        """And a way to start code for each of its releases."""
        for kind in conditions(runtime):
            for generation in GENERATIONS:
                if kind.releases.isdisjoint(generation.releases):
                    continue
                assert kind.releases.issuperset(generation.releases)
                assert (kind.user, kind.environment) == (generation.user, generation.environment)
                assert (kind.tmpfs, kind.denied_system_calls) == (
                    generation.tmpfs,
                    generation.denied_system_calls,
                )
                started = [start for start in kind.starts if start.releases.issuperset(generation.releases)]
                known = RUNTIMES[runtime]
                assert {start.file for start in started} - {""} == {generation.files.get(runtime, known.file)}
                assert ("" in {start.file for start in started}) == (generation.inline and known.inline != ())

    def test_containers_alike_are_one(self) -> None:
        """No two are equal in what a container is."""
        found = [
            (kind.user, kind.environment, kind.tmpfs, kind.denied_system_calls) for kind in conditions("node")
        ]
        assert all(each not in found[:place] for place, each in enumerate(found))
        assert [released(kind.releases) for kind in conditions("node")] == [
            "v0.7.0 and later",
            "v0.1.0 to v0.6.2",
            "7eeb3af and v0.1.0-alpha.2",
        ]

    def test_files_and_inline_code_of_node(self) -> None:
        """Each extension is started where a client writes it; code of one word comes first."""
        assert [
            [(released(start.releases), start.command[-1]) for start in kind.starts]
            for kind in conditions("node")
        ] == [
            [("v0.11.1 and later", "{code}"), ("v0.7.0 and later", "/sandbox/main.mjs")],
            [("v0.1.0 to v0.4.2", "/sandbox/main.js"), ("v0.4.3 to v0.6.2", "/sandbox/main.mjs")],
            [("7eeb3af and v0.1.0-alpha.2", "/sandbox/main.js")],
        ]

    def test_each_filter_is_started_once(self) -> None:
        """The one for Node in its own images, with the releases that start it; the other everywhere."""

        def found(runtime: str) -> list[tuple[str, str] | None]:
            return [
                (kind.filter.command, released(kind.filter_releases)) if kind.filter else None
                for kind in conditions(runtime)
            ]

        shell = ("bash /usr/local/bin/proxy.sh", "v0.8.1 and later")
        assert found("node") == [shell, ("node /usr/local/bin/proxy.mjs", "v0.8.0 and before"), None]
        assert found("python") == found("bash") == [shell, None, None]

    @pytest.mark.parametrize(
        ("oldest", "kinds"),
        [
            ("", 3),
            ("7eeb3af", 3),
            ("0.1.0", 2),
            ("0.6", 2),
            ("0.6.3", 1),
            ("0.12", 1),
            ("9.0.0", 1),
        ],
    )
    def test_from_a_release_on(self, oldest: str, kinds: int) -> None:
        """Older ones are left out, and the newest never are."""
        found = conditions("deno", oldest)
        assert len(found) == kinds
        assert RELEASES[-1] in found[0].releases
        assert not any(release in kind.releases for kind in found for release in (EARLY if kinds < 3 else ()))

    def test_releases_that_are_left_out_are_named_nowhere(self) -> None:
        (newest,) = conditions("node", "0.12.0")
        assert released(newest.releases) == "v0.12.0 and later"
        assert {released(start.releases) for start in newest.starts} == {"v0.12.0 and later"}


@pytest.mark.parametrize(
    ("releases", "words"),
    [
        (("v0.8.1",), "v0.8.1"),
        (EARLY, "7eeb3af and v0.1.0-alpha.2"),
        (RELEASES[:20], f"{RELEASES[19]} and before"),
        (RELEASES[5:9], f"{RELEASES[5]} to {RELEASES[8]}"),
        (RELEASES[30:], f"{RELEASES[30]} and later"),
        ((RELEASES[0], RELEASES[5], *RELEASES[-2:]), f"7eeb3af, {RELEASES[5]}, {RELEASES[-2]} and later"),
    ],
    ids=["one", "two", "first ones", "some", "last ones", "scattered"],
)
def test_releases_in_words(releases: tuple[str, ...], words: str) -> None:
    """Releases that follow one another are a span."""
    assert released(frozenset(releases)) == words


def test_the_release_after() -> None:
    """What to write to leave these out; nothing if there is no later one."""
    assert next_after(EARLY) == "0.1.0"
    assert next_after(("v0.6.2", "v0.1.0")) == "0.7.0"
    assert next_after(RELEASES[-1:]) == ""


def test_profile() -> None:
    """What clients forbid is refused, all else is allowed; who sends none gets the engine's."""
    newest = conditions("bash")[0]
    found = json.loads(profile(newest.denied_system_calls))
    assert found["defaultAction"] == "SCMP_ACT_ALLOW"
    (rule,) = found["syscalls"]
    assert rule["action"] == "SCMP_ACT_ERRNO"
    assert (len(rule["names"]), rule["names"]) == (47, sorted(rule["names"]))
    assert {"ptrace", "unshare", "mount"} < set(rule["names"])
    assert profile(()) == ""


def test_files_are_written_as_clients_write_them() -> None:
    """The program is data of the shell's, whatever is in it."""
    start = Start(
        releases=frozenset(),
        command=("python3", "/sandbox/main.py"),
        file="/sandbox/main.py",
        write=GENERATIONS[0].write,
    )
    line = writes(start, "print('$(reboot)')")
    assert "reboot" not in line
    assert line == (
        "sh -c 'printf '\"'\"'%s'\"'\"' '\"'\"'cHJpbnQoJyQocmVib290KScp'\"'\"' | base64 -d > /sandbox/main.py'"
    )
