"""The build context on disk: looked into only where a step takes files from, and read only as far as something asks."""

import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from isol8_tasks.dockerfile.globs import compile_glob, wanted_parts
from isol8_tasks.engine import FileContent
from isol8_tasks.plan.model import ContextFile
from isol8_tasks.run.textfiles import denial

Skips = Callable[[str], bool]


class BuildContext(Mapping[str, FileContent]):
    """Every file below a folder, by its path there; what can't be read has a problem, and no content.

    A path that ends in / is a folder of which nobody knows what is in it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, FileContent] = {}

    def __getitem__(self, path: str) -> FileContent:
        """Read a file, once."""
        if path not in self._read:
            self._read[path] = self._content(path)
        return self._read[path]

    def __iter__(self) -> Iterator[str]:
        """Yield the path of every file, sorted."""
        return iter(sorted(self.find("", pattern=False, skips=lambda _: False)))

    def __len__(self) -> int:
        """Count them."""
        return sum(1 for _ in self)

    def find(self, source: str, *, pattern: bool, skips: Skips) -> Iterator[str]:
        """Yield what a source takes, as `taker` tells it.

        No folder is looked into that has nothing of it, or that `skips` names.
        """
        wanted, wild = wanted_parts(source, pattern=pattern)
        return self._matching("", wanted, wild, skips)

    def _matching(self, prefix: str, wanted: Sequence[str], wild: int, skips: Skips) -> Iterator[str]:
        if not wanted:
            yield from self._below(prefix, skips)
            return
        part, *rest = wanted
        if wild > 0 or not re.search(r"[*?\[\\]", part):
            yield from self._entered(prefix + part, rest, wild - 1, skips)
            return
        glob = compile_glob(part)
        entries, problem = self._entries(prefix)
        if problem:
            yield problem
        for entry in entries:
            if glob.match(entry.name):
                yield from self._entered(prefix + entry.name, rest, 0, skips)

    def _entered(self, path: str, rest: Sequence[str], wild: int, skips: Skips) -> Iterator[str]:
        """Yield what is taken of one path, the rest of whose parts are still to be found."""
        full = self._folder / path
        try:
            mode = full.lstat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError:
            # Reading it says why.
            mode = 0
        if stat.S_ISDIR(mode):
            if not skips(path):
                yield from self._matching(f"{path}/", rest, wild, skips)
        elif stat.S_ISLNK(mode) and full.is_dir():
            yield self._link_to_folder(path)
        elif not rest:
            yield path

    def _below(self, prefix: str, skips: Skips) -> Iterator[str]:
        folders = [prefix]
        while folders:
            prefix = folders.pop()
            entries, problem = self._entries(prefix)
            if problem:
                yield problem
            for entry in entries:
                path = prefix + entry.name
                if entry.is_dir(follow_symlinks=False):
                    if not skips(path):
                        folders.append(f"{path}/")
                elif entry.is_symlink() and Path(entry.path).is_dir():
                    yield self._link_to_folder(path)
                else:
                    yield path

    def _entries(self, prefix: str) -> tuple[list[os.DirEntry[str]], str]:
        """Return what is in a folder, and the path of the folder where that can't be told."""
        try:
            with os.scandir(self._folder / prefix) as found:
                return list(found), ""
        except OSError as error:
            self._read[prefix] = _refused(f"docker/{prefix}: can't be listed", error)
            return [], prefix

    def _link_to_folder(self, path: str) -> str:
        # A build would find files by it, and following it could lead round in a circle.
        problem = f"docker/{path}: a link to a folder, which is not followed"
        self._read[f"{path}/"] = _unreadable(problem)
        return f"{path}/"

    def _content(self, path: str) -> FileContent:
        """Read what is no folder; nothing is opened that a program could wait for without end."""
        full = self._folder / path
        try:
            mode = full.stat().st_mode
            if stat.S_ISDIR(mode):
                raise KeyError(path)
            if not stat.S_ISREG(mode):
                return _unreadable(f"docker/{path}: neither a file nor a folder")
            data = full.read_bytes()
            return FileContent(data=data, executable=bool(mode & stat.S_IXUSR), outside=self._outside(full))
        except PermissionError as error:
            return _refused(f"docker/{path}: can't be read", error)
        except OSError as error:
            if full.is_symlink():
                return _unreadable(f"docker/{path}: a link that leads nowhere ({error.strerror})")
            if isinstance(error, (FileNotFoundError, NotADirectoryError)):
                raise KeyError(path) from None
            return _refused(f"docker/{path}: can't be read", error)

    def _outside(self, full: Path) -> str:
        """Return where a link leads that leads out of the folder."""
        if not full.is_symlink():
            return ""
        target = full.resolve()
        return "" if target.is_relative_to(self._folder.resolve()) else str(target)


class Digests(Mapping[str, ContextFile]):
    """Of every file what counts for a key, worked out where something asks."""

    def __init__(self, files: Mapping[str, FileContent]) -> None:
        self._files = files
        self._known: dict[str, ContextFile] = {}

    def __getitem__(self, path: str) -> ContextFile:
        """Return what counts of a file."""
        if path not in self._known:
            file = self._files[path]
            self._known[path] = ContextFile(
                digest=hashlib.sha256(file.data).hexdigest(),
                executable=file.executable,
                problem=file.problem,
                outside=file.outside,
            )
        return self._known[path]

    def __iter__(self) -> Iterator[str]:
        """Yield the paths."""
        return iter(self._files)

    def __len__(self) -> int:
        """Count them."""
        return len(self._files)


def _refused(what: str, error: OSError) -> FileContent:
    return FileContent(data=b"", problem=f"{what} {denial(error)}")


def _unreadable(problem: str) -> FileContent:
    return FileContent(data=b"", problem=f"{problem}; fix it or remove it")


def misnamed(folder: Path) -> str:
    """Say which file in a folder without a Dockerfile is meant to be it; empty where none is."""
    try:
        names = sorted(each.name for each in folder.iterdir())
    except OSError:
        names = []
    if (folder / "Dockerfile").is_dir():
        return "docker/Dockerfile is a folder; move it away"
    for name in names:
        if re.match(r"(docker|container)file(?!.*ignore$)", name, re.IGNORECASE):
            return f"there is docker/{name}: rename it to docker/Dockerfile"
    return ""
