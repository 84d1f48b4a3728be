"""Run by test_lab.py in network and mount namespaces of its own, with nothing in them: what a lab leaves there.

Usage: lab_alone.py CHECKOUT. Prints JSON. There is an outside to reach, a web server in another network namespace, and
a Docker that isn't ours comes and goes, with its usual firewall rules.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import cast

import docker

import lab
from lab.images import answers
from lab.places import Places
from lab.tools import Tools

OUTSIDE = "198.51.100.2"
SERVER = (
    f"import http.server as h; h.HTTPServer(('{OUTSIDE}', 8000), h.SimpleHTTPRequestHandler).serve_forever()"
)
FOREIGN = Path("/run/foreign")


class Alone:
    """A machine with nothing but an outside."""

    def __init__(self, checkout: Path) -> None:
        self.checkout = checkout
        self.places = Places.of(checkout, os.environ["ISOL8_LAB_CACHE"])
        self.tools = Tools(root=self.places.fetched / "programs")

    def ip(self, *words: str) -> str:
        """Call `ip`."""
        return self.tools.run("ip", *words)

    def look(self) -> dict[str, object]:
        """Return what the machine shows of itself."""
        links = json.loads(self.ip("-j", "link", "show"))
        rules = [
            line for line in self.tools.run("iptables-nft-save").splitlines() if not line.startswith("#")
        ]
        return {
            "links": sorted(link["ifname"] for link in links),
            "rules": [line.partition(" [")[0] for line in rules],
            "mounts": Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines(),
            "forwarding": Path("/proc/sys/net/ipv4/ip_forward").read_text(encoding="utf-8").strip(),
        }

    def make_outside(self) -> subprocess.Popen[bytes]:
        """Make another network namespace with a web server in it."""
        self.ip("link", "set", "lo", "up")
        server = subprocess.Popen(
            ["unshare", "--net", sys.executable, "-c", f"input(); {SERVER}"], stdin=subprocess.PIPE
        )
        namespace = Path(f"/proc/{server.pid}/ns/net")
        while namespace.readlink() == Path("/proc/self/ns/net").readlink():
            time.sleep(0.02)
        self.ip("link", "add", "up0", "type", "veth", "peer", "name", "up1", "netns", str(server.pid))
        self.ip("address", "add", "198.51.100.1/24", "dev", "up0")
        self.ip("link", "set", "up0", "up")
        inside = ["nsenter", f"--net={namespace}", self.tools.find("ip") or "ip"]
        subprocess.run([*inside, "address", "add", f"{OUTSIDE}/24", "dev", "up1"], check=True)
        subprocess.run([*inside, "link", "set", "up1", "up"], check=True)
        assert server.stdin
        server.stdin.write(b"\n")
        server.stdin.flush()
        return server

    def reaches_outside(self, host: str) -> bool:
        """Say whether a container of the engine at this address reaches the outside."""
        client = docker.DockerClient(base_url=host)
        try:
            command = ["wget", "-q", "-T", "5", "-O", "/dev/null", f"http://{OUTSIDE}:8000/"]
            client.containers.run("alpine:3.21", command, remove=True)
        except docker.errors.ContainerError:
            return False
        finally:
            client.close()
        return True

    def start_foreign(self) -> subprocess.Popen[bytes]:
        """Start a Docker as a distribution would: with rules of its own, and a policy that drops."""
        program = self.tools.find("dockerd") or "dockerd"
        tables = FOREIGN / "bin"
        tables.mkdir(parents=True)
        (tables / "iptables").symlink_to(self.tools.find("iptables-nft") or "iptables")
        (FOREIGN / "daemon.json").write_text("{}", encoding="utf-8")  # not the machine's own
        environment = {
            **self.tools.environment(program),
            "PATH": f"{tables}:{os.pathsep.join(self.tools.folders())}",
        }
        options = {"data-root": "data", "exec-root": "exec", "pidfile": "pid"}
        dockerd = subprocess.Popen(
            [
                *(
                    program,
                    f"--host=unix://{FOREIGN}/sock",
                    f"--config-file={FOREIGN}/daemon.json",
                    "--ip6tables=false",
                ),
                *(f"--{option}={FOREIGN / name}" for option, name in options.items()),
            ],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=(FOREIGN / "log").open("wb"),
        )
        while not answers(FOREIGN / "sock"):
            assert dockerd.poll() is None, (FOREIGN / "log").read_text(encoding="utf-8")
            time.sleep(0.05)
        return dockerd

    def stop(self, dockerd: subprocess.Popen[bytes]) -> None:
        """Stop the foreign Docker, whose rules and images stay, as they do."""
        dockerd.terminate()
        dockerd.wait()
        shutil.rmtree(FOREIGN / "bin")

    def give_image(self, host: str) -> None:
        """Copy the image from our engine to the foreign one."""
        ours, foreign = docker.DockerClient(base_url=self.places.host), docker.DockerClient(base_url=host)
        foreign.images.load(b"".join(ours.images.get("alpine:3.21").save(named=True)))
        ours.close()
        foreign.close()


def main() -> None:
    """Go through the life of a lab, and print what was seen."""
    alone = Alone(Path(sys.argv[1]))
    foreign_host = f"unix://{FOREIGN}/sock"
    server = alone.make_outside()
    seen: dict[str, object] = {"before": alone.look()}
    try:
        own_host = lab.up(alone.checkout, lambda _: None)
        seen["reached"] = alone.reaches_outside(own_host)
        lab.down(alone.checkout, lambda _: None)
        seen["after"] = alone.look()

        foreign = alone.start_foreign()
        seen["policy"] = ":FORWARD DROP" in cast("list[str]", alone.look()["rules"])
        lab.up(alone.checkout, lambda _: None)
        alone.give_image(foreign_host)
        seen["beside one that was there before"] = [
            alone.reaches_outside(host) for host in (own_host, foreign_host)
        ]
        alone.stop(foreign)
        foreign = alone.start_foreign()
        seen["beside one that came later"] = [
            alone.reaches_outside(host) for host in (own_host, foreign_host)
        ]
        lab.down(alone.checkout, lambda _: None)
        seen["the other after down"] = alone.reaches_outside(foreign_host)
        alone.stop(foreign)
    finally:
        lab.down(alone.checkout, lambda _: None)
        server.kill()
        server.wait()
    print(json.dumps(seen))  # noqa: T201 # what the test reads


if __name__ == "__main__":
    main()
