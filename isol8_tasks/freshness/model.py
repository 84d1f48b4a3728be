"""What is known of how fresh an image is."""

import datetime as dt
from typing import Literal

from attrs import Factory, frozen

from isol8_tasks.ecosystems.inventory import Package
from isol8_tasks.ecosystems.updates import PackageNews
from isol8_tasks.freshness.alpine import Unsupported

FreshnessState = Literal["behind", "undetermined", "held", "not-built", "fresh"]


@frozen(kw_only=True)
class Holdings:
    """What an image has, and what the image that it is installed on has."""

    there: frozenset[Package]
    parent: frozenset[Package]

    @property
    def own(self) -> tuple[Package, ...]:
        """What came with this image."""
        return tuple(sorted(self.there - self.parent))


@frozen(kw_only=True)
class Moved:
    """An upstream image whose reference names another image in its registry than the one that was built on."""

    reference: str
    old: str
    """Digest of what was built on; empty where it was never pulled."""
    new: str


@frozen(kw_only=True)
class Freshness:
    """What the sources of one image have to say."""

    image: str
    """Its name: `python-custom`."""
    there: bool = True
    """There is such an image; of one that is not, nothing is asked."""
    held: dt.timedelta | None = None
    """For how long it has been held, so that news waits."""
    parent: str = ""
    """The image of ours that it is based on, where that one is behind, or not there."""
    moved: tuple[Moved, ...] = ()
    packages: PackageNews = Factory(PackageNews)
    age: dt.timedelta | None = None
    """Its age, where that is more than deps.toml allows."""
    support: Unsupported | None = None
    problems: tuple[str, ...] = ()
    """What could not be found out, a line each; what is not known is never fresh."""

    @property
    def behind(self) -> bool:
        """Tell whether a refresh would rebuild it."""
        return bool(self.there and (self.parent or self.moved or self.packages.updates or self.age))

    @property
    def state(self) -> FreshnessState:
        """The one word for it."""
        if not self.there:
            return "not-built"
        if self.held is not None:
            return "held"
        if self.behind:
            return "behind"
        return "undetermined" if self.problems else "fresh"
