"""The classic builder, for engines without BuildKit: Podman's among them."""

import re
from typing import Final

from isol8_tasks.engine import BuildRequest, OnEvent
from isol8_tasks.engine.builders.archive import pack
from isol8_tasks.engine.builders.buildkit import Post, id_of, parameters, stream_error
from isol8_tasks.engine.builders.progress import StepLog, build_failed, clean
from isol8_tasks.errors import EngineError, PlanError

_STEP: Final = re.compile(r"(?:\[\d+/\d+\] )?step (\d+/\d+) ?: ?(.*)", re.IGNORECASE)
_CACHED: Final = re.compile(r" ?--?-> Using cache\b")
_BOOKKEEPING: Final = re.compile(
    r" ?--?-> (?:[0-9a-f]{11,64}|Running in [0-9a-f]+)$|(?: ---> )?Remov(?:ed|ing) intermediate container "
    r"|Successfully (?:built|tagged) |(?:\[\d+/\d+\] )?COMMIT\b|[0-9a-f]{64}$"
)


def build(request: BuildRequest, post: Post, on_event: OnEvent) -> str:
    """Build by the classic builder, and return the image's id.

    It builds every stage that stands before the target, so it gets only those that the target needs.
    """
    # Here, as BuildKit needs no parsing, and most engines have it.
    from isol8_tasks.dockerfile.slicing import slice_dockerfile  # noqa: PLC0415
    from isol8_tasks.dockerfile.syntax import parse  # noqa: PLC0415

    try:
        text = slice_dockerfile(parse(request.dockerfile), request.target, request.args)
    except PlanError as error:
        raise build_failed(request.tag, str(error)) from error
    archive = pack(request, text, hide=True)
    reader = _Reader(on_event)
    image_id = ""
    params = {**parameters(request), "version": "1", "dockerfile": archive.dockerfile}
    for item in post(params, archive.data):
        if message := stream_error(item):
            reader.end()
            step = reader.step
            raise build_failed(
                request.tag, message, step=step.name if step else "", output=step.output if step else ()
            )
        image_id = id_of(item) or image_id
        reader.take(str(item.get("stream") or ""))
    reader.end()
    if not image_id:
        raise EngineError(
            f"the engine ended the build of {request.tag} without an image and without an error"
        )
    return image_id


class _Reader:
    """Tells steps, their output and the builder's own bookkeeping apart, line by line."""

    def __init__(self, on_event: OnEvent) -> None:
        self.step: StepLog | None = None
        self._on_event = on_event
        self._rest = ""

    def take(self, text: str) -> None:
        """Take a piece of the stream."""
        if self._rest and any(own.match(clean(text)) for own in (_STEP, _CACHED, _BOOKKEEPING)):
            # What a step printed last had no end, and the builder's own words follow in the same line.
            self.end()
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._line(line)

    def end(self) -> None:
        """Take what was left without an end."""
        if self._rest:
            self._line(self._rest)
            self._rest = ""

    def _line(self, raw: str) -> None:
        line = clean(raw)
        if found := _STEP.match(line):
            self.step = StepLog(f"[{found[1]}] {found[2]}", self._on_event)
            self.step.begin()
        elif self.step and _CACHED.match(line):
            self.step.cached()
        elif self.step and not _BOOKKEEPING.match(line):
            self.step.write(f"{raw}\n".encode("utf-8", "replace"))
