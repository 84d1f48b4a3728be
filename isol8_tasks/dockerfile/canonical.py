"""An instruction in the form in which it counts: what BuildKit overlooks is gone, and nothing else."""

import json
from collections.abc import Mapping, Sequence

from isol8_tasks.dockerfile.heredocs import Heredoc, heredoc_name
from isol8_tasks.dockerfile.inputs import Step
from isol8_tasks.dockerfile.syntax import Instruction
from isol8_tasks.dockerfile.variables import Value
from isol8_tasks.ecosystems.runtimes import is_location

Pair = tuple[str, Value]


def canonical(
    instruction: Instruction,
    *,
    pairs: Sequence[Pair] = (),
    words: Sequence[str] = (),
    mounts: Mapping[str, str] | None = None,
    options: Mapping[str, str] | None = None,
) -> str:
    """Return an instruction as it counts.

    `pairs` are the values of an ENV or LABEL;
    `words` are what the arguments of an instruction come to that BuildKit expands, and `options` what flags come to.
    What `--from` and the `from=` in `mounts` refer to is said by position, so that a stage may be renamed.
    """
    given = _flags(instruction, options or {}, mounts or {})
    body = _body(instruction, pairs, words)
    if given or body.startswith("--"):
        given += " --"
    return f"{instruction.keyword}{given} {body}{_heredocs(instruction)}"


def canonical_from(platform: str | None, origin: str) -> str:
    """Return a FROM as it counts: by what it refers to, not by its name."""
    return f"FROM {origin}" if platform is None else f"FROM --platform={platform} {origin}"


def gathered(steps: list[Step]) -> tuple[Step, ...]:
    """Return the steps with their ONBUILD triggers in one place: where one stands among the others is no matter."""
    onbuild = [each for each in steps if each.text.startswith("ONBUILD ")]
    others = [each for each in steps if each not in onbuild]
    place = max(1, len(others) - 1)
    return (*others[:place], *onbuild, *others[place:])


def _body(instruction: Instruction, pairs: Sequence[Pair], words: Sequence[str]) -> str:  # noqa: PLR0911 - one for each kind
    match instruction.keyword:
        case "ARG":
            # Whether there is a value shows in the history of the image; its text is one of the arguments.
            return " ".join(words)
        case "ENV" | "LABEL":
            return _json([_pair(*pair) for pair in pairs])
        case "EXPOSE":
            return _json(sorted({_port(each) for each in words}))
        case "ADD" | "COPY" | "VOLUME":
            return _json(words)
        case "STOPSIGNAL" | "USER" | "WORKDIR":
            return words[0]
        case "ONBUILD" if instruction.trigger:
            return _onbuild(instruction.trigger, instruction.rest)
        case "HEALTHCHECK":
            kind, *command = instruction.rest.split(None, 1)
            return f"{kind.upper()} {_shell_or_array(instruction, ''.join(command))}"
        case _:
            return _shell_or_array(instruction, instruction.rest)


def _port(word: str) -> str:
    if "$" in word:
        return word
    return word.lower() if "/" in word else f"{word}/tcp"


def _shell_or_array(instruction: Instruction, shell: str) -> str:
    return shell if instruction.array is None else _json(instruction.array)


def _pair(name: str, value: Value) -> list[str | None]:
    return [name, value.text] if value.plain else [name, value.counts, None]


def _onbuild(trigger: Instruction, text: str) -> str:
    """Return an ONBUILD trigger: BuildKit keeps its text, but where to fetch from doesn't count here either."""
    if trigger.keyword != "ARG":
        return text + _heredocs(trigger)
    return " ".join(
        ("ARG", *(word.partition("=")[0] if _is_location(word) else word for word in trigger.words))
    )


def _is_location(word: str) -> bool:
    return is_location(word.partition("=")[0])


def _flags(instruction: Instruction, options: Mapping[str, str], mounts: Mapping[str, str]) -> str:
    found = []
    for name, value in instruction.options:
        order, text = (name, ""), options.get(name, value)
        if name == "link" and value.lower() == "false":
            continue
        if name == "mount":
            from isol8_tasks.dockerfile.mounts import canonical_mount  # noqa: PLC0415 - not all have one

            # The builder sorts mounts by where they go.
            target, text = canonical_mount(value, mounts)
            order = (name, target)
        flag = f"--{name}={text}"
        found.append((order, _json(flag) if any(map(str.isspace, flag)) else flag))
    # The order of flags means nothing, but for those that can be given more than once.
    return "".join(f" {flag}" for _, flag in sorted(found, key=lambda each: each[0]))


def _heredocs(instruction: Instruction) -> str:
    return "".join(f"\n{_json(_heredoc(instruction, each))}" for each in instruction.heredocs)


def _heredoc(instruction: Instruction, heredoc: Heredoc) -> list[object]:
    """BuildKit itself takes the tabs away unless a shell gets to read the here-document."""
    shell_reads = instruction.keyword == "RUN" and heredoc_name(instruction.rest) is None
    content = heredoc.content if shell_reads else heredoc.text
    return [heredoc.name, content, heredoc.expand]


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
