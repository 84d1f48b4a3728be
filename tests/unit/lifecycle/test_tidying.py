"""What installers leave behind goes in the step that made it, and nobody sees that in its name."""

import pytest
from attrs import evolve

from isol8_tasks.engine import BuildEvent, BuildRequest, OnEvent
from isol8_tasks.errors import BuildFailedError
from isol8_tasks.lifecycle.tidying import tidied
from isol8_tasks.plan.model import ImageSpec
from tests.unit.lifecycle.made import spec

STEP = "RUN npm install -g lodash"
END = " && rm -rf /root/.npm /tmp/node-compile-cache"
ALPINE = "RUN apk add --no-cache git"
ALPINE_END = " && rm -rf /var/log/apk.log"
TEXT = f"FROM isol8:node\n{ALPINE}\n{STEP}\n"


def node() -> ImageSpec:
    plain = spec("bash-custom", "lodash")
    inputs = evolve(plain.inputs, runtime="node", system=("git",))
    return evolve(plain, name="node-custom", runtime="node", inputs=inputs, dockerfile=TEXT)


class Builder:
    """A builder that names its steps, and fails where it is told to."""

    def __init__(self) -> None:
        self.text = ""
        self.fail = False

    def build(self, request: BuildRequest, on_event: OnEvent) -> str:
        self.text = request.dockerfile
        for line in request.dockerfile.splitlines()[1:]:
            on_event(BuildEvent(kind="step", step=line))
        if self.fail:
            step = request.dockerfile.splitlines()[-1]
            raise BuildFailedError(f"x could not be built: {step}", step=step, output=("said",))
        return "sha256:built"


def test_what_is_left_goes_in_the_same_step() -> None:
    """Of Alpine's packages as well; each step has the name that it has in the image's own Dockerfile."""
    builder, events = Builder(), list[BuildEvent]()
    built = tidied(builder.build, node())(BuildRequest(tag="x", dockerfile=TEXT), events.append)
    assert built == "sha256:built"
    assert builder.text == f"FROM isol8:node\n{ALPINE}{ALPINE_END}\n{STEP}{END}\n"
    assert [each.step for each in events] == [ALPINE, STEP]


def test_a_failure_names_the_step_without_it() -> None:
    """In its message as in its step."""
    builder = Builder()
    builder.fail = True
    with pytest.raises(BuildFailedError) as caught:
        tidied(builder.build, node())(BuildRequest(tag="x", dockerfile=TEXT), lambda _: None)
    assert (str(caught.value), caught.value.step, caught.value.output) == (
        f"x could not be built: {STEP}",
        STEP,
        ("said",),
    )


def test_nothing_is_added_where_nothing_is_installed() -> None:
    """A base image, and one of an installer that leaves nothing."""
    builder = Builder()
    assert tidied(builder.build, spec("bash")) == builder.build
    python = evolve(node(), runtime="python", inputs=evolve(node().inputs, runtime="python", system=()))
    assert tidied(builder.build, python) == builder.build
