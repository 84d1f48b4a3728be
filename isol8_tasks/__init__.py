"""The isol8 images as a declarative build graph for doit.

Data flows one way: deps.toml and docker/ → config → plan → engine → manifest. Imports point down only:

    commands      the commands of our own: plan, clean, up, down, env, …
    running       doit's own commands as we want them: run, list, info; exit codes
    tasks         the graph for doit: task creators and flags
    reporter      what the terminal shows while images build
    session       one run: reads, observes and decides once, then builds what doit selects
    build         one image: build under a private tag, check, promote
    workspace     the folder worked in: deps.toml, docker/, the manifest, the lock, the clock
    manifest      resolved-images.json: which image each runtime runs
    report        decisions, outcomes and failures as lines of text, and the plan as data
    engine/       the Docker Engine: its address, builds with three builders, and their progress
    plan/         pure: Dockerfile, keys, graph, staleness, reasons, labels
    config        deps.toml as values; every problem in it at once
    packages      package specs, by the grammar of each ecosystem
    runtimes      the five runtimes as data
    redact        takes credentials out of foreign text
    errors        what can go wrong, and with which exit code

`lab`, beside this package, runs the private engine of `./doitw up --lab`.
"""

import os
from collections.abc import Mapping
from pathlib import Path

__all__ = ["__version__", "resolve_image"]

__version__ = "0.1.0"


def resolve_image(
    runtime: str, *, checkout: Path | None = None, environ: Mapping[str, str] | None = None
) -> str:
    """Return the reference of the image that a runtime runs: the custom one where it exists, else the base.

    The engine and the repository are those of the checkout (default: the current folder) and of the environment.

        >>> resolve_image("python")
        'isol8:python-custom'

    Raises:
        ConfigError: there is no such runtime, or deps.toml is wrong.
        EngineError: the engine can't be asked, or has no image for the runtime.

    """
    # Here, since who only wants the version should not pay for Docker's client.
    from isol8_tasks.errors import ConfigError, EngineError  # noqa: PLC0415
    from isol8_tasks.manifest import resolve  # noqa: PLC0415
    from isol8_tasks.runtimes import RUNTIMES  # noqa: PLC0415
    from isol8_tasks.session import open_session  # noqa: PLC0415

    if runtime not in RUNTIMES:
        raise ConfigError(f"{runtime!r} is not a runtime (allowed: {', '.join(RUNTIMES)})")
    session = open_session(checkout or Path.cwd(), os.environ if environ is None else environ)
    try:
        reference = resolve(session.observed, runtime)
    finally:
        session.close()
    if reference is None:
        raise EngineError(f"there is no image for {runtime}: run doit base:{runtime}, or ./doitw up for all")
    return reference
