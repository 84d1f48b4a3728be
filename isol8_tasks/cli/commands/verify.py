"""The command verify: verifies images as they are."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from attrs import evolve

from isol8_tasks.cli.command import say
from isol8_tasks.cli.commands.images import ImagesCommand
from isol8_tasks.images.observed import ObservedImage
from isol8_tasks.lifecycle.promotion import has_layers
from isol8_tasks.plan.model import ImageSpec
from isol8_tasks.report import plan as report
from isol8_tasks.run.session import Session

if TYPE_CHECKING:
    from isol8_tasks.verify.verifier import Verdict


class VerifyCommand(ImagesCommand):
    """Run every check on the images as they are."""

    name = "verify"
    doc_purpose = "verify the images in use again, as before their promotion"
    doc_description = "Exit code 1 when an image fails verification. Nothing is changed."

    def show(
        self, current: Session, images: Sequence[tuple[ImageSpec, ObservedImage]], params: Mapping[str, Any]
    ) -> int:
        """Run the checks side by side, and print what they found."""
        from isol8_tasks.verify.findings import OtherLayers, output, render_finding  # noqa: PLC0415 - no other command shows them
        from isol8_tasks.verify.notes import render_note  # noqa: PLC0415 - as above

        current.view.engine.sweep()

        def look(pair: tuple[ImageSpec, ObservedImage]) -> "Verdict":
            # By its id, so that a run beside this one may give the tag to another image.
            spec, image = pair
            verdict = current.verifications.verdict(spec, image.id)
            record = current.view.observed.read(image)
            if record is None or has_layers(current.view.engine, image.id, record.layers):
                return verdict
            return evolve(verdict, findings=(OtherLayers(), *verdict.findings))

        with ThreadPoolExecutor(current.slots.jobs) as pool:
            verdicts = dict(zip((spec.name for spec, _ in images), pool.map(look, images), strict=True))
        if params["json"]:
            found = [
                {
                    "image": current.view.public_tag(name),
                    "findings": [render_finding(finding) for finding in verdict.findings],
                    "notes": [render_note(note) for note in verdict.notes],
                }
                for name, verdict in verdicts.items()
            ]
            say(json.dumps({"images": found}, indent=2, ensure_ascii=False))
        else:
            width = report.name_width(current.view.repository, verdicts)
            for name, verdict in verdicts.items():
                state = "failed" if verdict.findings else f"ok      {len(verdict.packages)} packages"
                say(current.view.public_tag(name).ljust(width) + f"  {state}")
                for finding in verdict.findings:
                    say(f"  {render_finding(finding)}")
                    for line in output(finding):
                        say(f"      {line}")
                for note in verdict.notes:
                    say(f"  note: {render_note(note)}")
        return 1 if any(verdict.findings for verdict in verdicts.values()) else 0
