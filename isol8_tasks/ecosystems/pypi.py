"""Python's packages, by the metadata of what is installed."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from isol8_tasks.ecosystems.findings import (
    CommandShared,
    ExtraMissing,
    ModuleOverwritten,
    PackageDeclines,
    PackageFinding,
    PackageHidden,
    PackageMissing,
    PackageNeeds,
    PackageNote,
    PackageUnusable,
    PartUnusable,
    Seen,
    WrongVersion,
)
from isol8_tasks.ecosystems.inventory import Package
from isol8_tasks.ecosystems.loading import judge_asked, library_in, own_or_all
from isol8_tasks.ecosystems.needs import needs
from isol8_tasks.ecosystems.specs import parse_spec


def query(spec: str) -> str:
    """Do what PackageVerification promises."""
    return parse_spec("pypi", spec).name


def judge(specs: tuple[str, ...], seen: Seen) -> Iterator[PackageFinding | PackageNote]:
    """Do what PackageVerification promises."""
    from packaging.requirements import Requirement  # noqa: PLC0415 - only who checks packages should pay for it

    there = {query(name): (version, needs) for name, version, needs in seen.answer["packages"]}
    environment: Mapping[str, str] = seen.answer["environment"]
    for spec, item in zip(specs, seen.items, strict=True):
        wanted = Requirement(spec)
        if wanted.marker is not None and not wanted.marker.evaluate(dict(environment)):
            continue
        if item is None or query(wanted.name) not in there:
            yield PackageMissing(package=spec)
            continue
        version = there[query(wanted.name)][0]
        if not wanted.specifier.contains(version, prereleases=True):
            yield WrongVersion(package=spec, version=version)
        for needed in _missing_of_extras(wanted.name, frozenset(wanted.extras), there, environment):
            yield ExtraMissing(package=spec, needed=needed)
        if item["gone"]:
            yield PackageHidden(package=spec, path=item["gone"][0])
        elif fault := item["fault"]:
            over = [
                f"{used or 'another package'} overwrote {path}"
                for path, used, *losers in seen.answer.get("overwritten", ())
                if query(spec) in losers
            ]
            yield _judged(spec, fault, [*(f"there is no {path}" for path in item["lost"]), *over])


def judge_once(specs: tuple[str, ...], seen: Seen) -> Iterator[PackageFinding | PackageNote]:
    """Do what PackageVerification promises."""
    names = [query(spec) for spec in specs]
    yield from judge_asked(specs, names, seen)
    for spec, name, item in zip(specs, names, seen.items, strict=True):
        if item is not None:
            yield from _parts(spec, name, item)
    yield from _shared(specs, seen)
    for path, used, *losers in seen.answer.get("overwritten", ()):
        yield ModuleOverwritten(path=path, packages=tuple(losers), used=used)
    yield from _left_out(specs, seen)
    yield from needs("pypi", specs, names, seen)


def installed(seen: Seen) -> Iterator[Package]:
    """Do what PackageVerification promises."""
    for name, version, _ in seen.answer.get("packages", ()):
        yield Package(ecosystem="pypi", name=re.sub(r"[-_.]+", "-", name).lower(), version=version)


def _judged(spec: str, fault: Mapping[str, Any], lost: Sequence[str]) -> PackageFinding | PackageNote:
    """Judge a package that can't be imported: one that says so itself, and lost no file, declines."""
    use, output = fault["use"], fault["text"]
    # A statement of a program raised it, as that of os.environ is; a plain dict raises without one.
    if fault["raised"] and not lost and (needed := _needed_variable(output)):
        need = f"needs {needed} to be imported, which the sandbox does not have"
        return PackageNeeds(package=spec, need=need)
    if fault["kinds"] and not lost and not _is_broken(fault):
        return PackageDeclines(package=spec, use=use, output=output.strip().rpartition("\n")[2])
    gone = "".join(f"\n{each}" for each in lost)
    return PackageUnusable(package=spec, use=use, output=output + gone, library=library_in(output))


def _needed_variable(output: str) -> str:
    """Return what of the environment an import lacks, by the end of its error; empty where it is something else."""
    if re.search(_NO_DISPLAY, output):
        return "a display (the environment variable DISPLAY)"
    found = re.search(_VARIABLE, output, re.MULTILINE)
    return f"the environment variable {found[1]}" if found else ""


def _is_broken(fault: Mapping[str, Any]) -> bool:
    """Tell whether an error is Python's own, or about a file, a library or a module.

    `kinds` are the classes of the error and of those behind it, with their bases; `raised` is 1 where a statement of a
    program raised it, or where its class is none of Python's own.
    """
    return not fault["raised"] or not _OF_FAULTS.isdisjoint(fault["kinds"])


def _parts(spec: str, name: str, item: Mapping[str, Any]) -> Iterator[PackageFinding | PackageNote]:
    """Judge the modules of a package of which the outermost one loads few.

    A library that half of them lack, or the one with the package's own name, is more than an extra; another module
    that is not there may well be one, unless none can do without.
    """
    bad = [fault for fault in item["parts"] if not _OF_PARTS.isdisjoint(fault["kinds"])]
    libraries = {fault["use"]: library for fault in bad if (library := library_in(fault["text"]))}
    stems = [fault["use"].rpartition(".")[2] for fault in bad]
    first = next((fault for fault in bad if fault["use"] in libraries), bad[0] if bad else None)
    if first is None:
        return
    library = libraries.get(first["use"], "")
    if own_or_all(name, stems, item["tried"]) or (library and 2 * len(bad) >= item["tried"]):
        yield PackageUnusable(package=spec, use=first["use"], output=first["text"], library=library)
    elif library:
        yield PartUnusable(package=spec, use=first["use"], output=first["text"], library=library)


def _left_out(specs: tuple[str, ...], seen: Seen) -> Iterator[PackageNeeds]:
    """Tell which packages are not there since their marker says so, and no other line asks for them."""
    from packaging.requirements import Requirement  # noqa: PLC0415 - as above

    environment = dict(seen.answer.get("environment", {}))
    for spec, item in zip(specs, seen.items, strict=True):
        marker = Requirement(spec).marker
        if item is None and marker is not None and not marker.evaluate(environment):
            yield PackageNeeds(
                package=spec, need="is not installed, as its marker does not hold in the image"
            )


def _shared(specs: tuple[str, ...], seen: Seen) -> Iterator[CommandShared]:
    """Tell which commands several of the packages provide; nothing says whose was installed last."""
    providers: dict[str, dict[str, str]] = {}
    for spec, item in zip(specs, seen.items, strict=True):
        for command in item["commands"] if item else ():
            # A package may be asked for twice, with an extra and without.
            providers.setdefault(command, {}).setdefault(query(spec), spec)
    for command, packages in providers.items():
        if len(packages) > 1:
            yield CommandShared(command=command, packages=tuple(packages.values()), used="")


def _missing_of_extras(
    name: str, extras: frozenset[str], there: Mapping[str, Any], environment: Mapping[str, str]
) -> list[str]:
    """Return what the extras of a package need, and what their own extras do, and what is not there."""
    from packaging.requirements import Requirement  # noqa: PLC0415 - as above

    missing: set[str] = set()
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = [(query(name), extras)]
    while waiting:
        package, asked = waiting.pop()
        if (package, asked) in seen or not asked:
            continue
        seen.add((package, asked))
        for text in there[package][1]:
            needed = Requirement(text)
            of_extra = needed.marker is not None and any(
                needed.marker.evaluate({**environment, "extra": extra}) for extra in asked
            )
            if not of_extra or (needed.marker and needed.marker.evaluate({**environment, "extra": ""})):
                continue
            key = query(needed.name)
            if key not in there or not needed.specifier.contains(there[key][0], prereleases=True):
                missing.add(f"{needed.name}{needed.specifier}")
            else:
                waiting.append((key, frozenset(needed.extras)))
    return sorted(missing)


_NO_DISPLAY: Final = r"KeyError: 'DISPLAY'\s*\Z|DisplayNameError: [^\n]*\s*\Z"
_VARIABLE: Final = r"^KeyError: '([A-Z][A-Z0-9_]+)'\s*\Z"
"""The end of what Python prints where a variable of the environment is not set."""
_OF_PARTS: Final = frozenset(("ImportError", "OSError", "SyntaxError"))
"""Classes of errors about a module, a library or a file."""
_OF_FAULTS: Final = _OF_PARTS | {
    *("AssertionError", "MemoryError", "RecursionError"),
    # Of pkg_resources: what a package requires is not there.
    *("DistributionNotFound", "VersionConflict"),
}
