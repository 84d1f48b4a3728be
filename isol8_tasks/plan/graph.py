"""From deps.toml, the Dockerfile and what the engine holds to the images that should exist, in building order."""

from collections.abc import Iterable, Mapping

from attrs import frozen

from isol8_tasks.config import Config
from isol8_tasks.errors import PlanError
from isol8_tasks.packages import merge, parse_spec, shell_word
from isol8_tasks.plan.dockerfile import Dockerfile, closure
from isol8_tasks.plan.labels import STANDIN_ARG
from isol8_tasks.plan.model import ContextFile, FlagRequest, ImageSpec, Inputs
from isol8_tasks.plan.observed import Observed
from isol8_tasks.runtimes import PROXY_ARGS, RUNTIMES, Runtime


@frozen(kw_only=True)
class Graph:
    """The images that should exist, parents first, and what there is to say about them."""

    images: tuple[ImageSpec, ...]
    undeclared: tuple[str, ...] = ()
    """Names of custom images of ours that nothing asks for any more; clients still prefer them."""
    warnings: tuple[str, ...] = ()

    def image(self, name: str) -> ImageSpec:
        """Return the image of that name, which has to be in the graph."""
        return next(each for each in self.images if each.name == name)


def build_graph(  # noqa: PLR0913 - each of them decides what is built
    config: Config,
    dockerfile: Dockerfile,
    context: Mapping[str, ContextFile],
    observed: Observed,
    request: FlagRequest,
    *,
    ignore: str = "",
) -> Graph:
    """Return every base image, and a custom image for each runtime that packages are asked for.

    What earlier runs were asked for by flags is remembered by the labels of the images in `observed`. `ignore` is
    the text of the build context's ignore file.
    """
    warnings: dict[str, None] = {}
    images: list[ImageSpec] = []
    undeclared = []
    for runtime in RUNTIMES.values():
        base, found = _base(runtime, config, dockerfile, context, observed, ignore)
        warnings.update(dict.fromkeys(found))
        images.append(base)
    for runtime in RUNTIMES.values():
        base = next(each for each in images if each.name == runtime.name)
        custom = _custom(runtime, config, base, observed, request)
        if custom is not None:
            images.append(custom)
        if (custom is None or custom.withdrawn) and observed.last_record(f"{runtime.name}-custom"):
            undeclared.append(f"{runtime.name}-custom")
    return Graph(images=tuple(images), undeclared=tuple(undeclared), warnings=tuple(warnings))


def task_of(name: str) -> str:
    """Return the task of the image of that name, whether or not anything asks for it: `custom:bun`."""
    runtime, _, custom = name.partition("-")
    return f"{'custom' if custom else 'base'}:{runtime}"


def render_custom(runtime: Runtime, parent: str, packages: tuple[str, ...]) -> str:
    """Return the Dockerfile of a custom image, word for word the specification's."""
    words = " ".join((*runtime.install, *(shell_word(package) for package in packages)))
    return f"FROM {parent}\nRUN {words}\n"


def _base(  # noqa: PLR0913, PLR0917 - each of them decides what is built
    runtime: Runtime,
    config: Config,
    dockerfile: Dockerfile,
    context: Mapping[str, ContextFile],
    observed: Observed,
    ignore: str,
) -> tuple[ImageSpec, tuple[str, ...]]:
    given = dict(config.build.args)
    upstream = closure(dockerfile, runtime.name, given, context.keys(), ignore=ignore).upstream
    wanted = standin_args(upstream, observed)
    if wanted is None and (record := observed.record(runtime.name)):
        wanted = dict(record.standin_args)
    args = {**(wanted or {}), **given}
    needs = closure(dockerfile, runtime.name, args, context.keys(), ignore=ignore)
    inputs = Inputs(
        recipe=runtime.recipe,
        runtime=runtime.name,
        stages=needs.stages,
        files=tuple((path, context[path]) for path in needs.files),
        args=needs.args,
        upstream=tuple((reference, upstream_id(observed, reference)) for reference in needs.upstream),
    )
    spec = ImageSpec(
        name=runtime.name,
        task=task_of(runtime.name),
        kind="base",
        runtime=runtime.name,
        parent=None,
        inputs=inputs,
        dockerfile=dockerfile.text,
        target=runtime.name,
        args=tuple(sorted(args.items())),
    )
    return spec, needs.warnings


def upstream_id(observed: Observed, reference: str) -> str | None:
    """Return the short id of an upstream image as it counts for a key; None where the engine does not have it."""
    image = observed.tagged(reference)
    return image.id.removeprefix("sha256:")[:12] if image else None


def standin_args(upstream: Iterable[str], observed: Observed) -> dict[str, str] | None:
    """Return the build arguments that stand-ins among the upstream images ask for; None if none of these is here."""
    images = [image for reference in upstream if (image := observed.tagged(reference))]
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
    withdrawn = not packages and bool(remembered) and request.only_file and ours is not None
    if withdrawn and ours:
        packages = ours.packages
    if not packages:
        return None
    repository = config.build.repository
    return ImageSpec(
        name=name,
        task=task_of(name),
        kind="custom",
        runtime=runtime.name,
        parent=base.name,
        inputs=Inputs(recipe=runtime.recipe, runtime=runtime.name, packages=packages),
        dockerfile=render_custom(runtime, f"{repository}:{base.name}", packages),
        target=None,
        args=base.args,
        flags=() if withdrawn else tuple(sorted(flags.items())),
        withdrawn=withdrawn,
    )


def _superseded(runtime: Runtime, remembered: Mapping[str, str], asked: tuple[str, ...]) -> dict[str, str]:
    """Return the remembered flags without those that this run asks for in another version."""
    names = {parse_spec(runtime.ecosystem, package).name for package in asked}
    return {
        package: date
        for package, date in remembered.items()
        if package in asked or parse_spec(runtime.ecosystem, package).name not in names
    }


def check_args(config: Config, dockerfile: Dockerfile, source: str) -> None:
    """Raise PlanError for every build argument that the Dockerfile never declares, which is a typing error."""
    declared = dockerfile.declared_args
    unknown = [name for name in config.build.args if name not in declared | PROXY_ARGS]
    if not unknown:
        return
    # Here, since only a mistake has use for them.
    import difflib  # noqa: PLC0415

    from isol8_tasks.positions import line_of  # noqa: PLC0415

    problems = []
    for name in unknown:
        near = difflib.get_close_matches(name, sorted(declared), n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        line = line_of(config.text, ("build", "args", name))
        problems.append(
            f"{source}{f':{line}' if line else ''}: build.args.{name}: docker/Dockerfile declares no such argument"
            f"{hint}; it declares {', '.join(sorted(declared))}"
        )
    raise PlanError("\n".join(problems))
