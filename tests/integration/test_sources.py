"""The program that resolves npm's packages: its rules, in the runtime that runs it."""

from importlib.resources import files
from pathlib import Path

from isol8_tasks.engine.containers import RunRequest
from isol8_tasks.engine.daemon import DockerEngine
from tests.integration.checkouts import Checkout

RULES = Path(__file__).with_name("registry_rules.mjs")


def test_rules_hold_in_the_runtimes_that_run_it(built: Checkout, engine: DockerEngine) -> None:
    """Versions are ordered, tags moved, ages kept, and locks read, whichever runtime it is."""
    folder = files("isol8_tasks.freshness.sources")
    program = "".join(
        (folder / name).read_text(encoding="utf-8") for name in ("versions.mjs", "registry.mjs")
    )
    script = (
        'printf %s "$1" >/tmp/registry.mjs; printf %s "$2" >/tmp/rules.mjs; shift 2; exec "$@" /tmp/rules.mjs'
    )
    for runtime, command in (("node", "node"), ("bun", "bun"), ("deno", "deno run --quiet --allow-all")):
        finished = engine.run(
            RunRequest(
                image=f"{built.repository}:{runtime}",
                command=(
                    "sh",
                    "-c",
                    script,
                    "sh",
                    program,
                    RULES.read_text(encoding="utf-8"),
                    *command.split(),
                ),
                user="root",
                online=True,
                seconds=60,
            )
        )
        assert finished.stdout.decode().endswith("held\n"), f"{runtime}: {finished.output.decode()}"
