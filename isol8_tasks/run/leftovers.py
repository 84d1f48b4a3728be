"""What a run that was cut off left on the engine; nobody else may be at work there while it is removed."""

from isol8_tasks.images.candidates import LONGEST_TAKEN, abandoned, offered
from isol8_tasks.images.holds import are_settled
from isol8_tasks.images.pushed import strays
from isol8_tasks.run.view import View
from isol8_tasks.run.workspace import now


def clear(view: View) -> None:
    """Remove the containers of runs that are over, look again, and take the tags of a push away that was cut off."""
    view.engine.sweep()
    view.look_again()
    if strayed := strays(view.observed, view.config.registry.repository):
        # Before anything takes the place of these images: clients would go on to find them by such a tag.
        for tag in strayed:
            view.engine.untag(tag)
        view.look_again()


def are_there(view: View) -> bool:
    """Tell whether there is a tag that only a run which was cut off leaves, or a hold that is over."""
    return bool(
        strays(view.observed, view.config.registry.repository)
        or abandoned_candidates(view)
        or not are_settled(view.observed, now(), view.config.hold.max_age)
    )


def finish(view: View) -> None:
    """Remove the candidates of builds that were cut off, and bring rollbacks to their end."""
    from isol8_tasks.lifecycle.rollback import finish_rollbacks  # noqa: PLC0415 - few runs find anything of the kind

    for tag in abandoned_candidates(view):
        view.engine.untag(tag)
    if finish_rollbacks(view.observed, view.engine, now=now(), longest=view.config.hold.max_age):
        view.look()


def abandoned_candidates(view: View) -> list[str]:
    """Return the candidates that no run uses any more, and none will promote."""
    found = abandoned(view.observed, now())
    if not found:
        return []
    kept = {tag for each in view.decisions.values() for image in each.candidates for tag in image.tags}
    if view.request.only:
        # Nothing was decided of the others.
        offer = offered(view.observed, now(), LONGEST_TAKEN)
        others = (images for name, images in offer.items() if name not in view.decisions)
        kept |= {tag for images in others for image in images for tag in image.tags}
    return [tag for tag in found if tag not in kept]
