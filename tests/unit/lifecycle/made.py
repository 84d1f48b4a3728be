"""Images made on the engine in memory, and that engine as it loses its client."""

from isol8_tasks.engine import FileContent
from isol8_tasks.errors import EngineError
from isol8_tasks.images.observed import Observed
from isol8_tasks.lifecycle.build import build_image
from isol8_tasks.plan.description import Provenance
from isol8_tasks.plan.model import ImageSpec, Inputs
from isol8_tasks.verify.verifications import Verify
from tests.fake_engine import FakeEngine, accept

CHANGES = ("build ", "tag ", "untag ", "push ", "fetch ")
"""What is asked of an engine that changes something there, or in a registry."""


class CutOffError(EngineError):
    """The run was ended here."""


class BrokenEngine(FakeEngine):
    """An engine that loses its client before the nth change; never for -1."""

    left: int = -1

    def _ask(self, what: str) -> None:
        if what.startswith(CHANGES):
            if self.left == 0:
                raise CutOffError("cut off")
            self.left -= 1
        super()._ask(what)


def spec(name: str, *packages: str, setup: str = "") -> ImageSpec:
    """Return the base image of bash, or its custom image."""
    custom = name.endswith("-custom")
    step = "RUN echo " + " ".join(packages)
    return ImageSpec(
        name=name,
        task="",
        kind="custom" if custom else "base",
        runtime="bash",
        parent="bash" if custom else None,
        inputs=Inputs(recipe=1, runtime="bash", packages=packages, setup=setup),
        dockerfile=f"FROM isol8:bash\n{step}\n" if custom else f"FROM alpine:3.21\n{step}\n",
        target=None,
    )


def observe(engine: FakeEngine) -> Observed:
    """Look at what the engine holds."""
    return Observed(repository="isol8", images=engine.images())


def make(
    engine: FakeEngine,
    *images: ImageSpec,
    created: str = "2026-11-22T09:00:00Z",
    force: bool = False,
    verify: Verify = accept,
) -> None:
    """Build images, each with all it promises."""
    for each in images:
        build_image(
            each,
            observe(engine),
            engine,
            provenance=Provenance(checkout="here", revision="", created=created),
            context={"Dockerfile": FileContent(data=b"")},
            on_event=lambda _event: None,
            verify=verify,
            force=force,
        )
