"""Mermaid's flowcharts from left to right, as `./doitw graph --mermaid` prints them, drawn as SVG."""

import re
from html import escape
from typing import Final

_WIDTH: Final = 8
"""Pixels of a letter."""
_NODE: Final = re.compile(r'^ *(\w+)(\(\[|\[)"(.*?)"', re.MULTILINE)
_EDGE: Final = re.compile(r"^ *(\w+) (-->|-\.->) (\w+)$", re.MULTILINE)


def drawn(flowchart: str) -> str:
    """Return a flowchart as an HTML figure; what another one has to say beyond nodes and edges is left out."""
    nodes = {name: (text, shape == "([") for name, shape, text in _NODE.findall(flowchart)}
    edges = [(one, other, line != "-->") for one, line, other in _EDGE.findall(flowchart)]
    parents = {other: one for one, other, copies in edges if not copies}
    places: dict[str, tuple[int, int]] = {}
    rows = 0

    def place(name: str, depth: int) -> None:
        nonlocal rows
        places[name] = (depth, rows)
        for child in [child for child, parent in parents.items() if parent == name]:
            place(child, depth + 1)
        rows = max(rows, places[name][1] + 1)

    for name in nodes:
        if name not in parents:
            place(name, 0)
    width = max(len(text) for text, _ in nodes.values()) * _WIDTH + 24
    shapes = [_edge(places[one], places[other], width, copies=copies) for one, other, copies in edges]
    shapes += [_node(*places[name], text, width, round_=upstream) for name, (text, upstream) in nodes.items()]
    columns = max(depth for depth, _ in places.values()) + 1
    wide = columns * width + (columns - 1) * 48 + 2
    words = "; ".join(
        f"{nodes[other][0]} {'copies from' if copies else 'is based on'} {nodes[one][0]}"
        for one, other, copies in edges
    )
    return (
        f'<figure class="graph" tabindex="0"><svg role="img" aria-label="{escape(words)}" '
        f'viewBox="0 0 {wide} {rows * 40}" width="{wide}" fill="none" stroke="currentColor">'
        f"{''.join(shapes)}</svg></figure>"
    )


def _node(depth: int, row: int, text: str, width: int, *, round_: bool) -> str:
    left, top = depth * (width + 48) + 1, row * 40 + 4
    return (
        f'<rect x="{left}" y="{top}" width="{width}" height="32" rx="{16 if round_ else 4}"/>'
        f'<text x="{left + width / 2}" y="{top + 21}" text-anchor="middle" fill="currentColor" stroke="none" '
        f'font-family="monospace" font-size="13">{escape(text)}</text>'
    )


def _edge(one: tuple[int, int], other: tuple[int, int], width: int, *, copies: bool) -> str:
    x, y = one[0] * (width + 48) + width + 1, one[1] * 40 + 20
    end, below = other[0] * (width + 48) + 1, other[1] * 40 + 20
    dots = ' stroke-dasharray="3 4"' if copies else ""
    return (
        f'<path d="M{x} {y}C{x + 24} {y} {end - 30} {below} {end - 7} {below}"{dots}/>'
        f'<path d="M{end} {below}l-7 -4v8z" fill="currentColor" stroke="none"/>'
    )
