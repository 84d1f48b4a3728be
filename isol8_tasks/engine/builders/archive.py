"""The build context as a tar archive: the same bytes for the same files, whoever packs them."""

import io
import tarfile
from typing import Final

from attrs import frozen

from isol8_tasks.engine import BuildRequest, FileContent

_OWN_NAME: Final = ".isol8.Dockerfile"
_IGNORE_FILES: Final = ("Dockerfile.dockerignore", ".dockerignore")
"""In the order in which docker looks for them."""


@frozen(kw_only=True)
class Archive:
    """A packed context."""

    data: bytes
    dockerfile: str
    """The Dockerfile's path in it."""


def pack(request: BuildRequest, dockerfile: str, *, hide: bool = False) -> Archive:
    """Pack what the ignore file leaves of the context, and the Dockerfile.

    The engine applies no ignore file to an archive (`docker build` does, before it sends one). With `hide`,
    the classic builder is told to take away the Dockerfile that was added, so no `COPY . .` sees it.
    """
    files = dict(_left(request))
    name = "Dockerfile"
    if not hide and name in request.context:
        # It is required even where it is ignored, and under its own name a COPY sees what the plan sees.
        files[name] = request.context[name]
    if name not in files or files[name].data != _encode(dockerfile):
        name = _OWN_NAME
        files[name] = FileContent(data=_encode(dockerfile))
        if hide:
            ignore = files.get(".dockerignore")
            hidden = f"{name}\n" if ignore else f".dockerignore\n{name}\n"
            data = (ignore.data + b"\n" if ignore else b"") + hidden.encode()
            files[".dockerignore"] = FileContent(data=data)
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, content in sorted(files.items()):
            # Owner, group and time are 0 unless set.
            entry = tarfile.TarInfo(path)
            entry.size = len(content.data)
            entry.mode = 0o755 if content.executable else 0o644
            archive.addfile(entry, io.BytesIO(content.data))
    return Archive(data=stream.getvalue(), dockerfile=name)


def _left(request: BuildRequest) -> dict[str, FileContent]:
    # An image that needs one of the others is not built.
    context = {path: content for path, content in request.context.items() if not content.problem}
    name = next((name for name in _IGNORE_FILES if name in context), None)
    if name is None:
        return context
    # Here, as few contexts have an ignore file.
    from isol8_tasks.dockerfile.ignore import included, parse_ignore  # noqa: PLC0415

    rules = parse_ignore(context[name].data.decode("utf-8", "replace"), name=name)
    return {path: context[path] for path in included(context, rules)}


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def tar_header(name: str, size: int) -> bytes:
    """Return what an archive has before a file's content, for one that is never there as a whole."""
    entry = tarfile.TarInfo(name)
    entry.size = size
    return entry.tobuf()


def tar_padding(size: int) -> bytes:
    """Return what it has after a content of that size."""
    return bytes(-size % tarfile.BLOCKSIZE)
