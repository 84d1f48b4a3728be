"""requirements.txt, from which pip installs."""

import re
from typing import Final

from isol8_tasks.ecosystems.grammar import NotUnderstoodError
from isol8_tasks.ecosystems.inventory import Package
from isol8_tasks.ecosystems.locks.contents import Contents
from isol8_tasks.ecosystems.specs import parse_spec

FILE: Final = "requirements.txt"
MAY_BE_EMPTY: Final = True


def contents(text: str, asked: tuple[str, ...]) -> Contents:
    """Do what LockFile promises."""
    direct = {
        spec.name: _address(spec.text)
        for spec in (parse_spec("pypi", each) for each in asked)
        if "@" in spec.text
    }
    hashes: dict[Package, str] = {}
    lines = text.split("\n")
    if lines.pop():
        raise NotUnderstoodError("its last line is cut off")
    for number, line in enumerate(lines, 1):
        found = re.fullmatch(_REQUIREMENT, line)
        if found is None:
            raise NotUnderstoodError(
                f"line {number}: {line!r} is not a package with its hash, as {_REQUIREMENT_FORM}"
            )
        if found["url"] and found["url"] != direct.get(found["name"]):
            raise NotUnderstoodError(f"line {number}: {found['url']} was not requested")
        version = found["version"] or ""
        if any(each.name == found["name"] for each in hashes):
            raise NotUnderstoodError(f"line {number}: {found['name']} is listed twice")
        hashes[Package(ecosystem="pypi", name=found["name"], version=version)] = found["hash"]
    return Contents(hashes=hashes)


def files(_text: str) -> dict[str, str]:
    """Do what LockFile promises."""
    return {}


def script(text: str, _specs: tuple[str, ...]) -> str:
    """Do what LockFile promises."""
    hashed = all(" --hash=" in line for line in text.splitlines())
    # All that was asked for may be in the image below.
    return f"[ ! -s {FILE} ] || pip install --no-cache-dir --no-deps{' --require-hashes' * hashed} -r {FILE}"


def _address(spec: str) -> str:
    """Return the address in `name @ https://…`, without what pip takes for itself."""
    return re.split(r"[#;\s]", spec.partition("@")[2].strip())[0]


_REQUIREMENT: Final = (
    r"(?P<name>[a-z0-9]+(?:-[a-z0-9]+)*)(?:==(?P<version>[0-9A-Za-z][0-9A-Za-z.!+_-]*)| @ (?P<url>https://[!-~]+))"
    r" --hash=(?P<hash>sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})"
)
_REQUIREMENT_FORM: Final = "numpy==2.3.1 --hash=sha256:…"
