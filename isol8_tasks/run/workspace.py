"""The folder worked in: reads deps.toml and docker/, writes the manifest; owns paths and the clock."""

import contextlib
import datetime as dt
import hashlib
import os
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import Factory, evolve, frozen

from isol8_tasks.config.deps import Config, parse_config, with_lists
from isol8_tasks.config.shipped import FOLDER
from isol8_tasks.errors import ConfigError, Isol8Error, PlanError
from isol8_tasks.run.context import BuildContext, misnamed
from isol8_tasks.run.textfiles import NoTextError, is_utf_16, read_text, too_long
from isol8_tasks.safety.files import PRIVATE, make_folder, refuse_planted, replace
from isol8_tasks.values import ByValue

if TYPE_CHECKING:
    from isol8_tasks.config.client_file import ClientFile
    from isol8_tasks.config.package_list import Load

MANIFEST: Final = "resolved-images.json"
HOME_FILE: Final = "~/.isol8/config.json"
"""As messages name isol8's own file in the user's home."""
OF_ALL: Final = ("Dockerfile", "Dockerfile.dockerignore", ".dockerignore")
"""Files of the build context that every image depends on."""


@frozen(kw_only=True, eq=False, repr=False)
class Workspace(ByValue):
    """A checkout on disk."""

    root: Path
    """The folder with deps.toml, and with docker/ where it is not the one that comes with the package."""
    deps: Path
    """deps.toml, or what ISOL8_DEPS names; the manifest stands beside it."""
    client_files: Mapping[str, Path] = Factory(dict)
    """Where isol8's own file may lie, by the names that messages use; the first that is there counts."""
    is_client_file_named: bool = False
    """ISOL8_CONFIG names it, so it is required."""

    @classmethod
    def here(cls, root: Path, environ: Mapping[str, str]) -> "Workspace":
        """Return the workspace of a checkout's folder."""
        deps = root / (environ.get("ISOL8_DEPS") or "deps.toml")
        given = environ.get("ISOL8_CONFIG")
        if given is not None:
            files = {given: root / given} if given else {}
            return cls(root=root, deps=deps, client_files=files, is_client_file_named=True)
        # As isol8 looks for it (packages/core/src/config.ts).
        beside = deps.with_name("isol8.config.json")
        files = {os.path.relpath(beside, root): beside}
        if home := environ.get("HOME"):
            files[HOME_FILE] = Path(home, ".isol8", "config.json")
        return cls(root=root, deps=deps, client_files=files)

    @property
    def manifest(self) -> Path:
        """Where resolved-images.json is written."""
        return self.deps.parent / MANIFEST

    @property
    def docker(self) -> Path:
        """The build context: docker/ of this folder, else the one that comes with the package."""
        own = self.root / "docker"
        return own if os.path.lexists(own) else FOLDER / "docker"

    def lock_name(self, platform: str = "") -> str:
        """Return the lock's file as messages name it; each of several platforms has its own."""
        return os.path.relpath(self._lock(platform), self.root)

    def _lock(self, platform: str) -> Path:
        part = f".{platform.replace('/', '-')}" if platform else ""
        return self.deps.with_name(f"{self.deps.stem}{part}.lock.toml")

    def read_lock(self, platform: str = "") -> str | None:
        """Return the text of the lock; None if there is none."""
        try:
            return read_text(self._lock(platform))
        except FileNotFoundError:
            return None
        except NoTextError as error:
            raise ConfigError(f"{self.lock_name(platform)}: can't be read {error}") from error

    def write_lock(self, text: str, platform: str = "") -> None:
        """Write the lock, whole or not at all."""
        replace(self._lock(platform), text)

    @property
    def state(self) -> Path:
        """The folder for what can be made again: logs, the lab, doit's database."""
        return self.root / ".isol8"

    @property
    def checkout_id(self) -> str:
        """Name of this checkout for labels: its folder's name and enough of a hash to tell two of that name apart."""
        digest = hashlib.sha256(os.fsencode(self.root.resolve())).hexdigest()[:8]
        return f"{self.root.resolve().name}-{digest}"

    def read_config(self, arguments: Collection[str] | None = None) -> Config:
        """Read deps.toml, which may give the build arguments named here; one that is missing asks for nothing."""
        source = os.path.relpath(self.deps, self.root)
        client_file = self._read_client_file()
        try:
            text = read_text(self.deps)
        except FileNotFoundError:
            if self.deps.is_symlink():
                raise ConfigError(
                    f"{source}: a link to {self.deps.readlink()}, which does not exist; correct it, or remove the link"
                ) from None
            if self.deps == self.root / "deps.toml":
                found = parse_config("", source, client_file=client_file) if client_file else Config()
                return evolve(found, missing=True)
            raise ConfigError(
                f"{source}: not found, though ISOL8_DEPS names it; correct or unset it"
            ) from None
        except NoTextError as error:
            raise ConfigError(f"{source}: can't be read {error}") from error
        found = parse_config(text, source, arguments, client_file)
        return with_lists(found, list_loader(self.deps.parent)) if found.files else found

    def page_file(self, name: str) -> Path | None:
        """Return the file that deps.toml names for the page; None if it names none."""
        return self.deps.parent / name if name else None

    def read_deps(self) -> str:
        """Return the text of deps.toml, its line ends as they are; empty where there is none yet."""
        return self.deps.read_bytes().decode() if self.deps.exists() else ""

    def write_deps(self, text: str) -> None:
        """Write deps.toml, whole or not at all; a link to it stays one."""
        refuse_planted(self.deps)
        replace(self.deps.resolve(), text)

    def _read_client_file(self) -> "ClientFile | None":
        """Read isol8's own file; None if there is none."""
        for source, path in self.client_files.items():
            try:
                text = read_text(path)
            except (FileNotFoundError, NoTextError) as error:
                # isol8 takes what it can't see for absent, in another user's home for one.
                if os.access(path, os.F_OK):
                    raise ConfigError(f"{source}: can't be read {error}") from error
                if self.is_client_file_named:
                    raise ConfigError(
                        f"{source}: not found, though ISOL8_CONFIG names it; correct or unset it"
                    ) from None
                continue
            # Here, since few have one.
            from isol8_tasks.config.client_file import parse_client_file  # noqa: PLC0415

            return parse_client_file(text, source)
        return None

    def read_context(self) -> BuildContext:
        """Return the files below docker/, which are read where something asks for them."""
        context = BuildContext(self.docker)
        if "Dockerfile" not in context:
            if self.docker.exists() and not self.docker.is_dir():
                raise PlanError("docker: not a folder; the base images are built from docker/Dockerfile")
            raise PlanError(
                f"docker/Dockerfile: not found; {misnamed(self.docker) or 'the base images are built from it'}"
            )
        for name in OF_ALL:
            if name in context and (problem := context[name].problem or _no_text(name, context[name].data)):
                raise PlanError(problem)
        return context

    def revision(self) -> str:
        """Return the commit that is checked out; empty where git does not say."""
        try:
            git = self.root / ".git"
            if git.is_file():
                git = (self.root / git.read_text().removeprefix("gitdir:").strip()).resolve()
            head = (git / "HEAD").read_text().strip()
            if not head.startswith("ref:"):
                return head
            reference = head.removeprefix("ref:").strip()
            common = git / "commondir"
            home = (git / common.read_text().strip()).resolve() if common.is_file() else git
            if (home / reference).is_file():
                return (home / reference).read_text().strip()
            packed = (home / "packed-refs").read_text().splitlines()
            return next((line.split()[0] for line in packed if line.endswith(" " + reference)), "")
        except (OSError, ValueError):
            return ""

    def manifest_shows(self, state: str) -> bool:
        """Tell whether the manifest was written for this state, and is still what was written then."""
        try:
            return read_text(self._written) == _note(state, read_text(self.manifest).encode())
        except (OSError, NoTextError):
            return False

    def read_manifest(self) -> str | None:
        """Return the manifest; None where there is none that can be read."""
        try:
            return read_text(self.manifest)
        except (OSError, NoTextError):
            return None

    def write_manifest(self, text: str, state: str) -> str | None:
        """Write the manifest unless it stands there already; return what stood there before."""
        old = self.read_manifest()
        if old != text:
            replace(self.manifest, text)
        # A note that can't be kept only means that the manifest is made once more.
        with contextlib.suppress(OSError, Isol8Error):
            make_folder(self.state)
            replace(self._written, _note(state, text.encode()))
        return old

    @property
    def _written(self) -> Path:
        """Where it is noted for which state the manifest was written, each manifest by itself."""
        digest = hashlib.sha256(os.fsencode(self.manifest.absolute())).hexdigest()[:8]
        return self.state / f"manifest-{digest}"

    def write_log(self, name: str, lines: list[str]) -> str:
        """Keep the whole output of a build, and return its path relative to the checkout; empty where it can't be."""
        folder = self.state / "logs"
        path = folder / f"{name}.log"
        try:
            make_folder(folder)
            # A build may print what it was given, tokens included.
            replace(path, "".join(f"{line}\n" for line in lines), mode=PRIVATE)
        except (OSError, Isol8Error):
            return ""
        return path.relative_to(self.root).as_posix()


def list_loader(folder: Path) -> "Load":
    """Return what reads the text of a package list by its path in a folder; NoListError says why it can't."""
    # Here, since few name one.
    from isol8_tasks.config.package_list import NoListError  # noqa: PLC0415

    def load(path: str) -> str:
        try:
            return read_text(folder / path)
        except FileNotFoundError:
            raise NoListError("not found; correct the name") from None
        except NoTextError as error:
            raise NoListError(f"can't be read {error}") from error

    return load


def _note(state: str, written: bytes) -> str:
    return f"{state} {hashlib.sha256(written).hexdigest()}\n"


def _no_text(name: str, data: bytes) -> str:
    # Of other bytes that are no UTF-8 BuildKit makes what it can, and so does the reader of the Dockerfile.
    if problem := too_long(len(data)):
        return f"docker/{name}: can't be read ({problem}); correct it"
    return f"docker/{name}: can't be read (it is UTF-16); save it as UTF-8" if is_utf_16(data) else ""


def processors() -> int:
    """Return the processors that this process may use, where the system tells."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def now() -> dt.datetime:
    """Return the time, in UTC."""
    return dt.datetime.now(tz=dt.UTC)
