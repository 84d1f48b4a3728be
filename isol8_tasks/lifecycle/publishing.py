"""A build for another platform than the engine's own goes to a registry, and is in use there alone.

On an engine it never has a label by which a client would pick it: those are added in the registry.
"""

from collections.abc import Callable, Mapping
from typing import Final

from attrs import define, evolve, field

from isol8_tasks.engine import ImageEngine
from isol8_tasks.engine.registry import RegistryEngine
from isol8_tasks.errors import EngineError, RegistryError
from isol8_tasks.images import labels
from isol8_tasks.images.observed import Observed, ObservedImage, marker_tag
from isol8_tasks.images.pushed import immutable_tags, key_tag, mark
from isol8_tasks.images.references import Reference
from isol8_tasks.lifecycle.build import Outcome
from isol8_tasks.lifecycle.promotion import layers_of
from isol8_tasks.lifecycle.transfer import Push, digest_there, patiently
from isol8_tasks.plan.description import Description
from isol8_tasks.plan.model import ImageSpec
from isol8_tasks.verify.verifications import Verify

_PICKED_BY: Final = frozenset({*labels.CLIENTS, labels.DEPENDENCY_HASH, labels.BUILD_HASH})


@define(kw_only=True, eq=False)
class Publishing:
    """Takes the place of a promotion: a verified candidate is pushed, and gets its labels in the registry."""

    engine: RegistryEngine
    repository: str
    """In the registry."""
    refuse: Callable[[Push], None]
    """Raises a RegistryError for what may not be pushed."""
    digests: dict[str, str] = field(factory=dict, init=False)
    """What was published, by the name of the image."""
    _tags: set[str] = field(factory=set, init=False)
    """What images have here as long as others are built on them."""

    def __call__(  # noqa: PLR0913 - as accept_candidate
        self,
        spec: ImageSpec,
        described: Description,
        observed: Observed,
        engine: ImageEngine,
        *,
        candidate: str,
        image_id: str,
        verify: Verify,
        saves: bool,  # noqa: ARG002 - of what is not here nobody compares the files
    ) -> Outcome:
        """Verify the image of that id and publish it; VerifyFailedError and RegistryError say what is wrong with it."""
        inventory = verify(spec, image_id)
        detail = engine.inspect(image_id)
        if detail is None:
            raise EngineError(f"{candidate} was removed during the run; run again")
        inherited = detail.configuration.get("Labels")
        known = inherited if isinstance(inherited, Mapping) else {}
        written = {**known, **described.promoted(inventory), labels.LAYERS: layers_of(engine, image_id)}
        self.digests[spec.name] = self._publish(
            Push(
                name=spec.name,
                image=ObservedImage(id=image_id, labels=written),
                record=evolve(described.record, inventory=inventory),
                public=observed.public_tag(spec.name),
                mark=mark(observed.repository, spec.name),
                repository=self.repository,
                indexed=True,
            )
        )
        self._keep(spec.name, image_id, observed)
        return Outcome(
            image=spec.name,
            result="built",
            image_id=image_id,
            labels=written,
            tags=(observed.public_tag(spec.name), marker_tag(spec.name, observed.repository)),
            left_out=described.left_out,
            notes=() if inventory else (f"not verified: the engine can't run {spec.inputs.platform}",),
        )

    def fetch(self, name: str, digest: str, image: ObservedImage, observed: Observed) -> str:
        """Bring here what something is built on, without the labels by which clients would pick it; return its id."""
        shown = {label: value for label, value in image.labels.items() if label not in _PICKED_BY}
        bare = self.engine.remote_writer(self.repository).relabel(digest, shown)
        found = patiently(lambda: self.engine.fetch(self.repository, bare))
        self._keep(name, found.id, observed)
        self.engine.untag(str(Reference(self.repository).at(bare)))
        return found.id

    def forget(self) -> None:
        """Remove from the engine what was published or fetched."""
        while self._tags:
            self.engine.untag(self._tags.pop())

    def _keep(self, name: str, image_id: str, observed: Observed) -> None:
        tag = observed.public_tag(name)
        self.engine.tag(image_id, tag)
        self._tags.add(tag)

    def _publish(self, work: Push) -> str:
        self.refuse(work)
        tags = (str(Reference(self.repository, tag)) for tag in immutable_tags(work.image, work.record))
        free = next(tag for tag in tags if not digest_there(self.engine, tag))
        try:
            self.engine.tag(work.image.id, work.mark)
            self.engine.tag(work.image.id, free)
            pushed = patiently(lambda: self.engine.push(free))
            tags_there = (Reference.parse(free).tag, key_tag(work.name, work.record.key))
            return self.engine.remote_writer(self.repository).relabel(pushed, work.image.labels, tags_there)
        except RegistryError as error:
            raise RegistryError(f"it could not be pushed: {error}", lasting=error.lasting) from error
        finally:
            self.engine.untag(free)
            self.engine.untag(work.mark)
