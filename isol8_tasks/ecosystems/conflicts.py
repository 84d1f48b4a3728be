"""Versions of one package that exclude each other, told by the list alone: nobody has to be asked."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Final

from isol8_tasks.ecosystems.specs import parse_spec

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet


def excluding(ecosystem: str, packages: Sequence[str]) -> tuple[str, ...]:
    """Return packages of one list that no version satisfies together; none where there may be one."""
    by_name: dict[str, list[str]] = {}
    for package in packages:
        by_name.setdefault(parse_spec(ecosystem, package).name, []).append(package)
    several = (each for each in by_name.values() if len(each) > 1)
    return next((each for each in map(_READ.get(ecosystem, _never), several) if each), ())


def _of_pypi(packages: Sequence[str]) -> tuple[str, ...]:
    from packaging.requirements import Requirement  # noqa: PLC0415 - few lists have a package twice

    read = [(package, Requirement(package)) for package in packages]
    # What a marker says is for the image to tell, and of which version a URL is, for its owner.
    plain = [(text, each.specifier) for text, each in read if each.marker is None and each.url is None]
    groups = [*combinations(plain, 2), plain]
    return next((tuple(text for text, _ in group) for group in groups if _is_empty(s for _, s in group)), ())


def _is_empty(sets: "Iterable[SpecifierSet]") -> bool:
    """Tell whether no version is in all sets: at, above or below one of their bounds there would be one."""
    from packaging.specifiers import SpecifierSet  # noqa: PLC0415 - as above

    both = SpecifierSet(",".join(map(str, sets)))
    bounds = [each.version.removesuffix(".*") for each in both]
    # Between bounds of other forms there may be more than is tried here.
    if not bounds or not all(re.fullmatch(r"\d+(?:\.\d+)*", each, re.ASCII) for each in bounds):
        return False
    return not any(both.contains(version) for each in bounds for version in _near(each))


def _near(bound: str) -> Iterator[str]:
    """Give versions at a bound, right above it, behind all that begin like it, and far from it."""
    before, _, last = bound.rpartition(".")
    yield from (bound, f"{bound}.0.0.0.1", f"{before}.{int(last) + 1}".lstrip("."), "0", "99999")


def _of_npm(packages: Sequence[str]) -> tuple[str, ...]:
    """Compare those that stay within one major version."""
    majors = {
        package: found[1]
        for package in packages
        if (found := re.fullmatch(r"@?[^@]+@[\^~]?v?(\d+)(?:\.[\dx*]+)*", package))
    }
    return tuple(majors) if len(set(majors.values())) > 1 else ()


def _of_apk(packages: Sequence[str]) -> tuple[str, ...]:
    # What several packages provide, as a command, may be there in two versions.
    exact = {
        package: found[1] for package in packages if (found := re.fullmatch(r"[^=<>~:]+==?([^=~]+)", package))
    }
    return tuple(exact) if len(set(exact.values())) > 1 else ()


def _never(_: Sequence[str]) -> tuple[str, ...]:
    return ()


_READ: Final = {"pypi": _of_pypi, "npm": _of_npm, "apk": _of_apk}
"""Deno has any number of versions side by side."""
