"""What has to be done for an image, as a value, and what that depends on."""

import datetime as dt
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Literal

from attrs import Factory, frozen

from isol8_tasks.values import ByValue

if TYPE_CHECKING:
    from isol8_tasks.plan.reasons import Reason


ImageState = Literal["up-to-date", "in-registry", "stale", "not-built", "undeclared", "undetermined", "held"]


@frozen(kw_only=True, eq=False, repr=False)
class Decision(ByValue):
    """The verdict on one image.

    `in-registry` is one that is not here, or stale here, and up to date in the registry: it is pulled, not built.
    """

    image: str
    """Its name: `bun-custom`."""
    task: str
    """The doit task that would mend it; empty for an undeclared image, which no task is for."""
    state: ImageState
    reasons: tuple["Reason", ...] = ()
    relabel: bool = False
    """Its content is right and only what its labels remember is not: no build is needed."""
    problem: str = ""
    """Why nothing could be decided, for the state `undetermined`; for `held`, why nobody knows what waits."""
    pulled_by: str = ""
    """For the state `in-registry`: `registry.example/isol8@sha256:…`."""
    held: dt.timedelta | None = None
    """For how long it has been held, for the state `held`; its reasons are what waits until it is released."""

    @property
    def pending(self) -> bool:
        """Tell whether there is something to do."""
        return self.state in {"in-registry", "stale", "not-built", "undetermined"}


@frozen(kw_only=True, eq=False, repr=False)
class Circumstances(ByValue):
    """What a decision depends on besides the image and the engine."""

    checkout: str
    """The checkout that asks."""
    forced: Collection[str] = ()
    """Names of images that somebody wants rebuilt."""
    behind: Mapping[str, tuple["Reason", ...]] = Factory(dict)
    """Names of images whose sources have news, and which."""
    held: Mapping[str, dt.timedelta] = Factory(dict)
    """Names of images that were rolled back and stay so, and for how long they have."""
