"""Packages that the Dockerfile takes from Alpine's repository do what it takes them for, in a stand-in too."""

from collections.abc import Callable

import docker

from isol8_tasks.engine import FileContent

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
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /dial .
FROM alpine:3.21
COPY --from=build /dial /usr/local/bin/dial
"""


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
    """A program that listens, dials and reads JSON is built in one stage and runs in another."""
    sources = {"go.mod": FileContent(data=b"module dial\n\ngo 1.23\n"), "main.go": FileContent(data=DIAL)}
    image = build_image("go", GO, sources)
    assert output_of(docker_api, image, "dial") == "<nil> true true true\n"
