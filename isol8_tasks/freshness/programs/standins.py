"""Wheels with nothing in them but metadata, for whoever resolves and does not install; runs where index.py does."""

from __future__ import annotations

import io
import re
import zipfile
from typing import Any

from pip._vendor.packaging.utils import parse_wheel_filename

from isol8_tasks.freshness.programs.pages import KINDS, offered_metadata


def can_be_stood_for(file: dict[str, Any]) -> bool:
    """Tell whether all that a resolution has to know of a file can be had without it: its metadata and its hash."""
    is_hashed = any(kind in file.get("hashes", ()) for kind in KINDS)
    return file["filename"].endswith(".whl") and is_hashed and bool(offered_metadata(file))


def may_bring_more(metadata: bytes) -> bool:
    """Tell whether a package needs another by its address, which may have to be built."""
    return re.search(rb"^Requires-Dist:[^;\n]*@", metadata, re.MULTILINE | re.IGNORECASE) is not None


def standin(filename: str, metadata: bytes) -> bytes:
    """Return a wheel with the name and the metadata of another, and without its contents."""
    name, version, *_ = filename.split("-")
    tags = "".join(sorted(f"Tag: {tag}\n" for tag in parse_wheel_filename(filename)[3]))
    wheel = f"Wheel-Version: 1.0\nGenerator: isol8\nRoot-Is-Purelib: true\n{tags}"
    files = {"METADATA": metadata, "WHEEL": wheel.encode()}
    files["RECORD"] = "".join(
        f"{name}-{version}.dist-info/{each},,\n" for each in (*files, "RECORD")
    ).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for each, data in files.items():
            archive.writestr(f"{name}-{version}.dist-info/{each}", data)
    return buffer.getvalue()
