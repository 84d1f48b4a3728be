"""The commands that look into images: verify, inventory and sbom."""

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve

from isol8_tasks import __version__, report
from isol8_tasks.commands import OwnCommand, say
from isol8_tasks.errors import COMMAND, ConfigError, Isol8Error
from isol8_tasks.files import make_folder, replace
from isol8_tasks.inventory import Package
from isol8_tasks.manifest import created
from isol8_tasks.plan.model import ImageSpec
from isol8_tasks.plan.observed import ObservedImage
from isol8_tasks.promotion import layers_of
from isol8_tasks.running import one_line
from isol8_tasks.session import Session
from isol8_tasks.tasks import session

if TYPE_CHECKING:
    from isol8_tasks.verify.sandbox import Verdict

_JSON: Final = {
    "name": "json",
    "long": "json",
    "type": bool,
    "default": False,
    "help": "print only JSON",
}


class _OfImages(OwnCommand):
    """A command about the images that are named, or all that deps.toml and the flags ask for."""

    doc_usage = "[NAME ...] (as python, python-custom)"
    cmd_options: tuple[Mapping[str, Any], ...] = (_JSON,)

    @one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:
        """Find the images, and do what the command is for."""
        current = session()
        try:
            return self.show(current, _chosen(current, args), params)
        finally:
            current.close()

    def show(
        self, current: Session, images: Sequence[tuple[ImageSpec, ObservedImage]], params: Mapping[str, Any]
    ) -> int:
        """Do what the command is for, and return the exit code."""
        raise NotImplementedError


class Verify(_OfImages):
    """Run every check on the images as they are."""

    doc_purpose = "verify the images in use again, as before their promotion"
    doc_description = "Exit code 1 when an image fails verification. Nothing is changed."

    def show(
        self, current: Session, images: Sequence[tuple[ImageSpec, ObservedImage]], params: Mapping[str, Any]
    ) -> int:
        """Run the checks side by side, and print what they found."""
        from isol8_tasks.verify.findings import OtherLayers, output, render  # noqa: PLC0415 - no other command shows them

        current.engine.sweep()

        def look(pair: tuple[ImageSpec, ObservedImage]) -> "Verdict":
            # By its id, so that a run beside this one may give the tag to another image.
            spec, image = pair
            verdict = current.checker.verdict(spec, image.id)
            record = current.observed.read(image)
            if record is None or record.layers == layers_of(current.engine, image.id):
                return verdict
            return evolve(verdict, findings=(OtherLayers(), *verdict.findings))

        with ThreadPoolExecutor(current.jobs) as pool:
            verdicts = dict(zip((spec.name for spec, _ in images), pool.map(look, images), strict=True))
        if params["json"]:
            found = [
                {
                    "image": f"{current.repository}:{name}",
                    "findings": [render(finding) for finding in verdict.findings],
                }
                for name, verdict in verdicts.items()
            ]
            say(json.dumps({"images": found}, indent=2, ensure_ascii=False))
        else:
            width = report.name_width(current.repository, verdicts)
            for name, verdict in verdicts.items():
                state = "failed" if verdict.findings else f"ok      {len(verdict.packages)} packages"
                say(f"{current.repository}:{name}".ljust(width) + f"  {state}")
                for finding in verdict.findings:
                    say(f"  {render(finding)}")
                    for line in output(finding):
                        say(f"      {line}")
        return 1 if any(verdict.findings for verdict in verdicts.values()) else 0


class Inventory(_OfImages):
    """Print what is in the images."""

    doc_purpose = "print the packages in the images, as recorded when they were verified"

    def show(
        self, current: Session, images: Sequence[tuple[ImageSpec, ObservedImage]], params: Mapping[str, Any]
    ) -> int:
        """Print one package on a line."""
        told = [(spec.name, *_inventory(current, spec.name)) for spec, _ in images]
        if params["json"]:
            found = [
                {
                    "image": f"{current.repository}:{name}",
                    "alpine": release,
                    "packages": [
                        {"ecosystem": each.ecosystem, "name": each.name, "version": each.version}
                        for each in packages
                    ],
                }
                for name, release, packages in told
            ]
            say(json.dumps({"images": found}, indent=2, ensure_ascii=False))
            return 0
        for name, release, packages in told:
            say(f"{current.repository}:{name}  Alpine {release} · {len(packages)} packages")
            for each in packages:
                say(f"  {each.ecosystem:<8}{each.name} {each.version}")
        return 0


class Sbom(_OfImages):
    """Write a bill of materials for each image."""

    doc_purpose = "write a CycloneDX 1.6 file for each image"
    cmd_options = (
        {
            "name": "output",
            "short": "o",
            "long": "output",
            "type": str,
            "default": "sbom",
            "help": "the folder for the files [default: %(default)s]",
        },
    )

    def show(
        self, current: Session, images: Sequence[tuple[ImageSpec, ObservedImage]], params: Mapping[str, Any]
    ) -> int:
        """Write the files."""
        from isol8_tasks.sbom import Bill, render  # noqa: PLC0415 - no other command writes them

        folder = Path(params["output"])
        make_folder(folder)
        for spec, image in images:
            release, packages = _inventory(current, spec.name)
            bill = Bill(
                reference=f"{current.repository}:{spec.name}",
                image_id=image.id,
                created=created(image),
                release=release,
                packages=packages,
            )
            file = folder / f"{spec.name}.cdx.json"
            replace(file, render(bill, tool_version=__version__))
            say(str(file))
        return 0


def _chosen(current: Session, words: Sequence[str]) -> tuple[tuple[ImageSpec, ObservedImage], ...]:
    """Return the images that are meant and are there; a ConfigError names the first that is not."""
    there = {
        spec.name: (spec, image)
        for spec in current.graph.images
        if (image := current.observed.public(spec.name)) is not None
    }
    if not words and not there:
        raise Isol8Error(f"there is no image yet; {COMMAND} up builds them")
    return tuple(_found(there, words, current.repository)) if words else tuple(there.values())


def _found(
    there: Mapping[str, tuple[ImageSpec, ObservedImage]], words: Sequence[str], repository: str
) -> Iterator[tuple[ImageSpec, ObservedImage]]:
    for word in words:
        name = word.removeprefix(f"{repository}:")
        if name not in there:
            raise ConfigError(f"{repository}:{name}: no such image; there are {', '.join(sorted(there))}")
        yield there[name]


def _inventory(current: Session, name: str) -> tuple[str, tuple[Package, ...]]:
    """Return Alpine's release and the packages; an Isol8Error tells of an image that was never checked."""
    found = current.observed.inventory(name)
    if found is None:
        raise Isol8Error(
            f"{current.repository}:{name}: no inventory; only images that this project built and verified "
            f"have one: {COMMAND} {current.graph.image(name).task} --force"
        )
    return found
