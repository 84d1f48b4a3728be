"""The base images, and custom images made by the documented commands, as isol8's clients use them."""

import base64
import io
import re
import tarfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import docker
import pytest

from isol8_tasks.errors import BuildFailedError

COMMANDS = {
    "python": ["python3"],
    "node": ["node"],
    "bun": ["bun"],
    "deno": ["deno"],
    "bash": ["bash"],
}
INDEX_ARGUMENTS = {
    "python": ["ARG PIP_INDEX_URL", "ARG PIP_EXTRA_INDEX_URL", "ARG PIP_TRUSTED_HOST"],
    "node": ["ARG NPM_CONFIG_REGISTRY"],
    "bun": ["ARG NPM_CONFIG_REGISTRY"],
    "deno": ["ARG NPM_CONFIG_REGISTRY"],
    "bash": None,
}
HELLO = {
    "python": ("main.py", "print(40 + 2)", "python3 main.py"),
    "node": ("main.js", "console.log(40 + 2)", "node main.js"),
    "bun": ("main.ts", "console.log((40 as number) + 2)", "bun run main.ts"),
    "deno": ("main.mts", "console.log((40 as number) + 2)", "deno run --allow-read=/sandbox,/tmp main.mts"),
    "bash": ("main.sh", "echo $((40 + 2))", "bash main.sh"),
}
INSTALL = {
    "python": "pip install --no-cache-dir numpy",
    "node": "npm install -g lodash",
    "bun": "bun install -g zod",
    "deno": "deno cache npm:is-number",
    "bash": "apk add --no-cache jq",
}
UPSTREAMS_OWN = (Path(__file__).parents[2] / "bench/upstream.Dockerfile").read_text()
FILTER_BYTES = 2_500_000
USES = [
    ("python", "main.py", "import numpy; print(numpy.arange(4).sum())", "python3 main.py", "6"),
    ("node", "main.cjs", 'console.log(require("lodash").sum([1, 5]))', "node main.cjs", "6"),
    (
        "node",
        "main.mjs",
        'import lodash from "lodash"; console.log(lodash.sum([1, 5]))',
        "node main.mjs",
        "6",
    ),
    ("bun", "main.ts", 'import { z } from "zod"; console.log(z.number().parse(6))', "bun run main.ts", "6"),
    (
        "deno",
        "main.mts",
        'import is from "npm:is-number"; console.log(is(6))',
        "deno run --cached-only main.mts",
        "true",
    ),
    ("bash", "main.sh", "jq -n 1+5", "bash main.sh", "6"),
]

MIRROR = r"""
import hashlib, http.server, io, json, tarfile, zipfile


def wheel():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("mirrored.py", "value = 6\n")
        info = "mirrored-1.0.dist-info"
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: mirrored\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return buffer.getvalue()


def package():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        manifest = {"name": "mirrored", "version": "1.0.0", "main": "index.js"}
        for name, data in [("package.json", json.dumps(manifest)), ("index.js", "module.exports = 6;\n")]:
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data.encode()))
    return buffer.getvalue()


PACKAGE = package()
WHEEL = "mirrored-1.0-py3-none-any.whl"
INSTALLER = '''set -eu
mkdir -p ~/.bun/bin
printf '#!/bin/sh\necho "%s"\n' "$# $*" > ~/.bun/bin/bun
chmod +x ~/.bun/bin/bun
'''


def archive():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("bun-linux-x64-musl-baseline/bun", "#!/bin/sh\necho of the archive\n")
    return buffer.getvalue()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        here = f"http://{self.headers['Host']}"
        digest = hashlib.sha1(PACKAGE).hexdigest()
        dist = {"tarball": f"{here}/mirrored/-/mirrored-1.0.0.tgz", "shasum": digest}
        versions = {"1.0.0": {"name": "mirrored", "version": "1.0.0", "main": "index.js", "dist": dist}}
        document = {"name": "mirrored", "dist-tags": {"latest": "1.0.0"}, "versions": versions}
        found = {
            "/bun.zip": archive(),
            "/install": INSTALLER.encode(),
            "/simple/mirrored/": f'<a href="/{WHEEL}">{WHEEL}</a>'.encode(),
            f"/{WHEEL}": wheel(),
            "/mirrored": json.dumps(document).encode(),
            "/mirrored/-/mirrored-1.0.0.tgz": PACKAGE,
        }.get(self.path)
        self.send_response(404 if found is None else 200)
        self.send_header("Content-Type", "text/html" if "simple" in self.path else "application/json")
        self.send_header("Content-Length", str(len(found or b"")))
        self.end_headers()
        self.wfile.write(found or b"")


http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def base_sandboxes(base_images: Mapping[str, str], start_sandbox: Callable[..., str]) -> Mapping[str, str]:
    """Give an idle container of each base image."""
    return {runtime: start_sandbox(image) for runtime, image in base_images.items()}


@pytest.fixture(scope="module")
def custom_sandboxes(
    base_images: Mapping[str, str], build_image: Callable[..., str], start_sandbox: Callable[..., str]
) -> Mapping[str, str]:
    """Give an idle container, without a network, of an image made by each runtime's documented command."""

    def start(runtime: str) -> str:
        dockerfile = f"FROM {base_images[runtime]}\nRUN {INSTALL[runtime]}\n"
        return start_sandbox(build_image(f"{runtime}-custom", dockerfile))

    with ThreadPoolExecutor() as pool:
        return dict(zip(INSTALL, pool.map(start, INSTALL), strict=True))


@pytest.fixture(scope="module")
def mirror(
    docker_api: docker.APIClient,
    base_images: Mapping[str, str],
    execute: Callable[..., CompletedProcess[str]],
) -> Iterator[str]:
    """Give the address of a small mirror of everything, in a container that builds can reach."""
    created = docker_api.create_container(
        base_images["python"], ["python3", "-c", MIRROR], labels={"org.isol8.tasks.test": "1"}
    )
    docker_api.start(created["Id"])
    address = docker_api.inspect_container(created["Id"])["NetworkSettings"]["Networks"]["bridge"][
        "IPAddress"
    ]
    up = execute(
        created["Id"],
        "sh",
        "-c",
        "for i in $(seq 50); do nc -z 127.0.0.1 8000 && exit; sleep 0.1; done; exit 1",
    )
    assert up.returncode == 0
    yield address
    docker_api.remove_container(created["Id"], force=True)


@pytest.mark.parametrize("runtime", COMMANDS)
class TestBaseImages:
    """What every base image promises."""

    def test_configuration(
        self, inspect_image: Callable[[str], Any], base_images: Mapping[str, str], runtime: str
    ) -> None:
        """Tini starts the runtime, in /sandbox, as root; only the index arguments wait for a custom image."""
        config = inspect_image(base_images[runtime])["Config"]
        assert config["Entrypoint"] == ["/sbin/tini", "--"]
        assert config["Cmd"] == COMMANDS[runtime]
        assert config["WorkingDir"] == "/sandbox"
        assert config["User"] == ""
        assert config["OnBuild"] == INDEX_ARGUMENTS[runtime]

    def test_the_default_command_starts_the_runtime(
        self, docker_api: docker.APIClient, base_images: Mapping[str, str], runtime: str
    ) -> None:
        """A container without a command runs, and ends well, once its input has ended."""
        created = docker_api.create_container(base_images[runtime], labels={"org.isol8.tasks.test": "1"})
        try:
            docker_api.start(created["Id"])
            assert docker_api.wait(created["Id"], timeout=30)["StatusCode"] == 0
        finally:
            docker_api.remove_container(created["Id"], force=True)

    def test_user_sandbox(
        self, base_sandboxes: Mapping[str, str], execute: Callable[..., CompletedProcess[str]], runtime: str
    ) -> None:
        """The user has the ids that clients mount /sandbox for, and lives there."""
        entry = "cut -d: -f1,3,4,6 /etc/passwd | grep sandbox"
        script = f"id; {entry}; stat -c '%u %g' /sandbox; pwd; cat /proc/1/comm"
        assert execute(base_sandboxes[runtime], "sh", "-c", script).stdout.splitlines() == [
            "uid=100(sandbox) gid=101(sandbox) groups=101(sandbox)",
            "sandbox:100:101:/sandbox",
            "100 101",
            "/sandbox",
            "tini",
        ]

    def test_runs_code(
        self, base_sandboxes: Mapping[str, str], execute: Callable[..., CompletedProcess[str]], runtime: str
    ) -> None:
        """A program in /sandbox runs as that user on a read-only root."""
        name, code, command = HELLO[runtime]
        done = _run(execute, base_sandboxes[runtime], name, code, command)
        assert (done.stdout, done.returncode) == ("42\n", 0), done.stderr

    def test_tools(
        self, base_sandboxes: Mapping[str, str], execute: Callable[..., CompletedProcess[str]], runtime: str
    ) -> None:
        """The filter, curl and certificates are there for the user; what a build leaves behind is not."""
        there = (
            "cd /usr/local/bin && test -x isol8-proxy -a -r proxy.sh -a -x /usr/sbin/iptables"
            " -a -s /etc/ssl/certs/ca-certificates.crt"
        )
        gone = "! ls /var/log/apk.log /etc/passwd- /etc/group- /etc/shadow- /var/cache/apk/* 2>/dev/null"
        done = execute(base_sandboxes[runtime], "sh", "-c", f"{there} && {gone} && curl --version")
        assert done.returncode == 0, done.stdout

    def test_day_of_the_build_is_in_no_file(
        self, base_sandboxes: Mapping[str, str], docker_api: docker.APIClient, runtime: str
    ) -> None:
        """The list of users has none for the user that is added, so that a rebuild on another day is the same."""
        chunks, _ = docker_api.get_archive(base_sandboxes[runtime], "/etc/shadow")
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
            file = archive.extractfile("shadow")
            assert file is not None
            (line,) = (each for each in file.read().decode().splitlines() if each.startswith("sandbox:"))
        assert line == "sandbox:!::0:99999:7:::"


class TestCustomImages:
    """What the documented commands install is there for user sandbox."""

    @pytest.mark.thorough(every=3)
    @pytest.mark.parametrize(
        ("runtime", "name", "code", "command", "printed"), USES, ids=[f"{use[0]} {use[1]}" for use in USES]
    )
    def test_packages_can_be_used(  # noqa: PLR0913  # one parameter for each column of the table
        self,
        custom_sandboxes: Mapping[str, str],
        execute: Callable[..., CompletedProcess[str]],
        *,
        runtime: str,
        name: str,
        code: str,
        command: str,
        printed: str,
    ) -> None:
        """A program in /sandbox finds them, with the network off."""
        done = _run(execute, custom_sandboxes[runtime], name, code, command)
        assert (done.stdout.strip(), done.returncode) == (printed, 0), done.stderr


class TestBuildArguments:
    """What a company mirrors or pins."""

    @pytest.mark.thorough(every=2)
    @pytest.mark.parametrize(
        ("version", "passed"), [("", "0 "), ("1.2.3", "1 bun-v1.2.3")], ids=["newest", "pinned"]
    )
    def test_bun(
        self,
        docker_api: docker.APIClient,
        build_stage: Callable[..., str],
        mirror: str,
        *,
        version: str,
        passed: str,
    ) -> None:
        """The install script comes from the URL given, and gets the version as the vendor's takes it."""
        args = {"BUN_INSTALL_URL": f"http://{mirror}:8000/install", "BUN_VERSION": version, "BUN_SHA256": ""}
        image = build_stage(f"bun-{version or 'newest'}", "bun", args)
        assert _output(docker_api, image, ["bun"]) == f"{passed}\n"

    def test_bun_of_an_archive(
        self, docker_api: docker.APIClient, build_stage: Callable[..., str], mirror: str
    ) -> None:
        """A version comes as an archive, and is Bun only if its program has the SHA-256 that is given."""
        args = {
            "BUN_ARCHIVE_URL": f"http://{mirror}:8000/bun.zip",
            "BUN_VERSION": "1.2.3",
            "BUN_INSTALL_URL": "",
        }
        with pytest.raises(BuildFailedError) as caught:
            build_stage("bun-other", "bun", args)
        said = "\n".join(caught.value.output)
        found = re.search(r"bun 1\.2\.3 has the SHA-256 ([0-9a-f]{64}), where BUN_SHA256 is", said)
        assert found is not None, said
        image = build_stage("bun-archive", "bun", {**args, "BUN_SHA256": found[1]})
        assert _output(docker_api, image, ["bun"]) == "of the archive\n"

    def test_a_failing_download_fails_the_build(self, build_stage: Callable[..., str], mirror: str) -> None:
        """A script that does not exist ends the build with curl's status, not with what comes of nothing."""
        args = {"BUN_INSTALL_URL": f"http://{mirror}:8000/nothing", "BUN_SHA256": ""}
        with pytest.raises(BuildFailedError, match="22"):
            build_stage("bun-missing", "bun", args)

    @pytest.mark.thorough(every=2)
    @pytest.mark.parametrize(
        ("target", "upstream"), [("base", "alpine:3.21"), ("deno", "denoland/deno:alpine")]
    )
    def test_apk_repository(
        self,
        docker_api: docker.APIClient,
        build_stage: Callable[..., str],
        target: str,
        upstream: str,
    ) -> None:
        """Repositories given as one argument take the place of the upstream image's."""
        shown = ["cat", "/etc/apk/repositories"]
        usual = _output(docker_api, upstream, shown, entrypoint=[]).split()
        args = {"APK_REPOSITORY": " ".join([*usual, usual[0]])}
        image = build_stage(f"{target}-apk", target, args)
        assert _output(docker_api, image, shown).splitlines() == [*usual, usual[0]]

    def test_upstream_images(
        self,
        docker_api: docker.APIClient,
        inspect_image: Callable[[str], Any],
        build_stage: Callable[..., str],
    ) -> None:
        """Both upstream images can come from elsewhere, and Alpine's version is an argument of its own."""
        docker_api.tag("alpine:3.21", "isol8test/mirror", "9.9")
        try:
            args = {
                "ALPINE_IMAGE": "isol8test/mirror",
                "ALPINE_VERSION": "9.9",
                "DENO_IMAGE": "isol8test/mirror:9.9",
            }
            for target in ("base", "deno"):
                image = build_stage(f"{target}-mirror", target, args)
                layers = inspect_image(image)["RootFS"]["Layers"]
                assert layers[0] == inspect_image("alpine:3.21")["RootFS"]["Layers"][0]
        finally:
            docker_api.remove_image("isol8test/mirror:9.9")

    @pytest.mark.thorough(every=3)
    @pytest.mark.parametrize(
        ("runtime", "install", "use"),
        [
            (
                "python",
                "pip install --no-cache-dir mirrored",
                ["python3", "-c", "import mirrored; print(mirrored.value)"],
            ),
            ("node", "npm install -g mirrored", ["node", "-p", 'require("mirrored")']),
            ("bun", "bun install -g mirrored", ["bun", "-e", 'console.log(require("mirrored"))']),
        ],
        ids=["python", "node", "bun"],
    )
    def test_package_index(  # noqa: PLR0913  # fixtures, and one parameter for each column of the table
        self,
        docker_api: docker.APIClient,
        base_images: Mapping[str, str],
        build_image: Callable[..., str],
        inspect_image: Callable[[str], Any],
        mirror: str,
        *,
        runtime: str,
        install: str,
        use: list[str],
    ) -> None:
        """An index given as a build argument serves the documented command, and leaves no variable."""
        args = {
            "PIP_INDEX_URL": f"http://{mirror}:8000/simple",
            "PIP_TRUSTED_HOST": mirror,
            "NPM_CONFIG_REGISTRY": f"http://{mirror}:8000/",
        }
        dockerfile = f"FROM {base_images[runtime]}\nRUN {install}\n"
        image = build_image(f"{runtime}-index", dockerfile, args=args)
        assert _output(docker_api, image, use) == "6\n"
        assert mirror not in "".join(inspect_image(image)["Config"]["Env"])

    def test_deno_caches_from_the_registry_given(
        self,
        docker_api: docker.APIClient,
        base_images: Mapping[str, str],
        build_image: Callable[..., str],
        mirror: str,
    ) -> None:
        """Deno files modules by registry, so whoever runs them names it again."""
        args = {"NPM_CONFIG_REGISTRY": f"http://{mirror}:8000/"}
        dockerfile = f"FROM {base_images['deno']}\nRUN deno cache npm:mirrored\n"
        image = build_image("deno-index", dockerfile, args=args)
        program = 'import value from "npm:mirrored"; console.log(value)'
        command = ["sh", "-c", f"echo '{program}' > main.mts && deno run --cached-only main.mts"]
        assert _output(docker_api, image, command, environment=args) == "6\n"

    def test_deno_sends_the_password_of_the_registry(
        self, docker_api: docker.APIClient, base_images: Mapping[str, str]
    ) -> None:
        """It comes to the registry, with and without a user, and no file with it stays."""
        server = (
            "Deno.serve({ port: 8000, onListen() {} }, (asked) => {"
            'console.log(new URL(asked.url).pathname, asked.headers.get("authorization"));'
            'return new Response("no", { status: 401 }); });'
        )
        asked = "".join(
            f"NPM_CONFIG_REGISTRY=http://{place} deno cache npm:mirrored >/dev/null 2>&1; "
            for place in (
                "me:p%40ss%2F%5Cx@127.0.0.1:8000/",
                "tok@127.0.0.1:8000",
                "127.0.0.1:8000/@scope/",
            )
        )
        serve = f"echo '{server}' > /tmp/serve.mjs; deno run -A /tmp/serve.mjs & sleep 1; "
        command = f"{serve}{asked}find / -xdev -name .npmrc"
        found = _output(docker_api, base_images["deno"], ["sh", "-c", command], environment={"NO_COLOR": "1"})
        assert set(found.splitlines()) == {
            f"/mirrored Basic {base64.b64encode(b'me:p@ss/' + bytes([92]) + b'x').decode()}",
            f"/mirrored Basic {base64.b64encode(b'tok:').decode()}",
            "/@scope/mirrored null",
        }


def _run(
    execute: Callable[..., CompletedProcess[str]], container: str, name: str, code: str, command: str
) -> CompletedProcess[str]:
    """Put a program into /sandbox, as clients do, and run it there."""
    return execute(
        container, "sh", "-c", f'printf "%s\\n" "$CODE" > {name} && {command}', environment={"CODE": code}
    )


@pytest.mark.thorough
def test_the_images_are_larger_than_upstreams_by_the_filter_alone(
    docker_api: docker.APIClient,
    base_images: Mapping[str, str],
    build_image: Callable[..., str],
    build_args: Mapping[str, str],
) -> None:
    """Each takes at most the filter more than what isol8's own Dockerfile installs on the same upstream images."""
    arguments = {name: build_args[name] for name in ("BUN_INSTALL_URL",) if name in build_args}

    def build(runtime: str) -> str:
        return build_image(f"upstream-{runtime}", UPSTREAMS_OWN, None, runtime, arguments)

    def size(image: str) -> int:
        return int(docker_api.inspect_image(image)["Size"])

    with ThreadPoolExecutor() as pool:
        theirs = dict(zip(base_images, map(size, pool.map(build, base_images)), strict=True))
    more = {runtime: size(image) - theirs[runtime] for runtime, image in base_images.items()}
    assert max(more.values()) <= FILTER_BYTES, more


def _output(
    api: docker.APIClient,
    image: str,
    command: list[str],
    *,
    entrypoint: list[str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run a command in a container of its own, without a network, and return what it wrote to stdout."""
    host = api.create_host_config(network_mode="none")
    created = api.create_container(
        image,
        command,
        host_config=host,
        entrypoint=entrypoint,
        environment=dict(environment or {}),
        labels={"org.isol8.tasks.test": "1"},
    )
    try:
        api.start(created["Id"])
        api.wait(created["Id"], timeout=30)
        return str(api.logs(created["Id"], stderr=False).decode())
    finally:
        api.remove_container(created["Id"], force=True)
