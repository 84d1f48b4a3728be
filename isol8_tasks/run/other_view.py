"""What a run knows of its images for another platform than the engine's own; the registry is what decides."""

import datetime as dt
from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final, Self

from attrs import define, evolve, field

from isol8_tasks.config.deps import Config
from isol8_tasks.ecosystems.updates import Update, updates_in_words
from isol8_tasks.errors import Isol8Error, SourceUnavailableError
from isol8_tasks.freshness.model import Freshness
from isol8_tasks.freshness.news import other_versions
from isol8_tasks.images.observed import Observed, ObservedImage, marker_tag
from isol8_tasks.plan.decision import Decision
from isol8_tasks.plan.reasons import OlderThanOwn
from isol8_tasks.run.view import View

if TYPE_CHECKING:
    from isol8_tasks.lifecycle.build import Outcome
    from isol8_tasks.run.policy import Policy

_BEHIND: Final = dt.timedelta(hours=12)
"""By how much an image may be older than that of the engine's own platform: another machine may have built it first."""


@define(kw_only=True, eq=False, slots=False, repr=False)
class OtherView(View):
    """What a run knows of its images for another platform: what the registry has under their names counts as here."""

    own: View
    platform: str
    in_use: dict[str, ObservedImage] = field(factory=dict, init=False)
    """By name what the registry has, or was built for it in this run."""
    locked: "Policy | None" = field(default=None, init=False)
    """What the lock of the platform asks of builds, in a run that holds to it."""
    _is_asked: bool = field(default=False, init=False)

    @classmethod
    def beside_view(cls, own: View) -> tuple[Self, ...]:
        """Return the views of all other platforms of a view; they end with it."""
        found = []
        for platform in own.config.build.platforms[1:]:
            other = cls(workspace=own.workspace, environ=own.environ, own=own, platform=platform)
            other.buildx, other.takes_candidates = own.buildx, own.takes_candidates
            other.request = evolve(own.request, packages=_flags(own), only_file=True)
            own.beside.append(other)
            found.append(other)
        return tuple(found)

    @cached_property
    def config(self) -> Config:
        """What deps.toml says, for that platform and with names of its own on the engine."""
        config = self.own.config
        repository = f"{config.build.repository}_{self.platform.replace('/', '-')}"
        return evolve(config, build=evolve(config.build, platforms=(self.platform,), repository=repository))

    def made(self, outcome: "Outcome") -> None:
        """Keep in step with an image that was built."""
        self.in_use[outcome.image] = ObservedImage(id=outcome.image_id, labels=outcome.labels)
        super().made(outcome)

    def adopt(self, name: str, image: ObservedImage) -> None:
        """Let an image of the registry, or of the engine, be the one of a name."""
        with self.mutex:
            self.in_use[name] = image
            self.look_again()

    def hold_to_lock(self) -> None:
        """Let be built exactly what the lock of the platform has; ConfigError says what is wrong with it."""
        from isol8_tasks.run.lock import lock_policy  # noqa: PLC0415 - few runs hold to one

        # What has the tag of its key may have other versions.
        self.use_registry = self.takes_candidates = False
        self.locked = lock_policy(self)
        self.note_behind(self.locked.behind)

    def follow_own(self, rebuilt: Collection[str]) -> None:
        """Let be rebuilt what is older than the image for the engine's own platform, by hours or with other versions.

        `rebuilt` names what this run built, which nothing may be older than.
        """
        _ = self.decisions
        behind = dict(self.behind)
        for name, image in self.in_use.items():
            own = self.own.known.public(name)
            is_known = own is not None and self.own.known.record(name) is not None
            allowed = dt.timedelta(0) if name in rebuilt or self.differences(name) else _BEHIND
            if own is not None and is_known and image.built + allowed < own.built:
                behind.setdefault(name, (OlderThanOwn(platform=self.own.config.build.platform),))
        if behind:
            self.note_behind(behind)

    def differences(self, name: str) -> tuple[Update, ...]:
        """Return the packages that an image has in another version than the one for the engine's own platform.

        What only one of them has is none: some packages are for one kind of processor.
        """
        own, other = self.own.known.inventory(name), self.observed.inventory(name)
        return other_versions(other[1], own[1]) if own and other else ()

    def freshness(self, found: Sequence[Freshness]) -> tuple[Freshness, ...]:
        """Return how fresh the images are, by what was found of those for the engine's own platform.

        No source is asked: what has the same versions is as fresh as these are.
        """
        _ = self.decisions
        return tuple(map(self._as_fresh_as, found))

    def _as_fresh_as(self, own: Freshness) -> Freshness:
        image, own_image = self.in_use.get(own.image), self.own.known.public(own.image)
        if image is None or own_image is None or own.held is not None:
            return own if image else Freshness(image=own.image, there=False)
        versions = self.differences(own.image)
        if versions and image.built < own_image.built:
            return evolve(own, packages=evolve(own.packages, updates=versions))
        platform = self.own.config.build.platform
        problem = f"other versions than for {platform} ({updates_in_words(versions)}); only a refresh asks its sources"
        if self.observed.inventory(own.image) is None:
            problem = f"no inventory to compare with that for {platform}"
        elif not versions:
            return own
        return evolve(own, problems=(*own.problems, problem))

    def shown_tag(self, name: str) -> str:
        """Return what an image is called in messages: its public tag and the platform."""
        return f"{self.own.public_tag(name)} {self.platform}"

    def public_words(self, text: str) -> str:
        """Return a text with public names in the place of those that images have here meanwhile."""
        return text.replace(self.repository, self.own.repository)

    def in_public(self, error: Isol8Error) -> Isol8Error:
        """Return an error in such words."""
        error.args = tuple(self.public_words(str(each)) for each in error.args)
        return error

    @property
    def lock_platform(self) -> str:
        """The platform that the lock's file is of."""
        return self.platform

    def decided(self) -> tuple[Decision, ...]:
        """Return what a run would do; of an image that is held on the engine it does nothing."""
        self.follow_own(())
        images = [spec.name for spec in self.graph.images if spec.name not in self.own.holds]
        # What has the tag of its key is not pulled: the name is led to it.
        return tuple(
            evolve(each, state="up-to-date") if each.state == "in-registry" else each
            for each in map(self.decisions.__getitem__, images)
        )

    def _observe(self) -> Observed:
        observed = self._listed()
        if not self._is_asked:
            self.remote.ask(spec.name for spec in self.own.graph.images)
            if self.remote.problem:
                raise SourceUnavailableError(
                    f"the registry {self.remote.problem}; so nobody knows what it has for {self.platform}"
                )
            self._is_asked = True
            self.in_use = {name: images[0] for name, images in self.remote.found.items()}
        observed = self._with_digests(observed)
        for name, image in self.in_use.items():
            tags = (observed.public_tag(name), marker_tag(name, self.repository))
            observed = observed.moved(image.id, image.labels, *tags)
        return observed

    def _with_digests(self, observed: Observed) -> Observed:
        """Let upstream images count by the digests that an engine has them by which is of the platform."""
        digests = {
            name: image.digests
            for spec in self.own.graph.images
            for name, _ in spec.inputs.upstream
            if (image := self.own.observed.tagged(name))
        }
        images = (
            evolve(image, digests=next((digests[tag] for tag in image.tags if tag in digests), image.digests))
            for image in observed.images
        )
        return evolve(observed, images=tuple(images))


def _flags(own: View) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the packages that the images for the engine's own platform have of flags, by runtime."""

    def found() -> Iterator[tuple[str, tuple[str, ...]]]:
        for spec in own.graph.images:
            if spec.kind == "custom" and spec.flags:
                yield spec.runtime, tuple(name for name, _ in spec.flags)

    return tuple(found())
