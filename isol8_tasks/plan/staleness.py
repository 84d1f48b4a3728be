"""What has to be done for an image, and why: (specification, what the engine holds) to a decision."""

import datetime as dt
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Literal

from attrs import Factory, evolve, frozen

from isol8_tasks.errors import Isol8Error
from isol8_tasks.plan.fingerprint import decode_inputs, key
from isol8_tasks.plan.graph import Graph
from isol8_tasks.plan.labels import BUILD_HASH, SCHEMA, Record
from isol8_tasks.plan.model import ImageSpec, Inputs
from isol8_tasks.plan.observed import Observed

if TYPE_CHECKING:
    from isol8_tasks.plan.reasons import Reason

State = Literal["up-to-date", "stale", "not-built", "undeclared", "undetermined", "held"]


@frozen(kw_only=True)
class Decision:
    """The verdict on one image."""

    image: str
    """Its name: `bun-custom`."""
    task: str
    """The doit task that would mend it; empty for an undeclared image, which no task is for."""
    state: State
    reasons: tuple["Reason", ...] = ()
    relabel: bool = False
    """Its content is right and only what its labels remember is not: no build is needed."""
    problem: str = ""
    """Why nothing could be decided, for the state `undetermined`; for `held`, why nobody knows what waits."""
    held: dt.timedelta | None = None
    """For how long it has been held, for the state `held`; its reasons are what waits until it is released."""

    @property
    def pending(self) -> bool:
        """Tell whether there is something to do."""
        return self.state in {"stale", "not-built", "undetermined"}


@frozen(kw_only=True)
class Circumstances:
    """What a decision depends on besides the image and the engine."""

    checkout: str
    """The checkout that asks."""
    forced: Collection[str] = ()
    """Names of images that somebody wants rebuilt."""
    behind: Mapping[str, tuple["Reason", ...]] = Factory(dict)
    """Names of images whose sources have news, and which."""
    held: Mapping[str, dt.timedelta] = Factory(dict)
    """Names of images that were rolled back and stay so, and for how long they have."""


def decide_all(graph: Graph, observed: Observed, circumstances: Circumstances) -> Mapping[str, Decision]:
    """Decide every image of the graph, parents first; an error in one is a decision about that one alone."""
    decisions: dict[str, Decision] = {}
    for spec in graph.images:
        decisions[spec.name] = _decide_safely(spec, observed, decisions, circumstances)
    for name in graph.undeclared:
        if name not in decisions:
            decisions[name] = Decision(image=name, task="", state="undeclared")
    return decisions


def decide_again(
    name: str,
    decisions: Mapping[str, Decision],
    graph: Graph,
    observed: Observed,
    circumstances: Circumstances,
) -> Mapping[str, Decision]:
    """Decide one image again, and what is based on it: all that can differ when only that image changed."""
    again = dict(decisions)
    for spec in graph.family(name):
        again[spec.name] = _decide_safely(spec, observed, again, circumstances)
    return again


def _decide_safely(
    spec: ImageSpec,
    observed: Observed,
    decisions: Mapping[str, Decision],
    circumstances: Circumstances,
) -> Decision:
    parent = decisions.get(spec.parent) if spec.parent else None
    try:
        return decide(spec, observed, parent, circumstances)
    except Isol8Error as error:
        return Decision(image=spec.name, task=spec.task, state="undetermined", problem=str(error))


def decide(
    spec: ImageSpec, observed: Observed, parent: Decision | None, circumstances: Circumstances
) -> Decision:
    """Decide one image; `parent` is the decision on the image of ours that it is built on."""
    forced = spec.name in circumstances.forced
    news = circumstances.behind.get(spec.name, ())
    missing = observed.public(spec.name) is None
    held = None if missing else circumstances.held.get(spec.name)
    if problem := _problem(spec, observed, parent):
        state: State = "undetermined" if held is None else "held"
        return Decision(image=spec.name, task=spec.task, state=state, problem=problem, held=held)
    # An undeclared image is left as it is, but for what it remembers.
    content = spec.withdrawn or (not forced and not news and _content_is_current(spec, observed, parent))
    memory = _memory_is_current(spec, observed)
    if content and memory and not missing:
        state = "up-to-date" if held is None else "held"
        return Decision(image=spec.name, task=spec.task, state=state, held=held)
    # Here, since a run with nothing to do, which is most of them, has nothing to explain.
    from isol8_tasks.plan.explanation import explain  # noqa: PLC0415

    return Decision(
        image=spec.name,
        task=spec.task,
        state="not-built" if missing else "stale" if held is None else "held",
        reasons=explain(spec, observed, parent, checkout=circumstances.checkout, forced=forced, news=news),
        relabel=content and not missing,
        held=held,
    )


def _problem(spec: ImageSpec, observed: Observed, parent: Decision | None) -> str:
    """Say why an image can't be decided; empty where it can be."""
    if spec.problem or spec.withdrawn or parent is None or parent.state != "undetermined":
        return spec.problem
    return f"parent {observed.repository}:{parent.image} is undetermined"


def parent_is_current(spec: ImageSpec, record: Record, observed: Observed, parent: Decision | None) -> bool:
    """Tell whether an image is based on the build of its parent that is there now, and stays."""
    if spec.parent is None or parent is None:
        return True
    if parent.state == "held":
        # What was built on the newer one works, and stays as long as that is away.
        return True
    # A new label leaves its content and its build as they are.
    if parent.pending and not parent.relabel:
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


def _content_is_current(spec: ImageSpec, observed: Observed, parent: Decision | None) -> bool:
    record = observed.record(spec.name)
    return (
        record is not None
        and record.schema == SCHEMA
        and key(effective_inputs(spec.inputs, record, observed)) == record.key
        and parent_is_current(spec, record, observed, parent)
    )


def _memory_is_current(spec: ImageSpec, observed: Observed) -> bool:
    """Tell whether the image has the flags and the build hash that it should."""
    record = observed.record(spec.name)
    return record is None or (
        {name for name, _ in spec.flags} == {name for name, _ in record.flags}
        and build_hash(spec, observed) == spec.build_hash
    )


def build_hash(spec: ImageSpec, observed: Observed) -> str:
    """Return what isol8's own setup finds on a base; empty for other images, which it doesn't look at."""
    image = observed.public(spec.name)
    return image.labels.get(BUILD_HASH, "") if image and spec.build_hash else ""
