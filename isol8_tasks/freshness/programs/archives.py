"""What a source archive of Python needs, and whether it can be built without a compiler; runs where wheels.py does."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isol8_tasks.freshness.programs.pages import Indexes

NEEDED = "a C compiler is required"
COMPILING = frozenset(
    {"mesonpy", "maturin", "scikit_build_core", "py_build_cmake", "sipbuild", "setuptools_rust"}
)
"""Backends that always compile."""
TOOLS = frozenset(
    {
        "cmake",
        "maturin",
        "meson-python",
        "nanobind",
        "pybind11",
        "scikit-build",
        "scikit-build-core",
        "setuptools-rust",
    }
)
"""What only who compiles needs for a build."""
REQUIRES = r"""^requires\s*=\s*\[((?:[\s,]|#[^\n]*|"[^"]*"|'[^']*')*)\]"""
UNDECIDED = "not found out in time"
COMPILED = (
    ".c",
    ".cc",
    ".cpp",
    ".cxx",
    ".pyx",
    ".f",
    ".f90",
    ".rs",
    ".s",
    ".S",
    ".cu",
    ".i",
    "CMakeLists.txt",
)
"""Endings of files that an archive without any of them compiles nothing of."""
TELLING = ("pyproject.toml", "PKG-INFO")


def needs_of(file: dict[str, Any], indexes: Indexes) -> tuple[bytes | None, str, bytes]:
    """Return the metadata of an archive, and the problem with building it; both are empty where only trying tells.

    Then the archive itself is the third; most tell by their files.
    """
    data = indexes.content(file["url"])
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder, file["filename"])
        archive.write_bytes(data)
        names, texts = looked_into(archive)
    if compiles(texts.get("pyproject.toml", "")):
        return None, NEEDED, b""
    if not any(name.endswith(COMPILED) for name in names):
        return texts.get("PKG-INFO", "").encode(), "", b""
    return None, "", data


def compiles(project: str) -> bool:
    """Tell by a pyproject.toml whether its project is compiled in any case."""
    backend = re.search(r"""^build-backend\s*=\s*["']([^"']*)""", project, re.MULTILINE)
    required = re.search(REQUIRES, project, re.MULTILINE)
    names = re.findall(r"""["']([A-Za-z0-9_.-]+)[^;"']*["']""", required[1] if required else "")
    by_backend = backend is not None and backend[1].partition(".")[0] in COMPILING
    return by_backend or any(re.sub(r"[-_.]+", "-", name).lower() in TOOLS for name in names)


def looked_into(archive: Path) -> tuple[list[str], dict[str, str]]:
    """Return the names of the files in an archive, and the texts of the outermost ones that say what it is."""
    found: dict[str, bytes] = {}
    if archive.name.endswith(".zip"):
        with zipfile.ZipFile(archive) as files:
            names = files.namelist()
            found = {name: files.read(name) for name in names if name.partition("/")[2] in TELLING}
    else:
        with tarfile.open(archive) as members:
            names = members.getnames()
            for name in names:
                text = members.extractfile(name) if name.partition("/")[2] in TELLING else None
                found[name] = text.read() if text else b""
    texts = {name.partition("/")[2]: data.decode("utf-8", "replace") for name, data in found.items() if data}
    return names, texts


def tried(file: dict[str, Any], data: bytes, end: float) -> tuple[bytes | None, str]:
    """Build a wheel of an archive; return its metadata, or what was printed where that failed."""
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder, file["filename"])
        archive.write_bytes(data)
        return built(archive, end)


def built(archive: Path, end: float) -> tuple[bytes | None, str]:
    """Do what `tried` promises of an archive on disk."""
    folder = archive.parent
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-cache-dir", "-q", "-w", str(folder)]
    try:
        done = subprocess.run(
            [*command, "--disable-pip-version-check", "--", str(archive)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            timeout=max(end - time.monotonic(), 1),
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None, UNDECIDED
    if done.returncode:
        return None, done.stdout.decode("utf-8", "replace") or "it printed nothing"
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as files:
            for name in files.namelist():
                if name.endswith(".dist-info/METADATA"):
                    return files.read(name), ""
    return None, ""
