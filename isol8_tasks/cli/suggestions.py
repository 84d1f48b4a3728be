"""What is said of words and flags that mean nothing where they stand: what was probably meant, and its place."""

import difflib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from attrs import frozen

from isol8_tasks.config.foreign import RUNTIMES_BY_TOOL
from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.errors import COMMAND
from isol8_tasks.plan.model import task_of

RUN: Final = "run"
"""The command that needs not be named; its flags stand before the tasks."""


@frozen(kw_only=True)
class Typed:
    """What was typed, and what could have been."""

    command: str
    words: Sequence[str]
    """Behind the command."""
    flags: Mapping[str, Mapping[str, str]]
    """By command, or task, its flags (`--wait`, `-n`), each with its value's place where it has one: `--wait=…`."""
    of_task: bool = False
    """It was the flags of a task that could not be read."""

    def owner(self, flag: str) -> str:
        """Return what a flag was typed behind: the command, or a task of a run."""
        task = ""
        for word in self.words if self.of_task else ():
            if word.partition("=")[0] == flag or re.match(f"-\\w*{flag[1:]}", word):
                break
            task = task if word.startswith("-") else word
        return task or self.command

    def flags_of(self, owner: str) -> Mapping[str, str]:
        """Return the flags of a command or a task."""
        return self.flags.get(owner.partition(":")[0], {})


def unknown_word(
    word: str, commands: Collection[str], tasks: Collection[str], before: Sequence[str] = ()
) -> str:
    """Say that a word is neither a command nor a task, and which of them was probably meant, or that it's a package."""
    if word in commands:
        return f"{word} is a command, and must be the first word: {COMMAND} {word}"
    if word.startswith("-"):
        return f"{word} follows no task; write it after the task that it is for: {COMMAND} base:bun {word}"
    task = word if word.startswith("custom:") else task_of(word.rpartition(":")[2])
    if task.startswith("custom:") and task not in tasks:
        runtime = task.partition(":")[2]
        if f"base:{runtime}" in tasks:
            return f"{word!r}: no packages are declared for {runtime}; write them to deps.toml"
    if difflib.get_close_matches(word.lower(), _INSTALLING, n=1, cutoff=_LIKENESS_OF_OTHERS):
        return f"{word!r} is no command here: write packages to deps.toml, or name them: {COMMAND} setup --python numpy"
    near = meant(word, commands, tasks)
    if before and (said := _behind_a_task(word, near)):
        return said
    return (
        f"{word!r} {'matches no task' if set(word) & set('*?[') else 'is neither a command nor a task'}; "
        f"{f'did you mean {near}? ' if near else ''}"
        f"{COMMAND} help lists the commands, {COMMAND} list the tasks"
    )


def _behind_a_task(word: str, near: str) -> str:
    """Say how a runtime or a package is given to setup; empty where a word is neither."""
    if word in RUNTIMES:
        return f"{word!r} is not a task; write {COMMAND} setup --only {word}"
    if near or not re.fullmatch(r"[\w@][\w@./-]*", word):
        return ""
    flag = f"--node {word}, or --bun" if "/" in word else f"--python {word}, or --node and so on"
    return f"{word!r} is not a task; for a package write {COMMAND} setup {flag}"


def another_package(word: str, before: Sequence[str]) -> str:
    """Say how several packages are written, where a word follows the packages of a flag; empty elsewhere."""
    flag, _, given = before[-1].partition("=") if before else ("", "", "")
    if not given and len(before) > 1:
        flag, given = before[-2:]
    if flag.removeprefix("--") not in RUNTIMES or not flag.startswith("--") or word.startswith("-"):
        return ""
    return f"{word!r} follows {flag} {given}; write all its packages as one word: {flag} {given},{word}"


def unknown_task(word: str, tasks: Collection[str], of: str) -> str:
    """Say that a word of a command is no task, and which was probably meant."""
    near = meant(word, (), tasks)
    hint = f"did you mean {COMMAND} {of} {near}? " if near else ""
    return f"{of}: {word!r} is not a task; {hint}{COMMAND} list shows them"


def meant(word: str, commands: Iterable[str], tasks: Collection[str]) -> str:
    """Return the command or task that a word looks like; empty if it looks like none."""
    names = {task.partition(":")[2]: task for task in tasks if ":" in task}
    names |= {f"{name}-custom": task for name, task in names.items() if task.startswith("custom:")}
    # The name of an image, with or without the repository of its tag.
    name = word.rpartition(":")[2].lower()
    for task in (task_of(name), name):
        if task in tasks and task != word:
            return task
    places = {**names, **{each: each for each in (*commands, *tasks)}}
    if (other := _SYNONYMS.get(word.lower(), "")) in places or other.startswith("--"):
        return other
    kind, colon, rest = word.partition(":")
    if same := {each.partition(":")[2]: each for each in tasks if colon and each.startswith(f"{kind}:")}:
        # What all of them have in common is no likeness.
        places, word = same, rest
    near = difflib.get_close_matches(word.lower(), places, n=1, cutoff=_LIKENESS)
    return places[near[0]] if near else ""


def misread(message: str, typed: Typed) -> str:
    """Say what is wrong with a flag, without the insides of the parser that did not understand it."""
    pattern = r"option (\S+) (not recognized|not a unique prefix|requires argument|must not have an argument)"
    if found := re.search(pattern, message):
        return _misread_flag(found[1], found[2], typed)
    pattern = r"parameter '(\w+)'. Provided ('.*') but available choices are: (.*)\.$"
    if found := re.search(pattern, message, re.DOTALL):
        return f"--{found[1]}: {found[2]} is not one of {found[3]}"
    return " ".join(message.partition(" (parsing options")[0].split()).rstrip(".")


def _misread_flag(flag: str, problem: str, typed: Typed) -> str:
    if problem == "not a unique prefix":
        meant = sorted(each for each in typed.flags_of(typed.owner(flag)) if each.startswith(flag))
        return f"{flag} is short for {_listed(meant, 'and')}; write one of them"
    if problem == "must not have an argument":
        return f"{flag} takes no value; write {flag} alone"
    short = next((word for word in typed.words if flag.startswith(word) and word != flag), "")
    # The beginning of one of doit's own, by chance.
    by_chance = any(short in flags for flags in typed.flags.values())
    if problem == "requires argument" and not by_chance:
        return f"{flag} needs a value: {flag}{'=' if flag.startswith('--') else ' '}…"
    return _unknown_flag(short if by_chance else flag, typed)


def _unknown_flag(flag: str, typed: Typed) -> str:
    """Say that a command or a task has no such flag: which has it, or which was probably meant."""
    of = typed.owner(flag)
    everywhere = {each: name for name in reversed([*typed.flags]) for each in typed.flags[name]}
    # -force is read as -f, -o and so on.
    word = next(
        (f"-{word}" for word in typed.words if f"-{word}" in everywhere and word.startswith(flag)), ""
    )
    said = f"{'a run' if of == RUN else of} has no flag {word[1:] or flag}"
    flag = word or flag
    places = [name for name in typed.flags if flag in typed.flags[name]]
    if typed.of_task and flag in typed.flags[RUN]:
        form = f"{typed.flags[RUN][flag]} {of}"
        return f"{said}; it is for the whole run, and must come before the tasks: {COMMAND} {form}"
    own = typed.flags_of(of)
    if places and flag not in own:
        name = places[0]
        form = f"{'' if name == RUN else f'{name} '}{typed.flags[name][flag]}"
        return f"{said}; it is one of {_listed(places)}: {COMMAND} {form}"
    if (runtime := RUNTIMES_BY_TOOL.get(flag.strip("-").lower(), "")) and f"--{runtime}" in own:
        return f"{said}; write --{runtime}"
    for flags, likeness in ((own, _LIKENESS), (everywhere, _LIKENESS_ELSEWHERE)):
        long = [each for each in flags if each.startswith("--")]
        if near := difflib.get_close_matches(flag, long, n=1, cutoff=likeness):
            meant = near[0] if near[0] in own else f"{COMMAND} {everywhere[near[0]]} {near[0]}"
            return f"{said}; did you mean {meant}? {COMMAND} {of} --help lists those it has"
    return f"{said}; {COMMAND} {of} --help lists those it has"


def _listed(names: Sequence[str], word: str = "or") -> str:
    return " ".join(filter(None, (", ".join(names[:-1]), word if names[1:] else "", *names[-1:])))


_LIKENESS: Final = 0.6
_LIKENESS_ELSEWHERE: Final = 0.75
"""How like a word has to be to what it is taken for, from 0 to 1."""
_LIKENESS_OF_OTHERS: Final = 0.85
_INSTALLING: Final = frozenset(("add", "install", "i", "pip", "npm", "apk"))
"""What installs packages elsewhere."""
_SYNONYMS: Final = {
    "all": "setup",
    "build": "setup",
    "make": "setup",
    "start": "up",
    "stop": "down",
    "status": "plan",
    "diff": "plan",
    "ls": "list",
    "images": "list",
    "show": "info",
    "rm": "clean",
    "rmi": "clean",
    "remove": "clean",
    "delete": "clean",
    "gc": "prune",
    "undo": "rollback",
    "unhold": "release",
    "update": "refresh",
    "outdated": "freshness",
    "freeze": "lock",
    "version": "--version",
}
"""What other tools call what is here."""
