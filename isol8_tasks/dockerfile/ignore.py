"""What .dockerignore leaves of a build context, as moby's patternmatcher decides it."""

import posixpath
import re
from collections.abc import Callable, Collection, Iterable

from attrs import frozen

from isol8_tasks.dockerfile.globs import BadPatternError, compile_glob
from isol8_tasks.errors import PlanError


@frozen(kw_only=True, eq=False, repr=False)
class Rule:
    """One line of the file."""

    pattern: str
    exception: bool
    """`!`: what it matches is taken back in."""

    def matches(self, path: str) -> bool:
        """Tell whether the pattern is about this very path."""
        ending = self.pattern.removeprefix("**")
        if ending != self.pattern and not ending.startswith("/") and not re.search(r"[*?\[\]\\]", ending):
            # `**.log` is about a.log too, where `**.log*` is not: patternmatcher takes a shorter way there.
            return path.endswith(ending)
        return compile_glob(self.pattern, deep=True).match(path) is not None


def parse_ignore(text: str, *, name: str = ".dockerignore") -> tuple[Rule, ...]:
    """Return the rules of an ignore file; raise PlanError for a pattern that docker refuses."""
    rules = []
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        if line.startswith("#") or not line.strip():
            continue
        exception = line.strip().startswith("!")
        written = line.strip().removeprefix("!").strip() if exception else line.strip()
        if not written:
            raise PlanError(f"{name}:{number}: a pattern has to follow the !")
        pattern = _clean(written)
        try:
            # For its errors: docker tries each pattern so, too.
            compile_glob(pattern)
        except BadPatternError as error:
            raise PlanError(f"{name}:{number}: {error}") from None
        rules.append(Rule(pattern=pattern, exception=exception))
    return tuple(rules)


def included(paths: Iterable[str], rules: Collection[Rule]) -> tuple[str, ...]:
    """Return the paths that the rules leave, sorted; one that ends in / is a folder with who knows what in it."""
    if not rules:
        return tuple(sorted(paths))
    folders: dict[str, tuple[bool, ...]] = {"": (False,) * len(rules)}
    exceptions = any(rule.exception for rule in rules)
    return tuple(
        path
        for path in sorted(paths)
        # What an exception takes back in may be in such a folder.
        if (exceptions and path.endswith("/")) or not _ignored(_matches(path, rules, folders), rules)
    )


def skipper(rules: Collection[Rule]) -> Callable[[str], bool]:
    """Return what tells of a folder that the rules leave nothing in it, whatever that is."""
    folders: dict[str, tuple[bool, ...]] = {"": (False,) * len(rules)}

    def skips(folder: str) -> bool:
        return _ignored(_matches(folder, rules, folders), rules) and not any(
            rule.exception and _reaches_into(rule.pattern, folder) for rule in rules
        )

    return skips


def _reaches_into(pattern: str, folder: str) -> bool:
    """Tell whether a pattern may be about something in a folder and not about the folder."""
    parts, names = pattern.split("/"), folder.split("/")
    for part, name in zip(parts, names, strict=False):
        if "**" in part or re.search(r"[\[\]\\]", part):
            return True
        if not compile_glob(part).match(name):
            return False
    return len(parts) > len(names)


def _clean(pattern: str) -> str:
    cleaned = posixpath.normpath(re.sub("/+", "/", pattern))
    return cleaned.removeprefix("/") or "/"


def _matches(path: str, rules: Collection[Rule], folders: dict[str, tuple[bool, ...]]) -> tuple[bool, ...]:
    """Return which rules are about a path; one that is about a folder is about everything in it."""
    if path not in folders:
        matched = False
        found = []
        for rule, inherited in zip(rules, _matches(posixpath.dirname(path), rules, folders), strict=True):
            # A rule that could change nothing is not asked, which its folder's files feel as well.
            match = inherited or (rule.exception == matched and rule.matches(path))
            matched = not rule.exception if match else matched
            found.append(match)
        folders[path] = tuple(found)
    return folders[path]


def _ignored(matches: tuple[bool, ...], rules: Collection[Rule]) -> bool:
    last = [rule.exception for rule, match in zip(rules, matches, strict=True) if match]
    return bool(last) and not last[-1]
