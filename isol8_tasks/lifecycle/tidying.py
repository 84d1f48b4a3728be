"""Builds without what installers leave behind that is another with each build: logs, and caches that know times.

It is removed in the step that made it, so that it takes no room either. It decides nothing of what is installed, so it
is in no key, and steps keep their names.
"""

from attrs import evolve

from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.engine import Build, BuildEvent, BuildRequest, OnEvent
from isol8_tasks.errors import BuildFailedError
from isol8_tasks.plan.model import ImageSpec
from isol8_tasks.plan.rendering import install_step


def tidied(build: Build, spec: ImageSpec) -> Build:
    """Return what builds an image with packages as `build` does, but for what is left behind."""
    installed = ((spec.runtime, spec.inputs.packages), ("bash", spec.inputs.system))
    removals = {
        f"{install_step(RUNTIMES[runtime], packages)}\n": f" && rm -rf {' '.join(RUNTIMES[runtime].leaves)}"
        for runtime, packages in installed
        if packages and RUNTIMES[runtime].leaves
    }

    def plain(text: str) -> str:
        for removal in removals.values():
            text = text.replace(removal, "")
        return text

    def tidy(request: BuildRequest, on_event: OnEvent) -> str:
        def tell(event: BuildEvent) -> None:
            on_event(evolve(event, step=plain(event.step)))

        dockerfile = request.dockerfile
        for step, removal in removals.items():
            dockerfile = dockerfile.replace(step, f"{step[:-1]}{removal}\n")
        try:
            return build(evolve(request, dockerfile=dockerfile), tell)
        except BuildFailedError as error:
            raise BuildFailedError(plain(str(error)), step=plain(error.step), output=error.output) from error

    return tidy if removals else build
