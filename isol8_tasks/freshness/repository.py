"""Judges what apk has to say of the packages of an image: what is newer, and what is too new."""

import datetime as dt
from collections.abc import Iterable

from isol8_tasks.config.settings import RefreshSettings
from isol8_tasks.ecosystems.inventory import Package
from isol8_tasks.ecosystems.updates import PackageNews, Pin, Resolution, Update
from isol8_tasks.engine.containers import SandboxEngine
from isol8_tasks.freshness.answers import ApkAnswer
from isol8_tasks.freshness.model import Holdings
from isol8_tasks.freshness.resolvers import AskedIn, ask_apk
from isol8_tasks.images.observed import Observed
from isol8_tasks.plan.model import ImageSpec


def apk_custom_news(
    answer: ApkAnswer, holdings: Holdings, settings: RefreshSettings, now: dt.datetime
) -> PackageNews:
    """Judge what apk would upgrade in an image, as far as it is not the parent's."""
    own = {package.name for package in holdings.own if package.ecosystem == "apk"}
    kept = {package.name for package in holdings.parent if package.ecosystem == "apk"} - own
    changes = ApkAnswer(changes=tuple(each for each in answer.changes if each.name not in kept))
    updates, young = by_age(_apk_updates(changes), settings, now)
    if not updates:
        return PackageNews(young=young)
    versions = {package.name: package.version for package in holdings.own if package.ecosystem == "apk"}
    versions.update((each.name, each.new) for each in (*updates, *young))
    pins = (Pin(ecosystem="apk", name=name, version=version) for name, version in versions.items() if version)
    return PackageNews(updates=updates, young=young, resolution=Resolution(pins=tuple(sorted(pins))))


def apk_base_news(
    answer: ApkAnswer,
    there: frozenset[Package],
    upstream: frozenset[Package],
    settings: RefreshSettings,
    now: dt.datetime,
) -> PackageNews:
    """Judge what apk would upgrade in a base: a package in the version of the upstream image waits until that moves."""
    waits = {package.name for package in there & upstream if package.ecosystem == "apk"}
    found = _apk_updates(answer)
    waiting = tuple(each for each in found if each.name in waits)
    updates, young = by_age(tuple(each for each in found if each.name not in waits), settings, now)
    return PackageNews(updates=updates, young=young, waiting=waiting)


def offered_by_apk(  # noqa: PLR0913 - all but four are named by the caller
    spec: ImageSpec,
    names: Iterable[str],
    observed: Observed,
    engine: SandboxEngine,
    *,
    settings: RefreshSettings,
    now: dt.datetime,
) -> tuple[tuple[Update, ...], tuple[Update, ...]]:
    """Return what would come of Alpine packages on the parent of an image, and what of it is too new.

    Raises SourceUnavailableError as `solved` does.
    """
    place = AskedIn(
        image=observed.public_tag(spec.parent or spec.name),
        ecosystem="apk",
        arguments=dict(spec.args),
        secrets=spec.secrets,
    )
    answer = ask_apk(place, engine, names)
    return by_age(_apk_updates(answer), settings, now)


def by_age(
    updates: Iterable[Update], settings: RefreshSettings, now: dt.datetime
) -> tuple[tuple[Update, ...], tuple[Update, ...]]:
    """Part what is old enough from what is not; what nobody tells the age of is old enough here."""
    old: list[Update] = []
    young: list[Update] = []
    for each in updates:
        age = settings.min_ages.get(each.name, settings.min_age)
        is_young = each.published is not None and each.published > now - age
        (young if is_young else old).append(each)
    return tuple(old), tuple(young)


def _apk_updates(answer: ApkAnswer) -> tuple[Update, ...]:
    return tuple(
        sorted(
            Update(ecosystem="apk", name=each.name, old=each.old, new=each.new, published=each.built)
            for each in answer.changes
        )
    )
