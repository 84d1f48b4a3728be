"""Images for the platforms beside the engine's own: built here, in use in the registry, in one index with its own."""

from collections.abc import Collection, Mapping
from typing import Final

from attrs import define, evolve, field

from isol8_tasks.errors import RegistryError
from isol8_tasks.images.labels import read_record
from isol8_tasks.images.pushed import Pushed
from isol8_tasks.run.other_view import OtherView
from isol8_tasks.run.other_work import OtherWork, OwnRun
from isol8_tasks.run.view import View

_VERIFIED: Final = "org.isol8.tasks.verified"
"""The annotation of an image in an index that says whether its build was verified."""


@define(eq=False)
class OtherPlatforms:
    """What a run does for all other platforms than the engine's own."""

    session: OwnRun
    outcomes: dict[tuple[str, str], str] = field(factory=dict, init=False)
    """By platform and name what came of an image: `built`, `promoted` or `failed`."""
    indexes: dict[str, str] = field(factory=dict, init=False)
    """The digest of each index that this run wrote, by name."""

    def bring(self, names: Collection[str] | None) -> None:
        """Build what the registry lacks of the images of these names, None for all, and let its names lead to it.

        Only of images that are up to date, in use and in the registry for the engine's own platform, or held.
        """
        pushed = self._pushed()
        if not pushed:
            return
        wanted = {name for name in pushed if names is None or name in names}
        works = [
            OtherWork(self.session, other, wanted, self.outcomes)
            for other in OtherView.beside_view(self.session.view)
        ]
        for work in works:
            work.bring()
        for name, where in pushed.items():
            self._write_index(name, where, works)
        self.session.publication.write_manifest()

    @property
    def is_changed(self) -> bool:
        """Tell whether there was something to do."""
        return bool(self.outcomes or self.indexes)

    def by_platform(self) -> Mapping[str, Mapping[str, str]]:
        """Return what came of images, by platform and name."""
        found: dict[str, dict[str, str]] = {}
        for (platform, name), result in self.outcomes.items():
            found.setdefault(platform, {})[name] = result
        return found

    def counts(self) -> Mapping[str, int]:
        """Return how many images came to what, in words."""
        found: dict[str, int] = {}
        for (platform, _), result in self.outcomes.items():
            found[f"{result} for {platform}"] = found.get(f"{result} for {platform}", 0) + 1
        return {**found, "put under one name": len(self.indexes)}

    def _pushed(self) -> Mapping[str, Pushed]:
        """Return where the engine's own images are in the registry of deps.toml, if that is all that there is to do."""
        view, known = self.session.view, self.session.publication.in_registry
        found: dict[str, Pushed] = {}
        for spec in view.graph.images:
            image_id, where = known.get(spec.name, ("", None))
            image = view.known.public(spec.name)
            is_there = where and image and image.id == image_id
            if where and is_there and where.repository == view.config.registry.repository:
                found |= {spec.name: where} if view.is_current(spec.name) else {}
        return found

    def _write_index(self, name: str, where: Pushed, works: list[OtherWork]) -> None:
        """Let a name lead to the images for all platforms, unless one is missing; what is newer there stays."""
        view = self.session.view
        images = {view.config.build.platform: self._newest(view, name, where.digest)}
        for work in works:
            if name not in work.digests:
                return
            images[work.other.platform] = self._newest(work.other, name, work.digests[name])
        if any(image.digest_there != image.digest for image in images.values()):
            writer = view.engine.remote_writer(where.repository)
            entries = {platform: (each.digest, each.annotations) for platform, each in images.items()}
            self.indexes[name] = writer.put_index(name, entries)
        others = tuple(
            (platform, each.digest, each.key)
            for platform, each in images.items()
            if platform != view.config.build.platform
        )
        if others != where.others:
            image = view.known.public(name)
            self.session.publication.indexed[name] = (image.id if image else "", evolve(where, others=others))

    def _newest(self, view: View, name: str, digest: str) -> "_Entry":
        """Return what a name is to lead to for the platform of a view."""
        found = view.engine.remote_images(view.config.registry.repository, [name, digest])
        if (ours := found.get(digest)) is None:
            raise RegistryError(f"{digest} is not in {view.config.registry.repository} any more; run again")
        there = found.get(name)
        stays = there and not there.problem and name not in self.session.view.holds
        if there and stays and there.image.built > ours.image.built and read_record(there.image.labels):
            ours = there
        record = read_record(ours.image.labels)
        return _Entry(
            digest=ours.digest,
            digest_there=there.digest if there else "",
            key=record.key if record else "",
            annotations={_VERIFIED: "true" if record and record.inventory else "false"},
        )


@define(kw_only=True)
class _Entry:
    """An image of an index."""

    digest: str
    digest_there: str
    """What the name leads to now."""
    key: str
    annotations: Mapping[str, str]
