"""The look into an image: the command that looks, with what it looks for as data, and what it says in the end."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

from attrs import frozen

from isol8_tasks.engine.containers import RunRequest

PROBES: Final[Mapping[str, str]] = {
    "python": "python.py",
    "node": "node.cjs",
    "bun": "node.cjs",
    "deno": "deno.js",
    "bash": "bash.sh",
}
"""What is run by each runtime, in the folder probes."""


@frozen(kw_only=True)
class Look:
    """What was seen in an image."""

    first: str = ""
    """The name of process 1."""
    release: str = ""
    """Alpine's."""
    apk: str = ""
    """The database of apk, as it is."""
    modes: tuple[tuple[str, int], ...] = ()
    """Path and st_mode of what is setuid, setgid or writable by everybody, and nothing else."""
    closed: tuple[str, ...] = ()
    """Folders that the user of the sandbox may not look into."""
    runtime: str = ""
    """The runtime's own answer."""
    cached: str = ""
    """What is in Deno's cache."""
    items: tuple[tuple[str, str], ...] = ()
    """For each package, in their order: the rest of the line that begins its part of the answer, and the part."""
    status: int | None = None
    """The exit code of the runtime; None if the look did not come to its end."""
    forwarded: bool = False
    """A signal to process 1 came through."""


def request(  # noqa: PLR0913 - all but three are named by the caller
    image: str,
    runtime: str,
    items: tuple[str, ...],
    *,
    mark: str,
    whole: bool,
    patience: int = 1,
    environment: Mapping[str, str] | None = None,
) -> RunRequest:
    """Return what to run; `whole` asks for the files of names, without which a container starts sooner.

    With `patience` everything in it may take so many times as long.
    """
    program = _text(PROBES[runtime])
    return RunRequest(
        image=image,
        command=("sh", "-c", _text("image.sh"), "sh", mark, runtime, program, *items),
        environment={**(environment or {}), _SECONDS: str(SECONDS_PER_PACKAGE * patience)},
        # A little more than each package has, so that what hangs is told by its name.
        seconds=SECONDS * patience + (SECONDS_PER_PACKAGE * patience + 2) * len(items),
        resolver=whole,
        folders=CLOSED,
    )


def upstream_request(image: str, *, mark: str, patience: int = 1) -> RunRequest:
    """Return what to run in an upstream image, which has no user of ours: only the modes of its files count."""
    return RunRequest(
        image=image,
        command=("sh", "-c", _text("image.sh"), "sh", mark, "none", ""),
        user="100:101",
        entrypoint=(),
        seconds=SECONDS * patience,
        resolver=False,
        folders=CLOSED,
    )


def read(answer: str, mark: str) -> Look:
    """Read what was printed; what is missing is left at its default."""
    sections: dict[str, str] = {}
    items: list[tuple[str, str]] = []
    end = ""
    for part in re.split(rf"^{mark} ", answer, flags=re.MULTILINE)[1:]:
        head, _, text = part.partition("\n")
        name, _, rest = head.partition(" ")
        if name == "item":
            items.append((rest, text.strip()))
        elif name == "end":
            end = rest
        else:
            sections[name] = text.strip()
    status, _, forwarded = end.partition(" ")
    lines = sections.get("modes", "").splitlines()
    return Look(
        first=sections.get("first", ""),
        release=sections.get("release", ""),
        apk=sections.get("apk", ""),
        modes=tuple((found[2], int(found[1], 16)) for line in lines if (found := re.match(_MODE, line))),
        closed=tuple(line.removeprefix("closed ") for line in lines if line.startswith("closed ")),
        runtime=sections.get("runtime", ""),
        cached=sections.get("cached", ""),
        items=tuple(items),
        status=int(status) if status.isdigit() else None,
        forwarded=forwarded == "yes",
    )


@cache
def _text(name: str) -> str:
    return (files("isol8_tasks.verify.probes") / name).read_text(encoding="utf-8")


CLOSED: Final = ("/root",)
"""What the upstream images close to others. It is listed in any case, since a container more costs more than that."""
SECONDS: Final = 60
"""How long the look itself may take on a machine that is busy with builds."""
SECONDS_PER_PACKAGE: Final = 30
"""How long a package may take until it is loaded."""
_SECONDS: Final = "ISOL8_CHECK_SECONDS"
_MODE: Final = r"([0-9a-f]{4,6}) (/.*)"
