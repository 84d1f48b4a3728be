"""Asks the sources of all images, side by side, what they have that is newer."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, Protocol

from attrs import evolve, frozen

from isol8_tasks.config.settings import RefreshSettings
from isol8_tasks.ecosystems.updates import PackageNews
from isol8_tasks.errors import EngineUnreachableError, Isol8Error
from isol8_tasks.freshness.alpine import unsupported
from isol8_tasks.freshness.model import Freshness, Moved
from isol8_tasks.images.holds import Hold
from isol8_tasks.images.observed import Observed, short_digest
from isol8_tasks.images.references import Reference
from isol8_tasks.plan.current import is_same
from isol8_tasks.plan.fingerprint import decode_inputs
from isol8_tasks.plan.model import ImageSpec

if TYPE_CHECKING:
    from isol8_tasks.engine.containers import SandboxEngine
    from isol8_tasks.engine.registry import RegistryEngine

    class SurveyEngine(SandboxEngine, RegistryEngine, Protocol):
        """What is asked of the engine."""


AskPackages = Callable[[ImageSpec], PackageNews]
"""Asks the package sources of one image; raises an Isol8Error where one can't be asked."""


@frozen(kw_only=True)
class Survey:
    """What is asked for, and of what."""

    specs: Sequence[ImageSpec]
    """Parents first."""
    observed: Observed
    holds: Mapping[str, Hold]
    settings: RefreshSettings
    now: dt.datetime


def notice(survey: Survey, engine: "SurveyEngine", ask_packages: AskPackages) -> tuple[Freshness, ...]:
    """Return how fresh each image is, in the same order. A source that can't be asked is a problem of its image.

    Raises:
        EngineUnreachableError: the engine itself went away.

    """
    there = [spec for spec in survey.specs if survey.observed.record(spec.name) is not None]
    names = {spec.name for spec in there}
    references = {reference for spec in there for reference in _movable(spec)}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        digests = {each: pool.submit(engine.remote_digest, each) for each in sorted(references)}
        # On a base that is not there nothing can be asked: it is built first, and what is based on it is resolved then.
        packages = {
            spec.name: pool.submit(ask_packages, spec)
            for spec in there
            if spec.parent is None or spec.parent in names
        }
    found: dict[str, Freshness] = {}
    for spec in survey.specs:
        if spec.name in names:
            fresh = _upstream(_known(spec, survey), spec, digests, survey)
            if spec.name in packages:
                fresh = _packages(fresh, packages[spec.name])
            parent = found.get(spec.parent) if spec.parent else None
            if parent is not None and parent.state in {"behind", "not-built"}:
                fresh = evolve(fresh, parent=parent.image)
        else:
            fresh = Freshness(image=spec.name, there=False)
        found[spec.name] = fresh
    return tuple(found.values())


def _known(spec: ImageSpec, survey: Survey) -> Freshness:
    """Return what is known without asking anybody."""
    image = survey.observed.public(spec.name)
    hold = survey.holds.get(spec.name)
    age = survey.now - image.built if image else dt.timedelta()
    limit = survey.settings.max_age
    inventory = survey.observed.inventory(spec.name)
    return Freshness(
        image=spec.name,
        held=survey.now - hold.since if hold else None,
        age=age if limit is not None and age >= limit else None,
        support=unsupported(inventory[0], survey.now.date()) if inventory else None,
    )


def _upstream(
    fresh: Freshness, spec: ImageSpec, digests: Mapping[str, "Future[str]"], survey: Survey
) -> Freshness:
    """Add which upstream images of a base moved."""
    moved = list(fresh.moved)
    problems = list(fresh.problems)
    for reference in _movable(spec):
        try:
            new = digests[reference].result()
        except EngineUnreachableError:
            raise
        except Isol8Error as error:
            problems.append(_first_line(error))
            continue
        if (found := _moved(spec, reference, new, survey.observed)) is not None:
            moved.append(found)
    return evolve(fresh, moved=tuple(moved), problems=tuple(problems))


def _movable(spec: ImageSpec) -> tuple[str, ...]:
    """Return the references of a base's upstream images that can come to name another image: not one by a digest."""
    if spec.parent is not None:
        return ()
    return tuple(name for name, _ in spec.inputs.upstream if not Reference.parse(name).digest)


def _packages(fresh: Freshness, news: "Future[PackageNews]") -> Freshness:
    try:
        return evolve(fresh, packages=news.result())
    except EngineUnreachableError:
        raise
    except Isol8Error as error:
        return evolve(fresh, problems=(*fresh.problems, _first_line(error)))


def _moved(spec: ImageSpec, reference: str, new: str, observed: Observed) -> Moved | None:
    """Tell whether a digest is that of another image than a base was built on.

    A reference may get a new digest with the same image behind it, as when one for another processor was rebuilt.
    Once that was pulled, the engine knows.
    """
    record = observed.record(spec.name)
    here = observed.tagged(reference)
    recorded = decode_inputs(record.inputs) if record else None
    known = dict(recorded.upstream) if recorded else {}
    same = here is not None and is_same(here.mark(reference), known.get(reference, ""))
    if here is not None and same and here.digest(reference) == new:
        return None
    old = record.upstream_digest if record and record.upstream == reference else ""
    if not old and here is not None and same:
        # Only the first upstream image of several is written down; another is what the engine holds.
        old = here.digest(reference)
    if not old and is_same(short_digest(new), known.get(reference, "")):
        # Nor has an engine that is new every night any of them.
        return None
    return Moved(reference=reference, old=old, new=new) if old != new else None


def _first_line(error: Isol8Error) -> str:
    return str(error).partition("\n")[0]


AT_ONCE: Final = 8
"""How many sources are asked at the same time: most of it is waiting for the network."""
