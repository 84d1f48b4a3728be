"""What the dynamic loader and failed loads say: which shared library is missing, and which parts can't be used."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

from isol8_tasks.ecosystems.findings import (
    Asked,
    PackageFinding,
    PackageNote,
    PackageUnusable,
    PartUnusable,
    Seen,
)


def read_asked(text: str) -> tuple[Asked, ...] | None:
    """Read what `probes/loader.sh` prints; None if it did not come to its end."""
    *parts, end = re.split(r"^(?=file\t|done$)", text, flags=re.MULTILINE)
    if end.strip() != "done":
        return None
    found = []
    for part in parts:
        head, _, rest = part.partition("\n")
        words = head.split("\t", 3)
        if len(words) != _WORDS or not words[1].isdigit():
            continue
        lines = [line.strip() for line in rest.splitlines() if line.strip()]
        found.append(
            Asked(
                item=int(words[1]),
                kind="program" if words[2] == "program" else "library",
                path=words[3],
                interpreter=next(
                    (line.removeprefix(_INTERPRETER) for line in lines if line.startswith(_INTERPRETER)), ""
                ),
                said=tuple(
                    line for line in lines if not line.startswith(_INTERPRETER) and not _of_host(line)
                ),
            )
        )
    return tuple(found)


def judge_asked(
    specs: Sequence[str], names: Sequence[str], seen: Seen
) -> Iterator[PackageFinding | PackageNote]:
    """Tell which programs and native files can't be used.

    Where all of a kind can't, or the one that has the package's own name, the package fails; some are parts that not
    everybody needs, as for another system or a library that is optional.
    """
    for place, (spec, name) in enumerate(zip(specs, names, strict=True)):
        for kind in ("program", "library"):
            asked = [each for each in seen.asked if (each.item, each.kind) == (place, kind)]
            for group in _groups(_for_here(asked)):
                paths = {each.path for each in group}
                bad = [each for each in group if each.interpreter or (each.said and not _is_met(each, paths))]
                if len(bad) < len(group):
                    # Beside a build for musl lies one for glibc, which nobody loads here.
                    bad = [each for each in bad if not any(map(_GLIBC.search, each.said))]
                if bad:
                    yield _weighed(spec, name, bad, total=len(group))


def library_in(text: str) -> str:
    """Return the shared library that was not found, by an error's words; empty if it is about something else."""
    for pattern in _MISSING:
        for found in re.finditer(pattern, text):
            name = found[1].rpartition("/")[2].strip(".")
            if name.lower() not in _NO_NAMES:
                return _soname(name)
    return ""


def own_or_all(name: str, bad: Iterable[str], total: int) -> bool:
    """Tell whether what can't be used of a package is the part with its own name, or all."""
    parts = list(bad)
    return len(parts) == total or _plain(name) in map(_plain, parts)


def _weighed(spec: str, name: str, bad: Sequence[Asked], *, total: int) -> PackageFinding | PackageNote:
    named = [re.sub(r"\..*", "", each.path.rpartition("/")[2]) for each in bad]
    first = next(
        (each for each, stem in zip(bad, named, strict=True) if _plain(stem) == _plain(name)), bad[0]
    )
    what = PackageUnusable if own_or_all(name, named, total) else PartUnusable
    use = f"its {'command' if first.kind == 'program' else 'library'} {first.path}"
    output = "\n".join((*([f"there is no {first.interpreter}"] if first.interpreter else []), *first.said))
    return what(package=spec, use=use, output=output, library=library_in(output))


def _for_here(asked: Sequence[Asked]) -> Sequence[Asked]:
    """Leave out what is meant for other shells and systems, where there is something else."""
    return [each for each in asked if not re.search(_ELSEWHERE, each.path)] or asked


def _is_met(asked: Asked, paths: Collection[str]) -> bool:
    """Tell whether all that a library lacks lies beside it in a wheel's own folder for libraries.

    An extension module loads them from there one after another, and they name no place by themselves.
    """
    folder = asked.path.rpartition("/")[0]
    lacks = [found[1] for line in asked.said if (found := re.match(_MISSING[0], line))]
    return bool(lacks) and folder.endswith(".libs") and all(f"{folder}/{each}" in paths for each in lacks)


def _groups(asked: Iterable[Asked]) -> Iterable[list[Asked]]:
    """Gather files by the package of npm that they are in, since it brings one for each system; else all together."""
    found: dict[str, list[Asked]] = {}
    for each in asked:
        folder = re.match(_NPM_FOLDER, each.path) if each.kind == "library" else None
        if folder and re.search(_GLIBC_ONLY, folder[0]):
            continue
        found.setdefault(folder[0] if folder else "", []).append(each)
    return found.values()


def _of_host(line: str) -> bool:
    """Tell whether the loader misses what Python, Node.js or Bun bring, in which the library is loaded."""
    found = re.search(r": (\S+): symbol not found$", line)
    return found is not None and re.match(_HOST, found[1]) is not None


def _soname(name: str) -> str:
    """Return the name of a library in the form of file names, as far as a loose name tells."""
    if ".so" in name:
        return name
    stem, _, version = name.removeprefix("lib").rpartition("-")
    if stem and version.isdigit():
        return f"lib{stem}.so.{version}"
    return f"lib{name.removeprefix('lib')}.so"


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.rpartition("/")[2].lower())


_WORDS: Final = 4
_INTERPRETER: Final = "interpreter "
_NPM_FOLDER: Final = r".*/node_modules/(?:@[^/]+/)?[^/]+/"
_ELSEWHERE: Final = r"\.(?:bat|cmd|csh|exe|fish|ps1|zsh)$"
_GLIBC_ONLY: Final = r"[-_/](?:gnu|glibc)(?:eabihf)?\b"
_GLIBC: Final = re.compile(r"\b(?:ld-linux[\w-]*|libc|libm|libdl|libpthread)\.so\.[126]\b")
_HOST: Final = r"_{0,2}Py[A-Z_]|napi_|node_|uv_|_ZN?K?\w*(?:2v8|4node)"
_NO_NAMES: Final = frozenset(
    (
        "a",
        "any",
        "c",
        "dynamic",
        "it",
        "native",
        "required",
        "shared",
        "such",
        "the",
        "this",
        "library",
        "libraries",
    )
)
_LIBRARY: Final = r"(?:(?:shared|native|dynamic|system) )?librar(?:y|ies)"
_NAME: Final = r"['\"]?([A-Za-z][\w.+/-]*\w)['\"]?"
_MISSING: Final = (
    r"Error loading shared library ([^\s:]+):",
    r"([\w.+/-]+\.so[.\d]*): cannot open shared object file",
    rf"no {_LIBRARY} called {_NAME}",
    rf"cannot load {_LIBRARY} {_NAME}",
    r"(?:find|load|locate|open|missing|requires?|needs?) (?:the )?['\"]?(lib[a-z][\w.+-]*\w)",
    rf"{_NAME} {_LIBRARY} (?:was |is )?(?:not found|could not be|missing|cannot)",
    rf"(?:find|load|locate) (?:the )?{_NAME} {_LIBRARY}",
)
