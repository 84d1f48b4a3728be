"""What a Dockerfile names that can't be pulled: where it does, and what is meant."""

import re
from collections.abc import Iterator

from isol8_tasks.dockerfile.stages import stages
from isol8_tasks.dockerfile.syntax import Dockerfile, Instruction


def frontend(dockerfile: Dockerfile) -> tuple[str, str]:
    """Return where the `# syntax=` line stands and the image that it names, as it is written; empty without any."""
    # A line above it can only be blank, the byte order mark, or another directive.
    for number, line in enumerate(dockerfile.text.split("\n") if dockerfile.syntax else (), 1):
        if found := re.match(r"[\ufeff\s]*#\s*syntax\s*=\s*(\S+)", line, re.IGNORECASE):
            return f"{dockerfile.name}:{number}", found[1]
    return "", ""


def mistyped_stage(dockerfile: Dockerfile, reference: str) -> str:
    """Say which stage an image is meant to be: nearly the name of one before, or that of one after; else nothing."""
    import difflib  # noqa: PLC0415 - only what can't be pulled is asked about

    line = next(
        (
            each.line
            for each in dockerfile.instructions
            if (each.keyword == "FROM" and each.words[0] == reference) or reference in _sources(each)
        ),
        1,
    )
    named = [each for each in stages(dockerfile) if each.named]
    names = [each.name for each in named if each.start.line < line]
    later = [each for each in named if each.name == reference.lower() and each.start.line > line]
    if later and reference.lower() not in names:
        begins = f"it begins in line {later[0].start.line}: move it above"
        return f"{dockerfile.name}:{line}: no stage {reference} before this line ({begins})"
    near = difflib.get_close_matches(reference.lower(), names, n=1)
    if not near or re.search("[:/@]", reference):
        return ""
    return f"{dockerfile.name}:{line}: no stage {reference} (did you mean {near[0]}?)"


def _sources(instruction: Instruction) -> Iterator[str]:
    """Yield what a COPY and the mounts of a RUN take from, as it stands there."""
    for name, value in instruction.options:
        if name == "from":
            yield value
        if name == "mount":
            yield from re.findall("(?:^|,)from=([^,]*)", value, re.IGNORECASE)
