"""Random words, deps.toml files and signals: whatever comes, a command ends in words and with a documented exit code.

    python -m tests.fuzz_cli [--lines 10000] [--configs 100000] [--signals 200] [--seed 1]

Command lines run on the fake engine in this process; signals go to real processes, whose engine answers little and
hangs often. Each fault is printed with what brings it about.
"""

import argparse
import contextlib
import json
import os
import random
import re
import shutil
import signal
import string
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from isol8_tasks.cli import tasks
from isol8_tasks.config.deps import parse_config
from isol8_tasks.dockerfile.closure import parse
from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.errors import ConfigError, LabError, PlanError, VerifyFailedError
from isol8_tasks.images.observed import Observed
from isol8_tasks.plan.graph import build_graph
from isol8_tasks.plan.model import FlagRequest
from isol8_tasks.safety.crash import in_threads
from tests.command_line import (
    ROOT,
    CommandLine,
    Ended,
    accept,
    command_line,
    engine_with_upstream,
)
from tests.engine_server import Engine, Handler, Server, serving
from tests.fake_engine import DOCKERFILE

CODES: Final = {0, 1, 2, 3, 4, 130, 141, 143}
"""The documented exit codes, without that of a bug."""
_SLOW: Final = 5.0
"""Seconds of a processor; what else runs on the machine does not count."""
_COMMANDS: Final = (
    "run", "clean", "list", "info", "help", "plan", "graph", "which", "up", "env", "forget", "ignore", "reset-dep",
    "dumpdb", "strace", "tabcompletion", "completion", "init", "import", "rollback", "release", "prune", "push", "pull",
    "verify", "inventory", "sbom", "page", "freshness", "lock", "refresh", "down", "log", "diff", "why", "add",
    "remove",
)  # fmt: skip
_TASKS: Final = (
    "setup", "resolve", "ping", "base", "custom", "image", "base:bun", "base:python", "custom:bash", "image:web",
    "base:*", "*", "custom:?ash", "[", "base:[a-z]*",
)  # fmt: skip
_NAMES: Final = (
    "python", "bun", "bash", "bash-custom", "isol8:bun", "isol8:web", "web", "isol8", ":", "::", "base:",
)  # fmt: skip
_FLAGS: Final = (
    "--help", "-h", "--version", "--force", "--only", "--only-file", "--locked", "--python", "--bash", "--deno",
    "--json", "--check", "--lab", "--quiet", "-q", "--wait", "-n", "--process", "--single", "-s", "--no-continue",
    "-c", "-a", "-v", "-o", "-r", "-P", "-f", "-d", "-k", "--db-file", "--backend", "--template", "--status",
    "--all", "--deps", "--sort", "--yes", "-y", "--dry-run", "--packages", "--report", "--timeout", "--output",
    "--shell", "--pdb", "--", "-", "---", "--=", "-=", "--on", "--check_file_uptodate", "--hardcode-tasks",
    "--private", "-p", "--auto-delayed-regex",
)  # fmt: skip
_VALUES: Final = (
    "", "0", "-1", "1", "1e400", "nan", "inf", "9" * 30, "abc", "jq", "jq,curl", "numpy>=1", "a=b", "=",
    "python,node", "json", "console", "thread", "process", "bash", "fish", "{name}", "{", "{0}", "{name.x}",
    "{name!x}", "name", "deps.toml", "nofile", "docker", "docker/Dockerfile", "pyproject.toml", "5m", "10s", "out",
    "\udcff\udcfe", "ä" * 300, "\x1b[31m", "\n", "\t", " ", "'", '"', "`", "$(x)", "%s", "%(default)s", "{}", "\\",
    "x" * 5000, "\u202e", "0x10",
)  # fmt: skip
_ENVIRON: Final = {
    "DOCKER_HOST": ("", "tcp://", "unix:///nowhere", "ssh://x", "tcp://[::1", "x", "http://a:99999"),
    "DOCKER_CONTEXT": ("", "x", "\udcff", "default"),
    "DOCKER_CONFIG": ("", "nofile", "docker", "deps.toml"),
    "HOME": ("", "nofile", "deps.toml", "."),
    "ISOL8_DEPS": ("", "nofile", "docker", "deps.toml", "/dev/null", "../deps.toml", "\udcff", "x" * 300),
    "ISOL8_CONFIG": ("", "nofile", "docker", "deps.toml", "pyproject.toml"),
    "DOIT_FILE": ("", "nofile", "dodo.py"),
    "DOIT_SEEK_FILE": ("", "1", "maybe"),
    "COLUMNS": ("", "0", "-1", "x", "1"),
    "LINES": ("", "0", "1"),
    "TERM": ("", "dumb", "xterm"),
    "TZ": ("", "nowhere", "UTC+99"),
    "PATH": ("",),
    "HTTPS_PROXY": ("", "x", "http://a:b@c"),
    "PIP_INDEX_URL": ("", "x"),
    "NO_COLOR": ("1",),
}


def _mutated(word: str, dice: random.Random) -> str:
    """Return a word with a slip of the fingers in it."""
    if not word:
        return dice.choice(string.printable)
    at = dice.randrange(len(word))
    return dice.choice(
        (
            word[:at] + word[at + 1 :],
            word[:at] + dice.choice(string.printable) + word[at:],
            word[:at] + word[at:].upper(),
            word[: at + 1] + word[at:],
            word[at:] + word[:at],
            word + "=" + dice.choice(_VALUES),
        )
    )


def random_words(dice: random.Random) -> list[str]:
    """Return the words of a command line, of which most mean something and few go together."""
    words = [dice.choice(_COMMANDS)] if dice.random() < 0.6 else []
    for _ in range(dice.choice((0, 0, 1, 1, 1, 2, 3, 5))):
        word = dice.choice(dice.choice((_TASKS, _TASKS, _NAMES, _FLAGS, _FLAGS, _VALUES, _COMMANDS)))
        words.append(_mutated(word, dice) if dice.random() < 0.1 else word)
    # What would run the tests or another program for minutes.
    return [
        word.replace("\0", "") for word in words if word not in {"test", "bench", "corpus", "lint", "check"}
    ]


def random_environ(dice: random.Random) -> dict[str, str]:
    """Return some variables, each with a value that makes some sense or none."""
    names = dice.sample([*_ENVIRON], dice.choice((0, 0, 0, 1, 1, 2, 4)))
    return {name: dice.choice(_ENVIRON[name]) for name in names}


def _fails_now_and_then(dice: random.Random) -> Callable[..., str]:
    def check(spec: Any, candidate: str) -> str:  # noqa: ANN401 - as accept has it
        if dice.random() < 0.1:
            raise VerifyFailedError(f"{candidate} failed verification")
        return accept(spec, candidate)

    return check


@contextlib.contextmanager
def checkouts() -> Iterator[Callable[[random.Random], CommandLine]]:
    """Give what makes a checkout on a fake engine; the process is left as it was."""
    with (
        pytest.MonkeyPatch.context() as patch,
        tempfile.TemporaryDirectory() as place,
        warnings.catch_warnings(),
    ):
        import lab  # noqa: PLC0415 - what is patched

        def refused(*_: object) -> str:
            raise LabError("there is no lab here")

        for name in ("up", "down"):
            patch.setattr(lab, name, refused)
        patch.setattr(threading, "excepthook", threading.excepthook)
        patch.setattr(sys, "unraisablehook", sys.unraisablehook)
        patch.setattr(sys, "path", [*sys.path])
        before = {
            number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        }

        def make(dice: random.Random) -> CommandLine:
            folder = Path(tempfile.mkdtemp(dir=place))
            patch.chdir(folder)
            cli = command_line(folder, engine_with_upstream(), patch)
            cli.check = _fails_now_and_then(dice)
            jq = '[dependencies]\nbash = ["jq"]\n'
            cli.declare(
                dice.choice((random_config(dice), jq, jq, f'{jq}[images.web]\nextends = "bash"\n', ""))
            )
            with contextlib.suppress(OSError):
                if dice.random() < 0.1:
                    (folder / dice.choice(("deps.toml", "docker/Dockerfile", "dodo.py"))).unlink()
            cli.engine.reachable = dice.random() < 0.8
            return cli

        try:
            yield make
        finally:
            tasks.session.cache_clear()
            for number, handler in before.items():
                signal.signal(number, handler)


def wrong_with(ended: Ended, words: Sequence[str], seconds: float) -> str:
    """Return what is wrong with how a command ended; empty where it is fine."""
    said = ended.out + ended.err
    if "a fake can't" in said:
        return ""
    wrong = {
        f"exit code {ended.code}": ended.code not in CODES,
        "a traceback or an internal error": "Traceback (most recent" in said or "internal error in" in said,
        f"{seconds:.1f} s": seconds > _SLOW,
        "no word about what is wrong": ended.code == ConfigError.exit_code and not said,
        "the insides of a library": re.search(r"<class '|parsing options|\[Errno ", ended.err),
        "no JSON": "--json" in words and ended.out.startswith("{") and not _is_json(ended.out),
    }
    return ", ".join(what for what, is_so in wrong.items() if is_so)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def fuzz_lines(count: int, dice: random.Random) -> Iterator[str]:
    """Run command lines; yield what is wrong with some."""
    codes: Counter[int] = Counter()
    with checkouts() as make:
        for number in range(count):
            if number % 25 == 0:
                cli = make(dice)
            words, environ = random_words(dice), random_environ(dice)
            os.chdir(cli.folder)
            began = time.process_time()
            with cli.patch.context() as here:
                for name, value in environ.items():
                    here.setenv(name, value)
                try:
                    answer = dice.choice((None, None, "y", "n", "", "\x04"))
                    ended = cli(*words, answer=answer, at_terminal=dice.random() < 0.1)
                except BaseException as error:  # noqa: BLE001 - that it came is what is looked for
                    yield f"{words} {environ}: {type(error).__name__}: {error}"
                    continue
            codes[ended.code] += 1
            in_threads.clear()
            sys.modules.pop("dodo", None)
            if problem := wrong_with(ended, words, time.process_time() - began):
                yield f"{words} {environ}: {problem}\n{ended.err[-600:]}{ended.out[-300:]}"
    _say(f"{count} command lines: exit codes {dict(sorted(codes.items()))}")


_TABLES: Final[dict[str, tuple[str, ...]]] = {
    "dependencies": (*RUNTIMES,),
    "build": ("repository", "builder", "args", "jobs"),
    "build.args": ("APK_REPOSITORY", "ALPINE_VERSION", "A", "PIP_INDEX_URL"),
    "images.web": ("runtime", "packages", "setup", "extends"),
    "images.a": ("runtime", "packages", "setup", "extends"),
    "clients": ("release",),
    "filter": ("allow_nets", "allow_ports", "strict"),
    "hold": ("max_age",),
    "prune": ("keep", "previous_age"),
    "refresh": ("max_age", "min_age", "min_ages", "notify"),
    "push": ("repository", "standins", "credentials"),
    "verify": ("oldest_client", "load_timeout", "skip"),
    "verify.python": ("command", "exit", "output", "timeout"),
    "verify.web": ("command", "exit", "output", "timeout"),
}
_TOML: Final = (
    '""', "''", "0", "-1", "1", "true", "false", "[]", "{}", '["a"]', '["jq", "curl"]', '["numpy>=1", "six"]',
    "1.5", "1e999", "nan", "9" * 30, "9" * 5000, f'"{"9" * 400}GB"', '"2GB"', '"7d"', f'"{"9" * 400}d"', '"0"',
    '"python"', '"web"', '"a"', '"bash"', '"buildkit"', '"registry.example/x"', '"a{99999999999999999999}"',
    f'"{"(" * 2000}{")" * 2000}"', '"(a+)+b"', '"["', '"(?P<x>a)(?P=y)"', '"\\\\"', '"[[a]"', '"\\u0000"',
    '"\\U0010ffff"', '"""\nx\n"""', "1979-05-27", "07:32:00", '{ A = "1" }', "{ a = { b = { c = [[[1]]] } } }",
    "[" * 300 + "]" * 300, "[" * 2000 + "]" * 2000, '["a", 1]', '["10.0.0.0/8"]', '["10.0.0.1/8"]', '["::/0"]',
    "[8080, 80]", "[0]", "[65536]", '"0.7.0"', '"v0.20.0"', '"1"', '["sh", "-c", "x"]', "inf", "0x" + "f" * 400,
    '"' + "x" * 10_000 + '"', '"echo hi\\n"',
)  # fmt: skip


def random_config(dice: random.Random) -> str:
    """Return a text that looks like a deps.toml: often valid, sometimes twice the same, sometimes no TOML."""
    lines = []
    for _ in range(dice.choice((1, 1, 2, 3, 5))):
        table = dice.choice([*_TABLES])
        lines.append(dice.choice(("[{}]", "[{}]", "[{}]", "[[{}]]", "# [{}]", "[ {} ]", "[{}")).format(table))
        for _ in range(dice.choice((0, 1, 1, 2, 4))):
            keys = _TABLES[table] if dice.random() < 0.9 else dice.choice([*_TABLES.values()])
            key, value = dice.choice(keys), dice.choice(_TOML)
            key = _mutated(key, dice) if dice.random() < 0.05 else key
            lines.append(f"{key} = {value}")
    text = "\n".join(lines) + dice.choice(("\n", "", "\r\n"))
    for _ in range(dice.choice((0, 0, 0, 0, 1, 3))):
        at = dice.randrange(len(text) or 1)
        junk = dice.choice(
            ("", "\0", "\ufeff", "[", '"', "'''", "=", ".", "\n", "{", "\u202e", "9" * 20, "\r")
        )
        text = text[:at] + junk + text[at + dice.choice((0, 1, 5)) :]
    return text


def fuzz_configs(count: int, dice: random.Random) -> Iterator[str]:
    """Read texts of deps.toml, and make the graph of those that are fine; yield what is wrong with some."""
    dockerfile = parse(DOCKERFILE)
    nothing = Observed(repository="isol8", images=())
    fine, longest = 0, 0.0
    for _ in range(count):
        text = random_config(dice)
        began = time.process_time()
        try:
            config = parse_config(text, "deps.toml")
            build_graph(config, dockerfile, {}, nothing, FlagRequest(today="2026-11-29"))
            fine += 1
        except PlanError:
            fine += 1
        except ConfigError as error:
            for line in str(error).splitlines():
                if not line.startswith("deps.toml:") or not line.isprintable() or len(line) > 11_000:
                    yield f"{text!r}: a line that is none: {line[:200]!r}"
        except BaseException as error:  # noqa: BLE001 - that it came is what is looked for
            yield f"{text!r}: {type(error).__name__}: {str(error)[:200]}"
        seconds = time.process_time() - began
        longest = max(longest, seconds)
        if seconds > _SLOW:
            yield f"{text!r}: {seconds:.1f} s"
    _say(f"{count} configurations: {fine} fine, {count - fine} refused; the longest took {longest:.2f} s")


_SIGNALLED: Final = (
    ("plan",),
    ("list",),
    ("--help",),
    ("verify",),
    ("setup",),
    ("base:bun", "--force"),
    ("prune",),
    ("plan", "--json"),
    ("inventory", "--json"),
    ("refresh",),
    ("freshness",),
    ("up",),
    ("which", "python"),
    ("rol-back",),
    ("--version",),
)


def _hang(handler: Handler) -> None:
    handler.begin_stream()
    time.sleep(3)


def fuzz_signals(count: int, dice: random.Random) -> Iterator[str]:
    """Send signals to commands at random moments; yield what is wrong with how some end."""
    codes: Counter[int] = Counter()
    with (
        pytest.MonkeyPatch.context() as patch,
        tempfile.TemporaryDirectory() as place,
        serving(patch) as engine,
    ):
        _prepare(engine)
        # That somebody went away is what happens here all the time.
        patch.setattr(Server, "handle_error", lambda *_: None)
        command_line(Path(place), engine_with_upstream(), patch)
        patch.setenv("DOCKER_HOST", engine.url)
        patch.setenv("PYTHONPATH", str(ROOT))
        began = time.monotonic()
        # A shell lets what it starts in the background ignore Ctrl-C, and that would hold for the commands, too.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _started(("--version",), place).communicate()
        pace = time.monotonic() - began
        for _ in range(count):
            words = dice.choice(_SIGNALLED)
            number = dice.choice((signal.SIGINT, signal.SIGINT, signal.SIGTERM))
            after = pace * dice.choice((dice.uniform(0.0, 1.0), dice.uniform(0.0, 4.0)))
            what = f"{words}, {number.name} after {after:.3f} s"
            process = _started(words, place)
            time.sleep(after)
            process.send_signal(number)
            try:
                out, err = process.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                yield f"{what}: still there after 60 s"
                continue
            codes[process.returncode] += 1
            if "Traceback" in err or "internal error" in err or "Exception ignored" in err:
                yield f"{what}: {process.returncode}\n{err[-1500:]}"
            elif process.returncode not in {*CODES, -number}:
                yield f"{what}: exit code {process.returncode}: {err[-300:]}"
            elif "--json" in words and out and process.returncode != -number and not _is_json(out):
                yield f"{what}: no JSON: {out[:200]!r}"
    _say(f"{count} signals: exit codes {dict(sorted(codes.items()))}")


def _started(words: Sequence[str], folder: str) -> "subprocess.Popen[str]":
    """Start a command as doitw does, which lets Ctrl-C wait where it can until Python has come to our code."""
    blocking = ("env", "--block-signal=INT")
    able = (
        shutil.which("env")
        and subprocess.run((*blocking, "true"), capture_output=True, check=False).returncode == 0
    )
    return subprocess.Popen(
        (*(blocking if able else ()), sys.executable, "-m", "isol8_tasks.cli", *words),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _prepare(engine: Engine) -> None:
    """Let an engine answer as one that is empty, and hang where it pulls or builds."""
    engine.answers |= {
        "GET /images/json": (200, []),
        "GET /containers/json": (200, []),
        "GET /info": (200, {"ID": "x", "Driver": "overlay2"}),
        "GET /version": (200, {"Version": "20.10", "ApiVersion": "1.41", "Os": "linux", "Arch": "amd64"}),
        "GET /system/df": (200, {"Images": [], "BuildCache": []}),
        "POST /images/create": _hang,
        "POST /build": _hang,
    }


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - its purpose


def main(words: Sequence[str] | None = None) -> int:
    """Run a campaign, print its figures and what is wrong; return 1 if anything is."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, count in (("lines", 10_000), ("configs", 100_000), ("signals", 200), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=count)
    asked = parser.parse_args(words)
    faults = 0
    for fuzz, count in (
        (fuzz_configs, asked.configs),
        (fuzz_lines, asked.lines),
        (fuzz_signals, asked.signals),
    ):
        began = time.monotonic()
        for fault in fuzz(count, random.Random(asked.seed)):  # noqa: S311 - no secret
            faults += 1
            _say(f"- {fault}")
        _say(f"  in {time.monotonic() - began:.0f} s")
    _say(f"{faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
