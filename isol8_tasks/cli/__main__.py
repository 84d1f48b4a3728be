"""Runs doit, and says in one line what doit would end with a traceback of: a module of ours that can't be imported."""

import sys


def main() -> int:
    """Run doit with the words of the command line; return its exit code."""
    sys.argv[0] = "doit"
    try:
        from doit.doit_cmd import DoitMain  # noqa: PLC0415 - it may be what is broken

        from isol8_tasks.cli.program import settings  # noqa: PLC0415 - as above

        words = sys.argv[1:]
        if "" in words:
            # As of a variable that is not set; doit looks at the first letter of each.
            sys.stderr.write(
                "ERROR: '' is not understood; leave the empty word out, or check the variable in it\n"
            )
            return 3
        # doit's own answer to --help names the commands as its own.
        return int(DoitMain(**settings()).run(["help"] if words == ["--help"] else words) or 0)
    except Exception as error:  # noqa: BLE001 - nothing of ours is there yet that would say it
        sys.stderr.write(f"ERROR: {_line(error)}\n")
        return 1


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
