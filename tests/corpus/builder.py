"""What BuildKit makes of a build, and what this project makes of it: the two sides that the proof compares."""

import json
import re
import secrets
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import frozen

from isol8_tasks.dockerfile import builder as kinds
from isol8_tasks.dockerfile.closure import Closure, closure, parse
from isol8_tasks.dockerfile.stages import TriggersOf, no_triggers
from isol8_tasks.engine import BuildRequest, FileContent, ImageDetail
from isol8_tasks.engine.builders import buildkit
from isol8_tasks.engine.builders.progress import Progress, Vertex
from isol8_tasks.engine.connection import Connection
from isol8_tasks.engine.daemon import DockerEngine
from isol8_tasks.errors import EngineError
from isol8_tasks.plan.fingerprint import key
from isol8_tasks.plan.model import Inputs
from isol8_tasks.run.context import Digests
from isol8_tasks.run.workspace import Workspace

LAYERS = {"RUN", "COPY", "ADD", "WORKDIR"}
"""What is a step of its own to the builder; the rest goes into the configuration."""
_COPY = "COPY name /etc/os-release\n"
_COPIES = """\
ONBUILD ARG FILE=a
ONBUILD COPY $FILE docs/*.md /held/
ONBUILD ARG FILE=b
ONBUILD ADD $FILE /held-too
ONBUILD ENV HELD=back
ONBUILD LABEL held=back
ONBUILD RUN --mount=source=app,target=/m ls -R /m >/held-app
"""
"""The ONBUILD triggers of the upstream image `copies`."""
_UPSTREAM = {
    "3.21": ("alpine:3.21", _COPY),
    "3.20": ("3.21", _COPY),
    "onbuild": ("3.21", "ONBUILD RUN echo triggered >/triggered\n"),
    "copies": ("3.21", _COPIES),
}
"""The upstream images: on what each is built, and how."""
_STEP = re.compile(r"\[(?:(\S+) +)?\d+/\d+\] (.*)", re.DOTALL)


@frozen(kw_only=True)
class Built:
    """A build that went well."""

    image: str
    configuration: str
    """What the image says of itself, its history and its layers, without times."""
    stages: frozenset[str]
    """The stages that the builder's trace names; empty strings for the only stage of a file."""
    ran: tuple[str, ...]
    """The steps that did not come from the cache."""
    ran_in: frozenset[str]
    """The stages of these steps."""


class _Trace(Progress):
    """Remembers what the builder told of its steps."""

    def __init__(self) -> None:
        super().__init__(lambda _: None)
        self.last: dict[str, Vertex] = {}

    def vertex(self, vertex: Vertex) -> None:
        self.last[vertex.digest] = vertex
        super().vertex(vertex)

    def steps(self) -> Iterator[tuple[str, str, Vertex]]:
        for vertex in self.last.values():
            if match := _STEP.match(vertex.name):
                yield match[1] or "", match[2], vertex


class Builder:
    """Builds for one repository of its own, and takes away what it made."""

    def __init__(self, connection: Connection, engine: DockerEngine, addresses: Mapping[str, str]) -> None:
        self.addresses = addresses
        self.repository = f"isol8closure-{secrets.token_hex(4)}"
        self._connection = connection
        self._engine = engine
        self._mutex = threading.Lock()
        self._tags: list[str] = []
        self._upstream: dict[str, ImageDetail | None] = {}
        self.kind = kinds.BuilderTraits(
            platform=engine.platform, writes_values=kinds.writes_values(engine.version())
        )
        """What this project takes it for."""

    def make_upstream(self, repository: str = "", tags: Collection[str] = tuple(_UPSTREAM)) -> None:
        """Make upstream images that cases are based on, on which no build has anything in its cache yet."""
        repository = repository or self.repository
        for name, (parent, text) in _UPSTREAM.items():
            if name in tags:
                base = parent if name == "3.21" else f"{repository}:{parent}"
                content = FileContent(data=f"{name} {repository}".encode())
                tag = self._note(f"{repository}:{name}")
                self.build(
                    BuildRequest(tag=tag, dockerfile=f"FROM {base}\n{text}", context={"name": content})
                )

    def new_tag(self, name: str = "") -> str:
        """Return a tag that is taken away at the end."""
        return self._note(f"{self.repository}:{name or secrets.token_hex(8)}")

    def _note(self, tag: str) -> str:
        with self._mutex:
            self._tags.append(tag)
            return tag

    def close(self) -> None:
        """Take every image away."""
        for tag in reversed(self._tags):
            self._engine.untag(tag)

    def for_case(self, name: str, text: str) -> str:
        """Return a repository with the upstream images that a case and edits of it name.

        They are images of its own: builds side by side would share a step that is the same, and with it the name of
        another's stage.
        """
        repository = f"{self.repository}-{name}"
        self.make_upstream(
            repository, [tag for tag in _UPSTREAM if tag.startswith("3.") or f":{tag}" in text]
        )
        return repository

    @contextmanager
    def another(self, *tags: str) -> "Iterator[Builder]":
        """Give one with upstream images of its own, and so with nothing in its cache."""
        other = Builder(self._connection, self._engine, self.addresses)
        try:
            other.make_upstream(tags=tags or tuple(_UPSTREAM))
            yield other
        finally:
            other.close()

    def upstream_id(self, reference: str) -> str | None:
        """Return the id of an upstream image, which counts for keys."""
        found = self._inspected(reference)
        return found.id if found else None

    def triggers(self, reference: str) -> tuple[str, ...]:
        """Return the ONBUILD triggers of an upstream image."""
        found = self._inspected(reference)
        return found.onbuild if found else ()

    def _inspected(self, reference: str) -> ImageDetail | None:
        if reference not in self._upstream:
            try:
                self._upstream[reference] = self._engine.inspect(reference)
            except EngineError:
                # Not even a name that an image could have.
                self._upstream[reference] = None
        return self._upstream[reference]

    def build(self, request: BuildRequest) -> Built:
        """Build by BuildKit; raise BuildFailedError for what it refuses."""
        trace = _Trace()

        def post(params: Mapping[str, str], body: bytes) -> Iterator[Mapping[str, object]]:
            headers = {"Content-Type": "application/x-tar"}
            for item in self._connection.stream("/build", "the build", params, body, headers=headers):
                if item.get("id") == "moby.buildkit.trace":
                    buildkit.read_trace(str(item["aux"]), trace)
                yield item

        image = buildkit.build(request, post, lambda _: None)
        steps = tuple(trace.steps())
        ran = tuple(
            (stage, step)
            for stage, step, vertex in steps
            if vertex.started and not vertex.cached and not step.startswith("FROM ")
        )
        return Built(
            image=image,
            configuration=self._configuration(image),
            stages=frozenset(stage for stage, _, _ in steps),
            ran=tuple(step for _, step in ran),
            ran_in=frozenset(stage for stage, _ in ran),
        )

    def _configuration(self, image: str) -> str:
        found: Any = self._connection.call("GET", f"/images/{image}/json", "inspect an image")
        history: Any = self._connection.call("GET", f"/images/{image}/history", "tell an image's history")
        return json.dumps(
            {
                "config": found["Config"],
                "layers": found["RootFS"],
                "platform": [found["Os"], found["Architecture"]],
                "author": found["Author"],
                "history": [(each["CreatedBy"], each["Comment"]) for each in history or ()],
            },
            sort_keys=True,
        )


def files_of(folder: Path) -> Mapping[str, FileContent]:
    """Return the build context as this project reads it."""
    return Workspace.here(folder, {}).read_context()


def closure_of(
    files: Mapping[str, FileContent],
    target: str | None,
    args: Mapping[str, str],
    triggers: TriggersOf = no_triggers,
    kind: kinds.BuilderTraits = kinds.USUAL,
) -> Closure:
    """Return what this project takes the target to be built of."""
    text = files["Dockerfile"].data.decode("utf-8", "surrogateescape")
    ignore = files.get("Dockerfile.dockerignore") or files.get(".dockerignore")
    ignored = ignore.data.decode("utf-8", "surrogateescape") if ignore else ""
    return closure(parse(text), target, args, files.keys(), ignore=ignored, triggers=triggers, builder=kind)


def key_of(files: Mapping[str, FileContent], found: Closure, builder: Builder) -> str:
    """Return the key of what a closure says, as the graph makes it of a base image."""
    contents = Digests(files)
    inputs = Inputs(
        recipe=1,
        runtime="any",
        stages=found.stages,
        files=tuple((path, contents[path]) for path in found.files),
        args=found.args,
        upstream=tuple((reference, builder.upstream_id(reference)) for reference in found.upstream),
    )
    return key(inputs)
