"""The steps of an image with its secrets: `RUN --mount=type=secret`, and where installers look for what is mounted.

Secrets are files in memory, as Docker 20.10's BuildKit knows no other form: it refuses `env=`. A builder's cache knows
the names of secrets alone, and steps keep their names for people.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Final

from isol8_tasks.config.secret_list import Secret, secrets_for
from isol8_tasks.ecosystems.model import SECRETS_FOLDER, Runtime
from isol8_tasks.ecosystems.runtimes import RUNTIMES


def with_secrets(dockerfile: str, runtime: Runtime, secrets: Mapping[str, Secret]) -> str:
    """Return the Dockerfile of an image with packages in which each installer finds the secrets that it knows."""

    def mounted(found: re.Match[str]) -> str:
        step = found[2]
        # A script in words that are JSON is the runtime's own installer's.
        tools = [each for each in (runtime, _ALPINE) if _call(each) in step] or [runtime] * step.startswith(
            "["
        )
        given = {each.name: each for tool in tools for each in secrets_for(tool.ecosystem, secrets)}.values()
        mounts = "".join(f"{_MOUNT},id={each.name},target={_place(each)},required=true " for each in given)
        setup = secret_setup(given)
        if step.startswith("["):
            return f"RUN {found[1]}{mounts}{step.replace(_SCRIPT, _SCRIPT + json.dumps(setup)[1:-1], 1)}"
        return f"RUN {found[1]}{mounts}{setup}{step}"

    return re.sub(_RUN, mounted, dockerfile, flags=re.MULTILINE)


def without_secrets(text: str) -> str:
    """Return the name of a step, or a message about it, as it is without them."""
    return re.sub(_ADDED, "", text)


def secret_setup(secrets: Iterable[Secret], npmrc: str = "") -> str:
    """Return the beginning of a shell's command by which installers find secrets in SECRETS_FOLDER.

    `npmrc` is the variable that says where npm's file is, for who asks in the place of npm, Bun and Deno.
    """
    return "".join(_found(each, npmrc) for each in secrets)


def _found(secret: Secret, npmrc: str) -> str:
    place = _place(secret)
    if secret.variable:
        return f'export {secret.variable}="$(cat {place})" && '
    if secret.known_as == "npmrc" and not npmrc:
        # All three look for it there, and Bun and Deno nowhere else.
        return f"ln -s {place} ~/.npmrc && trap 'rm ~/.npmrc' EXIT && "
    return f"export {_VARIABLES.get(secret.known_as, npmrc)}={place} && "


def _place(secret: Secret) -> str:
    return f"{SECRETS_FOLDER}/{secret.name}"


def _call(runtime: Runtime) -> str:
    return " ".join(runtime.install[:2])


_ALPINE: Final = RUNTIMES["bash"]
_VARIABLES: Final = {"netrc": "NETRC", "pip.conf": "PIP_CONFIG_FILE"}
_MOUNT: Final = "--mount=type=secret"
_RUN: Final = r"^RUN ((?:--\S+ )*)(\[(?:[^\n]|(?<=\\)\n)*|[^\n]*)"
_SCRIPT: Final = '"-euc", \\\n    "'
_ADDED: Final = (
    rf"{_MOUNT},id=\S* "
    rf"|export \w+=\"?(?:\$\(cat {SECRETS_FOLDER}/[\w.-]+\)|{SECRETS_FOLDER}/[\w.-]+)\"? && "
    rf"|ln -s {SECRETS_FOLDER}/[\w.-]+ ~/\.npmrc && trap '?rm ~/\.npmrc'? EXIT && "
)
