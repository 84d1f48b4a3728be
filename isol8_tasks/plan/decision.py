"""What has to be done for an image, as a value, and what that depends on."""

import datetime as dt
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Final, Literal

from attrs import Factory, frozen

from isol8_tasks.values import ByValue

if TYPE_CHECKING:
    from isol8_tasks.images.observed import ObservedImage
    from isol8_tasks.plan.reasons import Reason


_NEVER: Final = dt.datetime.min.replace(tzinfo=dt.UTC)
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
    candidates: tuple["ObservedImage", ...] = ()
    """What was built from these inputs and not verified yet, the newest first: one of them is promoted, not built."""
    held: dt.timedelta | None = None
    """For how long it has been held, for the state `held`; its reasons are what waits until it is released."""

    @property
    def pending(self) -> bool:
        """Tell whether there is something to do."""
        return self.state in {"in-registry", "stale", "not-built", "undetermined"}

    @property
    def is_rebuilt(self) -> bool:
        """Tell whether a build will be in use that nobody has yet, so that what is based on the image is stale."""
        return self.pending and not (self.relabel or self.candidates or self.state == "in-registry")


@frozen(kw_only=True, eq=False, repr=False)
class Circumstances(ByValue):
    """What a decision depends on besides the image and the engine."""

    checkout: str
    """The checkout that asks."""
    forced: Collection[str] = ()
    """Names of images that somebody wants rebuilt."""
    behind: Mapping[str, tuple["Reason", ...]] = Factory(dict)
    """Names of images whose sources have news, and which."""
    now: dt.datetime = _NEVER
    candidate_age: dt.timedelta = dt.timedelta(0)
    """How old a candidate may be that is promoted instead of a build; 0 where none is."""
    held: Mapping[str, dt.timedelta] = Factory(dict)
    """Names of images that were rolled back and stay so, and for how long they have."""
