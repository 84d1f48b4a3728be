"""From deps.toml, the Dockerfile and what the engine holds to the images that should exist, in building order."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from attrs import field, frozen

from isol8_tasks.config.deps import Config
from isol8_tasks.dockerfile.builder import USUAL, BuilderTraits
from isol8_tasks.dockerfile.closure import Dockerfile, closure, upstream_images
from isol8_tasks.dockerfile.context_files import Find
from isol8_tasks.dockerfile.inputs import StageInputs
from isol8_tasks.ecosystems.model import Runtime
from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.errors import COMMAND, PlanError
from isol8_tasks.images.labels import PREFIX, STANDIN_ARG
from isol8_tasks.images.observed import Observed, ObservedImage
from isol8_tasks.images.references import Reference
from isol8_tasks.images.triggers import Triggers, decode_triggers, triggers_of
from isol8_tasks.plan.depth import check_depth
from isol8_tasks.plan.fingerprint import decode_inputs
from isol8_tasks.plan.model import ContextFile, FlagRequest, ImageSpec, Inputs, task_of
from isol8_tasks.plan.packaged import custom_image, empty_lists, named_images, unused_secrets, unused_skips
from isol8_tasks.safety.printing import one_line
from isol8_tasks.values import ByValue

if TYPE_CHECKING:
    from isol8_tasks.config.secret_list import Secret

"""The ecosystem of what `system` and `build` name."""
_NO_ARGUMENTS: Final = (
    f"label {PREFIX}standin-args has what the Dockerfile can't be built with, so it is left out; "
    "build the image with --force"
)


@frozen(kw_only=True, eq=False, repr=False)
class _Sources(ByValue):
    """What base images are built from, and by what."""

    dockerfile: Dockerfile
    context: Mapping[str, ContextFile]
    find: Find | None
    ignore: str
    builder: BuilderTraits


@frozen(kw_only=True, eq=False, repr=False)
class Graph(ByValue):
    """The images that should exist, parents first, and what there is to say about them."""

    images: tuple[ImageSpec, ...]
    undeclared: tuple[str, ...] = ()
    """Names of images of ours that are undeclared; clients still prefer them."""
    warnings: tuple[str, ...] = ()
    missing: str = ""
    """Says that deps.toml is missing, where images are undeclared for that reason; it is among the warnings."""
    _by_name: Mapping[str, ImageSpec] = field(init=False, repr=False, eq=False)
    _children: Mapping[str, list[str]] = field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        children: dict[str, list[str]] = {}
        for spec in self.images:
            if spec.parent is not None:
                children.setdefault(spec.parent, []).append(spec.name)
        object.__setattr__(self, "_by_name", {spec.name: spec for spec in self.images})
        object.__setattr__(self, "_children", children)

    def image(self, name: str) -> ImageSpec:
        """Return the image of that name, which has to be in the graph."""
        return self._by_name[name]

    def family(self, name: str) -> tuple[ImageSpec, ...]:
        """Return the image of that name, if it is in the graph, and all that are based on it, parents first."""
        names = [name] if name in self._by_name else []
        for each in names:
            names.extend(self._children.get(each, ()))
        return tuple(self._by_name[each] for each in names)


def build_graph(  # noqa: PLR0913 - each of them decides what is built
    config: Config,
    dockerfile: Dockerfile,
    context: Mapping[str, ContextFile],
    observed: Observed,
    request: FlagRequest,
    *,
    find: Find | None = None,
    ignore: str = "",
    learned: Mapping[str, tuple[Triggers, ...]] | None = None,
    builder: BuilderTraits = USUAL,
) -> Graph:
    """Return every base image, a custom image for each runtime that packages are asked for, and the named images.

    Those of some runtimes alone, where the request says so.
    What earlier runs were asked for by flags is remembered by the labels of the images in `observed`, and so are the
    ONBUILD triggers of upstream images, unless `learned` has them by the name of the image. `find` tells what a source
    takes, where `context` is not to be looked through for it, `ignore` is the text of the build context's ignore file,
    and `builder` what builds.
    """
    sources = _Sources(dockerfile=dockerfile, context=context, find=find, ignore=ignore, builder=builder)
    warnings: dict[str, None] = {}
    bases: dict[str, ImageSpec] = {}
    customs = []
    undeclared = []
    runtimes = [each for each in RUNTIMES.values() if each.name in (request.only or RUNTIMES)]
    for runtime in runtimes:
        known = (learned or {}).get(runtime.name)
        try:
            bases[runtime.name], found = _base(runtime, config, sources, observed, known)
        except PlanError:
            # The arguments that its label remembers of a stand-in may be anybody's, too.
            without = observed.without(runtime.name)
            bases[runtime.name], found = _base(runtime, config, sources, without, known)
            found = (*found, f"{observed.public_tag(runtime.name)}: {_NO_ARGUMENTS}")
        warnings.update(dict.fromkeys(found))
    for runtime in runtimes:
        custom = custom_image(runtime, config, bases[runtime.name], observed, request)
        if custom is not None:
            customs.append(custom)
        name = f"{runtime.name}-custom"
        ours = bool(observed.last_record(name)) or observed.public_tag(name) in observed.unreadable
        if (custom is None or custom.withdrawn) and ours:
            undeclared.append(name)
    images = (*bases.values(), *customs, *named_images(config, bases))
    check_depth(images, config)
    warnings.update(dict.fromkeys(empty_lists(config)))
    if config.verify.skip and not request.only:
        warnings.update(dict.fromkeys(unused_skips(config, images)))
    if config.build.secrets and not request.only:
        warnings.update(dict.fromkeys(unused_secrets(config, images)))
    undeclared += _undeclared_names(config, observed, bases)
    missing = _missing(config, undeclared)
    warnings.update(dict.fromkeys(_unreadable(observed, [spec.name for spec in images], undeclared)))
    return Graph(
        images=images,
        undeclared=tuple(undeclared),
        warnings=(*([missing] if missing else ()), *map(one_line, warnings)),
        missing=missing if undeclared else "",
    )


def _base(
    runtime: Runtime,
    config: Config,
    sources: _Sources,
    observed: Observed,
    learned: tuple[Triggers, ...] | None,
) -> tuple[ImageSpec, tuple[str, ...]]:
    record = observed.record(runtime.name)
    triggers = decode_triggers(record.triggers if record else "") if learned is None else learned

    def known(reference: str) -> tuple[str, ...] | None:
        return triggers_of(triggers, reference, (upstream_mark(observed, reference) or "").rpartition(".")[2])

    given = dict(config.build.args)
    upstream = upstream_images(
        sources.dockerfile, runtime.name, given, triggers=known, builder=sources.builder
    )
    wanted = standin_args(map(observed.tagged, upstream))
    if wanted is None and record:
        wanted = dict(record.standin_args)
    args = {**(wanted or {}), **given}
    needs = closure(
        sources.dockerfile,
        runtime.name,
        args,
        sources.find or sources.context.keys(),
        ignore=sources.ignore,
        triggers=known,
        builder=sources.builder,
    )
    if needs.missing:
        raise PlanError(needs.missing[0])
    inputs = Inputs(
        recipe=runtime.recipe,
        runtime=runtime.name,
        stages=needs.stages,
        files=tuple((path, sources.context[path]) for path in needs.files),
        # No build argument has a dot in its name.
        args=(*needs.args, *((f"filter.{key}", text) for key, text in config.filter.values.items())),
        upstream=tuple((reference, upstream_mark(observed, reference)) for reference in needs.upstream),
        platform=config.build.platform,
    )
    spec = ImageSpec(
        name=runtime.name,
        task=task_of(runtime.name),
        kind="base",
        runtime=runtime.name,
        parent=None,
        inputs=inputs,
        dockerfile=_with_filter(sources.dockerfile, runtime.name, config),
        target=runtime.name,
        args=tuple(sorted(args.items())),
        upstream=needs.base,
        secrets=_mounted(needs.stages, config),
        build_hash=config.clients.build_hash,
        triggers=triggers,
        problem=_problem(inputs.files),
    )
    return spec, (*needs.warnings, *_outside(inputs.files))


def _mounted(stages: Iterable[StageInputs], config: Config) -> "Mapping[str, Secret]":
    """Return the secrets that the steps of stages mount; PlanError for one that nobody declares."""
    found = {}
    for step in (step for stage in stages for step in stage.steps if "--mount=" in step.text):
        from isol8_tasks.dockerfile.mounts import mounted_secrets  # noqa: PLC0415 - few steps have a mount

        for name in mounted_secrets(step.text):
            if name not in config.build.secrets:
                raise PlanError(
                    f"docker/Dockerfile:{step.line}: mounts the secret {name}, which is not in [build.secrets] of "
                    f'{config.source}; write {name} = {{ env = "…" }} or {{ file = "…" }} there, or correct the id'
                )
            found[name] = config.build.secrets[name]
    return dict(sorted(found.items()))


def _with_filter(dockerfile: Dockerfile, target: str, config: Config) -> str:
    """Return the text that is built: with the filter's settings, which images on it inherit."""
    if not config.filter.environment:
        return dockerfile.text
    from isol8_tasks.dockerfile.slicing import with_environment  # noqa: PLC0415 - few ask for it

    return with_environment(dockerfile, target, config.filter.environment)


def _outside(files: Iterable[tuple[str, ContextFile]]) -> Iterator[str]:
    """Say of the files that an image needs which are links out of docker/."""
    for path, file in files:
        if file.outside:
            yield f"docker/{path}: a link out of docker/, to {file.outside}, whose content goes into images"


def _problem(files: Iterable[tuple[str, ContextFile]]) -> str:
    """Say of the files that an image needs why one of them can't be read, and how many others can't."""
    found = [file.problem for _, file in files if file.problem]
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return found[0] + more if found else ""


def upstream_mark(observed: Observed, reference: str) -> str | None:
    """Return how an upstream image counts (`ObservedImage.mark`); None where the engine does not have it."""
    image = observed.tagged(reference)
    return image.mark(reference) if image else None


def standin_args(upstream: Iterable[ObservedImage | None]) -> dict[str, str] | None:
    """Return the build arguments that stand-ins among the upstream images ask for; None if none of these is here."""
    images = [image for image in upstream if image]
    if not images:
        return None
    return {
        key.removeprefix(STANDIN_ARG): value
        for image in images
        for key, value in image.labels.items()
        if key.startswith(STANDIN_ARG)
    }


def _missing(config: Config, undeclared: Collection[str]) -> str:
    """Return what there is to say of a deps.toml that is missing; nothing where isol8's own file declares it all."""
    if not config.missing or (config.added and not undeclared):
        return ""
    names = ", ".join(str(Reference(config.build.repository, name)) for name in undeclared)
    what = f"{names} count as undeclared" if undeclared else "only the base images are declared"
    return f"{config.source} is missing, so {what}; restore it, or make an empty one if that is meant"


def _unreadable(observed: Observed, names: Collection[str], undeclared: Collection[str]) -> Iterator[str]:
    """Say of each image with labels of ours that can't be read what becomes of it, or what to type."""
    tags: dict[str, list[str]] = {}
    for tag in observed.unreadable:
        tags.setdefault(observed.id_of(tag), []).append(tag)
    for tag, *more in tags.values():
        problem, name = observed.unreadable[tag], tag.removeprefix(f"{observed.repository}:")
        if name in names:
            hint = "the next build replaces it; give packages of earlier flags again"
        elif name in undeclared:
            hint = f"{COMMAND} clean {task_of(name)} removes it"
        else:
            hint = f"docker rmi {' '.join((tag, *more))} removes it"
        yield f"{tag}: {problem}, so it does not count as ours; {hint}"


def _undeclared_names(config: Config, observed: Observed, runtimes: Collection[str]) -> Iterator[str]:
    """Name the images of ours of these runtimes that deps.toml once gave a name to, and no longer does."""
    for name in observed.promoted:
        if name not in config.images and task_of(name).startswith("image:"):
            record = observed.last_record(name)
            inputs = decode_inputs(record.inputs) if record else None
            if inputs is None or inputs.runtime in runtimes:
                yield name
