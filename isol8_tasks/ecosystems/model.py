"""What a runtime and an ecosystem of packages are: a field for everything that differs between them."""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Final, Literal

from attrs import frozen

from isol8_tasks.values import ByValue


@frozen(eq=False, repr=False)
class Program(ByValue):
    """A file of a package that is run in a container."""

    package: str
    name: str

    def text(self) -> str:
        """Return what is in it."""
        from importlib.resources import files  # noqa: PLC0415 - a run with nothing to do runs none

        return (files(self.package) / self.name).read_text(encoding="utf-8")


@frozen(kw_only=True, eq=False, repr=False)
class DownloadCache(ByValue):
    """How an installer keeps what it downloads in CACHE_FOLDER, a folder that the builder keeps from build to build."""

    plain: tuple[str, str]
    """A text in the command of a custom image's Dockerfile, and what takes its place."""
    end: str = ""
    """What follows that command."""
    locked: tuple[str, str] = ("", "")
    """The same as `plain` in the script that installs from a lock; without it a lock's packages are downloaded, as the
    installer holds no hash against what it has kept."""
    program: Program | None = None
    """A program of Python's that runs the installer: it stands for `{program}` in both."""
    is_shared: bool = False
    """Several builds may use it at one time."""


SECRETS_FOLDER: Final = "/dev/shm"  # noqa: S108 - in a container
"""Where builds and package tools find secrets, by their names; in memory, so that no layer has a trace of it."""
CACHE_FOLDER: Final = "/mnt"
"""Alpine has it, and it is empty: a layer shows no trace of what the builder mounts there."""


@frozen(kw_only=True, eq=False, repr=False)
class Ecosystem(ByValue):
    """Packages of one kind: what they are called, and in what they differ from those of other ecosystems."""

    name: str
    """Of the ecosystem in runtimes, locks and inventories: `pypi`."""
    read: Callable[[str], tuple[str, str]]
    """Gives the canonical name and what follows it (version, extras, path; in its own canonical form)."""
    forms: str
    """What the installer takes, with one example; the end of every message about a spec it doesn't take."""
    inventory: tuple[str, ...]
    """The ecosystems of what it installs, as an inventory names them: Deno's packages are npm's, too."""
    module: str
    """The module that is its PackageVerification."""
    source: Literal["index", "registry", "repository", ""] = ""
    """Who is asked for newer versions: a Python index, npm's registry, Alpine's repositories; empty: nobody can be."""
    spellings: bool = False
    """The name of a package can be spelled in several ways."""
    secrets: str = ""
    """A regular expression for the secrets that its tools read: variables, as `$PIP_INDEX_URL`, and kinds of files."""
    failures: tuple[tuple[str, str], ...] = ()
    """What an installer's last lines come to in plain words, by a regular expression: the first that fits counts, and
    its groups go into the words."""
    one_version: bool = False
    """An image has no package of it in two versions."""
    locations: frozenset[str] = frozenset()
    """Build arguments that say where its packages are fetched from; each build of a custom image gets them."""

    @property
    def is_dated(self) -> bool:
        """Whether its source has older versions, too, and says when each was published."""
        return self.source in {"index", "registry"}


@frozen(kw_only=True, eq=False, repr=False)
class Runtime(ByValue):
    """One runtime of isol8: a stage of docker/Dockerfile, and how packages are installed on it."""

    name: str
    """The stage, the public tag and the value of isol8's own label."""
    packages: str
    """What can be installed on it, and how: the beginning of the help of its flag."""
    recipe: int
    """Version of how this project builds images of this runtime; raising it makes them stale, and says so."""
    install: tuple[str, ...]
    """The command that the packages of a custom image are appended to, word for word the specification's."""
    compiles: bool = False
    """Its packages may be compiled while they are installed."""
    compiled: str = ""
    """A step behind the packages where there is a compiler, for what the installer did not compile by itself."""
    one_by_one: bool = False
    """Each package has a command of its own, as packages of one command share versions."""
    ecosystem: str
    """Whose packages they are: a name in ECOSYSTEMS."""
    asks: str = ""
    """What runs programs/registry.mjs, by which npm's registry is asked with the runtime's own tool."""
    tool: str = ""
    """What that program resolves packages with; `npm` reads package.json, and the others take specs as they are."""
    release: tuple[str, str] | None = None
    """The build arguments for one release of it, which npm's registry has, and for the release's SHA-256."""
    lock: str = ""
    """The module of its LockFile, which packages are installed from; empty: they are installed again, and compared."""
    least_age: dt.timedelta = dt.timedelta()
    """How long a version has to be out before the runtime's own tool takes it, unless a lock names it."""
    file: str
    """Where clients write code for it, today."""
    command: tuple[str, ...]
    """What clients run the file with; `{file}` stands for it."""
    inline: tuple[str, ...] = ()
    """What newer clients run code with that needs no file, `{code}`; empty: they always write one."""
    before_words: tuple[str, ...] = ()
    """What stands between code on the command line and its words."""
    programs: Mapping[str, str]
    """By the ending of its file, a program that prints 42; each is written as only such files can be."""
    probe: Program
    """What looks for the packages in an image."""
    answers: Literal["json", "modules", "sections"]
    """How its probe tells of packages: among the items of one object of JSON; not at all, as a program for each
    imports it; or, behind `42 VERSION`, in a section of the answer for each."""
    unpackaged: bool = False
    """Its program is none of Alpine's packages."""
    patience: tuple[str, ...] = ()
    """Build arguments by which the installer does not try for minutes what nobody answers, as `PIP_RETRIES=2`, and
    writes the same files each time."""
    leaves: tuple[str, ...] = ()
    """What the installer leaves behind that nothing needs and that is another each time: logs, caches with times."""
    download_cache: DownloadCache | None = None
    """None: its installer keeps nothing apart from what it installs."""
    tidy: str = ""
    """A step behind the packages, which takes back what their installer does not keep to."""
    locations: frozenset[str] = frozenset()
    """Build arguments that say where its base image fetches from."""

    def patiently(self, dockerfile: str) -> str:
        """Return the Dockerfile of a custom image with `patience` behind its first line, which is its FROM."""
        first, _, rest = dockerfile.partition("\n")
        return f"{first}\nARG {' '.join(self.patience)}\n{rest}" if self.patience else dockerfile
