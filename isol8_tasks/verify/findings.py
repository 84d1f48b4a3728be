"""What is wrong with an image: a closed set of kinds with data, and their words."""

import shlex
from collections.abc import Iterable
from typing import Final, assert_never

from attrs import evolve, frozen

from isol8_tasks.ecosystems.findings import (
    ExtraMissing,
    PackageFinding,
    PackageHidden,
    PackageMissing,
    PackageUnusable,
    WrongVersion,
)
from isol8_tasks.engine.builders.progress import clean
from isol8_tasks.safety.causes import cause_lines
from isol8_tasks.verify.conditions import Releases, released


@frozen(kw_only=True)
class NotStarted:
    """The engine could not start a container of it."""

    reason: str


@frozen(kw_only=True)
class OtherLayers:
    """It carries our labels, and something else made it."""


@frozen(kw_only=True)
class RuntimeBroken:
    """The runtime runs no code."""

    runtime: str
    output: str


@frozen(kw_only=True)
class LookHung:
    """The script that looks into the image did not end in time."""

    seconds: float
    output: str


@frozen(kw_only=True)
class LookBroken:
    """The script that looks into the image ended before it had printed everything."""

    exit: int
    output: str


@frozen(kw_only=True)
class CommandNotRun:
    """Its ENTRYPOINT does not run the command that a container is given."""

    output: str
    entrypoint: tuple[str, ...] = ()
    seconds: float | None = None
    """How long was waited for an ENTRYPOINT that hangs; None for one that ends."""


@frozen(kw_only=True)
class OtherFirstProcess:
    """Process 1 is not tini."""

    name: str


@frozen(kw_only=True)
class SignalsLost:
    """A signal to process 1 does not reach the program."""


@frozen(kw_only=True)
class PrivilegedFile:
    """A program that runs as its owner or group (setuid, setgid), which the upstream image does not have."""

    path: str
    mode: int


@frozen(kw_only=True)
class WritableByAll:
    """A file or folder that everybody may write to, which the upstream image does not have."""

    path: str
    mode: int


@frozen(kw_only=True)
class CommandExit:
    """A check of the user's own ended with another exit code."""

    command: tuple[str, ...]
    expected: int
    exit: int
    output: str


@frozen(kw_only=True)
class CommandOutput:
    """A check of the user's own did not print what it has to."""

    command: tuple[str, ...]
    pattern: str
    output: str


@frozen(kw_only=True)
class CommandHung:
    """A check of the user's own did not end in time."""

    command: tuple[str, ...]
    seconds: float
    output: str


@frozen(kw_only=True)
class PatternSlow:
    """A pattern of a user's check that takes too long to look for."""

    pattern: str
    seconds: float


@frozen(kw_only=True)
class FilterBroken:
    """The network filter does not do its work."""

    command: str
    """What starts it, or a rule of the firewall."""
    fault: str
    """Behind the command, as `does not start`."""
    output: str


@frozen(kw_only=True)
class InSome:
    """A finding that some releases of isol8's clients meet, and others don't."""

    finding: "AnyFinding"
    releases: frozenset[str]
    others: frozenset[str]
    """Those that don't; empty where no other one tries."""


ImageFinding = NotStarted | RuntimeBroken | LookHung | LookBroken | OtherFirstProcess | SignalsLost
StartFinding = FilterBroken | CommandNotRun
FileFinding = OtherLayers | PrivilegedFile | WritableByAll
CommandFinding = CommandExit | CommandOutput | CommandHung | PatternSlow
EVERY: Final[Releases] = frozenset()
"""In the place of releases: what is not looked at for each kind of client."""
AnyFinding = ImageFinding | StartFinding | PackageFinding | FileFinding | CommandFinding
Finding = AnyFinding | InSome


def render_finding(finding: Finding) -> str:
    """Return a finding in words, on one line."""
    fault, reason = _words(plain(finding))
    if isinstance(finding, InSome):
        but = f" (not with {released(finding.others)})" if finding.others else ""
        fault = f"{fault} with isol8 {released(finding.releases)}{but}"
    return clean(f"{fault}: {reason}" if reason else fault)


def _words(finding: AnyFinding) -> tuple[str, str]:
    """Say what is wrong, and why, where that is known."""
    match finding:
        case NotStarted(reason=reason):
            return "the container can't be started", reason
        case OtherLayers():
            return (
                "its layers are not those that its labels record",
                "something else made it; rebuild it with --force",
            )
        case FilterBroken(command=command, fault=fault):
            return "the network filter is broken", f"`{command}` {fault}"
        case CommandNotRun(entrypoint=entrypoint, seconds=seconds):
            hangs = "" if seconds is None else f", and did not end within {seconds:g} s"
            return (
                f"its {shlex.join(['ENTRYPOINT', *entrypoint])} does not run the command that it is given{hangs}",
                'clients start containers with one; remove it, or let it end with exec "$@"',
            )
        case RuntimeBroken() | LookHung() | LookBroken() | OtherFirstProcess() | SignalsLost():
            words = _image(finding)
        case PackageMissing() | PackageHidden() | WrongVersion() | ExtraMissing() | PackageUnusable():
            words = _package(finding)
        case PrivilegedFile(path=path, mode=mode):
            words = f"{path} is setuid or setgid (mode {mode:04o}), unlike in the upstream image"
        case WritableByAll(path=path, mode=mode):
            words = f"{path} is writable by everyone (mode {mode:04o}), unlike in the upstream image"
        case _:
            words = _command(finding)
    return words, ""


def plain(finding: Finding) -> AnyFinding:
    """Return a finding without the releases that meet it."""
    return finding.finding if isinstance(finding, InSome) else finding


def merged(found: Iterable[tuple[AnyFinding, Releases]], all_releases: Releases) -> tuple[Finding, ...]:
    """Return each finding once, with the releases that meet it where others don't."""
    met: dict[AnyFinding, tuple[AnyFinding, Releases]] = {}
    for finding, some in found:
        releases = some or all_releases
        # What was printed is of one run, and tells no finding from another.
        key = _without_output(finding)
        first, before = met.get(key, (finding, frozenset()))
        met[key] = (first, before | releases)
    return tuple(
        finding
        if releases == all_releases
        else InSome(
            finding=finding,
            releases=releases,
            others=frozenset() if isinstance(finding, FilterBroken) else all_releases - releases,
        )
        for finding, releases in met.values()
    )


def output(finding: Finding) -> tuple[str, ...]:
    """Return what was printed of the cause, else the last lines; nothing where there was no command."""
    match plain(finding):
        case PackageUnusable(output=text) | RuntimeBroken(output=text):
            return cause_lines([clean(line) for line in text.splitlines()])
        case (
            LookHung(output=text)
            | LookBroken(output=text)
            | FilterBroken(output=text)
            | CommandNotRun(output=text)
            | CommandExit(output=text)
            | CommandOutput(output=text)
            | CommandHung(output=text)
        ):
            lines = [clean(line) for line in text.splitlines()]
            return tuple([line for line in lines if line.strip()][-_LINES:])
        case _:
            return ()


def _without_output(finding: AnyFinding) -> AnyFinding:
    match finding:
        case (
            RuntimeBroken() | LookHung() | LookBroken() | FilterBroken() | CommandNotRun() | PackageUnusable()
        ):
            return evolve(finding, output="")
        case _:
            return finding


def _image(finding: RuntimeBroken | LookHung | LookBroken | OtherFirstProcess | SignalsLost) -> str:
    match finding:
        case RuntimeBroken(runtime=runtime):
            return f"{runtime} does not start"
        case LookHung(seconds=seconds):
            return f"its inspection did not end within {seconds:g} s of CPU time, or ten times as long by the clock"
        case LookBroken(exit=code):
            return f"its inspection aborted (exit code {code})"
        case OtherFirstProcess(name=name):
            return f"process 1 is {name}, not tini"
        case SignalsLost():
            return "a signal to process 1 does not reach the program"
        case _:
            assert_never(finding)


def _package(finding: PackageFinding) -> str:
    match finding:
        case PackageMissing(package=package):
            return f"{package} is not installed"
        case PackageHidden(package=package, path=path):
            return f"{package} is installed, but user sandbox can't read {path}"
        case WrongVersion(package=package, version=version):
            return f"{package} was requested, but version {version} is installed"
        case ExtraMissing(package=package, needed=needed):
            return f"{package} needs {needed}, which is not installed"
        case PackageUnusable(package=package, use=use):
            if use.startswith("its "):
                return f"{package} is installed, but {use} can't be used"
            # What did not come to its end says so itself.
            ended = " did not end" in use or " ended the process" in use
            return f"{package} is installed, but " + (use if ended else f"`{use}` fails")
        case _:
            assert_never(finding)


def _command(finding: CommandFinding) -> str:
    match finding:
        case CommandExit(command=command, expected=expected, exit=code):
            return f"check {_shown(command)} ended with exit code {code}, not {expected}"
        case CommandOutput(command=command, pattern=pattern):
            return f"check {_shown(command)} printed nothing that matches {pattern!r}"
        case CommandHung(command=command, seconds=seconds):
            return f"check {_shown(command)} did not end within {seconds:g} s"
        case PatternSlow(pattern=pattern, seconds=seconds):
            return f"output = {pattern!r} took longer than {seconds:g} s to look for; write it without nested repeats"
        case _:
            assert_never(finding)


def _shown(command: tuple[str, ...]) -> str:
    import shlex  # noqa: PLC0415 - only a failure has use for it

    text = shlex.join(command)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


_LINES = 12
_SHOWN = 100
