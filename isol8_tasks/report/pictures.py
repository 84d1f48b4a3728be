"""The graph as a picture: a tree for the terminal, Mermaid, Graphviz's DOT, and data."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from attrs import frozen

from isol8_tasks.config.deps import Config
from isol8_tasks.images.labels import BASE_NAME
from isol8_tasks.images.observed import Observed
from isol8_tasks.images.references import Reference
from isol8_tasks.plan.decision import Decision
from isol8_tasks.plan.graph import Graph
from isol8_tasks.report.plan import reasons_in_words

_NOT_KNOWN: Final = "undetermined"
_FROM_SCRATCH: Final = "scratch"
_COLOURS: Final = {
    "stale": ("#fff3cd", "#b58900"),
    "not-built": ("#fff3cd", "#b58900"),
    "in-registry": ("#d0ebff", "#1971c2"),
    "held": ("#e5dbff", "#5f3dc4"),
    "undeclared": ("#f1f3f5", "#868e96"),
    "undetermined": ("#ffe3e3", "#c92a2a"),
}
"""What a state is filled with, and its edge; an image that is up to date has none."""


@frozen(kw_only=True)
class Node:
    """An image in a picture."""

    name: str
    """As it is shown: `isol8:web`, `alpine:3.21`."""
    parent: str = ""
    """The node that it is based on; empty for an upstream image, and for an undeclared one of which that is unknown."""
    copies: tuple[str, ...] = ()
    """Upstream images from which it copies as well."""
    kind: str = "upstream"
    """Else `base`, `custom` or `named`; empty for an undeclared image."""
    task: str = ""
    state: str = ""
    """As in the plan; empty for an upstream image."""
    why: tuple[str, ...] = ()


def graph_nodes(
    graph: Graph, decisions: Mapping[str, Decision], config: Config, observed: Observed | None
) -> tuple[Node, ...]:
    """Return the upstream images, and then every image, parents first.

    `observed` is None where no engine answers, and then nothing is decided: all states are `undetermined`.
    """
    repository = config.build.repository
    upstream: dict[str, None] = {}
    images = []
    for spec in graph.images:
        own = spec.upstream or _FROM_SCRATCH
        copies = [reference for reference, _ in spec.inputs.upstream if reference != own]
        if spec.parent is None:
            upstream.update(dict.fromkeys((own, *copies)))
        found = decisions.get(spec.name)
        images.append(
            Node(
                name=str(Reference(repository, spec.name)),
                parent=str(Reference(repository, spec.parent)) if spec.parent else own,
                copies=tuple(copies) if spec.parent is None else (),
                kind=spec.kind,
                task=spec.task,
                state=found.state if found else _NOT_KNOWN,
                why=reasons_in_words(found, config) if found else (),
            )
        )
    known = {node.name for node in images}
    for name in graph.undeclared if observed else ():
        image = observed.public(name) if observed else None
        parent = image.labels.get(BASE_NAME, "") if image else ""
        own_name = str(Reference(repository, name))
        if own_name not in known:
            images.append(
                Node(name=own_name, parent=parent if parent in known else "", kind="", state="undeclared")
            )
    return (*(Node(name=name) for name in upstream), *images)


def part_of(nodes: Collection[Node], names: Iterable[str]) -> tuple[Node, ...]:
    """Return the nodes of these names, what they are based on or copy from, and all that is based on them."""
    by_name = {node.name: node for node in nodes}
    kept = {*names}
    for node in nodes:
        # Parents stand before their children.
        if node.parent in kept or kept & {*node.copies}:
            kept.add(node.name)
    todo = [*kept]
    while todo:
        node = by_name[todo.pop()]
        below = {name for name in (node.parent, *node.copies) if name and name not in kept}
        kept |= below
        todo += below
    return tuple(node for node in nodes if node.name in kept)


def tree_rows(nodes: Iterable[Node]) -> tuple[tuple[str, Node], ...]:
    """Return the nodes as a tree: parents before their children, each with what leads to it from the left."""
    children: dict[str, list[Node]] = {}
    for node in nodes:
        children.setdefault(node.parent, []).append(node)
    rows: list[tuple[str, Node]] = []
    todo = [("", "", node) for node in reversed(children.get("", ()))]
    while todo:
        first, rest, node = todo.pop()
        rows.append((first, node))
        below = children.get(node.name, [])
        lines = [("└─ ", "   ")] + [("├─ ", "│  ")] * (len(below) - 1) if below else []
        todo += [
            (rest + branch, rest + stem, child)
            for (branch, stem), child in zip(lines, reversed(below), strict=True)
        ]
    return tuple(rows)


def graph_tree(nodes: Iterable[Node]) -> str:
    """Return the nodes as a tree with states and reasons, an image a line."""
    rows = [(branch + node.name, node) for branch, node in tree_rows(nodes)]
    width = max((len(text) for text, node in rows if node.state), default=0)
    states = max((len(node.state) for _, node in rows), default=0)
    return "\n".join(
        f"{text.ljust(width)}  {node.state.replace('-', ' '):<{states}}  {'; '.join(node.why)}".rstrip()
        for text, node in rows
    )


def graph_mermaid(nodes: Collection[Node]) -> str:
    """Return a flowchart for Mermaid, as Markdown shows it; a dotted line is for what is only copied from."""
    ids = {node.name: f"i{number}" for number, node in enumerate(nodes)}
    lines = ["flowchart LR"]
    for node in nodes:
        text = node.name.replace("#", "#35;").replace('"', "#quot;")
        label = f'(["{text}"])' if node.kind == "upstream" else f'["{text}"]'
        lines.append(f"    {ids[node.name]}{label}")
    for one, other, copies in _edges(nodes):
        lines.append(f"    {ids[one]} {'-.->' if copies else '-->'} {ids[other]}")
    for state, (fill, edge) in _COLOURS.items():
        if found := [ids[node.name] for node in nodes if node.state == state]:
            lines.append(f"    classDef {state} fill:{fill},stroke:{edge},color:#000")
            lines.append(f"    class {','.join(found)} {state}")
    return "\n".join(lines)


def graph_dot(nodes: Collection[Node]) -> str:
    """Return a graph for Graphviz; a dotted line is for what is only copied from."""
    lines = ["digraph isol8 {", "    rankdir=LR;", "    node [shape=box];"]
    for node in nodes:
        marks = ["shape=ellipse"] if node.kind == "upstream" else []
        if node.state in _COLOURS:
            fill, edge = _COLOURS[node.state]
            marks += ["style=filled", f'fillcolor="{fill}"', f'color="{edge}"']
        if node.state:
            marks.append(f"tooltip={_quoted('; '.join((node.state, *node.why)))}")
        shown = f" [{', '.join(marks)}]" if marks else ""
        lines.append(f"    {_quoted(node.name)}{shown};")
    for one, other, copies in _edges(nodes):
        lines.append(f"    {_quoted(one)} -> {_quoted(other)}{' [style=dotted]' if copies else ''};")
    return "\n".join([*lines, "}"])


def graph_json(nodes: Iterable[Node]) -> str:
    """Return the nodes as data."""
    found = [*nodes]
    document = {
        "upstream": [node.name for node in found if node.kind == "upstream"],
        "images": [
            {
                "image": node.name,
                "kind": node.kind or None,
                "task": node.task or None,
                "parent": node.parent or None,
                "copies": list(node.copies),
                "state": node.state,
                "reasons": list(node.why),
            }
            for node in found
            if node.kind != "upstream"
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def _edges(nodes: Collection[Node]) -> Iterator[tuple[str, str, bool]]:
    """Yield what is based on what, and what only copies."""
    for node in nodes:
        if node.parent:
            yield node.parent, node.name, False
        for name in node.copies:
            yield name, node.name, True


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
