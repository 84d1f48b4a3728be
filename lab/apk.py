"""Alpine's own package manager, run on this machine through musl's loader."""

import shutil
from pathlib import Path

from attrs import Factory, frozen

from lab.tools import run

LOADER = "ld-musl-x86_64.so.1"


@frozen(kw_only=True)
class Package:
    """A package to be made for the repository of the stand-ins."""

    name: str
    version: str
    files: Path
    """A folder laid out as the root that it is installed into."""
    description: str
    depends: str = ""
    provides: str = ""
    scripts: tuple[tuple[str, Path], ...] = ()
    """(what calls it, the script)"""
    triggers: tuple[str, ...] = Factory(tuple)
    compression: int = 1
    """How hard it is packed, 1 to 9; what lies in a repository for few builds is worth more than 1."""

    def arguments(self) -> list[str]:
        """Return what `apk mkpkg` is to be told."""
        info = {
            "name": self.name,
            "version": self.version,
            "arch": "x86_64",
            "description": self.description,
            "license": "custom",
            "origin": self.name,
            "depends": self.depends,
            "provides": self.provides,
        }
        words = [f"--info={key}:{value}" for key, value in info.items() if value]
        words += [f"--script={kind}:{path}" for kind, path in self.scripts]
        words += [f"--trigger={trigger}" for trigger in self.triggers]
        return [*words, "--files", str(self.files)]


@frozen(kw_only=True)
class Apk:
    """A copy of apk with its libraries, and the key that it signs packages with."""

    folder: Path
    key: Path

    @classmethod
    def copied_from(cls, root: Path, folder: Path) -> "Apk":
        """Copy apk, musl and their libraries out of a root file system that is going to be cut down."""
        (folder / "keys").mkdir(parents=True)
        for file in (
            root / f"lib/{LOADER}",
            root / "sbin/apk",
            *root.glob("usr/lib/*.so*"),
            *root.glob("lib/*.so*"),
        ):
            shutil.copy(file, folder)
        return cls(folder=folder, key=folder / "lab.rsa")

    @property
    def public_key(self) -> Path:
        """What an image needs to trust the repository; apk finds it by this name."""
        return self.folder / "keys/lab.rsa.pub"

    def through_loader(self, program: Path, *libraries: Path) -> tuple[str, ...]:
        """Return the command that runs a program for musl on a machine that has no musl."""
        path = ":".join(str(folder) for folder in (*libraries, self.folder))
        return (str(self.folder / LOADER), "--library-path", path, str(program))

    def run(self, *arguments: str) -> str:
        """Run apk to its end and return what it printed."""
        return run([*self.through_loader(self.folder / "apk"), *arguments])

    def make(self, package: Package, repository: Path) -> Path:
        """Make and sign a package, and return its file."""
        file = repository / f"{package.name}-{package.version}.apk"
        self.run(
            *("mkpkg", "--compression", f"deflate:{package.compression}", "--sign-key", str(self.key)),
            *("--output", str(file), *package.arguments()),
        )
        return file

    def index(self, files: list[Path], repository: Path) -> None:
        """Make the signed index of a repository."""
        self.run(
            *("mkndx", "--sign-key", str(self.key), "--keys-dir", str(self.public_key.parent)),
            *("--description", "lab", "--output", str(repository / "APKINDEX.tar.gz")),
            *map(str, sorted(files)),
        )
