"""The folder that a stage works in, and where its COPY and ADD go, in a stage that only files are taken from."""

import posixpath
import re

from isol8_tasks.dockerfile.variables import Value


def entered(folder: str | None, value: Value) -> str | None:
    """Return the folder that a WORKDIR leads to; None where an upstream image or a variable decides."""
    if not value.plain or value.text is None:
        return None
    if value.text.startswith("/"):
        return value.text
    return None if folder is None else _clean(f"{folder}/{value.text}")


def destination(folder: str | None, value: Value) -> str:
    """Return where files go: to a path as it is known here, with a / behind where that has to be a folder."""
    text = value.text or ""
    if not value.plain or (folder is None and not text.startswith("/")):
        return value.counts
    path = text if text.startswith("/") else f"{folder}/{text}"
    if text.endswith("/."):
        # To newer builders a folder, to older ones not.
        return path
    ending = "/" if text in {"", "."} or text.endswith("/") else ""
    return _clean(path).rstrip("/") + ending or "/"


def _clean(path: str) -> str:
    return posixpath.normpath(re.sub("/+", "/", path))
