"""What has to be done for an image, and why: (specification, what the engine holds) to a decision."""

from collections.abc import Iterable, Mapping, Sequence

from attrs import evolve

from isol8_tasks.errors import Isol8Error
from isol8_tasks.images.candidates import offered
from isol8_tasks.images.labels import ROLE_LABEL
from isol8_tasks.images.observed import Observed, ObservedImage, marker_tag
from isol8_tasks.plan.current import content_is_current, memory_is_current
from isol8_tasks.plan.decision import Circumstances, Decision, ImageState
from isol8_tasks.plan.graph import Graph
from isol8_tasks.plan.model import ImageSpec

Remote = Mapping[str, Sequence[ObservedImage]]
"""By the name of each image what a registry has that may be it, each under one name by digest."""


def decide_all(
    graph: Graph, observed: Observed, circumstances: Circumstances, remote: Remote | None = None
) -> Mapping[str, Decision]:
    """Decide every image of the graph, parents first; an error in one is a decision about that one alone.

    `remote` is what a registry has.
    """
    decisions = dict(_decided(graph.images, {}, observed, circumstances, remote))
    for name in graph.undeclared:
        if name not in decisions:
            decisions[name] = Decision(image=name, task="", state="undeclared")
    return decisions


def decide_again(  # noqa: PLR0913, PLR0917 - as above, and what is known already
    name: str,
    decisions: Mapping[str, Decision],
    graph: Graph,
    observed: Observed,
    circumstances: Circumstances,
    remote: Remote | None = None,
) -> Mapping[str, Decision]:
    """Decide one image again, and what is based on it: all that can differ when only that image changed."""
    return _decided(graph.family(name), decisions, observed, circumstances, remote)


def _decided(
    specs: Iterable[ImageSpec],
    known: Mapping[str, Decision],
    observed: Observed,
    circumstances: Circumstances,
    remote: Remote | None,
) -> Mapping[str, Decision]:
    decisions = dict(known)
    candidates: Remote | None = None
    for spec in specs:
        decision = _decide_safely(spec, observed, decisions, circumstances)
        if decision.state in {"stale", "not-built"} and not decision.relabel:
            reasons = None
            for there in (remote or {}).get(spec.name, ()):
                # What is based on it is decided as if it were here already.
                pulled, after = _decide_with(spec, there, observed, decisions, circumstances)
                if after.state == "up-to-date" or after.relabel:
                    observed = pulled
                    decision = Decision(
                        image=spec.name, task=spec.task, state="in-registry", pulled_by=there.digests[0]
                    )
                    break
                reasons = reasons or after.reasons
            else:
                if decision.state == "not-built" and reasons:
                    decision = evolve(decision, reasons=reasons)
                if candidates is None:
                    candidates = offered(observed, circumstances.now, circumstances.candidate_age)
                if taken := _taken(spec, candidates.get(spec.name, ()), observed, decisions, circumstances):
                    observed = taken[0][1]
                    decision = evolve(decision, candidates=tuple(image for image, _ in taken))
        decisions[spec.name] = decision
    return decisions


def _decide_with(
    spec: ImageSpec,
    image: ObservedImage,
    observed: Observed,
    decisions: Mapping[str, Decision],
    circumstances: Circumstances,
) -> tuple[Observed, Decision]:
    """Return what the engine would hold, and the decision, if an image that is not in use yet were."""
    tags = (observed.public_tag(spec.name), marker_tag(spec.name, observed.repository))
    promoted = observed.moved(image.id, image.labels, *tags)
    return promoted, _decide_safely(spec, promoted, decisions, circumstances)


def _taken(
    spec: ImageSpec,
    candidates: Sequence[ObservedImage],
    observed: Observed,
    decisions: Mapping[str, Decision],
    circumstances: Circumstances,
) -> list[tuple[ObservedImage, Observed]]:
    """Return the candidates that would be up to date once they are in use, each with what the engine would hold."""
    found = []
    # Nobody knows of a candidate whether the files that were installed in it have the hashes of its list.
    for image in () if spec.hashes else candidates:
        in_use = evolve(image, labels={**image.labels, ROLE_LABEL: "current"})
        promoted, after = _decide_with(spec, in_use, observed, decisions, circumstances)
        if after.state == "up-to-date" or after.relabel:
            found.append((image, promoted))
    return found


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
        state: ImageState = "undetermined" if held is None else "held"
        return Decision(image=spec.name, task=spec.task, state=state, problem=problem, held=held)
    # An undeclared image is left as it is, but for what it remembers.
    content = spec.withdrawn or (not forced and not news and content_is_current(spec, observed, parent))
    memory = memory_is_current(spec, observed)
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
    return f"parent {observed.public_tag(parent.image)} is undetermined"
