"""The command graph: what is based on what, and in which state it is."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from isol8_tasks.cli.command import JSON_FLAG, OwnCommand, say
from isol8_tasks.cli.commands.images import no_such_image
from isol8_tasks.cli.ending import ends_in_one_line
from isol8_tasks.cli.tasks import session
from isol8_tasks.errors import ConfigError, EngineError
from isol8_tasks.report import pictures
from isol8_tasks.report.pictures import Node
from isol8_tasks.run.view import View

if TYPE_CHECKING:
    from isol8_tasks.plan.decision import Decision

_FORMS: Final = {
    "mermaid": pictures.graph_mermaid,
    "dot": pictures.graph_dot,
    "json": pictures.graph_json,
}


class GraphCommand(OwnCommand):
    """Show the images, and what each is based on."""

    name = "graph"
    doc_purpose = "print what is based on what, with states: as a tree, for Mermaid or Graphviz, or as JSON"
    only_prints = True
    doc_usage = "[NAME ...] (as python, web, alpine:3.21) [--mermaid | --dot | --json]"
    doc_description = (
        "With names only these images, what they are based on, and what is based on them. Without an engine all states "
        "are undetermined, and the exit code is 4."
    )
    cmd_options = (
        {
            "name": "mermaid",
            "long": "mermaid",
            "type": bool,
            "default": False,
            "help": "print a flowchart for Mermaid, which Markdown on GitHub and GitLab shows",
        },
        {"name": "dot", "long": "dot", "type": bool, "default": False, "help": "print a graph for Graphviz"},
        JSON_FLAG,
    )

    @ends_in_one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:
        """Print it, as far as it is known."""
        forms = [form for form in _FORMS if params[form]]
        if len(forms) > 1:
            raise ConfigError(f"graph: --{forms[0]} and --{forms[1]} are two forms; omit one of both")
        current = session()
        view = current.view
        problem: EngineError | None = None
        decisions: Mapping[str, Decision] = {}
        try:
            try:
                decisions = view.decisions
            except EngineError as error:
                problem = error
            nodes = pictures.graph_nodes(
                view.graph, decisions, view.config, None if problem else view.observed
            )
            nodes = pictures.part_of(nodes, _named(view, nodes, args)) if args else nodes
        finally:
            current.close()
        say((_FORMS[forms[0]] if forms else pictures.graph_tree)(nodes))
        if problem:
            raise problem
        if not forms:
            for warning in view.graph.warnings:
                say(f"warning: {warning}")
        return 0


def _named(view: View, nodes: Collection[Node], words: Sequence[str]) -> list[str]:
    """Return the nodes that are meant, by tag, name, task or the reference of an upstream image."""
    by_word = {word: node.name for node in nodes for word in (node.task, node.name) if word}
    short = {node.name.removeprefix(f"{view.repository}:"): node.name for node in nodes}
    found = []
    for word in words:
        if (name := by_word.get(word) or short.get(word)) is None:
            raise no_such_image(word, word, short)
        found.append(name)
    return found
