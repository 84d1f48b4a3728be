"""What a shell completes of a command line, as a program for bash, zsh or fish."""

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from attrs import Factory, evolve, frozen

OTHERS: Final = "*"
COMMANDS: Final = "@commands"
TASKS: Final = "@tasks"
IMAGES: Final = "@images"
FILES: Final = "@files"
"""Operands that are more than one word."""


@frozen(kw_only=True)
class Completed:
    """A command, as it is completed."""

    name: str
    """Empty for what is completed where no command is named yet, `OTHERS` for what is none."""
    purpose: str = ""
    """Empty for what is not offered as a command."""
    flags: Mapping[str, str] = Factory(dict)
    """What each is for."""
    operands: Sequence[str] = ()


def script(shell: str, command: str, commands: Sequence[Completed]) -> str:
    """Return the program for a shell, which completes what is called `command`: a name, or the path of one."""
    name = command.rpartition("/")[2]
    text, cases = _SHELLS[shell]
    spelt = [evolve(each, operands=_spelt(each.operands, _named(commands))) for each in commands]
    lines = "\n".join(cases(spelt, name))
    for word, meaning in {
        "COMMAND": command,
        "NAME": name,
        "FUNCTION": _function(name),
        "CASES": lines,
    }.items():
        text = text.replace(f"@{word}@", meaning)
    return text


_LISTED: Final = """
    if [[ $of == *@images* ]]; then
        offered+=" $("$program" list --quiet 2>/dev/null |
            sed -n 's/ *$//; s/^base://p; s/^custom:\\(.*\\)/\\1-custom/p; s/^image://p')"
    elif [[ $of == *@tasks* ]]; then
        offered+=" $("$program" list --quiet 2>/dev/null)"
    fi"""
_BASH: Final = (
    """\
# Completes @NAME@ in bash. In ~/.bashrc: source <(@COMMAND@ completion bash)
@FUNCTION@() {
    local line=${COMP_LINE:0:COMP_POINT} command='' flags='' offered='' of=''
    local -a typed
    read -ra typed <<<"$line"
    [[ $line == *[[:space:]] ]] && typed+=('')
    local program=${typed[0]} word=${typed[${#typed[@]} - 1]}
    ((${#typed[@]} > 2)) && command=${typed[1]}
    case $command in
@CASES@
    esac
    if [[ $word == -* ]]; then
        offered=$flags of=''
    fi"""
    + _LISTED
    + """
    if [[ $of == *@files* ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    else
        mapfile -t COMPREPLY < <(compgen -W "$offered" -- "$word")
    fi
    # The line is taken for several words at the colons.
    [[ $COMP_WORDBREAKS != *:* ]] || COMPREPLY=("${COMPREPLY[@]#"${word%"${word##*:}"}"}")
}
complete -F @FUNCTION@ @NAME@
"""
)
_ZSH: Final = (
    """\
# Completes @NAME@ in zsh. In ~/.zshrc, after compinit: source <(@COMMAND@ completion zsh)
@FUNCTION@() {
    local program=$words[1] word=$words[CURRENT] command='' of=''
    (( CURRENT > 2 )) && command=$words[2]
    local -a flags described
    local offered=''
    case $command in
@CASES@
    esac
    if [[ $word == -* ]]; then
        _describe -o option flags
        return
    fi"""
    + _LISTED
    + """
    [[ $of != *@files* ]] || _files
    (( ! $#described )) || _describe command described
    compadd -- ${=offered}
}
compdef @FUNCTION@ @NAME@
"""
)
_FISH: Final = """\
# Completes @NAME@ in fish. In ~/.config/fish/config.fish: @COMMAND@ completion fish | source
complete -c @NAME@ -f
function @FUNCTION@_tasks
    set -l typed (commandline -opc)
    $typed[1] list --quiet 2>/dev/null | string trim
end
function @FUNCTION@_images
    @FUNCTION@_tasks | sed -n 's/ *$//; s/^base://p; s/^custom:\\(.*\\)/\\1-custom/p; s/^image://p'
end
@CASES@
"""


def _named(commands: Iterable[Completed]) -> dict[str, str]:
    """Return what the commands that are offered are for."""
    return {each.name: each.purpose for each in commands if each.purpose}


def _spelt(operands: Iterable[str], commands: Iterable[str]) -> tuple[str, ...]:
    """Return the operands with the commands by their names."""
    return tuple(word for each in operands for word in (commands if each == COMMANDS else (each,)))


def _split(operands: Iterable[str]) -> tuple[str, str]:
    """Return the operands that are words, and those that are listed."""
    words = [word for word in operands if not word.startswith("@")]
    return " ".join(words), " ".join(word for word in operands if word.startswith("@"))


def _bash_cases(commands: Sequence[Completed], _name: str) -> Iterator[str]:
    for each in commands:
        words, of = _split(each.operands)
        if not each.name:
            words = " ".join(_named(commands))
        parts = {"flags": " ".join(each.flags), "offered": words, "of": of}
        text = " ".join(f"{name}={shlex.quote(text)}" for name, text in parts.items() if text)
        yield f"    {each.name or _NOTHING}) {text or ':'} ;;"


def _zsh_cases(commands: Sequence[Completed], _name: str) -> Iterator[str]:
    for each in commands:
        words, of = _split(each.operands)
        parts = {"offered": shlex.quote(words), "of": shlex.quote(of), "flags": f"({_described(each.flags)})"}
        if not each.name:
            parts["described"] = f"({_described(_named(commands))})"
        text = " ".join(f"{name}={text}" for name, text in parts.items() if text.strip("'()"))
        yield f"    {each.name or _NOTHING}) {text or ':'} ;;"


def _described(words: Mapping[str, str]) -> str:
    return " ".join(shlex.quote(f"{word}:{purpose}") for word, purpose in words.items())


def _fish_cases(commands: Sequence[Completed], name: str) -> Iterator[str]:
    listed = {each: f"({_function(name)}_{each.removeprefix('@')})" for each in (TASKS, IMAGES)}
    first = f"complete -c {name} -n __fish_use_subcommand"
    for each in commands:
        if each.purpose:
            yield f"{first} -a {each.name} -d {_fish_quoted(each.purpose)}"
        condition = f"__fish_seen_subcommand_from {each.name}"
        if each.name == OTHERS:
            others = " ".join(other.name for other in commands if other.name not in {"", OTHERS})
            condition = f"not __fish_use_subcommand; and not __fish_seen_subcommand_from {others}"
        behind = f"complete -c {name} -n '{condition}'" if each.name else first
        for flag, purpose in each.flags.items():
            yield f"{behind} -l {flag.removeprefix('--')} -d {_fish_quoted(purpose)}"
        for word in each.operands:
            yield f"{behind} -F" if word == FILES else f"{behind} -a {_fish_quoted(listed.get(word, word))}"


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _function(name: str) -> str:
    return "_" + name.replace("-", "_")


_NOTHING: Final = "''"
_SHELLS: Final[Mapping[str, tuple[str, Callable[[Sequence[Completed], str], Iterator[str]]]]] = {
    "bash": (_BASH, _bash_cases),
    "zsh": (_ZSH, _zsh_cases),
    "fish": (_FISH, _fish_cases),
}
SHELLS: Final = tuple(_SHELLS)
"""For which there is a program."""
