"""What builds: as far as that shows in what a Dockerfile comes to."""

import re
from collections.abc import Callable, Iterator
from typing import Final

from attrs import frozen

from isol8_tasks.dockerfile.syntax import Dockerfile

_NAMED: Final = re.compile(r"(?:BUILD|TARGET)(?:PLATFORM|OS|ARCH|VARIANT)")
_FIRST_TO_WRITE: Final = 27
_OF_ONE_KIND: Final = {"386", "amd64", "loong64", "ppc64le", "riscv64", "s390x"}
"""The processors of which nobody tells variants: what an engine says of the others does not tell theirs."""


def _usual() -> str:
    return "linux/amd64"


@frozen(kw_only=True, eq=False, repr=False)
class BuilderTraits:
    """A builder, by what it gives to a Dockerfile and writes about it."""

    platform: Callable[[], str] = _usual
    """Tells `linux/amd64`, asked only where the Dockerfile names a part of it; empty where nobody knows."""
    target: str = ""
    """What it builds for; empty for its own platform."""
    writes_values: bool = True
    """What an argument comes to is written into the image's history, be it used or not; else its default alone."""


USUAL: Final = BuilderTraits()
"""For what is read without an engine."""


OF_NO_PLATFORM: Final = BuilderTraits(platform=str)
"""For what is read without anybody to ask for a platform."""


def writes_values(engine_version: str) -> bool:
    """Tell whether the builder of an engine writes values; one that does not tell its version counts as new."""
    major = engine_version.partition(".")[0]
    return not major.isdecimal() or int(major) >= _FIRST_TO_WRITE


def platform_values(dockerfile: Dockerfile, builder: BuilderTraits) -> Iterator[tuple[str, str]]:
    """Yield the arguments that the builder sets, so far as they are known."""
    known = builder.platform() if _NAMED.search(dockerfile.text) else ""
    if not known:
        return
    for side, platform in (("BUILD", known), ("TARGET", builder.target or known)):
        system, _, processor = platform.partition("/")
        yield f"{side}OS", system
        yield f"{side}ARCH", processor
        # Of what is asked for, no variant is left open.
        if processor in _OF_ONE_KIND or platform == builder.target:
            yield f"{side}PLATFORM", platform
            yield f"{side}VARIANT", ""
