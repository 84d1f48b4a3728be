"""Registries that tests push to: Debian's docker-registry on this machine, which can be stopped in the middle."""

import base64
import json
import os
import re
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest

from lab.engine import free_port
from lab.places import Places
from lab.tools import Tools
from tests.integration.checkouts import wait_for
from tests.integration.tokens import ISSUER, TokenServer

_ROOT = Path(__file__).parents[2]
_MANIFESTS = (
    "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"
)
_INDEX = "application/vnd.oci.image.index.v1+json"
PASSWORD = "secret"
_ESTABLISHED = "01"
"""How /proc/net/tcp writes the state of a connection that is open."""
_USERS = "me:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n"
"""As htpasswd writes it, for that password."""


class Registry:
    """A registry with a storage of its own, at an address that stays when it is started again."""

    def __init__(self, folder: Path, *, login: bool = False, tokens: TokenServer | None = None) -> None:
        tools = Tools(root=Places.of(_ROOT, os.environ.get("ISOL8_LAB_CACHE")).fetched / "programs")
        program = tools.find("docker-registry")
        if program is None:
            pytest.skip("there is no docker-registry here; the private engine of ./doitw up --lab brings one")
        self._program, self._environment = program, tools.environment(program)
        self._folder, self._login, self._tokens = folder, login, tokens
        self.address = f"127.0.0.1:{free_port()}"
        self._process: subprocess.Popen[bytes] | None = None
        self.deletes = False
        """Whether it deletes images, from its next start on."""
        folder.mkdir()
        (folder / "users").write_text(_USERS)

    @property
    def storage(self) -> Path:
        """Where it keeps its images."""
        return self._folder / "storage"

    @property
    def _configuration(self) -> Path:
        return self._folder / "registry.yml"

    @property
    def _log(self) -> Path:
        return self._folder / "log"

    def _configured(self) -> dict[str, object]:
        configured: dict[str, object] = {
            "version": 0.1,
            "log": {"level": "info", "accesslog": {"disabled": False}},
            "storage": {
                "filesystem": {"rootdirectory": str(self.storage)},
                "delete": {"enabled": self.deletes},
            },
            "http": {"addr": self.address},
        }
        if self._login:
            configured["auth"] = {"htpasswd": {"realm": "tests", "path": str(self._folder / "users")}}
        if self._tokens:
            configured["auth"] = {
                "token": {
                    "realm": self._tokens.realm,
                    "service": "registry",
                    "issuer": ISSUER,
                    "rootcertbundle": str(self._tokens.certificate),
                }
            }
        return configured

    def start(self) -> "Registry":
        """Start it, and wait until it answers."""
        self._configuration.write_text(json.dumps(self._configured()))
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "serve", str(self._configuration)],
                env={**os.environ, **self._environment},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        wait_for(self._answers)
        return self

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Let it keep its connections, and say nothing any more."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def is_kept_waiting(self) -> bool:
        """Tell whether a request came to it that it did not read: `freeze` lets it read none."""
        port = f":{int(self.address.rpartition(':')[2]):04X}"
        lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return any(
            line[1].endswith(port) and line[3] == _ESTABLISHED and line[4].partition(":")[2] != "00000000"
            for line in lines
        )

    def requests(self) -> list[str]:
        """Return the methods of all requests so far, but for those of the tests themselves."""
        return re.findall(r'"(\w+) /v2/[^"]*" \d+ \d+ "" "(?!Python-urllib)', self._log.read_text())

    def paths(self) -> list[str]:
        """Return the paths of all requests so far, but for those of the tests themselves."""
        return re.findall(r'"\w+ (/v2/[^" ]*)[^"]*" \d+ \d+ "" "(?!Python-urllib)', self._log.read_text())

    def sent(self) -> int:
        """Return how many bytes it sent to others than the tests themselves."""
        found = re.findall(r'"GET /v2/[^"]*" \d+ (\d+) "" "(?!Python-urllib)', self._log.read_text())
        return sum(map(int, found))

    def layers(self, repository: str, reference: str) -> dict[str, int]:
        """Return the size of each layer of an image by its digest."""
        _, manifest = self._ask(f"{repository}/manifests/{reference}")
        return {each["digest"]: each["size"] for each in json.loads(manifest)["layers"]}

    def uploading(self) -> bool:
        """Tell whether a part of a layer has come, and not all of it."""
        return any(file.stat().st_size for file in self.storage.glob("**/_uploads/*/data"))

    def tags(self, repository: str) -> dict[str, str]:
        """Return the digest of every tag of a repository."""
        names = json.loads(self._ask(f"{repository}/tags/list")[1])["tags"] or []
        return {name: self.digest(repository, name) for name in names}

    def digest(self, repository: str, reference: str) -> str:
        """Return the digest of a manifest, all of whose parts are required."""
        digest, manifest = self._ask(f"{repository}/manifests/{reference}")
        described = json.loads(manifest)
        for part in (described["config"], *described["layers"]):
            self._ask(f"{repository}/blobs/{part['digest']}", method="HEAD")
        return digest

    def image_labels(self, repository: str, reference: str) -> dict[str, str]:
        """Return the labels of an image."""
        _, manifest = self._ask(f"{repository}/manifests/{reference}")
        _, config = self._ask(f"{repository}/blobs/{json.loads(manifest)['config']['digest']}")
        labels: dict[str, str] = json.loads(config)["config"]["Labels"]
        return labels

    def index(self, repository: str, tag: str, platforms: Mapping[str, str]) -> None:
        """Let a tag lead to an image for each platform (`linux/arm64`), by the tags that these have."""
        manifests = []
        for platform, name in platforms.items():
            digest, manifest = self._ask(f"{repository}/manifests/{name}")
            system, _, processor = platform.partition("/")
            manifests.append(
                {
                    "mediaType": json.loads(manifest)["mediaType"],
                    "digest": digest,
                    "size": len(manifest),
                    "platform": {"os": system, "architecture": processor},
                }
            )
        content = json.dumps({"schemaVersion": 2, "mediaType": _INDEX, "manifests": manifests}).encode()
        address = f"http://{self.address}/v2/{repository}/manifests/{tag}"
        put = urllib.request.Request(address, content, {"Content-Type": _INDEX}, method="PUT")
        urllib.request.urlopen(put, timeout=30).close()  # noqa: S310 - an address of ours

    def indexed(self, repository: str, tag: str) -> dict[str, str]:
        """Return the digests of the images that an index has, by platform."""
        _, content = self._ask(f"{repository}/manifests/{tag}", accept=_INDEX)
        return {
            f"{each['platform']['os']}/{each['platform']['architecture']}": each["digest"]
            for each in json.loads(content)["manifests"]
        }

    def _ask(self, path: str, method: str = "GET", accept: str = _MANIFESTS) -> tuple[str, bytes]:
        request = urllib.request.Request(
            f"http://{self.address}/v2/{path}", headers={"Accept": accept}, method=method
        )
        if self._login:
            token = base64.b64encode(f"me:{PASSWORD}".encode()).decode()
            request.add_header("Authorization", f"Basic {token}")
        if self._tokens and path:
            request.add_header(
                "Authorization", f"Bearer {self._tokens.to_pull(path.split('/', maxsplit=1)[0])}"
            )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
            return answer.headers.get("Docker-Content-Digest", ""), answer.read()

    def _answers(self) -> bool:
        try:
            self._ask("")
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True
