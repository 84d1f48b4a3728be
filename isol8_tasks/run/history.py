"""The history of images in .isol8/history.jsonl: what runs changed, a line each. Without it nothing else is missing."""

import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from attrs import define, evolve, field, frozen

from isol8_tasks.engine import ImageDetail, ObservedImage
from isol8_tasks.errors import EngineError, Isol8Error
from isol8_tasks.images.journal import (
    HistoryEntry,
    PastBuild,
    found_entry,
    joined_history,
    outlived,
    parent_of,
    past_build,
    with_images_in_use,
)
from isol8_tasks.images.journal_lines import history_line, read_history, render_history, with_push
from isol8_tasks.images.labels import read_record
from isol8_tasks.images.observed import Observed
from isol8_tasks.images.pushed import immutable_tags, recorded_pushes
from isol8_tasks.plan import reasons
from isol8_tasks.plan.decision import Decision
from isol8_tasks.run.view import View
from isol8_tasks.run.workspace import now
from isol8_tasks.safety.appended import append, read_end, rewrite
from isol8_tasks.safety.credentials import hidden_argument
from isol8_tasks.safety.files import make_folder
from isol8_tasks.safety.printing import one_line
from isol8_tasks.safety.redact import redact

HISTORY: Final = "history.jsonl"
"""In the folder .isol8."""
_LEAST_GONE: Final = 5
"""The file is written again once a fifth of its lines is too old."""


@define(eq=False)
class History:
    """The history of a checkout's images, as a run adds to it; what goes wrong with it fails nothing."""

    view: View
    problem: str = field(default="", init=False)
    """Why something could not be added."""
    _last: dict[str, HistoryEntry] | None = field(default=None, init=False)
    """The last line of each image on this engine; None while the file was not read."""
    _notes: dict[tuple[str, str], HistoryEntry] = field(factory=dict, init=False)
    """The last line that is no change, by the image and what it tells."""
    _digests: Mapping[str, str] = field(factory=dict, init=False)
    """Of images in a registry, by their ids."""
    _mutex: threading.Lock = field(factory=threading.Lock, init=False)

    def add(
        self,
        name: str,
        how: str,
        before: Observed,
        image: ObservedImage | None,
        *,
        digest: str = "",
        **more: Any,  # noqa: ANN401 - `why`, `seconds`, `verified` of the line, and `pulled`: bytes
    ) -> None:
        """Add that an image became another one, or was removed; `before` is what the engine held until then."""
        if image is None and before.public(name) is None:
            return
        try:
            new = self._new(image, digest) if image else None
            record = read_record(image.labels) if image else None
            with self._mutex:
                self._write(
                    self._entry(
                        name,
                        how,
                        old=self._old(name, before),
                        new=new,
                        parent=parent_of(image, self.view.repository) if image else "",
                        checkout=record.checkout if record else "",
                        transferred=_known(
                            pulled=more.pop("pulled", 0),
                            built=self._built(new, image, before) if new and image and how == "built" else 0,
                        ),
                        **{**more, "why": tuple(map(self.view.redactor, more.get("why", ())))},
                    )
                )
        except (OSError, Isol8Error) as error:
            self._fail(error)

    def add_note(self, name: str, how: str, *, pulled: int = 0, **more: Any) -> None:  # noqa: ANN401 - as above
        """Add what a run came to beside changes: that an image could not be made, or what a refresh found.

        What says the same as the line of its kind before, on the same day, is left out.
        """
        try:
            with self._mutex:
                self._read()
                note = self._entry(
                    name,
                    how,
                    transferred=_known(pulled=pulled),
                    **{
                        **more,
                        "why": tuple(map(self.view.redactor, more.get("why", ()))),
                        "problem": one_line(self.view.redactor(more.get("problem", ""))),
                    },
                )
                if not note.repeats(self._notes.get((name, how))) or note.transferred:
                    append(history_path(self.view), history_line(note, None))
                    self._notes[name, how] = note
        except (OSError, Isol8Error) as error:
            self._fail(error)

    def add_push(self, name: str, image_id: str, digest: str, sent: int = 0) -> None:
        """Add which digest an image in use has in its registry, and how many bytes were sent there."""
        try:
            with self._mutex:
                last = self._read().get(name)
                if last and last.new and last.new.id == image_id and last.new.digest != digest:
                    pushed = self._entry(
                        name,
                        "pushed",
                        new=PastBuild(id=image_id, digest=digest),
                        transferred=_known(pushed=sent),
                    )
                    append(history_path(self.view), history_line(pushed, None))
                    self._read()[name] = with_push(last, digest, sent)
        except (OSError, Isol8Error) as error:
            self._fail(error)

    def _old(self, name: str, before: Observed) -> PastBuild | None:
        """Return what an image was until now; where no line tells of that, one is added."""
        image, last = before.public(name), self._read().get(name)
        if image is None:
            return None
        if last is None or last.new is None or last.new.id != image.id:
            place = engine_of(self.view), self.view.repository
            last = found_entry(name, image, before.record(name), last, place)
            if last.new and (digest := self._digests.get(image.id)):
                last = evolve(last, new=evolve(last.new, digest=digest))
            self._write(last)
        return last.new

    def _write(self, entry: HistoryEntry) -> None:
        last = self._read().get(entry.image)
        append(history_path(self.view), history_line(entry, last.new if last else None))
        self._read()[entry.image] = entry

    def _read(self) -> dict[str, HistoryEntry]:
        if self._last is None:
            path, since = history_path(self.view), now() - self.view.config.history.keep
            make_folder(path.parent)
            found, _ = read_history(read_end(path))
            gone = len(found) - len(outlived(found, since))
            if gone * _LEAST_GONE > len(found):
                rewrite(path, lambda text: render_history(outlived(read_history(text)[0], since)))
            pushed = recorded_pushes(self.view.workspace.read_manifest())
            self._digests = {image_id: where.digest for image_id, where in pushed.values()}
            here = _of_engine(found, engine_of(self.view), self.view.repository)
            self._last = {each.image: each for each in here if each.is_change}
            self._notes = {(each.image, each.how): each for each in here if not each.is_change}
        return self._last

    def _entry(self, name: str, how: str, **more: Any) -> HistoryEntry:  # noqa: ANN401 - the rest of its fields
        return HistoryEntry(
            at=now(),
            image=name,
            repository=self.view.repository,
            engine=engine_of(self.view),
            how=how,
            **more,
        )

    def _new(self, image: ObservedImage, digest: str) -> PastBuild:
        """Return what an image is now, with what the list of images does not say of it."""
        found = past_build(image, read_record(image.labels), digest=digest)
        try:
            detail = self.view.engine.inspect(image.id)
        except EngineError:
            # What is in its labels is known all the same.
            return found
        return (
            evolve(found, size=detail.size, configuration=dict(self._settings(detail))) if detail else found
        )

    def _built(self, new: PastBuild, image: ObservedImage, before: Observed) -> int:
        """Return how much larger an image is than what it is based on; 0 where that is not known."""
        parent = parent_of(image, self.view.repository)
        known = self._read().get(parent)
        record = read_record(image.labels)
        here = before.public(parent) if parent else before.tagged(record.upstream) if record else None
        size = known.new.size if known and known.new else here.size if here else 0
        return new.size - size if new.size and size else 0

    def _settings(self, detail: ImageDetail) -> Iterator[tuple[str, str]]:
        """Yield how containers of an image run, without credentials, and without labels, of which ours say the rest."""
        for key, value in sorted(detail.configuration.items()):
            if key == "Env" and isinstance(value, list | tuple):
                for each in value:
                    name, _, text = str(each).partition("=")
                    yield f"Env {name}", self.view.redactor(hidden_argument(name, text))
            elif key != "Labels":
                shown = (
                    value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
                )
                yield key, self.view.redactor(shown)

    def _fail(self, error: Exception) -> None:
        told = f".isol8/{HISTORY}: what changed can't be added to the history ({_words(error)})"
        told += "; make it writable, or move it away"
        self.problem = self.problem or told


def history_path(view: View) -> Path:
    """Return the file of a checkout's history."""
    return view.workspace.state / HISTORY


def engine_of(view: View) -> str:
    """Return how lines of the history name an engine."""
    return redact(view.endpoint.url)


@frozen(kw_only=True)
class KnownHistory:
    """What is known of the images on one engine, and of their builds before."""

    entries: tuple[HistoryEntry, ...]
    engine: str
    """Whose images these are."""
    another: str = ""
    """The engine that this checkout used last, if that is another one, and the file has nothing of this one."""
    wrong: tuple[int, ...] = ()
    """Numbers of the lines that can't be read."""
    problem: str = ""
    """Why the file can't be read, on a line: what labels say is known all the same."""


def known_history(view: View) -> KnownHistory:
    """Return what is known of the images in use and of their builds before.

    What no line tells of an image in use, its labels do. Where no engine answers and the environment names none, as
    after `down`, it is the history of the engine that this checkout used last.
    """
    text = problem = ""
    try:
        text = read_end(history_path(view))
    except (OSError, Isol8Error) as error:
        problem = f".isol8/{HISTORY}: can't be read ({_words(error)}); make it readable, or move it away"
    found, wrong = read_history(text)
    engine, repository = engine_of(view), view.repository
    last = next((each.engine for each in reversed(found) if each.repository == repository), engine)
    here = _of_engine(found, engine, repository)
    another = "" if here or last == engine else last
    try:
        here = with_images_in_use(here, view.observed, engine)
    except EngineError:
        if view.endpoint.why != "DOCKER_HOST" and not view.environ.get("DOCKER_CONTEXT"):
            engine, another, here = last, "", _of_engine(found, last, repository)
    return KnownHistory(entries=here, engine=engine, another=another, wrong=wrong, problem=problem)


def _of_engine(entries: Iterable[HistoryEntry], engine: str, repository: str) -> tuple[HistoryEntry, ...]:
    """Return the changes on an engine, of images of a repository."""
    return tuple(each for each in entries if each.place[:2] == (engine, repository))


def rebuild_history(view: View) -> int:
    """Add the builds that the registry of deps.toml has under tags with a date; return how many no line told of.

    SourceUnavailableError: the registry could not be asked. Isol8Error: the file can't be written.
    """
    from isol8_tasks.lifecycle.expiry import likely_ours  # noqa: PLC0415 - for who has a registry

    repository, path = view.config.registry.repository, history_path(view)
    tags = view.engine.remote_tags(repository)
    images = view.engine.remote_images(repository, likely_ours(tags))
    found = []
    for digest, remote in images.items():
        record = read_record(remote.image.labels)
        dated = next(immutable_tags(remote.image, record)) if record else ""
        if record and any(
            f"{tag}-".startswith(f"{dated}-") for tag, there in tags.items() if there == digest
        ):
            # How much it takes on an engine nobody knows.
            image = evolve(remote.image, size=0)
            entry = found_entry(record.image, image, record, None, (engine_of(view), view.repository))
            found.append(evolve(entry, new=entry.new and evolve(entry.new, digest=digest)))
    new: dict[tuple[str, str], HistoryEntry] = {}

    def add(text: str) -> str:
        before, _ = read_history(text)
        place = engine_of(view), view.repository
        known = {(each.image, each.new.build) for each in _of_engine(before, *place) if each.new}
        builds = {(each.image, each.new.build): each for each in found if each.new}
        new.update({build: each for build, each in builds.items() if build not in known})
        return render_history(joined_history(before, new.values()))

    try:
        make_folder(path.parent)
        append(path, "")
        done = rewrite(path, add)
    except OSError as error:
        raise Isol8Error(f".isol8/{HISTORY}: can't be written ({_words(error)})") from error
    if not done:
        raise Isol8Error(f".isol8/{HISTORY}: another run is writing it; run again")
    return len(new)


def _known(**bytes_of: int) -> Mapping[str, int]:
    return {name: count for name, count in bytes_of.items() if count > 0}


def _words(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def carried_out(decision: Decision, *, failed: bool = False) -> Decision:
    """Return a decision as it reads once it was carried out; which packages changed is told by themselves.

    Unless it `failed`, as then none did.
    """
    return evolve(
        decision,
        candidates=(),
        reasons=tuple(
            reasons.ParentRebuilt(parent=each.parent) if isinstance(each, reasons.ParentStale) else each
            for each in decision.reasons
            if not isinstance(each, reasons.OtherCheckout)
            and (failed or not isinstance(each, reasons.PackagesBehind))
        ),
    )
