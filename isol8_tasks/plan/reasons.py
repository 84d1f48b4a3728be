"""Why an image is stale: a closed set of kinds with data, and their words."""

import datetime as dt
from collections.abc import Callable
from typing import Literal, assert_never

from attrs import frozen

from isol8_tasks.redact import redact
from isol8_tasks.units import duration
from isol8_tasks.updates import Update, updates_in_words

_MINUS = "\N{MINUS SIGN}"
_SHOWN = 60


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
class ManyChanged:
    """Something changed in a list that was too long to be remembered one by one."""

    what: Literal["packages", "files", "arguments", "stages", "upstream images"]


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
    """The image that it stands on was built anew since."""

    parent: str


@frozen(kw_only=True)
class ParentStale:
    """The image that it stands on is about to be built anew."""

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
class OtherCheckout:
    """The image was built last from another checkout."""

    name: str


@frozen(kw_only=True)
class FlagsChanged:
    """Packages are remembered as asked for on the command line, or no longer are."""

    added: tuple[str, ...]
    removed: tuple[str, ...]


@frozen(kw_only=True)
class Unexplained:
    """No input differs, and yet the key does."""


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
ImageReason = Missing | NotOurs | PromotionCutShort | ParentRebuilt | ParentStale | ParentReplaced
NewsReason = PackagesBehind | GrownOld
RunReason = SchemaChanged | Forced | OtherCheckout | FlagsChanged | Unexplained
Reason = FileReason | StepReason | InputReason | ImageReason | NewsReason | RunReason


def render(  # noqa: PLR0911 - one for each family
    reason: Reason,
    *,
    repository: str,
    declaration: Callable[[str], str | None],
    dockerfile: str = "docker/Dockerfile",
) -> str:
    """Return a reason in words.

    `repository` is that of the public tags; `declaration` tells where in deps.toml an image is asked for, if there.
    """
    match reason:
        case FileChanged() | FileModeChanged() | FileAdded() | FileRemoved():
            return _file(reason)
        case StepChanged() | StepRemoved() | StageAdded() | StageRemoved():
            return _step(reason, dockerfile)
        case Missing(image=image, built_before=False) if place := declaration(image):
            return f"declared in {place}, never built"
        case Missing() | NotOurs() | PromotionCutShort() | ParentRebuilt() | ParentStale() | ParentReplaced():
            return _image(reason, repository)
        case PackagesBehind() | GrownOld():
            return _news(reason)
        case SchemaChanged() | Forced() | OtherCheckout() | FlagsChanged() | Unexplained():
            return _run(reason)
        case _:
            return _input(reason)


def _file(reason: FileReason) -> str:
    match reason:
        case FileChanged(path=path):
            return f"{path} changed"
        case FileModeChanged(path=path, executable=executable):
            return f"{path} {'can now' if executable else 'can no longer'} be executed"
        case FileAdded(path=path):
            return f"{path} is new"
        case FileRemoved(path=path):
            return f"{path} is gone"
        case _:
            assert_never(reason)


def _step(reason: StepReason, dockerfile: str) -> str:
    match reason:
        case StepChanged(stage=stage, line=None):
            return f"{dockerfile} changed in stage {stage}"
        case StepChanged(stage=stage, line=line):
            return f"{dockerfile}:{line} changed in stage {stage}"
        case StepRemoved(stage=stage):
            return f"{dockerfile}: a step of stage {stage} is gone"
        case StageAdded(stage=stage):
            return f"{dockerfile}: stage {stage} is new"
        case StageRemoved(stage=stage):
            return f"{dockerfile}: stage {stage} is gone"
        case _:
            assert_never(reason)


def _input(reason: InputReason) -> str:  # noqa: PLR0911 - one for each kind, and the last says that none is left out
    match reason:
        case ArgChanged(name=name, old=old, new=new):
            return f"build argument {name} {_value(old)} → {_value(new)}"
        case UpstreamMoved(reference=reference):
            return f"upstream image {redact(reference)} moved"
        case UpstreamReplaced(old=old, new=new):
            return f"upstream image {redact(old)} → {redact(new)}"
        case UpstreamNotHere(reference=reference):
            return f"upstream image {redact(reference)} is not on this engine"
        case PackagesChanged(added=added, removed=removed):
            return _added_and_removed(added, removed)
        case ManyChanged(what=what):
            return f"{what} changed"
        case SetupChanged():
            return "the setup script changed"
        case RecipeChanged(old=old, new=new):
            return f"built by recipe {old}, now {new}"
        case RuntimeChanged(old=old, new=new):
            return f"runtime {old} → {new}"
        case _:
            assert_never(reason)


def _image(reason: ImageReason, repository: str) -> str:
    match reason:
        case Missing(image=image):
            return f"{repository}:{image} is missing"
        case NotOurs(image=image):
            return f"{repository}:{image} was tagged by something else"
        case PromotionCutShort(image=image):
            return f"{repository}:{image} is not what was built last: a run was cut short, or the tag was moved by hand"
        case ParentRebuilt(parent=parent):
            return f"base {repository}:{parent} was rebuilt"
        case ParentStale(parent=parent):
            return f"base {repository}:{parent} will be rebuilt"
        case ParentReplaced(old=old, new=new):
            return f"base {repository}:{old} → {repository}:{new}"
        case _:
            assert_never(reason)


def _news(reason: NewsReason) -> str:
    match reason:
        case PackagesBehind(updates=updates):
            return updates_in_words(updates)
        case GrownOld(age=age, max_age=max_age):
            return f"built {duration(age)} ago, where [refresh] max_age is {duration(max_age)}"
        case _:
            assert_never(reason)


def _run(reason: RunReason) -> str:
    match reason:
        case SchemaChanged(old=old, new=new):
            return f"labelled in schema {old}, now {new}"
        case Forced():
            return "forced"
        case OtherCheckout(name=name):
            return f"last built from another checkout, {redact(name)}"
        case FlagsChanged(added=added, removed=removed):
            return f"asked for by flags: {_added_and_removed(added, removed)}"
        case Unexplained():
            return "no input differs, yet the key does"
        case _:
            assert_never(reason)


def _value(value: str | None) -> str:
    if value is None:
        return "(unset)"
    shown = " ".join(redact(value).split())
    return (shown if len(shown) <= _SHOWN else f"{shown[: _SHOWN - 1]}…") or '""'


def _added_and_removed(added: tuple[str, ...], removed: tuple[str, ...]) -> str:
    return ", ".join(
        (*(f"+ {redact(each)}" for each in added), *(f"{_MINUS} {redact(each)}" for each in removed))
    )
