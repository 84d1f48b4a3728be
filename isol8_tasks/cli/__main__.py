"""Where a command begins: says in one line what would else end with a traceback before anything of ours is there."""

import contextlib
import os
import sys

from isol8_tasks.cli.startup import leave_on_interrupt

_INTERNAL_ERROR = 70
"""As errors has it, which may be what is broken."""


def main() -> int:
    """Run the command of the command line's words; return its exit code."""
    leave_on_interrupt()
    _open_what_is_closed()
    sys.argv[0] = "doit"
    try:
        from isol8_tasks.cli.doit_import import import_doit  # noqa: PLC0415 - it may be what is broken

        import_doit()
        from isol8_tasks.cli.main import start  # noqa: PLC0415 - as above

        return start(sys.argv[1:])
    except Exception as error:  # noqa: BLE001 - nothing of ours is there yet that would say it
        with contextlib.suppress(OSError):
            sys.stderr.write(f"ERROR: {_line(error)}\n")
        return _INTERNAL_ERROR
    finally:
        leave_on_interrupt()


def _open_what_is_closed() -> None:
    """Open what was closed by who started us, before a file that we open takes its number, and what is printed."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def _line(error: Exception) -> str:
    try:
        from isol8_tasks.safety.crash import internal_error  # noqa: PLC0415 - it may be broken, too

        return str(internal_error("the start", error))
    except Exception:  # noqa: BLE001 - as it says
        said = " ".join(str(error).split())
        return (
            f"internal error in the start: {type(error).__name__}: {said} (this is a bug; please report it)"
        )


if __name__ == "__main__":
    sys.exit(main())
