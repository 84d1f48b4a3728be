"""The command plan: what a run would do, and why."""

from collections.abc import Mapping, Sequence
from typing import Any

from isol8_tasks.cli.command import JSON_FLAG, PENDING, OwnCommand, say
from isol8_tasks.cli.ending import ends_in_one_line
from isol8_tasks.cli.tasks import SETUP_FLAGS, heed_flags, session
from isol8_tasks.errors import Isol8Error, SourceUnavailableError, UndecidedError
from isol8_tasks.plan.decision import Decision
from isol8_tasks.report import plan as report
from isol8_tasks.run.session import Session


class PlanCommand(OwnCommand):
    """Show what a run would do."""

    name = "plan"
    doc_purpose = "print what would be built, and why; change nothing"
    only_prints = True
    doc_usage = "[--json] [--check] [the flags of setup]"
    doc_description = (
        "With --check: exit code 2 when something would be built, 4 when the state of an image is undetermined. 4 also "
        "when the engine can't be asked."
    )
    cmd_options = (
        JSON_FLAG,
        {
            "name": "check",
            "long": "check",
            "type": bool,
            "default": False,
            "help": "exit with code 2 when something would be built",
        },
        *SETUP_FLAGS,
    )

    @ends_in_one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:
        """Print the plan."""
        self.no_arguments(args)
        current = session()
        heed_flags(current, params)
        try:
            decisions = list(current.view.decisions.values())
            own = current.view.own_platform
            others, problem = _others(current)
        except Isol8Error as error:
            if params["json"]:
                specs = [(spec.name, spec.task) for spec in current.view.graph.images]
                print(report.undetermined_json(specs, str(error), repository=current.view.repository))  # noqa: T201 - its purpose
            raise
        finally:
            current.close()
        if params["json"]:
            print(report.plan_json(decisions, current.view.config, own, others))  # noqa: T201 - its purpose
        else:
            say(report.plan_table(decisions, current.view.config))
            for platform, found in others.items():
                say(f"for {platform}, in {current.view.config.registry.repository}:")
                say(report.plan_table(found, current.view.config, heading=False))
            print(report.platform_line(current.view.config, own))  # noqa: T201 - as above
            for warning in current.view.graph.warnings:
                print(f"warning: {warning}")  # noqa: T201 - as above
            for warning in report.registry_warnings(
                *current.view.registry_problems, current.view.config.registry.repository
            ):
                print(f"warning: {warning}")  # noqa: T201 - as above
            for line in report.added_lines(current.view.config):
                print(line)  # noqa: T201 - as above
        if problem:
            raise problem
        decisions += [decision for found in others.values() for decision in found]
        states = {decision.state for decision in decisions} if params["check"] else set()
        if states & {"not-built", "stale"}:
            return PENDING
        return UndecidedError.exit_code if "undetermined" in states else 0


def _others(current: Session) -> tuple[Mapping[str, Sequence[Decision]], Isol8Error | None]:
    """Return what is decided for the platforms beside the engine's own, and why that can't be found out."""
    view, found = current.view, dict[str, Sequence[Decision]]()
    if len(view.config.build.platforms) <= 1 or not (current.brings_others and view.config.registry.push):
        return {}, None
    from isol8_tasks.run.other_view import OtherView  # noqa: PLC0415 - few files name several

    try:
        for other in OtherView.beside_view(view):
            if current.policy.demand:
                other.hold_to_lock()
            found[other.platform] = other.decided()
    except SourceUnavailableError as error:
        return {}, error
    return found, None
