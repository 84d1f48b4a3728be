"""From deps.toml, the Dockerfile and what the engine holds to the images that should exist, in building order."""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from attrs import field, frozen

from isol8_tasks.config.deps import Config
from isol8_tasks.dockerfile.builder import USUAL, BuilderTraits
from isol8_tasks.dockerfile.closure import Closure, Dockerfile, closure
from isol8_tasks.dockerfile.context_files import Find
from isol8_tasks.ecosystems.model import Runtime
from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.ecosystems.specs import merge, parse_spec
from isol8_tasks.errors import COMMAND, PlanError
from isol8_tasks.images.labels import PREFIX, STANDIN_ARG
from isol8_tasks.images.observed import Observed, ObservedImage
from isol8_tasks.images.references import Reference
from isol8_tasks.images.triggers import Triggers, decode_triggers, triggers_of
from isol8_tasks.plan.depth import check_depth
from isol8_tasks.plan.fingerprint import decode_inputs
from isol8_tasks.plan.model import ContextFile, FlagRequest, ImageSpec, Inputs
from isol8_tasks.plan.rendering import render_custom
from isol8_tasks.safety.printing import one_line

_ALPINE: Final = "apk"
"""The ecosystem of what `system` and `build` name."""
_NO_ARGUMENTS: Final = (
    f"label {PREFIX}standin-args has what the Dockerfile can't be built with, so it is left out; "
    "build the image with --force"
)


@frozen(kw_only=True)
class _Sources:
    """What base images are built from, and by what."""

    dockerfile: Dockerfile
    context: Mapping[str, ContextFile]
    find: Find | None
    ignore: str
    builder: BuilderTraits


@frozen(kw_only=True)
class Graph:
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
        custom = _custom(runtime, config, bases[runtime.name], observed, request)
        if custom is not None:
            customs.append(custom)
        name = f"{runtime.name}-custom"
        ours = bool(observed.last_record(name)) or observed.public_tag(name) in observed.unreadable
        if (custom is None or custom.withdrawn) and ours:
            undeclared.append(name)
    images = (*bases.values(), *customs, *_named(config, bases))
    check_depth(images, config)
    undeclared += _undeclared_names(config, observed, bases)
    missing = _missing(config, undeclared)
    warnings.update(dict.fromkeys(_unreadable(observed, [spec.name for spec in images], undeclared)))
    return Graph(
        images=images,
        undeclared=tuple(undeclared),
        warnings=(*([missing] if missing else ()), *map(one_line, warnings)),
        missing=missing if undeclared else "",
    )


def task_of(name: str) -> str:
    """Return the task of the image of that name, whether or not anything asks for it: `custom:bun`, `image:ml`."""
    if name in RUNTIMES:
        return f"base:{name}"
    runtime = name.removesuffix("-custom")
    # No named image has -custom in its name.
    return f"image:{name}" if runtime == name else f"custom:{runtime}"


def _base(
    runtime: Runtime,
    config: Config,
    sources: _Sources,
    observed: Observed,
    learned: tuple[Triggers, ...] | None,
) -> tuple[ImageSpec, tuple[str, ...]]:
    record = observed.record(runtime.name)
    triggers = decode_triggers(record.triggers if record else "") if learned is None else learned

    def read(args: Mapping[str, str]) -> Closure:
        return closure(
            sources.dockerfile,
            runtime.name,
            args,
            sources.find or sources.context.keys(),
            ignore=sources.ignore,
            triggers=lambda reference: triggers_of(triggers, reference, upstream_id(observed, reference)),
            builder=sources.builder,
        )

    given = dict(config.build.args)
    wanted = standin_args(map(observed.tagged, read(given).upstream))
    if wanted is None and record:
        wanted = dict(record.standin_args)
    args = {**(wanted or {}), **given}
    needs = read(args)
    if needs.missing:
        raise PlanError(needs.missing[0])
    inputs = Inputs(
        recipe=runtime.recipe,
        runtime=runtime.name,
        stages=needs.stages,
        files=tuple((path, sources.context[path]) for path in needs.files),
        # No build argument has a dot in its name.
        args=(*needs.args, *((f"filter.{key}", text) for key, text in config.filter.values.items())),
        upstream=tuple((reference, upstream_id(observed, reference)) for reference in needs.upstream),
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
        build_hash=config.clients.build_hash,
        triggers=triggers,
        problem=_problem(inputs.files),
    )
    return spec, (*needs.warnings, *_outside(inputs.files))


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


def upstream_id(observed: Observed, reference: str) -> str | None:
    """Return the short id of an upstream image as it counts for a key; None where the engine does not have it."""
    image = observed.tagged(reference)
    return short_id(image.id) if image else None


def short_id(image_id: str) -> str:
    """Return the digits of an image's id that count for a key."""
    return image_id.removeprefix("sha256:")[:12]


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


def _custom(
    runtime: Runtime, config: Config, base: ImageSpec, observed: Observed, request: FlagRequest
) -> ImageSpec | None:
    name = f"{runtime.name}-custom"
    # What flags asked for lasts even where something else has taken or removed the public tag.
    record = observed.last_record(name)
    declared = config.dependencies.get(runtime.name, ())
    remembered = dict(record.flags) if record else {}
    asked = dict(request.packages).get(runtime.name, ())
    flags = {} if request.only_file else _superseded(runtime, remembered, asked)
    flags.update({package: flags.get(package, request.today) for package in asked})
    packages = merge(runtime.ecosystem, declared, flags)
    ours = observed.record(name)
    system = merge(_ALPINE, config.system.get(runtime.name, ()))
    withdrawn = not packages and not system and bool(remembered) and request.only_file and ours is not None
    if withdrawn and ours:
        packages = ours.packages
    if not packages and not system:
        return None
    build = merge(_ALPINE, config.build.needed_by(runtime.name)) if packages else ()
    repository = config.build.repository
    hashes = {} if withdrawn else _hashes(runtime.name, packages, config)
    return ImageSpec(
        name=name,
        task=task_of(name),
        kind="custom",
        runtime=runtime.name,
        parent=base.name,
        inputs=Inputs(
            recipe=runtime.recipe,
            runtime=runtime.name,
            packages=packages,
            system=system,
            build=build,
            files=_hashed_file(config.listed[runtime.name].source, hashes) if hashes else (),
        ),
        hashes=hashes,
        dockerfile=render_custom(runtime, str(Reference(repository, base.name)), packages, system, build),
        target=None,
        args=base.args,
        flags=() if withdrawn else tuple(sorted(flags.items())),
        withdrawn=withdrawn,
    )


def _hashes(runtime: str, packages: Iterable[str], config: Config) -> Mapping[str, tuple[str, ...]]:
    """Return the hashes of the packages that a requirements file has them for; of all packages or of none."""
    listed = config.listed.get(runtime)
    if listed is None or not listed.hashes:
        return {}
    for package in packages:
        if package not in listed.hashes:
            place = config.place(runtime, package) or f"--{runtime}"
            raise PlanError(
                f"{place}: {package} has no hash, and {listed.source} has hashes, so pip needs one for each; "
                f"write it into {listed.source}"
            )
    return {package: listed.hashes[package] for package in packages}


def _hashed_file(source: str, hashes: Mapping[str, tuple[str, ...]]) -> tuple[tuple[str, ContextFile], ...]:
    """Return a requirements file as an input, by what counts of it beside its packages."""
    text = "".join(f"{package} {' '.join(sorted(each))}\n" for package, each in sorted(hashes.items()))
    return ((source, ContextFile(digest=hashlib.sha256(text.encode()).hexdigest())),)


def _superseded(runtime: Runtime, remembered: Mapping[str, str], asked: tuple[str, ...]) -> dict[str, str]:
    """Return the remembered flags without those that this run asks for in another version."""
    names = {parse_spec(runtime.ecosystem, package).name for package in asked}
    return {
        package: date
        for package, date in remembered.items()
        if package in asked or parse_spec(runtime.ecosystem, package).name not in names
    }


def _named(config: Config, bases: Mapping[str, ImageSpec]) -> Iterator[ImageSpec]:
    made = dict(bases)
    for name, image in config.images.items():
        if image.runtime not in bases:
            continue
        runtime, parent = RUNTIMES[image.runtime], made[image.parent]
        packages = merge(runtime.ecosystem, image.packages)
        system, build = merge(_ALPINE, image.system), merge(_ALPINE, image.build)
        inputs = Inputs(
            recipe=runtime.recipe,
            runtime=runtime.name,
            packages=packages,
            setup=image.setup,
            system=system,
            build=build,
        )
        reference = str(Reference(config.build.repository, parent.name))
        made[name] = ImageSpec(
            name=name,
            task=task_of(name),
            kind="named",
            runtime=runtime.name,
            parent=parent.name,
            inputs=inputs,
            dockerfile=render_custom(runtime, reference, packages, system, build),
            target=None,
            args=parent.args,
            inherited=parent.packages,
            inherited_system=parent.system,
        )
        yield made[name]


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
