"""What a wheel or a source archive of Python needs, and whether that can be built without a compiler.

Runs where wheels.py does.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isol8_tasks.freshness.programs.pages import RefusedError

if sys.version_info >= (3, 11):  # noqa: UP036 - an image may have an older one
    import tomllib
else:
    from pip._vendor import tomli as tomllib

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
        "meson",
        "meson-python",
        "nanobind",
        "ninja",
        "pybind11",
        "scikit-build",
        "scikit-build-core",
        "setuptools-rust",
    }
)
"""What only archives that compile require for their build."""
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
END = 256 * 1024
"""So much of a wheel has its list of files, and mostly its metadata."""
HEAD = 1024
"""What is before a file in a wheel, at most."""
METADATA = r"[^/]+\.dist-info/METADATA$"
TELLING = ("pyproject.toml", "PKG-INFO")


def metadata_inside(file: dict[str, Any], indexes: Indexes) -> bytes | None:
    """Return the metadata of a wheel out of its end, for an index that does not have it by itself (PEP 658)."""
    with contextlib.suppress(RefusedError, zipfile.BadZipFile, zlib.error, StopIteration, struct.error):
        end = indexes.part(file["url"], f"-{END}")
        # What is missing before it has negative places.
        with zipfile.ZipFile(io.BytesIO(end)) as wheel:
            found = next(each for each in wheel.infolist() if re.match(METADATA, each.filename))
            if found.header_offset >= 0:
                return wheel.read(found)
            start = found.header_offset + struct.unpack("<I", end[-6:-2])[0] - wheel.start_dir
        part = indexes.part(file["url"], f"{start}-{start + found.compress_size + HEAD}")
        data = part[30 + sum(struct.unpack("<HH", part[26:30])) :][: found.compress_size]
        return zlib.decompress(data, -zlib.MAX_WBITS) if found.compress_type else data
    return None


def needs_of(filename: str, data: bytes) -> tuple[bytes, str | None]:
    """Return the metadata of an archive as far as it is known, and why it can't be built without a compiler.

    Most archives tell by their files: the reason is empty for one that compiles nothing, and None for one that may
    compile something or do without, which only trying tells.
    """
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder, filename)
        archive.write_bytes(data)
        names, texts = looked_into(archive)
    metadata = texts.get("PKG-INFO", "").encode()
    backend, required = build_system(texts.get("pyproject.toml", ""))
    if backend in COMPILING:
        return metadata, NEEDED
    if not any(name.endswith(COMPILED) for name in names):
        return metadata, ""
    return metadata, NEEDED if required & TOOLS else None


def build_system(project: str) -> tuple[str, set[str]]:
    """Return the package of the backend, and the names of what every build requires; nothing if that can't be read."""
    try:
        table = tomllib.loads(project).get("build-system", {})
        # What is behind a semicolon is for some machines.
        everywhere = (each for each in table.get("requires", []) if ";" not in each)
        names = {re.split(r"[^A-Za-z0-9._-]", each)[0] for each in everywhere}
        backend = str(table.get("build-backend", "")).partition(".")[0]
    except (ValueError, TypeError, AttributeError):
        return "", set()
    return backend, {re.sub(r"[-_.]+", "-", name).lower() for name in names}


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


def tried(filename: str, data: bytes, end: float) -> tuple[bytes | None, str | None]:
    """Build a wheel; return its metadata, and what was printed where that failed; None if time was over before."""
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder, filename)
        archive.write_bytes(data)
        command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-cache-dir", "-q", "-w", folder]
        with subprocess.Popen(
            [*command, "--disable-pip-version-check", "--", str(archive)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        ) as pip:
            try:
                printed, _ = pip.communicate(timeout=max(end - time.monotonic(), 1))
            except subprocess.TimeoutExpired:
                # With all that it started, which would keep what it prints open.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(pip.pid, signal.SIGKILL)
                return None, None
        if pip.returncode:
            return None, printed.decode("utf-8", "replace") or "it printed nothing"
        for wheel in Path(folder).glob("*.whl"):
            with zipfile.ZipFile(wheel) as files:
                for name in files.namelist():
                    if name.endswith(".dist-info/METADATA"):
                        return files.read(name), ""
    return None, ""
