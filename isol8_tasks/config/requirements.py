"""requirements.txt as pip reads it, as far as it lists packages of an index; all else is refused, with what to write.

`packaging` reads each requirement. What reads the lines is our own: requirements-parser knows neither lines nor hashes,
and pip's own reader is not to be imported.
"""

import posixpath
import re
from collections.abc import Iterator
from typing import Final

from attrs import define, field

from isol8_tasks.config.package_list import Load, PackageList, text_of
from isol8_tasks.ecosystems.specs import SpecError, parse_spec
from isol8_tasks.errors import COMMAND, ConfigError


def read_requirements(path: str, load: Load) -> PackageList:
    """Return what a requirements file asks for, with all that it includes."""
    found = _Found(load=load)
    found.file(path, text_of(path, load), ())
    lacking = [place for package, place in found.packages.items() if not found.hashes.get(package)]
    if lacking and (found.hashes or found.needs_hashes):
        found.problems += [
            f"{place}: has no --hash, and pip needs one for each if one has it" for place in lacking
        ]
    if found.problems:
        raise ConfigError("\n".join(found.problems))
    return PackageList(source=path, packages=found.packages, hashes=found.hashes)


@define(kw_only=True)
class _Found:
    """What was read so far."""

    load: Load
    packages: dict[str, str] = field(factory=dict)
    hashes: dict[str, tuple[str, ...]] = field(factory=dict)
    needs_hashes: bool = False
    problems: list[str] = field(factory=list)

    def file(self, path: str, text: str, around: tuple[str, ...]) -> None:
        """Read a file; `around` are those that include it."""
        before = len(self.problems)
        for number, line in _joined(text):
            place = f"{path}:{number}"
            try:
                self._line(path, place, line, (*around, path))
            except ConfigError as error:
                self.problems.append(str(error))
        if len(self.problems) > before:
            from isol8_tasks.config.foreign import other_list  # noqa: PLC0415 - only a mistake has use for it

            if what := other_list(text):
                self.problems[before:] = [f"{path}: {what}"]

    def _line(self, path: str, place: str, line: str, around: tuple[str, ...]) -> None:
        if variable := re.search(r"\$\{[A-Z0-9_]+\}", line):
            raise ConfigError(f"{place}: {variable[0]} is not replaced here; write its value")
        if line.startswith("-") and not line.startswith("- "):
            self._option(path, place, line, around)
        else:
            self._requirement(place, line)

    def _option(self, path: str, place: str, line: str, around: tuple[str, ...]) -> None:
        name, value = _cut_option(line)
        if name in {"-r", "--requirement"}:
            if "://" in value or not value:
                raise ConfigError(f"{place}: -r {value}: only files of this machine are read")
            inner = posixpath.normpath(posixpath.join(posixpath.dirname(path), value))
            if inner in map(posixpath.normpath, around):
                raise ConfigError(f"{place}: -r {value}: the file includes itself")
            self.file(inner, text_of(inner, self.load, f"{place}: "), around)
        elif name == "--require-hashes":
            self.needs_hashes = True
        else:
            raise ConfigError(f"{place}: {name} {_REFUSED.get(name, 'is not supported here; remove it')}")

    def _requirement(self, place: str, line: str) -> None:
        text, *options = re.split(r"\s+(?=--?[A-Za-z])", line)
        try:
            package = parse_spec("pypi", text)
        except SpecError as error:
            raise ConfigError(f"{place}: {error}") from None
        hashes = tuple(dict.fromkeys(_hash(place, option) for option in options))
        if hashes and not re.match(r"(?:\[[^]]*\])?(?:===?[^*,]+(?:;.*)?$| @ )", package.constraint):
            raise ConfigError(f"{place}: {text} has a hash, so it needs one version: {package.name}==…")
        self.packages.setdefault(package.text, place)
        if hashes:
            self.hashes[package.text] = tuple(dict.fromkeys((*self.hashes.get(package.text, ()), *hashes)))


def _joined(text: str) -> Iterator[tuple[int, str]]:
    """Give the lines that say something, each with its number, without comments and with what continues them."""
    begun, whole = 0, ""
    for number, line in enumerate([*text.split("\n"), ""], 1):
        begun = begun or number
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            whole += line[:-1]
            continue
        said = re.sub(r"(?:^|\s+)#.*$", "", whole + line).strip()
        if said:
            yield begun, said
        begun, whole = 0, ""


def _cut_option(line: str) -> tuple[str, str]:
    """Return an option and its value."""
    found = re.fullmatch(r"(--[\w-]+|-[A-Za-z])[\s=]*(.*)", line)
    return (found[1], found[2].strip("\"'")) if found else (line, "")


def _hash(place: str, option: str) -> str:
    name, value = _cut_option(option)
    if name != "--hash":
        raise ConfigError(f"{place}: {name} can't be given to one package here; remove it")
    algorithm, _, digits = value.partition(":")
    if _DIGITS.get(algorithm) != len(digits) or not re.fullmatch(r"[0-9a-f]+", digits):
        raise ConfigError(f"{place}: {option}: expected --hash=sha256: and 64 hex digits (or sha384, sha512)")
    return value


_DIGITS: Final = {"sha256": 64, "sha384": 96, "sha512": 128}
_INDEX: Final = (
    'is not read, as an address may hold a password; write args = {{ {} = "…" }} under [build] in deps.toml'
)
_OF_INDEX: Final = _INDEX.format("PIP_INDEX_URL")
_SOURCE: Final = "names what is no package of an index; only such packages can be installed"
_CHOICE: Final = "chooses among a package's files, which is left to pip here; remove it"
_REFUSED: Final = {
    **dict.fromkeys(("-i", "--index-url", "--pypi-url"), _OF_INDEX),
    "--extra-index-url": _INDEX.format("PIP_EXTRA_INDEX_URL"),
    "--trusted-host": _INDEX.format("PIP_TRUSTED_HOST"),
    **dict.fromkeys(("-f", "--find-links", "-e", "--editable"), _SOURCE),
    "--no-index": "leaves no place to install from; remove it",
    **dict.fromkeys(("--no-binary", "--only-binary", "--prefer-binary"), _CHOICE),
    "--pre": "is for all packages; write a version before the release at the package, as name>=2.0b1",
    **dict.fromkeys(
        ("-c", "--constraint"),
        "is not read: a constraint holds for packages that others bring, and only those named here are installed by "
        f"name; write the version at the package, or lock all versions: {COMMAND} lock",
    ),
}
"""What is said of pip's options, and what to do."""
