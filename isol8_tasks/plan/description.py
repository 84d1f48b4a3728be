"""What the labels of an image are to say of it, from one look at what it is built on."""

import secrets
from collections.abc import Mapping

from attrs import Factory, evolve, frozen

from isol8_tasks.ecosystems.specs import client_label
from isol8_tasks.images import labels
from isol8_tasks.images.labels import Record
from isol8_tasks.images.observed import Observed, ObservedImage
from isol8_tasks.images.triggers import encode_triggers
from isol8_tasks.plan.fingerprint import encode_inputs, key
from isol8_tasks.plan.graph import standin_args
from isol8_tasks.plan.model import ImageSpec


@frozen(kw_only=True)
class Provenance:
    """Where and when a build is made, for the labels."""

    checkout: str
    revision: str
    """The commit of the checkout; empty where there is none."""
    created: str
    """ISO 8601, UTC."""


@frozen(kw_only=True)
class Description:
    """What an image says of itself, while it is a candidate and once it is in use."""

    record: Record
    """What we write on it once it is in use, but for its inventory."""
    annotations: Mapping[str, str]
    """OCI's own (https://specs.opencontainers.org/image-spec/annotations/)."""
    shown: Mapping[str, str]
    """The labels by which clients pick it."""
    hidden: Mapping[str, str]
    """What a candidate overrides of what it inherits, so that no client picks it."""
    left_out: tuple[str, ...]
    """Packages that the label for clients can't hold."""
    built_on: Mapping[str, str]
    """The image ids that this was told of, by the tags that they have to have until it is built."""

    def candidate(self) -> dict[str, str]:
        """Return the labels to build it with."""
        # Where a label is inherited, by which clients would pick it, it tells the truth about this image, too.
        shown = self.shown if self.hidden else {}
        ours = labels.write(evolve(self.record, role="candidate"))
        return {**shown, **self.hidden, **ours, **self.annotations}

    def promoted(self, inventory: str) -> dict[str, str]:
        """Return the labels of the image in use, once it is known what is in it."""
        return {**labels.write(evolve(self.record, inventory=inventory)), **self.annotations, **self.shown}


@frozen(kw_only=True)
class _Ground:
    """What an image is built on: its parent, or its upstream images as far as they are here."""

    images: Mapping[str, ObservedImage]
    """By reference."""
    build: str = ""
    upstream: str = ""
    upstream_digest: str = ""
    standin: str = ""
    standin_args: Mapping[str, str] = Factory(dict)

    @property
    def inherited(self) -> Mapping[str, str]:
        return {key: value for image in self.images.values() for key, value in image.labels.items()}


def describe(spec: ImageSpec, observed: Observed, provenance: Provenance) -> Description:
    """Return what the labels of an image are to say that is built now, on what the engine holds."""
    ground = _ground(spec, observed)
    # Upstream images may have been pulled since it was planned.
    upstream = tuple(
        (name, ground.images[name].mark(name) if name in ground.images else None)
        for name, _ in spec.inputs.upstream
    )
    inputs = evolve(spec.inputs, upstream=upstream)
    dependencies, left_out = client_label(spec.packages)
    shown = labels.for_clients(
        spec.runtime,
        spec.build_hash,
        packages=None if spec.kind == "base" else spec.packages,
        dependencies=dependencies,
        setup=spec.inputs.setup,
    )
    inherited = ground.inherited
    return Description(
        record=Record(
            image=spec.name,
            role="current",
            key=key(inputs),
            inputs=encode_inputs(inputs),
            build=secrets.token_hex(8),
            parent=ground.build,
            checkout=provenance.checkout,
            standin=ground.standin,
            standin_args=tuple(sorted(ground.standin_args.items())),
            upstream=ground.upstream,
            upstream_digest=ground.upstream_digest,
            triggers=encode_triggers(spec.triggers),
            flags=spec.flags,
            packages=spec.packages,
            platform=spec.inputs.platform,
            recipe=spec.inputs.recipe,
        ),
        annotations={
            "org.opencontainers.image.created": provenance.created,
            "org.opencontainers.image.revision": provenance.revision,
            labels.BASE_NAME: observed.public_tag(spec.parent) if spec.parent else ground.upstream,
            "org.opencontainers.image.base.digest": "" if spec.parent else ground.upstream_digest,
        },
        # list-custom prints empty labels, and one that is inherited can't be taken away otherwise.
        shown={name: value for name, value in shown.items() if value or inherited.get(name)},
        hidden=labels.hidden(inherited),
        left_out=left_out,
        built_on={reference: image.id for reference, image in ground.images.items()},
    )


def _ground(spec: ImageSpec, observed: Observed) -> _Ground:
    if spec.parent is not None:
        parent, record = observed.public(spec.parent), observed.record(spec.parent)
        images = {observed.public_tag(spec.parent): parent} if parent else {}
        if record is None:
            return _Ground(images=images)
        return _Ground(
            images=images,
            build=record.build,
            upstream=record.upstream,
            upstream_digest=record.upstream_digest,
            standin=record.standin,
        )
    images = {name: image for name, _ in spec.inputs.upstream if (image := observed.tagged(name))}
    base = observed.tagged(spec.upstream)
    standins = (image.labels.get(labels.STANDIN, "") for image in (base, *images.values()) if image)
    return _Ground(
        images=images,
        upstream=spec.upstream,
        upstream_digest=base.digest(spec.upstream) if base else "",
        standin=next(filter(None, standins), ""),
        standin_args=standin_args(images.values()) or {},
    )
