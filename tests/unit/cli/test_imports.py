"""What every run imports, as a run with nothing to do pays for it."""

import subprocess
import sys


def test_what_few_runs_need_is_imported_late() -> None:
    """Readers of locks, builders, docker's client and the converter wait until somebody needs them."""
    code = "import sys, isol8_tasks.cli.main, isol8_tasks.cli.doit; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    there = set(done.stdout.split())
    late = {"pinned": "lifecycle", "transfer": "lifecycle", "lockfile": "config", "locks": "ecosystems"}
    assert "isol8_tasks.plan.graph" in there
    assert not there & {f"isol8_tasks.{package}.{module}" for module, package in late.items()}
    assert not there & {"docker", "cattrs", "tomlkit", "cyclonedx", "difflib", "isol8_tasks.cli.suggestions"}
