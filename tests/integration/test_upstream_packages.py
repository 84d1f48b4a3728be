"""Packages that the Dockerfile takes from Alpine's repository do what it takes them for, in a stand-in too."""

from collections.abc import Callable, Iterator

import docker
import pytest

from isol8_tasks.engine import FileContent
from tests.executed import read

DIAL = b"""\
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os/signal"
	"regexp"
	"runtime/debug"
	"syscall"
)

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	listener, problem := net.Listen("tcp", "127.0.0.1:0")
	go func() {
		connection, err := listener.Accept()
		problem = errors.Join(problem, err)
		fmt.Fprintln(connection, `{"said": "hello"}`)
		connection.Close()
	}()
	connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", listener.Addr().String())
	line, _ := bufio.NewReader(connection).ReadBytes('\\n')
	var answer struct{ Said string }
	json.Unmarshal(line, &answer)
	_, built := debug.ReadBuildInfo()
	private := netip.MustParseAddr("10.0.0.1").IsPrivate()
	fmt.Println(errors.Join(problem, err), regexp.MustCompile("^h.*o$").MatchString(answer.Said), private, built)
}
"""
GO = """\
FROM alpine:3.21 AS build
RUN apk add --no-cache go
WORKDIR /src
COPY go.mod main.go ./
RUN CGO_ENABLED=0 go build -v -trimpath -ldflags="-s -w" -o /dial . 2>/compiled
FROM alpine:3.21
COPY --from=build /dial /usr/local/bin/dial
COPY --from=build /compiled /
"""
RULES = (
    "-A OUTPUT -o lo -j ACCEPT",
    "-A OUTPUT -m state --state ESTABLISHED,RELATED -j ACCEPT",
    "-A OUTPUT -p tcp -d 127.0.0.1 --dport 8118 -m owner --uid-owner 100 -j ACCEPT",
    "-A OUTPUT -m owner --uid-owner 100 -j DROP",
)
"""What isol8's clients restrict user sandbox with."""

IPTABLES = "FROM alpine:3.21\nRUN apk add --no-cache iptables\n"


def output_of(api: docker.APIClient, image: str, *command: str) -> str:
    """Run a command in a container to its end and return what it printed."""
    container = api.create_container(image, list(command))
    try:
        api.start(container)
        api.wait(container)
        output: bytes = api.logs(container)
        return output.decode()
    finally:
        api.remove_container(container, force=True)


def test_go_builds_a_static_program(build_image: Callable[..., str], docker_api: docker.APIClient) -> None:
    """A program that listens, dials and reads JSON is built in one stage and runs in another.

    What such programs have in common is compiled already.
    """
    sources = {"go.mod": FileContent(data=b"module dial\n\ngo 1.23\n"), "main.go": FileContent(data=DIAL)}
    image = build_image("go", GO, sources)
    assert output_of(docker_api, image, "dial") == "<nil> true true true\n"
    compiled = set(output_of(docker_api, image, "cat", "/compiled").split())
    assert {"dial", "encoding/json"} <= compiled
    assert compiled.isdisjoint({"net", "os/signal", "runtime"})


def test_python_has_compiled_files(build_image: Callable[..., str], docker_api: docker.APIClient) -> None:
    """Those of its library and of pip are what Python would compile itself, so that none is written."""
    image = build_image("compiled", "FROM alpine:3.21\nRUN apk add --no-cache python3 py3-pip\n")
    said = output_of(docker_api, image, "sh", "-c", "python3 -v -m pip --version 2>&1 | grep -c '^# wrote '")
    assert said == "0\n"
    found = output_of(docker_api, image, "find", "/usr/lib/python3.13", "-name", "*.pyc")
    assert "/usr/lib/python3.13/site-packages/pip/_internal/__pycache__/main.cpython-313.pyc" in found.split()


@pytest.fixture
def start(docker_api: docker.APIClient) -> Iterator[Callable[..., str]]:
    """Give `start(image, command)`: the id of a container that may set rules, removed at the end."""
    containers: list[str] = []

    def run(image: str, command: str) -> str:
        host = docker_api.create_host_config(
            read_only=True, cap_add=["NET_ADMIN"], security_opt=["no-new-privileges"]
        )
        created = docker_api.create_container(image, ["sh", "-c", command], host_config=host)
        containers.append(str(created["Id"]))
        docker_api.start(created)
        return containers[-1]

    yield run
    for container in containers:
        docker_api.remove_container(container, force=True)


def test_iptables_keeps_one_user_from_the_network(
    build_image: Callable[..., str], docker_api: docker.APIClient, start: Callable[..., str]
) -> None:
    """The clients' rules are taken, and then user 100 reaches the filter's port alone, and root everything."""
    image = build_image("iptables", IPTABLES)
    server = start(image, "while :; do echo outside | nc -l -p 80; done")
    sandbox = start(image, "while :; do echo filter | nc -l -p 8118; done")
    address = docker_api.inspect_container(server)["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]

    def run(user: str, command: str) -> tuple[int, str]:
        made = docker_api.exec_create(sandbox, ["sh", "-c", command], user=user)
        output = "".join(read(docker_api, made))
        return docker_api.exec_inspect(made["Id"])["ExitCode"], output

    assert run("100", f"nc -w 3 {address} 80") == (0, "outside\n")
    assert run("0", " && ".join(f"/usr/sbin/iptables {rule}" for rule in RULES)) == (0, "")
    status, _ = run("100", f"nc -w 3 {address} 80")
    assert status != 0
    assert run("100", "nc -w 3 127.0.0.1 8118") == (0, "filter\n")
    assert run("0", f"nc -w 3 {address} 80") == (0, "outside\n")
    status, saved = run("0", "iptables-save && ip6tables -S")
    assert status == 0
    assert saved.count("--uid-owner 100") == 2
