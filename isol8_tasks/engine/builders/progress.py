"""What a builder tells while it works, as the events that everyone else sees."""

import re
from collections import deque
from typing import Final, Literal

from attrs import frozen

from isol8_tasks.engine import BuildEvent, OnEvent
from isol8_tasks.errors import BuildFailedError
from isol8_tasks.safety.redact import redact

LAST_LINES: Final = 500
"""How many lines of a failing step are carried along; what the cause is may stand far from the end."""
_COUNTED: Final = re.compile(r"\[(?:[^\]]* )?(\d+)/(\d+)\] ")
_EXPORT: Final = "exporting to "
_CONTROL: Final = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-Z\\-_]|[\x00-\x08\x0b-\x1f\x7f]")
_PREFIXES: Final = re.compile(
    r"^(?:ERROR: |failed to build: |failed to solve(?: with frontend \S+)?: |rpc error: code = \w+ desc = )+"
)
_EXIT_CODE: Final = re.compile(r"(?:exit code: |exit status |returned a non-zero code: )(\d+)\s*$")


class StepLog:
    """One step of a build: cuts what it prints into lines, passes them on and remembers the last."""

    def __init__(self, name: str, on_event: OnEvent) -> None:
        self.name = clean(name)
        """With its counter, as `[bun 2/5] RUN …`."""
        counted = _COUNTED.match(self.name)
        self.counts = counted is not None or self.name.startswith(_EXPORT)
        """Whether people know it as a step: the rest is BuildKit's own, like `[internal] load metadata`."""
        self._step = self.name[counted.end() :] if counted else self.name
        self._number, self._total = (int(counted[1]), int(counted[2])) if counted else (0, 0)
        self._on_event = on_event
        self._rest = b""
        self._last: deque[str] = deque(maxlen=LAST_LINES)
        self._told: set[str] = set()
        self._in_key = False

    @property
    def output(self) -> tuple[str, ...]:
        """The last lines, oldest first."""
        return tuple(self._last)

    def begin(self) -> None:
        """Tell, once, that the step began."""
        self._tell("step")

    def cached(self) -> None:
        """Tell, once, that the step came from the cache."""
        self._tell("cached")

    def write(self, data: bytes) -> None:
        """Take what the step printed, in whatever pieces it comes."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._line(line)

    def end(self) -> None:
        """Pass on a last line that has no end."""
        if self._rest:
            self._line(self._rest)
            self._rest = b""

    def _tell(self, kind: Literal["step", "cached"]) -> None:
        if kind not in self._told:
            self._told.add(kind)
            self._on_event(BuildEvent(kind=kind, step=self._step, number=self._number, total=self._total))

    def _line(self, raw: bytes) -> None:
        # A progress bar overwrites its line; what it showed last is what counts.
        text = clean(raw.rstrip(b"\r").rpartition(b"\r")[2].decode("utf-8", "replace")).rstrip()
        text = self._without_key(text)
        if text:
            self._last.append(text)
            self._on_event(
                BuildEvent(kind="log", step=self._step, number=self._number, total=self._total, line=text)
            )

    def _without_key(self, text: str) -> str:
        """Leave out what stands in a private key, which comes line by line."""
        begins, ends = "PRIVATE KEY-----" in text and "-----BEGIN " in text, "-----END " in text
        inside, self._in_key = self._in_key and not ends, (self._in_key or begins) and not ends
        return "" if inside else text


@frozen(kw_only=True)
class Vertex:
    """A piece of work, as BuildKit tells of it: again and again, as it goes on."""

    digest: str
    name: str
    started: bool
    completed: bool
    cached: bool
    error: str


class Progress:
    """BuildKit's vertices and their output, whichever way they came."""

    def __init__(self, on_event: OnEvent) -> None:
        self._on_event = on_event
        self._steps: dict[str, StepLog] = {}
        self._failed = ""

    def vertex(self, vertex: Vertex) -> None:
        """Take news of a piece of work."""
        step = self._steps.get(vertex.digest)
        if step is None:
            step = self._steps[vertex.digest] = StepLog(vertex.name, self._on_event)
        if not step.counts:
            return
        if vertex.cached:
            step.cached()
        elif vertex.started:
            step.begin()
        if vertex.completed:
            step.end()
        if vertex.error and not self._failed and "context canceled" not in vertex.error:
            self._failed = vertex.digest

    def output(self, digest: str, data: bytes) -> None:
        """Take what a piece of work printed."""
        if digest in self._steps:
            self._steps[digest].write(data)

    def failure(self, tag: str, message: str) -> BuildFailedError:
        """Return the error of a build that ended with a message."""
        step = self._steps.get(self._failed)
        if step is None:
            return build_failed(tag, message)
        step.end()
        return build_failed(tag, message, step=step.name, output=step.output)


def build_failed(tag: str, message: str, *, step: str = "", output: tuple[str, ...] = ()) -> BuildFailedError:
    """Return the error of a failed build, its reason in as few words as tell it."""
    reason = next((line for line in clean(message).splitlines() if line.strip()), "no reason was given")
    reason = _PREFIXES.sub("", reason.strip())
    if code := _EXIT_CODE.search(reason):
        reason = f"exit code {code[1]}"
    where = f"{step}: " if step else ""
    return BuildFailedError(f"{tag} could not be built: {where}{reason}", step=step, output=output)


def clean(text: str) -> str:
    """Return foreign text without credentials and without control characters."""
    return redact(_CONTROL.sub("", text))
