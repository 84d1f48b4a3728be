"""The page of a checkout's images: what it is made of, gathered, and its file."""

from collections.abc import Sequence
from pathlib import Path

from isol8_tasks.errors import ConfigError, Isol8Error
from isol8_tasks.freshness.model import Freshness
from isol8_tasks.report.page.document import Cleaned, Snapshot, page_document
from isol8_tasks.report.page.html import render_page
from isol8_tasks.run.history import known_history
from isol8_tasks.run.view import View
from isol8_tasks.run.workspace import now
from isol8_tasks.safety.files import not_to_be_a_page, write_named
from isol8_tasks.safety.printing import one_line


def refuse_unwritable(file: Path, place: str) -> None:
    """Raise ConfigError, with the flag or setting that names it, for a file that can't be written or is no page."""
    if problem := not_to_be_a_page(file):
        raise ConfigError(f"{place}: {file}: can't be written ({problem}); name another file")


def gather_page(view: View, found: Sequence[Freshness] | None) -> Cleaned:
    """Return what the page shows, as things stand now.

    `found` is how fresh the images are; None where no source was asked. EngineError: no engine answers.
    """
    entries, _ = known_history(view)
    snapshot = Snapshot(
        at=now(),
        engine=f"{view.engine_product} {view.engine_version}".strip(),
        platform=view.engine.platform(),
        config=view.config,
        graph=view.graph,
        decisions=view.decisions,
        observed=view.observed,
        holds=view.holds,
        found=found,
        history=entries,
    )
    return page_document(snapshot, lambda text: one_line(view.redactor(text)))


def write_page(view: View, found: Sequence[Freshness] | None, file: Path) -> tuple[int, int]:
    """Write the page; return how many images are on it, and its bytes. One that is there is replaced by a whole one."""
    document = gather_page(view, found)
    page = render_page(document)
    try:
        write_named(file, page)
    except OSError as error:
        raise Isol8Error(
            f"{file}: the page can't be written ({error.strerror}); name another file"
        ) from error
    return document["answers"]["images"], len(page.encode())
