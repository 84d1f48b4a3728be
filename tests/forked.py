"""Runs programs of the project in processes that are forked from one which has imported it.

Python's start and the imports are most of what a short command costs. That a process of its own does them well is what
./doitw in the tables of tests/first_hour, the benchmarks, and `Checkout.start` are about.
"""

import atexit
import contextlib
import gc
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from lab.processes import MARK

ROOT = Path(__file__).parents[1]
_FOR_THE_START = ("PYTHON", "LANG", "LC_")
"""What Python heeds when it starts."""


def can_run(environ: Mapping[str, str]) -> bool:
    """Tell whether a process with these variables would start as one that is forked here."""
    own = {name: value for name, value in os.environ.items() if name.startswith(_FOR_THE_START)}
    new = {name: value for name, value in environ.items() if name.startswith(_FOR_THE_START)}
    return {**own, "PYTHONPATH": ""} == {**new, "PYTHONPATH": ""}


def run(
    words: tuple[str, ...], *, cwd: Path, env: Mapping[str, str], timeout: float
) -> "subprocess.CompletedProcess[str]":
    """Run what `python` does with these words, `-m MODULE …` or `-c PROGRAM …`, without anything to read."""
    with (
        socket.socket(socket.AF_UNIX) as link,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
    ):
        link.connect(_server())
        link.settimeout(timeout)
        socket.send_fds(link, [b"\n"], [out.fileno(), err.fileno()])
        link.sendall(json.dumps({"words": words, "cwd": str(cwd), "env": dict(env)}).encode())
        link.shutdown(socket.SHUT_WR)
        with link.makefile() as answer:
            pid = int(answer.readline())
            try:
                code = int(answer.readline())
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                # Its exit code comes once it is gone.
                link.recv(1)
                raise subprocess.TimeoutExpired(words, timeout) from None
        texts = [os.pread(each.fileno(), os.fstat(each.fileno()).st_size, 0).decode() for each in (out, err)]
    return subprocess.CompletedProcess(words, code, *texts)


@cache
def _server() -> str:
    """Start the process that forks, which ends with this one; return where it listens."""
    folder = tempfile.TemporaryDirectory(prefix="forked-")
    atexit.register(folder.cleanup)
    path = f"{folder.name}/socket"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(64)
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.forked", str(listener.fileno())],
            cwd=ROOT,
            # It outlives the engine that may be running now, and is not ended with what that one started.
            env={
                **{name: each for name, each in os.environ.items() if name != MARK},
                "PYTHONPATH": str(ROOT),
            },
            # Its end is what tells it of ours.
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=[listener.fileno()],
        )
    atexit.register(server.communicate)
    return path


def _serve(listener: socket.socket) -> None:
    """Return in a new process for each program, as which it is to go on."""
    # The kernel clears away who has ended.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in ready:
            os._exit(0)
        link, _ = listener.accept()
        if os.fork() == 0:
            break
        link.close()
    listener.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, files, _, _ = socket.recv_fds(link, 1, 2)
    with link.makefile() as text:
        asked = json.load(text)
    if child := os.fork():
        link.sendall(f"{child}\n".encode())
        _, status = os.waitpid(child, 0)
        with contextlib.suppress(BrokenPipeError):
            link.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
        os._exit(0)
    link.close()
    _become(asked, files)


def _become(asked: Mapping[str, Any], files: list[int]) -> None:
    """Take over where the program is run, and how."""
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    for number, file in zip((1, 2), files, strict=True):
        os.dup2(file, number)
        os.close(file)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    time.tzset()
    kind, what, *words = asked["words"]
    sys.argv = [kind, *words]
    sys.path[0] = asked["cwd"]
    if kind == "-c":
        sys.modules["__main__"].__dict__.clear()
        exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102 - as python -c does
    else:
        runpy.run_module(what, run_name="__main__", alter_sys=True)


def main() -> None:
    """Import all that commands need, and fork."""
    import isol8_tasks  # noqa: PLC0415 - for the process that forks

    for found in pkgutil.walk_packages(isol8_tasks.__path__, "isol8_tasks."):
        if (
            not found.name.endswith("__main__")
            and ".programs" not in found.name
            and ".probes" not in found.name
        ):
            import_module(found.name)
    import_module("doit.doit_cmd")
    gc.collect()
    gc.freeze()
    _serve(socket.socket(fileno=int(sys.argv[1])))


if __name__ == "__main__":
    main()
