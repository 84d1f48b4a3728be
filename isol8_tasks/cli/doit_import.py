"""The import of doit, without what doit imports and a run does not use: a third of what importing it costs.

These modules are imported when one of their functions or classes is called. doit itself is as it is.
"""

import contextlib
import sys
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Final

_SELDOM_CALLED: Final = ("configparser", "importlib.metadata", "multiprocessing", "pdb", "pickle")
"""Read settings of another format, look for plugins, run tasks in processes, debug a task."""
_ENTRY_POINTS: Final = "*.*-info/entry_points.txt"


def import_doit() -> None:
    """Import doit; nothing where that was done before."""
    if "doit" not in sys.modules:
        with _stand_ins():
            import doit.doit_cmd  # noqa: F401, PLC0415 - for what importing it does


class _Late(ModuleType):
    """A module that is not imported yet. What is taken from it imports it when called."""

    def __getattr__(self, name: str) -> Callable[..., object]:
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*args: object, **kwargs: object) -> object:
            if name == "entry_points" and not _has_plugins():
                return ()
            return getattr(import_module(self.__name__), name)(*args, **kwargs)

        return call


@contextlib.contextmanager
def _stand_ins() -> Iterator[None]:
    placed = {name: _Late(name) for name in _SELDOM_CALLED if name not in sys.modules}
    sys.modules.update(placed)
    try:
        yield
    finally:
        for name in placed:
            del sys.modules[name]


@cache
def _has_plugins() -> bool:
    """Tell whether a distribution may have plugins for doit; importlib.metadata knows which."""
    try:
        # A file is an archive.
        return any(
            place.is_file() or any(map(_has_some, place.glob(_ENTRY_POINTS))) for place in map(Path, sys.path)
        )
    except OSError:
        return True


def _has_some(entry_points: Path) -> bool:
    return b"[doit." in entry_points.read_bytes()
