"""The command sbom: bills of materials of images."""

from collections.abc import Mapping, Sequence
from typing import Any

from isol8_tasks import __version__
from isol8_tasks.cli.command import say
from isol8_tasks.cli.commands.images import ImagesCommand, inventory_of
from isol8_tasks.cli.program import named_file
from isol8_tasks.errors import ConfigError
from isol8_tasks.images.manifest import created
from isol8_tasks.images.observed import ObservedImage
from isol8_tasks.plan.model import ImageSpec
from isol8_tasks.run.session import Session
from isol8_tasks.safety.files import make_folder, replace


class SbomCommand(ImagesCommand):
    """Write a bill of materials for each image."""

    name = "sbom"
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
        from isol8_tasks.ecosystems.sbom import Bill, render_sbom  # noqa: PLC0415 - no other command writes them

        folder = named_file(params["output"])
        try:
            make_folder(folder)
        except OSError as error:
            raise ConfigError(
                f"--output: {params['output']}: no folder can be made there ({error.strerror}); name another one"
            ) from error
        for spec, image in images:
            release, packages = inventory_of(current, spec.name)
            bill = Bill(
                reference=current.view.public_tag(spec.name),
                image_id=image.id,
                created=created(image),
                release=release,
                packages=packages,
            )
            file = folder / f"{spec.name}.cdx.json"
            replace(file, render_sbom(bill, tool_version=__version__))
            say(str(file))
        return 0
