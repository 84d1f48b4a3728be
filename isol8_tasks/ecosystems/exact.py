"""Packages that are declared in exactly one version, and what to ask for to find a newer one."""

import re
from collections.abc import Iterable
from typing import Any, Final

from attrs import frozen


@frozen(kw_only=True)
class Exact:
    """A package in one version, as `numpy==1.26.4`, `lodash@4.17.20`, `npm:zod@4.0.0/mini` or `jq=1.7.1-r0`."""

    ecosystem: str
    head: str
    """What stands before the version."""
    version: str
    tail: str = ""
    """What stands behind it: a marker of Python's, or a path in a package of Deno's."""

    def at(self, version: str) -> str:
        """Return the same package in another version."""
        return f"{self.head}{version}{self.tail}"

    @property
    def name(self) -> str:
        """What a package source calls it, of an alias the package behind it."""
        plain = re.sub(r"\[.*|[\s@=]+$", "", self.head)
        if self.ecosystem == "pypi":
            return re.sub(r"[-_.]+", "-", plain).lower()
        return plain.partition("@")[0] if self.ecosystem == "apk" else re.sub(r".*(?:npm|jsr):/?", "", plain)

    @property
    def compatible(self) -> str:
        """What asks for it in this version or a newer one of the same major version."""
        if self.ecosystem == "apk":
            return self.newest
        if self.ecosystem == "pypi":
            epoch, major = re.match(r"v?(\d+!)?(\d+)", self.version).groups("")  # type: ignore[union-attr] # by _FORMS
            return self._from(f">={self.version},<{epoch}{int(major) + 1}")
        return f"{self.head}^{self.version}{self.tail}"

    @property
    def newest(self) -> str:
        """What asks for it in whatever version its source calls the newest."""
        if self.ecosystem == "apk":
            return self.head[:-1]
        if self.ecosystem == "pypi":
            return self._from(f">={self.version}")
        return f"{self.head[:-1]}{self.tail}"

    def _from(self, constraint: str) -> str:
        return f"{self.head.rstrip('= ')}{constraint}{self.tail}"

    def newer(self, versions: Iterable[str], *, major: bool) -> str:
        """Return the highest of the versions that is newer than this one; empty where none is.

        Without `major` only of the same major version. Of npm's, others need a package in versions of their own: those
        that are not released count only where this one is not either.
        """
        if self.ecosystem == "apk":
            # Its repository has one version, and apk itself said that it is another.
            return next((each for each in versions if each != self.version), "")
        order = _pypi_order if self.ecosystem == "pypi" else _npm_order
        own = order(self.version)
        found = {each: order(each) for each in versions}
        fitting = [
            (place, each)
            for each, place in found.items()
            if own and place and place > own and (major or self._is_compatible(each))
        ]
        if self.ecosystem != "pypi" and "-" not in self.version:
            fitting = [(place, each) for place, each in fitting if "-" not in each]
        return max(fitting, default=((), ""))[1]

    def _is_compatible(self, version: str) -> bool:
        if self.ecosystem == "pypi":
            return True  # pip was asked for no other
        return _caret(self.version) == _caret(version)


def exact(ecosystem: str, text: str) -> Exact | None:
    """Return a package that is declared in one version; None for any other declaration."""
    found = re.fullmatch(_FORMS[ecosystem], text.strip())
    if found is None or text.startswith(("http:", "https:")):
        return None
    return Exact(ecosystem=ecosystem, head=found["head"], version=found["version"], tail=found["tail"] or "")


def _caret(version: str) -> tuple[str, ...]:
    """Return what npm's ^ does not let change: up to the first number that is not 0."""
    numbers = version.partition("-")[0].split(".")
    end = next((place for place, each in enumerate(numbers) if int(each)), len(numbers) - 1)
    return tuple(numbers[: end + 1])


def _pypi_order(version: str) -> Any:  # noqa: ANN401 - whatever can be compared
    from packaging.version import InvalidVersion, Version  # noqa: PLC0415 - for who upgrades

    try:
        return (Version(version),)
    except InvalidVersion:
        return ()


def _npm_order(version: str) -> tuple[Any, ...]:
    """Return what orders versions as semver.org does; nothing of what is none."""
    if not re.fullmatch(_SEMVER, version):
        return ()
    release, _, tail = version.partition("+")[0].partition("-")
    parts = [(0, int(each), "") if each.isdecimal() else (1, 0, each) for each in tail.split(".") if tail]
    return (tuple(map(int, release.split("."))), not tail, tuple(parts))


_SEMVER: Final = r"\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?"
_NPM: Final = r"(?P<head>.+@)(?P<version>\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)(?P<tail>/.*)?"
_FORMS: Final = {
    # Neither `==1.*` nor a local version, which no comparison takes.
    "pypi": (
        r"(?P<head>[\w.-]+ *(?:\[[^\]]*\])? *={2,3} *)(?P<version>v?(?:\d+!)?\d[\w.]*(?:-[\w.]+)*)"
        r"(?P<tail> *;.*)?"
    ),
    "npm": _NPM,
    "deno": _NPM,
    "apk": r"(?P<head>[^<>=~]+=)(?P<version>[^<>=~]+)(?P<tail>)",
}
