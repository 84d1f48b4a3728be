"""A Dockerfile for one target: the part that it needs alone, or with variables of its own."""

import re
from collections.abc import Mapping

from isol8_tasks.dockerfile.lexer import UnreadableError
from isol8_tasks.dockerfile.stages import Stage, StageResolver
from isol8_tasks.dockerfile.syntax import Dockerfile


def slice_dockerfile(
    dockerfile: Dockerfile, target: str | None, args: Mapping[str, str] | None = None
) -> str:
    """Return the text with only what precedes the first FROM, and the stages that a target needs.

    What stays is the same to the byte, but for stage numbers. None as target is the last stage. A text that
    can't be cut safely is returned whole.
    """
    resolver = StageResolver(dockerfile, args or {})
    stage = resolver.stages[-1] if target is None else resolver.target(target)
    return _cut(resolver, stage)


def with_environment(dockerfile: Dockerfile, target: str, variables: Mapping[str, str]) -> str:
    """Return the text with variables set at the end of a stage, where they cost no step its cache.

    The values hold nothing that a Dockerfile would read as more than text.
    """
    stages = StageResolver(dockerfile, {})
    later = stages.stages[stages.target(target).index + 1 :]
    lines = _lines(dockerfile.text)
    end = later[0].start.line - 1 if later else len(lines)
    # What is behind the last line's end may lack one.
    lines[end:end] = ["\n" * (not later), *(f"ENV {name}={value}\n" for name, value in variables.items())]
    return "".join(lines)


def _cut(resolver: StageResolver, target: Stage) -> str:
    dockerfile = resolver.dockerfile
    if dockerfile.unreadable:
        return dockerfile.text
    try:
        needed = sorted(resolver.order(target), key=lambda each: each.index)
    except UnreadableError:
        return dockerfile.text
    numbers = {each.index: place for place, each in enumerate(needed)}
    lines = _lines(dockerfile.text)
    starts = [*(each.start.line - 1 for each in resolver.stages), len(lines)]
    for each in needed:
        if not _renumber(each, numbers, lines):
            return dockerfile.text
    kept = lines[: starts[0]]
    for each in needed:
        kept += lines[starts[each.index] : starts[each.index + 1]]
    return "".join(kept)


def _lines(text: str) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+", text)


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
