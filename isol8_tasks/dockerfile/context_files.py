"""The files of the build context that the steps of a target take."""

from collections.abc import Callable, Collection, Iterable
from typing import Protocol

from isol8_tasks.dockerfile.globs import has_wildcards, taker

_DOCKERFILE = "Dockerfile"


class Find(Protocol):
    """Tells what a source takes of a build context, and need not look into folders that `skips` names."""

    def __call__(self, source: str, *, pattern: bool, skips: Callable[[str], bool]) -> Iterable[str]:
        """Return the paths."""


class Taking:
    """What the builder gets of a build context, and what was taken of it."""

    def __init__(self, context: Collection[str] | Find, ignore: str) -> None:
        self._find: Find = context if callable(context) else _among(context)
        self._ignore = ignore
        self.files: set[str] = set()
        self.missing: list[str] = []
        """What the builder would not find."""

    def take(self, source: str, *, pattern: bool) -> bool:
        """Take what a source stands for; tell whether there is any, which there need not be for a pattern."""
        found = self._left(source, pattern=pattern)
        self.files.update(found)
        return bool(found) or (pattern and has_wildcards(source))

    def take_all(self) -> None:
        """Take every file."""
        self.files.update(self._left("", pattern=False))

    def why_missing(self, source: str) -> str:
        """Say what became of a source that takes nothing."""
        path = source.strip("/")
        if any(self._find(source, pattern=False, skips=lambda _: False)):
            return "the ignore file of docker/ excludes it; correct the line or that file"
        folder, _, name = path.rpartition("/")
        beside = {
            each.removeprefix(f"{folder}/" if folder else "").split("/")[0]
            for each in self._find(folder, pattern=False, skips=lambda _: False)
        }
        import difflib  # noqa: PLC0415 - only a mistake needs it

        near = difflib.get_close_matches(name, sorted(beside), n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        return f"docker/ has no such file{hint}; correct the line or add the file"

    def _left(self, source: str, *, pattern: bool) -> tuple[str, ...]:
        """Return what the ignore file leaves; the Dockerfile it does, as that is how it is sent."""
        if not self._ignore:
            return tuple(self._find(source, pattern=pattern, skips=lambda _: False))
        from isol8_tasks.dockerfile.ignore import included, parse_ignore, skipper  # noqa: PLC0415 - few have one

        rules = parse_ignore(self._ignore)
        found = set(self._find(source, pattern=pattern, skips=skipper(rules)))
        return (*included(found - {_DOCKERFILE}, rules), *({_DOCKERFILE} & found))


def _among(paths: Collection[str]) -> Find:
    """Return what finds among paths that are all known."""

    def find(source: str, *, pattern: bool, skips: Callable[[str], bool]) -> Iterable[str]:  # noqa: ARG001 - as others
        return filter(taker(source, pattern=pattern), paths)

    return find
