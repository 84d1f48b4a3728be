"""What a run with nothing to do imports and makes before it does nothing; each of it costs such a run its time."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import Any

import pytest

from tests.command_line import CommandLine

ROOT = Path(__file__).parents[3]
MODULES, CLASSES = 93, 66
"""Of ours, in a run with nothing to do. More need a reason: a class of attrs costs a thousandth of the run."""

PROGRAM = """
import gc, inspect, json, sys

inspect.getblock = None  # reads a function to its end
from isol8_tasks.cli.__main__ import main
sys.argv = ["doit"]
code = main()
modules = [*sys.modules]
classes = [each for each in gc.get_objects() if isinstance(each, type) and "__attrs_attrs__" in vars(each)]
ours = {f"{each.__module__}.{each.__name__}": "__eq__" in vars(each) for each in classes}
print(json.dumps({"code": code, "modules": modules, "classes": ours}))
"""


class Handler(BaseHTTPRequestHandler):
    """Answers with the list of images."""

    images: bytes

    def do_GET(self) -> None:
        self.send_response_only(200)
        self.send_header("Server", "Docker/28.5.2 (linux)")
        self.end_headers()
        self.wfile.write(self.images)


@pytest.fixture
def done(built: CommandLine) -> dict[str, Any]:
    """Give what a process of its own said and had at the end of a run with nothing to do."""
    built("setup")
    entries = [
        {
            "Id": image.id,
            "RepoTags": image.tags,
            "RepoDigests": image.digests,
            "Labels": dict(image.labels),
            "Created": image.created,
            "Size": image.size,
        }
        for image in built.engine.images()
    ]
    kind = type("Engine", (Handler,), {"images": json.dumps(entries).encode()})
    address = built.folder / "s"
    with ThreadingUnixStreamServer(str(address), kind) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        environ = {**os.environ, "PYTHONPATH": str(ROOT), "DOCKER_HOST": f"unix://{address}"}
        command = (sys.executable, "-c", PROGRAM)
        run = subprocess.run(
            command, cwd=built.folder, env=environ, capture_output=True, text=True, check=False, timeout=60
        )
        server.shutdown()
        thread.join()
    assert not run.stderr, run
    said, found = run.stdout.splitlines()
    return {"said": said, **json.loads(found)}


def test_a_run_with_nothing_to_do(done: dict[str, Any]) -> None:
    """It imports what decides, and nothing of what builds, asks sources, reads locks or talks to engines in earnest."""
    assert (done["code"], done["said"]) == (
        0,
        "6 images up to date · Docker 28.5.2 · resolved-images.json unchanged",
    )
    modules = {*done["modules"]}
    ours = {each for each in modules if each.startswith("isol8_tasks.")}
    assert "isol8_tasks.plan.graph" in ours
    assert len(ours) <= MODULES, sorted(ours)
    late = {
        "config": ("lockfile", "client_file"),
        "ecosystems": ("inventory", "locks", "updates"),
        "engine": ("client", "daemon"),
        "lifecycle": ("build", "pinned", "promotion", "transfer"),
        "plan": ("description", "reasons"),
        "run": ("failures", "updating"),
        "verify": ("verifications",),
        "cli": ("suggestions",),
    }
    assert not ours & {f"isol8_tasks.{name}.{each}" for name, them in late.items() for each in them}
    assert not modules & {"cyclonedx", "difflib", "docker", "requests", "tomlkit", "urllib3"}


def test_what_doit_and_python_bring_along(done: dict[str, Any]) -> None:
    """What doit imports for plugins, processes, debuggers and settings is not there, nor are HTTP, mail and TLS."""
    unused = {
        "configparser",
        "email",
        "http",
        "importlib.metadata",
        "multiprocessing",
        "pdb",
        "pickle",
        "ssl",
    }
    modules = {*done["modules"]}
    assert not modules & {*unused, "random", "secrets", "shutil", "tomllib", "zipfile"}


def test_classes_of_attrs(done: dict[str, Any]) -> None:
    """There are few classes, and for none of ours code was compiled that compares it."""
    ours = {name: compares for name, compares in done["classes"].items() if name.startswith("isol8_tasks.")}
    assert len(ours) <= CLASSES, sorted(ours)
    assert not [name for name, compares in ours.items() if compares]
