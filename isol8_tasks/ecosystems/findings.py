"""What is seen of an image's packages, and what can be wrong with them; each ecosystem has a module that tells."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol

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
    library: str = ""
    """The shared library that was not found, as its loader would look for it: `libpq.so.5`, or `libmagic.so` where
    the version is not known; empty if that is not the cause."""


PackageFinding = PackageMissing | PackageHidden | WrongVersion | ExtraMissing | PackageUnusable


@frozen(kw_only=True)
class PackageDeclines:
    """A package that is complete and refuses to be loaded alone, as a plug-in of some program does."""

    package: str
    use: str
    """What was tried."""
    output: str


@frozen(kw_only=True)
class PartUnusable:
    """A part of a package can't be used, and others can."""

    package: str
    use: str
    output: str
    library: str = ""


@frozen(kw_only=True)
class CommandShared:
    """Several packages provide a command of the same name."""

    command: str
    packages: tuple[str, ...]
    used: str
    """The package whose command it is; empty if that is not known."""


@frozen(kw_only=True)
class PackageNeeds:
    """A package that can be loaded, and needs more when it is used."""

    package: str
    need: str
    """Behind the package's name, as `downloads its data at first use`."""


@frozen(kw_only=True)
class ModuleOverwritten:
    """Several packages install a module of the same name, and only one file is there."""

    path: str
    packages: tuple[str, ...]
    """Those whose file it is not."""
    used: str
    """The package whose file it is; empty if that is not known."""


PackageNote = PackageDeclines | PartUnusable | CommandShared | ModuleOverwritten | PackageNeeds
"""What users should know of a package that passes."""


@frozen(kw_only=True)
class Asked:
    """What the dynamic loader says of a file, or of what the file's first line names."""

    item: int
    """The package, by its place among those that were looked for."""
    kind: Literal["program", "library"]
    path: str
    interpreter: str = ""
    """The program that runs it, which is not there."""
    said: tuple[str, ...] = ()
    """The loader's complaints."""


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
    asked: Sequence[Asked] = ()
    """What the dynamic loader was asked about, once an image."""


class PackageVerification(Protocol):
    """How packages of an ecosystem are looked for and judged; a module is one."""

    def query(self, spec: str, /) -> str:
        """Return what the probe gets for a package spec."""

    def judge(self, specs: tuple[str, ...], seen: Seen, /) -> Iterator[PackageFinding | PackageNote]:
        """Tell what is wrong with the packages that were asked for, as one kind of client loads them."""

    def judge_once(self, specs: tuple[str, ...], seen: Seen, /) -> Iterable[PackageFinding | PackageNote]:
        """Tell what is wrong with those of their parts that no client loads in another way than others."""

    def installed(self, seen: Seen, /) -> Iterable[Package]:
        """Return the packages in the image, apart from Alpine's."""
