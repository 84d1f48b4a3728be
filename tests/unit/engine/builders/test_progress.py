"""Steps, lines and failures, made of what a builder tells."""

import pytest

from isol8_tasks.engine import BuildEvent
from isol8_tasks.engine.builders.progress import LAST_LINES, Progress, StepLog, Vertex, build_failed, clean


def vertex(name: str, state: str = "", error: str = "", digest: str = "1") -> Vertex:
    """Return news of a piece of work."""
    return Vertex(
        digest=digest,
        name=name,
        started=state != "",
        completed=state in {"completed", "cached"},
        cached=state == "cached",
        error=error,
    )


class TestNames:
    """A step's name, and its place."""

    @pytest.mark.parametrize(
        ("name", "step", "number", "total"),
        [
            ("[2/3] RUN pip install x", "RUN pip install x", 2, 3),
            ("[bun 2/5] RUN a [1/2] b", "RUN a [1/2] b", 2, 5),
            ("[linux/amd64 stage-1 10/12] COPY a b", "COPY a b", 10, 12),
            ("exporting to image", "exporting to image", 0, 0),
        ],
    )
    def test_the_counter_is_read(self, name: str, step: str, number: int, total: int) -> None:
        """Stage and platform are left out, the counter becomes numbers."""
        events: list[BuildEvent] = []
        Progress(events.append).vertex(vertex(name, "started"))
        assert events == [BuildEvent(kind="step", step=step, number=number, total=total)]

    @pytest.mark.parametrize(
        "name", ["[internal] load build context", "copy /context /", "[auth] pull token for x", ""]
    )
    def test_the_builder_s_own_work_is_no_step(self, name: str) -> None:
        """What no Dockerfile says is not told."""
        events: list[BuildEvent] = []
        Progress(events.append).vertex(vertex(name, "started"))
        assert events == []


class TestProgress:
    """The same vertex is told of again and again."""

    def test_each_thing_is_told_once(self) -> None:
        """A step begins once, and is cached once, however often the news come."""
        events: list[BuildEvent] = []
        progress = Progress(events.append)
        for state in ("", "started", "started", "completed"):
            progress.vertex(vertex("[1/2] RUN a", state))
        for state in ("", "cached", "cached"):
            progress.vertex(vertex("[2/2] RUN b", state, digest="2"))
        assert [(event.kind, event.step) for event in events] == [("step", "RUN a"), ("cached", "RUN b")]

    def test_output_is_told_by_lines(self) -> None:
        """Pieces are put together, steps kept apart, and a line without an end comes with the step's end."""
        events: list[BuildEvent] = []
        progress = Progress(events.append)
        progress.vertex(vertex("[1/1] RUN a", "started"))
        progress.vertex(vertex("[1/1] RUN b", "started", digest="2"))
        progress.output("1", b"on")
        progress.output("2", b"other\n")
        progress.output("1", b"e\n\ntwo \xc3")
        progress.output("1", b"\xa4")
        progress.output("unknown", b"lost\n")
        progress.vertex(vertex("[1/1] RUN a", "completed"))
        assert [(event.step, event.line) for event in events if event.kind == "log"] == [
            ("RUN b", "other"),
            ("RUN a", "one"),
            ("RUN a", "two ä"),
        ]

    def test_the_failing_step_is_found(self) -> None:
        """The step that failed counts, not those that were aborted with it."""
        progress = Progress(lambda _event: None)
        progress.vertex(vertex("[a 1/1] RUN sleep", "started"))
        progress.vertex(vertex("[b 1/1] RUN false", "started", digest="2"))
        progress.output("2", b"".join(b"%d\n" % number for number in range(LAST_LINES + 10)))
        progress.output("2", b"no end")
        progress.vertex(vertex("[a 1/1] RUN sleep", "completed", "context canceled"))
        progress.vertex(vertex("[b 1/1] RUN false", "completed", "exit code: 1", digest="2"))
        error = progress.failure("isol8:a", 'process "/bin/sh -c false" did not complete: exit code: 1')
        assert str(error) == "isol8:a could not be built: [b 1/1] RUN false: exit code 1"
        assert error.step == "[b 1/1] RUN false"
        assert error.output == (*(str(number) for number in range(11, LAST_LINES + 10)), "no end")

    def test_a_build_that_fails_before_its_first_step(self) -> None:
        """Where no step was reached, the engine's words stand alone."""
        error = Progress(lambda _event: None).failure("isol8:a", "dockerfile parse error line 2: FOO")
        assert str(error) == "isol8:a could not be built: dockerfile parse error line 2: FOO"
        assert (error.step, error.output) == ("", ())


class TestWords:
    """Foreign text."""

    @pytest.mark.parametrize(
        ("message", "reason"),
        [
            ("", "no reason was given"),
            ("\n first\nsecond", "first"),
            ("executor failed running [/bin/sh -c false]: exit code: 17", "exit code 17"),
            ("The command '/bin/sh -c false' returned a non-zero code: 2", "exit code 2"),
            ('building at STEP "RUN false": while running runtime: exit status 3', "exit code 3"),
            ("ERROR: failed to build: failed to solve: a: not found", "a: not found"),
            ("failed to solve with frontend dockerfile.v0: a", "a"),
            ("rpc error: code = Unknown desc = a", "a"),
            ("Get https://me:pw@host/: no", "Get https://***@host/: no"),
        ],
    )
    def test_a_reason_is_short(self, message: str, reason: str) -> None:
        """What builders put in front is left out, and so are credentials."""
        assert str(build_failed("a:b", message)) == f"a:b could not be built: {reason}"

    def test_control_characters_go(self) -> None:
        """Colours, bells and carriage returns do not reach a log."""
        assert clean("\x1b[91mred\x1b[0m\a\tx\x1b]") == "red\tx"

    def test_of_a_progress_bar_its_end_is_kept(self) -> None:
        """A line that was overwritten shows what stood there last."""
        events: list[BuildEvent] = []
        step = StepLog("[1/1] RUN a", events.append)
        step.write(b"10%\r50%\r100%\r\n")
        assert [event.line for event in events] == ["100%"]
