"""Builds whose installers keep what they download in a cache of the builder's: `RUN --mount=type=cache`.

The mount is no layer, and what it holds is in no image. It decides nothing of what is installed, so it is in no key.
"""

import json
import re
import secrets
import shlex
from typing import Final

from attrs import evolve

from isol8_tasks.ecosystems.model import CACHE_FOLDER
from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.engine import Build, BuildEvent, BuildRequest, ImageEngine, OnEvent
from isol8_tasks.errors import BuildFailedError, PlanError
from isol8_tasks.plan.model import ImageSpec
from isol8_tasks.plan.rendering import install_step


def cached_build(inner: Build, engine: ImageEngine, spec: ImageSpec) -> Build:
    """Return what builds an image with packages as `inner` does, but with the cache; steps keep their names.

    Raises:
        PlanError: the engine's builder has no such caches.

    """
    if engine.info().builder == "classic":
        raise PlanError(
            "[build] download_cache needs BuildKit, and this engine builds with the classic builder; remove one of both"
        )

    def build(request: BuildRequest, on_event: OnEvent) -> str:
        def tell(event: BuildEvent) -> None:
            on_event(evolve(event, step=_named(event.step, spec)))

        cached = evolve(request, dockerfile=with_cache(request.dockerfile, spec.runtime))
        if request.no_cache and cached != request:
            # A build without cache begins with empty mounts. That the step is another one has the same effect on it.
            another = f"ARG ISOL8_BUILD={secrets.token_hex(8)}"
            text = re.sub(r"^FROM .*$", rf"\g<0>\n{another}", cached.dockerfile, flags=re.MULTILINE)
            cached = evolve(cached, dockerfile=text, no_cache=False)
        try:
            return inner(cached, tell)
        except BuildFailedError as error:
            step = _named(error.step, spec)
            message = str(error).replace(error.step, step) if step else str(error)
            raise BuildFailedError(message, step=step, output=error.output) from error

    return build


def with_cache(dockerfile: str, runtime: str) -> str:
    """Return a Dockerfile whose first RUN with the installer of a runtime uses its cache.

    The text stays as it is where its installer keeps nothing that it could trust.
    """
    cache = RUNTIMES[runtime].download_cache
    if cache is None:
        return dockerfile
    sharing = "shared" if cache.is_shared else "locked"
    mount = f"{_MOUNT}{runtime},target={CACHE_FOLDER},sharing={sharing}"
    for found in re.finditer(r"^RUN (\[(?:[^\n]|(?<=\\)\n)*|[^\n]*)", dockerfile, re.MULTILINE):
        step = found[1]
        script = step.startswith("[")
        (old, new), end = (cache.locked, "") if script else (cache.plain, cache.end)
        if cache.program:
            new = new.replace("{program}", shlex.quote(f"exec({json.dumps(cache.program.text())})"))
        if script:
            # In words that are JSON.
            old, new = (json.dumps(each)[1:-1] for each in (old, new))
        if old and old in step:
            cached = f"RUN {mount} {step.replace(old, new, 1)}{end}"
            return dockerfile[: found.start()] + cached + dockerfile[found.end() :]
    return dockerfile


def _named(step: str, spec: ImageSpec) -> str:
    """Return the name of a step as it is without the cache: that in the image's own Dockerfile, but for a script's."""
    head, mounted, rest = step.partition(f"RUN {_MOUNT}")
    if not mounted:
        return step
    words = rest.partition(" ")[2]
    plain = install_step(RUNTIMES[spec.runtime], spec.inputs.packages)
    return f"{head}RUN {words}" if re.match(r'\[? *"?/bin/sh', words) else f"{head}{plain}"


_MOUNT: Final = "--mount=type=cache,id=isol8-tasks-"
