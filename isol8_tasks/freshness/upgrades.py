"""Which exact versions could be newer, by what package sources resolve in the image that they are installed on."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from attrs import evolve, frozen

from isol8_tasks.config.editing import Declared
from isol8_tasks.config.settings import RefreshSettings
from isol8_tasks.ecosystems.exact import Exact
from isol8_tasks.ecosystems.runtimes import ecosystem_of
from isol8_tasks.ecosystems.specs import parse_spec
from isol8_tasks.engine.containers import SandboxEngine
from isol8_tasks.errors import EngineUnreachableError, Isol8Error
from isol8_tasks.freshness.answers import Solution
from isol8_tasks.freshness.news import recorded_packages, solved
from isol8_tasks.freshness.repository import offered_by_apk
from isol8_tasks.images.observed import Observed
from isol8_tasks.plan.model import ImageSpec


@frozen(kw_only=True)
class Upgrade:
    """A package of deps.toml, and what its source has that is newer."""

    place: Declared
    package: str
    """As it is declared."""
    new: str = ""
    """The newest version that may be declared instead; empty where there is none."""
    instead: str = ""
    """The package in that version."""
    major: str = ""
    """A newer one yet, of another major version."""
    young: str = ""
    """A newer one yet, which is younger than min_age."""
    left: Literal["", "held", "inexact"] = ""
    """Why nobody was asked: its image is held, or the declaration is not of one version."""


@frozen(kw_only=True)
class _Offered:
    """The versions that come of a question, by the names of packages."""

    accepted: Mapping[str, Sequence[str]]
    young: Mapping[str, Sequence[str]]


@frozen(kw_only=True, eq=False)
class Raising:
    """What is asked about the packages of one image."""

    spec: ImageSpec
    observed: Observed
    engine: SandboxEngine
    settings: RefreshSettings
    now: dt.datetime
    major: bool
    """Other major versions count, too."""

    def upgraded(self, rows: Iterable[Upgrade], pins: Mapping[str, Exact]) -> tuple[Upgrade, ...]:
        """Return the rows with what is newer of those that are declared in one version.

        Raises:
            SourceUnavailableError: a source can't be asked, or does not tell what has to be known.

        """
        if next(iter(pins.values())).ecosystem == "apk":
            offered, beyond = self._of_apk(pins.values()), None
        elif self.major:
            offered, beyond = self._solved({text: pin.newest for text, pin in pins.items()}), None
        else:
            offered, beyond = self._both(pins)
        return tuple(
            self._row(row, pins[row.package], offered, beyond) if row.package in pins else row for row in rows
        )

    def _both(self, pins: Mapping[str, Exact]) -> tuple[_Offered, _Offered | None]:
        with ThreadPoolExecutor(1) as pool:
            beyond = pool.submit(self._solved, {text: pin.newest for text, pin in pins.items()})
            found = self._solved({text: pin.compatible for text, pin in pins.items()})
            try:
                return found, beyond.result()
            except EngineUnreachableError:
                raise
            except Isol8Error:
                # That other major versions don't fit together is nobody's problem.
                return found, None

    def _row(self, row: Upgrade, pin: Exact, offered: _Offered, beyond: _Offered | None) -> Upgrade:
        new = pin.newer(offered.accepted.get(pin.name, ()), major=self.major)
        best = evolve(pin, version=new or pin.version)
        return evolve(
            row,
            left="",
            new=new,
            instead=pin.at(new) if new else "",
            major=best.newer(beyond.accepted.get(pin.name, ()), major=True) if beyond else "",
            young=best.newer(offered.young.get(pin.name, ()), major=self.major),
        )

    def _solved(self, instead: Mapping[str, str]) -> _Offered:
        """Return what comes of the image with other packages in the place of some."""
        ecosystem = ecosystem_of(self.spec.runtime).name
        names = {parse_spec(ecosystem, text).name: wanted for text, wanted in instead.items()}
        # Flags and other files name packages, too; and this list may spell one otherwise.
        packages = (names.get(parse_spec(ecosystem, text).name, text) for text in self.spec.inputs.packages)
        answer = solved(
            self.spec, tuple(packages), self.observed, self.engine, settings=self.settings, now=self.now
        )
        return _Offered(accepted=_versions(answer.found), young=_versions(answer.newest))

    def _of_apk(self, pins: Iterable[Exact]) -> _Offered:
        """Return what apk would add to the parent of the image, or has in it."""
        parent = recorded_packages(self.spec.parent or "", self.observed)
        there = {each.name: [each.version] for each in parent if each.ecosystem == "apk"}
        names = [pin.newest for pin in pins]
        updates, young = offered_by_apk(
            self.spec, names, self.observed, self.engine, settings=self.settings, now=self.now
        )
        return _Offered(
            accepted={**there, **{each.name: [each.new] for each in updates}},
            young={each.name: [each.new] for each in young},
        )


def _versions(solution: Solution | None) -> Mapping[str, Sequence[str]]:
    found: dict[str, list[str]] = {}
    for pin in solution.pins if solution else ():
        found.setdefault(pin.name, []).append(pin.version)
    return found
