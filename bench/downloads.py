"""From a deps.toml with one package more than forty to the promoted image, with a download cache and without one."""

import contextlib
import hashlib
import html
import http.server
import itertools
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from attrs import define, evolve, field

from bench.measure import Candidate

PACKAGES: Final = [
    "requests",
    "numpy",
    "pandas",
    "pillow",
    "lxml",
    "pyyaml",
    "cryptography",
    "sqlalchemy",
    "jinja2",
    "click",
    "flask",
    "aiohttp",
    "attrs",
    "httpx",
    "pydantic",
    "rich",
    "beautifulsoup4",
    "openpyxl",
    "tqdm",
    "python-dateutil",
    "networkx",
    "sympy",
    "scipy",
    "matplotlib",
    "fonttools",
    "packaging",
    "regex",
    "psutil",
    "orjson",
    "msgpack",
    "ujson",
    "simplejson",
    "chardet",
    "docutils",
    "babel",
    "tornado",
    "websockets",
    "cbor2",
    "pyarrow-hotfix",
    "shapely",
]
MORE: Final = [
    "tabulate",
    "colorama",
    "toolz",
    "sortedcontainers",
    "zipp",
    "humanize",
    "wcwidth",
    "termcolor",
    "inflection",
    "tenacity",
    "pluggy",
    "iniconfig",
]
"""One for each run, as the builder knows the step of an earlier one."""
WITHOUT: Final = "one package more than forty"
WITH: Final = "the same with download_cache"
SPEED: Final = 2_500_000
"""Bytes a second that the index sends: 20 Mbit/s, over all connections."""


@define
class Index:
    """An index of wheels on this machine, which sends as PyPI does and counts what it sends."""

    folder: Path
    sent: int = 0
    lock: threading.Lock = field(factory=threading.Lock)

    def send(self, data: bytes, write: Callable[[bytes], object]) -> None:
        """Send a body, not faster than SPEED whoever else is served."""
        for at in range(0, len(data), _PART):
            part = data[at : at + _PART]
            with self.lock:
                time.sleep(len(part) / SPEED)
                self.sent += len(part)
            write(part)

    def page(self, name: str) -> bytes:
        """Return what PEP 503 has of a package."""
        links = [
            f'<a href="/files/{file.name}#sha256={_digest(file)}">{html.escape(file.name)}</a>\n'
            for file in sorted(self.folder.iterdir())
            if re.sub(r"[-_.]+", "-", file.name.split("-")[0]).lower() == name
        ]
        return f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>".encode() if links else b""


def fetch(scratch: Path) -> Path:
    """Return a folder with the wheels of all packages for Alpine, from the index of this machine's pip."""
    folder = scratch / "wheels"
    if not (folder / _COMPLETE).exists():
        platforms = itertools.chain(*(("--platform", f"musllinux_1_{minor}_x86_64") for minor in (1, 2)))
        options = ("--only-binary=:all:", "--python-version", _PYTHON, *platforms, "-d", str(folder))
        command = [sys.executable, "-m", "pip", "download", "--quiet", *options, *PACKAGES, *MORE]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        (folder / _COMPLETE).touch()
    return folder


@contextlib.contextmanager
def serving(index: Index, host: str) -> Iterator[str]:
    """Serve an index where containers reach it; gives its address."""
    server = http.server.ThreadingHTTPServer((host, 0), type("Serving", (_Handler,), {"index": index}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{host}:{server.server_address[1]}/simple/"
    finally:
        server.shutdown()
        server.server_close()


@define
class Setting:
    """What both ways have in common."""

    scratch: Path
    repository: str
    doit: tuple[str, ...]
    arguments: Mapping[str, str]
    """Build arguments, with those that lead to the index."""
    index: Index
    run: Callable[[Candidate], object]
    """Runs a command that is not measured."""


def candidates(setting: Setting) -> tuple[tuple[Candidate, Candidate], dict[str, list[int]]]:
    """Return the build of one package more without and with the cache, and the bytes that each run will have fetched.

    Before each run the image has the forty packages.
    """
    more = iter(MORE)
    fetched: dict[str, list[int]] = {WITHOUT: [], WITH: []}

    def candidate(name: str, *, cache: bool) -> Candidate:
        file = setting.scratch / f"downloads-{cache}.toml"
        made = Candidate(
            name=name, command=(*setting.doit, "custom:python"), environment={"ISOL8_DEPS": str(file)}
        )

        def before() -> None:
            file.write_text(_deps(setting, PACKAGES, cache=cache), encoding="utf-8")
            setting.run(made)
            file.write_text(_deps(setting, [*PACKAGES, next(more)], cache=cache), encoding="utf-8")
            setting.index.sent = 0

        return evolve(made, before=before, after=lambda _: fetched[name].append(setting.index.sent))

    return (candidate(WITHOUT, cache=False), candidate(WITH, cache=True)), fetched


def _deps(setting: Setting, packages: list[str], *, cache: bool) -> str:
    args = ", ".join(f"{name} = {json.dumps(value)}" for name, value in setting.arguments.items())
    return (
        f"[dependencies]\npython = {json.dumps(packages)}\n[build]\nrepository = {json.dumps(setting.repository)}\n"
        f"download_cache = {json.dumps(cache)}\nargs = {{ {args} }}\n"
    )


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    index: Index

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        """Keep out of the output."""

    def do_GET(self) -> None:
        """Answer with a page or a wheel."""
        kind, _, name = self.path.strip("/").partition("/")
        file = self.index.folder / Path(name).name
        if kind == "simple":
            self._send(self.index.page(name), "text/html", "max-age=600, public")
        else:
            wheel = file.read_bytes() if file.is_file() else b""
            self._send(wheel, "application/octet-stream", "max-age=365000000, immutable, public")

    def _send(self, data: bytes, kind: str, lasts: str) -> None:
        self.send_response(200 if data else 404)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", lasts)
        self.end_headers()
        # Who asks what a wheel needs reads its end alone, and goes.
        with contextlib.suppress(ConnectionError):
            self.index.send(data, self.wfile.write)


_PART: Final = 1 << 16
_PYTHON: Final = "3.13"
"""That of the stand-ins."""
_COMPLETE: Final = ".complete"
