"""The order of the checks, on an engine in memory."""

import re
from collections.abc import Callable

import pytest
from attrs import define, evolve, field

from isol8_tasks.config.settings import UserCheck
from isol8_tasks.ecosystems.findings import PackageMissing, PackageUnusable
from isol8_tasks.ecosystems.inventory import Package
from isol8_tasks.engine.containers import Finished, NoSuchImageError, NotStartedError, RunRequest
from isol8_tasks.verify.conditions import RELEASES
from isol8_tasks.verify.findings import (
    CommandExit,
    CommandHung,
    CommandNotRun,
    CommandOutput,
    InSome,
    LookBroken,
    LookHung,
    NotStarted,
    OtherFirstProcess,
    PrivilegedFile,
    SignalsLost,
    WritableByAll,
    output,
    render_finding,
)
from isol8_tasks.verify.verifier import Subject, Verdict, Verifier, failure

ANSWER = """
{mark} first
tini

{mark} release
3.21.0

{mark} apk
P:musl
V:1

{mark} modes
seen /etc
{modes}

{mark} runtime
42 5.2

{mark} start 0
42

{mark} item jq
{item}

{mark} end 0 yes
"""
HUNG = "{mark} first\n"
BROKEN_OFF = ANSWER.partition("{mark} end")[0]
DEAF = ANSWER.replace("end 0 yes", "end 0 no")
SILENT = ANSWER.replace("42 5.2", "")
UNUSABLE = ANSWER.replace("{item}", "command /usr/bin/jq")
MISSING = ANSWER.replace("{item}", "missing")
OTHER_FIRST = ANSWER.replace("tini", "sh")
CLOSED = "closed /root"
SU = "89ed /bin/su"


@define
class Engine:
    """Runs nothing: each image answers as it is told."""

    modes_of: dict[str, str] = field(factory=dict)
    """By image: the lines about modes that a look finds."""
    in_closed: dict[str, tuple[tuple[str, int], ...]] = field(factory=dict)
    """By image: what lies in its closed folders."""
    finished: Callable[[RunRequest], Finished] = lambda _: Finished(
        exit=0, stdout=b"", stderr=b"", output=b""
    )
    item: str = "ok usr/bin/jq"
    asked: list[str] = field(factory=list)

    def run(self, request: RunRequest) -> Finished:
        """Answer a look; a check of a user's own ends as it is told."""
        self.asked.append(f"run {request.image}")
        if request.image not in self.modes_of:
            raise NoSuchImageError("no such image")
        if request.command[0] != "sh":
            return self.finished(request)
        modes = self.modes_of[request.image]
        if modes == "no user":
            raise NotStartedError("the engine did not start it: no user", "no user")
        text = ANSWER.format(mark=request.command[4], modes=modes, item=self.item).encode()
        return Finished(exit=0, stdout=text, stderr=b"", output=text)

    def modes(self, image: str, folder: str) -> tuple[tuple[str, int], ...]:
        """List what was prepared."""
        self.asked.append(f"modes {image} {folder}")
        return self.in_closed.get(image, ())

    def entrypoint(self, image: str) -> tuple[str, ...]:
        """Return one of another kind than clients need."""
        self.asked.append(f"entrypoint {image}")
        return ("/bin/sleep",)

    def sweep(self) -> None:
        """Find nothing."""

    def own_platform(self) -> str:
        """Return one that most engines have."""
        return "linux/amd64"


def _subject(*checks: UserCheck, upstream: tuple[str, ...] = ("up",)) -> Subject:
    return Subject(
        image="new",
        runtime="bash",
        packages=("jq",),
        upstream=upstream,
        checks=checks,
        oldest_client="0.7.0",
    )


class TestVerify:
    """What is asked, and what comes of it."""

    def test_good(self) -> None:
        """An image that is fine is looked into once, and the upstream image is left alone."""
        engine = Engine(modes_of={"new": ""})
        assert Verifier(engine).verify(_subject()) == Verdict(
            findings=(), release="3.21.0", packages=(Package(ecosystem="apk", name="musl", version="1"),)
        )
        assert engine.asked == ["run new"]

    def test_the_registry(self) -> None:
        """Deno is told which registry the image was built from, and no password."""
        environments = []

        class Environments(Engine):
            def run(self, request: RunRequest) -> Finished:
                environments.append(request.environment["NPM_CONFIG_REGISTRY"])
                return super().run(request)

        subject = evolve(_subject(), registry="https://me:secret@npm.example/a@b/")
        Verifier(Environments(modes_of={"new": ""})).verify(subject)
        assert environments == ["https://npm.example/a@b/"]

    def test_alpine_packages_have_cpu_time(self) -> None:
        """The look at them counts CPU time as the others do, so that a busy machine fails nothing."""
        times = []

        class Times(Engine):
            def run(self, request: RunRequest) -> Finished:
                times.append(request.clock / request.seconds)
                return super().run(request)

        Verifier(Times(modes_of={"new": ""})).verify(evolve(_subject(), system=("jq",)))
        assert times == [10, 10]

    def test_not_started(self) -> None:
        """An image that can't be started is a finding, not an error of the engine."""
        verdict = Verifier(Engine(modes_of={"new": "no user"})).verify(_subject())
        assert verdict == Verdict(findings=(NotStarted(reason="no user"),))

    @pytest.mark.parametrize(
        ("alone", "kinds"), [("{mark}", [CommandNotRun]), ("", [LookBroken]), (None, [LookBroken])]
    )
    def test_an_entrypoint_of_another_kind(self, alone: str | None, kinds: list[type]) -> None:
        """What runs a command without its ENTRYPOINT alone is told so; what runs none is not."""

        class Sleep(Engine):
            def run(self, request: RunRequest) -> Finished:
                if request.entrypoint is None:
                    said = b"sleep: invalid number 'sh'"
                    return Finished(exit=1, stdout=b"", stderr=said, output=said)
                if alone is None:
                    raise NotStartedError("the engine did not start it: no sh", "no sh")
                text = alone.format(mark=request.command[-1].removeprefix("echo ")).encode()
                return Finished(exit=0, stdout=text, stderr=b"", output=text)

        verdict = Verifier(Sleep()).verify(_subject())
        assert [type(each) for each in verdict.findings] == kinds
        assert output(verdict.findings[0]) == ("sleep: invalid number 'sh'",)

    @pytest.mark.parametrize("alone", [True, False])
    def test_an_entrypoint_that_hangs(self, *, alone: bool) -> None:
        """One that hangs is named, and not tried again where the image runs a command without it."""

        class Hanging(Engine):
            def run(self, request: RunRequest) -> Finished:
                self.asked.append("run")
                if request.entrypoint is None:
                    return Finished(exit=None, stdout=b"", stderr=b"", output=b"")
                text = request.command[-1].removeprefix("echo ").encode() if alone else b""
                return Finished(exit=0, stdout=text, stderr=b"", output=text)

        engine = Hanging()
        (finding,) = Verifier(engine).verify(_subject()).findings
        assert engine.asked.count("run") == 2
        hangs = CommandNotRun(output="", entrypoint=("/bin/sleep",), seconds=92)
        assert finding == (hangs if alone else LookHung(seconds=92, output=""))

    def test_not_started_once(self) -> None:
        """An engine with much to do fails to start one or the other container, and no image is blamed for that."""

        @define
        class Busy(Engine):
            refused: int = 0

            def run(self, request: RunRequest) -> Finished:
                self.refused += 1
                if self.refused % 2:
                    raise NotStartedError("the engine did not start it: too busy", "too busy")
                return super().run(request)

        check = UserCheck(command=("a",))
        busy = Busy(modes_of={"new": SU, "old": SU})
        verdict = Verifier(busy).verify(_subject(check, upstream=("old",)))
        assert verdict.findings == ()
        assert busy.asked == ["run new", "run old", "run new"]

    @pytest.mark.parametrize(
        ("answers", "kinds", "seconds"),
        [
            ([DEAF, ANSWER], [], [92, 182]),
            ([SILENT, ANSWER], [], [92, 182]),
            ([BROKEN_OFF, ANSWER], [], [92, 182]),
            ([UNUSABLE, ANSWER], [], [92, 182]),
            ([DEAF, DEAF], [SignalsLost], [92, 182]),
            ([MISSING], [PackageMissing], [92]),
            ([OTHER_FIRST], [OtherFirstProcess], [92]),
        ],
        ids=[
            "deaf",
            "silent",
            "aborted",
            "unusable",
            "twice deaf",
            "missing",
            "first",
        ],
    )
    def test_a_second_look(self, answers: list[str], kinds: list[type], seconds: list[float]) -> None:
        """What a busy machine may do to a good image is held against none before a second look, with more time."""
        asked: list[float] = []

        class Busy(Engine):
            def run(self, request: RunRequest) -> Finished:
                answer = answers[len(asked)]
                asked.append(request.seconds)
                text = answer.format(mark=request.command[4], modes="", item="ok usr/bin/jq").encode()
                return Finished(exit=0 if text else None, stdout=text, stderr=b"", output=text)

        verdict = Verifier(Busy()).verify(_subject())
        assert [type(each) for each in verdict.findings] == kinds
        assert asked == seconds
        assert verdict.packages == (Package(ecosystem="apk", name="musl", version="1"),)

    def test_a_look_without_end_has_no_second_one(self) -> None:
        """Its time is CPU time, of which a busy machine takes nothing away; what sleeps has ten times as long."""
        asked: list[tuple[float, float]] = []

        class Sleepy(Engine):
            def run(self, request: RunRequest) -> Finished:
                asked.append((request.seconds, request.clock))
                return Finished(exit=None, stdout=b"", stderr=b"", output=b"")

        assert Verifier(Sleepy()).verify(_subject()).findings == (LookHung(seconds=92, output=""),)
        # The second tries whether its ENTRYPOINT is to blame.
        assert asked == [(92, 920), (92, 920)]

    def test_a_second_look_into_the_upstream_image(self) -> None:
        """What a look that was cut short did not see there is not held against ours."""
        asked: list[str] = []

        class Busy(Engine):
            def run(self, request: RunRequest) -> Finished:
                asked.append(request.image)
                if asked == ["new", "old"]:
                    return Finished(exit=None, stdout=b"", stderr=b"", output=b"")
                return super().run(request)

        subject = _subject(upstream=("old",))
        assert Verifier(Busy(modes_of={"new": SU, "old": SU})).verify(subject).findings == ()
        assert asked == ["new", "old", "old"]

    def test_an_engine_without_seccomp(self) -> None:
        """Its clients can't forbid anything there, so that images are run without a profile."""
        profiles: list[bool] = []

        class Without(Engine):
            def run(self, request: RunRequest) -> Finished:
                profiles.append(bool(request.seccomp))
                if request.seccomp:
                    raise NotStartedError(
                        "the engine did not start it", "seccomp is not enabled in your kernel"
                    )
                return super().run(request)

        assert Verifier(Without(modes_of={"new": ""})).verify(_subject()).findings == ()
        assert profiles == [True, False]

    def test_as_every_client(self) -> None:
        """Each kind of container is run once; what one alone meets is told with its releases."""
        users = []

        class Kinds(Engine):
            def run(self, request: RunRequest) -> Finished:
                users.append(request.user)
                found = super().run(request)
                return (
                    evolve(found, stdout=found.stdout.replace(b"ok ", b"missing ")) if request.user else found
                )

        subject = evolve(_subject(), oldest_client="")
        (found,) = Verifier(Kinds(modes_of={"new": ""})).verify(subject).findings
        assert (
            render_finding(found)
            == "jq is not installed with isol8 v0.7.0 and later (not with v0.6.2 and before)"
        )
        assert sorted(users) == ["", "", "sandbox"]

    def test_no_such_image(self) -> None:
        """An image that does not exist is an error."""
        with pytest.raises(NoSuchImageError):
            Verifier(Engine()).verify(_subject())

    def test_packages(self) -> None:
        """The packages that were asked for are looked at."""
        verdict = Verifier(Engine(modes_of={"new": ""}, item="missing")).verify(_subject())
        assert verdict.findings == (PackageMissing(package="jq"),)

    def test_loose_files(self) -> None:
        """What is new is found, in folders that only root may open as well."""
        engine = Engine(
            modes_of={"new": f"{SU}\n81b6 /new\n{CLOSED}", "up": f"{SU}\n{CLOSED}"},
            in_closed={"new": (("/root", 0o040700), ("/root/x", 0o100666)), "up": (("/root", 0o040700),)},
        )
        assert Verifier(engine).verify(_subject()).findings == (
            WritableByAll(path="/new", mode=0o666),
            WritableByAll(path="/root/x", mode=0o666),
        )

    def test_what_was_listed_with_the_look_is_not_listed_again(self) -> None:
        """A folder that is closed anyway costs no container more; any other does."""

        class Listing(Engine):
            def run(self, request: RunRequest) -> Finished:
                assert request.folders == ("/root",)
                return evolve(super().run(request), modes={"/root": (("/root/x", 0o100666),)})

        engine = Listing(
            modes_of={"new": f"{CLOSED}\nclosed /srv"}, in_closed={"new": (("/srv/y", 0o100666),)}
        )
        assert Verifier(engine).verify(_subject(upstream=())).findings == (
            WritableByAll(path="/root/x", mode=0o666),
            WritableByAll(path="/srv/y", mode=0o666),
        )
        assert engine.asked == ["run new", "modes new /srv"]

    def test_the_upstream_image_is_looked_into_once(self) -> None:
        """A run of many images has few upstream ones."""
        engine = Engine(modes_of={"new": SU, "up": SU})
        verifier = Verifier(engine)
        assert [verifier.verify(_subject(upstream=("gone", "up"))).findings for _ in range(3)] == [(), (), ()]
        assert engine.asked == ["run new", "run gone", "run up", "run new", "run new"]

    def test_without_an_upstream_image(self) -> None:
        """With nothing to compare with, everything counts."""
        verdict = Verifier(Engine(modes_of={"new": SU})).verify(_subject())
        assert verdict.findings == (PrivilegedFile(path="/bin/su", mode=0o4755),)


class TestUserChecks:
    """Checks of a user's own."""

    @pytest.mark.parametrize(
        ("check", "code", "printed", "expected"),
        [
            (UserCheck(command=("jq",)), 0, "", []),
            (UserCheck(command=("jq",), exit=2, output="^us.ge$"), 2, "usage", []),
            (
                UserCheck(command=("jq",)),
                2,
                "x",
                [CommandExit(command=("jq",), expected=0, exit=2, output="x")],
            ),
            (
                UserCheck(command=("jq",), output="jq-2"),
                0,
                "jq-1",
                [CommandOutput(command=("jq",), pattern="jq-2", output="jq-1")],
            ),
            (
                UserCheck(command=("jq",), timeout=0.5),
                None,
                "…",
                [CommandHung(command=("jq",), seconds=0.5, output="…")],
            ),
        ],
        ids=["fine", "exit and output", "exit", "output", "hangs"],
    )
    def test_ends(self, check: UserCheck, code: int | None, printed: str, expected: list[object]) -> None:
        """Exit code, output and time decide, in this order."""
        data = printed.encode()

        def finished(request: RunRequest) -> Finished:
            assert (request.command, request.seconds, request.user) == (
                check.command,
                check.timeout,
                "sandbox",
            )
            return Finished(exit=code, stdout=b"", stderr=data, output=data)

        verdict = Verifier(Engine(modes_of={"new": ""}, finished=finished)).verify(_subject(check))
        assert list(verdict.findings) == expected

    @pytest.mark.parametrize(
        ("code", "printed", "kinds", "tries"),
        [
            (None, b"", [], 2),
            (0, b"", [], 2),
            (1, b"fine", [CommandExit], 1),
        ],
        ids=["hung", "no output", "another exit code"],
    )
    def test_a_second_try(self, *, code: int | None, printed: bytes, kinds: list[type], tries: int) -> None:
        """What was too late on a busy machine has another try."""
        answers = [
            Finished(exit=each, stdout=b"", stderr=b"", output=text)
            for each, text in ((code, printed), (0, b"fine"))
        ]
        engine = Engine(modes_of={"new": ""}, finished=lambda _: answers.pop(0))
        verdict = Verifier(engine).verify(_subject(UserCheck(command=("a",), output="fine")))
        assert [type(each) for each in verdict.findings] == kinds
        assert len(answers) == 2 - tries

    def test_each_runs(self) -> None:
        """One that fails does not keep the others from running."""
        engine = Engine(
            modes_of={"new": ""}, finished=lambda _: Finished(exit=1, stdout=b"", stderr=b"", output=b"")
        )
        verdict = Verifier(engine).verify(_subject(UserCheck(command=("a",)), UserCheck(command=("b",))))
        assert [each.command for each in verdict.findings if isinstance(each, CommandExit)] == [
            ("a",),
            ("b",),
        ]


class TestFailure:
    """The error that keeps an image from its tag."""

    def test_none(self) -> None:
        """A good image gives none."""
        assert failure("isol8:bash", Verdict(findings=())) is None

    @pytest.mark.parametrize(
        ("releases", "hint"),
        [
            (RELEASES[:2], ['If nobody uses these clients, write oldest_client = "0.1.0" under [verify].']),
            (RELEASES[20:], []),
        ],
        ids=["the first", "the newest"],
    )
    def test_the_way_out(self, releases: tuple[str, ...], hint: list[str]) -> None:
        """Where old clients alone are at fault, it is said how to leave them out."""
        finding = InSome(
            finding=PackageMissing(package="jq"),
            releases=frozenset(releases),
            others=frozenset(RELEASES) - frozenset(releases),
        )
        error = failure("isol8:bash-custom", Verdict(findings=(finding,)))
        assert str(error).splitlines()[2:] == hint

    @pytest.mark.parametrize(
        ("use", "library", "hints"),
        [
            (
                "import x",
                "",
                ["      No package in the image brings the module nothing: list one that does beside x."],
            ),
            (
                'require("x")',
                "",
                ["      No package in the image brings the module nothing: list one that does beside x."],
            ),
            ("import x", "libx.so", []),
            ("its command /x", "", []),
        ],
        ids=["module", "required", "library", "command"],
    )
    def test_hints(self, use: str, library: str, hints: list[str]) -> None:
        """What to list for a missing module is said below the error."""
        words = "ModuleNotFoundError: No module named 'nothing'"
        finding = PackageUnusable(package="x", use=use, output=words, library=library)
        assert str(failure("x", Verdict(findings=(finding,)))).splitlines()[2:] == [f"      {words}", *hints]

    def test_words(self) -> None:
        """It names everything that was found, each with what was printed."""
        findings = (
            PackageMissing(package="jq"),
            CommandExit(command=("a",), expected=0, exit=1, output="one\n\ntwo\n"),
        )
        error = failure("isol8:bash-custom", Verdict(findings=findings))
        assert error is not None
        assert str(error) == (
            "isol8:bash-custom failed verification\n"
            "  jq is not installed\n"
            "  check a ended with exit code 1, not 0\n"
            "      one\n"
            "      two"
        )
        assert error.findings == ("jq is not installed", "check a ended with exit code 1, not 0")
        assert error.output == ("one", "two")


def test_each_look_has_a_mark_of_its_own() -> None:
    """What an image prints by habit can't pass for an answer."""
    marks: list[str] = []

    class Marks(Engine):
        def run(self, request: RunRequest) -> Finished:
            marks.append(request.command[4])
            return super().run(request)

    verifier = Verifier(Marks(modes_of={"new": ""}))
    verifier.verify(_subject())
    verifier.verify(_subject())
    assert len(set(marks)) == 2
    assert all(re.fullmatch("[0-9a-f]{16}", mark) for mark in marks)
