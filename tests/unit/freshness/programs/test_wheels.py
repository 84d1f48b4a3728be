"""Which Python packages can't be installed, by what an index says: no network, and the tags of this very Python."""

import io
import os
import sys
import tarfile
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pip._vendor.packaging.tags import sys_tags

from isol8_tasks.ecosystems.compilers import is_lacking
from isol8_tasks.freshness.programs import archives, wheels
from isol8_tasks.freshness.programs.archives import NEEDED, needs_of
from isol8_tasks.freshness.programs.wheels import Survey

ELSEWHERE = "cp27-cp27m-win32"
GLIBC = next(
    f"{tag.interpreter}-{tag.abi}-manylinux_9_99_x86_64"
    for tag in sys_tags()
    if tag.abi not in {"none", "abi3"}
)
"""Of this Python, and of a C library that nobody has yet."""


class Index:
    """An index in memory, with the metadata of its wheels."""

    def __init__(self, *files: dict[str, Any], archive: bytes = b"") -> None:
        self.urls = ["https://index.example/simple"]
        self._files = files
        self._archive = archive

    def page(self, _: int, name: str) -> dict[str, Any] | None:
        """Return the files of a project."""
        files = [each for each in self._files if each["filename"].partition("-")[0].replace("_", "-") == name]
        return {"files": files} if files else None

    def metadata(self, file: dict[str, Any]) -> bytes | None:
        """Return what a wheel needs."""
        return "".join(f"Requires-Dist: {each}\n" for each in file["needs"]).encode()

    def content(self, _: str) -> bytes:
        """Return the one source archive."""
        return self._archive


def wheel(name: str, version: str, tag: str = "py3-none-any", *needs: str, **more: object) -> dict[str, Any]:
    """Return what an index says of a wheel."""
    filename = f"{name.replace('-', '_')}-{version}-{tag}.whl"
    return {"filename": filename, "url": f"u/{filename}", "core-metadata": True, "needs": needs, **more}


def source(name: str, version: str) -> dict[str, Any]:
    """Return what an index says of a source archive."""
    return {"filename": f"{name}-{version}.tar.gz", "url": f"u/{name}-{version}.tar.gz", "needs": ()}


def archive(files: Mapping[str, str]) -> bytes:
    """Return a source archive with these files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as packed:
        for name, text in files.items():
            member = tarfile.TarInfo(f"a-1.0/{name}")
            member.size = len(text)
            packed.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


def zipped(name: str) -> bytes:
    """Return a zip file with one file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        packed.writestr(name, "")
    return buffer.getvalue()


def chosen(index: Index, *specs: str, compiler: bool = False) -> dict[str, tuple[str, str, str]]:
    """Return version, kind and asker of everything that is needed."""
    survey = Survey(index, 30, compiler=compiler)  # type: ignore[arg-type]
    survey.look(list(specs))
    return {
        name: (each.choice.version, each.choice.kind, each.asker)
        for name, each in survey.wanted.items()
        if each.choice
    }


class TestSurvey:
    """What pip would take."""

    def test_wheels_and_what_they_need(self) -> None:
        """The newest that fits is followed, with extras and markers."""
        index = Index(
            wheel("a", "1.0", "py3-none-any", "b>=1", 'c; extra == "more"', 'd; python_version < "3"'),
            wheel("b", "1.0"),
            wheel("b", "2.0", ELSEWHERE),
            wheel("c", "3.0"),
        )
        assert chosen(index, "a[more]") == {
            "a": ("1.0", "wheel", "a[more]"),
            "b": ("1.0", "wheel", "a[more]"),
            "c": ("3.0", "wheel", "a[more]"),
        }
        assert "c" not in chosen(index, "a")

    @pytest.mark.parametrize(
        ("file", "kind"),
        [(wheel("a", "1.0", GLIBC), "glibc"), (wheel("a", "1.0", ELSEWHERE), "other"),
         (wheel("a", "1.0", "cp27-cp27m-musllinux_1_1_x86_64"), "python")],
        ids=["glibc", "other", "python"],
    )  # fmt: skip
    def test_wheels_of_no_use(self, monkeypatch: pytest.MonkeyPatch, file: dict[str, Any], kind: str) -> None:
        """Why none fits is told by its tags."""
        monkeypatch.setattr(wheels, "MACHINE", "x86_64")
        assert chosen(Index(file, wheel("b", "1.0", "py3-none-any", "a")), "b")["a"] == ("1.0", kind, "b")

    def test_what_all_take_together(self) -> None:
        """A limit that comes later makes another version the choice, whose kind then counts."""
        index = Index(
            wheel("a", "1.0", "py3-none-any", "deep"),
            wheel("deep", "1.0", "py3-none-any", "b<2"),
            wheel("b", "1.0"),
            wheel("b", "2.0", ELSEWHERE),
            source("b", "2.0"),
        )
        assert chosen(index, "b", "a", compiler=True)["b"][:2] == ("1.0", "wheel")

    def test_what_is_not_looked_at(self) -> None:
        """An address, what is installed, and what no index has are left to pip."""
        index = Index(
            wheel("a", "9.0", ELSEWHERE, yanked=True), wheel("b", "1.0", **{"requires-python": "<3"})
        )
        found = chosen(index, "x @ https://files.example/x-1.0-py3-none-any.whl", "pytest", "none", "a", "b")
        assert {name: kind for name, (_, kind, _) in found.items()} == {"none": "", "a": "", "b": ""}

    def test_pre_releases_only_where_there_is_nothing_else(self) -> None:
        """As pip has it."""
        index = Index(wheel("a", "2.0rc1", ELSEWHERE), wheel("a", "1.0"), wheel("b", "1.0a1"))
        found = chosen(index, "a", "b")
        assert (found["a"][:2], found["b"][:2]) == (("1.0", "wheel"), ("1.0a1", "wheel"))

    def test_source(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What needs no compiler is as good as a wheel; with one, nothing is looked into."""
        pure = archive({"PKG-INFO": "Name: a\nRequires-Dist: b\n", "a.py": ""})
        index = Index(source("a", "1.0"), wheel("b", "1.0"), archive=pure)
        assert {name: kind for name, (_, kind, _) in chosen(index, "a").items()} == {
            "a": "wheel",
            "b": "wheel",
        }
        compiled = archive({"pyproject.toml": '[build-system]\nbuild-backend = "mesonpy"\n'})
        index = Index(source("a", "1.0"), archive=compiled)
        assert chosen(index, "a")["a"] == ("1.0", "source", "a")
        monkeypatch.setattr(wheels, "needs_of", lambda *_: (b"", "not asked"))
        assert chosen(index, "a", compiler=True)["a"] == ("1.0", "source", "a")

    def test_all_is_asked_before_anything_is_built(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A build that takes all the time hides nothing; it is undecided, and what its archive needs is known."""
        slow = archive({"PKG-INFO": "Name: slow\nRequires-Dist: c\n", "fast.c": ""})
        index = Index(
            source("slow", "1.0"),
            wheel("a", "1.0", "py3-none-any", "b"),
            wheel("b", "1.0", ELSEWHERE),
            wheel("c", "1.0", ELSEWHERE),
            archive=slow,
        )
        tried: list[str] = []

        def hang(filename: str, _: object, end: float) -> tuple[None, None]:
            tried.append(filename)
            time.sleep(max(end - time.monotonic(), 0))
            return None, None

        monkeypatch.setattr(wheels, "tried", hang)
        survey = Survey(index, 2, compiler=False)  # type: ignore[arg-type]
        survey.look(["slow", "a"])
        kinds = {name: each.choice.kind for name, each in survey.wanted.items() if each.choice}
        assert kinds == {"slow": "undecided", "a": "wheel", "b": "other", "c": "other"}
        assert tried == ["slow-1.0.tar.gz"]

    @pytest.mark.parametrize(
        ("built", "kind"), [((b"Name: a\nRequires-Dist: b\n", ""), "wheel"), ((None, "no gcc"), "source")]
    )
    def test_what_a_build_tells(
        self, monkeypatch: pytest.MonkeyPatch, built: tuple[bytes | None, str], kind: str
    ) -> None:
        """One that does without a compiler is as good as a wheel, and what it needs is followed."""
        monkeypatch.setattr(wheels, "tried", lambda *_: built)
        index = Index(source("a", "1.0"), wheel("b", "1.0"), archive=archive({"fast.c": ""}))
        found = chosen(index, "a")
        assert found["a"][1] == kind
        assert ("b" in found) == (kind == "wheel")

    def test_an_older_version_with_a_wheel(self) -> None:
        """It is the newest that everybody takes."""
        index = Index(source("a", "3.0"), wheel("a", "2.0"), wheel("a", "1.0"), wheel("a", "4.0rc1"))
        survey = Survey(index, 30, compiler=True)  # type: ignore[arg-type]
        survey.look(["a"])
        assert (survey.wanted["a"].choice.kind, survey.older("a")) == ("source", "2.0")  # type: ignore[union-attr]
        survey.look(["a!=2.0"])
        assert survey.older("a") == "1.0"
        survey.look(["a>2"])
        assert not survey.older("a")


class TestTrials:
    """Source archives of which only trying tells."""

    def look(
        self, monkeypatch: pytest.MonkeyPatch, trial: tuple[bytes | None, str | None], *specs: str
    ) -> list[object]:
        """Return what is lacking, where every trial ends in this way."""
        index = Index(
            source("a", "1.0"),
            wheel("b", "1.0", "py3-none-any", "c"),
            wheel("c", "1.0", ELSEWHERE),
            archive=archive({"fast.c": ""}),
        )
        monkeypatch.setattr(wheels, "Indexes", lambda *_, **__: index)
        monkeypatch.setattr(wheels, "of_alpine", lambda _: {})
        monkeypatch.setattr(wheels, "tried", lambda *_: trial)
        return list(wheels.answered({"specs": specs, "seconds": 30, "compiler": False}, {})["lacking"])

    def test_one_that_does_without(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What it needs is looked at then."""
        assert self.look(monkeypatch, (b"Requires-Dist: c\n", ""), "a") == [
            ["c", "1.0", "other", "a", "", ""]
        ]

    def test_one_that_lacks_a_compiler(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is named with the others."""
        found = self.look(monkeypatch, (None, "error: command 'gcc' failed"), "a", "b")
        assert found == [["a", "1.0", "source", "a", "", ""], ["c", "1.0", "other", "b", "", ""]]

    @pytest.mark.parametrize("output", [None, "the network is down"])
    def test_not_decided(self, monkeypatch: pytest.MonkeyPatch, output: str | None) -> None:
        """By itself it is left to the build; where others stand in the way, one that took too long is named, too."""
        assert self.look(monkeypatch, (None, output), "a") == []
        late = [["a", "1.0", "undecided", "a", "", ""]] if output is None else []
        assert self.look(monkeypatch, (None, output), "a", "b") == [["c", "1.0", "other", "b", "", ""], *late]

    def test_time_is_over(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What was not looked at by then is left to the build."""
        monkeypatch.setattr(Survey, "_is_over", lambda _: True)
        assert self.look(monkeypatch, (None, None), "b") == []

    @pytest.mark.parametrize(("size", "kind"), [(20_000_001, "source"), (20_000_000, "wheel")])
    def test_a_large_archive(self, monkeypatch: pytest.MonkeyPatch, size: int, kind: str) -> None:
        """One with builds for glibc beside it is not fetched."""
        monkeypatch.setattr(wheels, "MACHINE", "x86_64")
        file = {**source("a", "1.0"), "size": size}
        assert chosen(Index(file, wheel("a", "1.0", GLIBC), archive=archive({})), "a")["a"][1] == kind


class Parts:
    """An index that gives parts of one wheel."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.asked: list[str] = []

    def part(self, _: str, which: str) -> bytes:
        """Return what HTTP's Range names."""
        self.asked.append(which)
        start, _, end = which.partition("-")
        return self._content[int(start) : int(end) + 1] if start else self._content[-int(end) :]


class TestWheels:
    """The metadata inside of wheels."""

    @pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    @pytest.mark.parametrize(("first", "asked"), [(False, 1), (True, 2)], ids=["last", "first"])
    def test_it_is_read_out_of_a_part(self, compression: int, first: bool, asked: int) -> None:  # noqa: FBT001 - a table
        """The end is enough where it is there; else it is one question more."""
        files = {
            "a.py": os.urandom(400_000),
            "a-1.0.dist-info/METADATA": b"Requires-Dist: b\n" * 9,
        }
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", compression) as packed:
            for name in sorted(files, reverse=not first):
                packed.writestr(name, files[name])
        index: Any = Parts(buffer.getvalue())
        assert archives.metadata_inside({"url": "u/a"}, index) == b"Requires-Dist: b\n" * 9
        assert len(index.asked) == asked

    @pytest.mark.parametrize("content", [b"", b"no wheel", zipped("a-1.0.dist-info/RECORD")])
    def test_what_has_none(self, content: bytes) -> None:
        """It says nothing."""
        index: Any = Parts(content)
        assert archives.metadata_inside({"url": "u/a"}, index) is None

    def test_an_index_without_metadata_by_itself(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What a wheel needs is followed all the same."""
        monkeypatch.setattr(wheels, "metadata_inside", lambda *_: b"Requires-Dist: b\n")
        alone = {**wheel("a", "1.0"), "core-metadata": False}
        index = Index(alone, source("b", "1.0"))
        assert chosen(index, "a", compiler=True)["b"] == ("1.0", "source", "a")


class TestArchives:
    """Source archives."""

    def test_one_that_may_compile(self) -> None:
        """Only a build tells whether it does without."""
        data = archive({"fast.c": "", "setup.py": "", "PKG-INFO": "Name: a\n"})
        assert needs_of("a-1.0.tar.gz", data) == (b"Name: a\n", None)

    @pytest.mark.parametrize(
        "text",
        [
            "[build-system]\nbuild-backend = 'maturin'",
            '[build-system]\nrequires = [\n  # "old"\n  "setuptools", "Scikit_Build>=0.1[x]"]',
            '[build-system]\nrequires = ["pybind11"]\nbuild-backend = "setuptools.build_meta"',
        ],
    )
    def test_what_always_compiles(self, text: str) -> None:
        """Its backend, or a tool that its build requires, needs no trial."""
        data = archive({"pyproject.toml": text, "fast.cpp": ""})
        assert needs_of("a-1.0.tar.gz", data) == (b"", NEEDED)
        assert is_lacking(NEEDED)

    @pytest.mark.parametrize(
        ("requires", "names"),
        [
            ('["setuptools", "scikit_build>=0.14", "pip"]', {"setuptools", "scikit-build", "pip"}),
            ("[\n  'setuptools[toml]',  # a ] here\n  'cmake>=3.1',\n]\n", {"setuptools", "cmake"}),
            ("['setuptools', \"cmake; sys_platform == 'win32'\"]", {"setuptools"}),
            ('["setuptools", "Cython>=3"]\n[project]\nname = "cmake"', {"setuptools", "cython"}),
        ],
    )
    def test_what_a_build_requires(self, requires: str, names: set[str]) -> None:
        """What only some machines need is left out."""
        assert archives.build_system(f"[build-system]\nrequires = {requires}") == ("", names)

    @pytest.mark.parametrize("text", ["[", "build-system = 1", "[build-system]\nrequires = [1]"])
    def test_unreadable_project(self, text: str) -> None:
        """It says nothing."""
        assert archives.build_system(text) == ("", set())

    def test_a_build_that_takes_too_long_ends_with_all_it_started(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """What pip started would keep its output open."""
        python = tmp_path / "python"
        python.write_text("#!/bin/sh\nsleep 300 &\nwait\n")
        python.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(python))
        began = time.monotonic()
        assert archives.tried("a-1.0.tar.gz", b"", began) == (None, None)
        assert time.monotonic() - began < 120

    def test_zip(self, tmp_path: Path) -> None:
        """Old archives are zip files."""
        file = tmp_path / "a-1.0.zip"
        with zipfile.ZipFile(file, "w") as packed:
            packed.writestr("a-1.0/PKG-INFO", "Name: a\n")
        assert archives.looked_into(file) == (["a-1.0/PKG-INFO"], {"PKG-INFO": "Name: a\n"})


@pytest.mark.parametrize(
    ("output", "lacking"),
    [
        ("error: command 'gcc' failed: No such file or directory", True),
        ("error: [Errno 2] No such file or directory: 'gcc'", True),
        ("../meson.build:1:0: ERROR: Unknown compiler(s): [['cc'], ['gcc']]", True),
        ("CMake Error: CMAKE_C_COMPILER not set\nNo CMAKE_CXX_COMPILER could be found.", True),
        ("error: can't find Rust compiler", True),
        ("Error: pg_config executable not found.", True),
        ("/bin/sh: make: not found", True),
        ("The 'linux/input.h' and 'linux/input-event-codes.h' include files\nare missing.", True),
        ('RuntimeError: Unable to run "sdl-config". Please make sure', True),
        ("x.c:1:10: fatal error: zlib.h: No such file or directory", True),
        ("The 'sklearn' PyPI package is deprecated, use 'scikit-learn'", False),
        (
            "error: subprocess-exited-with-error\nGetting requirements to build wheel did not run successfully.",
            False,
        ),
        ("FileNotFoundError: [Errno 2] No such file or directory: 'requirements.txt'", False),
    ],
)
def test_lack_of_a_compiler(output: str, lacking: bool) -> None:  # noqa: FBT001 - a table
    """It is told from other faults."""
    assert is_lacking(output) == lacking
