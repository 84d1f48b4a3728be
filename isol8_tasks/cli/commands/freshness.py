"""The command freshness: how far behind their sources the images are."""

from collections.abc import Mapping, Sequence
from typing import Any

from isol8_tasks.cli.command import JSON_FLAG, PENDING, OwnCommand, say
from isol8_tasks.cli.commands.sources import NO_FLAGS, ONLY, UNDETERMINED, say_next_steps
from isol8_tasks.cli.doit import SHOWN
from isol8_tasks.cli.ending import ends_in_one_line
from isol8_tasks.cli.showing import show_work
from isol8_tasks.cli.tasks import heed_flags, session
from isol8_tasks.errors import Isol8Error, SourceUnavailableError
from isol8_tasks.freshness.model import Freshness
from isol8_tasks.report import freshness as words
from isol8_tasks.run.refresh import look
from isol8_tasks.run.session import Session


class FreshnessCommand(OwnCommand):
    """Say whether the images are as new as their sources."""

    name = "freshness"
    doc_purpose = "print which images are behind their sources; change nothing"
    only_prints = True
    doc_usage = "[--json] [--only RUNTIMES]"
    doc_description = (
        "Asks the registries of the upstream images and the package sources of every image. Exit code 2 when an image "
        "is behind, 4 when a source did not answer."
    )
    cmd_options = (JSON_FLAG, ONLY, *SHOWN)

    @ends_in_one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:
        """Print it."""
        self.no_arguments(args)
        current = session()
        heed_flags(current, {**NO_FLAGS, "only": params["only"]})
        try:
            current.view.ping()
            with show_work(current, params) as screen:
                screen.awaited = len(current.view.graph.images)
                found = look(current.view, watch=screen.work)
                others, problem = _others(current, found)
        finally:
            current.close()
        told = (found, current.view.repository, current.view.config.refresh, others)
        problems = [said for each in found for said in each.problems]
        every = [*found, *(each for images in others.values() for each in images)]
        if params["json"]:
            say(words.freshness_json(*told))
        elif params["progress"] == "json":
            say(words.freshness_event(*told))
        elif (
            not params["quiet"]
            or any(each.problems for each in every)
            or any(each.state == "behind" for each in every)
        ):
            say(words.freshness_table(*told))
            say_next_steps(problems, current.view.config)
        if problem:
            raise problem
        if any(each.state == "behind" for each in every):
            return PENDING
        return UNDETERMINED if any(each.problems for each in every) else 0


def _others(
    current: Session, found: Sequence[Freshness]
) -> tuple[Mapping[str, Sequence[Freshness]], Isol8Error | None]:
    """Return how fresh the images for other platforms are, and why that can't be found out."""
    view = current.view
    if len(view.config.build.platforms) <= 1 or not view.config.registry.push:
        return {}, None
    from isol8_tasks.run.other_view import OtherView  # noqa: PLC0415 - few files name several

    try:
        return {other.platform: other.freshness(found) for other in OtherView.beside_view(view)}, None
    except SourceUnavailableError as error:
        return {}, error
