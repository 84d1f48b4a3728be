"""Whether what an image was built from is still what it should be built from."""

from attrs import evolve

from isol8_tasks.images.labels import BUILD_HASH, LABELS_SCHEMA, RELABELLED_SCHEMAS, Record
from isol8_tasks.images.observed import Observed, short_digest
from isol8_tasks.plan.decision import Decision
from isol8_tasks.plan.fingerprint import decode_inputs, key
from isol8_tasks.plan.model import ImageSpec, Inputs


def content_is_current(spec: ImageSpec, observed: Observed, parent: Decision | None) -> bool:
    """Tell whether the image was built from what it should be built from now."""
    record = observed.record(spec.name)
    return (
        record is not None
        and record.schema in RELABELLED_SCHEMAS
        and key(effective_inputs(spec.inputs, record)) == record.key
        and parent_is_current(spec, record, observed, parent)
    )


def memory_is_current(spec: ImageSpec, observed: Observed) -> bool:
    """Tell whether the image has the flags and the build hash that it should, and this version's labels."""
    record = observed.record(spec.name)
    return record is None or (
        {name for name, _ in spec.flags} == {name for name, _ in record.flags}
        and build_hash(spec, observed) == spec.build_hash
        and record.schema == LABELS_SCHEMA
    )


def parent_is_current(spec: ImageSpec, record: Record, observed: Observed, parent: Decision | None) -> bool:
    """Tell whether an image is based on the build of its parent that is there now, and stays."""
    if spec.parent is None or parent is None:
        return True
    if parent.state == "held":
        # What was built on the newer one works, and stays as long as that is away.
        return True
    # A new label leaves its content and its build as they are.
    if parent.is_rebuilt:
        return False
    current = observed.record(spec.parent)
    return current is not None and current.build == record.parent


def untried_packages(spec: ImageSpec, observed: Observed) -> tuple[str, ...]:
    """Return the packages of which nobody knows yet that they can be installed on the parent that is there now.

    Those that the image in use has on it can. Where that has all of them, their newer versions are what is not known.
    """
    record = observed.record(spec.name)
    parent = observed.record(spec.parent) if spec.parent else None
    asked = spec.inputs.packages
    if record is None or parent is None or parent.build != record.parent:
        return asked
    return tuple(each for each in asked if each not in record.packages) or asked


def effective_inputs(inputs: Inputs, record: Record) -> Inputs:
    """Return the inputs as they count beside an image.

    An upstream image that was removed here has not moved, nor has one of the same digest or the same id: other kinds of
    image stores have other ids for it, and a digest can move to the same image.
    """
    if not inputs.upstream:
        return inputs
    recorded = decode_inputs(record.inputs)
    known = dict(recorded.upstream) if recorded else {}
    in_order = list(known.values())

    def effective(index: int, name: str, mark: str | None) -> str | None:
        before = known.get(name) or (in_order[index] if index < len(in_order) else "")
        digest = record.upstream_digest if name == record.upstream else ""
        return before or mark if mark is None or is_same(mark, before, digest) else mark

    return evolve(
        inputs,
        upstream=tuple(
            (name, effective(index, name, mark)) for index, (name, mark) in enumerate(inputs.upstream)
        ),
    )


def is_same(mark: str, before: str, digest: str = "") -> bool:
    """Tell whether an upstream image is the one that had a mark, or a registry digest, when it was built on."""
    return not {*before.split("."), short_digest(digest)}.isdisjoint(mark.split("."))


def relabelled_inputs(inputs: Inputs, record: Record) -> Inputs:
    """Return the inputs of an image of an older schema, as this one records them."""
    known = effective_inputs(inputs, record)

    def mark(name: str, here: str | None, before: str | None) -> str | None:
        digest = short_digest(record.upstream_digest) if name == record.upstream else ""
        return here or ".".join(dict.fromkeys(filter(None, (digest, before)))) or None

    return evolve(
        inputs,
        upstream=tuple(
            (name, mark(name, here, before))
            for (name, here), (_, before) in zip(inputs.upstream, known.upstream, strict=True)
        ),
    )


def build_hash(spec: ImageSpec, observed: Observed) -> str:
    """Return what isol8's own setup finds on a base; empty for other images, which it doesn't look at."""
    image = observed.public(spec.name)
    return image.labels.get(BUILD_HASH, "") if image and spec.build_hash else ""
