"""What a package list of another tool says, and how its file is read."""

from collections.abc import Callable, Mapping

from attrs import Factory, frozen

from isol8_tasks.errors import ConfigError


class NoListError(Exception):
    """A file can't be read; the message is the end of a sentence that names it."""


Load = Callable[[str], str]
"""Returns a file's text by its path, with line ends of Unix; NoListError says why there is none."""


@frozen(kw_only=True)
class PackageList:
    """What such a file asks for."""

    source: str
    """Its path, for messages."""
    packages: Mapping[str, str] = Factory(dict)
    """Each package with its place, as `requirements.txt:12`, in the order of the file."""
    hashes: Mapping[str, tuple[str, ...]] = Factory(dict)
    """Of each package those of its files, as `sha256:…`; of all packages or of none."""
    without: str = "lists no packages"
    """What is said of the file where it has none."""


def text_of(path: str, load: Load, place: str = "") -> str:
    """Return a file's text without a byte order mark; `place` is where it is named."""
    try:
        return load(path).removeprefix("\ufeff")
    except NoListError as error:
        raise ConfigError(f"{place}{path}: {error}") from error
