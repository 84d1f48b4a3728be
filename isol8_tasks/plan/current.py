"""Whether what an image was built from is still what it should be built from."""

from attrs import evolve

from isol8_tasks.images.labels import BUILD_HASH, LABELS_SCHEMA, Record
from isol8_tasks.images.observed import Observed
from isol8_tasks.plan.decision import Decision
from isol8_tasks.plan.fingerprint import decode_inputs, key
from isol8_tasks.plan.model import ImageSpec, Inputs


def content_is_current(spec: ImageSpec, observed: Observed, parent: Decision | None) -> bool:
    """Tell whether the image was built from what it should be built from now."""
    record = observed.record(spec.name)
    return (
        record is not None
        and record.schema == LABELS_SCHEMA
        and key(effective_inputs(spec.inputs, record, observed)) == record.key
        and parent_is_current(spec, record, observed, parent)
    )


def memory_is_current(spec: ImageSpec, observed: Observed) -> bool:
    """Tell whether the image has the flags and the build hash that it should."""
    record = observed.record(spec.name)
    return record is None or (
        {name for name, _ in spec.flags} == {name for name, _ in record.flags}
        and build_hash(spec, observed) == spec.build_hash
    )


def parent_is_current(spec: ImageSpec, record: Record, observed: Observed, parent: Decision | None) -> bool:
    """Tell whether an image is based on the build of its parent that is there now, and stays."""
    if spec.parent is None or parent is None:
        return True
    if parent.state == "held":
        # What was built on the newer one works, and stays as long as that is away.
        return True
    # A new label leaves its content and its build as they are.
    if parent.pending and not parent.relabel and parent.state != "in-registry":
        return False
    current = observed.record(spec.parent)
    return current is not None and current.build == record.parent


def effective_inputs(inputs: Inputs, record: Record, observed: Observed) -> Inputs:
    """Return the inputs as they count beside an image.

    An upstream image that was removed here has not moved, nor has one of the same digest: other kinds of image stores
    have other ids for it, and the image may have been pulled from one.
    """
    if not inputs.upstream:
        return inputs
    recorded = decode_inputs(record.inputs)
    known = dict(recorded.upstream) if recorded else {}
    ids = list(known.values())
    here = observed.tagged(record.upstream)
    if here is None or here.digest(record.upstream) != record.upstream_digest or not record.upstream_digest:
        unmoved = {}
    else:
        unmoved = {name: short for name, short in known.items() if name == record.upstream}
    return evolve(
        inputs,
        upstream=tuple(
            (
                name,
                unmoved.get(name) or short or known.get(name) or (ids[index] if index < len(ids) else None),
            )
            for index, (name, short) in enumerate(inputs.upstream)
        ),
    )


def build_hash(spec: ImageSpec, observed: Observed) -> str:
    """Return what isol8's own setup finds on a base; empty for other images, which it doesn't look at."""
    image = observed.public(spec.name)
    return image.labels.get(BUILD_HASH, "") if image and spec.build_hash else ""
