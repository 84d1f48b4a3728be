"""Two machines that build the same at once: the one that pushes later takes the other's image instead of its own."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from isol8_tasks.errors import SourceUnavailableError
from isol8_tasks.images.labels import read_record
from isol8_tasks.images.pushed import key_tag
from isol8_tasks.lifecycle.promotion import drop, private_tag
from isol8_tasks.plan.decision import Decision
from isol8_tasks.plan.staleness import decide_again

if TYPE_CHECKING:
    from isol8_tasks.run.view import View


def built_elsewhere(name: str, view: "View") -> Decision | None:
    """Return the decision to pull an image with the same inputs that came into the registry since this one was decided.

    None where there is none, or where it is based on another build of the parent than is in use here.
    """
    record = view.observed.record(name)
    if record is None:
        return None
    tag = key_tag(name, record.key)
    try:
        found = view.engine.remote_images(view.config.registry.repository, [tag, name])
    except SourceUnavailableError:
        # The push will tell.
        return None
    # Whose push is under way has the name already, and the tag of the key last.
    there = [
        each.image
        for where, each in found.items()
        if (theirs := read_record(each.image.labels)) is not None
        and theirs.build != record.build
        and view.remote.add(name, where, each.image)
    ]
    without = view.observed.without(name)
    decision = decide_again(name, view.decisions, view.graph, without, view.circumstances(), {name: there})[
        name
    ]
    return decision if decision.state == "in-registry" else None


def give_way(decision: Decision, view: "View", pull: Callable[[Decision], None]) -> None:
    """Let the image of the registry be the one in use, and remove the one that was built here; `-previous` stays."""
    name = decision.image
    own, older = view.observed.public(name), view.observed.public(f"{name}-previous")
    previous = view.public_tag(f"{name}-previous")
    with private_tag(view.engine, view.repository, name) as kept:
        if older:
            view.engine.tag(older.id, kept)
        pull(decision)
        if older:
            view.engine.tag(older.id, previous)
        else:
            view.engine.untag(previous)
    drop(view.engine, [own.id] if own else [])
