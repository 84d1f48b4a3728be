"""Filters that run in a container, what is asked of them, and what they wrote down."""

import json
from collections.abc import Callable, Mapping
from subprocess import CompletedProcess
from time import monotonic, sleep

from attrs import frozen

Execute = Callable[..., CompletedProcess[str]]
PATIENCE = 30
BATCH = 60


@frozen(kw_only=True)
class Answer:
    """What a request came to."""

    text: str
    dials: tuple[tuple[str, int], ...]
    """Every address and port that was connected to, as the servers saw it."""

    @property
    def status(self) -> int:
        """The status of the first response; 0 if there was none."""
        words = self.text.split(" ", 2)
        return int(words[1]) if words[0] == "HTTP/1.1" else 0

    @property
    def body(self) -> str:
        """What follows the first head."""
        return self.text.partition("\r\n\r\n")[2]


class Filter:
    """A running filter."""

    def __init__(self, execute: Execute, *, container: str, world: str, port: int, pid: int) -> None:
        self.execute = execute
        self.container = container
        self.world = world
        self.port = port
        self.pid = pid
        self._read = 0

    def ask(self, requests: list[str]) -> list[Answer]:
        """Send requests one after the other, each on a connection of its own."""
        answers = []
        for start in range(0, len(requests), BATCH):
            batch = json.dumps(requests[start : start + BATCH])
            done = self.execute(self.world, "python3", "/world/client.py", str(self.port), batch)
            assert done.returncode == 0, done.stderr
            answers += [
                Answer(text=text, dials=tuple((address, port) for address, port in dials))
                for text, dials in json.loads(done.stdout)
            ]
        return answers

    def log(self, lines: int) -> list[dict[str, object]]:
        """Return that many lines that were not read before, once they are there."""
        deadline = monotonic() + PATIENCE
        while True:
            told = self.execute(self.container, "tail", "-n", f"+{self._read + 1}", _log(self.port)).stdout
            if told.count("\n") >= lines:
                break
            assert monotonic() < deadline, f"{lines} lines were expected:\n{told}"
            sleep(0.05)
        found = [json.loads(line) for line in told.splitlines()]
        assert len(found) == lines, told
        self._read += lines
        return found

    def events(self) -> list[dict[str, object]]:
        """Return what it wrote down when it started."""
        told = self.execute(self.container, "cat", _log(self.port)).stdout.splitlines()
        found = [line for line in map(json.loads, told) if "event" in line]
        self._read = max(self._read, len(found))
        return found

    def failures(self) -> list[str]:
        """Return the lines that it wrote down of errors of its own."""
        return self.execute(self.container, "grep", '"rule":"error', _log(self.port)).stdout.splitlines()

    def stop(self, signal: str = "TERM") -> None:
        """Send it a signal."""
        self.execute(self.container, "kill", f"-{signal}", str(self.pid))

    def wait_for_end(self) -> None:
        """Return once it has ended."""
        deadline = monotonic() + PATIENCE
        while self.is_running():
            assert monotonic() < deadline, "it does not end"
            sleep(0.05)

    def is_running(self) -> bool:
        """Tell whether it is still there."""
        return self.execute(self.container, "kill", "-0", str(self.pid)).returncode == 0

    def kilobytes(self, which: str = "VmRSS") -> int:
        """Return how much memory it uses, or has used at most (VmHWM)."""
        status = self.execute(self.container, "cat", f"/proc/{self.pid}/status").stdout
        return int(status.partition(f"{which}:")[2].split()[0])


class Filters:
    """Starts filters in one container, each on a port of its own."""

    def __init__(self, execute: Execute, *, container: str, world: str, first_port: int) -> None:
        self.execute = execute
        self.container = container
        self.world = world
        self._next = first_port
        self._made: dict[str, Filter] = {}

    def start(
        self, environment: Mapping[str, str], *, has_log: bool = True, host: str = "127.0.0.1"
    ) -> Filter:
        """Start a filter by its launcher, and return once it listens; its log can be read if it has one."""
        port = self._next
        self._next += 1
        settings = {"ISOL8_PROXY_PORT": str(port), "ISOL8_PROXY_LOG": _log(port), **environment}
        script = f"""
isol8-proxy > /tmp/{port}.out 2>&1 &
timeout {PATIENCE} sh -c 'until nc -z {host} {port}; do sleep 0.02; done' || cat /tmp/{port}.out >&2
echo $!
"""
        done = self.execute(self.container, "sh", "-c", script, environment=settings)
        assert not done.stderr, done.stderr
        started = Filter(
            self.execute, container=self.container, world=self.world, port=port, pid=int(done.stdout)
        )
        if has_log:
            started.events()
        return started

    def shared(self, environment: Mapping[str, str]) -> Filter:
        """Return a filter with this environment, started unless there is one."""
        key = json.dumps(sorted(environment.items()))
        if key not in self._made:
            self._made[key] = self.start(environment)
        return self._made[key]

    def refusals(self, settings: list[str]) -> list[str]:
        """Start a filter with each of these `NAME=value`, and return its status and all that it says."""
        script = """
for setting; do
    env "$setting" timeout 10 isol8-proxy > /tmp/out 2> /tmp/err
    echo "$? $(wc -c < /tmp/out) $(cat /tmp/err)"
done
"""
        environment = {"ISOL8_PROXY_PORT": "8099"}
        done = self.execute(self.container, "sh", "-c", script, "sh", *settings, environment=environment)
        return done.stdout.splitlines()


def _log(port: int) -> str:
    return f"/tmp/{port}.log"
