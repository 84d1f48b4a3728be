"""The command refresh: rebuilds what is behind its sources."""

import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from isol8_tasks.cli.command import JSON_FLAG, OwnCommand, say
from isol8_tasks.cli.commands.sources import NO_FLAGS, ONLY, UNDETERMINED, say_next_steps
from isol8_tasks.cli.doit import SHOWN, WAIT
from isol8_tasks.cli.ending import ends_in_one_line, stopped
from isol8_tasks.cli.program import named_file
from isol8_tasks.cli.reporter import open_screen, words_of_failure
from isol8_tasks.cli.tasks import heed_flags, session
from isol8_tasks.config.deps import Config
from isol8_tasks.config.units import parse_duration
from isol8_tasks.errors import ConfigError, EngineUnreachableError, InternalError, Isol8Error
from isol8_tasks.report import refresh as accounts
from isol8_tasks.report.plan import registry_warnings
from isol8_tasks.report.refresh import Account, Failed
from isol8_tasks.run.events import unwatched
from isol8_tasks.run.refresh import Refresh
from isol8_tasks.run.session import Session
from isol8_tasks.safety.crash import as_error
from isol8_tasks.safety.files import not_to_be_a_page, unwritable, write_named
from isol8_tasks.safety.printing import Redact, printable


class RefreshCommand(OwnCommand):
    """Bring the images up to their sources, and tell what changed."""

    name = "refresh"
    doc_purpose = "rebuild the images that are behind their sources, and report what changed"
    doc_usage = (
        "[--report FILE] [--json] [--quiet] [--verbose] [--progress=plain|json] [--timeout TIME] [--wait SECONDS] "
        "[--only RUNTIMES]"
    )
    doc_description = (
        "Images that are stale or not built are built too. Exit code 0 when all are fresh, 1 when something failed, "
        "4 when a source did not answer."
    )
    cmd_options = (
        JSON_FLAG,
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
        ONLY,
        *SHOWN,
        WAIT,
    )

    @ends_in_one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:
        """Do it, and print the report."""
        self.no_arguments(args)
        seconds = _seconds(params["timeout"])
        if problem := params["report"] and unwritable(named_file(params["report"])):
            raise ConfigError(
                f"--report: {params['report']}: can't be written ({problem}); name another file"
            )
        current = session()
        heed_flags(current, {**NO_FLAGS, "only": params["only"]})
        page = current.view.workspace.page_file(current.view.config.page.file)
        if problem := page and not_to_be_a_page(page):
            where = current.view.config.setting("page.file")
            raise ConfigError(f"{where}: page.file: {page}: can't be written ({problem}); name another file")
        current.wait = params["wait"]
        try:
            shown = {flag["name"]: params[flag["name"]] for flag in SHOWN}
            screen = None if params["json"] else open_screen(current.view, lasting=False, **shown)
            current.listener = screen
            refresh = Refresh(current, watch=screen.work if screen else unwatched)
            with _deadline(current, seconds):
                refresh.prepare()
                try:
                    refresh.build()
                except KeyboardInterrupt as interrupt:
                    return stopped(current, screen, interrupt)
            if screen:
                if not params["quiet"]:
                    repository = current.view.config.registry.repository
                    for warning in registry_warnings(*current.view.registry_problems, repository):
                        screen.line(f"warning: {warning}")
                screen.close()
            if current.view.graph.missing:
                current.failed(current.view.config.source, ConfigError(current.view.graph.missing))
            _bring_lock(current)
            failed = [Failed(subject=each.subject, lines=words_of_failure(each)) for each in current.failures]
            account = refresh.account(failed)
            refresh.note(account)
            no_page = page is not None and not _write_page(current, account, page)
        finally:
            current.close()
        _publish(account, params, current.view.redactor, current.view.config)
        problem = _notify(account, current.view.config.refresh.notify, current.view.redactor)
        if any(isinstance(each.error, InternalError) for each in current.failures):
            return InternalError.exit_code
        if account.failed or problem or no_page:
            # An engine that went away, and nothing else, is no failure of an image.
            gone = all(isinstance(each.error, EngineUnreachableError) for each in current.failures)
            return UNDETERMINED if current.failures and gone and not problem and not no_page else 1
        return UNDETERMINED if account.unknown else 0


def _bring_lock(current: Session) -> None:
    """Bring an existing lock up to date; it is of all images, or stays as it was."""
    if current.view.request.only or current.view.read_lock() is None:
        return
    from isol8_tasks.run.locking import update_lock  # noqa: PLC0415 - few have a lock

    problem = Isol8Error("is unchanged, because not every image could be refreshed")
    if not current.failures:
        try:
            update_lock(current)
        except Exception as error:  # noqa: BLE001 - what became of the images is told in any case
            problem = as_error("lock", error)
        else:
            return
    current.failed(current.view.lock_name, problem)


def _publish(account: Account, params: Mapping[str, Any], redact: Redact, config: Config) -> None:
    """Print the report, and write it where it was asked for."""
    if params["json"]:
        say(accounts.account_json(account).rstrip())
    elif params["progress"] == "json":
        say(accounts.account_event(account))
    elif account.has_news or not params["quiet"]:
        say(accounts.text(account))
        say_next_steps([problem for each in account.unknown for problem in each.problems], config)
    if params["report"]:
        file = named_file(params["report"])
        form = {".md": accounts.markdown, ".json": accounts.account_json}.get(file.suffix, _text)
        try:
            write_named(file, printable(redact(form(account))))
        except OSError as error:
            raise Isol8Error(
                f"{file}: the report can't be written ({error.strerror}); the images are as reported above"
            ) from error


def _write_page(current: Session, account: Account, file: Path) -> bool:
    """Write the page of [page] file; tell whether that went well. What became of the images is told in any case."""
    from isol8_tasks.run.page import write_page  # noqa: PLC0415 - few have one, and it needs templates

    try:
        # What was built is known without its size.
        current.view.look_again()
        write_page(current.view, account.left, file)
    except Exception as error:  # noqa: BLE001 - as above
        sys.stderr.write(f"ERROR: [page] file: {as_error('page', error)}\n")
        return False
    return True


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
            else f"can't be run ({error.strerror}); the images are as reported above"
        )
        sys.stderr.write(f"ERROR: [refresh] notify: {command[0]}: {what}\n")
        return True
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).rpartition("\n")[2]
        sys.stderr.write(
            f"ERROR: [refresh] notify: {command[0]} failed (exit code {done.returncode}): {last}\n"
        )
    return done.returncode != 0


@contextmanager
def _deadline(current: Session, seconds: float | None) -> Iterator[None]:
    """Abort the builds when the time is over."""
    timer = threading.Timer(seconds or 0, current.expire)
    timer.daemon = True
    if seconds is not None:
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _seconds(text: str) -> float | None:
    if not text:
        return None
    try:
        return parse_duration(text).total_seconds()
    except ValueError as error:
        raise ConfigError(f"--timeout: {error}") from None


_NOTIFY_SECONDS: Final = 60
