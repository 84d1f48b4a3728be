"""Hostile package specs and setup scripts: what is taken of them reaches a shell as words, or nobody at all."""

import subprocess
from pathlib import Path

import pytest

from isol8_tasks.config.deps import parse_config
from isol8_tasks.dockerfile.closure import parse
from isol8_tasks.ecosystems.runtimes import ECOSYSTEMS, RUNTIMES
from isol8_tasks.errors import ConfigError
from isol8_tasks.images.observed import Observed
from isol8_tasks.lifecycle.build import build_image
from isol8_tasks.plan.description import Provenance
from isol8_tasks.plan.graph import build_graph
from isol8_tasks.plan.model import FlagRequest, ImageSpec
from isol8_tasks.plan.rendering import render_custom
from tests.fake_engine import FakeEngine, accept, plain
from tests.hostile import CANARY, SCRIPTS, SPECS, refused, taken
from tests.toml import toml_string

DOCKERFILE = "".join(f"FROM alpine:3.21 AS {runtime}\n" for runtime in RUNTIMES)


def test_there_are_enough() -> None:
    """Hundreds of each are tried, some specs of every ecosystem are taken, and most are not."""
    assert sum(map(len, SPECS.values())) > 1000
    assert len(SCRIPTS) > 200
    for ecosystem in ECOSYSTEMS:
        assert 3 <= len(taken(ecosystem)) < len(SPECS[ecosystem]) / 4


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_each_spec_arrives_as_one_word(runtime: str, tmp_path: Path) -> None:
    """A shell that reads the RUN of a custom image hands on the very words, and does nothing else."""
    found = RUNTIMES[runtime]
    packages = taken(found.ecosystem)
    first, run = render_custom(found, "isol8:x", packages).splitlines()
    assert first == "FROM isol8:x"
    # In the place of the installer is what prints the words that it gets.
    program, *words = found.install
    printing = f"{program}() {{ shift {len(words)}; printf '%s\\0' \"$@\"; }}; {run.removeprefix('RUN ')}"
    done = subprocess.run(["/bin/sh", "-c", printing], cwd=tmp_path, capture_output=True, check=True)
    assert done.stdout.decode().split("\0")[:-1] == list(packages)
    assert (done.stderr, list(tmp_path.iterdir()), Path(CANARY).exists()) == (b"", [], False)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_others_are_refused(runtime: str) -> None:
    """The file is refused as a whole, each of them is told in a line of its own, and none of them as it is."""
    ecosystem = RUNTIMES[runtime].ecosystem
    bad = refused(ecosystem)
    text = f"[dependencies]\n{runtime} = [{', '.join(map(toml_string, bad))}]\n"
    with pytest.raises(ConfigError) as error:
        parse_config(text, "deps.toml")
    lines = str(error.value).splitlines()
    assert len(lines) == len(bad)
    assert all(line.isprintable() for line in lines)


@pytest.fixture
def scripted(fake_engine: FakeEngine) -> tuple[FakeEngine, tuple[ImageSpec, ...]]:
    """Give an engine with bash on it, and an image for each script."""
    tables = [
        f'[images.s{number}]\nruntime = "bash"\nsetup = {toml_string(script)}\n'
        for number, script in enumerate(SCRIPTS)
    ]
    config = parse_config("".join(tables), "deps.toml")
    fake_engine.pull("alpine:3.21")
    fake_engine.tag("alpine:3.21", "isol8:bash")
    observed = Observed(repository="isol8", images=fake_engine.images())
    graph = build_graph(config, parse(DOCKERFILE), {}, observed, FlagRequest(today="2026-11-23"))
    return fake_engine, tuple(spec for spec in graph.images if spec.kind == "named")


def test_a_script_is_a_label_and_nothing_else(scripted: tuple[FakeEngine, tuple[ImageSpec, ...]]) -> None:
    """It stands in the label word for word, and in no Dockerfile and no argument of a build."""
    engine, specs = scripted
    assert len(specs) == len(SCRIPTS)
    for spec, script in zip(specs, SCRIPTS, strict=True):
        outcome = build_image(
            spec,
            Observed(repository="isol8", images=engine.images()),
            engine,
            provenance=Provenance(checkout="here", revision="", created="2026-11-23T09:00:00Z"),
            context={},
            on_event=lambda _event: None,
            verify=accept,
        )
        assert outcome.labels["org.isol8.setup"] == script
    assert {plain(request.dockerfile.rstrip()) for request in engine.requests} == {
        "FROM isol8:bash",
        *(f"FROM isol8_build:{spec.name}-candidate" for spec in specs),
    }
    assert all(not request.args and not request.context for request in engine.requests)
