"""The table's rows as tests; `engine` and `cli` are those of the command line's own tests."""

from tests.unit.cli.conftest import _as_it_was, cli, engine

__all__ = ["_as_it_was", "cli", "engine"]
