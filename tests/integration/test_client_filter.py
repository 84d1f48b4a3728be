"""The filter, started and read as the clients of every generation do it."""

import json
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import docker
import pytest

from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.verify.clients import (
    FILTER_PORT,
    FILTER_READY,
    FILTER_SECONDS,
    GENERATIONS,
    KEPT_ALIVE,
    MEMORY,
    NANO_CPUS,
    PIDS,
    PROXY_VARIABLES,
    SANDBOX_FOLDER,
    SECURITY,
    Generation,
)
from tests.executed import read
from tests.integration.conftest import LABEL

LISTS = {"ISOL8_WHITELIST": json.dumps(["^[0-9.]+$"]), "ISOL8_BLACKLIST": json.dumps(["^192[.]168[.]9[.]"])}
REQUESTS = 10
SERVER = """
import http.server, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/hang":
            time.sleep(60)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("", 80), Handler).serve_forever()
"""
ASK = """
for i in $(seq {count}); do
    curl -s -m 10 -o /dev/null -w '%{{http_code}} ' http://{server}/page
    sleep 0.1
done
curl -s -m 10 -p -x $http_proxy -o /dev/null -w '%{{http_connect}} ' http://{server}:80/
curl -s -m 10 -o /dev/null -w '%{{http_code}}' http://192.168.9.9/secret
"""
CROWD = """
import os, socket, time
children = []
try:
    while True:
        child = os.fork()
        if child == 0:
            time.sleep(8)
            os._exit(0)
        children.append(child)
except OSError:
    pass
links = [socket.create_connection(("127.0.0.1", 8118)) for _ in range(200)]
for link in links:
    link.sendall(b"GET http://{server}/ HTTP/1.1\\r\\nHost: {server}\\r\\n\\r\\n")
for link in links:
    link.settimeout(8)
    link.recv(100)
"""
HUNG = """
import socket, time
links = [socket.create_connection(("127.0.0.1", 8118)) for _ in range(512)]
for link in links:
    link.sendall(b"GET http://{server}/hang HTTP/1.1\\r\\nHost: {server}\\r\\n\\r\\n")
time.sleep(1)
"""
NEWEST = GENERATIONS[-1]
IMAGES = [
    *((each, "node") for each in GENERATIONS if each.filter.command.startswith("node ")),
    *((each, "bash") for each in GENERATIONS[:-1] if each.filter.command.startswith("bash ")),
    *((NEWEST, runtime) for runtime in RUNTIMES),
]


class Sandbox:
    """A container in filtered mode as a generation makes it."""

    def __init__(self, api: docker.APIClient, generation: Generation, image: str, nets: str) -> None:
        self.api = api
        self.generation = generation
        # No client can say which internal networks may be reached; `[filter]` puts that into the image.
        environment = {"ISOL8_ALLOW_NETS": nets, **generation.environment, **LISTS}
        environment |= dict.fromkeys(PROXY_VARIABLES, f"http://127.0.0.1:{FILTER_PORT}")
        profile = {
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [
                {"names": sorted(generation.denied_system_calls), "action": "SCMP_ACT_ERRNO", "args": []}
            ],
        }
        host = api.create_host_config(
            **cast("dict[str, Any]", {"network_mode": "bridge", "read_only": True, "pids_limit": PIDS}),
            tmpfs=dict(generation.tmpfs),
            mem_limit=MEMORY,
            nano_cpus=NANO_CPUS,
            cap_add=list(generation.filter.capabilities),
            security_opt=[
                *SECURITY,
                *([f"seccomp={json.dumps(profile)}"] if generation.denied_system_calls else []),
            ],
        )
        made = api.create_container(
            image,
            list(KEPT_ALIVE),
            host_config=host,
            working_dir=SANDBOX_FOLDER,
            environment=environment,
            labels=LABEL,
        )
        self.id = str(made["Id"])
        api.start(self.id)

    def start_filter(self) -> None:
        """Start the filter and wait for it, as clients do it; nobody reads what it says."""
        lists = " ".join(f"{name}={shlex.quote(text)}" for name, text in LISTS.items())
        self.detached("sh", "-c", f"{lists} {self.generation.filter.command} &")
        deadline = time.monotonic() + FILTER_SECONDS
        while self.detached(*FILTER_READY):
            assert time.monotonic() < deadline, "Proxy failed to start within timeout"
            time.sleep(0.1)
        if self.generation.filter.rules:
            assert self.detached("sh", "-c", " && ".join(self.generation.filter.rules)) == 0

    def detached(self, *command: str) -> int:
        """Run a command as the image's own user with nothing attached; return its exit code."""
        made = self.api.exec_create(self.id, list(command), stdout=False, stderr=False)
        self.api.exec_start(made["Id"], detach=True)
        while (found := self.api.exec_inspect(made["Id"]))["Running"]:
            time.sleep(0.05)
        return int(found["ExitCode"])

    def run(self, script: str, *, user: str | None = None) -> str:
        """Run a script as code in the sandbox is run, and return what it prints."""
        user = self.generation.user if user is None else user
        made = self.api.exec_create(self.id, ["sh", "-c", script], user=user, workdir=SANDBOX_FOLDER)
        return "".join(read(self.api, made))


@pytest.fixture(scope="module")
def server(docker_api: docker.APIClient, base_images: Mapping[str, str]) -> Iterator[str]:
    """Give the address of a web server beside the sandboxes."""
    made = docker_api.create_container(
        base_images["python"], ["python3", "-c", SERVER], user="root", labels=LABEL
    )
    docker_api.start(made["Id"])
    found = docker_api.inspect_container(made["Id"])["NetworkSettings"]
    yield str(found["IPAddress"] or found["Networks"]["bridge"]["IPAddress"])
    docker_api.remove_container(made["Id"], force=True)


@pytest.fixture
def open_sandbox(
    docker_api: docker.APIClient, base_images: Mapping[str, str], server: str
) -> Iterator[Callable[..., Sandbox]]:
    """Give `open_sandbox(generation, runtime)`: a container whose filter may reach the server."""
    opened: list[Sandbox] = []

    def start(generation: Generation, runtime: str) -> Sandbox:
        opened.append(Sandbox(docker_api, generation, base_images[runtime], f"{server}/32"))
        return opened[-1]

    yield start
    for sandbox in opened:
        docker_api.remove_container(sandbox.id, force=True)


@pytest.mark.thorough(every=5)
@pytest.mark.parametrize(
    ("generation", "runtime"), IMAGES, ids=[f"{each.releases[0]}-{runtime}" for each, runtime in IMAGES]
)
def test_requests_go_through(
    open_sandbox: Callable[..., Sandbox], server: str, generation: Generation, runtime: str
) -> None:
    """Ten requests and a tunnel pass although nobody reads the log, a refused one gets 403, nothing goes around it."""
    sandbox = open_sandbox(generation, runtime)
    sandbox.start_filter()
    told = sandbox.run(ASK.format(count=REQUESTS, server=server)).split()
    assert told == ["200"] * REQUESTS + ["200", "403"]
    direct = f"curl -s -m 2 --noproxy '*' -o /dev/null -w '%{{http_code}}' http://{server}/"
    # Up to v0.8.0, nothing but the variables leads code to the filter.
    assert sandbox.run(direct) == ("000" if generation.filter.rules else "200")


@pytest.mark.thorough(every=3)
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_files_that_clients_read(open_sandbox: Callable[..., Sandbox], server: str, runtime: str) -> None:
    """After a run, the two files hold what v0.10.0 and later make of them, also for the first line."""
    sandbox = open_sandbox(NEWEST, runtime)
    sandbox.start_filter()
    sandbox.run(ASK.format(count=1, server=server))
    network, events = _network(sandbox), _events(sandbox)
    assert [(line["method"], line["host"], line["path"], line["action"]) for line in network] == [
        ("GET", server, "/page", "ALLOW"),
        ("CONNECT", server, None, "ALLOW"),
        ("GET", "192.168.9.9", "/secret", "BLOCK"),
    ]
    assert all(
        set(line) == {"timestamp", "method", "host", "path", "action", "durationMs"} for line in network
    )
    assert all(isinstance(line["durationMs"], int) for line in network)
    assert [(line["type"], line["details"]) for line in events] == [
        (
            "network_blocked",
            {"method": "GET", "host": "192.168.9.9", "reason": "blacklist: ^192[.]168[.]9[.]"},
        )
    ]


def test_a_second_start_leaves_the_first_alone(open_sandbox: Callable[..., Sandbox], server: str) -> None:
    """Clients start the filter before every run, also where one is: it ends by itself, and nothing is lost."""
    sandbox = open_sandbox(NEWEST, "python")
    sandbox.start_filter()
    sandbox.run(ASK.format(count=1, server=server))
    sandbox.detached("sh", "-c", NEWEST.pool_clean)
    sandbox.start_filter()
    told = sandbox.run(ASK.format(count=1, server=server)).split()
    assert told == ["200", "200", "403"]
    assert len(_network(sandbox)) == 2 * len(told)
    processes = sandbox.run("ps -o comm", user="root").split()
    assert processes.count("isol8-proxy") == 1


def test_nothing_leaves_between_two_runs(open_sandbox: Callable[..., Sandbox], server: str) -> None:
    """What survives the clients' cleaning, which removes their rules, still reaches nothing, by IPv6 neither."""
    sandbox = open_sandbox(NEWEST, "bash")
    sandbox.start_filter()
    sandbox.detached("sh", "-c", NEWEST.pool_clean)
    assert "DROP" not in sandbox.run("/usr/sbin/iptables -S OUTPUT", user="root")
    direct = f"curl -s -m 2 --noproxy '*' -o /dev/null -w '%{{http_code}}' http://{server}/"
    assert sandbox.run(direct) == "000"
    for tables in ("iptables", "ip6tables"):
        rules = sandbox.run(f"/usr/sbin/{tables} -t mangle -S OUTPUT", user="root")
        assert rules.count("--uid-owner 100 -j DROP") == 1, rules


@pytest.mark.thorough
def test_code_that_uses_up_all_tasks_does_not_end_it(
    open_sandbox: Callable[..., Sandbox], server: str
) -> None:
    """With no task left and many connections at once, it goes on, and answers as soon as it can."""
    sandbox = _after(open_sandbox, CROWD, server)
    assert sandbox.run("ps -o comm", user="root").split().count("isol8-proxy") == 1


def test_clients_that_went_away_make_room(open_sandbox: Callable[..., Sandbox], server: str) -> None:
    """As many requests as it takes, to a server that does not answer, keep nobody out when their client is gone."""
    _after(open_sandbox, HUNG, server)


def test_what_code_puts_there_is_not_followed(open_sandbox: Callable[..., Sandbox]) -> None:
    """A folder or link that code made where the files are kept is not written to, and the filter works all the same."""
    sandbox = open_sandbox(NEWEST, "bash")
    sandbox.run("mkdir /tmp/isol8-proxy; ln -s /sandbox/target /tmp/isol8-proxy/network.jsonl")
    sandbox.start_filter()
    assert sandbox.run("curl -s -o /dev/null -w '%{http_code}' http://192.168.9.9/") == "403"
    assert sandbox.run("ls /sandbox") == ""


def _after(open_sandbox: Callable[..., Sandbox], program: str, server: str) -> Sandbox:
    """Run a program in a sandbox; its filter answers and refuses as before when that has ended."""
    sandbox = open_sandbox(NEWEST, "python")
    sandbox.start_filter()
    text = shlex.quote(program.format(server=server))
    sandbox.run(f"echo {text} > /sandbox/program.py; timeout 20 python3 /sandbox/program.py")
    told = sandbox.run(ASK.format(count=1, server=server)).split()
    assert told == ["200", "200", "403"]
    return sandbox


def _framed(text: str, size: int | None = None) -> str:
    """Return text as a client has it that reads the engine's stream as it comes: behind a header of 8 bytes."""
    size = len(text) if size is None else size
    return (b"\x01\0\0\0" + size.to_bytes(4, "big")).decode("latin-1") + text


def _network(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Read network.jsonl as engine/docker.ts:389@v0.20.0 does: each line from its first brace to its last.

    Whatever its size is: a byte of the header may be a brace.
    """
    text = sandbox.run("cat /tmp/isol8-proxy/network.jsonl", user="root")
    found = []
    for size in (len(text), *b"{}\n"):
        lines = [line for line in _framed(text, size).split("\n") if "timestamp" in line]
        found.append([json.loads(line[line.index("{") : line.rindex("}") + 1]) for line in lines])
    assert all(each == found[0] for each in found)
    return found[0]


def _events(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Read security-events.jsonl as engine/docker.ts:340@v0.20.0 does: what does not parse is no event."""
    text = _framed(sandbox.run("cat /tmp/isol8-proxy/security-events.jsonl", user="root"))
    events = []
    for line in text.split("\n"):
        try:
            events.append(json.loads(line))
        except ValueError:
            continue
    return events
