"""The isol8 images as a declarative build graph for doit.

Data flows one way: deps.toml and docker/ → config → plan → engine → manifest. Imports point down only:

    inapplicable  doit's commands that have nothing to work on here
    which         the command which: the image that a request gets, and why
    refreshing    the commands that look for news: freshness, refresh
    sharing       the commands that share images by a registry: push, pull
    importing     the command import: deps.toml takes over what isol8.config.json asks for
    commands      the other commands of our own: plan, clean, up, down, env, …
    running       doit's own commands as we want them: run, list, info; exit codes
    tasks         the graph for doit: task creators and flags
    reporter      what is told of a run: the reason before the work, figures at the end
    refresh       a night's work: notices what moved, and has it built
    locked        the command lock
    locking       writes deps.lock.toml, and holds a session to it
    session       one run: builds what doit selects, and says what came of it
    screen        the lines of a run on the terminal
    view          what a run knows: it reads, observes and decides, each once
    build         one image: build under a private tag, check, promote
    exchange      an image goes to a registry, or comes from one and takes its tags
    pinned        the Dockerfile of an image in exactly the versions that were resolved
    workspace     the folder worked in: deps.toml, docker/, the manifest, the clock
    engine_lock   one run at a time on an engine
    verify/       runs an image as the clients do, and tells what it does not hold of what it promises
    freshness/    whether images are as new as their sources, and the account of a refresh
    manifest      resolved-images.json: which image each runtime runs
    sbom          a bill of materials of an image
    resolution    which image a request gets, by runtime and packages
    pushed        which images a manifest says are in a registry, as values
    report        decisions, outcomes and failures as lines of text, and the plan as data
    engine/       the Docker Engine: its address, builds with three builders, and their progress
    plan/         pure: Dockerfile, keys, graph, staleness, reasons, labels
    config        deps.toml as values; every problem in it at once
    client_file   isol8.config.json, the file of isol8's clients, as values
    images        its table [images]: images with names of their own, and what stands on what
    locks         deps.lock.toml as values
    agreement     whether what a lock says of an image is one thing
    lockfiles     the lock files that packages are installed from, by strict grammars
    shapes        the shapes of the JSON in them
    reading       values of a TOML file read strictly
    checks        checks of a user's own, as values
    releases      isol8's releases, by the label that their setup writes on a base
    updates       which newer packages an image would get, as values
    inventory     what is in an image, by its package databases
    packages      package specs, by the grammar of each ecosystem
    runtimes      the five runtimes as data
    crash         an exception that nobody foresaw: one line, and the traceback in a file
    printing      what is printed, without escape sequences of others
    credentials   the credentials in build arguments and the environment, as values
    redact        takes credentials out of foreign text
    files         files written whole, and through no link of another user's
    jsontext      JSON that others wrote
    errors        what can go wrong, and with which exit code
    start         what a doit run sets before the rest is imported

`lab`, beside this package, runs the private engine of `./doitw up --lab`.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

__all__ = ["__version__", "resolve_image"]

__version__ = "0.1.0"


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
    from isol8_tasks.errors import EngineError  # noqa: PLC0415
    from isol8_tasks.report import resolution_problem  # noqa: PLC0415
    from isol8_tasks.resolution import requested, resolve  # noqa: PLC0415
    from isol8_tasks.session import open_session  # noqa: PLC0415

    wanted = requested(runtime, packages)
    session = open_session(checkout or Path.cwd(), os.environ if environ is None else environ)
    try:
        found = resolve(session.observed, runtime, wanted)
    finally:
        session.close()
    if found.image is None:
        raise EngineError(resolution_problem(found))
    return found.image
