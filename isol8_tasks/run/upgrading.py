"""Finds which exact versions in deps.toml could be newer, list by list."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from attrs import frozen

from isol8_tasks.config.editing import Declared
from isol8_tasks.ecosystems.exact import exact
from isol8_tasks.errors import COMMAND, EngineUnreachableError, Isol8Error, UndecidedError
from isol8_tasks.freshness.survey import AT_ONCE
from isol8_tasks.freshness.upgrades import Raising, Upgrade
from isol8_tasks.run.events import Watching, unwatched
from isol8_tasks.run.view import View
from isol8_tasks.run.workspace import now


@frozen(kw_only=True)
class ToRaise:
    """Packages of one list in deps.toml that are to be as new as may be."""

    place: Declared
    packages: tuple[str, ...]
    """As they are declared there."""

    @property
    def image(self) -> str:
        """The name of the image that they are for."""
        return self.place.name if self.place.is_image else f"{self.place.name}-custom"


def upgrades(
    wanted: Sequence[ToRaise], view: View, *, major: bool, watch: Watching = unwatched
) -> tuple[tuple[Upgrade, ...], Mapping[str, Isol8Error]]:
    """Return what could be newer of each package, and by tags of images what could not be found out.

    Raises:
        EngineUnreachableError: no engine answers, in whose images the sources are asked.

    """
    problems: dict[str, Isol8Error] = {}

    def found(each: ToRaise) -> tuple[Upgrade, ...]:
        try:
            return _found(each, view, watch, major=major)
        except EngineUnreachableError:
            raise
        except Isol8Error as error:
            problems[view.public_tag(each.image)] = error
            return ()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        rows = tuple(row for each in pool.map(found, wanted) for row in each)
    return rows, dict(sorted(problems.items()))


def _found(wanted: ToRaise, view: View, watch: Watching, *, major: bool) -> tuple[Upgrade, ...]:
    place, ecosystem = wanted.place, wanted.place.ecosystem(view.config)
    pins = {text: pin for text in wanted.packages if (pin := exact(ecosystem, text))}
    if not pins:
        return tuple(Upgrade(place=place, package=text, left="inexact") for text in wanted.packages)
    if wanted.image in view.holds:
        return tuple(Upgrade(place=place, package=text, left="held") for text in wanted.packages)
    spec = view.graph.image(wanted.image)
    if spec.parent and view.observed.record(spec.parent) is None:
        raise UndecidedError(
            f"{view.public_tag(spec.parent)} is not built, and its package sources are asked in it; build it: "
            f"{COMMAND} {view.graph.image(spec.parent).task}"
        )
    raising = Raising(
        spec=spec,
        observed=view.observed,
        engine=view.engine,
        settings=view.config.refresh,
        now=now(),
        major=major,
    )
    rows = [Upgrade(place=place, package=text, left="inexact") for text in wanted.packages]
    with watch(wanted.image, "asking its package sources"):
        return raising.upgraded(rows, pins)
