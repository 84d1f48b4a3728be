"""Packages made for the corpus, on indexes of its own: a broken one of each kind, and whole ones beside them."""

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Final

import docker

from tests.corpus_packages.elf import elf
from tests.corpus_packages.table import Kind, Row
from tests.integration.world.npm import Npm
from tests.integration.world.serving import Traffic, served
from tests.integration.world.wheels import Wheels

_BORN: Final = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
_LIBRARY: Final = elf(needed="libnowhere.so.1")
_EXTENSION: Final = "_x.cpython-313-x86_64-linux-musl.so"
_OF_MACOS: Final = b"\xcf\xfa\xed\xfe\x07\0\0\x01" + bytes(4096)
_USE_PYTHON: Final = "import {0}; assert {0}"
_USE_NODE: Final = "if (!require('{0}')) throw 1"

PYTHON: Final[Mapping[str, tuple[Kind, Mapping[str, bytes]]]] = {
    "own-whole": ("works", {}),
    "own-missing-module": ("broken", {"own_missing_module.py": b"import own_missing_module_gone\n"}),
    "own-missing-file": ("broken", {"own_missing_file/__init__.py": b"from . import gone\n"}),
    "own-syntax-error": ("broken", {"own_syntax_error.py": b"def f(:\n"}),
    "own-ctypes": ("broken", {"own_ctypes.py": b"import ctypes\nctypes.CDLL('libnowhere.so.1')\n"}),
    "own-extension": (
        "broken",
        {"own_extension/__init__.py": b"from . import _x\n", f"own_extension/{_EXTENSION}": _LIBRARY},
    ),
    "own-extension-later": (
        "broken",
        {
            "own_extension_later/__init__.py": b"def use():\n    from . import _x\n",
            f"own_extension_later/{_EXTENSION}": _LIBRARY,
        },
    ),
    "own-symbol-later": (
        "broken",
        {
            "own_symbol_later/__init__.py": b"def use():\n    from . import _x\n",
            f"own_symbol_later/{_EXTENSION}": elf(undefined="nowhere"),
        },
    ),
    "own-below": (
        "broken",
        {
            "own_below/__init__.py": b"",
            "own_below/inner.py": b"import ctypes\nctypes.CDLL('libnowhere.so.1')\n",
        },
    ),
    "own-no-interpreter": ("broken", {"{data}/scripts/own-no-interpreter": b"#!/usr/bin/nothing\n"}),
    "own-glibc-program": (
        "broken",
        {"{data}/scripts/own-glibc-program": elf(needed="libc.so.6", interpreter="glibc")},
    ),
    "own-program-library": (
        "broken",
        {"{data}/scripts/own-program-library": elf(needed="libnowhere.so.1", interpreter="musl")},
    ),
    "own-other-system": ("broken", {"{data}/scripts/own-other-system": _OF_MACOS}),
    "own-declines": (
        "declines",
        {
            "own_declines.py": b"import os\n"
            b"if 'OWN_SETTINGS' not in os.environ:\n"
            b"    raise RuntimeError('settings are not configured: set OWN_SETTINGS first')\n"
        },
    ),
}
"""By name: what is expected, and the files of its wheel."""

NODE: Final[Mapping[str, tuple[Kind, Mapping[str, bytes], Mapping[str, str]]]] = {
    "own-whole": ("works", {}, {}),
    "own-missing-file": ("broken", {"index.js": b"require('./gone.js');\n"}, {}),
    "own-syntax-error": ("broken", {"index.js": b"function (\n"}, {}),
    "own-missing-module": ("broken", {"index.js": b"require('own-nowhere');\n"}, {}),
    "own-addon": ("broken", {"index.js": b"require('./a.node');\n", "a.node": _LIBRARY}, {}),
    "own-addon-later": (
        "broken",
        {"index.js": b"exports.use = () => require('./a.node');\n", "a.node": _LIBRARY},
        {},
    ),
    "own-no-interpreter": ("broken", {"a": b"#!/usr/bin/nothing\n"}, {"own-no-interpreter": "a"}),
    "own-glibc-program": (
        "broken",
        {"a": elf(needed="libc.so.6", interpreter="glibc")},
        {"own-glibc-program": "a"},
    ),
    "own-program-library": (
        "broken",
        {"a": elf(needed="libnowhere.so.1", interpreter="musl")},
        {"own-program-library": "a"},
    ),
    "own-other-system": ("broken", {"a": _OF_MACOS}, {"own-other-system": "a"}),
    "own-no-first-line": ("broken", {"a": b"require('./index.js');\n"}, {"own-no-first-line": "a"}),
    "own-declines": (
        "declines",
        {
            "index.js": b"if (!globalThis.expect) throw new Error('own-declines must be imported in a test runner');\n"
        },
        {},
    ),
    "own-host-module": ("declines", {"index.js": b"exports.app = require('electron').app;\n"}, {}),
}
"""By name: what is expected, the files of its tarball, and its programs."""

_USES: Final = {
    ("python", "own-declines"): "import os; os.environ['OWN_SETTINGS'] = '1'; import own_declines",
    ("node", "own-host-module"): "require.resolve('own-host-module')",
    ("bun", "own-host-module"): "require.resolve('own-host-module')",
    ("node", "own-declines"): "globalThis.expect = 1; require('own-declines')",
    ("bun", "own-declines"): "globalThis.expect = 1; require('own-declines')",
}


def rows() -> tuple[Row, ...]:
    """Return what is expected of each."""
    found = [_row("python", name, kind, _USE_PYTHON) for name, (kind, _) in PYTHON.items()]
    for runtime in ("node", "bun"):
        found += [_row(runtime, name, kind, _USE_NODE) for name, (kind, _, _) in NODE.items()]
    return tuple(found)


def _row(runtime: str, name: str, kind: Kind, use: str) -> Row:
    module = name.replace("-", "_") if runtime == "python" else name
    known = _USES.get((runtime, name), use.format(module))
    return Row(runtime=runtime, package=name, kind=kind, use=known if kind != "broken" else "", own=True)


@contextmanager
def indexes(host: str) -> Iterator[dict[str, str]]:
    """Serve the indexes beside the engine at this address; gives the build arguments that lead there."""
    wheels, npm = Wheels(), Npm()
    for name, (_, files) in PYTHON.items():
        wheels.add(name, "1.0", uploaded=_BORN, requires=(), fault="", size=0, files=files)
    for name, (_, more, bins) in NODE.items():
        npm.add(name, "1.0.0", published=_BORN, dependencies={}, fault="", size=0, files=more, bins=bins)
    client = docker.APIClient(host)
    try:
        gateway = client.inspect_network("bridge")["IPAM"]["Config"][0]["Gateway"]
    finally:
        client.close()
    with ExitStack() as stack:
        at_wheels = stack.enter_context(served(wheels.routes, Traffic(), gateway))
        at_npm = stack.enter_context(served(npm.routes, Traffic(), gateway))
        yield {
            "PIP_INDEX_URL": f"http://{at_wheels}/simple/",
            "PIP_TRUSTED_HOST": gateway,
            "NPM_CONFIG_REGISTRY": f"http://{at_npm}/",
        }
