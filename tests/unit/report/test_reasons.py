"""Reasons are words that someone can act on."""

import datetime as dt
from collections.abc import Mapping
from typing import get_args

import pytest

from isol8_tasks.config.releases import BUILD_HASH_BY_RELEASE
from isol8_tasks.ecosystems.updates import Update
from isol8_tasks.plan import reasons
from isol8_tasks.plan.reasons import Reason
from isol8_tasks.report.reasons import render_reason

UPDATES = tuple(
    Update(ecosystem="pypi", name=name, old=old, new=new)
    for name, old, new in (
        ("numpy", "2.3.1", "2.3.2"),
        ("six", "", "1.17"),
        ("pytz", "2026", ""),
        ("pandas", "3.0", "3.1"),
    )
)
WORDS: Mapping[str, Reason] = {
    "docker/Dockerfile:31 changed in stage bun": reasons.StepChanged(stage="bun", line=31),
    "docker/Dockerfile changed in stage bun": reasons.StepChanged(stage="bun", line=None),
    "docker/Dockerfile: a step of stage bun was removed": reasons.StepRemoved(stage="bun"),
    "docker/Dockerfile: stage tools was added": reasons.StageAdded(stage="tools"),
    "docker/Dockerfile: stage tools was removed": reasons.StageRemoved(stage="tools"),
    "proxy.mjs changed": reasons.FileChanged(path="proxy.mjs"),
    "run.sh is now executable": reasons.FileModeChanged(path="run.sh", executable=True),
    "run.sh is no longer executable": reasons.FileModeChanged(path="run.sh", executable=False),
    "proxy.mjs was added": reasons.FileAdded(path="proxy.mjs"),
    "proxy.mjs was removed": reasons.FileRemoved(path="proxy.mjs"),
    "build argument BUN_VERSION 1.4.4 → 1.4.5": reasons.ArgChanged(name="BUN_VERSION", old="1.4.4", new="1.4.5"),
    'build argument A (unset) → ""': reasons.ArgChanged(name="A", old=None, new=""),
    "build argument A https://***@h/ → b": reasons.ArgChanged(name="A", old="https://u:p@h/", new="b"),
    f"build argument A {'x' * 59}… → a b": reasons.ArgChanged(name="A", old="x" * 61, new="a\n\tb"),
    "upstream image alpine:3.21 moved": reasons.UpstreamMoved(reference="alpine:3.21"),
    "upstream image alpine:3.21 → alpine:3.22": reasons.UpstreamReplaced(old="alpine:3.21", new="alpine:3.22"),
    "upstream image alpine:3.21 is not on this engine": reasons.UpstreamNotHere(reference="alpine:3.21"),
    "+ scipy, \N{MINUS SIGN} pandas": reasons.PackagesChanged(added=("scipy",), removed=("pandas",)),
    "secret pip added; secret npm removed": reasons.AlpineChanged(
        key="secrets", added=("pip",), removed=("npm",)
    ),
    "system package jq added, deps.toml:8; system package curl removed": reasons.AlpineChanged(
        key="system", added=("jq",), removed=("curl",)
    ),
    "packages changed": reasons.ManyChanged(what="packages"),
    "the setup script changed": reasons.SetupChanged(),
    "this version builds it differently (recipe 3 → 4)": reasons.RecipeChanged(old=3, new=4),
    "runtime python → node": reasons.RuntimeChanged(old="python", new="node"),
    "its label org.isol8.tasks.flags is not JSON": reasons.Unreadable(
        problem="label org.isol8.tasks.flags is not JSON"
    ),
    "built before, and removed since": reasons.Missing(image="node"),
    "isol8:bun was tagged by another program": reasons.NotOurs(image="bun"),
    "isol8:bun is not the last build: a run was interrupted, or the tag was moved by hand": (
        reasons.PromotionCutShort(image="bun")
    ),
    "parent isol8:python was rebuilt": reasons.ParentRebuilt(parent="python"),
    "parent isol8:python will be rebuilt": reasons.ParentStale(parent="python"),
    "built before the image for linux/amd64": reasons.OlderThanOwn(platform="linux/amd64"),
    "parent isol8:ml → isol8:python": reasons.ParentReplaced(old="ml", new="python"),
    "declared in deps.toml:5, never built": reasons.Missing(image="ml", built_before=False),
    "": reasons.Missing(image="bash-custom", built_before=False),
    "this version writes other labels (schema 1 → 2)": reasons.SchemaChanged(old=1, new=2),
    "numpy 2.3.1 → 2.3.2, + six 1.17, \N{MINUS SIGN} pytz 2026, 1 more": reasons.PackagesBehind(updates=UPDATES),
    "built 9 days ago, longer than [refresh] max_age = 7 days": (
        reasons.GrownOld(age=dt.timedelta(days=9), max_age=dt.timedelta(days=7))
    ),
    "to match the lock: alpine:3.21 by its digest, numpy 2.3.1 → 2.3.2": (
        reasons.NotAsLocked(upstream=("alpine:3.21",), updates=UPDATES[:1])
    ),
    "forced": reasons.Forced(),
    "last built from another checkout, host:clone": reasons.OtherCheckout(name="host:clone"),
    "packages from flags: + numpy, \N{MINUS SIGN} scipy": reasons.FlagsChanged(added=("numpy",), removed=("scipy",)),
    "label for isol8's own setup: 0123456789ab → isol8 0.11.0 to 0.17.0": (
        reasons.BuildHashChanged(old="0123456789ab" + "c" * 52, new=BUILD_HASH_BY_RELEASE["0.14.7"])
    ),
    "label for isol8's own setup: none → isol8 0.20.0": (
        reasons.BuildHashChanged(old="", new=BUILD_HASH_BY_RELEASE["0.20.0"])
    ),
    "platform the engine's own → linux/arm64": reasons.PlatformChanged(old="", new="linux/arm64"),
    "its inputs changed, but its labels do not say which": reasons.Unexplained(),
}  # fmt: skip


def declaration(image: str) -> str | None:
    return "deps.toml:5" if image == "ml" else None


def alpine_place(key: str, package: str) -> str:
    return "deps.toml:8" if (key, package) == ("system", "jq") else ""


def setting(key: str) -> str:
    return "deps.toml" if key == "filter.allow_nets" else "deps.toml:7"


@pytest.mark.parametrize(
    ("words", "reason"), WORDS.items(), ids=[type(each).__name__ for each in WORDS.values()]
)
def test_words(words: str, reason: Reason) -> None:
    """Each kind of reason has its words."""
    said = render_reason(
        reason,
        repository="isol8",
        declaration=declaration,
        setting=setting,
        alpine_place=alpine_place,
    )
    assert said == words


def test_alpine_package_of_no_known_place() -> None:
    """Where nobody knows the line, the words do without."""
    reason = reasons.AlpineChanged(key="build", added=("build-base",), removed=())
    said = render_reason(reason, repository="isol8", declaration=declaration, setting=setting)
    assert said == "build package build-base added"


def test_platform_that_is_no_longer_declared() -> None:
    """The engine's own takes its place."""
    reason = reasons.PlatformChanged(old="linux/arm64", new="")
    said = render_reason(reason, repository="isol8", declaration=declaration, setting=setting)
    assert said == "platform linux/arm64 → the engine's own"


def test_one_thing_that_is_not_as_locked() -> None:
    """What is as locked is not told of."""
    moved = reasons.NotAsLocked(upstream=("alpine:3.21",))
    assert (
        render_reason(moved, repository="isol8", declaration=declaration, setting=setting)
        == "to match the lock: alpine:3.21 by its digest"
    )
    other = reasons.NotAsLocked(updates=UPDATES[:1])
    assert (
        render_reason(other, repository="isol8", declaration=declaration, setting=setting)
        == "to match the lock: numpy 2.3.1 → 2.3.2"
    )


def test_no_kind_without_words() -> None:
    """The table above has every kind."""
    assert {type(each) for each in WORDS.values()} == set(get_args(Reason))


def test_other_names() -> None:
    """Repository and Dockerfile are called what they are called here."""
    assert (
        render_reason(
            reasons.ParentRebuilt(parent="bun"), repository="test", declaration=declaration, setting=setting
        )
        == "parent test:bun was rebuilt"
    )
    step = reasons.StepChanged(stage="bun", line=2)
    assert (
        render_reason(step, repository="isol8", declaration=declaration, setting=setting, dockerfile="D")
        == "D:2 changed in stage bun"
    )


@pytest.mark.parametrize(
    ("key", "old", "new", "words"),
    [
        ("allow_ports", None, "8080", "deps.toml:7 filter.allow_ports: 8080 added"),
        ("allow_ports", "1,80", "80,443,9", "deps.toml:7 filter.allow_ports: 443, 9 added; 1 removed"),
        ("allow_nets", "10.0.0.0/8", None, "deps.toml filter.allow_nets: 10.0.0.0/8 removed"),
        ("strict", None, "1", "deps.toml:7 filter.strict: true"),
        ("strict", "1", None, "deps.toml:7 filter.strict: false"),
    ],
)
def test_a_setting_of_the_filter(key: str, old: str | None, new: str | None, words: str) -> None:
    """It is told by file, line and key, and of a list only what came and went."""
    reason = reasons.ArgChanged(name=f"filter.{key}", old=old, new=new)
    assert render_reason(reason, repository="isol8", declaration=declaration, setting=setting) == words
