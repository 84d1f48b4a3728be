"""The isol8 images as a declarative build graph for doit.

Data flows one way, deps.toml and docker/ → plan → build → verify → promote → manifest, and imports point down only:

    cli         the command line: tasks, flags, commands, what the terminal shows; the only importer of doit
    run         one run: the folder worked in, what it knows, what it does
    report      values put into words, and into data for other programs; pure
    freshness   whether images are as new as their sources
    lifecycle   one image: built, promoted, rolled back, removed, pushed or pulled
    verify      runs an image as clients do, and judges it
    plan        what should exist, what is stale, and why; pure
    engine      the Docker Engine; the only importer of docker
    registry    a registry, asked over HTTP for what it has
    images      what images say of themselves: labels, tags, the manifest; pure
    dockerfile  a Dockerfile as BuildKit reads it, and what a target is built from; pure
    config      deps.toml, isol8.config.json and deps.lock.toml as values; every problem at once
    ecosystems  the five runtimes and their packages
    safety      what keeps secrets, the terminal and other users' files safe
    errors      what callers react to, and with which exit code
    values      what values are compared and printed by

`lab`, beside this package, runs the private engine of `./doitw up --lab`.
"""

from __future__ import annotations

import importlib
import os

# Without typing and pathlib, so that a command begins, and heeds Ctrl-C, without their delay.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from typing import Final

    from isol8_tasks.config.deps import Config, parse_config
    from isol8_tasks.errors import (
        BuildFailedError,
        ConfigError,
        EngineError,
        EngineUnreachableError,
        InternalError,
        Isol8Error,
        LockedError,
        NotInRegistryError,
        PlanError,
        RegistryError,
        ReplacedError,
        SourceUnavailableError,
        UndecidedError,
        UpstreamUnavailableError,
        VerifyFailedError,
    )
    from isol8_tasks.plan.decision import Decision
    from isol8_tasks.plan.graph import Graph
    from isol8_tasks.run.session import Session, open_session

__all__ = [
    "BuildFailedError",
    "Config",
    "ConfigError",
    "Decision",
    "EngineError",
    "EngineUnreachableError",
    "Graph",
    "InternalError",
    "Isol8Error",
    "LockedError",
    "NotInRegistryError",
    "PlanError",
    "RegistryError",
    "ReplacedError",
    "Session",
    "SourceUnavailableError",
    "UndecidedError",
    "UpstreamUnavailableError",
    "VerifyFailedError",
    "__version__",
    "open_session",
    "parse_config",
    "resolve_image",
]

__version__ = "0.1.0"

_HOMES: Final = {
    "Config": "config.deps",
    "parse_config": "config.deps",
    "BuildFailedError": "errors",
    "ConfigError": "errors",
    "EngineError": "errors",
    "EngineUnreachableError": "errors",
    "InternalError": "errors",
    "Isol8Error": "errors",
    "LockedError": "errors",
    "NotInRegistryError": "errors",
    "PlanError": "errors",
    "RegistryError": "errors",
    "ReplacedError": "errors",
    "SourceUnavailableError": "errors",
    "UndecidedError": "errors",
    "UpstreamUnavailableError": "errors",
    "VerifyFailedError": "errors",
    "Decision": "plan.decision",
    "Graph": "plan.graph",
    "Session": "run.session",
    "open_session": "run.session",
}
"""Where the public names are defined; imported when they are asked for, as most runs need few of them."""


def __getattr__(name: str) -> object:
    """Return one of the public names; AttributeError if it is none."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def resolve_image(
    runtime: str,
    *,
    packages: Iterable[str] = (),
    checkout: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> str:
    """Return the reference of the image that a request gets.

    Without packages it is the one that a runtime runs: the custom one where it exists, else the base. With packages
    it is a custom or named image that has exactly these, else the one with the fewest more. The engine and
    the repository are those of the checkout (default: the current folder) and of the environment.

        >>> resolve_image("python")
        'isol8:python-custom'
        >>> resolve_image("python", packages=["numpy", "pandas"])
        'isol8:ml'

    Raises:
        ConfigError: there is no such runtime, a package is not written as one, or deps.toml is wrong.
        EngineError: the engine can't be asked, or has no image for the request.

    """
    # Here, since who only wants the version should not pay for Docker's client.
    from pathlib import Path  # noqa: PLC0415

    from isol8_tasks.errors import EngineError  # noqa: PLC0415
    from isol8_tasks.images.choice import choose, requested  # noqa: PLC0415
    from isol8_tasks.report.plan import choice_problem  # noqa: PLC0415
    from isol8_tasks.run.session import open_session  # noqa: PLC0415

    wanted = requested(runtime, packages)
    session = open_session(checkout or Path.cwd(), os.environ if environ is None else environ)
    try:
        found = choose(session.view.observed, runtime, wanted)
    finally:
        session.close()
    if found.image is None:
        raise EngineError(choice_problem(found))
    return found.image
