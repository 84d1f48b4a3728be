"""What isol8:deno-custom has cached, in containers as clients start them: with a DENO_DIR of their own on a tmpfs.

After buildHostConfig and buildEnv of isol8 v0.1.0 (src/engine/docker.ts) and HEAD (packages/core/src/engine).
"""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from subprocess import CompletedProcess

import docker
import pytest
from attrs import frozen

from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.plan.rendering import render_custom
from tests.executed import read
from tests.integration.checkouts import Checkout

MODULES = ("npm:is-number", "npm:is-odd")
RUN = (
    "deno",
    "run",
    "--allow-read=/sandbox,/tmp",
    "--allow-write=/sandbox,/tmp",
    "--allow-env",
    "--allow-net",
    "/sandbox/main.mts",
)
ENVIRONMENT = {
    "DENO_DIR": "/sandbox/.deno",
    "PATH": "/sandbox/.local/bin:/sandbox/.npm-global/bin:/sandbox/.bun-global/bin:/usr/local/bin:/usr/bin:/bin",
    "NODE_PATH": "/usr/local/lib/node_modules:/sandbox/.npm-global/lib/node_modules:/sandbox/node_modules",
}
BOTH = 'import number from "npm:is-number"; import odd from "npm:is-odd"; console.log(number(4), odd(4));'
SERVED = """\
FROM {base}
RUN printf 'export {{ y }} from "./y.ts";' >/tmp/mod.ts && printf 'export const y: number = 42;' >/tmp/y.ts
RUN printf '%s' 'const headers = {{ "content-type": "text/typescript" }}; \
    Deno.serve({{ port: 8000 }}, async (asked) => \
    new Response(await Deno.readTextFile("/tmp" + new URL(asked.url).pathname), {{ headers }}));' >/tmp/serve.js
RUN (deno run --allow-all /tmp/serve.js & \
    for i in $(seq 50); do deno cache --allow-import http://127.0.0.1:8000/mod.ts && break; sleep 0.1; done; kill $!)
"""
"""An image with modules in its cache that were fetched from a server, which is gone."""
BAKED = "find /deno-dir -type f -exec sha256sum {} + | sort | sha256sum"


@frozen
class Generation:
    """How clients of one generation run Deno."""

    user: str
    mount: str
    """The options of the tmpfs on /sandbox, apart from its size."""


GENERATIONS = {
    "v0.1.0": Generation("root", "rw,exec,nosuid,nodev"),
    "HEAD": Generation("sandbox", "rw,exec,nosuid,nodev,uid=100,gid=101"),
}


class Client:
    """A container as a client starts it, and what it executes there."""

    def __init__(self, api: docker.APIClient, generation: Generation, container: str) -> None:
        self.api, self.generation, self.container = api, generation, container

    def __call__(
        self, *command: str, code: str = "", user: str = "", deno_dir: str = "/sandbox/.deno"
    ) -> CompletedProcess[str]:
        """Write the code to its file, and run a command."""
        script = 'printf "%s\\n" "$CODE" >/sandbox/main.mts; exec "$@"' if code else 'exec "$@"'
        made = self.api.exec_create(
            self.container,
            ["sh", "-c", script, "sh", *command],
            environment={**ENVIRONMENT, "NO_COLOR": "1", "CODE": code, "DENO_DIR": deno_dir},
            user=user or self.generation.user,
            workdir="/sandbox",
        )
        out, err = read(self.api, made)
        status = self.api.exec_inspect(made["Id"])["ExitCode"]
        return CompletedProcess(command, status, out, err)

    def print(self, script: str, **more: str) -> str:
        """Return what a script of the shell prints."""
        done = self("sh", "-c", script, **more)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


Start = Callable[..., Client]


@pytest.fixture(scope="module")
def image(base_images: Mapping[str, str], build_image: Callable[..., str]) -> str:
    """Give a custom image of two modules, of which one needs another version of the other."""
    return build_image("deno-baked", render_custom(RUNTIMES["deno"], base_images["deno"], MODULES))


@pytest.fixture
def start(docker_api: docker.APIClient, image: str) -> Iterator[Start]:
    """Give what starts a container as clients of a generation do, removed at the end."""
    containers = []

    def started(name: str, network: str = "none", of: str = image, size: str = "512m") -> Client:
        generation = GENERATIONS[name]
        host = docker_api.create_host_config(
            read_only=True,
            tmpfs={
                "/tmp": "rw,noexec,nosuid,nodev,size=256m",
                "/sandbox": f"{generation.mount},size={size}",
            },
            security_opt=["no-new-privileges"],
            mem_limit="512m",
            nano_cpus=1_000_000_000,
            pids_limit=64,
            network_mode=network,
        )
        made = docker_api.create_container(
            of,
            ["sleep", "infinity"],
            host_config=host,
            environment=ENVIRONMENT,
            labels={"org.isol8.tasks.test": "1"},
        )
        containers.append(made["Id"])
        docker_api.start(made["Id"])
        return Client(docker_api, generation, made["Id"])

    yield started
    for container in containers:
        with contextlib.suppress(docker.errors.NotFound):
            docker_api.remove_container(container, force=True)


@pytest.mark.parametrize("generation", GENERATIONS)
class TestWithoutANetwork:
    """The default of every client."""

    @pytest.mark.parametrize("module", MODULES)
    def test_a_module_is_found(self, start: Start, generation: str, module: str) -> None:
        """Code that imports one of them runs, by the client's own command line."""
        done = start(generation)(*RUN, code=f'import is from "{module}"; console.log(is(3));')
        assert (done.stdout, done.returncode) == ("true\n", 0), done.stderr

    def test_both_together_take_no_room(self, start: Start, generation: str) -> None:
        """One program has both, and neither of them was copied."""
        client = start(generation)
        done = client(*RUN, code=BOTH)
        assert (done.stdout, done.returncode) == ("true false\n", 0), done.stderr
        assert client.print("readlink .deno/npm") == "/deno-dir/npm"

    def test_code_by_other_ways(self, start: Start, generation: str) -> None:
        """So has code from standard input, and from the command line."""
        client = start(generation)
        assert client.print('printf "%s" "$CODE" | deno run -', code=BOTH) == "true false"
        assert client.print('deno eval "$CODE"', code=BOTH) == "true false"

    def test_a_package_reads_its_own_files(self, start: Start, generation: str) -> None:
        """Who may read /sandbox may read what is cached, and nothing else; the program's own words stay as they are."""
        code = """
        import "npm:is-number";
        const home = new URL(".", import.meta.resolve("npm:is-number"));
        console.log(JSON.parse(Deno.readTextFileSync(new URL("package.json", home))).name, ...Deno.args);
        try { Deno.readTextFileSync("/etc/passwd"); } catch (error) { console.log(error.name); }
        """
        words = "--allow-read=/sandbox"
        done = start(generation)(*RUN, words, code=code)
        assert done.stdout.splitlines() == [f"is-number {words}", "NotCapable"], done.stderr
        less = [each for each in RUN if "read" not in each]
        done = start(generation)(*less, code=code)
        assert "NotCapable" in done.stderr

    def test_another_folder(self, start: Start, generation: str) -> None:
        """A DENO_DIR that somebody chooses is served too."""
        client = start(generation)
        for chosen in ("/sandbox/other/", "./relative"):
            done = client(*RUN, code=BOTH, deno_dir=chosen)
            assert done.stdout == "true false\n", done.stderr

    def test_modules_by_their_url(
        self, start: Start, build_image: Callable[..., str], base_images: Mapping[str, str], generation: str
    ) -> None:
        """A module that was fetched from a server is there with what it imports, and new ones can join it."""
        serve = build_image("deno-remote", SERVED.format(base=base_images["deno"]))
        client = start(generation, of=serve)
        url = "http://127.0.0.1:8000"
        code = f'import {{ y }} from "{url}/mod.ts"; console.log(y);'
        done = client(*RUN[:-1], "--allow-import", RUN[-1], code=code)
        assert (done.stdout, done.returncode) == ("42\n", 0), done.stderr


@pytest.mark.parametrize("generation", GENERATIONS)
class TestWithANetwork:
    """Where code can add what it lacks."""

    def test_new_modules_join(self, start: Start, generation: str) -> None:
        """A package that is new, and another version of one that is cached, and the image's cache stays as it is."""
        client = start(generation, "bridge")
        before = client.print(BAKED)
        code = (
            'import n from "npm:is-number@5"; import l from "npm:lodash"; console.log(n(4), l.sum([1, 2]));'
        )
        assert client(*RUN, code=BOTH).stdout == "true false\n"
        done = client(*RUN, code=code)
        assert (done.stdout, done.returncode) == ("true 3\n", 0), done.stderr
        assert client(*RUN, code=BOTH).stdout == "true false\n"
        assert client.print(BAKED) == before

    def test_starts_at_the_same_time(self, start: Start, generation: str) -> None:
        """Each of them finds everything, and nothing is left of how it came there."""
        client = start(generation, "bridge")
        client("true", code=BOTH)
        with ThreadPoolExecutor(6) as pool:
            done = list(pool.map(lambda _: client(*RUN), range(6)))
        assert [each.stdout for each in done] == ["true false\n"] * 6, done
        assert client.print("test ! -L .deno/npm; ls -d .deno/.seed .deno/npm/.seed 2>/dev/null; true") == ""

    def test_what_does_not_fit_is_linked(
        self, start: Start, build_image: Callable[..., str], image: str, generation: str
    ) -> None:
        """A cache that is larger than /sandbox is still found."""
        of = build_image("deno-large", f"FROM {image}\nRUN head -c 20000000 /dev/zero >/deno-dir/npm/large\n")
        client = start(generation, "bridge", of=of, size="10m")
        done = client(*RUN, code=BOTH)
        assert (done.stdout, done.returncode) == ("true false\n", 0), done.stderr
        assert client.print("readlink .deno/npm; du -sk .deno | cut -f 1").split()[0] == "/deno-dir/npm"


class TestWhoIsNotServed:
    """Where the launcher keeps its hands off."""

    def test_root_in_somebody_elses_folder(self, start: Start) -> None:
        """A link that the user planted leads root's start nowhere."""
        client = start("HEAD")
        client.print("mkdir /tmp/trap && chmod 700 /tmp/trap", user="root")
        client.print("ln -s /tmp/trap .deno")
        client("deno", "eval", "1", user="root")
        assert client.print("readlink /tmp/trap/npm; ls -A /tmp/trap/npm", user="root") == ""

    def test_the_filter_leaves_nothing(self, start: Start) -> None:
        """The network filter that root starts in the container does not take DENO_DIR away from the user."""
        client = start("HEAD", "bridge")
        client.print(
            "isol8-proxy >/dev/null 2>&1 & for i in $(seq 100); do nc -z 127.0.0.1 8118 && break; sleep 0.1; done",
            user="root",
        )
        assert client.print("ls -A /sandbox") == ""
        assert client(*RUN, code=BOTH).stdout == "true false\n"

    def test_an_image_without_a_cache(self, start: Start, base_images: Mapping[str, str]) -> None:
        """Nothing is made beforehand, and the image's own DENO_DIR is used as it is."""
        client = start("HEAD", of=base_images["deno"])
        client.print("deno --version")
        assert client.print("ls -A /sandbox") == ""

    def test_the_images_own_folder(self, start: Start) -> None:
        """With the DENO_DIR of the image everything is already there."""
        client = start("HEAD")
        done = client(*RUN, code=BOTH, deno_dir="/deno-dir")
        assert done.stdout == "true false\n"
        assert client.print("ls -A /sandbox") == "main.mts"


@pytest.mark.thorough
def test_two_modules_of_different_versions_pass_verification(checkout: Checkout) -> None:
    """They are built, up to date with their registry, and built again by a lock of theirs."""
    checkout.deps(f"deno = {json.dumps(MODULES)}")
    assert checkout.built() == {*RUNTIMES, "deno-custom"}
    assert checkout.doit("freshness", "--only", "deno").code == 0
    done = checkout.doit("lock")
    assert done.code == 0, done.err
    assert checkout.built("setup", "--locked", "--force", "--only", "deno") == {"deno", "deno-custom"}
    assert checkout.doit("freshness", "--only", "deno").code == 0
