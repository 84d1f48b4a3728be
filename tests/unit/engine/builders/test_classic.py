"""The classic builder's stream, as Docker and Podman write it."""

from collections.abc import Iterator, Mapping

import pytest

from isol8_tasks.engine import BuildEvent, BuildRequest
from isol8_tasks.engine.builders.classic import build
from isol8_tasks.errors import BuildFailedError, EngineError

DONE: dict[str, object] = {"aux": {"ID": "sha256:1"}}
REQUEST = BuildRequest(
    tag="a:b", dockerfile="FROM x AS a\nFROM x AS other\nRUN no\nFROM a AS b\nRUN y\n", target="b"
)

DOCKER = (
    "Step 1/3 : FROM x AS a",
    "\n",
    " ---> 10c446c3d3dd\n",
    "Step 2/3 : FROM a AS b\n ---> 10c446c3d3dd\n",
    "Step 3/3 : RUN y\n",
    " ---> Using cache\n",
    " ---> 0f8c72045c20\n",
    " ---> Running in 85460c2b7ab8\n",
    "hello\n",
    "\x1b[91merr\n\x1b[0m",
    "no end",
    " ---> Removed intermediate container 85460c2b7ab8\n",
    "Removing intermediate container 85460c2b7ab8\n",
)
PODMAN = (
    "[1/2] STEP 1/1: FROM x AS a\n",
    "--> 10c446c3d3d\n",
    "[2/2] STEP 1/2: FROM 10c446c3d3dd8ea092e6abc8a0e2601a8f21d9af52782471a8f731ce80bbee17 AS b\n",
    "[2/2] STEP 2/2: RUN y\n",
    "--> Using cache 10c446c3d3dd8ea092e6abc8a0e2601a8f21d9af52782471a8f731ce80bbee17\n",
    "hello\n",
    "err\n",
    "no end",
    "--> 81054b45fc8\n",
    "[2/2] COMMIT a:b\n",
    "10c446c3d3dd8ea092e6abc8a0e2601a8f21d9af52782471a8f731ce80bbee17\n",
)


class Answers:
    """Stands for the engine's /build."""

    def __init__(self, *texts: str, end: Mapping[str, object]) -> None:
        self.items = (*({"stream": text} for text in texts), end, {"stream": "Successfully built 1\n"})
        self.params: Mapping[str, str] = {}
        self.body = b""

    def __call__(self, params: Mapping[str, str], body: bytes) -> Iterator[Mapping[str, object]]:
        """Remember what was sent, and answer."""
        self.params, self.body = params, body
        return iter(self.items)


def test_only_the_stages_that_are_needed_are_sent() -> None:
    """It would build whatever stands before the target."""
    answers = Answers(*DOCKER, end=DONE)
    assert build(REQUEST, answers, lambda _event: None) == "sha256:1"
    assert (answers.params["version"], answers.params["target"]) == ("1", "b")
    assert b"RUN y" in answers.body
    assert b"RUN no" not in answers.body


@pytest.mark.parametrize(
    ("texts", "number", "total"), [(DOCKER, 3, 3), (PODMAN, 2, 2)], ids=["docker", "podman"]
)
def test_the_stream_becomes_events(texts: tuple[str, ...], number: int, total: int) -> None:
    """Steps and what they print are told; the builder's bookkeeping is not."""
    events: list[BuildEvent] = []
    build(REQUEST, Answers(*texts, end=DONE), events.append)
    assert [event for event in events if event.step == "RUN y"] == [
        BuildEvent(kind="step", step="RUN y", number=number, total=total),
        BuildEvent(kind="cached", step="RUN y", number=number, total=total),
        *(
            BuildEvent(kind="log", step="RUN y", number=number, total=total, line=line)
            for line in ("hello", "err", "no end")
        ),
    ]
    assert {event.kind for event in events if event.step != "RUN y"} == {"step"}


def test_a_failing_step_is_named() -> None:
    """The step under way when the error came is the one that failed."""
    end = {"errorDetail": {"message": "The command '/bin/sh -c y' returned a non-zero code: 1"}}
    with pytest.raises(BuildFailedError) as caught:
        build(
            REQUEST, Answers("Step 1/2 : FROM x\n", "Step 2/2 : RUN y\n", "bad", end=end), lambda _event: None
        )
    assert str(caught.value) == "a:b could not be built: [2/2] RUN y: exit code 1"
    assert caught.value.output == ("bad",)


def test_a_failure_before_the_first_step() -> None:
    """Where no step was reached, none is named."""
    with pytest.raises(BuildFailedError) as caught:
        build(REQUEST, Answers(end={"error": "no space left"}), lambda _event: None)
    assert (str(caught.value), caught.value.step) == ("a:b could not be built: no space left", "")


def test_a_dockerfile_that_is_none_fails_the_build() -> None:
    """What can't be cut is a failed build, as it is for the other builders."""
    with pytest.raises(BuildFailedError) as caught:
        build(BuildRequest(tag="a:b", dockerfile="FROM x\nFOO\n"), Answers(end=DONE), lambda _event: None)
    assert str(caught.value) == "a:b could not be built: docker/Dockerfile:2: unknown instruction FOO"


def test_an_answer_without_an_image_is_an_error() -> None:
    """Success is what names an image, not what stays silent."""
    with pytest.raises(EngineError, match=r"^the engine ended the build of a:b without an image and"):
        build(REQUEST, Answers(*DOCKER, end={}), lambda _event: None)
