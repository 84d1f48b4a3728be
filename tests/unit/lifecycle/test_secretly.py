"""Builds with secrets: whoever builds is told their names, and nobody else sees anything of them."""

import pytest
from attrs import evolve

from isol8_tasks.config.secret_list import Secret
from isol8_tasks.engine import BuildEvent, BuildRequest, OnEvent
from isol8_tasks.errors import BuildFailedError
from isol8_tasks.lifecycle.secretly import secret_build
from isol8_tasks.plan.model import ImageSpec
from tests.unit.lifecycle.made import spec

TEXT = "FROM isol8:bash\nRUN apk add --no-cache jq\n"
SECRETS = {"net": Secret("net", file="~/.netrc")}


class Builder:
    """A builder that fails with what it was given."""

    asked: BuildRequest

    def build(self, request: BuildRequest, on_event: OnEvent) -> str:
        self.asked = request
        step = request.dockerfile.splitlines()[1]
        on_event(BuildEvent(kind="step", step=step))
        raise BuildFailedError(f"x could not be built: {step}", step=step, output=("said",))


@pytest.mark.parametrize("image", [spec("bash-custom", "jq"), spec("bash")])
def test_a_build(image: ImageSpec) -> None:
    """Installers of an image with packages are given them; the steps of a base mount them by themselves."""
    builder, events = Builder(), list[BuildEvent]()
    with pytest.raises(BuildFailedError) as caught:
        secret_build(builder.build, evolve(image, secrets=SECRETS))(
            BuildRequest(tag="x", dockerfile=TEXT), events.append
        )
    assert builder.asked.secrets == ("net",)
    assert (builder.asked.dockerfile == TEXT) == (image.parent is None)
    assert ("--mount=type=secret,id=net," in builder.asked.dockerfile) == bool(image.parent)
    step = "RUN apk add --no-cache jq"
    assert [each.step for each in events] == [step]
    assert (str(caught.value), caught.value.step) == (f"x could not be built: {step}", step)
    assert caught.value.output == ("said",)
