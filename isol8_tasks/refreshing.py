"""The commands that look for news: freshness and refresh."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from isol8_tasks import report
from isol8_tasks.commands import PENDING, OwnCommand, run_doit, say, setup_words
from isol8_tasks.crash import as_error
from isol8_tasks.errors import ConfigError, EngineUnreachableError, Isol8Error, SourceUnavailableError
from isol8_tasks.files import write_named
from isol8_tasks.freshness import account as accounts
from isol8_tasks.freshness import words
from isol8_tasks.freshness.account import Account, Failed
from isol8_tasks.printing import Redact, exactly, printable
from isol8_tasks.refresh import Refresh, look
from isol8_tasks.reporter import failure_lines, open_screen
from isol8_tasks.running import INTERRUPTED, QUIET, TERMINATED, WAIT, one_line
from isol8_tasks.session import Session
from isol8_tasks.tasks import SETUP_FLAGS, flag_request, session
from isol8_tasks.telling import Failure
from isol8_tasks.units import parse_duration

_UNKNOWN: Final = SourceUnavailableError.exit_code
_JSON: Final = {
    "name": "json",
    "long": "json",
    "type": bool,
    "default": False,
    "help": "print only JSON",
}
_ONLY: Final = next(flag for flag in SETUP_FLAGS if flag["name"] == "only")
_NO_FLAGS: Final[Mapping[str, Any]] = {flag["name"]: flag["default"] for flag in SETUP_FLAGS}


class Freshness(OwnCommand):
    """Say whether the images are as new as their sources."""

    doc_purpose = "print which images are behind their sources; change nothing"
    doc_usage = "[--json] [--only RUNTIMES]"
    doc_description = (
        "Asks the registries of the upstream images and the package sources of every image. Exit code 2 when an image "
        "is behind, 4 when a source did not answer."
    )
    cmd_options = (_JSON, _ONLY)

    @one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:
        """Print it."""
        self.no_arguments(args)
        current = session()
        current.request = flag_request({**_NO_FLAGS, "only": params["only"]})
        try:
            current.ping()
            with _notice(current):
                found = look(current)
        finally:
            current.close()
        settings = current.config.refresh
        show = words.as_data if params["json"] else words.table
        say(show(found, current.repository, settings))
        if any(each.state == "behind" for each in found):
            return PENDING
        return _UNKNOWN if any(each.problems for each in found) else 0


class RefreshCommand(OwnCommand):
    """Bring the images up to their sources, and tell what changed."""

    name = "refresh"
    doc_purpose = "rebuild the images that are behind their sources, and report what changed"
    doc_usage = "[--report FILE] [--json] [--quiet] [--timeout TIME] [--wait SECONDS] [--only RUNTIMES]"
    doc_description = (
        "Images that are stale or not built are built too. Exit code 0 when all are fresh, 1 when something failed, "
        "4 when a source did not answer."
    )
    cmd_options = (
        _JSON,
        {
            "name": "report",
            "long": "report",
            "type": str,
            "default": "",
            "help": "also write the report to this file: as Markdown (.md), JSON (.json) or text",
        },
        {
            "name": "timeout",
            "long": "timeout",
            "type": str,
            "default": "",
            "help": "abort what is unfinished after this time (for example 45m), and report",
        },
        _ONLY,
        QUIET,
        WAIT,
    )

    @one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:
        """Do it, and print the report."""
        self.no_arguments(args)
        seconds = _seconds(params["timeout"])
        current = session()
        current.request = flag_request({**_NO_FLAGS, "only": params["only"]})
        current.wait = params["wait"]
        current.own_report = True
        try:
            if not params["json"]:
                # Who has to wait for another run is told so.
                current.listener = open_screen(current, quiet=True)
            refresh = Refresh(current)
            with _deadline(current, seconds):
                with _notice(current):
                    pending = refresh.prepare()
                code = _build(current.wait, params) if pending else _resolved(current)
            if code in {INTERRUPTED, TERMINATED}:
                return code
            if current.graph.missing:
                error = ConfigError(current.graph.missing)
                current.failures.append(Failure(subject=current.config.source, error=error))
            _bring_lock(current)
            failures = [*_failed(current)]
            if code not in {0, _UNKNOWN} and not failures:
                failures.append(Failed(subject="setup", lines=(f"ended with exit code {code}",)))
            account = refresh.account(tuple(failures))
        finally:
            current.close()
        _publish(account, params, current.redactor)
        problem = _notify(account, current.config.refresh.notify, current.redactor)
        if account.failed or problem:
            # An engine that went away, and nothing else, is no failure of an image.
            gone = all(isinstance(each.error, EngineUnreachableError) for each in current.failures)
            return _UNKNOWN if current.failures and gone and not problem else 1
        return _UNKNOWN if account.unknown else 0


def _build(wait: float, params: Mapping[str, Any]) -> int:
    options = [f"--wait={wait}", *(["--quiet"] if params["quiet"] or params["json"] else [])]
    return run_doit(["run", *options, "setup", *setup_words({**_NO_FLAGS, "only": params["only"]})])


def _resolved(current: Session) -> int:
    """Write the manifest where there was nothing to build: leftovers of a run that was cut off go with it."""
    try:
        current.resolve()
    except Exception as error:  # noqa: BLE001 - what was found is told in any case
        current.failures.append(Failure(subject="resolve", error=as_error("resolve", error)))
    return 0


def _bring_lock(current: Session) -> None:
    """Bring an existing lock up to date; it is of all images, or stays as it was."""
    if current.request.only or current.workspace.read_lock() is None:
        return
    from isol8_tasks.locking import update_lock  # noqa: PLC0415 - few have a lock

    problem = Isol8Error("is unchanged, because not every image could be refreshed")
    if not current.failures:
        try:
            update_lock(current)
        except Exception as error:  # noqa: BLE001 - what became of the images is told in any case
            problem = as_error("lock", error)
        else:
            return
    current.failures.append(Failure(subject=current.workspace.lock_name, error=problem))


def _failed(current: Session) -> Iterator[Failed]:
    width = report.name_width(current.repository, [spec.name for spec in current.graph.images])
    for failure in current.failures:
        first, *more = failure_lines(failure, width)
        said = first.removeprefix(failure.subject.ljust(width)).strip().removeprefix("failed").strip()
        yield Failed(subject=failure.subject, lines=(said, *more))


def _publish(account: Account, params: Mapping[str, Any], redact: Redact) -> None:
    """Print the report, and write it where it was asked for."""
    if params["json"]:
        say(accounts.as_data(account).rstrip())
    elif account.has_news or not params["quiet"]:
        say(accounts.text(account))
    if params["report"]:
        file = Path(params["report"])
        form = {".md": accounts.markdown, ".json": accounts.as_data}.get(file.suffix, _text)
        try:
            write_named(file, printable(redact(form(account))))
        except OSError as error:
            raise Isol8Error(
                f"{file}: the report can't be written ({error.strerror}); the images are as reported above"
            ) from error


def _text(account: Account) -> str:
    return accounts.text(account) + "\n"


def _notify(account: Account, command: tuple[str, ...], redact: Redact) -> bool:
    """Give the report to a user's own command, unless the night was quiet; tell whether that went wrong."""
    if not command or not account.has_news:
        return False
    try:
        done = subprocess.run(
            command,
            input=printable(redact(_text(account))),
            text=True,
            capture_output=True,
            timeout=_NOTIFY_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        what = (
            f"did not end within {_NOTIFY_SECONDS} s"
            if isinstance(error, subprocess.TimeoutExpired)
            else error
        )
        sys.stderr.write(f"ERROR: [refresh] notify: {command[0]}: {what}\n")
        return True
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).rpartition("\n")[2]
        sys.stderr.write(f"ERROR: [refresh] notify: {command[0]} ended with {done.returncode}: {last}\n")
    return done.returncode != 0


@contextmanager
def _notice(current: Session) -> Iterator[None]:
    """Say on a terminal what takes its time, as long as it does."""
    live = sys.stderr.isatty()
    if live:
        count = len(current.graph.images)
        sys.stderr.write(f"asking the sources of {count} image{'' if count == 1 else 's'} …")
        sys.stderr.flush()
    try:
        yield
    finally:
        if live:
            exactly(sys.stderr).write("\r\x1b[K")
            sys.stderr.flush()


@contextmanager
def _deadline(current: Session, seconds: float | None) -> Iterator[None]:
    """Break the builds off when the time is over."""
    if seconds is None:
        yield
        return
    timer = threading.Timer(seconds, _over(current))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _over(current: Session) -> Callable[[], None]:
    def end() -> None:
        current.over.set()
        current.cancel()

    return end


def _seconds(text: str) -> float | None:
    if not text:
        return None
    try:
        return parse_duration(text).total_seconds()
    except ValueError as error:
        raise ConfigError(f"--timeout: {error}") from None


_NOTIFY_SECONDS: Final = 60
