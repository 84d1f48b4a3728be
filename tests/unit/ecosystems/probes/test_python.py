"""What runs inside a Python image, on folders as pip leaves them."""

import base64
import hashlib
import json
import sys
from pathlib import Path
from typing import Any, cast

import pytest
from packaging.utils import canonicalize_name

from isol8_tasks.ecosystems.probes import python
from isol8_tasks.ecosystems.probes.python import (
    as_json,
    canonical,
    folders,
    looked,
    metadata,
    modules,
    of_files,
    overwritten,
)

FINE: dict[str, object] = {
    "fault": None,
    "parts": [],
    "tried": 0,
    "gone": [],
    "lost": [],
    "commands": [],
}


def _install(place: Path, name: str, record: list[str], **files: str) -> str:
    folder = place / f"{name}-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(
        f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\nRequires-Dist: a>1\nRequires-Dist: b\n\nName: not this\n"
    )
    (folder / "RECORD").write_text("".join(f'"{path}",,\n' for path in [*record, f"{folder.name}/RECORD"]))
    for file, text in files.items():
        (folder / file.replace("_txt", ".txt")).write_text(text)
    return str(folder)


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["numpy/__init__.py", "numpy/core/__init__.py", "numpy/x.py"], {"numpy"}),
        (["six.py", "six-1.0.dist-info/RECORD", "__pycache__/six.pyc"], {"six"}),
        (
            ["_yaml/__init__.py", "yaml/__init__.py", "yaml/_yaml.cpython-313-x86_64-linux-musl.so"],
            {"_yaml", "yaml"},
        ),
        (["fast.cpython-313-x86_64-linux-musl.so"], {"fast"}),
        (["google/cloud/storage/__init__.py", "google/cloud/storage/blob.py"], {"google.cloud.storage"}),
        (["space/one.py", "space/two.py"], {"space.one", "space.two"}),
        (["pkg/__init__.py", "pkg.libs/libx.so", "../../../bin/pkg"], {"pkg"}),
        (["requests-stubs/__init__.pyi"], set()),
        (["pkg-1.0.data/scripts/x.py", "../../../bin/x"], set()),
    ],
    ids=[
        "package",
        "module",
        "two",
        "compiled",
        "namespace",
        "bare namespace",
        "libraries",
        "stubs",
        "scripts",
    ],
)
def test_of_files(paths: list[str], names: set[str]) -> None:
    """The outermost names that can be imported are found among a wheel's files."""
    assert of_files(paths) == names


class TestModules:
    """The names under which a package is meant to be imported."""

    @pytest.mark.parametrize(
        ("name", "record", "names"),
        [
            ("pyyaml", ["_yaml/__init__.py", "yaml/__init__.py"], ["yaml"]),
            ("attrs", ["attr/__init__.py", "attrs/__init__.py"], ["attrs"]),
            ("two", ["a/__init__.py", "b/__init__.py", "tests/__init__.py"], ["a", "b"]),
            ("cffi-backend", ["_cffi_backend.so"], ["_cffi_backend"]),
            ("types-requests", ["requests-stubs/__init__.pyi"], []),
        ],
    )
    def test_record(self, tmp_path: Path, name: str, record: list[str], names: list[str]) -> None:
        """The package's own name if it is one, else all but private names and tests."""
        assert modules(_install(tmp_path, name, record), name) == names

    def test_top_level(self, tmp_path: Path) -> None:
        """Without a list of files, the older list of names serves."""
        folder = _install(tmp_path, "old", [], top_level_txt="old\nnot-a-name\n")
        assert modules(folder, "old") == ["old"]


class TestLooked:
    """Packages as they are used."""

    @pytest.fixture(name="place")
    def make_place(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """Give a folder that modules are imported from."""
        monkeypatch.setenv("ISOL8_CHECK_SECONDS", "30")
        monkeypatch.setenv("ISOL8_CHECK_CLOCK", "60")
        monkeypatch.setenv("ISOL8_WHOLE", "")
        monkeypatch.syspath_prepend(str(tmp_path))
        return tmp_path

    def _looked(self, place: Path, name: str, source: str | None) -> "dict[str, object] | None":
        module = f"{name}_module"
        record = [f"{module}.py"] if source is not None else ["stubs/x.pyi"]
        if source is not None:
            (place / f"{module}.py").write_text(source)
        _install(place, name, record)
        known = {canonical(fields["Name"][0]): (folder, fields) for folder, fields in folders([str(place)])}
        return looked(0, name, known)

    @pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork")
    @pytest.mark.parametrize(
        ("source", "use"),
        [
            ("x = 1", ""),
            ("print('noise')", ""),
            ("import os; os._exit(3)", "import a_module ended the process (3)"),
            ("import os; os.kill(os.getpid(), 9)", "import a_module ended the process (-9)"),
        ],
        ids=["fine", "prints", "exits", "crashes"],
    )
    def test_import(self, place: Path, source: str, use: str) -> None:
        """It is tried in a process of its own."""
        found = self._looked(place, "a", source)
        fault = {"use": use, "kinds": [], "raised": 0, "text": ""} if use else None
        assert found == {**FINE, "fault": fault}
        assert "a_module" not in sys.modules

    @pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork")
    @pytest.mark.parametrize("source", ["raise SystemExit('gone')", "raise OSError('gone')"])
    def test_it_raises(self, place: Path, source: str) -> None:
        """What was raised is told, whatever it is, from the module on: how it was imported is no news."""
        found = self._looked(place, "a", source)
        assert found is not None
        fault = cast("dict[str, Any]", found["fault"])
        frame, line, error, *rest = fault["text"].splitlines()
        assert (fault["use"], line.strip(), rest) == ("import a_module", source, [])
        assert frame == f'  File "{place / "a_module.py"}", line 1, in <module>'
        assert error.endswith(": gone")

    @pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork")
    def test_it_hangs(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What sleeps is ended by the clock, and what works by the CPU time that it used."""
        monkeypatch.setenv("ISOL8_CHECK_CLOCK", "0.3")
        fault = {"use": "import a_module did not end", "kinds": [], "raised": 0, "text": ""}
        assert self._looked(place, "a", "import time; time.sleep(60)") == {**FINE, "fault": fault}

    @pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork")
    def test_it_works_without_end(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The CPU time counts that it used itself, long before its time by the clock is over."""
        monkeypatch.setenv("ISOL8_CHECK_SECONDS", "1")
        fault = {"use": "import a_module did not end", "kinds": [], "raised": 0, "text": ""}
        assert self._looked(place, "a", "while True: pass") == {**FINE, "fault": fault}

    @pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork")
    @pytest.mark.parametrize(
        ("source", "raised", "kind"),
        [
            ("raise RuntimeError('not here')", 1, "RuntimeError"),
            ("class Own(Exception): pass\ndef f(): raise Own\nf()", 1, "Own"),
            ("class Own(ValueError): pass\n[].sort(key=Own)\nint('x')", 0, "ValueError"),
            ("nothing_such", 0, "NameError"),
            ("try: import nothing_such\nexcept ImportError: raise RuntimeError", 1, "ModuleNotFoundError"),
            ("import os; os.environ['NOTHING_SUCH']", 1, "KeyError"),
            ("{}['NOTHING_SUCH']", 0, "KeyError"),
        ],
        ids=["raised", "own class", "Python's", "a name", "the error behind it", "a variable", "a table"],
    )
    def test_who_raised(self, place: Path, source: str, raised: int, kind: str) -> None:
        """A program's own word is told from an error of Python's; classes are those of all errors in the chain."""
        found = self._looked(place, "a", source)
        assert found is not None
        fault = cast("dict[str, Any]", found["fault"])
        assert fault["raised"] == raised
        assert kind in fault["kinds"]

    @pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork")
    @pytest.mark.parametrize(
        ("sources", "use"),
        [
            (("", "import nothing_such"), ""),
            (("import nothing_such", "", "import nothing_such"), "import space.three"),
            (("", "", "raise OSError('gone')"), "import space.three"),
            (("import nothing_such",), "import space.one"),
        ],
        ids=["an extra", "most", "broken", "all"],
    )
    def test_a_folder_of_modules(self, place: Path, sources: tuple[str, ...], use: str) -> None:
        """Of modules in a folder that others share, less than half may need what an extra brings."""
        (place / "space").mkdir()
        names = ("one", "two", "three")[: len(sources)]
        for name, source in zip(names, sources, strict=True):
            (place / "space" / f"{name}.py").write_text(source)
        folder = _install(place, "spread", [f"space/{name}.py" for name in sorted(names)])
        found = looked(0, "spread", {"spread": (folder, metadata(folder))})
        assert found is not None
        fault = cast("dict[str, Any] | None", found["fault"])
        assert (fault["use"] if fault else "") == use

    @pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork")
    def test_commands(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Those in the PATH are commands; of a package's own programs the loader is asked about native ones."""
        monkeypatch.setenv("PATH", f"{place}/bin:/usr/bin")
        files = {
            "bin/cmake": b"#!/bin/sh",
            "cmake/bin/cmake": b"\x7fELF",
            "cmake/bin/index.js": b"1",
            "cmake.py": b"",
        }
        for path, data in files.items():
            (place / path).parent.mkdir(parents=True, exist_ok=True)
            (place / path).write_bytes(data)
        asked: list[list[str]] = []
        monkeypatch.setattr(python, "ask", lambda _, kind, paths: asked.append([kind, *paths]))
        folder = _install(place, "cmake", [*files, "cmake/bin/gone"])
        monkeypatch.setenv("ISOL8_WHOLE", "yes")
        found = looked(0, "cmake", {"cmake": (folder, metadata(folder))})
        assert found is not None
        assert found["commands"] == ["cmake"]
        assert asked[0] == ["program", f"{place}/bin/cmake", f"{place}/cmake/bin/cmake"]

    def test_overwritten(self, place: Path) -> None:
        """Modules that several packages install differently are told once, with whose file is there."""
        known = {}
        for name, text in (("serial", "one"), ("pyserial", "two"), ("alike", "one")):
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
            folder = Path(_install(place, name, []))
            rows = [
                f"{path},sha256={digest},3" for path in ("serial/__init__.py", "serial/tools.py", "own.txt")
            ]
            (folder / "RECORD").write_text("\n".join([*rows, f"{name}.py,,"]))
            known[name] = (str(folder), metadata(str(folder)))
        (place / "serial").mkdir()
        file = place / "serial" / "__init__.py"
        file.write_text("two")
        assert overwritten(known, ["pyserial"]) == [[str(file), "pyserial", "serial", "alike"]]
        assert overwritten(known, ["other"]) == []
        file.write_text("three")
        del known["alike"]
        assert overwritten(known, ["serial"]) == [[str(file), "", "serial", "pyserial"]]
        del known["pyserial"]
        assert overwritten(known, ["serial"]) == []

    @pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork")
    def test_modules_below(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of a package that imports none of them, each is tried that is meant to be, once an image."""
        package = place / "deep_pkg"
        package.mkdir()
        for name, text in {
            "__init__": "from . import version",
            "version": "",
            "fine": "",
            "bad": "raise OSError('no library')",
            "_private": "raise OSError",
            "cli": "raise OSError",
        }.items():
            (package / f"{name}.py").write_text(text)
        folder = _install(place, "deep-pkg", [f"deep_pkg/{name}.py" for name in ("__init__", "fine", "bad")])
        known = {"deep-pkg": (folder, metadata(folder))}
        assert cast("dict[str, Any]", looked(0, "deep-pkg", known))["tried"] == 0
        monkeypatch.setenv("ISOL8_WHOLE", "yes")
        found = cast("dict[str, Any]", looked(0, "deep-pkg", known))
        assert (found["fault"], found["tried"]) == (None, 2)
        assert [part["use"] for part in found["parts"]] == ["import deep_pkg.bad"]

    def test_stubs(self, place: Path) -> None:
        """Of a package with nothing to import, the first file that can't be read is told."""
        assert self._looked(place, "a", None) == {**FINE, "gone": ["stubs/x.pyi"]}

    def test_not_there(self) -> None:
        """A package that is not installed is none."""
        assert looked(0, "a", {}) is None


def test_metadata(tmp_path: Path) -> None:
    """The header is read, and not the description below it."""
    fields = metadata(_install(tmp_path, "Some.Name", []))
    assert (fields["Name"], fields["Requires-Dist"]) == (["Some.Name"], ["a>1", "b"])
    assert metadata(str(tmp_path / "nothing.dist-info")) == {}


def test_the_first_place_wins(tmp_path: Path) -> None:
    """A package that is listed twice is the one that Python imports."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    first = _install(tmp_path / "one", "a_b", [])
    _install(tmp_path / "two", "A.B", [])
    places = [str(tmp_path / "none"), str(tmp_path / "one"), str(tmp_path / "two")]
    assert [folder for folder, _ in folders(places)] == [first]


@pytest.mark.parametrize(
    "value",
    [
        {"a": ["b", {"c": None}], "": []},
        {"answer": 42, "text": 'it\'s "quoted" \\ and\nbroken\t\x00\x1f\x7f'},
        ["naïve", "\u2028", "😀", "\ud800 alone"],
    ],
    ids=["nested", "escapes", "not ASCII"],
)
def test_as_json(value: object) -> None:
    """What is written is read again as it was."""
    assert json.loads(as_json(value).encode()) == value


@pytest.mark.parametrize("name", ["a", "A.b", "a__B-.c", "zope.interface"])
def test_canonical(name: str) -> None:
    """Names are compared as pip does it."""
    assert canonical(name) == canonicalize_name(name)
