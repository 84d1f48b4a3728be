"""How far a pull or a push is, from what an engine tells of its layers, and why a pull failed."""

import re
from collections.abc import Mapping
from typing import Any, Final

from attrs import define, field

from isol8_tasks.engine import OnBytes
from isol8_tasks.errors import COMMAND, EngineError, PlanError, UpstreamUnavailableError
from isol8_tasks.safety.redact import redact


@define(eq=False)
class Transfer:
    """The layers of one transfer; an engine tells of each how many bytes came or went (`progressDetail`)."""

    on_bytes: OnBytes | None
    _layers: dict[object, tuple[int, int]] = field(factory=dict, init=False)

    def hear(self, item: Mapping[str, Any]) -> None:
        """Hear a line of the engine's, and tell if it is of bytes that came or went."""
        layer, detail, status = item.get("id"), item.get("progressDetail"), item.get("status")
        known = self._layers.get(layer)
        if status in _UNDER_WAY and isinstance(detail, Mapping):
            done, size = detail.get("current"), detail.get("total")
            if not (isinstance(done, int) and isinstance(size, int) and done >= 0 and size > 0):
                return
            # What is sent has more around it than the files, whose size is told.
            self._layers[layer] = (min(done, size), size)
        elif status in _DONE and known:
            self._layers[layer] = (known[1], known[1])
        else:
            return
        if self.on_bytes:
            self.on_bytes(*map(sum, zip(*self._layers.values(), strict=True)))


_UNDER_WAY: Final = frozenset({"Downloading", "Pushing"})
_DONE: Final = frozenset({"Download complete", "Pushed"})


def unavailable(reference: str, reason: str) -> EngineError | PlanError:
    """Return the error of a pull that an engine refused for a reason of its own."""
    from isol8_tasks.safety.troubles import told  # noqa: PLC0415 - most pulls succeed

    reason = redact(reason).strip()
    if re.match(r"invalid |.*no Host in request", reason):
        return PlanError(
            f"{reference!r} is no image's name: {reason}\n"
            "Correct ALPINE_IMAGE, ALPINE_VERSION or DENO_IMAGE under [build] args in deps.toml, or FROM in "
            "docker/Dockerfile."
        )
    if reason.endswith(": not found"):
        reason = f"{reason} (manifest unknown)"
    steps = told(
        reason,
        source="the image's address; [build] args in deps.toml can name a mirror",
        login="docker's login (docker login)",
        proxy="the engine's own configuration",
    )
    steps = steps or "Check the network and docker's login, or name a mirror under [build] args in deps.toml."
    lab = "" if "(404)" in steps else f" Without any, {COMMAND} up --lab makes a local stand-in."
    return UpstreamUnavailableError(f"{reference} could not be pulled: {reason}\n{steps}{lab}")
