"""What lock files say of a package of npm's registry."""

import json
import re
from collections.abc import Mapping
from typing import Final

from isol8_tasks.ecosystems.locks.contents import LIMITS
from isol8_tasks.ecosystems.locks.shapes import (
    PACKAGE_NAME,
    Fits,
    either,
    listing,
    mapping,
    matches,
    one_of,
    refuse,
)
from isol8_tasks.ecosystems.specs import parse_spec


def refuse_other_names(
    found: Mapping[str, object], asked: tuple[str, ...], where: str, *, more: bool = False
) -> None:
    """Refuse a lock that was made for other packages; with `more`, what the image below has may stand beside them."""
    names = {parse_spec("npm", each).name for each in asked}
    for name in sorted(names - found.keys()):
        refuse(where, f"{name}, which is declared, is missing")
    for name in sorted(found.keys() - names) if not more else ():
        refuse(where, f"{name} was not requested")


def manifest(dependencies: Mapping[str, str]) -> str:
    """Return the package.json that asks for these."""
    return json.dumps({"dependencies": dependencies}, indent=2) + "\n"


def is_optional_peers(value: object) -> bool:
    """Tell whether a value says of packages that they are optional."""
    return isinstance(value, dict) and all(
        re.fullmatch(PACKAGE_NAME, key) and isinstance(item, dict) and item.keys() <= {"optional"}
        for key, item in value.items()
    )


def is_path(value: object) -> bool:
    """Tell whether a value is the path of a command inside of a package."""
    return isinstance(value, str) and not re.search(r"(^|/)\.\.(/|$)|^/|[\x00-\x1f\\:]", value)


def is_commands(value: object) -> bool:
    """Tell whether a value has the paths of commands by their names."""
    return isinstance(value, dict) and all(
        re.fullmatch(PACKAGE_NAME, key) and is_path(item) for key, item in value.items()
    )


SEMVER: Final = r"[0-9]+\.[0-9]+\.[0-9]+(?:[-+][0-9A-Za-z.+-]+)?"
RANGE: Final = rf"(?:npm:{PACKAGE_NAME}(?:@(?=.))?)?[^:/\\\x00-\x1f]*"
IDENTITY: Final = rf"(?P<name>{PACKAGE_NAME})@(?P<version>{SEMVER})"
"""One package in one version."""
is_integrity = matches(r"sha512-[A-Za-z0-9+/]{86}==")
is_ranges = mapping(matches(RANGE))
is_names = listing(matches(PACKAGE_NAME))
is_true = one_of(True)  # noqa: FBT003 - the value that is written
_words = listing(matches(r"[!-~]+"))
limits: Final[Mapping[str, Fits]] = {key: either(_words, matches(r"[!-~]+")) for key in sorted(LIMITS)}
