"""What a run is about: the tasks, patterns and runtimes that are named, and what of doit's own has no use here."""

import json
import os
import re

import docker
import pytest

from tests.integration.checkouts import Checkout, tags_of

PACKAGES = 'bun = ["zod"]\nbash = ["jq"]'
NOTHING_KEPT = "build state lives in image labels; there is no database"


@pytest.fixture
def edited(built: Checkout) -> Checkout:
    """Give a checkout with all images, and an edit in three of the stages."""
    for stage in ("bun", "deno", "bash"):
        built.edit("docker/Dockerfile", f'CMD ["{stage}"]', f'CMD ["{stage}", "--help"]')
    return built


class TestNames:
    """Tasks that are named, and runtimes."""

    @pytest.mark.thorough
    def test_one_task(self, edited: Checkout) -> None:
        """`doit base:bun` builds that image, and nothing that is based on it or beside it."""
        assert edited.built("base:bun") == {"bun"}
        assert edited.stale() == {"bun-custom", "deno", "bash", "bash-custom"}

    def test_a_pattern(self, edited: Checkout) -> None:
        """`doit 'custom:*'` builds the custom images, and of the bases their parents."""
        assert edited.built("custom:*") == {"bun", "bun-custom", "bash", "bash-custom"}
        assert edited.stale() == {"deno"}

    @pytest.mark.thorough
    def test_some_runtimes(self, edited: Checkout) -> None:
        """`doit setup --only bun,deno` is about these, flags for packages too; the manifest tells of all."""
        assert set(edited.plan("--only", "bun,deno")) == {"bun", "bun-custom", "deno"}
        assert edited.doit("plan", "--check", "--only=python").code == 0
        done = edited.doit("setup", "--only", "bun,deno", "--bun", "ms")
        assert done.code == 0, done.out
        assert "3 built · " in done.out
        assert edited.stale() == {"bash", "bash-custom"}
        runtimes = edited.manifest()["runtimes"]
        assert list(runtimes) == ["python", "node", "bun", "deno", "bash"]
        assert runtimes["bun"]["packages"] == ["ms", "zod"]

    @pytest.mark.thorough
    def test_a_runtime_that_is_none(self, built: Checkout) -> None:
        """A near miss is told in a line with what may have been meant, and nothing is built."""
        for words in (("setup",), ("plan",), ("up",)):
            done = built.doit(*words, "--only", "python,nod")
            assert (done.code, done.out) == (3, "")
            assert done.err.startswith(
                "ERROR: --only: 'nod' is not a runtime (did you mean node? allowed: python, node, bun, deno, bash)\n"
            )

    @pytest.mark.thorough
    def test_continue(self, edited: Checkout) -> None:
        """A failing image stops nothing that is not based on it, with `--continue` and without."""
        edited.edit("docker/Dockerfile", 'CMD ["bash", "--help"]', 'RUN false\nCMD ["bash"]')
        done = edited.doit("--continue")
        assert done.code == 1
        assert re.search(r"^3 built · 1 failed · 1 skipped · 2 up to date · ", done.out, re.MULTILINE)
        again = edited.doit()
        assert again.code == 1
        assert re.search(r"^1 failed · 1 skipped · 5 up to date · ", again.out, re.MULTILINE)


class TestForce:
    """`--force`, for the tasks that are named."""

    @pytest.mark.thorough
    def test_all_of_a_setup(self, built: Checkout) -> None:
        """`doit setup --force` rebuilds all that it is about."""
        assert built.built("setup", "--only=bash", "--force") == {"bash", "bash-custom"}
        assert built.stale() == set()

    @pytest.mark.thorough
    def test_one_task(self, built: Checkout) -> None:
        """`doit base:bun --force` rebuilds that one; what is based on it stays, as the result is the same."""
        done = built.doit("base:bun", "--force", "base:bash")
        assert done.code == 0, done.out
        assert re.search("^1 rebuilt, same result · 1 up to date · ", done.out, re.MULTILINE), done.out
        assert built.stale() == set()

    def test_a_group(self, built: Checkout) -> None:
        """`doit custom --force` rebuilds every custom image, and no base."""
        assert built.built("custom", "--force") == {"bun-custom", "bash-custom"}
        assert built.stale() == set()


class TestLooking:
    """Commands that change nothing."""

    def test_list_with_the_state(self, edited: Checkout) -> None:
        """`doit list --status` says of each task whether something is to be done."""
        done = edited.doit("list", "--status", "base", "custom")
        assert done.code == 0, done.err
        found = {line.split()[1]: line.split()[0] for line in done.out.splitlines() if ":" in line.split()[1]}
        assert found == {
            "base:python": "U",
            "base:node": "U",
            "base:bun": "R",
            "base:deno": "R",
            "base:bash": "R",
            "custom:bun": "R",
            "custom:bash": "R",
        }

    def test_info(self, edited: Checkout) -> None:
        """`doit info base:bun` prints the reason, in the words of the plan."""
        (reason,) = edited.plan()["bun"][1]
        done = edited.doit("info", "base:bun")
        assert done.code == 0, done.err
        assert f"    - {reason}" in done.out
        assert re.search(r"^status +: run$", done.out, re.MULTILINE)
        assert re.search(r"^status +: up-to-date$", edited.doit("info", "base:node").out, re.MULTILINE)


class TestTakingAway:
    """clean, forget, and what is refused."""

    def test_clean(self, built: Checkout, docker_api: docker.APIClient) -> None:
        """`doit clean base:bun` takes every tag of that image away, and leaves what is based on it."""
        done = built.doit("clean", "base:bun")
        assert done.code == 0, done.err
        assert done.out.split() == [f"{built.repository}:bun", "removed"]
        left = {tag.partition(":")[2] for tag in tags_of(docker_api, built.repository)}
        assert "bun" not in left
        assert {"bun-custom", "bash", "bash-custom", "python", "node", "deno"} <= left
        assert built.plan()["bun"][0] == "not-built"

    def test_forget(self, built: Checkout) -> None:
        """`doit forget` has nothing to forget, as the labels are the truth; it says what rebuilds."""
        done = built.doit("forget", "base:bun")
        assert (done.code, done.out) == (
            0,
            f"nothing to forget: {NOTHING_KEPT}; to rebuild: ./doitw base:bun --force\n",
        )
        assert built.built() == set()

    @pytest.mark.parametrize(
        ("command", "why"),
        [
            (
                "ignore",
                f"{NOTHING_KEPT}; to leave out a runtime: ./doitw setup --only python,node, or name the tasks to run",
            ),
            ("reset-dep", f"{NOTHING_KEPT}; ./doitw plan prints the state of each image"),
            ("dumpdb", f"{NOTHING_KEPT}; docker image inspect isol8:bun shows them"),
            (
                "strace",
                (
                    "the engine builds the images, so a trace of doit shows nothing; ./doitw plan prints why "
                    "each would be built"
                ),
            ),
        ],
    )
    def test_refused(self, built: Checkout, command: str, why: str) -> None:
        """What could do nothing is refused in a line, and not seemingly done."""
        done = built.doit(command, "base:bun")
        assert (done.code, done.out, done.err) == (3, "", f"ERROR: {command}: {why}\n")


def test_a_file_that_cannot_be_read_marks_the_images_that_copy_it(built: Checkout) -> None:
    """They are unknown, with the reason; a run fails them alone with 4, builds the others, and resolves."""
    os.mkfifo(built.folder / "docker" / "tool")
    built.edit("docker/Dockerfile", 'CMD ["bash"]', 'COPY tool /\nCMD ["bash"]')
    problem = "docker/tool: neither a file nor a folder; fix it or remove it"
    plan = built.plan()
    assert plan["bash"] == ("undetermined", [problem])
    assert plan["bash-custom"] == ("undetermined", [f"parent {built.repository}:bash is undetermined"])
    assert {state for name, (state, _) in plan.items() if "bash" not in name} == {"up-to-date"}
    assert built.doit("plan", "--check").code == 4
    built.edit("docker/Dockerfile", 'CMD ["deno"]', 'CMD ["deno", "--help"]')
    assert built.doit("plan", "--check").code == 2
    (built.folder / "resolved-images.json").unlink(missing_ok=True)
    done = built.doit()
    assert done.code == 4, done.out
    assert re.search(rf"^{built.repository}:bash +failed +{re.escape(problem)}$", done.out, re.MULTILINE)
    assert re.search(r"^1 built · 1 failed · 1 skipped · 4 up to date · ", done.out, re.MULTILINE)
    assert "bash" in json.loads((built.folder / "resolved-images.json").read_text())["runtimes"]
