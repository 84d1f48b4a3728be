"""How far a pull or a push is, from what an engine tells of its layers."""

from collections.abc import Mapping
from typing import Any

from attrs import define, field

from isol8_tasks.engine import OnBytes


@define(eq=False)
class Transfer:
    """The layers of one pull or push; an engine tells of each how many bytes came, of how many (`progressDetail`)."""

    on_bytes: OnBytes | None
    _layers: dict[object, tuple[int, int]] = field(factory=dict, init=False)

    def hear(self, item: Mapping[str, Any]) -> None:
        """Hear a line of the engine's, and tell if it is of bytes that came."""
        layer, detail, status = item.get("id"), item.get("progressDetail"), item.get("status")
        known = self._layers.get(layer)
        if status == "Downloading" and isinstance(detail, Mapping):
            done, size = detail.get("current"), detail.get("total")
            if not (isinstance(done, int) and isinstance(size, int) and 0 <= done <= size):
                return
            self._layers[layer] = (done, size)
        elif status == "Pushing" and isinstance(detail, Mapping):
            # What an engine packs on the way is more than it said at first.
            done, size = detail.get("current"), detail.get("total")
            if not (isinstance(done, int) and done >= 0):
                return
            self._layers[layer] = (done, max(done, size if isinstance(size, int) else 0))
        elif status == "Download complete" and known:
            self._layers[layer] = (known[1], known[1])
        else:
            return
        if self.on_bytes:
            self.on_bytes(*map(sum, zip(*self._layers.values(), strict=True)))
