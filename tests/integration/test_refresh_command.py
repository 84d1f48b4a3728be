"""doit refresh and freshness as a job runs them: what they print, write, tell and end with."""

import json
import re

import docker
import pytest

from isol8_tasks.engine import BuildRequest
from isol8_tasks.engine.daemon import DockerEngine
from isol8_tasks.run.engine_lock import engine_lock
from tests.integration.checkouts import Checkout

AGED = '[refresh]\nmax_age = "1ms"\n'


def refresh_settings(checkout: Checkout, text: str) -> None:
    file = checkout.folder / "deps.toml"
    file.write_text(file.read_text() + text)


def image_id(api: docker.APIClient, checkout: Checkout, name: str) -> str:
    return str(api.inspect_image(f"{checkout.repository}:{name}")["Id"])


def test_a_quiet_night(built: Checkout) -> None:
    """One line, and none with --quiet; nothing is built, and the table says fresh."""
    done = built.doit("refresh", "--only=bash")
    assert (done.code, done.err) == (0, "")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC · 2 images fresh · \d+\.\d s\n", done.out)
    assert built.doit("refresh", "--only=bash", "--quiet").out == ""
    done = built.doit("freshness", "--only=bash")
    assert done.code == 0
    assert re.findall(r"(\S+) +fresh$", done.out, re.MULTILINE) == [
        f"{built.repository}:bash",
        f"{built.repository}:bash-custom",
    ]


@pytest.mark.thorough
def test_images_that_grew_old(built: Checkout, docker_api: docker.APIClient) -> None:
    """They are behind (2), are rebuilt and checked, and the report is printed, written and handed on."""
    refresh_settings(built, AGED + 'notify = ["sh", "-c", "cat > told"]\n')
    before = image_id(docker_api, built, "bash")
    done = built.doit("freshness", "--json", "--only=bash")
    assert done.code == 2
    states = {each["image"].partition(":")[2]: each["state"] for each in json.loads(done.out)["images"]}
    assert states == {"bash": "behind", "bash-custom": "behind"}
    assert image_id(docker_api, built, "bash") == before
    done = built.doit("refresh", "--only=bash", "--report=reports/night.md")
    assert (done.code, done.err) == (0, ""), done.out + done.err
    assert re.match(r"\S+ \S+ UTC · 2 changed · 2 fresh · \d+\.\d s\nchanged\n", done.out)
    line = rf"  {built.repository}:bash +built .* ago, longer than \[refresh\] max_age = 0 seconds · "
    assert re.search(line, done.out)
    assert image_id(docker_api, built, "bash") != before
    assert (built.folder / "told").read_text() == done.out
    page = (built.folder / "reports" / "night.md").read_text()
    assert page.startswith("# isol8 images, ")
    assert f"| `{built.repository}:bash` |" in page


def test_json_is_all_that_is_printed(built: Checkout) -> None:
    """With --json a program can read the output, news or not."""
    refresh_settings(built, AGED)
    found = json.loads(built.doit("refresh", "--only=bash", "--json").out)
    assert [each["image"] for each in found["changed"]] == [
        f"{built.repository}:bash",
        f"{built.repository}:bash-custom",
    ]


def test_a_failure_is_told_first_and_keeps_the_image(built: Checkout, docker_api: docker.APIClient) -> None:
    """An image that does not pass its check keeps its old self; the others are refreshed; exit code 1."""
    refresh_settings(
        built, AGED + '[verify.bash-custom]\ncommand = ["sh", "-c", "echo no jq today; exit 1"]\n'
    )
    before = {name: image_id(docker_api, built, name) for name in ("bash", "bash-custom")}
    done = built.doit("refresh", "--only=bash")
    assert done.code == 1
    heads = [line for line in done.out.splitlines() if line in {"held", "failed", "undetermined", "changed"}]
    assert heads == ["failed", "changed"]
    assert "no jq today" in done.out
    assert f"The failed build is kept as {built.repository}:bash-custom-rejected" in done.out
    assert image_id(docker_api, built, "bash-custom") == before["bash-custom"]
    assert image_id(docker_api, built, "bash") != before["bash"]


def test_time_that_is_over(built: Checkout, docker_api: docker.APIClient) -> None:
    """What is not done in time is told as such, and the images in use stay."""
    refresh_settings(built, AGED)
    before = image_id(docker_api, built, "bash")
    done = built.doit("refresh", "--only=bash", "--timeout=1ms")
    assert done.code == 1
    assert "skipped: --timeout expired" in done.out
    assert image_id(docker_api, built, "bash") == before


@pytest.mark.thorough(every=2)
@pytest.mark.parametrize(
    ("command", "said"),
    [
        ('["false"]', "false failed (exit code 1): "),
        (
            '["/no/such/program"]',
            "/no/such/program: can't be run (No such file or directory); the images are as reported above",
        ),
    ],
)
def test_a_notification_that_fails(built: Checkout, command: str, said: str) -> None:
    """The images are refreshed, and the exit code says that nobody was told."""
    refresh_settings(built, f"{AGED}notify = {command}\n")
    done = built.doit("refresh", "--only=bash")
    assert done.code == 1
    assert done.err == f"ERROR: [refresh] notify: {said}\n"
    assert "2 changed" in done.out


def test_a_second_run_says_who_is_at_work(built: Checkout, engine: DockerEngine) -> None:
    """It gives up or waits, as it was told."""
    with engine_lock(engine.info().id, holder="/somewhere/else", since="today", wait=0):
        done = built.doit("refresh", "--wait=0", "--only=bash")
        assert done.code == 1
        assert re.match(
            r"ERROR: another run is using this engine: process \d+ in /somewhere/else, since today; ",
            done.err,
        )
        done = built.doit("refresh", "--wait=0.2", "--only=bash")
        assert re.match(r"waiting for another run on this engine: process \d+ in /somewhere/else", done.out)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("--timeout=2 moons",),
            "--timeout: '2 moons' is not a duration (a number and ms, s, m, h, d or w, as 10s, 12h or 7d)",
        ),
        (("--only=ruby",), "--only: 'ruby' is not a runtime (allowed: python, node, bun, deno, bash)"),
        (
            ("all",),
            "refresh: 'all' is not understood; this command takes options only (./doitw help refresh)",
        ),
    ],
)
def test_bad_words(checkout: Checkout, words: tuple[str, ...], said: str) -> None:
    """A mistake is one line, and nothing is asked or built."""
    done = checkout.doit("refresh", *words)
    assert done.code == 3
    assert done.err.strip() == f"ERROR: {said}"


def test_a_report_that_can_not_be_written(built: Checkout) -> None:
    """The report is on the screen, and the line says what was wrong with the file."""
    done = built.doit("refresh", "--only=bash", "--report=/dev/full")
    assert done.code == 1
    assert "2 images fresh" in done.out
    assert done.err.startswith("ERROR: /dev/full: the report can't be written (No space left on device)")


@pytest.mark.thorough
def test_an_alpine_without_support_and_the_way_on(
    checkout: Checkout, docker_api: docker.APIClient, engine: DockerEngine
) -> None:
    """A branch that ended is told with what to write, and once that is written it is told no more."""
    upstream = f"{checkout.repository}/alpine"
    old = BuildRequest(
        tag=f"{upstream}:3.21", dockerfile="FROM alpine:3.21\nRUN echo 3.21.4 > /etc/alpine-release\n"
    )
    engine.build(old, lambda _: None)
    docker_api.tag("alpine:3.21", upstream, "3.23")
    try:
        checkout.deps(build=f'args = {{ ALPINE_IMAGE = "{upstream}" }}')
        assert checkout.built("setup", "--only=bash") == {"bash"}
        said = (
            f"Alpine 3.21 reached end of life on 2026-11-01 ({checkout.repository}:bash); 3.23 is supported until "
            '2027-11-01: for images based on alpine, write args = { ALPINE_VERSION = "3.23" } under [build] in '
            "deps.toml"
        )
        # Where its registry can't be asked, what to do about that comes last.
        assert said in checkout.doit("freshness", "--only=bash").out.splitlines()
        checkout.deps(build=f'args = {{ ALPINE_IMAGE = "{upstream}", ALPINE_VERSION = "3.23" }}')
        assert checkout.built("setup", "--only=bash") == {"bash"}
        assert "end of life" not in checkout.doit("freshness", "--only=bash").out
        assert checkout.manifest()["images"][f"{checkout.repository}:bash"]["inventory"]["alpine"].startswith(
            "3.23."
        )
    finally:
        for tag in ("3.21", "3.23"):
            engine.untag(f"{upstream}:{tag}")
