"""The command line as its users meet it: what is printed where, exit codes, and what a kill or a secret leaves."""

import contextlib
import json
import os
import pty
import random
import re
import secrets
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.integration.checkouts import (
    ROOT,
    Checkout,
    Result,
    new_checkout,
    remove_tags,
    sharing,
    tags_of,
)

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
BOTH = ("base:bash", "custom:bash")
BASES = ("python", "node", "bun", "deno", "bash")
SECRET = "s3cr3tw0rd"


@pytest.fixture(scope="module")
def ready(docker_api: docker.APIClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """Give a checkout with bash and a custom image on it, and nothing else built."""
    checkout = new_checkout(tmp_path_factory.mktemp("cli") / "some folder")
    checkout.deps('bash = ["jq"]')
    assert checkout.built(*BOTH) == {"bash", "bash-custom"}
    yield checkout
    remove_tags(docker_api, checkout.repository)


@pytest.fixture
def own(docker_api: docker.APIClient, tmp_path: Path, ready: Checkout) -> Iterator[Checkout]:
    """Give a checkout whose images are those of `ready`, under tags of its own."""
    with sharing(docker_api, ready, tmp_path / "own") as checkout:
        checkout.deps('bash = ["jq"]')
        yield checkout


@pytest.fixture(scope="class")
def whole(docker_api: docker.APIClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """Give a checkout with all images, and one more that only a flag asked for."""
    checkout = new_checkout(tmp_path_factory.mktemp("cli") / "whole")
    checkout.deps('bash = ["unzip"]')
    assert checkout.built("setup") == {*BASES, "bash-custom"}
    checkout.deps()
    assert checkout.built("setup", "--bash=jq") == {"bash-custom"}
    yield checkout
    remove_tags(docker_api, checkout.repository)


class TestLooking:
    """What only looks."""

    def test_list_shows_every_target(self, ready: Checkout) -> None:
        """Each task and subtask has one line, whether the engine answers or not."""
        for host in (os.environ.get("DOCKER_HOST", ""), "unix:///nowhere"):
            done = ready.doit("list", DOCKER_HOST=host)
            assert done.code == 0, done.err
            assert [line.split()[0] for line in done.out.splitlines()] == [
                "base",
                *(f"base:{runtime}" for runtime in ("bash", "bun", "deno", "node", "python")),
                "custom",
                "custom:bash",
                "image",
                "ping",
                "resolve",
                "setup",
            ]

    def test_ping_names_the_engine(self, ready: Checkout) -> None:
        """Version, API, store, builder and address are on one line."""
        done = ready.doit("ping")
        assert re.fullmatch(
            r"Docker \S+ · API \d+\.\d+ · [^·]+ · (buildkit|buildx|classic) · \w+://\S+\n", done.out
        ), done.out

    def test_env_is_for_a_shell(self, ready: Checkout) -> None:
        """What it prints, and nothing else is printed, sets DOCKER_HOST when a shell evaluates it."""
        done = ready.doit("env")
        shell = subprocess.run(
            ["sh", "-c", f"{done.out}printenv DOCKER_HOST"],
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.out == f"export DOCKER_HOST={shlex.quote(shell.stdout.strip())}\n"
        assert ready.doit("ping", DOCKER_HOST=shell.stdout.strip()).code == 0

    def test_info_tells_the_state(self, ready: Checkout) -> None:
        """`info` knows from the engine that an image is up to date, and names no task that there is not."""
        assert re.search(r"^status +: up-to-date$", ready.doit("info", "base:bash").out, re.MULTILINE)
        done = ready.doit("info", "base:perl")
        assert (done.code, done.err) == (
            3,
            "ERROR: info: 'base:perl' is not a task; ./doitw list shows them\n",
        )

    def test_help_names_commands_as_they_are_typed(self, ready: Checkout) -> None:
        """Usage and list begin with the wrapper."""
        assert (
            "\n    ./doitw plan [--json] [--check] [the flags of setup]\n" in ready.doit("help", "plan").out
        )
        assert ready.doit("help").out.startswith("usage: ./doitw [COMMAND or TASK ...] [flags]\n")

    def test_json_is_alone_on_standard_output(self, ready: Checkout) -> None:
        """`plan --json` can be parsed, the engine dead or alive; what is wrong goes to standard error."""
        alive = ready.doit("plan", "--json")
        assert (alive.code, alive.err) == (0, "")
        assert {each["state"] for each in json.loads(alive.out)["images"]} <= {
            "up-to-date",
            "not-built",
            "stale",
        }
        dead = ready.doit("plan", "--json", DOCKER_HOST="unix:///nowhere")
        assert dead.code == 4
        assert {each["state"] for each in json.loads(dead.out)["images"]} == {"undetermined"}
        assert dead.err.startswith("ERROR: no Docker Engine answers at unix:///nowhere")

    @pytest.mark.parametrize(
        "words",
        [("list",), ("help",), ("help", "run"), ("plan",), ("plan", "--json"), BOTH],
        ids=lambda words: words[0],
    )
    def test_a_reader_that_went_away(self, ready: Checkout, words: tuple[str, ...]) -> None:
        """A closed pipe ends what only prints, silently; a run does its work, and says so."""
        run = _run_with_output_to(ready, *words, output="closed")
        said = (
            "standard output was closed early; the work was finished, with exit code 0; "
            "./doitw plan prints the state of each image\n"
        )
        assert (run.code, run.err) == ((0, said) if words == BOTH else (141, ""))

    def test_a_full_disk(self, ready: Checkout) -> None:
        """Output that can't be written is one line on standard error."""
        run = _run_with_output_to(ready, "plan", output="/dev/full")
        assert (run.code, run.err) == (
            1,
            "ERROR: standard output can't be written (No space left on device); what was to be done is done\n",
        )

    def test_an_encoding_without_our_signs(self, ready: Checkout) -> None:
        """A terminal of another encoding sees question marks, and the run goes on."""
        done = ready.doit(*BOTH, PYTHONIOENCODING="ascii")
        assert done.code == 0
        assert done.out.startswith("2 images up to date ? Docker ")


class TestMistakes:
    """What is typed wrong."""

    @pytest.mark.parametrize("command", ["plan", "up", "setup"])
    def test_a_word_with_an_equals_sign(self, ready: Checkout, command: str) -> None:
        """Every command with the flags of setup says how to write a version."""
        done = ready.doit(command, "--bash", "jq=1.7")
        assert done.code == 3
        assert done.err == (
            "ERROR: jq=1.7: doit reads a word with = as a variable, and there are none; "
            "write the flag and its value as one word: --bash=jq=1.7\n"
        )

    def test_a_flag_of_setup_without_setup(self, ready: Checkout) -> None:
        """The message is a line, not a list of all options, and names the command that has the flag."""
        done = ready.doit("--python", "numpy")
        assert done.code == 3
        assert done.err == (
            "ERROR: a run has no flag --python; it is one of setup, plan or up: ./doitw setup --python=…\n"
        )

    @pytest.mark.parametrize(
        ("host", "why"),
        [
            ("tcp://127.0.0.1:99999", "can't be used: "),
            ("tcp://[::1", "can't be used: "),
            ("nonsense", "is not the address of one: it lacks tcp:// before the host; write tcp://nonsense"),
        ],
    )
    def test_an_address_that_is_none(self, ready: Checkout, host: str, why: str) -> None:
        """A DOCKER_HOST that can't be one is a line, and not found out."""
        done = ready.doit("plan", DOCKER_HOST=host)
        assert done.code == 4
        assert done.err.startswith(f"ERROR: no Docker Engine: {host} (from DOCKER_HOST) {why}")

    def test_clean_without_an_engine(self, ready: Checkout) -> None:
        """What could not be removed is not reported as success."""
        done = ready.doit("clean", "base:bash", "base:bun", DOCKER_HOST="unix:///nowhere")
        assert done.code == 4
        assert done.err.count("no Docker Engine answers") == 1

    @pytest.mark.thorough
    def test_a_manifest_that_cannot_be_written(self, own: Checkout) -> None:
        """The run fails with a line about the manifest."""
        (own.folder / "resolved-images.json").mkdir()
        done = own.doit("base:bash", "--force")
        assert done.code == 1
        assert "resolved-images.json: can't be written (Is a directory)" in done.out

    def test_a_torn_database_of_doits(self, own: Checkout) -> None:
        """Nothing that a killed run leaves of doit's own state stops the next."""
        state = own.folder / ".isol8"
        state.mkdir(exist_ok=True)
        (state / "doit.json").write_text("{")
        (own.folder / ".doit.db").write_text("{")
        assert own.doit(*BOTH).code == 0


class TestOutput:
    """What a log and a terminal get."""

    def test_a_log_has_plain_lines(self, own: Checkout) -> None:
        """Output that goes to a pipe has no control characters, and each line once."""
        done = own.doit("base:bash", "--force")
        assert done.code == 0
        assert not CONTROL.search(done.out)
        assert len(re.findall(rf"^{own.repository}:bash +rebuilt, same result ", done.out, re.MULTILINE)) == 1

    def test_quiet(self, own: Checkout) -> None:
        """With nothing to do it says nothing; with work, the figures alone."""
        assert own.doit("--quiet", *BOTH).out == ""
        own.edit("docker/Dockerfile", 'CMD ["bash"]', 'CMD ["bash", "-l"]')
        done = own.doit("--quiet", "base:bash")
        assert re.fullmatch(r"1 built · \S+ s · resolved-images\.json: .*changed\n", done.out), done.out

    def test_live_lines_are_gone_at_the_end(self, own: Checkout) -> None:
        """On a terminal every live line is erased before the lines that stay."""
        mark = secrets.token_hex(4)
        own.edit("docker/Dockerfile", 'CMD ["bash"]', f'RUN sleep 1; echo {mark} >/m\nCMD ["bash"]')
        shown = _on_terminal(own, "base:bash")
        lines = _screen(shown)
        assert re.search(r"\x1b\[\d+F\x1b\[J", shown)
        assert re.search(
            rf"^{own.repository}:bash +\d/\d  RUN sleep 1; echo {mark} >/m  \d",
            "\n".join(lines),
            re.MULTILINE,
        )
        assert len([line for line in lines if re.match(rf"{own.repository}:bash +built ", line)]) == 1
        assert lines[-1].startswith("1 built · ")


class TestCredentials:
    """A user name or a token in a URL."""

    def test_it_is_shown_nowhere(self, own: Checkout, docker_api: docker.APIClient) -> None:
        """Not by plan, run, failure, log, manifest or labels, though the build itself gets it."""
        url = f"https://user:{SECRET}@index.invalid/simple"
        own.deps(
            'bash = ["jq"]\npython = ["no-such-thing"]',
            f'[build.args]\nPIP_INDEX_URL = "{url}"\nBUN_INSTALL_URL = "{url}"',
        )
        own.edit("docker/Dockerfile", 'CMD ["bash"]', f'RUN echo {url}\nCMD ["bash"]')
        own.edit("docker/Dockerfile", 'CMD ["python3"]', f'RUN echo {url} && exit 3\nCMD ["python3"]')
        shown = [own.doit("plan"), own.doit("plan", "--json"), own.doit("base:bash", "base:python")]
        assert shown[2].code == 1
        assert "https://***@index.invalid/simple" in shown[2].out
        written = [each.out + each.err for each in shown]
        written += [log.read_text() for log in (own.folder / ".isol8" / "logs").iterdir()]
        written.append((own.folder / "resolved-images.json").read_text())
        written += [
            json.dumps(docker_api.inspect_image(tag)["Config"]["Labels"])
            for tag in tags_of(docker_api, own.repository)
        ]
        assert not [text for text in written if SECRET in text]

    def test_a_mirror_for_packages_is_a_build_argument(self, ready: Checkout) -> None:
        """What the Dockerfile declares for the children of a base can be given, and makes nothing stale."""
        ready.deps(
            'bash = ["jq"]', '[build.args]\nPIP_INDEX_URL = "https://a/"\nNPM_CONFIG_REGISTRY = "https://b/"'
        )
        done = ready.doit("plan", "--json")
        ready.deps('bash = ["jq"]')
        assert done.code == 0, done.err
        states = {each["image"].partition(":")[2]: each["state"] for each in json.loads(done.out)["images"]}
        assert states["bash"] == states["bash-custom"] == "up-to-date"


class TestKills:
    """A run that is killed at any moment."""

    def test_before_each_step_of_a_promotion(self, whole: Checkout, docker_api: docker.APIClient) -> None:
        """Wherever it ends, the public tags stay, and the next run makes good what it left."""
        for step in range(1, 9):
            whole.deps('bash = ["unzip"]' if step % 2 else "")
            assert whole.cut_off(step, "custom:bash") == -signal.SIGKILL, step
            self.check(whole, docker_api, f"killed before step {step}")
        whole.deps()
        assert whole.doit().code == 0
        assert self.public(whole) == {f"{whole.repository}:{name}" for name in whole.plan()}
        assert whole.stale() == set()

    @pytest.mark.thorough
    def test_before_each_step_of_a_rebuild_with_the_same_result(
        self, whole: Checkout, docker_api: docker.APIClient
    ) -> None:
        """The image in use is the same at any moment, whatever its labels say by then."""
        layers = docker_api.inspect_image(f"{whole.repository}:bash")["RootFS"]
        step = 0
        while whole.cut_off(step, "base:bash", "--force") == -signal.SIGKILL:
            assert docker_api.inspect_image(f"{whole.repository}:bash")["RootFS"] == layers, step
            self.check(whole, docker_api, f"killed before step {step}")
            layers = docker_api.inspect_image(f"{whole.repository}:bash")["RootFS"]
            step += 1
        assert step >= 6
        assert whole.stale() == set()

    def test_at_random(self, whole: Checkout, docker_api: docker.APIClient) -> None:
        """The same, for kills in the middle of builds and between them."""
        end, dice = time.monotonic() + 4, random.Random(7)  # noqa: S311 - for chance, not for secrets
        while time.monotonic() < end:
            whole.edit("docker/Dockerfile", 'CMD ["bash"]', f'ENV N={dice.random()}\nCMD ["bash"]')
            run = whole.start(*BOTH)
            time.sleep(dice.uniform(0.3, 1.5))
            run.kill()
            run.communicate()
            assert self.public(whole) <= set(tags_of(docker_api, whole.repository))
        self.check(whole, docker_api, "killed at random")
        assert whole.stale() == set()

    def public(self, checkout: Checkout) -> set[str]:
        return {f"{checkout.repository}:{name}" for name in (*BASES, "bash-custom")}

    def check_candidates(self, checkout: Checkout, api: docker.APIClient, when: str) -> None:
        """Assert that what a killed run left goes after a day; till then a run beside this one may have it."""
        for tag in [each for each in tags_of(api, checkout.repository) if each.endswith("-candidate")]:
            repository, _, name = tag.partition(":")
            api.tag(tag, repository, re.sub(r"-\d{8}T", "-20261001T", name))
            api.remove_image(tag)
        assert checkout.doit().code == 0, when
        assert not [tag for tag in tags_of(api, checkout.repository) if tag.endswith("-candidate")], when

    def check(self, checkout: Checkout, api: docker.APIClient, when: str) -> None:
        assert self.public(checkout) <= set(tags_of(api, checkout.repository)), when
        done = checkout.doit()
        assert done.code == 0, when + done.out
        assert "jq: from --bash on " in done.out, when
        tags = tags_of(api, checkout.repository)
        self.check_candidates(checkout, api, when)
        assert f"{checkout.repository}:bash-custom-previous" in tags, when
        custom = set(api.inspect_image(f"{checkout.repository}:bash-custom")["RepoTags"])
        hashed = {tag for tag in tags if re.search(r":bash-custom-[0-9a-f]{12}$", tag)}
        assert len(hashed) == 1, when
        assert hashed <= custom, when


def test_tags_of_others_stay(own: Checkout, docker_api: docker.APIClient) -> None:
    """An image that somebody else tagged is theirs: a rebuild removes neither tag nor image."""
    private = f"{own.repository}_build"
    own.deps('bash = ["unzip"]')
    assert own.built("custom:bash") == {"bash-custom"}
    docker_api.tag(f"{own.repository}:bash-custom", private, "kept")
    docker_api.tag(f"{own.repository}:bash-custom-previous", private, "kept-too")
    own.deps('bash = ["jq"]')
    assert own.built("custom:bash") == {"bash-custom"}
    assert {f"{private}:kept", f"{private}:kept-too"} <= set(tags_of(docker_api, own.repository))


def _run_with_output_to(checkout: Checkout, *words: str, output: str) -> Result:
    """Run doit with an output that is full, or that nobody reads any more."""
    if output == "closed":
        reading, writing = os.pipe()
        os.close(reading)
    else:
        writing = os.open(output, os.O_WRONLY)
    run = subprocess.run(
        [sys.executable, "-m", "isol8_tasks.cli", *words],
        cwd=checkout.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    return Result(run.returncode, "", run.stderr)


def _on_terminal(checkout: Checkout, *words: str) -> str:
    """Run doit on a terminal of 80 columns, and return all that it wrote."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "80", "LINES": "24"}
    # Where it is set, nobody watches.
    environment.pop("CI", None)
    command = [sys.executable, "-m", "doit", *words]
    run = subprocess.Popen(command, cwd=checkout.folder, env=environment, stdout=theirs, stderr=theirs)
    os.close(theirs)
    written = b""
    # Linux ends a terminal that nobody writes to any more with an error.
    with contextlib.suppress(OSError):
        while chunk := os.read(ours, 65536):
            written += chunk
    os.close(ours)
    assert run.wait(60) == 0, written
    return written.decode()


def _screen(written: str) -> list[str]:
    """Return the lines that stay, for a terminal that can go up, erase and colour."""
    rows = [""]
    for part in re.split(r"(\x1b\[\d+F\x1b\[J|\r?\n)", re.sub(r"\x1b\[[0-9;]+m", "", written)):
        if part.startswith("\x1b"):
            up = int(part[2 : part.index("F")])
            rows = [*rows[: len(rows) - 1 - up], ""]
        elif part.endswith("\n"):
            rows.append("")
        else:
            rows[-1] += part
    assert not CONTROL.search("".join(rows))
    return [row for row in rows if row]
