"""Runs the checks of an image in throw-away containers, and tells what they found and what is in it."""

import re
import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Final

from attrs import Factory, define, evolve, field, frozen

from isol8_tasks.config.settings import LOAD_TIMEOUT, UserCheck
from isol8_tasks.ecosystems.findings import PackageFinding, PackageNote, PackageUnusable
from isol8_tasks.ecosystems.inventory import Package
from isol8_tasks.ecosystems.runtimes import verification
from isol8_tasks.engine.containers import (
    Finished,
    NoSuchImageError,
    NotStartedError,
    RunRequest,
    SandboxEngine,
)
from isol8_tasks.errors import VerifyFailedError
from isol8_tasks.verify import probe
from isol8_tasks.verify.conditions import (
    RELEASES,
    Conditions,
    Releases,
    conditions,
    next_after,
    profile,
)
from isol8_tasks.verify.findings import (
    EVERY,
    AnyFinding,
    CommandExit,
    CommandHung,
    CommandNotRun,
    CommandOutput,
    FilterBroken,
    Finding,
    InSome,
    LookBroken,
    NotStarted,
    PatternSlow,
    RuntimeBroken,
    SignalsLost,
    merged,
    output,
    plain,
    render_finding,
)
from isol8_tasks.verify.judging import inventory, is_loose, judge_look, loose_files
from isol8_tasks.verify.matching import SECONDS, is_in
from isol8_tasks.verify.notes import apart
from isol8_tasks.verify.probe import Look


@frozen(kw_only=True)
class Subject:
    """An image, and what it promises."""

    image: str
    """The tag or id to run."""
    runtime: str
    packages: tuple[str, ...] = ()
    """What was asked for, as specs."""
    system: tuple[str, ...] = ()
    """The Alpine packages that were asked for beside them."""
    below: frozenset[Package] = frozenset()
    """What its parent has, where there are such packages."""
    upstream: tuple[str, ...] = ()
    """Images to compare its files with; the first that is on the engine counts."""
    checks: tuple[UserCheck, ...] = ()
    oldest_client: str = ""
    """The oldest release of isol8 that has to run it; empty for all."""
    load_timeout: float = LOAD_TIMEOUT
    """Seconds that a package may take until it is loaded."""
    filtered: bool = False
    """Whether it has to start the network filter, as bases do."""
    registry: str = ""
    """The NPM_CONFIG_REGISTRY that it was built with, which Deno has to be told again; empty for npm's own."""


@frozen(kw_only=True)
class Verdict:
    """What came of the checks."""

    findings: tuple[Finding, ...]
    """Empty if the image passes verification."""
    notes: tuple[PackageNote, ...] = ()
    """What users should know of packages that pass."""
    release: str = ""
    """Alpine's."""
    packages: tuple[Package, ...] = ()
    """What is in the image, sorted."""


@frozen(kw_only=True)
class _Seen:
    """What was seen of an image in one kind of container."""

    found: tuple[tuple[AnyFinding | PackageNote, Releases], ...]
    look: Look = Factory(Look)
    loose: frozenset[tuple[str, int]] = frozenset()


@define(eq=False)
class Verifier:
    """Checks images, from several threads if need be; remembers what it saw in upstream images as long as it lives."""

    engine: SandboxEngine
    slowness: int = 1
    """How many times as long everything may take."""
    _upstream: dict[str, frozenset[tuple[str, int]] | None] = field(factory=dict, init=False)
    """By reference: what is setuid, setgid or writable by everybody; None where the image is not on the engine."""
    _mutex: threading.Lock = field(factory=threading.Lock, init=False)

    def verify(self, subject: Subject) -> Verdict:
        """Run every check of an image, as each kind of client; an EngineError means that the engine failed."""
        kinds = conditions(subject.runtime, subject.oldest_client)
        with ThreadPoolExecutor(len(kinds)) as pool:
            seen = list(pool.map(lambda kind: self._seen(subject, kind, whole=kind is kinds[0]), kinds))
        releases = frozenset(chain.from_iterable(kind.releases for kind in kinds))
        starts = not any(isinstance(finding, NotStarted) for finding, _ in seen[0].found)
        look = seen[0].look
        packages = inventory(subject.runtime, look)
        alpine: tuple[PackageFinding | PackageNote, ...] = ()
        if subject.system and starts:
            from isol8_tasks.verify.system import judge_system, without_apks  # noqa: PLC0415 - few images have any

            alpine = tuple(judge_system(subject.image, subject.system, look, kinds[0], self._finished))
            packages = without_apks(packages, look, subject.below)
        of_none = ((each, EVERY) for each in alpine)
        found, notes = apart(chain(chain.from_iterable(each.found for each in seen), of_none))
        findings = merged(found, releases)
        loose = tuple(loose_files(seen[0].loose, self._known(subject.upstream))) if seen[0].loose else ()
        # As the newest clients run it alone: what a user asks for may well name user sandbox.
        tried = [self._run(subject.image, check, kinds[0]) for check in subject.checks if starts]
        return Verdict(
            findings=(*findings, *loose, *(each for each in tried if each is not None)),
            notes=notes,
            release=look.release,
            packages=packages,
        )

    def _seen(self, subject: Subject, kind: Conditions, *, whole: bool) -> "_Seen":
        """Look into an image as one kind of client runs it.

        What a busy machine may be to blame for is looked at again, with more time, before it is held against an image.
        """
        seen = self._looked(subject, kind, whole=whole, patience=1)
        if any(_may_be_busy(finding) for finding, _ in seen.found):
            seen = self._looked(subject, kind, whole=whole, patience=_PATIENCE)
        return seen

    def _looked(self, subject: Subject, kind: Conditions, *, whole: bool, patience: int) -> "_Seen":
        mark = secrets.token_hex(8)
        request = probe.request(
            subject.image,
            subject.runtime,
            tuple(map(verification(subject.runtime).query, subject.packages)),
            mark=mark,
            kind=kind,
            whole=whole,
            filtered=subject.filtered,
            patience=patience * self.slowness,
            load_timeout=subject.load_timeout,
            environment=_environment(subject.registry),
        )
        try:
            finished = self._finished(request)
        except NotStartedError as error:
            return _Seen(found=((NotStarted(reason=error.reason), kind.releases),))
        look = probe.read_look(finished.stdout.decode("utf-8", "replace"), mark)
        if mark.encode() not in finished.stdout and self._runs_alone(request, mark):
            return _Seen(found=((self._not_run(request, finished), kind.releases),))
        found = judge_look(
            subject.runtime,
            subject.packages,
            look,
            finished,
            seconds=request.seconds,
            kind=kind,
            whole=whole,
            filtered=subject.filtered,
        )
        loose = frozenset(self._loose(subject.image, look, finished)) if whole else frozenset()
        return _Seen(found=tuple(found), look=look, loose=loose)

    def _not_run(self, request: RunRequest, finished: Finished) -> CommandNotRun:
        """Name the ENTRYPOINT that ran no command."""
        return CommandNotRun(
            output=finished.output.decode("utf-8", "replace"),
            entrypoint=self.engine.entrypoint(request.image),
            seconds=request.seconds if finished.exit is None else None,
        )

    def _runs_alone(self, request: RunRequest, mark: str) -> bool:
        """Tell whether an image runs a command where its ENTRYPOINT is left out."""
        try:
            said = self._finished(
                evolve(request, entrypoint=(), command=("sh", "-c", f"echo {mark}"), folders=())
            )
        except NotStartedError:
            return False
        return mark.encode() in said.stdout

    def _finished(self, request: RunRequest) -> Finished:
        """Run a container; a start that is refused is tried once more, since an engine with much to do fails some."""
        try:
            return self.engine.run(request)
        except NotStartedError as error:
            # Where the engine has no seccomp, clients can't forbid anything either.
            is_without = request.seccomp and "seccomp" in error.reason
            return self.engine.run(evolve(request, seccomp="") if is_without else request)

    def _loose(self, image: str, look: Look, finished: Finished) -> set[tuple[str, int]]:
        listed = finished.modes
        closed = (
            entry
            for folder in look.closed
            for entry in (listed[folder] if folder in listed else self.engine.modes(image, folder))
        )
        return {*look.modes, *((path, mode) for path, mode in closed if is_loose(mode))}

    def _known(self, references: tuple[str, ...]) -> frozenset[tuple[str, int]]:
        """Return what the upstream image has of the kind; who finds nothing in an image never asks."""
        with self._mutex:
            for reference in references:
                if reference not in self._upstream:
                    self._upstream[reference] = self._look_upstream(reference)
                if (known := self._upstream[reference]) is not None:
                    return known
        return frozenset()

    def _look_upstream(self, reference: str) -> frozenset[tuple[str, int]] | None:
        for patience in (1, _PATIENCE):
            mark = secrets.token_hex(8)
            try:
                request = probe.upstream_request(reference, mark=mark, patience=patience * self.slowness)
                finished = self._finished(request)
            except (NoSuchImageError, NotStartedError):
                return None
            look = probe.read_look(finished.stdout.decode("utf-8", "replace"), mark)
            if look.status is not None:
                break
        return frozenset(self._loose(reference, look, finished))

    def _run(self, image: str, check: UserCheck, kind: Conditions) -> Finding | None:
        """Run a check of the user's own; what may be late, or cut short, on a busy machine has a second try."""
        found = self._tried(image, check, kind)
        return self._tried(image, check, kind) if isinstance(found, CommandHung | CommandOutput) else found

    def _tried(self, image: str, check: UserCheck, kind: Conditions) -> Finding | None:
        command = check.command
        request = RunRequest(
            image=image,
            command=command,
            user=kind.user,
            environment=kind.environment,
            tmpfs=kind.tmpfs,
            seccomp=profile(kind.denied_system_calls),
            capabilities=(),
            seconds=check.timeout * self.slowness,
        )
        try:
            finished = self._finished(request)
        except NotStartedError as error:
            return NotStarted(reason=error.reason)
        text = finished.output.decode("utf-8", "replace")
        if finished.exit is None:
            return CommandHung(command=command, seconds=check.timeout, output=text)
        if finished.exit != check.exit:
            return CommandExit(command=command, expected=check.exit, exit=finished.exit, output=text)
        match is_in(check.output, text):
            case True:
                return None
            case False:
                return CommandOutput(command=command, pattern=check.output, output=text)
            case None:
                return PatternSlow(pattern=check.output, seconds=SECONDS)


def failure(image: str, verdict: Verdict) -> VerifyFailedError | None:
    """Return what to raise for an image that failed verification; None for one that passes."""
    if not verdict.findings:
        return None
    lines = []
    for finding in verdict.findings:
        lines.append(f"  {render_finding(finding)}")
        lines += [f"      {line}" for line in output(finding)]
        lines += [f"      {line}" for line in _hints(plain(finding))]
    if way_out := _way_out(verdict.findings):
        lines.append(way_out)
    return VerifyFailedError(
        "\n".join([f"{image} failed verification", *lines]),
        findings=tuple(map(render_finding, verdict.findings)),
        output=tuple(line for finding in verdict.findings for line in output(finding)),
        libraries=_libraries(verdict.findings),
    )


def _hints(finding: AnyFinding) -> Iterator[str]:
    """Say what to do about a package that can't be loaded."""
    if (
        isinstance(finding, PackageUnusable)
        and finding.use.startswith(("import", "require("))
        and not finding.library
    ):
        from isol8_tasks.ecosystems.absent import module_hint  # noqa: PLC0415 - only a failure has use for it

        if hint := module_hint(finding.package, finding.output):
            yield hint


def _libraries(findings: tuple[Finding, ...]) -> tuple[str, ...]:
    """Return the shared libraries that packages miss, each once."""
    found = map(plain, findings)
    names = (each.library for each in found if isinstance(each, PackageUnusable))
    return tuple(dict.fromkeys(filter(None, names)))


def _way_out(findings: tuple[Finding, ...]) -> str:
    """Say how to leave clients out that nobody may have, where the newest ones meet no fault."""
    met = [finding.releases if isinstance(finding, InSome) else RELEASES for finding in findings]
    oldest = next_after(chain.from_iterable(met))
    return f'If nobody uses these clients, write oldest_client = "{oldest}" under [verify].' if oldest else ""


def _environment(registry: str) -> dict[str, str]:
    """Name the registry without a user's name and password, which don't count and are nobody's business in there."""
    return {"NPM_CONFIG_REGISTRY": re.sub(r"//[^/@]*@", "//", registry)} if registry else {}


def _may_be_busy(finding: AnyFinding | PackageNote) -> bool:
    """Tell whether a machine with much to do may be to blame.

    Not for what has run out of its CPU time, which it has had, nor where the image ran a command in the meantime.
    """
    if isinstance(finding, PackageUnusable):
        return not finding.use.endswith(" did not end")
    hangs = isinstance(finding, CommandNotRun) and finding.seconds is not None
    return isinstance(finding, _OF_A_BUSY_MACHINE) and not hangs


_OF_A_BUSY_MACHINE: Final = (LookBroken, CommandNotRun, RuntimeBroken, SignalsLost, FilterBroken)
_PATIENCE: Final = 2
