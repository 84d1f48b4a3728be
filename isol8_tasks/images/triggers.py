"""The ONBUILD triggers of upstream images, which run in what is built on them, and how a label remembers them.

The list of images does not tell it, so it is asked for when an image is built, and read from that image's label later:
an upstream image with other triggers is another image, and by that alone everything on it is stale.
"""

import json
from collections.abc import Iterable
from typing import Final

from attrs import frozen

from isol8_tasks.safety.jsontext import loads
from isol8_tasks.safety.redact import redact
from isol8_tasks.values import ByValue

_LIMIT: Final = 2048
"""Bytes that the label may take."""


@frozen(kw_only=True, eq=False, repr=False)
class Triggers(ByValue):
    """The ONBUILD triggers of one upstream image."""

    reference: str
    """Without secrets."""
    image: str
    """The first 12 hex digits of its id."""
    steps: tuple[str, ...] | None
    """Each as in its ONBUILD: `COPY a /a`; None for more than a label can remember."""


def encode_triggers(triggers: Iterable[Triggers]) -> str:
    """Return them as compact JSON; empty for none."""
    found = [[each.reference, each.image, each.steps] for each in triggers]
    return json.dumps(found, separators=(",", ":"), ensure_ascii=False) if found else ""


def decode_triggers(text: str) -> tuple[Triggers, ...]:
    """Return what a label remembers; nothing for what this version can't read."""
    try:
        return tuple(
            Triggers(
                reference=str(reference),
                image=str(image),
                steps=None if steps is None else tuple(map(str, steps)),
            )
            for reference, image, steps in (loads(text) if text else ())
        )
    except (ValueError, TypeError, RecursionError):
        return ()


def rememberable(triggers: tuple[Triggers, ...]) -> tuple[Triggers, ...]:
    """Return as much of them as fits into a label: all of them, or of each that it has some."""
    if len(encode_triggers(triggers).encode("utf-8", "surrogatepass")) <= _LIMIT:
        return triggers
    return tuple(Triggers(reference=each.reference, image=each.image, steps=None) for each in triggers)


def triggers_of(triggers: tuple[Triggers, ...], reference: str, image: str | None) -> tuple[str, ...] | None:
    """Return the ONBUILD triggers of an upstream image, which the engine has (by the short id `image`) or had.

    One that is not known is taken for what was there under its reference before, so that nothing seems to differ but
    the image itself.
    """
    found = [each for each in triggers if each.image == image] or [
        each for each in triggers if each.reference == redact(reference)
    ]
    return found[0].steps if found else ()
