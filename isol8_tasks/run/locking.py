"""Writes the lock: deps.lock.toml, or a file for each of several platforms."""

from collections.abc import Mapping

from isol8_tasks.run.events import Watching, unwatched
from isol8_tasks.run.lock import whole_lock
from isol8_tasks.run.session import Session


def write_lock(session: Session, watch: Watching = unwatched) -> Mapping[str, tuple[str, ...]]:
    """Write the lock of all images, and return by its file which are in it in another way than before.

    All files are written, or none; the errors are those of `whole_lock`.
    """
    view = session.view
    found = [whole_lock(view, watch)]
    if view.lock_platform:
        from isol8_tasks.run.other_work import looked_into  # noqa: PLC0415 - few files name several

        found += looked_into(session, lambda other: whole_lock(other, watch))
    for each in found:
        view.workspace.write_lock(each.text, each.platform)
    return {view.workspace.lock_name(each.platform): each.changed for each in found}


def update_lock(session: Session) -> Mapping[str, tuple[str, ...]]:
    """Do what `write_lock` does where a lock exists; nothing where none was asked for yet."""
    return write_lock(session) if session.view.read_lock() is not None else {}
