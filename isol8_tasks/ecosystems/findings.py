"""What is seen of an image's packages, and what can be wrong with them; each ecosystem has a module that tells."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from attrs import field, frozen

from isol8_tasks.ecosystems.inventory import Package


@frozen(kw_only=True)
class PackageMissing:
    """A package that was asked for is not there."""

    package: str


@frozen(kw_only=True)
class PackageHidden:
    """A package is there, and the user of the sandbox may not read it."""

    package: str
    path: str


@frozen(kw_only=True)
class WrongVersion:
    """A package is there in a version that was not asked for."""

    package: str
    version: str


@frozen(kw_only=True)
class ExtraMissing:
    """What an extra of a package needs is not there, or in another version."""

    package: str
    needed: str


@frozen(kw_only=True)
class PackageUnusable:
    """A package is there and can't be used."""

    package: str
    use: str
    """What was tried, as `import numpy`."""
    output: str


PackageFinding = PackageMissing | PackageHidden | WrongVersion | ExtraMissing | PackageUnusable


@frozen(kw_only=True)
class Seen:
    """What was seen of the packages in an image."""

    items: Sequence[Any] = ()
    """For each package that was looked for, in their order, what the probe says of it."""
    answer: Mapping[str, Any] = field(factory=dict)
    """What the runtime said of itself."""
    apk: str = ""
    """The database of apk, as it is."""
    cached: str = ""
    """What is in Deno's cache."""


class PackageVerification(Protocol):
    """How packages of an ecosystem are looked for and judged; a module is one."""

    def query(self, spec: str, /) -> str:
        """Return what the probe gets for a package spec."""

    def judge(self, specs: tuple[str, ...], seen: Seen, /) -> Iterator[PackageFinding]:
        """Tell what is wrong with the packages that were asked for."""

    def installed(self, seen: Seen, /) -> Iterable[Package]:
        """Return the packages in the image, apart from Alpine's."""
