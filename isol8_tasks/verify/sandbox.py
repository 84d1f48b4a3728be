"""Runs the checks of an image in throw-away containers, and tells what they found and what is in it."""

import re
import secrets
import threading
from typing import Final

from attrs import define, evolve, field, frozen

from isol8_tasks.checks import UserCheck
from isol8_tasks.engine.containers import (
    Finished,
    NoSuchImageError,
    NotStartedError,
    RunRequest,
    SandboxEngine,
)
from isol8_tasks.errors import VerifyFailedError
from isol8_tasks.inventory import Package
from isol8_tasks.runtimes import RUNTIMES
from isol8_tasks.verify import probe
from isol8_tasks.verify.findings import (
    CommandExit,
    CommandHung,
    CommandOutput,
    Finding,
    LookBroken,
    LookHung,
    NotStarted,
    PackageUnusable,
    RuntimeBroken,
    SignalsLost,
    output,
    render,
)
from isol8_tasks.verify.judging import inventory, is_loose, judge, loose_files
from isol8_tasks.verify.probe import Look
from isol8_tasks.verify.wanted import ECOSYSTEMS


@frozen(kw_only=True)
class Subject:
    """An image, and what it promises."""

    image: str
    """The tag or id to run."""
    runtime: str
    packages: tuple[str, ...] = ()
    """What was asked for, as specs."""
    upstream: tuple[str, ...] = ()
    """Images to compare its files with; the first that is on the engine counts."""
    checks: tuple[UserCheck, ...] = ()
    registry: str = ""
    """The NPM_CONFIG_REGISTRY that it was built with, which Deno has to be told again; empty for npm's own."""


@frozen(kw_only=True)
class Verdict:
    """What came of the checks."""

    findings: tuple[Finding, ...]
    """Empty if the image holds what it promises."""
    release: str = ""
    """Alpine's."""
    packages: tuple[Package, ...] = ()
    """What is in the image, sorted."""


@define(eq=False)
class Verifier:
    """Checks images, from several threads if need be; remembers what it saw in upstream images as long as it lives."""

    engine: SandboxEngine
    _upstream: dict[str, frozenset[tuple[str, int]] | None] = field(factory=dict, init=False)
    """By reference: what is setuid, setgid or writable by everybody; None where the image is not on the engine."""
    _mutex: threading.Lock = field(factory=threading.Lock, init=False)

    def verify(self, subject: Subject) -> Verdict:
        """Run every check of an image; an EngineError means that the engine failed, not the image.

        What a busy machine may be to blame for is looked at again, with more time, before it is held against an image.
        """
        verdict = self._looked(subject, patience=1)
        if any(isinstance(each, _OF_A_BUSY_MACHINE) for each in verdict.findings):
            verdict = self._looked(subject, patience=_PATIENCE)
        if any(isinstance(each, NotStarted) for each in verdict.findings):
            return verdict
        tried = (self._run(subject.image, check) for check in subject.checks)
        return evolve(verdict, findings=(*verdict.findings, *(found for found in tried if found is not None)))

    def _looked(self, subject: Subject, *, patience: int) -> Verdict:
        mark = secrets.token_hex(8)
        ecosystem = ECOSYSTEMS[RUNTIMES[subject.runtime].ecosystem]
        items = tuple(map(ecosystem.item, subject.packages))
        request = probe.request(
            subject.image,
            subject.runtime,
            items,
            mark=mark,
            # Without packages nothing looks a name up.
            whole=bool(items),
            patience=patience,
            environment=_environment(subject.registry),
        )
        try:
            finished = self._finished(request)
        except NotStartedError as error:
            return Verdict(findings=(NotStarted(reason=error.reason),))
        look = probe.read(finished.stdout.decode("utf-8", "replace"), mark)
        findings: list[Finding] = list(
            judge(subject.runtime, subject.packages, look, finished, request.seconds)
        )
        if loose := self._loose(subject.image, look, finished):
            findings += loose_files(loose, self._known(subject.upstream))
        return Verdict(
            findings=tuple(findings), release=look.release, packages=inventory(subject.runtime, look)
        )

    def _finished(self, request: RunRequest) -> Finished:
        """Run a container; a start that is refused is tried once more, since an engine with much to do fails some."""
        try:
            return self.engine.run(request)
        except NotStartedError:
            return self.engine.run(request)

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
                finished = self._finished(probe.upstream_request(reference, mark=mark, patience=patience))
            except (NoSuchImageError, NotStartedError):
                return None
            look = probe.read(finished.stdout.decode("utf-8", "replace"), mark)
            if look.status is not None:
                break
        return frozenset(self._loose(reference, look, finished))

    def _run(self, image: str, check: UserCheck) -> Finding | None:
        """Run a check of the user's own; what may be late, or cut short, on a busy machine has a second try."""
        found = self._tried(image, check)
        return self._tried(image, check) if isinstance(found, CommandHung | CommandOutput) else found

    def _tried(self, image: str, check: UserCheck) -> Finding | None:
        command = check.command
        try:
            finished = self._finished(RunRequest(image=image, command=command, seconds=check.timeout))
        except NotStartedError as error:
            return NotStarted(reason=error.reason)
        text = finished.output.decode("utf-8", "replace")
        if finished.exit is None:
            return CommandHung(command=command, seconds=check.timeout, output=text)
        if finished.exit != check.exit:
            return CommandExit(command=command, expected=check.exit, exit=finished.exit, output=text)
        if not re.search(check.output, text):
            return CommandOutput(command=command, pattern=check.output, output=text)
        return None


def failure(image: str, verdict: Verdict) -> VerifyFailedError | None:
    """Return what to raise for an image that does not hold what it promises; None for one that does."""
    if not verdict.findings:
        return None
    lines = []
    for finding in verdict.findings:
        lines.append(f"  {render(finding)}")
        lines += [f"      {line}" for line in output(finding)]
    return VerifyFailedError(
        "\n".join([f"{image} does not hold what it promises", *lines]),
        findings=tuple(map(render, verdict.findings)),
        output=tuple(line for finding in verdict.findings for line in output(finding)),
    )


def _environment(registry: str) -> dict[str, str]:
    """Name the registry without a user's name and password, which don't count and are nobody's business in there."""
    return {"NPM_CONFIG_REGISTRY": re.sub(r"//[^/@]*@", "//", registry)} if registry else {}


_OF_A_BUSY_MACHINE: Final = (LookHung, LookBroken, RuntimeBroken, SignalsLost, PackageUnusable)
_PATIENCE: Final = 2
