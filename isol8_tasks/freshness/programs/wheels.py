"""Finds the packages of Python that pip could not install in the image that this runs in, before it is tried.

It reads what the indexes say, and the metadata of wheels; only source archives are fetched. The arguments, put
together, are the question as JSON; so is the answer.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import email.parser
import importlib.metadata
import json
import os
import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from pip._vendor.packaging.markers import default_environment
from pip._vendor.packaging.requirements import InvalidRequirement, Requirement
from pip._vendor.packaging.tags import sys_tags
from pip._vendor.packaging.utils import canonicalize_name, parse_wheel_filename

from isol8_tasks.ecosystems.compilers import is_lacking
from isol8_tasks.freshness.programs.archives import NEEDED, metadata_inside, needs_of, tried
from isol8_tasks.freshness.programs.index import suits
from isol8_tasks.freshness.programs.pages import Indexes, SourceError, is_version, offered_metadata, release

if TYPE_CHECKING:
    from pip._vendor.packaging.utils import NormalizedName
    from pip._vendor.packaging.version import Version


MACHINE = os.uname().machine
SLOWEST = 3
"""How many times as long as its processor time it may take by the clock."""
LARGE = 20_000_000
"""Bytes of a source archive that is not fetched to be looked into, where there are wheels for glibc."""


class Wanted:
    """What is asked for under one name, by everybody so far."""

    def __init__(self, asker: str) -> None:
        self.asker = asker
        """The package of the question that it is there for."""
        self.requirements: dict[str, Requirement] = {}
        self.choice: Choice | None = None

    @property
    def extras(self) -> set[str]:
        """What it is to come with, beside itself."""
        return {extra for each in self.requirements.values() for extra in each.extras}

    def admits(self, version: Version, *, pre: bool) -> bool:
        """Tell whether everybody takes a version."""
        return all(
            each.specifier.contains(version, prereleases=pre or None) for each in self.requirements.values()
        )


class Choice:
    """What pip would take of a project: a file, or nothing."""

    def __init__(self, version: str = "", file: dict[str, Any] | None = None, kind: str = "") -> None:
        self.version, self.file, self.kind = version, file, kind
        """wheel, source, undecided for a source of which only a trial tells whether a compiler is needed, or why there
        is nothing: glibc, python, other; empty where pip itself is to say so."""
        self.output = ""
        """Why a source can't be built."""
        self.archive = b""
        """What is undecided, until it was tried."""
        self.metadata: bytes | None = None
        """What it says of itself, as far as that was asked for."""


class Survey:
    """What becomes of requirements, and of what they need."""

    def __init__(self, indexes: Indexes, seconds: float, *, compiler: bool) -> None:
        self._indexes, self._compiler = indexes, compiler
        self._seconds = seconds
        # By the clock a busy machine takes longer for the same.
        self._began, self._end = processor_time(), time.monotonic() + SLOWEST * seconds
        self._tags = frozenset(sys_tags())
        self._environment = dict(default_environment())
        self._there = {
            canonicalize_name(each.metadata["Name"]): each.version
            for each in importlib.metadata.distributions()
        }
        self.wanted: dict[str, Wanted] = {}

    def look(self, specs: list[str]) -> None:
        """Follow requirements until nothing new is needed, or time is over.

        What only a trial can tell comes last, as it takes longer than all questions.
        """
        todo = {name for spec in specs for name in self._want(spec, spec, frozenset())}
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            while todo and not self._is_over():
                todo = self._wanted_by(dict(zip(todo, pool.map(self._needed, todo))))  # noqa: B905 - Python 3.9 has no other
                if not todo:
                    untried = [
                        name for name, each in self.wanted.items() if each.choice and each.choice.archive
                    ]
                    todo = self._wanted_by(dict(zip(untried, pool.map(self._tried, untried))))  # noqa: B905 - as above

    def _is_over(self) -> bool:
        """Tell whether the processor time that it may use is used up, or all of its time."""
        return processor_time() - self._began > self._seconds or time.monotonic() > self._end

    def _wanted_by(self, found: dict[str, tuple[list[str], frozenset[str]]]) -> set[str]:
        """Note what packages require; return the names that have to be looked at for it."""
        return {
            name
            for asker, (requirements, extras) in found.items()
            for each in requirements
            for name in self._want(each, self.wanted[asker].asker, extras)
        }

    def _tried(self, name: str) -> tuple[list[str], frozenset[str]]:
        """Try a source archive, and return what it needs, with the extras that it is wanted with."""
        wanted = self.wanted[name]
        choice = wanted.choice
        if choice is None or choice.file is None:
            return [], frozenset()
        data, choice.archive = choice.archive, b""
        end = min(self._end, time.monotonic() + self._seconds)
        metadata, output = tried(choice.file["filename"], data, end)
        if output is not None:
            choice.kind, choice.output = "source" if output else "wheel", output
        choice.metadata = metadata or choice.metadata
        return required(choice.metadata), frozenset({"", *wanted.extras})

    def _want(self, text: str, asker: str, extras: frozenset[str]) -> list[str]:
        """Note a requirement; return the name if it has to be looked at again for it."""
        with contextlib.suppress(InvalidRequirement):
            wanted = Requirement(text)
            name = canonicalize_name(wanted.name)
            marker = wanted.marker
            applies = marker is None or any(
                marker.evaluate({**self._environment, "extra": extra}) for extra in extras or ("",)
            )
            if not applies or wanted.url or self._is_there(name, wanted):
                return []
            known = self.wanted.setdefault(name, Wanted(asker))
            plain = f"{sorted(wanted.extras)} {wanted.specifier}"
            if plain not in known.requirements:
                known.requirements[plain] = wanted
                return [name]
        return []

    def _is_there(self, name: NormalizedName, wanted: Requirement) -> bool:
        there = self._there.get(name, "")
        return is_version(there) and wanted.specifier.contains(there, prereleases=True)

    def _needed(self, name: str) -> tuple[list[str], frozenset[str]]:
        """Choose a file, and return what that needs, with the extras that it is wanted with."""
        wanted = self.wanted[name]
        chosen = self._choose(name, wanted)
        if wanted.choice is None or wanted.choice.version != chosen.version:
            wanted.choice = chosen
        return self._requirements(wanted.choice), frozenset({"", *wanted.extras})

    def older(self, name: str) -> str:
        """Return the newest version with a wheel of use that everybody takes; empty where there is none."""
        files = self._files(name)
        admitted = (each for each in sorted(files, reverse=True) if self.wanted[name].admits(each, pre=False))
        return next((str(each) for each in admitted if self._wheel(files[each])), "")

    def _files(self, name: str) -> dict[Version, list[dict[str, Any]]]:
        """Return the files of a project that are for this Python, by version."""
        pages = (self._indexes.page(index, name) for index in range(len(self._indexes.urls)))
        files: dict[Version, list[dict[str, Any]]] = {}
        for file in (file for page in pages if page for file in page["files"] if not file.get("yanked")):
            version = release(file["filename"])
            if version is not None and suits(file.get("requires-python") or ""):
                files.setdefault(version, []).append(file)
        return files

    def _choose(self, name: str, wanted: Wanted) -> Choice:
        files = self._files(name)
        for pre in (False, True):
            versions = [each for each in sorted(files, reverse=True) if wanted.admits(each, pre=pre)]
            for version in versions:
                if (usable := self._usable(version, files[version])) is not None:
                    return usable
            if versions:
                return Choice(str(versions[0]), kind=self._why(files[versions[0]]))
        return Choice()

    def _usable(self, version: Version, files: list[dict[str, Any]]) -> Choice | None:
        if wheel := self._wheel(files):
            return Choice(str(version), wheel, "wheel")
        source = next((file for file in files if not file["filename"].endswith(".whl")), None)
        if source is None:
            return None
        found = Choice(str(version), source, "source")
        size = source.get("size")
        if isinstance(size, int) and size > LARGE and self._why(wheels_of(files)) == "glibc":
            # Nothing of that size is built in seconds, and it would take as long to fetch it.
            found.output = NEEDED
        return found

    def _wheel(self, files: list[dict[str, Any]]) -> dict[str, Any] | None:
        fit = (file for file in wheels_of(files) if parse_wheel_filename(file["filename"])[3] & self._tags)
        return next(fit, None)

    def _why(self, files: list[dict[str, Any]]) -> str:
        """Say why no wheel of a version is of use: it is for another C library, or for another Python."""
        tags = {tag for file in files for tag in parse_wheel_filename(file["filename"])[3]}
        mine = {(each.interpreter, each.abi) for each in self._tags}
        if any(
            (tag.interpreter, tag.abi) in mine
            and tag.platform.startswith(("manylinux", "linux"))
            and tag.platform.endswith(MACHINE)
            for tag in tags
        ):
            return "glibc"
        return "python" if any(tag.platform.startswith("musllinux") for tag in tags) else "other"

    def _requirements(self, choice: Choice) -> list[str]:
        file = choice.file
        if file is None:
            return []
        if choice.kind == "wheel" and choice.metadata is None:
            look = self._indexes.metadata if offered_metadata(file) else self._inside
            choice.metadata = look(file)
        if choice.kind == "source" and not self._compiler and not choice.output:
            data = self._indexes.content(file["url"])
            choice.metadata, output = needs_of(file["filename"], data)
            if output is None:
                choice.kind, choice.archive = "undecided", data
            else:
                choice.kind, choice.output = "source" if output else "wheel", output
        return required(choice.metadata)

    def _inside(self, file: dict[str, Any]) -> bytes | None:
        return metadata_inside(file, self._indexes)


def processor_time() -> float:
    """Return how much this process used, with the children that ended."""
    return sum(os.times()[:4])


def wheels_of(files: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the wheels among files."""
    return [file for file in files if file["filename"].endswith(".whl")]


def required(metadata: bytes | None) -> list[str]:
    """Return what the metadata of a package says that it needs."""
    if metadata is None:
        return []
    message = email.parser.HeaderParser().parsestr(metadata.decode("utf-8", "replace"))
    return message.get_all("Requires-Dist") or []


def of_alpine(names: list[str]) -> dict[str, str]:
    """Return the package of Alpine's that brings each of these, where its repositories have one."""
    python = f"py{sys.version_info[0]}.{sys.version_info[1]}"
    asked = {f"py3-{name}": name for name in names} | {f"{python}:{name}": name for name in names}
    if not asked:
        return {}
    subprocess.run(["apk", "update", "-q"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    found: dict[str, str] = {}
    for words, name in asked.items():
        done = subprocess.run(
            ["apk", "search", "-q", "-e", words],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        for line in done.stdout.decode().split():
            found.setdefault(name, re.sub(r"-[0-9][^-]*-r[0-9]+$", "", line))
    return found


def answered(question: dict[str, Any], environ: dict[str, str]) -> dict[str, Any]:
    """Answer a question."""
    # Asked once: where nobody answers at once, the build tells, which has more patience.
    try:
        survey = Survey(
            Indexes(environ, tries=(0,), seconds=5), question["seconds"], compiler=question["compiler"]
        )
        survey.look(question["specs"])
    except SourceError as error:
        return {"problem": str(error)}
    lacking: list[list[str]] = []
    undecided: list[list[str]] = []
    for name, wanted in sorted(survey.wanted.items()):
        choice = wanted.choice
        if choice is None or choice.kind in {"", "wheel"}:
            continue
        # What could not be built for another reason is pip's to tell.
        if choice.kind == "source" and not is_lacking(choice.output):
            continue
        group = undecided if choice.kind == "undecided" else lacking
        group.append([name, choice.version, choice.kind, wanted.asker])
    # Where nothing else stands in the way the build tells of these.
    lacking += undecided if lacking else []
    found = of_alpine([name for name, *_ in lacking])
    return {"lacking": [[*each, found.get(each[0], ""), survey.older(each[0])] for each in lacking]}


def main() -> None:
    """Answer the question of the arguments."""
    json.dump(answered(json.loads("".join(sys.argv[1:])), dict(os.environ)), sys.stdout)


if __name__ == "__main__":
    main()
