"""The command bake: a file whose results the next run verifies and promotes."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from isol8_tasks.engine import BuildRequest
from isol8_tasks.lifecycle import baking
from tests.command_line import CommandLine
from tests.fake_engine import FakeEngine


def targets(text: str) -> dict[str, dict[str, Any]]:
    """Return the targets of a bake file, of which its group has all."""
    found = json.loads(text)
    assert found["group"]["default"]["targets"] == [*found["target"]]
    return dict(found["target"])


def literal(text: str) -> str:
    """Read a text as bake does, which fills nothing in."""
    assert not re.search(r"(?<!\$)\$\{|(?<!%)%\{", text)
    return text.replace("$${", "${").replace("%%{", "%{")


def bake(found: dict[str, dict[str, Any]], engine: FakeEngine) -> None:
    """Build the targets one after the other, with the contexts in the places of what they stand for."""
    for target in found.values():
        dockerfile = literal(target["dockerfile-inline"])
        for name, source in target.get("contexts", {}).items():
            if source.startswith("target:"):
                dockerfile = dockerfile.replace(f"FROM {name}", f"FROM {found[source[7:]]['tags'][0]}")
        request = BuildRequest(
            tag=target["tags"][0],
            dockerfile=dockerfile,
            target=target.get("target"),
            args={name: literal(value) for name, value in target["args"].items()},
            labels={name: literal(value) for name, value in target["labels"].items()},
        )
        engine.build(request, lambda _event: None)


def test_baked_images_are_promoted_without_a_build(cli: CommandLine) -> None:
    """A base and what is based on it: whatever is missing is verified, and nothing is built again."""
    cli.declare('[dependencies]\nbash = ["jq"]\n')
    done = cli("bake")
    assert done.code == 0, done.err
    assert done.out == (
        "6 images in docker-bake.json; build and promote: docker buildx bake -f docker-bake.json && ./doitw setup\n"
    )
    found = targets((cli.folder / "docker-bake.json").read_text())
    assert found["bash-custom"]["contexts"] == {"isol8:bash": "target:bash"}
    assert found["bash"]["target"] == "bash"
    assert all(each["tags"][0].endswith("-candidate") for each in found.values())
    bake(found, cli.engine)
    assert cli.engine.inspect("isol8:bash") is None
    done = cli("setup")
    assert done.code == 0, done.out
    assert "6 promoted · " in done.out
    assert cli("plan", "--check").code == 0


def test_platform(cli: CommandLine) -> None:
    """Whoever bakes builds for the one that deps.toml names."""
    cli.declare('[build]\nplatforms = ["linux/arm64"]\n')
    found = targets(cli("bake", "--print").out)
    assert {tuple(each["platforms"]) for each in found.values()} == {("linux/arm64",)}
    cli.declare("")
    assert not any("platforms" in each for each in targets(cli("bake", "--print").out).values())


def test_only_what_is_stale(built: CommandLine) -> None:
    """Nothing where nothing is; and no image without the parent that it needs."""
    done = built("bake", "--stale")
    said = "every image is up to date; there is nothing to bake, and docker-bake.json bakes nothing\n"
    assert (done.code, done.out) == (0, said)
    # What another run left there is not baked again, and docker's bake ends well.
    nothing: dict[str, object] = {"group": {"default": {"targets": []}}}
    assert json.loads((built.folder / "docker-bake.json").read_text()) == nothing
    assert json.loads(built("bake", "--stale", "--print").out) == nothing
    assert set(targets(built("bake", "base:bash", "custom:bash", "--print").out)) == {"bash", "bash-custom"}
    assert {*targets(built("bake", "custom:*", "ba*", "--print").out)} == {"bash", "bash-custom"}
    built.declare('[dependencies]\nbash = ["jq", "zip"]\n')
    done = built("bake", "--stale", "--print")
    assert set(targets(done.out)) == {"bash-custom"}
    assert "isol8:bash" not in targets(done.out)["bash-custom"].get("contexts", {})
    with (built.folder / "docker" / "Dockerfile").open("a") as file:
        file.write("RUN echo ${PATH} %{x}\n")
    assert set(targets(built("bake", "--stale", "--print").out)) == {"bash", "bash-custom"}
    done = built("bake", "bash-custom")
    assert done.code == 3
    assert done.err == (
        "ERROR: isol8:bash-custom is based on isol8:bash, which has to be built: bake it, too, or run "
        "first: ./doitw base:bash\n"
    )
    bake(targets(built("bake", "bash-custom", "isol8:bash", "--print").out), built.engine)
    assert "2 promoted · 4 up to date" in built("setup").out


def test_parent_that_is_elsewhere(built: CommandLine) -> None:
    """What is in a registry, or a candidate, has to be in use here before something is baked on it alone."""
    deps = '[dependencies]\nbash = ["{}"]\n[registry]\nrepository = "registry.example/isol8"\n'
    built.declare(deps.format("jq"))
    assert built("setup").code == 0
    for tag in [tag for image in built.engine.images() for tag in image.tags if ":bash" in tag]:
        built.engine.untag(tag)
    built.declare(deps.format("zip"))
    assert "in registry" in built("plan").out
    done = built("bake", "--stale")
    assert (done.code, done.out) == (3, "")
    assert done.err == (
        "ERROR: isol8:bash-custom is based on isol8:bash, which has to be pulled: run first: ./doitw base:bash\n"
    )
    bake(targets(built("bake", "bash", "--print").out), built.engine)
    built.declare(deps.format("zip").partition("[registry]")[0])
    done = built("bake", "bash-custom")
    assert "which has to be promoted: bake it, too, or run first: ./doitw base:bash\n" in done.err
    assert built("base:bash").code == 0
    bake(targets(built("bake", "bash-custom", "--print").out), built.engine)
    assert "1 promoted · 5 up to date" in built("setup").out


def test_many_images_are_several_files(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file has what its targets are based on."""
    monkeypatch.setattr(baking, "MOST_TARGETS", 3)
    images = "".join(
        f'[images.i{number}]\nruntime = "bash"\npackages = ["p{number}"]\n' for number in range(5)
    )
    cli.declare(images)
    done = cli("bake", "-o", "all.json", "bash", *(f"i{number}" for number in range(5)))
    assert done.out.startswith(
        "6 images in all.json, all-2.json, all-3.json; build and promote: docker buildx bake"
    )
    files = [targets(Path(cli.folder, name).read_text()) for name in ("all.json", "all-2.json", "all-3.json")]
    assert [len(each) for each in files] == [3, 3, 2]
    assert all("bash" in each for each in files)
    assert len({each["bash"]["tags"][0] for each in files}) == 1
    done = cli("bake", "--print", "bash", *(f"i{number}" for number in range(5)))
    assert (done.code, done.out) == (3, "")
    assert done.err == (
        "ERROR: bake --print prints one file, and 6 images need 3: name fewer images, or let them be written: "
        "./doitw bake\n"
    )


def test_index_variables_are_handed_on(cli: CommandLine) -> None:
    """A named image has them of its parent, be that baked in the same file; as the engine would tell."""
    with (cli.folder / "docker" / "Dockerfile").open("a") as file:
        file.write("ONBUILD ARG ANY\n")
    cli.declare(
        '[images.a]\nruntime = "bash"\npackages = ["jq"]\n[images.b]\nextends = "a"\npackages = ["zip"]\n'
    )
    found = targets(cli("bake", "--print").out)
    assert [found[name]["dockerfile-inline"].count("ONBUILD ARG ANY") for name in ("bash", "a", "b")] == [
        1,
        1,
        1,
    ]
    assert found["b"]["contexts"] == {"isol8:a": "target:a"}


def test_secrets_by_name(cli: CommandLine) -> None:
    """The file says where they are, and never what they are; whoever is not asked for one has none."""
    cli.patch.setenv("HOME", "/home/me")
    cli.declare('[dependencies]\nbash = ["jq"]\n[build.secrets]\nnet = { file = "~/.netrc" }\n')
    found = targets(cli("bake", "--print").out)
    assert found["bash-custom"]["secret"] == ["id=net,src=/home/me/.netrc"]
    assert "RUN --mount=type=secret,id=net," in found["bash-custom"]["dockerfile-inline"]
    assert "secret" not in found["bash"]


@pytest.mark.parametrize(("version", "allows"), [((0, 29), True), ((0, 0), True), ((0, 13), False)])
def test_command_for_files_elsewhere(cli: CommandLine, version: tuple[int, int], *, allows: bool) -> None:
    """It has what bake asks for, so far as buildx knows that; a file below the current folder needs nothing."""
    cli.patch.setattr("isol8_tasks.engine.builders.plugin.buildx_version", lambda _environ: version)
    cli.patch.setenv("HOME", "/home/me too")
    text = '[dependencies]\nbash = ["jq"]\n[build.secrets]\nnet = {{ file = "{}" }}\n'
    cli.declare(text.format("~/.netrc"))
    option = "'--allow=fs.read=/home/me too/.netrc' " if allows else ""
    done = cli("bake")
    assert done.out.endswith(f"promote: docker buildx bake {option}-f docker-bake.json && ./doitw setup\n")
    cli.declare(text.format("private/.netrc"))
    assert "promote: docker buildx bake -f docker-bake.json" in cli("bake").out
    # Where it was typed in another folder, contexts are found in the one that is worked in.
    (cli.folder / "below").mkdir()
    cli.patch.setattr("isol8_tasks.cli.program.typed_in", cli.folder / "below")
    assert f"promote: cd {cli.folder} && docker buildx bake -f below/docker-bake.json" in cli("bake").out


def test_image_with_hashes_is_refused(cli: CommandLine) -> None:
    """Its candidate would not be taken."""
    (cli.folder / "requirements.txt").write_text(f"six==1.17.0 --hash=sha256:{'a' * 64}\n")
    cli.declare('[dependencies]\npython_file = "requirements.txt"\n')
    done = cli("bake")
    assert (done.code, done.out) == (3, "")
    assert "isol8:python-custom installs files with hashes" in done.err
    assert done.err.endswith("name the other images, and build it: ./doitw custom:python\n")
    assert cli("bake", "python", "bash").code == 0


@pytest.mark.parametrize(
    ("declared", "words", "code", "problem"),
    [
        ("", ["bsh"], 3, "isol8:bsh: no such image (did you mean bash? there are bash, "),
        ("", ["custom:*"], 3, "custom:*: no such image (there are bash, "),
        ("", ["-o", "none/file.json"], 1, "file.json: can't be written (No such file or directory); "),
        (
            '[refresh]\nmin_age = "3d"\n',
            [],
            3,
            "[refresh] min_age limits every build, and nobody knows the age",
        ),
        (
            '[build]\nargs = { https_proxy = "http://me:secret-word@host/" }\n',
            [],
            3,
            "[build] args: https_proxy has a credential, which would be in the file",
        ),
    ],
)
def test_refused(cli: CommandLine, declared: str, words: list[str], code: int, problem: str) -> None:
    """In one line, and nothing is written."""
    cli.declare(declared)
    done = cli("bake", *words)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith("ERROR: ")
    assert problem in done.err
    assert not [*cli.folder.glob("*bake*.json")]
