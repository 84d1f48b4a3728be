"""What people read: decisions, outcomes and failures as lines of text, and the plan as data."""

import functools
import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, assert_never

from attrs import asdict

from isol8_tasks.config.deps import Config
from isol8_tasks.config.units import duration
from isol8_tasks.ecosystems.runtimes import ECOSYSTEMS
from isol8_tasks.errors import COMMAND
from isol8_tasks.images.references import Reference
from isol8_tasks.plan.decision import Decision
from isol8_tasks.plan.model import ImageSpec
from isol8_tasks.safety.printing import one_line

if TYPE_CHECKING:
    from isol8_tasks.images.choice import Choice, ClientChoice

NAME_WIDTH: Final = 18
"""Columns of an image's tag where nothing is known of the others."""
_STEP_WIDTH: Final = 72
_FEW: Final = 10
"""Lines of one kind that are shown before what people came for scrolls away."""
_COUNTER: Final = re.compile(r"\[(?:\S+ )?(\d+/\d+)\] (?:RUN )?")


def reasons_in_words(decision: Decision, config: Config) -> tuple[str, ...]:
    """Return each reason of a decision as a phrase."""
    if decision.problem:
        return (decision.problem,)
    if decision.state == "in-registry":
        return (f"up to date in {config.registry.repository}, so it is pulled",)
    # Here, since a run with nothing to do has no reasons to tell.
    from isol8_tasks.plan.reasons import Forced, OtherCheckout  # noqa: PLC0415
    from isol8_tasks.report.reasons import render_reason  # noqa: PLC0415

    # What is held is not built for being forced either.
    told = [each for each in decision.reasons if decision.held is None or not isinstance(each, Forced)]
    found = [
        one_line(
            render_reason(
                reason,
                repository=config.build.repository,
                declaration=config.declaration,
                setting=config.setting,
                alpine_place=functools.partial(config.place_of, decision.image),
            )
        )
        for reason in told
    ]
    if decision.held is None:
        return tuple(filter(None, (*found, CANDIDATE if decision.candidates else "")))
    updates = sum(not isinstance(each, OtherCheckout) for each in told)
    waiting = f"{updates or 'no'} update{'' if updates == 1 else 's'} waiting"
    if len(told) < len(decision.reasons):
        found.append(f"--force does not override a hold; run {COMMAND} release {decision.image} first")
    return (f"for {duration(decision.held)} (rolled back), {waiting}", *found)


CANDIDATE: Final = "a candidate exists: it is verified, and not built again"


def decision_line(decision: Decision, config: Config, *, width: int, states: int = 10) -> str:
    """Return one line for an image, its reasons behind one another; `states` columns are for its state."""
    words = "; ".join(reasons_in_words(decision, config))
    state = decision.state.replace("-", " ")
    return (
        str(Reference(config.build.repository, decision.image)).ljust(width)
        + f"  {state:<{states}}  {words}".rstrip()
    )


def abridged(lines: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return lines, each given behind its kind: the first ten of each kind, and at the end how many more there are."""
    shown: list[str] = []
    counts: dict[str, int] = {}
    for kind, line in lines:
        counts[kind] = counts.get(kind, 0) + 1
        if counts[kind] <= _FEW:
            shown.append(line)
    more = [
        f"and {count - _FEW} more {kind}: {COMMAND} plan shows all"
        for kind, count in counts.items()
        if count > _FEW
    ]
    return (*shown, *more)


def name_width(repository: str, names: Iterable[str]) -> int:
    """Return the columns that the tags of these images need."""
    return max([NAME_WIDTH, *(len(repository) + 1 + len(name) for name in names)])


def plan_table(decisions: Iterable[Decision], config: Config, *, heading: bool = True) -> str:
    """Return the decisions as a table, with a heading or below one."""
    rows = list(decisions)
    width = name_width(config.build.repository, [row.image for row in rows])
    states = max([10, *(len(row.state) for row in rows)])
    lines = ["image".ljust(width) + f"  {'state':<{states}}  why"] if heading else []
    lines += [decision_line(row, config, width=width, states=states) for row in rows]
    return "\n".join(lines)


def added_lines(config: Config, *, hint: bool = True) -> tuple[str, ...]:
    """Say what isol8's own file adds to deps.toml, where it says so, and what of it is left out.

    With `hint` also how a file in the home folder is left out.
    """
    added, repository = config.added, config.build.repository
    if added is None:
        return ()
    lines = [
        f"{added.place('dependencies', runtime)} adds {', '.join(packages)} to "
        f"{Reference(repository, f'{runtime}-custom')}"
        for runtime, packages in added.dependencies.items()
    ]
    lines += [
        f"{added.place('prebuiltImages', added.numbers[name])} declares {Reference(repository, name)}"
        for name in added.images
    ]
    if hint and lines and added.source.startswith("~"):
        lines.append(
            f"set ISOL8_CONFIG= to ignore {added.source}; {COMMAND} import copies it into {config.source}"
        )
    return (*lines, *added.others)


def registry_warnings(problem: str, unreadable: Mapping[str, str], repository: str) -> tuple[str, ...]:
    """Say that a registry could not be asked, or what of it can't be read, by the tag; and what follows."""
    asked = (
        f"the registry {problem}; what it may have is built here. Check that it answers, and docker login; "
        "--no-registry does not ask it"
    )
    each = (
        f"{Reference(repository, tag)} is not used: {why}; what no other tag there has is built here"
        for tag, why in unreadable.items()
    )
    return (*([asked] if problem else []), *each)


def any_age_line(tags: Iterable[str]) -> str:
    """Say of which images min_age does not hold."""
    return (
        f"min_age can't be enforced for apk and Bun's release; these images may have newer packages: "
        f"{', '.join(tags)}"
    )


def platform_line(config: Config, own: str) -> str:
    """Say what images are built for on an engine of a platform."""
    wanted = config.build.platform
    if not wanted:
        return f"built for {own}, the engine's own platform"
    emulated = "" if wanted == own else f"; the engine's own is {own}"
    platforms = " and ".join(config.build.platforms)
    return f"built for {platforms}, {config.setting('build.platforms')} build.platforms{emulated}"


def plan_json(
    decisions: Iterable[Decision],
    config: Config,
    own_platform: str,
    others: Mapping[str, Iterable[Decision]] | None = None,
) -> str:
    """Return the decisions as data; `others` are those for other platforms than the engine's own."""

    def rows(found: Iterable[Decision]) -> list[Mapping[str, object]]:
        return [
            {
                "image": str(Reference(config.build.repository, row.image)),
                "task": row.task or None,
                "state": row.state,
                "declared": config.declaration(row.image),
                "reasons": list(reasons_in_words(row, config)),
            }
            for row in found
        ]

    document: dict[str, object] = {
        "platform": config.build.platform or own_platform,
        "images": rows(decisions),
    }
    if others:
        document["others"] = {platform: rows(found) for platform, found in others.items()}
    return json.dumps(document, indent=2, ensure_ascii=False)


def undetermined_json(specs: Iterable[tuple[str, str]], problem: str, *, repository: str) -> str:
    """Return the plan of an engine that can't be asked: nothing is known of any image."""
    images = [
        {
            "image": str(Reference(repository, name)),
            "task": task,
            "state": "undetermined",
            "reasons": [problem],
        }
        for name, task in specs
    ]
    return json.dumps({"images": images}, indent=2, ensure_ascii=False)


def choice_lines(found: "Choice", choices: Iterable["ClientChoice"]) -> tuple[str, ...]:
    """Return which image a request gets, why, and where isol8's own clients take another."""
    if found.image is None:
        first = choice_problem(found)
    else:
        setup = "; its setup script runs before each execution" if found.setup else ""
        first = f"{found.image}  {_why(found)}{setup}"
    clients: dict[str, list[str]] = {}
    for choice in choices:
        if not choice.same:
            clients.setdefault(_other_choice(choice), []).append(choice.client)
    return (first, *(f"  isol8 {', '.join(names)} would use {what}" for what, names in clients.items()))


def choice_json(found: "Choice", choices: Iterable["ClientChoice"]) -> str:
    """Return which image a request gets as data."""
    document = {**asdict(found), "clients": [asdict(choice) for choice in choices]}
    return json.dumps(document, indent=2, ensure_ascii=False)


def choice_problem(found: "Choice") -> str:
    """Say that no image fits a request, and what to do about it."""
    if not found.packages:
        return f"there is no image for {found.runtime}: run {COMMAND} base:{found.runtime}, or {COMMAND} up for all"
    flag = shlex.quote(f"--{found.runtime}={','.join(found.packages)}")
    return (
        f"no image for {found.runtime} has {', '.join(found.packages)}: build one with {COMMAND} setup {flag}, "
        "or add them to deps.toml"
    )


def _why(found: "Choice") -> str:
    wanted, more = ", ".join(found.packages), ", ".join(found.more)
    match found.why:
        case "custom":
            return "is the custom image, which is preferred wherever it exists"
        case "base":
            return "is the base image, as there is no custom one"
        case "exact":
            return f"has exactly {wanted}"
        case "superset":
            return f"has {wanted} and the fewest others: {more}"
        case "none":
            return ""
        case _:
            assert_never(found.why)


def _other_choice(choice: "ClientChoice") -> str:
    how = ", depending on the order in which the engine lists images" if choice.by_order else ""
    lacks = ", and install the missing packages at each start" if choice.lacks else ""
    return f"{choice.image}{how}{lacks}"


def pushed_line(subject: str, repository: str, tags: Sequence[str], seconds: float) -> str:
    """Return what is said of an image, its tag in front, that has these tags in a registry now."""
    return f"{subject}  {'pushed':<10}  {repository}:{', '.join(tags)}  {seconds:.1f} s"


def shortened(step: str) -> str:
    """Return a step on one line, cut where a line has no room for it."""
    text = " ".join(step.split())
    return text if len(text) <= _STEP_WIDTH else f"{text[: _STEP_WIDTH - 1]}…"


def failed_step(step: str) -> str:
    """Return the builder's name of a step (`[bun 2/5] RUN curl …`) for people (`step 2/5: curl …`)."""
    found = _COUNTER.match(step)
    return shortened(f"step {found[1]}: {step[found.end() :]}" if found else step)


def failure_words(  # noqa: PLR0913 - one argument for each thing that is told
    *,
    subject: str,
    step: str,
    message: str,
    output: Sequence[str],
    kept: str,
    hint: str,
    log: str,
) -> tuple[str, ...]:
    """Return what is said of an image that could not be made, a line each: what failed, what stays, where to look."""
    first, *more = (step or message).splitlines() or [""]
    # The subject is in front of it already.
    first = first.removeprefix(f"{subject} ").removeprefix(f"{subject}: ")
    lines = [first, *(f"  {line}" for line in more)]
    lines += [f"    {line}" for line in output]
    if step and message and not output:
        lines.append(f"    {message}")
    if kept:
        lines.append(f"  Still using the image {kept}.")
    if hint or log:
        last = " ".join(word for word in (hint, f"Whole log: {log}" if log else "") if word)
        lines += [f"  {line}" for line in last.splitlines()]
    return tuple(lines)


def failure_lines(subject: str, words: Sequence[str], width: int) -> tuple[str, ...]:
    """Return what is said of a failure with its subject in front, in that many columns."""
    first, *more = words
    return (f"{subject.ljust(width)}  failed      {first}", *more)


def where_to_look(spec: ImageSpec, config: Config) -> str:
    """Say where to look when the build of an image failed."""
    if spec.kind == "base":
        return "Check docker/Dockerfile and [build] args in deps.toml."
    if spec.kind == "named":
        return f"Check [images.{spec.name}] in {config.declaration(spec.name)}."
    flags = {package for package, _ in spec.flags}
    declared = config.dependencies[spec.runtime]
    place = config.place(spec.runtime, declared[0]) if declared else None
    listed = config.listed.get(spec.runtime)
    of_list = listed is not None and place in listed.packages.values()
    looks = [place if of_list else f"[dependencies] {spec.runtime} in {place}"] if place else []
    if flags:
        looks.append(f"the flag --{spec.runtime} ({', '.join(sorted(flags))}; --only-file drops it)")
    if spec.inputs.system:
        where = config.place_of(spec.name, "system", spec.inputs.system[0])
        looks.append(f"[system] {spec.runtime} in {where}")
    return f"Check {' and '.join(looks)}."


def no_build_for_alpine(ecosystem: str, output: Sequence[str]) -> str:
    """Say in plain words that a package has no build for Alpine, where an installer's last lines come to that."""
    text = "\n".join(output)
    for pattern, words in ECOSYSTEMS[ecosystem].failures:
        if found := re.search(pattern, text):
            return words.format(*found.groups())
    return ""


SAME: Final = "rebuilt, same result"
"""Of an image whose rebuild replaced nothing."""


def run_summary(counts: Mapping[str, int], *, engine: str, manifest: str, seconds: float | None) -> str:
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
