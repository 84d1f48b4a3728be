"""Why an image is stale: a closed set of kinds with data."""

import datetime as dt
from typing import Literal

from attrs import frozen

from isol8_tasks.ecosystems.updates import Update

Lists = Literal[
    "packages",
    "files",
    "arguments",
    "stages",
    "upstream images",
    "system packages",
    "build packages",
    "secrets",
]
"""What an image remembers one by one, as long as its label has room for it."""


@frozen(kw_only=True)
class StepChanged:
    """A step of the Dockerfile is new or reads differently; the first such in its stage."""

    stage: str
    line: int | None
    """Where it stands now; None where only the stage as a whole was remembered."""


@frozen(kw_only=True)
class StepRemoved:
    """A step of the Dockerfile is gone, and all others are as they were."""

    stage: str


@frozen(kw_only=True)
class StageAdded:
    """The image is built of one more stage."""

    stage: str


@frozen(kw_only=True)
class StageRemoved:
    """The image is no longer built of a stage."""

    stage: str


@frozen(kw_only=True)
class FileChanged:
    """A file that is copied has another content."""

    path: str


@frozen(kw_only=True)
class FileModeChanged:
    """A file that is copied can be executed, or no longer can."""

    path: str
    executable: bool


@frozen(kw_only=True)
class FileAdded:
    """One more file is copied."""

    path: str


@frozen(kw_only=True)
class FileRemoved:
    """A file is no longer copied."""

    path: str


@frozen(kw_only=True)
class ArgChanged:
    """A build argument has another value; None where it has none."""

    name: str
    old: str | None
    new: str | None


@frozen(kw_only=True)
class UpstreamMoved:
    """The reference of an upstream image names another image than it did."""

    reference: str


@frozen(kw_only=True)
class UpstreamReplaced:
    """The image is built on another upstream image."""

    old: str
    new: str


@frozen(kw_only=True)
class UpstreamNotHere:
    """An upstream image is not on the engine, so nobody knows which one it would be."""

    reference: str


@frozen(kw_only=True)
class PackagesChanged:
    """Packages came or went."""

    added: tuple[str, ...]
    removed: tuple[str, ...]


@frozen(kw_only=True)
class AlpineChanged:
    """Alpine packages of a key of deps.toml came or went, or names of secrets."""

    key: Literal["system", "build", "secrets"]
    added: tuple[str, ...]
    removed: tuple[str, ...]


@frozen(kw_only=True)
class ManyChanged:
    """Something changed in a list that was too long to be remembered one by one."""

    what: Lists


@frozen(kw_only=True)
class SetupChanged:
    """The setup script is another one."""


@frozen(kw_only=True)
class RecipeChanged:
    """This tool builds images of the runtime in another way."""

    old: int
    new: int


@frozen(kw_only=True)
class RuntimeChanged:
    """The image is one of another runtime."""

    old: str
    new: str


@frozen(kw_only=True)
class PlatformChanged:
    """It is built for another platform; empty for the engine's own."""

    old: str
    new: str


@frozen(kw_only=True)
class SchemaChanged:
    """The labels were written by another version of this tool, in another form."""

    old: int
    new: int


@frozen(kw_only=True)
class Missing:
    """There is no such image."""

    image: str
    built_before: bool = True
    """There was one that is ours, as far as the engine knows."""


@frozen(kw_only=True)
class Unreadable:
    """The image carries our labels, and one of them can't be read, so it does not count as ours."""

    problem: str
    """Which label, and why."""


@frozen(kw_only=True)
class NotOurs:
    """The image under the public tag is not the one that was promoted."""

    image: str


@frozen(kw_only=True)
class PromotionCutShort:
    """The public tag is on an older build of ours than the last.

    A run was ended between building the image and giving it the tag, or somebody moved the tag.
    """

    image: str


@frozen(kw_only=True)
class ParentRebuilt:
    """The image that it is based on was rebuilt since."""

    parent: str


@frozen(kw_only=True)
class ParentStale:
    """The image that it is based on is about to be rebuilt."""

    parent: str


@frozen(kw_only=True)
class ParentReplaced:
    """It was built on another image of ours."""

    old: str
    new: str


@frozen(kw_only=True)
class Forced:
    """Somebody asked for it."""


@frozen(kw_only=True)
class PackagesBehind:
    """Package sources have newer versions than it has."""

    updates: tuple[Update, ...]


@frozen(kw_only=True)
class GrownOld:
    """It was built longer ago than deps.toml lets an image get."""

    age: dt.timedelta
    max_age: dt.timedelta


@frozen(kw_only=True)
class OlderThanOwn:
    """It was built before the image for the engine's own platform, which it follows."""

    platform: str


@frozen(kw_only=True)
class OtherCheckout:
    """The image was built last from another checkout."""

    name: str


@frozen(kw_only=True)
class FlagsChanged:
    """Packages are remembered as asked for on the command line, or no longer are."""

    added: tuple[str, ...]
    removed: tuple[str, ...]


@frozen(kw_only=True)
class BuildHashChanged:
    """The label that isol8's own setup looks at is of another release."""

    old: str
    new: str


@frozen(kw_only=True)
class Unexplained:
    """No input differs, and yet the key does."""


@frozen(kw_only=True)
class NotAsLocked:
    """The lock has it of something else, and only what is in the lock is wanted."""

    upstream: tuple[str, ...] = ()
    """References of the upstream images that it has of another digest."""
    updates: tuple[Update, ...] = ()
    """What would be different in it."""


FileReason = FileChanged | FileModeChanged | FileAdded | FileRemoved
StepReason = StepChanged | StepRemoved | StageAdded | StageRemoved
InputReason = (
    ArgChanged
    | UpstreamMoved
    | UpstreamReplaced
    | UpstreamNotHere
    | PackagesChanged
    | ManyChanged
    | SetupChanged
    | RecipeChanged
    | RuntimeChanged
)
ImageReason = (
    Missing | Unreadable | NotOurs | PromotionCutShort | ParentRebuilt | ParentStale | ParentReplaced
)
NewsReason = PackagesBehind | GrownOld | NotAsLocked | OlderThanOwn
RunReason = SchemaChanged | Forced | OtherCheckout | FlagsChanged | BuildHashChanged | Unexplained
Reason = (
    FileReason
    | StepReason
    | InputReason
    | AlpineChanged
    | PlatformChanged
    | ImageReason
    | NewsReason
    | RunReason
)
