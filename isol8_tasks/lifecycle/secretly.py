"""Builds whose installers get the secrets that they know, and nobody sees that in the names of steps."""

from attrs import evolve

from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.engine import Build, BuildEvent, BuildRequest, OnEvent
from isol8_tasks.errors import BuildFailedError
from isol8_tasks.plan.model import ImageSpec
from isol8_tasks.plan.secret_steps import with_secrets, without_secrets


def secret_build(build: Build, spec: ImageSpec) -> Build:
    """Return what builds an image as `build` does, with its secrets."""

    def built(request: BuildRequest, on_event: OnEvent) -> str:
        def tell(event: BuildEvent) -> None:
            on_event(evolve(event, step=without_secrets(event.step)))

        text = request.dockerfile
        if spec.parent:
            text = with_secrets(text, RUNTIMES[spec.runtime], spec.secrets)
        try:
            return build(evolve(request, dockerfile=text, secrets=(*spec.secrets,)), tell)
        except BuildFailedError as error:
            step, message = without_secrets(error.step), without_secrets(str(error))
            raise BuildFailedError(message, step=step, output=error.output) from error

    return built
