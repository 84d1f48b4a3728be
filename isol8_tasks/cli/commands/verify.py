"""The command verify: verifies images as they are."""

import functools
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from attrs import evolve

from isol8_tasks.cli.command import say
from isol8_tasks.cli.commands.images import ImagesCommand
from isol8_tasks.cli.doit import SHOWN
from isol8_tasks.cli.screen import Row, Screen
from isol8_tasks.cli.showing import show_work
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
    cmd_options = (*ImagesCommand.cmd_options, *SHOWN)
    doc_description = "Exit code 1 when an image fails verification. Nothing is changed."

    def show(
        self, current: Session, images: Sequence[tuple[ImageSpec, ObservedImage]], params: Mapping[str, Any]
    ) -> int:
        """Run the checks side by side, and print what they found."""
        from isol8_tasks.verify.findings import render_finding  # noqa: PLC0415 - no other command shows them
        from isol8_tasks.verify.notes import render_note  # noqa: PLC0415 - as above

        current.view.engine.sweep()
        with show_work(current, params) as screen, ThreadPoolExecutor(current.slots.jobs) as pool:
            screen.awaited = len(images)
            found = pool.map(functools.partial(_verdict, current, screen), images)
            verdicts = dict(zip((spec.name for spec, _ in images), found, strict=True))
        if params["json"]:
            data = [
                {
                    "image": current.view.public_tag(name),
                    "findings": [render_finding(finding) for finding in verdict.findings],
                    "notes": [render_note(note) for note in verdict.notes],
                }
                for name, verdict in verdicts.items()
            ]
            say(json.dumps({"images": data}, indent=2, ensure_ascii=False))
        else:
            width = report.name_width(current.view.repository, verdicts)
            for name, verdict in verdicts.items():
                if verdict.findings or not screen.quiet:
                    screen.row(_row(current.view.public_tag(name), verdict, width))
        return 1 if any(verdict.findings for verdict in verdicts.values()) else 0


def _verdict(current: Session, screen: Screen, pair: tuple[ImageSpec, ObservedImage]) -> "Verdict":
    """Verify an image, by its id, so that a run beside this one may give the tag to another image."""
    from isol8_tasks.verify.findings import OtherLayers  # noqa: PLC0415 - as above

    spec, image = pair
    with screen.work(spec.name, "verifying"):
        verdict = current.verifications.verdict(spec, image.id)
        record = current.view.observed.read(image)
        if record is None or has_layers(current.view.engine, image.id, record.layers):
            return verdict
        return evolve(verdict, findings=(OtherLayers(), *verdict.findings))


def _row(tag: str, verdict: "Verdict", width: int) -> Row:
    """Return what is said of an image: whether it passed, what was found, and notes."""
    from isol8_tasks.verify.findings import output, render_finding  # noqa: PLC0415 - as above
    from isol8_tasks.verify.notes import render_note  # noqa: PLC0415 - as above

    result = "failed" if verdict.findings else "ok"
    lines = [
        f"{tag.ljust(width)}  {result}{'' if verdict.findings else f'      {len(verdict.packages)} packages'}"
    ]
    for finding in verdict.findings:
        lines += [f"  {render_finding(finding)}", *(f"      {line}" for line in output(finding))]
    notes = [render_note(note) for note in verdict.notes]
    lines += [f"  note: {each}" for each in notes]
    said = [*map(render_finding, verdict.findings), *notes]
    return Row("\n".join(lines), "done", {"image": tag, "result": result, "notes": said})
