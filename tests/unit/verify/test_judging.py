"""What follows from what was seen in an image."""

import json

import pytest
from attrs import evolve

from isol8_tasks.ecosystems.findings import PackageMissing, PackageNote, PackageUnusable
from isol8_tasks.ecosystems.inventory import Package
from isol8_tasks.engine.containers import Finished
from isol8_tasks.verify.conditions import conditions
from isol8_tasks.verify.findings import (
    EVERY,
    Finding,
    LookBroken,
    LookHung,
    OtherFirstProcess,
    PrivilegedFile,
    RuntimeBroken,
    SignalsLost,
    WritableByAll,
)
from isol8_tasks.verify.judging import inventory, is_loose, judge_look, loose_files
from isol8_tasks.verify.probe import Look

ENDED = Finished(exit=0, stdout=b"", stderr=b"boom\n", output=b"boom\n")
HUNG = Finished(exit=None, stdout=b"", stderr=b"boom\n", output=b"boom\n")
STARTED = (("0", "42"),)
APK = "P:musl\nV:1.2.5-r9\n"


def _look(runtime: str = "42 5.2", **fields: object) -> Look:
    given = {"first": "tini", "forwarded": True, "status": 0, "apk": APK, "starts": STARTED, **fields}
    return Look(runtime=runtime, **{"searched": True, **given})  # type: ignore[arg-type]  # fields of several types


def _judge(
    look: Look, *packages: str, runtime: str = "bash", finished: Finished = ENDED, filtered: bool = False
) -> list[Finding | PackageNote]:
    kind = conditions(runtime)[0]
    found = judge_look(
        runtime, packages, look, finished, seconds=60, kind=kind, whole=True, filtered=filtered
    )
    return [finding for finding, _ in found]


class TestJudge:
    """The image as a whole, and then its packages."""

    @pytest.mark.parametrize(
        ("runtime", "answer"),
        [
            ("bash", "42 5.2"),
            ("deno", 'Download something\n{"answer": 42}'),
            ("node", '{"answer": 42, "items": []}'),
            ("python", '{"answer": 42, "items": [], "packages": [], "environment": {}}'),
        ],
    )
    def test_good(self, runtime: str, answer: str) -> None:
        """A runtime that computes is fine."""
        assert _judge(_look(answer), runtime=runtime) == []

    @pytest.mark.parametrize("answer", ["", "41", "{", '{"answer": 41}', "[42]"])
    @pytest.mark.parametrize("runtime", ["bash", "bun"])
    def test_a_runtime_that_runs_no_code(self, runtime: str, answer: str) -> None:
        """Anything but the right answer is a finding, with what the runtime said."""
        found = _judge(_look(answer, status=127, starts=()), runtime=runtime)
        assert found == [RuntimeBroken(runtime=runtime, output=said) for said in ("boom\n", "")]

    def test_the_first_process(self) -> None:
        """Tini has to be it, and to pass signals on."""
        assert _judge(_look(first="sh", forwarded=False)) == [OtherFirstProcess(name="sh"), SignalsLost()]

    def test_a_look_that_hangs(self) -> None:
        """Nothing else is said of it then, since nothing else is known."""
        assert _judge(Look(), finished=HUNG) == [LookHung(seconds=60, output="boom\n")]

    def test_a_look_that_breaks_off(self) -> None:
        """An image without a shell, say."""
        assert _judge(Look(), finished=ENDED) == [LookBroken(exit=0, output="boom\n")]

    def test_a_part_that_said_nothing(self) -> None:
        """Files that were not searched for, and a filter that was not tried, are no good sign."""
        broken = [LookBroken(exit=0, output="boom\n")]
        assert _judge(_look(searched=False)) == broken
        assert _judge(_look(), filtered=True) == broken

    def test_packages(self) -> None:
        """They are judged as their ecosystem does it."""
        assert _judge(_look(items=(("jq", "missing"),)), "jq") == [PackageMissing(package="jq")]

    def test_the_loader(self) -> None:
        """What it says of a package's command is a finding of every client; a script that aborted is no good sign."""
        look = _look(
            items=(("jq", "ok usr/bin/jq"),), loader="file\t0\tprogram\t/usr/bin/jq\ninterpreter sh\ndone"
        )
        kind = conditions("bash")[0]
        found = list(judge_look("bash", ("jq",), look, ENDED, seconds=60, kind=kind, whole=True))
        assert found == [
            (PackageUnusable(package="jq", use="its command /usr/bin/jq", output="there is no sh"), EVERY)
        ]
        assert _judge(evolve(look, loader="file\t0\tprogram\t/usr/bin/jq\n"), "jq") == [
            LookBroken(exit=0, output="boom\n")
        ]

    def test_fewer_answers_than_questions(self) -> None:
        """A probe that ended before it came to each package leaves nothing unsaid."""
        found = _judge(_look(items=(("jq", "ok"),), status=139), "jq", "curl")
        assert found == [LookBroken(exit=139, output="boom\n")]


class TestInventory:
    """What is in the image."""

    @pytest.mark.parametrize(
        ("runtime", "look", "more"),
        [
            ("bash", _look(), []),
            ("bash", _look("broken"), []),
            (
                "python",
                _look(json.dumps({"answer": 42, "packages": [["NumPy", "2.5.5", []]]})),
                [Package(ecosystem="pypi", name="numpy", version="2.5.5")],
            ),
            (
                "node",
                _look(json.dumps({"answer": 42, "version": "22", "packages": [["npm", "11.0.0"]]})),
                [Package(ecosystem="npm", name="npm", version="11.0.0")],
            ),
            (
                "bun",
                _look(json.dumps({"answer": 42, "version": "1.4.5", "packages": []})),
                [Package(ecosystem="generic", name="bun", version="1.4.5")],
            ),
            (
                "deno",
                _look('{"answer": 42, "version": "2.9.6"}', cached="/d/npm/r.example/a/1.0.0/package.json"),
                [
                    Package(ecosystem="generic", name="deno", version="2.9.6"),
                    Package(ecosystem="npm", name="a", version="1.0.0"),
                ],
            ),
        ],
        ids=["bash", "broken", "python", "node", "bun", "deno"],
    )
    def test_by_runtime(self, runtime: str, look: Look, more: list[Package]) -> None:
        """Alpine's packages, the runtime's, and the runtime itself where Alpine does not have it."""
        assert inventory(runtime, look) == (Package(ecosystem="apk", name="musl", version="1.2.5-r9"), *more)


class TestLooseFiles:
    """Files that give rights away."""

    @pytest.mark.parametrize(
        ("mode", "loose"),
        [
            (0o104755, True),
            (0o102755, True),
            (0o100666, True),
            (0o040777, True),
            (0o010666, True),
            (0o100755, False),
            (0o041777, False),
            (0o042755, False),
            (0o120777, False),
            (0o020666, False),
            (0o060666, False),
        ],
        ids=oct,
    )
    def test_is_loose(self, mode: int, loose: bool) -> None:  # noqa: FBT001 - a column of the table
        """Links and devices are left aside, and folders such as /tmp."""
        assert is_loose(mode) is loose

    def test_but_for_upstream(self) -> None:
        """What the upstream image has with the same mode is none of ours."""
        found = [("/b", 0o100666), ("/a", 0o104755), ("/c", 0o100646), ("/fine", 0o100644)]
        known = [("/b", 0o100666), ("/c", 0o100666)]
        assert list(loose_files(found, known)) == [
            PrivilegedFile(path="/a", mode=0o4755),
            WritableByAll(path="/c", mode=0o646),
        ]
