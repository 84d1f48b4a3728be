"""The command bake: a file by which docker's bake builds what the next run verifies and promotes."""

import functools
import os
import shlex
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from isol8_tasks.cli import program
from isol8_tasks.cli.command import OwnCommand, say
from isol8_tasks.cli.commands.images import image_names, no_such_image
from isol8_tasks.cli.doit import SHOWN
from isol8_tasks.cli.ending import ends_in_one_line
from isol8_tasks.cli.screen import Screen
from isol8_tasks.cli.showing import show_work
from isol8_tasks.cli.tasks import session
from isol8_tasks.errors import COMMAND, PlanError, UndecidedError
from isol8_tasks.plan.decision import Decision
from isol8_tasks.run.session import Session
from isol8_tasks.run.view import View
from isol8_tasks.safety.files import replace

_FILE: Final = "docker-bake.json"
_FIRST_WITH_ALLOW: Final = (0, 17)
"""Of buildx; from 0.20 on bake refuses a file outside without it."""


class BakeCommand(OwnCommand):
    """Write a bake file."""

    name = "bake"
    doc_purpose = (
        f"write {_FILE}: docker buildx bake builds these images, and setup verifies and promotes them"
    )
    doc_usage = "[--stale] [--print] [--output FILE] [NAME ...] (as python, python-custom)"
    cmd_options = (
        {
            "name": "stale",
            "long": "stale",
            "type": bool,
            "default": False,
            "help": "only images that would be built now",
        },
        {
            "name": "print",
            "long": "print",
            "type": bool,
            "default": False,
            "help": "print it instead, if it is one file",
        },
        {
            "name": "output",
            "short": "o",
            "long": "output",
            "type": str,
            "default": _FILE,
            "help": "the file; further ones have a number before the ending [default: %(default)s]",
        },
        *SHOWN,
    )

    @ends_in_one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:
        """Write it."""
        current = session()
        try:
            chosen = _chosen(current.view, args, stale=params["stale"])
            with show_work(current, params) as screen:
                screen.awaited = len(chosen)
                texts, outside = _texts(current, chosen, screen)
        finally:
            current.close()
        if others := current.view.config.build.platforms[1:]:
            sys.stderr.write(
                f"note: these targets are for {current.view.config.build.platform}; {COMMAND} setup builds "
                f"for {', '.join(others)}\n"
            )
        if params["print"]:
            if len(texts) > 1:
                raise PlanError(
                    f"bake --print prints one file, and {len(chosen)} images need {len(texts)}: name fewer images, "
                    f"or let them be written: {COMMAND} bake"
                )
            for text in texts:
                say(text.rstrip("\n"))
            return 0
        path = program.named_file(params["output"])
        files = [path, *(path.with_stem(f"{path.stem}-{number}") for number in range(2, len(texts) + 1))]
        for file, text in zip(files, texts, strict=False):
            replace(file, text)
        if not screen.quiet:
            names = [os.path.relpath(file) for file in files[: len(texts)]]
            allowed = _allowed(outside, current.view.environ)
            screen.line(_next_steps(len(chosen), names, allowed))
        return 0


def _next_steps(images: int, files: list[str], allowed: list[str]) -> str:
    if not images:
        return f"every image is up to date; there is nothing to bake, and {files[0]} bakes nothing"
    commands = [shlex.join(["docker", "buildx", "bake", *allowed, "-f", file]) for file in files]
    if program.typed_in != Path():
        commands.insert(0, shlex.join(["cd", str(Path.cwd())]))
    steps = " && ".join([*commands, f"{COMMAND} setup"])
    return f"{images} image{'s' if images > 1 else ''} in {', '.join(files)}; build and promote: {steps}"


def _allowed(files: Iterable[Path], environ: Mapping[str, str]) -> list[str]:
    """Return the options by which bake may read files that are not below the current folder."""
    here = Path.cwd().resolve()
    found = [f"--allow=fs.read={file}" for file in files if not file.resolve().is_relative_to(here)]
    if not found:
        return []
    from isol8_tasks.engine.builders.plugin import buildx_version  # noqa: PLC0415 - few need it

    # One that is older knows no such option, and asks for none.
    return [] if (0, 0) < buildx_version(environ) < _FIRST_WITH_ALLOW else found


def _chosen(view: View, words: Iterable[str], *, stale: bool) -> list[Decision]:
    """Return the decisions on the images that are meant, parents first; an Isol8Error says what can't be baked."""
    if view.config.refresh.limits_every_build:
        raise PlanError(
            "[refresh] min_age limits every build, and nobody knows the age of what bake installs; "
            f"build by {COMMAND} setup, or remove the line"
        )
    decisions = view.decisions
    names = {name for word in words for name in image_names(view, word)}
    for name in sorted(names):
        if name not in decisions:
            raise no_such_image(view.public_tag(name), name, decisions)
    found = [
        each
        for each in decisions.values()
        if (not names or each.image in names) and (not stale or each.is_rebuilt)
    ]
    for each in found:
        if each.state == "undetermined":
            raise UndecidedError(each.problem)
        spec = view.graph.image(each.image)
        if spec.hashes:
            raise PlanError(
                f"{view.public_tag(each.image)} installs files with hashes, and nobody knows if bake held to them; "
                f"name the other images, and build it: {COMMAND} {each.task}"
            )
        parent = decisions[spec.parent] if spec.parent else None
        if parent and parent not in found and parent.pending and not parent.relabel:
            is_there = parent.state == "in-registry"
            what = "pulled" if is_there else "promoted" if parent.candidates else "built"
            raise PlanError(
                f"{view.public_tag(each.image)} is based on {view.public_tag(parent.image)}, which has to be {what}: "
                f"{'' if is_there else 'bake it, too, or '}run first: {COMMAND} {parent.task}"
            )
    return found


def _texts(current: Session, chosen: list[Decision], screen: Screen) -> tuple[list[str], list[Path]]:
    """Return the files' texts, and the files that have secrets of theirs."""
    # Here, as a run with nothing to do makes every command, and bakes nothing.
    from isol8_tasks.lifecycle.baking import render_bake, targets  # noqa: PLC0415
    from isol8_tasks.run.updating import provenance_of, with_upstream  # noqa: PLC0415
    from isol8_tasks.run.workspace import now  # noqa: PLC0415

    view = current.view
    for name, value in view.config.build.args.items():
        if view.redactor(value) != value:
            raise PlanError(
                f"[build] args: {name} has a credential, which would be in the file; "
                "declare it under [build.secrets] in its place"
            )
    specs = []
    for each in chosen:
        with screen.work(each.image, "looking for what it is based on"):
            on_event = functools.partial(screen.event, each.image)
            specs.append(with_upstream(each.image, view, current.policy, on_event))
    found = targets(
        [(spec, view.context_of(spec)) for spec in specs],
        view.observed,
        view.engine,
        provenance_of(view),
        now(),
    )
    folder = os.path.relpath(view.workspace.docker, Path.cwd())
    source = view.secrets
    texts = render_bake(found, view.observed, folder, lambda name: source.option(name) if source else "")
    secrets = sorted({name for each in found for name in each.request.secrets})
    return texts, [source.path(name) for name in secrets if source and view.config.build.secrets[name].file]
