"""Commands that install packages elsewhere, and the packages in them."""

import re
from collections.abc import Sequence
from typing import Final


def command(_: str, text: str) -> Sequence[str] | None:
    """Read the packages in a command, or in several."""
    parts = re.split(r"\s*&&\s*", text)
    found = [match for part in parts if (match := re.fullmatch(rf"{PROMPT}({_COMMANDS})\s+(.+)", part))]
    if not found:
        return None
    words: list[str] = []
    for begun, given in (match.groups() for match in found):
        if file := re.search(rf"(?:^|\s)(?:-r|--requirement)[ =]*({FILE})", given):
            return [file[1]]
        own = [
            word.strip("\"'") for word in re.sub(_WITH_VALUES, "", given).split() if not word.startswith("-")
        ]
        # What follows the program that is run are its own words.
        words += own[:1] if re.search(_RUNS, begun) else own
    return words or None


def unnamed(_: str, text: str) -> Sequence[str] | None:
    """Read nothing of a command that names no package."""
    return [] if re.match(rf"{PROMPT}{PROGRAMS}", text) else None


PROMPT: Final = r"(?:[^\n]*&&\s*|(?:RUN |\$ |!|%|# )?)(?:sudo )?"
"""What may stand before a command."""
OF_PYPI: Final = (
    r"(?:python[\d.]* -m |py -m |uv )?pip[\d.]* install|(?:uv|poetry|pdm|rye) add|pipenv install|pipx (?:install|run)"
    r"|uv tool (?:install|run)|uvx|(?:conda|mamba|micromamba) install|easy_install"
)
OF_NPM: Final = (
    r"npm (?:-g |--global )?(?:i|install|add|exec)|npx|yarn (?:global )?(?:add|dlx)|pnpm (?:-g )?(?:add|i|install|dlx)"
    r"|bunx|bun (?:add|i|install|x)"
)
OF_DISTRIBUTION: Final = (
    r"apk (?:--?[\w-]+ )*add|(?:apt|apt-get|dnf|microdnf|yum|zypper|brew) (?:-y )?install|pacman -S\w*"
)
PROGRAMS: Final = (
    r"(?:(?:pip\d?|uv|poetry|pdm|pipenv|conda|mamba|npm|yarn|pnpm|bun|deno|apk|apt|apt-get|dnf|yum|brew|git|curl|wget|docker)"
    r"\s+(?:-|https?:|(?:install|i|ci|update|upgrade|sync|lock|run|init|pip|freeze|export|list|search|clone|pull|build"
    r"|test|start|exec|env|create|activate)\b)|(?:COPY|ENV|FROM|RUN|ARG|WORKDIR|CMD)\s)"
)
"""Several are packages as well, so that not each word behind one makes a command."""
OF_OTHERS: Final = (
    r"(?:cargo|go|gem|composer|dotnet|luarocks|choco|winget|snap|flatpak|docker|R CMD)"
    r" (?:install|add|get|require|pull)"
)
"""The beginnings of commands."""
_COMMANDS: Final = rf"{OF_PYPI}|{OF_NPM}|{OF_DISTRIBUTION}|deno (?:add|install|cache)|install|add|Collecting"
_RUNS: Final = r"(?:x|dlx|exec|run)$"
"""The ends of commands that run a package's program."""
_WITH_VALUES: Final = (
    r"(?:^|\s)(?:-[ciGtnX]|--(?:index-url|extra-index-url|channel|group|virtual|registry|name|target|prefix|repository"
    r"|constraint|extras|optional))[ =]\S+"
)
"""Options that have a value behind them."""
FILE: Final = (
    r"(?:[\w.-]+\.txt|requirements[\w.-]*\.(?:in|lock)|pyproject\.toml|Pipfile(?:\.lock)?|poetry\.lock|uv\.lock"
    r"|setup\.(?:py|cfg)|(?:environment|conda)[\w-]*\.ya?ml|package(?:-lock)?\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lockb?"
    r"|deno\.jsonc?|deno\.lock)"
)
"""A file of a package manager's."""
