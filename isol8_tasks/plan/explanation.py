"""Why an image is not up to date: every reason, in the order in which people look for it."""

from isol8_tasks.images.labels import BASE_NAME, LABELS_SCHEMA, RELABELLED_SCHEMAS, Record, read_record
from isol8_tasks.images.observed import Observed
from isol8_tasks.images.references import tag_of
from isol8_tasks.plan import reasons
from isol8_tasks.plan.current import build_hash, effective_inputs, parent_is_current
from isol8_tasks.plan.decision import Decision
from isol8_tasks.plan.differences import differences
from isol8_tasks.plan.fingerprint import decode_inputs, key
from isol8_tasks.plan.model import ImageSpec
from isol8_tasks.plan.reasons import Reason


def explain(  # noqa: PLR0913 - all but three are named by the caller
    spec: ImageSpec,
    observed: Observed,
    parent: Decision | None,
    *,
    checkout: str,
    forced: bool,
    news: tuple[Reason, ...] = (),
) -> tuple[Reason, ...]:
    """Return why something is to be done for an image; `news` is what its sources have."""
    if observed.public(spec.name) is None:
        built_before = observed.last_record(spec.name) is not None
        return (reasons.Missing(image=spec.name, built_before=built_before),)
    memory = _memory_reasons(spec, observed)
    if spec.withdrawn:
        return memory
    asked = (reasons.Forced(),) if forced else ()
    content = _content_reasons(spec, observed, parent, checkout)
    return (*content, *news, *asked, *(each for each in memory if not _is_told(each, content)))


def _is_told(memory: Reason, content: tuple[Reason, ...]) -> bool:
    """Tell whether the packages of flags are among those that changed, so that nothing is reported twice."""
    return isinstance(memory, reasons.FlagsChanged) and any(
        isinstance(each, reasons.PackagesChanged)
        and set(memory.added) <= set(each.added)
        and set(memory.removed) <= set(each.removed)
        for each in content
    )


def _content_reasons(
    spec: ImageSpec, observed: Observed, parent: Decision | None, checkout: str
) -> tuple[Reason, ...]:
    record = observed.record(spec.name)
    if record is None:
        return (_foreign(spec, observed),)
    if record.schema not in RELABELLED_SCHEMAS:
        return (reasons.SchemaChanged(old=record.schema, new=LABELS_SCHEMA),)
    return (*_own_reasons(spec, record, checkout), *_parent_reasons(spec, record, observed, parent))


def _foreign(spec: ImageSpec, observed: Observed) -> Reason:
    """Tell a tag that somebody moved from one that a promotion cut short did not move yet."""
    if unreadable := observed.unreadable.get(observed.public_tag(spec.name)):
        return reasons.Unreadable(problem=unreadable)
    marker = observed.marker(spec.name)
    public = observed.public(spec.name)
    if marker is not None and public is not None:
        ours, theirs = read_record(marker.labels), read_record(public.labels)
        if ours and theirs and ours.build != theirs.build and theirs.role == "current":
            return reasons.PromotionCutShort(image=spec.name)
    return reasons.NotOurs(image=spec.name)


def _own_reasons(spec: ImageSpec, record: Record, checkout: str) -> tuple[Reason, ...]:
    inputs = effective_inputs(spec.inputs, record)
    if key(inputs) == record.key:
        return ()
    recorded = decode_inputs(record.inputs)
    found = tuple(differences(recorded, inputs)) if recorded else ()
    if not found:
        found = (reasons.Unexplained(),)
    if record.checkout != checkout:
        found = (*found, reasons.OtherCheckout(name=record.checkout))
    return found


def _memory_reasons(spec: ImageSpec, observed: Observed) -> tuple[Reason, ...]:
    """Tell where the image has other flags, another build hash or other labels than it should."""
    record = observed.record(spec.name)
    if record is None:
        return ()
    found: list[Reason] = []
    wanted, remembered = {name for name, _ in spec.flags}, {name for name, _ in record.flags}
    if wanted != remembered:
        added, removed = sorted(wanted - remembered), sorted(remembered - wanted)
        found.append(reasons.FlagsChanged(added=tuple(added), removed=tuple(removed)))
    if (labelled := build_hash(spec, observed)) != spec.build_hash:
        found.append(reasons.BuildHashChanged(old=labelled, new=spec.build_hash))
    if record.schema in RELABELLED_SCHEMAS and record.schema != LABELS_SCHEMA:
        found.append(reasons.SchemaChanged(old=record.schema, new=LABELS_SCHEMA))
    return tuple(found)


def _parent_reasons(
    spec: ImageSpec, record: Record, observed: Observed, parent: Decision | None
) -> tuple[Reason, ...]:
    if spec.parent is None or parent_is_current(spec, record, observed, parent):
        return ()
    built_on = _built_on(spec.name, observed)
    if built_on not in {"", spec.parent}:
        return (reasons.ParentReplaced(old=built_on, new=spec.parent),)
    if parent is not None and parent.is_rebuilt:
        return (reasons.ParentStale(parent=spec.parent),)
    return (reasons.ParentRebuilt(parent=spec.parent),)


def _built_on(name: str, observed: Observed) -> str:
    """Return the name of the image that one was built on, as far as its labels say it."""
    image = observed.public(name)
    return tag_of(image.labels.get(BASE_NAME, "")) if image else ""
