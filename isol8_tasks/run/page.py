"""The page of a checkout's images: what it is made of, gathered, and its file."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TextIO

from isol8_tasks.errors import ConfigError, Isol8Error
from isol8_tasks.freshness.model import Freshness
from isol8_tasks.report.page.document import Cleaned, Snapshot, page_document
from isol8_tasks.report.page.html import render_page
from isol8_tasks.run.history import KnownHistory, known_history
from isol8_tasks.run.view import View
from isol8_tasks.run.workspace import now
from isol8_tasks.safety.files import not_to_be_a_page, write_named
from isol8_tasks.safety.printing import one_line, write_exactly


def refuse_unwritable(file: Path, place: str) -> None:
    """Raise ConfigError, with the flag or setting that names it, for a file that can't be written or is no page."""
    if problem := not_to_be_a_page(file):
        raise ConfigError(f"{place}: {file}: can't be written ({problem}); name another file")


class WrittenPage(NamedTuple):
    """What was written."""

    images: int
    """How many are on it."""
    length: int
    """Bytes."""
    problem: str
    """Why the history could not be read, which is left out then; empty where it could."""


def gather_page(view: View, found: Sequence[Freshness] | None, known: KnownHistory | None = None) -> Cleaned:
    """Return what the page shows, as things stand now.

    `found` is how fresh the images are; None where no source was asked. EngineError: no engine answers.
    """
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
        history=(known or known_history(view)).entries,
    )
    return page_document(snapshot, lambda text: one_line(view.redactor(text)))


def write_page(view: View, found: Sequence[Freshness] | None, to: Path | TextIO) -> WrittenPage:
    """Write the page, to a stream or into a file; one that is there is replaced by a whole one."""
    known = known_history(view)
    document = gather_page(view, found, known)
    page = render_page(document)
    if isinstance(to, Path):
        try:
            write_named(to, page)
        except OSError as error:
            raise Isol8Error(
                f"{to}: the page can't be written ({error.strerror}); name another file"
            ) from error
    else:
        write_exactly(to, page)
    return WrittenPage(document["answers"]["images"], len(page.encode()), known.problem)
