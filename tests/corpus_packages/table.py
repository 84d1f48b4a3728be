"""The packages of the corpus: what is expected of each, and a line of code that uses it."""

import datetime as dt
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, Literal, cast

import tomli
from attrs import frozen

from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.ecosystems.specs import parse_spec

HERE: Final = Path(__file__).parent
Kind = Literal["works", "declines", "later", "mirror", "system", "no-musl", "broken"]
"""`declines`: whole, and refuses to be loaded alone; `later`: needs data or a program once it is used; `mirror`: only
where the package repository has it, or what of Alpine's is in its image by `system`. Those that are to be refused:
`system`, for the lack of a library of Alpine's; `no-musl`, as there is no build for musl; `broken`."""
ACCEPTED: Final = frozenset({"works", "declines", "later", "mirror"})


@frozen(kw_only=True)
class Row:
    """A package in an image of one runtime."""

    runtime: str
    package: str
    """As deps.toml has it."""
    kind: Kind
    use: str = ""
    """Code of the runtime's, or a shell's behind `$ `."""
    own: bool = False
    """Whether it is on the corpus' own indexes."""
    system: tuple[str, ...] = ()
    """Packages of Alpine's that its image has beside it."""
    needs: str = ""
    """Of one that is to be refused: the package of Alpine's, or the reason."""

    @property
    def accepted(self) -> bool:
        """Tell whether an image with it is to pass."""
        return self.kind in ACCEPTED

    @property
    def name(self) -> str:
        """What messages call it."""
        return parse_spec(RUNTIMES[self.runtime].ecosystem, self.package).name

    @property
    def alpine(self) -> tuple[str, ...]:
        """Return what the package repository has to have for it."""
        return self.system or (self.name,)

    def __str__(self) -> str:
        return f"{self.runtime} {self.package}" + "".join(f" + {each}" for each in self.system)


def rows() -> tuple[Row, ...]:
    """Read the whole table."""
    found = []
    for runtime in RUNTIMES:
        table = tomli.loads((HERE / "packages" / f"{runtime}.toml").read_text(encoding="utf-8"))
        for kind, packages in table.items():
            for package, text in packages.items():
                known = cast("Kind", kind)
                if isinstance(text, dict):
                    system = tuple(package.split())
                    found += [
                        Row(runtime=runtime, package=each, kind=known, use=use, system=system)
                        for each, use in text.items()
                    ]
                    continue
                said = {"use": text} if kind in ACCEPTED else {"needs": text}
                found.append(Row(runtime=runtime, package=package, kind=known, **said))
    return tuple(found)


def groups() -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """Read the lists of others: by name and runtime, the packages."""
    table = tomli.loads((HERE / "groups.toml").read_text(encoding="utf-8"))
    return {
        name: {runtime: tuple(packages) for runtime, packages in group.items() if runtime in RUNTIMES}
        for name, group in table.items()
    }


def of_group(name: str, known: Iterable[Row]) -> tuple[Row, ...]:
    """Return the rows of a list; what the table does not have is expected to work, and only imported by the checks."""
    found = {(row.runtime, row.package): row for row in known if not row.system}
    return tuple(
        found.get((runtime, package), Row(runtime=runtime, package=package, kind="works"))
        for runtime, packages in groups()[name].items()
        for package in packages
    )


def tenth(known: Iterable[Row], day: dt.date) -> tuple[Row, ...]:
    """Return a tenth of the rows, so that ten days in a row have all of them."""
    return tuple(row for row in known if zlib.crc32(str(row).encode()) % 10 == day.toordinal() % 10)
