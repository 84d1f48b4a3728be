"""What the package sources of an image have that it does not, and exactly what a build would install.

The ecosystem's own tool resolves the packages in the image that they are installed on, so that what is noticed is
what a build comes to.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from itertools import groupby, zip_longest

from attrs import evolve

from isol8_tasks.config.settings import RefreshSettings
from isol8_tasks.ecosystems.inventory import Package
from isol8_tasks.ecosystems.runtimes import RUNTIMES, ecosystem_of, has_one_version, release_args
from isol8_tasks.ecosystems.specs import parse_spec
from isol8_tasks.ecosystems.updates import PackageNews, Pin, Resolution, Update
from isol8_tasks.engine.containers import SandboxEngine
from isol8_tasks.errors import COMMAND, Isol8Error, SourceUnavailableError
from isol8_tasks.freshness.answers import Answer, Solution
from isol8_tasks.freshness.model import Holdings
from isol8_tasks.freshness.repository import apk_base_news, apk_custom_news, by_age
from isol8_tasks.freshness.resolvers import AskedIn, Question, ask, ask_apk, ask_release, upstream_packages
from isol8_tasks.images.observed import Observed
from isol8_tasks.plan.model import ImageSpec


def package_news(
    spec: ImageSpec,
    observed: Observed,
    engine: SandboxEngine,
    *,
    settings: RefreshSettings,
    now: dt.datetime,
) -> PackageNews:
    """Return what is newer of an image's packages, and what a build has to install for it.

    Of an image that is not there, all packages are; the one that it is based on has to be.
    May be called from several threads.

    Raises:
        SourceUnavailableError: a source can't be asked, or does not tell what has to be known.

    """
    holdings = _holdings(spec, observed)
    settings = _raised(settings, RUNTIMES[spec.runtime].least_age)
    if spec.parent is None:
        return _base_news(spec, observed, engine, settings=settings, now=now)
    packages = spec.inputs.packages
    of_alpine = ecosystem_of(spec.runtime).source == "repository"
    alpine = PackageNews()
    if (spec.inputs.system or (packages and of_alpine)) and observed.record(spec.name):
        answer = ask_apk(_place_of(spec, observed, "apk"), engine)
        alpine = apk_custom_news(answer, holdings, settings, now)
    if not packages or of_alpine:
        return alpine
    question = _limited(_question(spec, observed, holdings), spec, settings, now)
    news = registry_news(ask(question, engine), holdings, question)
    return evolve(
        news,
        updates=tuple(sorted((*news.updates, *alpine.updates))),
        young=tuple(sorted((*news.young, *alpine.young))),
        least_age=RUNTIMES[spec.runtime].least_age,
    )


def asked_in(spec: ImageSpec) -> frozenset[str]:
    """Return the names of the images in which the package sources of an image are asked."""
    if spec.parent is None:
        return frozenset({spec.name})
    of_alpine = ecosystem_of(spec.runtime).source == "repository"
    packages = spec.inputs.packages
    own = {spec.name} if spec.inputs.system or (packages and of_alpine) else set[str]()
    return frozenset(own | ({spec.parent} if packages and not of_alpine else set()))


def aged_resolution(
    spec: ImageSpec, observed: Observed, engine: SandboxEngine, *, settings: RefreshSettings, now: dt.datetime
) -> Resolution | None:
    """Return what a build installs of what has been out long enough, whatever the image has by now.

    None where nobody can say so: of an image without packages, and where sources have one version at a time.

    Raises:
        SourceUnavailableError: a source can't be asked, or does not tell what has to be known.

    """
    if spec.parent is None or not spec.inputs.packages or not ecosystem_of(spec.runtime).is_dated:
        return None
    answer = solved(spec, spec.inputs.packages, observed, engine, settings=settings, now=now)
    if answer.found is None:
        raise SourceUnavailableError(
            f"{observed.public_tag(spec.parent)}: {' '.join(spec.inputs.packages)} can only be resolved with versions "
            f"younger than [refresh] min_age: {answer.failure}"
        )
    return _resolution(answer.found, recorded_packages(spec.parent, observed))


def solved(  # noqa: PLR0913 - all but four are named by the caller
    spec: ImageSpec,
    packages: tuple[str, ...],
    observed: Observed,
    engine: SandboxEngine,
    *,
    settings: RefreshSettings,
    now: dt.datetime,
) -> Answer:
    """Return what a build would install of these packages, whatever the image has by now.

    Raises:
        SourceUnavailableError: a source can't be asked, or does not tell what has to be known.

    """
    holdings = _holdings(spec, observed)
    settings = _raised(settings, RUNTIMES[spec.runtime].least_age)
    # What it is to have may be other packages than it has: all of them are looked at.
    question = evolve(
        _limited(_question(spec, observed, holdings), spec, settings, now), own=(), specs=packages
    )
    answer = ask(question, engine)
    registry_news(answer, holdings, question)
    return answer


def installed_resolution(spec: ImageSpec, observed: Observed, engine: SandboxEngine) -> Resolution:
    """Return what an image has of its own as exact pins, in the form that it can be built from again.

    Raises:
        SourceUnavailableError: a source can't be asked, or has not any more what is installed.

    """
    holdings = _holdings(spec, observed)
    ecosystems = ecosystem_of(spec.runtime).inventory
    own = [package for package in holdings.own if package.ecosystem in ecosystems]
    if not spec.inputs.packages or not RUNTIMES[spec.runtime].lock:
        return Resolution(pins=tuple(_pin(each) for each in own))
    question = evolve(_question(spec, observed, holdings), only=True)
    answer = ask(question, engine)
    image = observed.public_tag(spec.name)
    if answer.found is None:
        raise SourceUnavailableError(
            f"{image}: the installed versions can't be resolved again: {answer.failure}"
        )
    expected = outcome(answer.found, holdings.parent)
    if other := package_updates(_relevant(holdings.there, ecosystems), _relevant(expected, ecosystems)):
        raise SourceUnavailableError(
            f"{image}: its package source now gives {other[0].name} {other[0].new or '(none)'}, and "
            f"{other[0].old or 'none'} is installed; rebuild it: {COMMAND} setup"
        )
    return _resolution(answer.found, holdings.parent)


def registry_news(answer: Answer, holdings: Holdings, question: Question) -> PackageNews:
    """Judge what an index or a registry had to say of an image."""
    if answer.settled:
        return PackageNews()
    if answer.found is None and answer.newest is None:
        raise SourceUnavailableError(
            f"{question.image}: {' '.join(question.specs)} can't be resolved: {answer.failure}"
        )
    ecosystems = ecosystem_of(question.runtime).inventory
    there = _relevant(holdings.there, ecosystems)
    # Where only what is too new fits together, nothing can be accepted yet.
    expected = _relevant(outcome(answer.found, holdings.parent), ecosystems) if answer.found else there
    updates = _dated(package_updates(there, expected), answer.found)
    young: tuple[Update, ...] = ()
    if answer.newest is not None:
        young = _dated(
            package_updates(expected, _relevant(outcome(answer.newest, holdings.parent), ecosystems)),
            answer.newest,
        )
    for each in young:
        if Package(ecosystem=each.ecosystem, name=each.name, version=each.new) in answer.untold:
            raise SourceUnavailableError(
                f"{each.name} {each.new}: its package source does not say when it was published, so min_age can't be "
                f'applied; write min_ages = {{ "{each.name}" = "0" }} under [refresh] to accept it at once'
            )
    return PackageNews(
        updates=updates,
        young=young,
        resolution=_resolution(answer.found, holdings.parent) if updates and answer.found else None,
    )


def outcome(solution: Solution, parent: frozenset[Package]) -> frozenset[Package]:
    """Return what an image has once a solution is installed on its parent."""
    pins = frozenset(pin.package for pin in solution.pins)
    replaced = {(pin.ecosystem, pin.name) for pin in pins if has_one_version(pin.ecosystem)}
    kept = (each for each in parent - set(solution.gone) if (each.ecosystem, each.name) not in replaced)
    return pins.union(kept)


def package_updates(old: Iterable[Package], new: Iterable[Package]) -> tuple[Update, ...]:
    """Return what is other, each version that goes beside one that comes."""
    before, after = frozenset(old), frozenset(new)
    updates = []
    for (ecosystem, name), group in groupby(
        sorted(before ^ after), key=lambda each: (each.ecosystem, each.name)
    ):
        changed = list(group)
        gone = [each.version for each in changed if each in before]
        come = [each.version for each in changed if each in after]
        updates += [
            Update(ecosystem=ecosystem, name=name, old=one, new=other)
            for one, other in zip_longest(gone, come, fillvalue="")
        ]
    return tuple(sorted(updates))


def other_versions(old: Iterable[Package], new: Iterable[Package]) -> tuple[Update, ...]:
    """Return what is other of the packages that both have, in whatever version."""
    before, after = frozenset(old), frozenset(new)
    names = {(each.ecosystem, each.name) for each in before} & {(each.ecosystem, each.name) for each in after}
    return package_updates(
        *({each for each in found if (each.ecosystem, each.name) in names} for found in (before, after))
    )


def _base_news(
    spec: ImageSpec, observed: Observed, engine: SandboxEngine, *, settings: RefreshSettings, now: dt.datetime
) -> PackageNews:
    answer = ask_apk(_place_of(spec, observed, "apk"), engine)
    there = _holdings(spec, observed).there
    upstream: frozenset[Package] = frozenset()
    if answer.changes:
        upstream = upstream_packages((reference for reference, _ in spec.inputs.upstream), engine)
    news = apk_base_news(answer, there, upstream, settings, now)
    # As deps.toml or the Dockerfile itself has it.
    release = RUNTIMES[spec.runtime].release
    if release is None or {**dict(spec.inputs.args), **dict(spec.args)}.get(release[0]):
        return news
    place = _place_of(spec, observed, RUNTIMES[spec.runtime].ecosystem)
    found = ask_release(spec.runtime, place, engine).found
    current = {package for package in there if release_args(package.ecosystem, package.name)}
    expected = frozenset(pin.package for pin in (found.pins if found else ()))
    updates, young = by_age(_dated(package_updates(current, expected), found), settings, now)
    return evolve(
        news,
        updates=tuple(sorted((*news.updates, *updates))),
        young=tuple(sorted((*news.young, *young))),
    )


def _holdings(spec: ImageSpec, observed: Observed) -> Holdings:
    parent = recorded_packages(spec.parent, observed) if spec.parent else frozenset[Package]()
    # Of an image that is not there, all that it is to have is new.
    there = recorded_packages(spec.name, observed) if observed.record(spec.name) else parent
    return Holdings(there=there, parent=parent)


def recorded_packages(name: str, observed: Observed) -> frozenset[Package]:
    """Return what is in an image; Isol8Error for one that nobody looked into."""
    found = observed.inventory(name)
    if found is None:
        raise Isol8Error(f"{observed.public_tag(name)} has no inventory; rebuild it: {COMMAND} setup --force")
    return frozenset(found[1])


def _question(spec: ImageSpec, observed: Observed, holdings: Holdings) -> Question:
    return Question(
        runtime=spec.runtime,
        image=observed.public_tag(spec.parent or spec.name),
        specs=spec.inputs.packages,
        alpine=(*spec.inputs.system, *spec.inputs.build),
        arguments=dict(spec.args),
        secrets=spec.secrets,
        installed=tuple(sorted(holdings.there)),
        own=holdings.own,
    )


def _place_of(spec: ImageSpec, observed: Observed, ecosystem: str) -> AskedIn:
    return AskedIn(
        image=observed.public_tag(spec.name),
        ecosystem=ecosystem,
        arguments=dict(spec.args),
        secrets=spec.secrets,
    )


def _limited(question: Question, spec: ImageSpec, settings: RefreshSettings, now: dt.datetime) -> Question:
    return evolve(question, cutoff=_cutoff(settings.min_age, now), cutoffs=_cutoffs(spec, settings, now))


def _raised(settings: RefreshSettings, least: dt.timedelta) -> RefreshSettings:
    """Return settings by which nothing is accepted that clients, who have no lock, would not find in the image."""
    ages = {name: max(age, least) for name, age in settings.min_ages.items()}
    return evolve(settings, min_age=max(settings.min_age, least), min_ages=ages)


def _cutoff(age: dt.timedelta, now: dt.datetime) -> dt.datetime | None:
    return now - age if age else None


def _cutoffs(
    spec: ImageSpec, settings: RefreshSettings, now: dt.datetime
) -> Mapping[str, dt.datetime | None]:
    """Return the moments for single packages, by the names that the ecosystem has for them."""
    ecosystem = ecosystem_of(spec.runtime)
    return {
        parse_spec(ecosystem.name, name).name if ecosystem.spellings else name: _cutoff(age, now)
        for name, age in settings.min_ages.items()
    }


def _resolution(solution: Solution, parent: frozenset[Package]) -> Resolution:
    pins = tuple(pin for pin in solution.pins if pin.package not in parent)
    return Resolution(pins=pins, lockfile=solution.lockfile)


def _relevant(packages: Iterable[Package], ecosystems: Iterable[str]) -> frozenset[Package]:
    """Leave out what has no versions: modules by their URL are what their URL says."""
    return frozenset(each for each in packages if each.ecosystem in ecosystems and each.version)


def _dated(updates: tuple[Update, ...], solution: Solution | None) -> tuple[Update, ...]:
    published = solution.published if solution else {}
    return tuple(
        evolve(
            each,
            published=published.get(Package(ecosystem=each.ecosystem, name=each.name, version=each.new)),
        )
        for each in updates
    )


def _pin(package: Package) -> Pin:
    return Pin(ecosystem=package.ecosystem, name=package.name, version=package.version)
