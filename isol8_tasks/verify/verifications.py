"""Between build and promotion: the image is run as isol8's clients run it, and what it holds is written down."""

import importlib
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from attrs import define, field

from isol8_tasks.config.deps import Config
from isol8_tasks.ecosystems.inventory import Package, encode
from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.ecosystems.specs import parse_spec, skipped_names
from isol8_tasks.errors import OTHER_UPSTREAM, NotRunnableError, UpstreamUnavailableError
from isol8_tasks.images.observed import Observed
from isol8_tasks.plan.model import ImageSpec

if TYPE_CHECKING:
    from isol8_tasks.engine.containers import SandboxEngine
    from isol8_tasks.verify.verifier import Verdict, Verifier

Verify = Callable[[ImageSpec, str], str]
"""Gets an image and the id to run; returns its inventory in short, notes included, or nothing where it is promoted
unverified. VerifyFailedError keeps the old image."""


@define(eq=False)
class Verifications:
    """Checks the images of one run."""

    engine: "SandboxEngine"
    config: Config
    observed: Callable[[], Observed]
    """What the engine holds by then."""
    _verifier: "Verifier | None" = field(default=None, init=False)
    _alike: "dict[str, Verdict]" = field(factory=dict, init=False)
    """By the id of a parent: what came of an image of this run that adds nothing but labels to it."""
    _turns: dict[str, threading.Lock] = field(factory=dict, init=False)
    _is_prepared: bool = field(default=False, init=False)

    def prepare(self) -> None:
        """Import what verifies while the engine builds, once."""
        if not self._is_prepared:
            self._is_prepared = True
            names = ("engine.sandboxes", "verify.notes", "verify.verifier")
            modules = [f"isol8_tasks.{name}" for name in names]
            threading.Thread(target=lambda: [*map(importlib.import_module, modules)], daemon=True).start()

    def __call__(self, spec: ImageSpec, image_id: str) -> str:
        """Do what Verify promises."""
        from isol8_tasks.verify.notes import render_note  # noqa: PLC0415 - a run with nothing to do checks nothing
        from isol8_tasks.verify.verifier import failure  # noqa: PLC0415 - as above

        try:
            verdict = self._once(spec, image_id)
        except NotRunnableError:
            if not self.config.verify.unchecked_platforms:
                raise
            return ""
        error = failure(self.observed().public_tag(spec.name), verdict)
        if error is not None:
            raise error
        return encode(verdict.release, verdict.packages, tuple(map(render_note, verdict.notes)))

    def _once(self, spec: ImageSpec, image_id: str) -> "Verdict":
        """Check an image, unless one of this run that adds nothing to the same parent either has passed."""
        parent = self.observed().public(spec.parent) if spec.parent else None
        added = spec.inputs.packages or spec.inputs.system
        if parent is None or added or self.config.verify.checks.get(spec.name):
            return self.verdict(spec, image_id)
        with self._turns.setdefault(parent.id, threading.Lock()):
            verdict = self._alike.get(parent.id) or self.verdict(spec, image_id)
            if not verdict.findings:
                self._alike[parent.id] = verdict
        return verdict

    def verdict(self, spec: ImageSpec, image_id: str) -> "Verdict":
        """Run all checks of an image: those for every image, and the user's own."""
        from isol8_tasks.verify.verifier import Subject, Verifier  # noqa: PLC0415 - as above

        if self._verifier is None:
            self._verifier = Verifier(self.engine)
        if spec.inputs.platform and spec.inputs.platform != (own := self.engine.own_platform()):
            from isol8_tasks.verify.emulation import MACHINES, SLOWNESS, machine_of  # noqa: PLC0415 - few are

            self._verifier.slowness = SLOWNESS
            machine = machine_of(image_id, self.engine)
            if machine in MACHINES.values() and machine != MACHINES[spec.inputs.platform]:
                # A builder without the upstream image for a platform may take what it has for it.
                raise UpstreamUnavailableError(
                    f"{self.observed().public_tag(spec.name)} is marked {spec.inputs.platform}, and has programs for "
                    f"{machine}: {OTHER_UPSTREAM}"
                )
            if machine is None:
                raise NotRunnableError(
                    f"{self.observed().public_tag(spec.name)} is for {spec.inputs.platform}, which the engine ({own}) "
                    "can't run, so it was not verified\nLet it run there, by Debian's qemu-user-static on the engine's "
                    "machine, and run again; or promote it unverified: unchecked_platforms = true under [verify]."
                )
        arguments: Mapping[str, str] = dict(spec.args)
        subject = Subject(
            image=image_id,
            runtime=spec.runtime,
            system=tuple(each for each in spec.system if not self._is_skipped("bash", each)),
            below=self._below(spec),
            packages=tuple(each for each in spec.packages if not self._is_skipped(spec.runtime, each)),
            upstream=self._upstream(spec),
            checks=self.config.verify.checks.get(spec.name, ()),
            oldest_client=self.config.verify.oldest_client,
            load_timeout=self.config.verify.load_timeout,
            filtered=spec.parent is None,
            registry=arguments.get("NPM_CONFIG_REGISTRY", ""),
        )
        return self._verifier.verify(subject)

    def _below(self, spec: ImageSpec) -> frozenset[Package]:
        """Return what an image's parent has, as far as it matters what of that is its own."""
        found = self.observed().inventory(spec.parent) if spec.parent and spec.system else None
        return frozenset(found[1] if found else ())

    def _is_skipped(self, runtime: str, package: str) -> bool:
        """Tell whether deps.toml wants a package not to be verified, whatever version of it is declared."""
        ecosystem = RUNTIMES[runtime].ecosystem
        return parse_spec(ecosystem, package).name in skipped_names(ecosystem, self.config.verify.skip)

    def _upstream(self, spec: ImageSpec) -> tuple[str, ...]:
        if spec.parent is None:
            return tuple(reference for reference, _ in spec.inputs.upstream)
        observed = self.observed()
        record, parent = observed.record(spec.parent), observed.public(spec.parent)
        recorded = (record.upstream,) if record and record.upstream else ()
        # Where the upstream image was removed, what the parent has is not this image's doing.
        return (*recorded, parent.id) if parent else recorded
