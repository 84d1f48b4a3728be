"""Thirty nights of drift: what moves on which night, from a fixed seed, and what a refresh then has to do."""

import datetime as dt
import random
from collections.abc import Callable, Mapping
from typing import Final, Literal

from attrs import Factory, evolve, frozen

from tests.integration.refreshing import EVERY
from tests.integration.world import World
from tests.integration.world.wheels import Fault

YOUNG: Final = dt.timedelta(hours=1)
OLD: Final = dt.timedelta(hours=30)
MIN_AGE: Final = "12h"
"""What [refresh] says: what is `YOUNG` waits for the next night, what is `OLD` does not."""

MIB: Final = 1 << 20
Ending = Literal["", "killed while building", "killed while promoting", "registry out"]


@frozen(kw_only=True)
class Drift:
    """One thing that moves."""

    words: str
    """For the table."""
    move: Callable[[World], object]
    images: frozenset[str]
    """What has to be replaced for it."""
    same: frozenset[str] = frozenset()
    """What is rebuilt for it with the same result, and stays."""
    waits: int = 0
    """For how many nights it is too new."""
    broken: bool = False
    """The images can't be refreshed to it."""
    asked_of_registry: bool = False


@frozen(kw_only=True)
class Evening:
    """What happens before and during one night's refresh."""

    drifts: tuple[Drift, ...] = ()
    ending: Ending = ""

    @property
    def words(self) -> str:
        """What the table says."""
        found = [each.words for each in self.drifts] + ([self.ending] if self.ending else [])
        return "; ".join(found) or "quiet"


@frozen(kw_only=True)
class _Package:
    """A package that has news now and then."""

    kind: Literal["wheel", "npm", "apk"]
    name: str
    images: frozenset[str]
    needs: tuple[str, ...] = ()
    size: int = MIB

    def publish(self, version: int, age: dt.timedelta, fault: Fault = "") -> Callable[[World], object]:
        """Return what publishes a version of it."""

        def move(world: World) -> None:
            when = dt.datetime.now(dt.UTC) - age
            if self.kind == "wheel":
                world.wheel(
                    self.name, f"1.{version}", uploaded=when, requires=self.needs, fault=fault, size=self.size
                )
            elif self.kind == "npm":
                needs = dict.fromkeys(self.needs, "^1")
                world.npm(
                    self.name,
                    f"1.{version}.0",
                    published=when,
                    dependencies=needs,
                    fault=fault,
                    size=self.size,
                )
            else:
                world.apk(
                    self.name, f"1.{version}-r0", built=when, depends=self.needs, fault=fault, size=self.size
                )

        return move


PACKAGES: Final = (
    _Package(kind="wheel", name="thing", images=frozenset({"python-custom"}), needs=("other",), size=8 * MIB),
    _Package(kind="wheel", name="other", images=frozenset({"python-custom", "web", "web-tests"})),
    _Package(kind="wheel", name="leaf", images=frozenset({"web-tests"}), size=2 * MIB),
    _Package(kind="npm", name="left", images=frozenset({"node-custom"}), needs=("below",)),
    _Package(kind="npm", name="right", images=frozenset({"bun-custom"}), needs=("below",)),
    _Package(kind="npm", name="below", images=frozenset({"node-custom", "bun-custom"}), size=MIB // 2),
    _Package(kind="npm", name="down", images=frozenset({"deno-custom"})),
    _Package(kind="apk", name="tool", images=frozenset({"bash-custom"}), needs=("part",)),
    _Package(kind="apk", name="part", images=frozenset({"bash-custom"}), size=MIB // 2),
)
_BY_NAME: Final = {each.name: each for each in PACKAGES}


def first_evening(world: World) -> None:
    """Publish what everything is built of at first."""
    for package in PACKAGES:
        package.publish(0, dt.timedelta(days=30))(world)


@frozen(kw_only=True)
class _Script:
    """Writes the nights down."""

    chance: random.Random
    versions: dict[str, int] = Factory(dict)

    def news(self, name: str, *, waits: int = 0, fault: Fault = "") -> Drift:
        package = _BY_NAME[name]
        version = self.versions[name] = self.versions.get(name, 0) + 1
        faults = {
            "": "",
            "build": ", fails to build",
            "import": ", fails to import",
            "hang": ", its check hangs",
        }
        young = " (young)" if waits else ""
        return Drift(
            words=f"{package.kind} {name} 1.{version}{faults[fault]}{young}",
            move=package.publish(version, YOUNG if waits else OLD, fault),
            images=package.images,
            waits=waits,
            broken=bool(fault),
        )

    def any_news(self, count: int) -> tuple[Drift, ...]:
        names = self.chance.sample(sorted(_BY_NAME), count)
        return tuple(self.news(name, waits=int(self._young(name))) for name in names)

    def _young(self, name: str) -> bool:
        # A young apk comes with any build of its image, as its repository has no other.
        return _BY_NAME[name].kind != "apk" and self.chance.random() < _YOUNG


def _alpine(night: int) -> Drift:
    return Drift(
        words="alpine moves",
        move=lambda world: world.move("alpine", release=f"3.23.{night + 6}", size=4 * MIB),
        # The filter is compiled on Alpine and copied into deno's image: another release compiles it to the same.
        images=EVERY - {"deno", "deno-custom"},
        same=frozenset({"deno"}),
        asked_of_registry=True,
    )


def _deno() -> Drift:
    return Drift(
        words="deno's image moves",
        move=lambda world: world.move("deno", size=4 * MIB),
        images=frozenset({"deno", "deno-custom"}),
        asked_of_registry=True,
    )


def _unzip() -> Drift:
    return Drift(
        words="apk unzip 6.9, of a base",
        move=lambda world: world.apk(
            "unzip", "6.9-r0", built=dt.datetime.now(dt.UTC) - OLD, files={"usr/bin/unzip": b"#!/bin/sh\n"}
        ),
        images=frozenset({"bun", "bun-custom"}),
    )


def script(nights: int, seed: int) -> tuple[Evening, ...]:
    """Return the nights from the second on; the first builds everything. Six are a short version of thirty."""
    write = _Script(chance=random.Random(seed))  # noqa: S311 - it keeps no secret
    if nights <= _SHORT:
        short = (
            Evening(drifts=(_alpine(2), write.news("left"), write.news("leaf", waits=1))),
            Evening(drifts=(write.news("thing", fault="import"),), ending="registry out"),
            Evening(drifts=(write.news("thing"),), ending="killed while promoting"),
            # What the others left is done in the end, and then there is nothing to do.
            Evening(),
            Evening(),
        )
        return short[: nights - 1]
    # In the order of the nights, since a package's versions count up.
    special: Mapping[int, Callable[[], Evening]] = {
        4: lambda: Evening(drifts=(_alpine(4),)),
        6: lambda: Evening(drifts=(write.news("thing", fault="import"),)),
        7: lambda: Evening(drifts=(write.news("thing"),)),
        9: lambda: Evening(drifts=(_deno(), *write.any_news(1))),
        11: lambda: Evening(drifts=(write.news("left"), write.news("leaf")), ending="killed while building"),
        13: lambda: Evening(drifts=(write.news("left", fault="build"), write.news("tool"))),
        14: lambda: Evening(drifts=(write.news("left"),)),
        16: lambda: Evening(drifts=(_alpine(16), write.news("leaf", waits=1))),
        18: lambda: Evening(drifts=(_deno(), write.news("other")), ending="registry out"),
        20: lambda: Evening(drifts=(write.news("right", fault="hang"), write.news("part"))),
        21: lambda: Evening(drifts=(write.news("right"),)),
        23: lambda: Evening(
            drifts=(write.news("below"), write.news("down")), ending="killed while promoting"
        ),
        25: lambda: Evening(drifts=(_unzip(),)),
        27: lambda: Evening(drifts=(_alpine(27), _deno())),
    }
    others = [night for night in range(2, nights + 1) if night not in special]
    quiet = set(write.chance.sample(others, len(others) // 2))
    found = []
    for night in range(2, nights + 1):
        if night in special:
            found.append(special[night]())
        elif night in quiet:
            found.append(Evening())
        else:
            found.append(Evening(drifts=write.any_news(write.chance.choice((1, 1, 2)))))
    return tuple(found)


@frozen(kw_only=True)
class Due:
    """What a refresh has to do on one night."""

    replaced: frozenset[str] = frozenset()
    same: frozenset[str] = frozenset()
    """What is rebuilt as well, with the same result."""
    failed: frozenset[str] = frozenset()
    code: int | None = 0
    """None for a run that is killed."""
    later: tuple[Drift, ...] = ()
    """What is left for the next night."""


def due(evening: Evening, left: tuple[Drift, ...]) -> Due:
    """Work out what has to happen, with what earlier nights left."""
    drifts = [*left, *evening.drifts]
    later = [evolve(each, waits=each.waits - 1) for each in drifts if each.waits]
    ready = [each for each in drifts if not each.waits]
    if evening.ending == "registry out":
        later += [each for each in ready if each.asked_of_registry]
        ready = [each for each in ready if not each.asked_of_registry]
    broken = frozenset(name for each in ready if each.broken for name in each.images)
    images = frozenset(name for each in ready for name in each.images)
    same = frozenset(name for each in ready for name in each.same) - images
    if evening.ending.startswith("killed"):
        return Due(code=None, later=(*ready, *later))
    code = 1 if broken else 4 if evening.ending == "registry out" else 0
    return Due(replaced=images - broken, same=same, failed=broken, code=code, later=tuple(later))


_SHORT: Final = 6
_YOUNG: Final = 0.3
