"""The part of a Dockerfile that one target needs, for a builder that builds every stage before it."""

import re
from collections.abc import Mapping

from isol8_tasks.plan.lexer import UnreadableError
from isol8_tasks.plan.stages import Resolver, Stage
from isol8_tasks.plan.syntax import Dockerfile


def slice_dockerfile(
    dockerfile: Dockerfile, target: str | None, args: Mapping[str, str] | None = None
) -> str:
    """Return the text with only what precedes the first FROM, and the stages that a target needs.

    What stays is the same to the byte, but for stage numbers. None as target is the last stage. A text that
    can't be cut safely is returned whole.
    """
    resolver = Resolver(dockerfile, args or {})
    stage = resolver.stages[-1] if target is None else resolver.target(target)
    return _cut(resolver, stage)


def _cut(resolver: Resolver, target: Stage) -> str:
    dockerfile = resolver.dockerfile
    if dockerfile.unreadable:
        return dockerfile.text
    try:
        needed = sorted(resolver.order(target), key=lambda each: each.index)
    except UnreadableError:
        return dockerfile.text
    numbers = {each.index: place for place, each in enumerate(needed)}
    lines = re.findall(r"[^\n]*\n|[^\n]+", dockerfile.text)
    starts = [*(each.start.line - 1 for each in resolver.stages), len(lines)]
    for each in needed:
        if not _renumber(each, numbers, lines):
            return dockerfile.text
    kept = lines[: starts[0]]
    for each in needed:
        kept += lines[starts[each.index] : starts[each.index + 1]]
    return "".join(kept)


def _renumber(stage: Stage, numbers: Mapping[int, int], lines: list[str]) -> bool:
    """Put the new numbers of stages into the lines of a stage; return False where one is not found there."""
    for each in stage.steps:
        step = each.trigger or each
        written = step.flag("from") if step.keyword == "COPY" else None
        if not written or not written.isdecimal() or numbers.get(int(written), int(written)) == int(written):
            continue
        flag = re.compile(rf"--from=(['\"]?){written}\1(?=\s)")
        places = [place for place in range(each.line - 1, each.end) if flag.search(lines[place])]
        if len(places) != 1:
            return False
        lines[places[0]] = flag.sub(f"--from={numbers[int(written)]}", lines[places[0]], count=1)
    return True
