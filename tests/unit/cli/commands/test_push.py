"""The command push: brings the images in use into the registry of deps.toml."""

import json
import re

import pytest
from attrs import evolve

from isol8_tasks.images.labels import BUILD, STANDIN
from tests.command_line import CommandLine

DEPS = '[dependencies]\nbash = ["jq"]\n[registry]\nrepository = "registry.example/isol8"\n'


@pytest.fixture
def shared(built: CommandLine) -> CommandLine:
    """Give the command line of a built checkout with a registry, and the manifest written."""
    assert built("--quiet").code == 0
    built.declare(DEPS)
    return built


def test_images_in_use_are_pushed_once(shared: CommandLine) -> None:
    """The manifest then says where they are."""
    done = shared("push")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert len([line for line in lines if "  pushed  " in line and "registry.example/isol8:" in line]) == 6
    assert lines[-1].startswith("6 pushed · ")
    assert lines[-1].endswith(
        " · 18 tags written in registry.example/isol8 · resolved-images.json: bash, bash-custom, bun, 3 more changed"
    )
    images = json.loads((shared.folder / "resolved-images.json").read_text())["images"]
    assert all(each["pushed"]["repository"] == "registry.example/isol8" for each in images.values())
    again = shared("push")
    assert (again.code, again.err) == (0, "")
    assert again.out.startswith("6 already there · ")
    assert re.fullmatch(r"6 already there · \d\.\d s · resolved-images\.json unchanged\n", again.out)


def test_what_is_pushed_without_a_change_of_the_manifest_is_said(shared: CommandLine) -> None:
    """A name that another program moved, and labels that the tag of the key lacks: each tag that was written."""
    shared("push")
    where = json.loads((shared.folder / "resolved-images.json").read_text())["images"]["isol8:bun"]["pushed"]
    registry, there = shared.engine.registry, where["repository"]
    registry[f"{there}:bun"] = registry["alpine:3.21"]
    moved = shared("push")
    assert moved.code == 0
    line, last = moved.out.splitlines()
    assert re.fullmatch(r"isol8:bun +pushed      registry\.example/isol8:bun  \d\.\d s", line)
    assert re.fullmatch(
        r"1 pushed · 5 already there · \d\.\d s · 1 tag written in registry\.example/isol8 · "
        r"resolved-images\.json unchanged",
        last,
    )
    (shared.folder / "resolved-images.json").unlink()
    of_key = f"bun-{where['tag'].rpartition('-')[2]}"
    del registry[f"{there}:{of_key}"]
    labels = shared("push")
    assert f"pushed      {there}:{of_key}  " in labels.out
    assert " · 1 tag written in registry.example/isol8 · " in labels.out


def test_without_a_registry_it_is_refused(built: CommandLine) -> None:
    """The line says what to write where."""
    done = built("push")
    assert (done.code, done.out) == (3, "")
    assert done.err == (
        "ERROR: push: deps.toml names no registry to push to; write under [registry] repository = "
        '"registry.example/isol8"\n'
    )
    assert built.engine.asked == []


def test_registry_that_refuses_is_1(shared: CommandLine) -> None:
    """With its reason; what is in use stays as it is."""
    shared.engine.registry_fails = "denied: no access"
    tags = shared.tags()
    done = shared("push")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("ERROR: ")
    assert "denied: no access" in done.err
    assert shared.tags() == tags


def test_images_on_stand_ins_stay_here(cli: CommandLine) -> None:
    """Unless deps.toml says otherwise."""
    upstream = cli.engine.registry["denoland/deno:alpine"]
    cli.engine.registry["denoland/deno:alpine"] = evolve(upstream, labels={STANDIN: "recipe"})
    cli.build()
    cli.declare(DEPS)
    done = cli("push")
    assert done.code == 0
    assert (
        "isol8:deno          left out    based on a stand-in of the lab; [registry] standins = true"
        in done.out
    )
    assert done.out.splitlines()[-1].startswith("5 pushed · 1 left out · ")
    cli.declare(DEPS + "standins = true\n")
    assert cli("push").out.splitlines()[-1].startswith("1 pushed · 5 already there · ")


def test_run_pushes_at_its_end(shared: CommandLine) -> None:
    """What the manifest does not list; a failure there is one of the run, and a login that may only read is noted."""
    done = shared()
    assert done.code == 0
    assert "6 up to date · 6 pushed · " in done.out.splitlines()[-1]
    shared.engine.registry_fails = "denied: no access"
    noted = shared("base:bun", "--force")
    assert noted.code == 0
    assert "not pushed, because docker's login at registry.example may only read: bun" in noted.out
    shared.patch.setattr("isol8_tasks.lifecycle.transfer.time.sleep", lambda _: None)
    shared.engine.registry_fails = "connection refused"
    failed = shared("base:bun", "--force")
    assert failed.code == 1
    assert "\nresolve             failed      isol8:bun could not be pushed: " in failed.out


def test_name_follows_the_end_of_a_hold(shared: CommandLine) -> None:
    """In the registry it has what is in use here: the build before, while that is held, and then the newer one."""

    def build() -> str:
        return shared.engine.registry["registry.example/isol8:bash-custom"].labels[BUILD]

    assert shared().code == 0
    older = build()
    shared.declare(DEPS.replace('"jq"', '"jq", "zip"'))
    assert shared().code == 0
    newer = build()
    assert shared("rollback", "bash-custom").code == 0
    assert build() == older != newer
    assert "1 held" in shared().out
    assert build() == older
    assert shared("release", "bash-custom").code == 0
    done = shared()
    assert "1 pulled · 5 up to date · 1 pushed · " in done.out
    assert build() == newer
    assert shared().out.startswith("6 images up to date · ")
