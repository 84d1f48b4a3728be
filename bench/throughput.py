"""How many images an engine builds, verifies and promotes in a minute, by how many are made at once."""

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bench.measure import Candidate

COUNT: Final = 16
AT_ONCE: Final = (1, 2, 4, 8)


def name(at_once: int, *, checked: bool) -> str:
    """Return the name of the candidate."""
    return f"-n {at_once}, {COUNT} images" + ("" if checked else ", not verified")


def candidates(
    scratch: Path, repository: str, doit: tuple[str, ...], arguments: Mapping[str, str]
) -> tuple[Candidate, ...]:
    """Return a candidate for each number at once, verified and not.

    Each image is the base bash with a package that is installed in a step of its own.
    """
    file = scratch / "throughput.toml"

    def stale() -> None:
        lines = ["[build]", f'repository = "{repository}"', "[build.args]"]
        lines += [f"{name} = {json.dumps(value)}" for name, value in sorted(arguments.items())]
        for number in range(COUNT):
            lines += [f"[images.t{number:02}]", 'runtime = "bash"', 'packages = ["jq"]']
            lines += [f'setup = "echo {secrets.token_hex(8)}"']
        file.write_text("\n".join([*lines, ""]), encoding="utf-8")

    python = doit[0]
    return tuple(
        Candidate(
            name=name(at_once, checked=checked),
            command=(
                *(doit if checked else (python, "-m", "bench.unchecked")),
                *("run", "-n", str(at_once)),
                # Without cache, so that the package is installed each time.
                *(word for number in range(COUNT) for word in (f"image:t{number:02}", "--force")),
            ),
            environment={"ISOL8_DEPS": str(file)},
            before=stale,
        )
        for checked in (True, False)
        for at_once in AT_ONCE
    )
