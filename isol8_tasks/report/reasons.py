"""Why an image is stale, in words."""

from collections.abc import Callable
from typing import assert_never

from isol8_tasks.config.releases import releases_of
from isol8_tasks.config.units import duration
from isol8_tasks.ecosystems.updates import updates_in_words
from isol8_tasks.images.references import Reference
from isol8_tasks.plan import reasons
from isol8_tasks.safety.redact import redact

_MINUS = "\N{MINUS SIGN}"
_SHOWN = 60
_OWN_PLATFORM = "the engine's own"


def render_reason(  # noqa: PLR0911, PLR0913 - one for each family; all but one are named by the caller
    reason: reasons.Reason,
    *,
    repository: str,
    declaration: Callable[[str], str | None],
    setting: Callable[[str], str],
    alpine_place: Callable[[str, str], str] = lambda _key, _package: "",
    dockerfile: str = "docker/Dockerfile",
) -> str:
    """Return a reason in words; empty where the image's state says it all.

    `repository` is that of the public tags; `declaration` tells where in deps.toml an image is asked for, if there,
    `setting` where a key of it is set, and `alpine_place` where under `system` or `build` a package is named.
    """
    match reason:
        case reasons.FileChanged() | reasons.FileModeChanged() | reasons.FileAdded() | reasons.FileRemoved():
            return _file(reason)
        case reasons.StepChanged() | reasons.StepRemoved() | reasons.StageAdded() | reasons.StageRemoved():
            return _step(reason, dockerfile)
        case reasons.Missing(image=image, built_before=False) if place := declaration(image):
            return f"declared in {place}, never built"
        case (
            reasons.Missing()
            | reasons.Unreadable()
            | reasons.NotOurs()
            | reasons.PromotionCutShort()
            | reasons.ParentRebuilt()
            | reasons.ParentStale()
            | reasons.ParentReplaced()
        ):
            return _image(reason, repository)
        case reasons.PackagesBehind() | reasons.GrownOld() | reasons.NotAsLocked() | reasons.OlderThanOwn():
            return _news(reason)
        case (
            reasons.SchemaChanged()
            | reasons.Forced()
            | reasons.OtherCheckout()
            | reasons.FlagsChanged()
            | reasons.BuildHashChanged()
            | reasons.Unexplained()
        ):
            return _run(reason)
        case reasons.ArgChanged(name=key, old=old, new=new) if "." in key:
            return f"{setting(key)} {key}: {_setting(key, old or '', new or '')}"
        case reasons.AlpineChanged():
            return _alpine(reason, alpine_place)
        case reasons.PlatformChanged(old=old, new=new):
            return f"platform {old or _OWN_PLATFORM} → {new or _OWN_PLATFORM}"
        case _:
            return _input(reason)


def _alpine(reason: reasons.AlpineChanged, place: Callable[[str, str], str]) -> str:
    key = reason.key
    what = "secret" if key == "secrets" else f"{key} package"
    came = [
        f"{what} {each} added" + (f", {where}" if (where := place(key, each)) else "")
        for each in reason.added
    ]
    return "; ".join((*came, *(f"{what} {each} removed" for each in reason.removed)))


def _file(reason: reasons.FileReason) -> str:
    match reason:
        case reasons.FileChanged(path=path):
            return f"{path} changed"
        case reasons.FileModeChanged(path=path, executable=executable):
            return f"{path} {'is now' if executable else 'is no longer'} executable"
        case reasons.FileAdded(path=path):
            return f"{path} was added"
        case reasons.FileRemoved(path=path):
            return f"{path} was removed"
        case _:
            assert_never(reason)


def _step(reason: reasons.StepReason, dockerfile: str) -> str:
    match reason:
        case reasons.StepChanged(stage=stage, line=None):
            return f"{dockerfile} changed in stage {stage}"
        case reasons.StepChanged(stage=stage, line=line):
            return f"{dockerfile}:{line} changed in stage {stage}"
        case reasons.StepRemoved(stage=stage):
            return f"{dockerfile}: a step of stage {stage} was removed"
        case reasons.StageAdded(stage=stage):
            return f"{dockerfile}: stage {stage} was added"
        case reasons.StageRemoved(stage=stage):
            return f"{dockerfile}: stage {stage} was removed"
        case _:
            assert_never(reason)


def _input(reason: reasons.InputReason) -> str:  # noqa: PLR0911 - one for each kind, and the last says that none is left out
    match reason:
        case reasons.ArgChanged(name=name, old=old, new=new):
            return f"build argument {name} {_value(old)} → {_value(new)}"
        case reasons.UpstreamMoved(reference=reference):
            return f"upstream image {redact(reference)} moved"
        case reasons.UpstreamReplaced(old=old, new=new):
            return f"upstream image {redact(old)} → {redact(new)}"
        case reasons.UpstreamNotHere(reference=reference):
            return f"upstream image {redact(reference)} is not on this engine"
        case reasons.PackagesChanged(added=added, removed=removed):
            return _added_and_removed(added, removed)
        case reasons.ManyChanged(what=what):
            return f"{what} changed"
        case reasons.SetupChanged():
            return "the setup script changed"
        case reasons.RecipeChanged(old=old, new=new):
            return f"this version builds it differently (recipe {old} → {new})"
        case reasons.RuntimeChanged(old=old, new=new):
            return f"runtime {old} → {new}"
        case _:
            assert_never(reason)


def _image(reason: reasons.ImageReason, repository: str) -> str:  # noqa: PLR0911 - one for each kind
    match reason:
        case reasons.Unreadable(problem=problem):
            return f"its {problem}"
        case reasons.Missing(built_before=before):
            # The state `not built` says the rest.
            return "built before, and removed since" if before else ""
        case reasons.NotOurs(image=image):
            return f"{Reference(repository, image)} was tagged by another program"
        case reasons.PromotionCutShort(image=image):
            name = Reference(repository, image)
            return f"{name} is not the last build: a run was interrupted, or the tag was moved by hand"
        case reasons.ParentRebuilt(parent=parent):
            return f"parent {Reference(repository, parent)} was rebuilt"
        case reasons.ParentStale(parent=parent):
            return f"parent {Reference(repository, parent)} will be rebuilt"
        case reasons.ParentReplaced(old=old, new=new):
            return f"parent {Reference(repository, old)} → {Reference(repository, new)}"
        case _:
            assert_never(reason)


def _news(reason: reasons.NewsReason) -> str:
    match reason:
        case reasons.PackagesBehind(updates=updates):
            return updates_in_words(updates)
        case reasons.GrownOld(age=age, max_age=max_age):
            return f"built {duration(age)} ago, longer than [refresh] max_age = {duration(max_age)}"
        case reasons.OlderThanOwn(platform=platform):
            return f"built before the image for {platform}"
        case reasons.NotAsLocked(upstream=upstream, updates=updates):
            moved = [f"{redact(reference)} by its digest" for reference in upstream]
            return (
                f"to match the lock: {', '.join([*moved, *([updates_in_words(updates)] if updates else [])])}"
            )
        case _:
            assert_never(reason)


def _run(reason: reasons.RunReason) -> str:
    match reason:
        case reasons.SchemaChanged(old=old, new=new):
            return f"this version writes other labels (schema {old} → {new})"
        case reasons.Forced():
            return "forced"
        case reasons.OtherCheckout(name=name):
            return f"last built from another checkout, {redact(name)}"
        case reasons.FlagsChanged(added=added, removed=removed):
            return f"packages from flags: {_added_and_removed(added, removed)}"
        case reasons.BuildHashChanged(old=old, new=new):
            return f"label for isol8's own setup: {releases_of(old)} → {releases_of(new)}"
        case reasons.Unexplained():
            return "its inputs changed, but its labels do not say which"
        case _:
            assert_never(reason)


def _setting(key: str, old: str, new: str) -> str:
    """Say what became of a list with commas, or of the one switch."""
    if key == "filter.strict":
        return "true" if new else "false"
    before, now = old.split(","), new.split(",")
    came, went = [each for each in now if each not in before], [each for each in before if each not in now]
    changes = {"added": ", ".join(filter(None, came)), "removed": ", ".join(filter(None, went))}
    return "; ".join(f"{words} {what}" for what, words in changes.items() if words)


def _value(value: str | None) -> str:
    if value is None:
        return "(unset)"
    shown = " ".join(redact(value).split())
    return (shown if len(shown) <= _SHOWN else f"{shown[: _SHOWN - 1]}…") or '""'


def _added_and_removed(added: tuple[str, ...], removed: tuple[str, ...]) -> str:
    return ", ".join(
        (*(f"+ {redact(each)}" for each in added), *(f"{_MINUS} {redact(each)}" for each in removed))
    )
