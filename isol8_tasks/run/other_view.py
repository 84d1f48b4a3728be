"""What a run knows of its images for another platform than the engine's own; the registry is what decides."""

import datetime as dt
from collections.abc import Collection, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Final, Self

from attrs import define, evolve, field

from isol8_tasks.config.deps import Config
from isol8_tasks.errors import SourceUnavailableError
from isol8_tasks.images.observed import Observed, ObservedImage, marker_tag
from isol8_tasks.plan.decision import Decision
from isol8_tasks.plan.reasons import OlderThanOwn
from isol8_tasks.run.view import View

if TYPE_CHECKING:
    from isol8_tasks.lifecycle.build import Outcome

_BEHIND: Final = dt.timedelta(hours=12)
"""By how much an image may be older than that of the engine's own platform: another machine may have built it first."""


@define(kw_only=True, eq=False, slots=False, repr=False)
class OtherView(View):
    """What a run knows of its images for another platform: what the registry has under their names counts as here."""

    own: View
    platform: str
    in_use: dict[str, ObservedImage] = field(factory=dict, init=False)
    """By name what the registry has, or was built for it in this run."""
    _is_asked: bool = field(default=False, init=False)

    @classmethod
    def beside_view(cls, own: View) -> tuple[Self, ...]:
        """Return the views of all other platforms of a view; they end with it."""
        found = []
        for platform in own.config.build.platforms[1:]:
            other = cls(workspace=own.workspace, environ=own.environ, own=own, platform=platform)
            other.buildx = own.buildx
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

    def follow_own(self, rebuilt: Collection[str]) -> None:
        """Let be rebuilt what is older than the image for the engine's own platform by hours, or than one of this run.

        `rebuilt` names what this run built.
        """
        behind = {}
        for name, image in self.in_use.items():
            own = self.own.known.public(name)
            allowed = dt.timedelta(0) if name in rebuilt else _BEHIND
            if own is not None and self.own.known.record(name) and image.built + allowed < own.built:
                behind[name] = (OlderThanOwn(platform=self.own.config.build.platform),)
        if behind:
            self.note_behind(behind)

    def decided(self) -> tuple[Decision, ...]:
        """Return what a run would do; of an image that is held on the engine it does nothing."""
        _ = self.decisions
        self.follow_own(())
        images = [spec.name for spec in self.graph.images if spec.name not in self.own.holds]
        # What has the tag of its key is not pulled: the name is led to it.
        return tuple(
            evolve(each, state="up-to-date") if each.state == "in-registry" else each
            for each in map(self.decisions.__getitem__, images)
        )

    def _observe(self) -> Observed:
        observed = super()._observe()
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
