"""The command plan: what a run would do, by flags, and its exit codes."""

import json

import pytest

from tests.command_line import CommandLine, Ended


def states(done: Ended) -> dict[str, str]:
    return {each["image"].partition(":")[2]: each["state"] for each in json.loads(done.out)["images"]}


class TestTable:
    """What it prints for people."""

    def test_every_image_is_listed_with_the_reason(self, built: CommandLine) -> None:
        """The reason of a custom image is what changed in deps.toml."""
        built.declare('[dependencies]\nbash = ["jq", "zip"]\n')
        done = built("plan")
        assert (done.code, done.err) == (0, "")
        assert done.out.splitlines() == [
            "image               state       why",
            "isol8:python        up to date",
            "isol8:node          up to date",
            "isol8:bun           up to date",
            "isol8:deno          up to date",
            "isol8:bash          up to date",
            "isol8:bash-custom   stale       + zip",
            "built for linux/amd64, the engine's own platform",
        ]

    def test_nothing_is_built_or_written(self, cli: CommandLine) -> None:
        """Whatever it would be."""
        assert cli("plan", "--force").code == 0
        assert cli.engine.requests == []
        assert not (cli.folder / "resolved-images.json").exists()

    def test_flags_of_setup_count(self, built: CommandLine) -> None:
        """As in a run with the same flags."""
        assert "isol8:node-custom   not built" in built("plan", "--node", "lodash").out
        assert "isol8:bun           stale       forced" in built("plan", "--force").out
        only = built("plan", "--only", "bun,deno").out.splitlines()
        assert [line.split()[0] for line in only] == ["image", "isol8:bun", "isol8:deno", "built"]

    def test_missing_deps_toml_is_a_warning(self, built: CommandLine) -> None:
        """As its images are undeclared then."""
        (built.folder / "deps.toml").unlink()
        assert "\nwarning: deps.toml is missing, so isol8:bash-custom " in built("plan").out

    def test_what_the_clients_file_adds_is_listed(self, built: CommandLine) -> None:
        """With the line that asks for it."""
        (built.folder / "isol8.config.json").write_text('{"dependencies": {"node": ["zod"]}}')
        done = built("plan")
        assert "isol8:node-custom   not built   declared in isol8.config.json:1, never built\n" in done.out
        assert done.out.endswith("\nisol8.config.json:1 adds zod to isol8:node-custom\n")


class TestCheck:
    """`--check`, which sets the exit code."""

    def test_something_to_build_is_2(self, built: CommandLine) -> None:
        """Without --check it is 0 all the same."""
        built.declare('[dependencies]\nbash = ["jq", "zip"]\n')
        assert built("plan", "--check").code == 2
        assert built("plan").code == 0

    def test_nothing_to_build_is_0(self, built: CommandLine) -> None:
        """The same images with other flags are something to build."""
        assert built("plan", "--check").code == 0
        assert built("plan", "--check", "--bash", "zip").code == 2

    def test_undetermined_image_is_4(self, built: CommandLine) -> None:
        """A file that it copies can't be read, so nobody knows; something to build outweighs it."""
        docker = built.folder / "docker"
        (docker / "Dockerfile").write_text((docker / "Dockerfile").read_text() + "COPY loop /loop\n")
        (docker / "loop").symlink_to("loop")
        done = built("plan", "--check")
        assert done.code == 4
        assert "isol8:bash          undetermined" in done.out
        assert built("plan", "--check", "--node", "zod").code == 2


class TestJson:
    """`--json`, for programs."""

    def test_states_and_reasons_of_all_images(self, built: CommandLine) -> None:
        """With the place where an image is declared."""
        built.declare('[dependencies]\nbash = ["jq", "zip"]\n')
        done = built("plan", "--json", "--check")
        assert done.code == 2
        assert states(done) == {
            **dict.fromkeys(("python", "node", "bun", "deno", "bash"), "up-to-date"),
            "bash-custom": "stale",
        }
        assert json.loads(done.out)["images"][-1] == {
            "image": "isol8:bash-custom",
            "task": "custom:bash",
            "state": "stale",
            "declared": "deps.toml:2",
            "reasons": ["+ zip"],
        }

    def test_dead_engine_leaves_every_image_undetermined(self, dead: CommandLine) -> None:
        """It is one document with the problem as its error."""
        done = dead("plan", "--json")
        assert done.code == 4
        assert set(states(done).values()) == {"undetermined"}
        assert json.loads(done.out)["error"].startswith("no Docker Engine answers at fake://")

    def test_refusal_is_a_document_too(self, cli: CommandLine) -> None:
        """With nothing but the error."""
        done = cli("plan", "--json", "--only", "perl")
        assert done.code == 3
        assert json.loads(done.out) == {
            "error": "--only: 'perl' is not a runtime (allowed: python, node, bun, deno, bash)"
        }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            "--python a;b --node UPPER CASE",
            "plan: 'CASE' is not understood; this command takes options only (./doitw help plan)",
        ),
        ("--only perl", "--only: 'perl' is not a runtime (allowed: python, node, bun, deno, bash)"),
        ("--locked", "deps.lock.toml: not found, but --locked needs it; write it: ./doitw lock"),
        ("--bash=-x", "--bash: '-x': an option, not a package; apk accepts name, name=version"),
    ],
)
def test_wrong_flags_are_refused(cli: CommandLine, words: str, said: str) -> None:
    """Before the engine is asked anything."""
    done = cli("plan", *words.split())
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith(f"ERROR: {said}")
    assert done.err.count("\n") == 1


def test_locked_plan_compares_with_the_lock(built: CommandLine) -> None:
    """What is in the images is what it has, until the lock is of something else."""
    assert built("lock").code == 0
    assert built("plan", "--locked", "--check").code == 0
    file = built.folder / "deps.lock.toml"
    file.write_text(file.read_text().replace("apk jq 1.7.1-r0", "apk jq 1.7.1-r1"))
    done = built("plan", "--locked", "--check")
    assert done.code == 2
    assert "isol8:bash-custom   stale " in done.out
    assert built("plan", "--locked", "--bash", "zip").code == 3


class TestRegistry:
    """What [registry] has, as the plan shows it."""

    REGISTRY = '[dependencies]\nbash = ["jq"]\n[registry]\nrepository = "registry.example/isol8"\n'

    @pytest.fixture
    def empty(self, built: CommandLine) -> CommandLine:
        """Give a command line whose engine lost its images after they were pushed."""
        built.declare(self.REGISTRY)
        assert built("push").code == 0
        for image in built.engine.images():
            for tag in image.tags:
                if tag.startswith("isol8"):
                    built.engine.untag(tag)
        return built

    def test_image_that_is_up_to_date_there_is_pulled(self, empty: CommandLine) -> None:
        """Nothing would be built, which is what --check is about."""
        done = empty("plan", "--check")
        assert (done.code, done.err) == (0, "")
        line = "isol8:bash          in registry  up to date in registry.example/isol8, so it is pulled"
        assert line in done.out.splitlines()
        assert set(states(empty("plan", "--json")).values()) == {"in-registry"}

    @pytest.mark.parametrize("flag", ["--no-registry", "--force"])
    def test_flag_that_builds_all_the_same(self, empty: CommandLine, flag: str) -> None:
        assert empty("plan", "--check", flag).code == 2
        assert set(states(empty("plan", "--json", flag)).values()) == {"not-built"}

    def test_run_pulls_and_says_so(self, empty: CommandLine) -> None:
        before = len(empty.engine.requests)
        done = empty("up")
        assert done.code == 0
        assert "isol8:bash          in registry  up to date in registry.example/isol8" in done.out
        assert "6 pulled · " in done.out
        assert len(empty.engine.requests) == before

    def test_registry_that_does_not_answer_is_a_warning(self, empty: CommandLine) -> None:
        empty.engine.registry_fails = "connection refused"
        done = empty("plan")
        assert done.code == 0
        assert (
            "warning: the registry registry.example/isol8: connection refused; what it may have is built here. "
            "Check that it answers, and docker login; --no-registry does not ask it"
        ) in done.out.splitlines()
