"""What others find of a run: the manifest of the images in use, where they are in a registry, and what changed."""

import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from attrs import define, evolve, field

from isol8_tasks.errors import EngineUnreachableError, Isol8Error
from isol8_tasks.images import manifest
from isol8_tasks.images.labels import BUILD
from isol8_tasks.images.observed import Observed, ObservedImage
from isol8_tasks.images.pushed import Pushed, in_use, is_same_build, recorded_pushes, waiting
from isol8_tasks.run.view import View
from isol8_tasks.run.workspace import now

if TYPE_CHECKING:
    from isol8_tasks.engine import OnEvent
    from isol8_tasks.lifecycle.build import Outcome
    from isol8_tasks.lifecycle.transfer import Push
    from isol8_tasks.plan.decision import Decision
    from isol8_tasks.run.events import Failure
    from isol8_tasks.run.history import History


@define(eq=False, repr=False)
class Publication:
    """The manifest, and what is pushed."""

    view: View
    changed: tuple[str, ...] | None = field(default=None, init=False)
    """Names that changed in the manifest; None while it was not looked at."""
    pushed: dict[str, tuple[str, Pushed]] = field(factory=dict, init=False)
    """By name the id of each image that this run found or brought to be in a registry, and where."""
    unpushed: tuple[str, ...] = field(default=(), init=False)
    """Names of the images that are not in the registry of deps.toml, as it lets this run only read."""
    pulled: dict[str, tuple[str, Pushed]] = field(factory=dict, init=False)
    """The same of those that were there: it got them from there, or found that it has nothing to send."""
    kept: dict[str, tuple[str, Pushed]] = field(factory=dict, init=False)
    """The same of those whose rebuild came to what is there."""
    indexed: dict[str, tuple[str, Pushed]] = field(factory=dict, init=False)
    """The same of those for whose index this run found out what is in it for other platforms."""
    _returned: set[str] = field(factory=set, init=False)
    """Names of the images pulled in place of what had been rolled back to: those in the registry have to follow."""
    on_problem: Callable[[str], None] | None = field(default=None, init=False)
    """Hears at the end why changes are not in the history."""
    _history: "History | None" = field(default=None, init=False)

    @property
    def history(self) -> "History":
        """Where every change of an image is added."""
        with self.view.mutex:
            if self._history is None:
                from isol8_tasks.run.history import History  # noqa: PLC0415 - for who changes something

                self._history = History(self.view)
            return self._history

    def add(
        self, outcome: "Outcome", decision: "Decision", before: Observed, seconds: float, pulled: int = 0
    ) -> None:
        """Add to the history what came of an image in this run, and how many bytes of it were pulled.

        `before` is what the engine held until then.
        """
        again = outcome.result == "pulled" and self.view.config.verify.again
        image_id, where = self.pulled.get(outcome.image, ("", None))
        self.history.add(
            outcome.image,
            outcome.result,
            before,
            ObservedImage(id=outcome.image_id, labels=outcome.labels),
            why=self._why(decision),
            seconds=seconds,
            pulled=pulled + self._pulled_for(outcome.image),
            verified=again or outcome.result in {"built", "promoted", "same"},
            digest=where.digest if where and image_id == outcome.image_id else "",
        )

    def add_failure(self, failure: "Failure", seconds: float) -> None:
        """Add to the history that an image could not be made; not that no engine answers, which is about none."""
        from isol8_tasks.images.journal import FAILED  # noqa: PLC0415 - for who fails
        from isol8_tasks.report.remedies import cause_of  # noqa: PLC0415 - as above

        if not failure.image or isinstance(failure.error, EngineUnreachableError):
            return
        why: tuple[str, ...] = ()
        with contextlib.suppress(Isol8Error):
            why = self._why(self.view.decisions[failure.image], failed=True)
        self.history.add_note(
            failure.image,
            FAILED,
            why=why,
            problem=cause_of(failure.error),
            seconds=seconds,
            pulled=self._pulled_for(failure.image),
        )

    def _why(self, decision: "Decision", *, failed: bool = False) -> tuple[str, ...]:
        from isol8_tasks.report.plan import reasons_in_words  # noqa: PLC0415 - for who changes something
        from isol8_tasks.run.history import carried_out  # noqa: PLC0415 - as above

        return reasons_in_words(carried_out(decision, failed=failed), self.view.config)

    def _pulled_for(self, name: str) -> int:
        """Return the bytes of upstream images that were pulled for an image, and for none before it."""
        specs = (spec for spec in self.view.graph.images if spec.name == name)
        return sum(self.view.take_bytes(each for each, _ in spec.inputs.upstream) for spec in specs)

    def close(self) -> None:
        """Tell why changes are not in the history, if that is so."""
        if self._history and self._history.problem and self.on_problem:
            self.on_problem(self._history.problem)
            self._history = None

    def write_manifest(self) -> None:
        """Write the manifest of what the engine held when it was looked at last, and of what is expected."""
        held, known = self.view.holds, self.view.known
        state = manifest.state(known, held)
        if not (
            self.pushed or self.pulled or self.kept or self.indexed
        ) and self.view.workspace.manifest_shows(state):
            self.changed = self.changed or ()
            return
        text = manifest.render_manifest(known, held, self.in_registry)
        old = self.view.workspace.write_manifest(text, state)
        new = () if old == text else manifest.changed_images(old, text)
        self.changed = tuple(dict.fromkeys((*(self.changed or ()), *new)))

    @property
    def in_registry(self) -> Mapping[str, tuple[str, Pushed]]:
        """Which images, by their ids, are known to be in a registry: by the manifest, and by what this run did."""
        recorded = recorded_pushes(self.view.workspace.read_manifest())
        # What has yet to be known there by its new key does not count: a run that is killed leaves that to the next.
        settings = self.view.config.registry
        kept = {
            name: found
            for name, found in self.kept.items()
            if name in self.unpushed or not settings.push or found[1].repository != settings.repository
        }
        return {**recorded, **self.pulled, **kept, **self.pushed, **self.indexed}

    @property
    def waiting(self) -> tuple[str, ...]:
        """Names of the images in use that are, by the manifest, not in the registry of deps.toml."""
        settings = self.view.config.registry
        if not settings.repository or not settings.push:
            return ()
        known = {name: found for name, found in self.in_registry.items() if name not in self._returned}
        return waiting(self.view.observed, known, settings.repository, standins=settings.standins)

    @property
    def left_out(self) -> tuple[str, ...]:
        """Names of the images that are not pushed, as they are based on a stand-in and deps.toml does not say so."""
        settings = self.view.config.registry
        if not settings.repository or not settings.push or settings.standins:
            return ()
        pushed = in_use(self.view.observed, standins=False)
        return tuple(name for name in in_use(self.view.observed, standins=True) if name not in pushed)

    def got(self, outcome: "Outcome", where: Pushed, before: Observed) -> None:
        """Remember where an image was pulled from; `before` is what the engine held until then."""
        name = outcome.image
        self.pulled[name] = (outcome.image_id, where)
        previous = before.public(f"{name}-previous")
        if previous and previous.labels.get(BUILD) == outcome.labels.get(BUILD):
            self._returned.add(name)

    def keep(self, outcome: "Outcome", before: Observed) -> None:
        """Remember that what was in use, and is in a registry, stays there for the same image under a newer key.

        Not where clients find it by other labels now.
        """
        image, record = before.public(outcome.image), before.record(outcome.image)
        old, where = self.in_registry.get(outcome.image, ("", None))
        if image is None or record is None or where is None or old != image.id:
            return
        if is_same_build(image.labels, outcome.labels):
            self.kept[outcome.image] = (outcome.image_id, evolve(where, key=where.key or record.key))

    def push(
        self,
        name: str,
        known: Pushed | None,
        overtaken: Callable[[], bool] = lambda: False,
        on_event: "OnEvent" = lambda _: None,
        *,
        takes_name: bool = False,
    ) -> tuple[str, ...]:
        """Bring an image into the registry, and remember where it is; return the tags that were written there.

        What is there with the labels of older inputs stays, and gets the new ones under a tag of its own.
        """
        from isol8_tasks.lifecycle.refusals import (  # noqa: PLC0415 - for who has a registry
            refuse_credentials,
            refuse_other_layers,
        )
        from isol8_tasks.lifecycle.transfer import push_image  # noqa: PLC0415 - as above

        view = self.view
        work = evolve(self._work(name, on_event), takes_name=takes_name or name in self._returned)
        refuse_other_layers(work, view.engine)
        if not view.config.registry.credentials:
            refuse_credentials(work, view.engine, view.config.build.args, view.redactor)
        sent = 0

        def on_bytes(done: int, size: int) -> None:
            nonlocal sent
            sent = max(sent, done)
            if work.on_bytes:
                work.on_bytes(done, size)

        where, written = push_image(evolve(work, on_bytes=on_bytes), view.engine, known, overtaken)
        self._returned.discard(name)
        # Else at most its labels were sent.
        new = not {name, where.tag}.isdisjoint(written)
        (self.pushed if new else self.pulled)[name] = (work.image.id, where)
        if new:
            self.history.add_push(name, work.image.id, where.digest, sent)
        return written

    def _work(self, name: str, on_event: "OnEvent") -> "Push":
        from isol8_tasks.lifecycle.transfer import Push  # noqa: PLC0415 - as above
        from isol8_tasks.run.updating import sent  # noqa: PLC0415 - as above

        view, limit = self.view, self.view.config.refresh.max_age
        work = Push.of(
            name,
            view.observed,
            view.config.registry.repository,
            moves_back=name in view.holds,
            too_old=now() - limit if limit else None,
            indexed=len(view.config.build.platforms) > 1,
        )
        return evolve(work, on_bytes=lambda done, size: on_event(sent(work.repository, done, size)))
