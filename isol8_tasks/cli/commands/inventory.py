"""The command inventory: the packages in images."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from isol8_tasks.cli.command import say
from isol8_tasks.cli.commands.images import ImagesCommand, inventory_of
from isol8_tasks.images.observed import ObservedImage
from isol8_tasks.plan.model import ImageSpec
from isol8_tasks.run.session import Session


class InventoryCommand(ImagesCommand):
    """Print what is in the images."""

    name = "inventory"
    doc_purpose = "print the packages in the images, as recorded when they were verified"
    only_prints = True

    def show(
        self, current: Session, images: Sequence[tuple[ImageSpec, ObservedImage]], params: Mapping[str, Any]
    ) -> int:
        """Print one package on a line."""
        told = [(spec.name, *inventory_of(current, spec.name)) for spec, _ in images]
        if params["json"]:
            found = [
                {
                    "image": current.view.public_tag(name),
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
            say(f"{current.view.public_tag(name)}  Alpine {release} · {len(packages)} packages")
            for each in packages:
                say(f"  {each.ecosystem:<8}{each.name} {each.version}")
        return 0
