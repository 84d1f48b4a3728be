"""References of images: registry, repository, tag and digest.

The grammar is that of the distribution project (reference/regexp.go), and so is what a name without a registry means
(reference/normalize.go).
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final, Self

from attrs import evolve, frozen

from isol8_tasks.values import ByValue

_DOMAIN_PART: Final = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN: Final = rf"(?:{_DOMAIN_PART}(?:\.{_DOMAIN_PART})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_PART: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE: Final = re.compile(
    rf"(?P<repository>(?:(?P<domain>{_DOMAIN})/)?{_PART}(?:/{_PART})*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?(?:@(?P<digest>[A-Za-z][A-Za-z0-9]*:[0-9a-fA-F]{32,}))?",
    re.ASCII,
)
_DEFAULT: Final = "docker.io"
_DEFAULT_FOLDER: Final = "library"
_LONGEST: Final = 255


@frozen(eq=False, repr=False)
class Reference(ByValue):
    """The name of an image, as it was written."""

    repository: str
    """With its registry, if one was written: `alpine`, `registry.example:5000/team/isol8`."""
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Take a reference apart; ValueError where Docker takes it for none."""
        found = _REFERENCE.fullmatch(text)
        if found is None or len(found["repository"]) > _LONGEST:
            raise ValueError(f"{text!r} is not an image reference such as alpine:3.21")
        return cls(found["repository"], found["tag"] or "", found["digest"] or "")

    @property
    def registry(self) -> str:
        """The registry's host and port; Docker's own where none was written."""
        first, slash, _ = self.repository.partition("/")
        # What could be a folder of Docker's own registry is none.
        if slash and (re.search(r"[.:]", first) or first == "localhost" or first != first.lower()):
            return _DEFAULT if first == f"index.{_DEFAULT}" else first
        return _DEFAULT

    @property
    def path(self) -> str:
        """The repository within its registry, as people write it: `alpine`, `denoland/deno`."""
        first, _, rest = self.repository.partition("/")
        if self.registry != _DEFAULT:
            return rest
        path = rest if first in {_DEFAULT, f"index.{_DEFAULT}"} else self.repository
        return path.removeprefix(f"{_DEFAULT_FOLDER}/")

    @property
    def short(self) -> str:
        """The repository as Docker shows it: without Docker's own registry."""
        return self.path if self.registry == _DEFAULT else f"{self.registry}/{self.path}"

    @property
    def name(self) -> str:
        """What an engine lists it by: `alpine:3.21`, or `alpine@sha256:…` where a digest was written."""
        return f"{self.short}@{self.digest}" if self.digest else f"{self.short}:{self.tag or 'latest'}"

    def at(self, digest: str) -> Self:
        """Return the reference of what has that digest in this repository."""
        return evolve(self, tag="", digest=digest)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.repository}{tag}{f'@{self.digest}' if self.digest else ''}"


def tag_of(text: str) -> str:
    """Return the tag of a reference; empty where it has none, and for what is no reference."""
    try:
        return Reference.parse(text).tag
    except ValueError:
        return ""


def short_names(references: Iterable[str]) -> Mapping[str, str]:
    """Return the references by names that are the same at every mirror, `deno:alpine`, and differ among these.

    As much of the paths is in them as it takes to tell them apart, and the registry where nothing else does.
    """
    parsed = {text: Reference.parse(text) for text in references}
    longest = max((each.path.count("/") + 1 for each in parsed.values()), default=0)
    for parts in range(1, longest + 1):
        names = {_end(each, parts): text for text, each in parsed.items()}
        if len(names) == len(parsed):
            return names
    return {
        str(evolve(each, repository=f"{each.registry}/{each.path}")): text for text, each in parsed.items()
    }


def _end(reference: Reference, parts: int) -> str:
    return str(evolve(reference, repository="/".join(reference.path.split("/")[-parts:])))
