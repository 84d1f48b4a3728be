"""Keys that other tools' files have where deps.toml has others: what each is, and what to write."""

from typing import Final

from isol8_tasks.config.strict import unknown
from isol8_tasks.ecosystems.runtimes import RUNTIMES


def no_runtime(key: str, found: object) -> str:
    """Say what a key of [dependencies] is that is no runtime: a package with its version, or another tool's name."""
    plain = unknown("not a runtime", key, RUNTIMES)
    if isinstance(found, str | dict) and "did you mean" not in plain:
        return (
            f'not a runtime; other tools have packages as keys here, this file has lists: python = ["{key}"]'
        )
    if runtime := _TOOLS.get(key.lower()):
        return f"not a runtime; write {runtime}"
    return plain


OF_PYPROJECT: Final = frozenset(("project", "tool", "build-system", "dependency-groups"))
"""Tables of pyproject.toml."""
_TOOLS: Final = {
    **dict.fromkeys(("pip", "pypi", "py", "python3", "uv", "conda"), "python"),
    **dict.fromkeys(("npm", "nodejs", "js", "javascript", "yarn", "pnpm"), "node"),
    **dict.fromkeys(("apk", "alpine", "shell", "sh", "system", "apt"), "bash"),
    "jsr": "deno",
}
"""The runtime of what is installed by tools of other names."""
