"""Runs doit with a fault in one function, which tells whether a bug anywhere ends a command as it should.

python -m tests.integration.crashing MODULE:NAME EXCEPTION doit's words…
"""

import builtins
import importlib
import sys
from typing import Any


def crash(seam: str, kind: str) -> None:
    """Let a function or method raise that exception from now on, whatever it is called with."""
    module, _, path = seam.partition(":")
    owner: Any = importlib.import_module(module)
    *above, name = path.split(".")
    for each in above:
        owner = getattr(owner, each)

    def broken(*_: object, **__: object) -> None:
        raise getattr(builtins, kind)(f"injected into {path}\x1b[31m\nhttps://user:canary@index.test/")

    old = owner.__dict__[name]
    setattr(owner, name, property(broken) if isinstance(old, property) else broken)


if __name__ == "__main__":
    crash(sys.argv[1], sys.argv[2])
    sys.argv[1:] = sys.argv[3:]
    from isol8_tasks.cli.main import start

    sys.exit(start(sys.argv[1:]))
