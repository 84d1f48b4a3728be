"""What people read: decisions, outcomes and failures as lines of text, and the plan as data."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from isol8_tasks.plan.staleness import Decision

NAME_WIDTH: Final = 18
"""Columns of an image's tag where nothing is known of the others."""
_STEP_WIDTH: Final = 72
_COUNTER: Final = re.compile(r"\[(?:\S+ )?(\d+/\d+)\] (?:RUN )?")


def reasons_in_words(decision: Decision, *, repository: str) -> tuple[str, ...]:
    """Return each reason of a decision as a phrase."""
    if decision.problem:
        return (decision.problem,)
    # Here, since a run with nothing to do has no reasons to tell.
    from isol8_tasks.plan.reasons import render  # noqa: PLC0415

    return tuple(render(reason, repository=repository) for reason in decision.reasons)


def decision_line(decision: Decision, *, repository: str, width: int) -> str:
    """Return one line for an image, its reasons behind one another."""
    words = "; ".join(reasons_in_words(decision, repository=repository))
    state = decision.state.replace("-", " ")
    return f"{repository}:{decision.image}".ljust(width) + f"  {state:<10}  {words}".rstrip()


def plan_table(decisions: Iterable[Decision], *, repository: str) -> str:
    """Return the decisions as a table with a heading."""
    rows = list(decisions)
    width = max([NAME_WIDTH, *(len(repository) + 1 + len(row.image) for row in rows)])
    lines = ["image".ljust(width) + f"  {'state':<10}  why"]
    lines += [decision_line(row, repository=repository, width=width) for row in rows]
    return "\n".join(lines)


def plan_json(decisions: Iterable[Decision], *, repository: str) -> str:
    """Return the decisions as data."""
    images = [
        {
            "image": f"{repository}:{row.image}",
            "task": row.task or None,
            "state": row.state,
            "reasons": list(reasons_in_words(row, repository=repository)),
        }
        for row in decisions
    ]
    return json.dumps({"images": images}, indent=2, ensure_ascii=False)


def unknown_json(specs: Iterable[tuple[str, str]], problem: str, *, repository: str) -> str:
    """Return the plan of an engine that can't be asked: nothing is known of any image."""
    images = [
        {"image": f"{repository}:{name}", "task": task, "state": "unknown", "reasons": [problem]}
        for name, task in specs
    ]
    return json.dumps({"images": images}, indent=2, ensure_ascii=False)


def shortened(step: str) -> str:
    """Return a step on one line, cut where a line has no room for it."""
    text = " ".join(step.split())
    return text if len(text) <= _STEP_WIDTH else f"{text[: _STEP_WIDTH - 1]}…"


def failed_step(step: str) -> str:
    """Return the builder's name of a step (`[bun 2/5] RUN curl …`) for people (`step 2/5: curl …`)."""
    found = _COUNTER.match(step)
    return shortened(f"step {found[1]}: {step[found.end() :]}" if found else step)


def failure_lines(  # noqa: PLR0913 - one argument for each thing that is told
    *,
    subject: str,
    width: int,
    step: str,
    message: str,
    output: Sequence[str],
    kept: str,
    hint: str,
    log: str,
) -> tuple[str, ...]:
    """Return what is said of an image that could not be made: what failed, what stays, where to look."""
    first, *more = (step or message).splitlines() or [""]
    lines = [subject.ljust(width) + "  failed      " + first]
    lines += [f"  {line}" for line in more]
    lines += [f"    {line}" for line in output]
    if step and message and not output:
        lines.append(f"    {message}")
    if kept:
        lines.append(f"  The image in use stays as it was ({kept}).")
    if hint or log:
        lines.append("  " + " ".join(word for word in (hint, f"Whole log: {log}" if log else "") if word))
    return tuple(lines)


def summary(counts: Mapping[str, int], *, engine: str, manifest: str, seconds: float | None) -> str:
    """Return the last line of a run: what came of how many images."""
    parts = [f"{count} {what}" for what, count in counts.items() if count]
    if list(counts) and not any(count for what, count in counts.items() if what != "up to date"):
        count = counts.get("up to date", 0)
        parts = [f"{count} image{'' if count == 1 else 's'} up to date"]
    if seconds is not None:
        parts.append(f"{seconds:.1f} s")
    return " · ".join([*parts, *(word for word in (engine, manifest) if word)])


def manifest_phrase(changed: tuple[str, ...] | None, *, name: str) -> str:
    """Say what became of the manifest; nothing where it was not looked at."""
    if changed is None:
        return ""
    if not changed:
        return f"{name} unchanged"
    shown = changed if len(changed) <= 4 else (*changed[:3], f"{len(changed) - 3} more")  # noqa: PLR2004 - a line's room
    return f"{name}: {', '.join(shown)} changed"
