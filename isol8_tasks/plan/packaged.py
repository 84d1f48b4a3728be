"""The images with packages: a runtime's custom image, from deps.toml and flags, and the named images."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from isol8_tasks.config.deps import Config
from isol8_tasks.config.positions import line_of
from isol8_tasks.ecosystems.model import Runtime
from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.ecosystems.specs import merge, parse_spec, skipped_names
from isol8_tasks.errors import PlanError
from isol8_tasks.images.observed import Observed
from isol8_tasks.images.references import Reference
from isol8_tasks.plan.model import ContextFile, FlagRequest, ImageSpec, Inputs, task_of
from isol8_tasks.plan.rendering import render_custom

if TYPE_CHECKING:
    from isol8_tasks.config.secret_list import Secret


def custom_image(
    runtime: Runtime, config: Config, base: ImageSpec, observed: Observed, request: FlagRequest
) -> ImageSpec | None:
    """Return the custom image of a runtime; None where no packages are asked for.

    PlanError says that a list has hashes for some of them only, or versions of one that exclude each other.
    """
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
    if not withdrawn:
        _check_versions(name, runtime, packages, config)
    build = merge(_ALPINE, config.build.needed_by(runtime.name)) if packages else ()
    repository = config.build.repository
    secrets = _secrets(config, runtime, packages, (*system, *build))
    hashes = {} if withdrawn else _hashes(name, runtime.name, packages, config)
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
            platform=config.build.platform,
            files=_hashed_file(config.listed[runtime.name].source, hashes) if hashes else (),
            secrets=(*secrets,),
        ),
        hashes=hashes,
        secrets=secrets,
        dockerfile=render_custom(runtime, str(Reference(repository, base.name)), packages, system, build),
        target=None,
        args=base.args,
        flags=() if withdrawn else tuple(sorted(flags.items())),
        withdrawn=withdrawn,
    )


def _secrets(
    config: Config, runtime: Runtime, packages: tuple[str, ...], alpine: tuple[str, ...]
) -> "Mapping[str, Secret]":
    """Return the secrets that the installers of an image know."""
    if not config.build.secrets:
        return {}
    from isol8_tasks.config.secret_list import secrets_for  # noqa: PLC0415 - few files have any

    ecosystems = [*([runtime.ecosystem] if packages else []), *(["apk"] if alpine else [])]
    found = {each.name: each for name in ecosystems for each in secrets_for(name, config.build.secrets)}
    return dict(sorted(found.items()))


def _check_versions(name: str, runtime: Runtime, packages: tuple[str, ...], config: Config) -> None:
    """Raise PlanError for packages that no version satisfies together."""
    if len({parse_spec(runtime.ecosystem, each).name for each in packages}) == len(packages):
        return
    # Here, as few lists have a package twice.
    from isol8_tasks.ecosystems.conflicts import excluding  # noqa: PLC0415

    if found := excluding(runtime.ecosystem, packages):
        places = dict.fromkeys(
            config.place_of(name, "packages", each) or f"--{runtime.name}" for each in found
        )
        dropped = "; --only-file drops what flags gave" if f"--{runtime.name}" in places else ""
        raise PlanError(
            f"{', '.join(places)}: {' and '.join(found)} exclude each other, and an image has one version of a "
            f"package; keep one of them{dropped}"
        )


def _hashes(
    name: str, runtime: str, packages: Iterable[str], config: Config
) -> Mapping[str, tuple[str, ...]]:
    """Return the hashes of the packages that a requirements file has them for; of all packages or of none."""
    listed = config.listed.get(name if name in config.images else runtime)
    if listed is None or not listed.hashes:
        return {}
    for package in packages:
        if package not in listed.hashes:
            place = config.place_of(name, "packages", package) or f"--{runtime}"
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


def named_images(config: Config, bases: Mapping[str, ImageSpec]) -> Iterator[ImageSpec]:
    """Yield the named images on these bases, each after its parent."""
    made = dict(bases)
    for name, image in config.images.items():
        if image.runtime not in bases:
            continue
        runtime, parent = RUNTIMES[image.runtime], made[image.parent]
        packages = merge(runtime.ecosystem, image.packages)
        _check_versions(name, runtime, packages, config)
        system, build = merge(_ALPINE, image.system), merge(_ALPINE, image.build)
        secrets = _secrets(config, runtime, packages, (*system, *build))
        hashes = _hashes(name, runtime.name, packages, config)
        inputs = Inputs(
            recipe=runtime.recipe,
            runtime=runtime.name,
            packages=packages,
            setup=image.setup,
            system=system,
            build=build,
            platform=config.build.platform,
            files=_hashed_file(config.listed[name].source, hashes) if hashes else (),
            secrets=(*secrets,),
        )
        reference = str(Reference(config.build.repository, parent.name))
        made[name] = ImageSpec(
            name=name,
            task=task_of(name),
            kind="named",
            runtime=runtime.name,
            parent=parent.name,
            inputs=inputs,
            hashes=hashes,
            secrets=secrets,
            dockerfile=render_custom(runtime, reference, packages, system, build),
            target=None,
            args=parent.args,
            inherited=parent.packages,
            inherited_system=parent.system,
        )
        yield made[name]


def unused_skips(config: Config, images: Iterable[ImageSpec]) -> Iterator[str]:
    """Say of each name under [verify] skip that no image is asked to have such a package."""
    from isol8_tasks.config.strict import unknown  # noqa: PLC0415 - few files have such names

    declared: dict[str, set[str]] = {}
    for spec in images:
        for ecosystem, packages in (
            (RUNTIMES[spec.runtime].ecosystem, spec.packages),
            (_ALPINE, spec.system),
        ):
            declared.setdefault(ecosystem, set()).update(
                parse_spec(ecosystem, each).name for each in packages
            )
    names = sorted(set().union(*declared.values()))
    for place, name in enumerate(config.verify.skip):
        if not any(skipped_names(ecosystem, (name,)) & known for ecosystem, known in declared.items()):
            line = line_of(config.text, ("verify", "skip", place))
            what = f"no image is declared with {name}, so this skips nothing"
            said = unknown(what, name, names, "declared:") if names else what
            yield f"{config.source}{f':{line}' if line else ''}: verify.skip: {said}"


def unused_secrets(config: Config, images: Iterable[ImageSpec]) -> Iterator[str]:
    """Say of each secret that no image is built with it."""
    used = {name for spec in images for name in spec.secrets}
    for name, secret in config.build.secrets.items():
        if name not in used:
            yield (
                f"{config.setting(f'build.secrets.{name}')}: build.secrets.{name}: no image uses it: none has packages "
                f"whose installer reads {secret.known_as}, and no step of docker/Dockerfile mounts it by this name"
            )


def empty_lists(config: Config) -> Iterator[str]:
    """Say of each file that is to list packages that it lists none."""
    for name, found in config.listed.items():
        if not found.packages:
            key = (
                f"images.{name}.{config.images[name].runtime}"
                if name in config.images
                else f"dependencies.{name}"
            )
            yield f"{config.setting(f'{key}_file')}: {key}_file: {found.source} {found.without}"


_ALPINE: Final = "apk"
