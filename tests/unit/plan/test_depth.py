"""How deep images may be based on one another."""

import pytest

from isol8_tasks.config.deps import parse_config
from isol8_tasks.dockerfile.closure import parse
from isol8_tasks.errors import PlanError
from isol8_tasks.images.observed import Observed
from isol8_tasks.plan.depth import MOST_LAYERS
from isol8_tasks.plan.graph import Graph, build_graph
from isol8_tasks.plan.model import ContextFile, FlagRequest

DOCKERFILE = """\
# syntax=docker/dockerfile:1
FROM alpine:3.21 AS base
RUN a
COPY proxy.mjs /p
WORKDIR /sandbox
ENV A=1
FROM alpine:3.21 AS tools
RUN b
RUN c
FROM --platform=linux/amd64 base AS python
COPY --from=tools /b /b
CMD ["python3"]
FROM base AS node
FROM base AS bun
FROM base AS deno
FROM scratch AS bash
ADD proxy.mjs /p
"""
LAYERS = {"python": 5, "bash": 1}
"""Of the bases above: the upstream image and the steps down to it, not those of a stage that files come from."""


def graph(text: str, dockerfile: str = DOCKERFILE) -> Graph:
    return build_graph(
        parse_config(text, "deps.toml"),
        parse(dockerfile),
        {"proxy.mjs": ContextFile(digest="a" * 64)},
        Observed(repository="isol8"),
        FlagRequest(),
    )


def tower(runtime: str, height: int) -> str:
    """Return a deps.toml in which each image is based on the one before."""
    tables = [f"[images.i1]\nruntime = '{runtime}'\npackages = ['x']\n"]
    tables += [
        f"[images.i{number}]\nextends = 'i{number - 1}'\npackages = ['x']\n"
        for number in range(2, height + 1)
    ]
    return "".join(tables)


@pytest.mark.parametrize("runtime", LAYERS)
def test_the_deepest_chain_that_runs(runtime: str) -> None:
    """A chain that has as many layers as an engine runs is planned; the next image on it is an error."""
    height = MOST_LAYERS - LAYERS[runtime]
    assert graph(tower(runtime, height)).images[-1].name == f"i{height}"
    with pytest.raises(PlanError):
        graph(tower(runtime, height + 1))


def test_the_chain_is_named() -> None:
    """The error names the first image that is too deep, its line and its parent, and no image above it."""
    with pytest.raises(PlanError) as caught:
        graph(tower("python", 130))
    assert str(caught.value) == (
        "deps.toml:367: images.i123: 128 layers at least, but an engine runs at most 127: "
        "i123 → i122 → i121 → i120 → 116 more → i3 → i2 → i1 → python; merge the packages of several images into one"
    )


def test_images_without_packages_add_no_layer() -> None:
    """A script makes no layer, so a chain of scripts is as long as one likes."""
    height = 200
    text = tower("python", height).replace("packages = ['x']", "setup = 'true'")
    assert graph(text).images[-1].name == f"i{height}"


def test_a_dockerfile_that_cannot_be_read_counts_nothing() -> None:
    """Where the steps are not known, the engine has the last word."""
    text = DOCKERFILE.replace("RUN a", "RUN --mount='\"a\"' a")
    assert graph(tower("python", MOST_LAYERS), text).images[-1].name == f"i{MOST_LAYERS}"
