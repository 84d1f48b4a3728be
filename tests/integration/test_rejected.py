"""Images that fail verification, on the command line: what is said, what stays, and how to look."""

import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import docker
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from isol8_tasks.engine import BuildRequest
from isol8_tasks.engine.daemon import DockerEngine
from isol8_tasks.images.observed import Observed
from tests.clients import CLIENTS
from tests.integration.checkouts import (
    Checkout,
    Result,
    images_of,
    new_checkout,
    remove_tags,
    sharing,
    tags_of,
)

SETUP = ("setup", "--only=bash")
CUSTOM = "bash-custom"
RUNTIMES = ("bash", "bun", "deno", "node", "python")


@pytest.fixture(scope="module")
def ready(docker_api: docker.APIClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """Give a checkout with bash and a custom image."""
    checkout = new_checkout(tmp_path_factory.mktemp("rejected") / "template")
    checkout.deps('bash = ["jq"]')
    assert checkout.built(*SETUP) == {"bash", CUSTOM}
    yield checkout
    remove_tags(docker_api, checkout.repository)


@pytest.fixture
def own(docker_api: docker.APIClient, tmp_path: Path, ready: Checkout) -> Iterator[Checkout]:
    """Give a checkout whose images are those of `ready`, under tags of its own."""
    with sharing(docker_api, ready, tmp_path / "own") as checkout:
        checkout.deps('bash = ["jq"]')
        yield checkout


def image_id(api: docker.APIClient, tag: str) -> str:
    return str(api.inspect_image(tag)["Id"])


def failure(done: Result, checkout: Checkout, name: str) -> list[str]:
    """Return what a run that failed says of an image, without dates and the path of a log."""
    assert done.code == 1, done.out + done.err
    lines = done.out.splitlines()
    # At the end, where others were still awaited when it failed.
    begin = max(
        index for index, line in enumerate(lines) if re.match(rf"{checkout.repository}:{name} +failed", line)
    )
    end = next(index for index, line in enumerate(lines) if index > begin and not line.startswith(" "))
    found = [re.sub(r"built \d{4}-\d\d-\d\d", "built DAY", line.strip()) for line in lines[begin:end]]
    return [re.sub(r"\s+", " ", line) for line in found]


CHECKS = {
    "exit": (
        ("sh", "-c", "echo said; echo why >&2; exit 3"),
        "",
        ["check sh -c 'echo said; echo why >&2; exit 3' ended with exit code 3, not 0", "said", "why"],
    ),
    "output": (
        ("jq", "--version"),
        "output = 'jq-99\\.\\d+'",
        ["check jq --version printed nothing that matches 'jq-99\\\\.\\\\d+'", "jq-"],
    ),
    "hanging": (
        ("sh", "-c", "echo begun; exec sleep 600"),
        'timeout = "1s"',
        ["check sh -c 'echo begun; exec sleep 600' did not end within 1 s", "begun"],
    ),
    "no such program": (
        ("nothing-such",),
        "",
        ["nothing-such"],
    ),
}


@pytest.mark.thorough(every=4)
@pytest.mark.parametrize(("command", "more", "told"), CHECKS.values(), ids=CHECKS)
def test_a_check_of_the_users_own(
    own: Checkout,
    docker_api: docker.APIClient,
    *,
    command: tuple[str, ...],
    more: str,
    told: list[str],
) -> None:
    """The check is named with what it printed; the old image keeps its tag, and the new one is there for inspection."""
    own.deps('bash = ["jq"]', f"[verify.{CUSTOM}]\ncommand = {json.dumps(command)}\n{more}")
    old = image_id(docker_api, f"{own.repository}:{CUSTOM}")
    lines = failure(own.doit("custom:bash", "--force"), own, CUSTOM)
    assert lines[0] == f"{own.repository}:{CUSTOM} failed failed verification"
    assert told[0] in lines[1]
    for expected in told[1:]:
        assert any(expected in line for line in lines[2:-2])
    assert lines[-2:] == [
        "Still using the image built DAY (jq).",
        (
            f"The failed build is kept as {own.repository}:{CUSTOM}-rejected for inspection. Whole log: "
            f".isol8/logs/{CUSTOM}.log"
        ),
    ]
    assert image_id(docker_api, f"{own.repository}:{CUSTOM}") == old
    assert image_id(docker_api, f"{own.repository}:{CUSTOM}-rejected") != old
    assert not [tag for tag in tags_of(docker_api, own.repository) if tag.endswith("-candidate")]


def test_a_package_that_does_not_exist(own: Checkout, docker_api: docker.APIClient) -> None:
    """The installer's words are shown, and the image in use stays."""
    own.deps('bash = ["no-such-thing-at-all"]')
    old = image_id(docker_api, f"{own.repository}:{CUSTOM}")
    lines = failure(own.doit("custom:bash"), own, CUSTOM)
    assert lines[0] == f"{own.repository}:{CUSTOM} failed step 2/2: apk add --no-cache no-such-thing-at-all"
    assert "no-such-thing-at-all (no such package):" in lines
    assert "Still using the image built DAY (jq)." in lines
    assert lines[-1].startswith("Check [dependencies] bash in deps.toml:2. Whole log: ")
    assert image_id(docker_api, f"{own.repository}:{CUSTOM}") == old


INDEX = {
    # What pip and npm ask an index for; neither gets as far as the files.
    "simple/onlyglibc/index.html": "<a href='/x.whl'>onlyglibc-1.0-py3-none-manylinux_2_17_x86_64.whl</a>",
    "onlyglibc": json.dumps(
        {
            "name": "onlyglibc",
            "dist-tags": {"latest": "1.0.0"},
            "versions": {
                "1.0.0": {
                    "name": "onlyglibc",
                    "version": "1.0.0",
                    "os": ["linux"],
                    "libc": ["glibc"],
                    "dist": {"tarball": "http://127.0.0.1/onlyglibc.tgz"},
                }
            },
        }
    ),
}
SERVE = (
    "import json, os, sys\n"
    "for name, text in json.loads(sys.argv[1]).items():\n"
    "    os.makedirs(os.path.dirname('/srv/' + name), exist_ok=True)\n"
    "    open('/srv/' + name, 'w').write(text)\n"
    "os.execlp('python3', 'python3', '-m', 'http.server', '-d', '/srv', '8000')\n"
)


@pytest.fixture
def index(docker_api: docker.APIClient, base_images: Mapping[str, str]) -> Iterator[str]:
    """Give the address of an index whose only package is built for glibc alone, as builds reach it."""
    made = docker_api.create_container(
        base_images["python"],
        ["python3", "-c", SERVE, json.dumps(INDEX)],
        labels={"org.isol8.tasks.test": "1"},
    )["Id"]
    try:
        docker_api.start(made)
        networks = docker_api.inspect_container(made)["NetworkSettings"]["Networks"]
        yield f"http://{networks['bridge']['IPAddress']}:8000"
    finally:
        docker_api.remove_container(made, force=True)


@pytest.mark.thorough(every=2)
@pytest.mark.parametrize(
    ("runtime", "words"),
    [
        (
            "python",
            (
                "The index has no onlyglibc, or no build of it for Alpine (musl): "
                "neither a musllinux wheel for this Python nor the source."
            ),
        ),
        ("node", "It is built for glibc, and Alpine has musl."),
    ],
)
def test_a_package_without_a_build_for_musl(  # noqa: PLR0913 - fixtures, and the columns of the table
    make_checkout: Callable[..., Checkout],
    docker_api: docker.APIClient,
    base_images: Mapping[str, str],
    index: str,
    *,
    runtime: str,
    words: str,
) -> None:
    """It is said in plain words, the image in use stays, and the other images are done."""
    own = make_checkout()
    own.deps(f'{runtime} = ["onlyglibc"]')
    with (own.folder / "deps.toml").open("a") as file:
        host = index.removeprefix("http://").partition(":")[0]
        file.write(
            f'args = {{ PIP_INDEX_URL = "{index}/simple", PIP_TRUSTED_HOST = "{host}", '
            f'NPM_CONFIG_REGISTRY = "{index}/" }}\n'
            f'[images.fine]\nruntime = "{runtime}"\nsetup = "true"\n'
        )
    # What had the tag before us.
    docker_api.tag(base_images[runtime], own.repository, f"{runtime}-custom")
    old = image_id(docker_api, f"{own.repository}:{runtime}-custom")
    done = own.doit("setup", f"--only={runtime}")
    lines = failure(done, own, f"{runtime}-custom")
    # Where [build] args name the index, that is named as well.
    assert lines[-2].startswith(words), lines
    assert lines[-1].startswith(f"Check [dependencies] {runtime} in deps.toml:2. Whole log: ")
    assert image_id(docker_api, f"{own.repository}:{runtime}-custom") == old
    assert re.search(rf"^{own.repository}:fine +built ", done.out, re.MULTILINE)


def test_a_package_that_installs_and_does_not_work(own: Checkout, docker_api: docker.APIClient) -> None:
    """A library that is gone makes a program useless, and no other image is kept from being built."""
    # What the new base takes away, a package of Alpine's brings, so that nothing but a run of it tells.
    own.edit(
        "docker/Dockerfile",
        'CMD ["bash"]',
        'RUN printf \'#!/bin/sh\\n/sbin/apk "$@" && { [ "$1" != add ] || chmod 700 /usr/bin/jq; }\\n\''
        " > /usr/local/bin/apk"
        ' && chmod 755 /usr/local/bin/apk\nCMD ["bash"]',
    )
    (own.folder / "deps.toml").write_text(
        f'[dependencies]\nbash = ["jq"]\n[build]\nrepository = "{own.repository}"\n'
        '[images.fine]\nruntime = "bash"\nsetup = "true"\n'
    )
    old = image_id(docker_api, f"{own.repository}:{CUSTOM}")
    done = own.doit(*SETUP)
    lines = failure(done, own, CUSTOM)
    assert lines[0] == f"{own.repository}:{CUSTOM} failed failed verification"
    assert "jq" in lines[1]
    assert image_id(docker_api, f"{own.repository}:{CUSTOM}") == old
    assert re.search(rf"^{own.repository}:bash +built ", done.out, re.MULTILINE)
    assert re.search(rf"^{own.repository}:fine +built ", done.out, re.MULTILINE)
    assert re.search(r"^2 built · 1 failed · ", done.out, re.MULTILINE)


def test_a_base_that_fails(own: Checkout, docker_api: docker.APIClient) -> None:
    """What is based on it is not begun; both stay as they were."""
    own.edit("docker/Dockerfile", 'CMD ["bash"]', 'RUN chmod 4755 /bin/bash\nCMD ["bash"]')
    before = set(tags_of(docker_api, own.repository))
    old = {name: image_id(docker_api, f"{own.repository}:{name}") for name in ("bash", CUSTOM)}
    done = own.doit(*SETUP)
    lines = failure(done, own, "bash")
    assert lines[:3] == [
        f"{own.repository}:bash failed failed verification",
        "/bin/bash is setuid or setgid (mode 4755), unlike in the upstream image",
        "Still using the image built DAY.",
    ]
    assert re.search(r"^1 failed · 1 skipped · ", done.out, re.MULTILINE), done.out
    assert {name: image_id(docker_api, f"{own.repository}:{name}") for name in old} == old
    assert set(tags_of(docker_api, own.repository)) - before == {f"{own.repository}:bash-rejected"}


@pytest.mark.thorough
def test_the_newest_alone_is_kept(own: Checkout, docker_api: docker.APIClient, engine: DockerEngine) -> None:
    """A rejected image takes the place of the last one, which is gone, and no client finds it."""
    own.deps('bash = ["jq"]', f'[verify.{CUSTOM}]\ncommand = ["false"]')
    rejected = f"{own.repository}:{CUSTOM}-rejected"
    assert own.doit("custom:bash", "--force").code == 1
    first = image_id(docker_api, rejected)
    assert own.doit("custom:bash", "--force").code == 1
    second = image_id(docker_api, rejected)
    assert second != first
    with pytest.raises(docker.errors.ImageNotFound):
        docker_api.inspect_image(first)
    images = images_of(engine.images(), own.repository)
    public = Observed(repository=own.repository, images=images).public(CUSTOM)
    assert public is not None
    for choose in CLIENTS.values():
        assert choose(images, own.repository, "bash", ["jq"]) == public.id
    labels = docker_api.inspect_image(rejected)["Config"]["Labels"]
    assert not any(labels.get(f"org.isol8.{name}") for name in ("runtime", "dependencies", "setup"))


class TestLooking:
    """What looks into images that are in use."""

    def test_verify(self, own: Checkout, docker_api: docker.APIClient) -> None:
        """Good images pass; one that somebody tampered with does not, and nothing is changed."""
        done = own.doit("verify", "bash", CUSTOM)
        assert done.code == 0, done.out
        assert re.fullmatch(
            rf"{own.repository}:bash  +ok +\d+ packages\n"
            rf"{own.repository}:{CUSTOM}  +ok +\d+ packages\n",
            done.out,
        )
        made = docker_api.create_container(f"{own.repository}:bash", ["chmod", "666", "/etc/profile"])["Id"]
        docker_api.start(made)
        docker_api.wait(made)
        docker_api.commit(made, own.repository, "bash")
        docker_api.remove_container(made)
        before = {tag: image_id(docker_api, tag) for tag in tags_of(docker_api, own.repository)}
        done = own.doit("verify", "bash")
        assert done.code == 1
        assert done.out.splitlines()[1:] == [
            "  its layers are not those that its labels record: something else made it; rebuild it with --force",
            "  /etc/profile is writable by everyone (mode 0666), unlike in the upstream image",
        ]
        found = json.loads(own.doit("verify", "--json").out)["images"]
        assert [(each["image"], len(each["findings"])) for each in found] == [
            (f"{own.repository}:bash", 2),
            (f"{own.repository}:{CUSTOM}", 0),
        ]
        assert {tag: image_id(docker_api, tag) for tag in before} == before

    @pytest.mark.thorough
    def test_a_forged_image(self, own: Checkout, engine: DockerEngine) -> None:
        """One with our labels and both of our tags is up to date for plan, and verify tells it apart."""
        public, marker = f"{own.repository}:{CUSTOM}", f"{own.repository}_build:{CUSTOM}"
        engine.build(
            BuildRequest(tag=marker, dockerfile=f"FROM {public}\nRUN touch /usr/local/more\n"), lambda _: None
        )
        engine.tag(marker, public)
        assert own.stale("--only=bash") == set()
        done = own.doit("verify", CUSTOM)
        assert done.code == 1
        assert done.out.splitlines()[1:] == [
            "  its layers are not those that its labels record: something else made it; rebuild it with --force"
        ]
        assert own.built(f"custom:{CUSTOM.removesuffix('-custom')}", "--force") == {CUSTOM}
        assert own.doit("verify", CUSTOM).code == 0
        # What was forged is -previous by now.
        done = own.doit("rollback", CUSTOM)
        assert done.code == 3
        assert "its layers are not those that its labels record" in done.err

    def test_inventory(self, own: Checkout) -> None:
        """Every package of the image stands there with its version, and for programs too."""
        done = own.doit("inventory", CUSTOM)
        assert done.code == 0, done.err
        first, *lines = done.out.splitlines()
        assert re.fullmatch(
            rf"{own.repository}:{CUSTOM}  Alpine 3\.\d+\.\d+ · {len(lines)} packages", first
        ), first
        assert [line for line in lines if re.fullmatch(r"  apk     jq \d\S*", line)]
        found = json.loads(own.doit("inventory", "--json", CUSTOM).out)["images"]
        assert [each["image"] for each in found] == [f"{own.repository}:{CUSTOM}"]
        assert len(found[0]["packages"]) == len(lines)

    def test_sbom(self, own: Checkout) -> None:
        """There is a file for each image, valid by CycloneDX's schema, and a package in it has its URL."""
        done = own.doit("sbom", "--output", "bills")
        assert done.code == 0, done.err
        assert done.out.splitlines() == ["bills/bash.cdx.json", f"bills/{CUSTOM}.cdx.json"]
        for line in done.out.splitlines():
            text = (own.folder / line).read_text()
            assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
        urls = [each.get("purl", "") for each in json.loads(text)["components"]]
        assert [url for url in urls if re.fullmatch(r"pkg:apk/alpine/jq@\S+\?distro=alpine-3\.\d+\.\d+", url)]

    @pytest.mark.parametrize("command", ["verify", "inventory", "sbom"])
    def test_no_such_image(self, own: Checkout, command: str) -> None:
        """A name that is none is told with those that are there."""
        done = own.doit(command, "nothing")
        assert (done.code, done.out) == (3, "")
        assert done.err == (f"ERROR: {own.repository}:nothing: no such image (there are bash, {CUSTOM})\n")

    @pytest.mark.parametrize("command", ["verify", "inventory", "sbom"])
    def test_no_image_at_all(self, tmp_path: Path, command: str) -> None:
        """Where nothing is built it says how to build."""
        done = new_checkout(tmp_path / "new", f"isol8test{secrets.token_hex(4)}").doit(command)
        assert (done.code, done.err) == (1, "ERROR: there is no image yet; ./doitw up builds them\n")
