"""The lines of a program's output that tell why it failed; pure.

Node, npm, Bun and Deno tell it in their first lines, and steps into their own modules follow; pip and Python tell it
in their last, and builds of pip's somewhere inside.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

MOST: Final = 12
"""How many lines a message has room for."""


def cause_lines(output: Sequence[str], most: int = MOST) -> tuple[str, ...]:
    """Return the lines that tell the cause, in their order and not more than `most`.

    Installers' advertisements, advice and progress are left out, and so are the steps of JavaScript's traces. Where
    versions exclude each other, that comes first.
    """
    lines = [line.rstrip() for line in output if line.strip()]
    conflict = next(filter(None, (re.match(_CONFLICT, line) for line in lines)), None)
    if conflict:
        said = [line for line in _told(lines) if line != conflict[0]]
        return (f"{conflict[1]} exclude each other", *said)[:most]
    if block := _block(lines):
        end = "last" if any(line.startswith("Traceback ") for line in block) else "first"
        said = [*_subject(lines), *_picked(block, most - 1, end=end)]
    elif trace := _trace(lines):
        said = trace
    else:
        said = _told(lines)
        said = _picked(said, most, end="first" if any(map(_OF_SCRIPTS.match, said)) else "last")
    return tuple(re.sub(_VERSIONS, r"(from versions: …, \1)", line) for line in said[:most] or lines[-most:])


def _told(lines: Iterable[str]) -> list[str]:
    """Return the lines that are no progress, advertisement or advice."""
    return [line for line in lines if not _NOISE.match(line) and not _STEP.match(line)]


def _block(lines: Sequence[str]) -> list[str]:
    """Return what a package's own build printed, of which pip prints the first and the last line itself."""
    begins = [number for number, line in enumerate(lines) if re.search(_BLOCK, line)]
    ends = [number for number, line in enumerate(lines) if line.strip() == "[end of output]"]
    if not begins or not ends or ends[-1] < begins[-1]:
        return []
    inner = [line.strip() for line in lines[begins[-1] + 1 : ends[-1]] if line.strip("! *\t")]
    return [*dict.fromkeys(line for line in inner if not _OF_SETUPTOOLS.match(line))] or inner


def _subject(lines: Iterable[str]) -> Iterator[str]:
    """Give the package whose build failed, and the one that needs it."""
    found, needed = "", dict[str, str]()
    for line in lines:
        if named := re.match(
            r"(?:Collecting|\s*Building wheel for) (([\w.-]+)[^\s:@]*)(?: \(from ([^)]+)\))?", line
        ):
            needed.setdefault(named[2], named[3] or "")
            found = f"{named[1]}, needed by {needed[named[2]]}" if needed[named[2]] else named[1]
    if found:
        yield found


def built(output: Sequence[str], line: str) -> str:
    """Return the package whose own build or install script printed a line; empty where an installer did itself."""
    text = "\n".join(output)
    if line in _block([each.rstrip() for each in output if each.strip()]):
        # There pip itself is at work.
        return "" if re.search(_OF_PIP, text) else next(_subject(output), "")
    script = re.search(_OF_SCRIPT, text, re.MULTILINE)
    return script[1] if script and re.search(_OF_SHELL, text, re.MULTILINE) else ""


def _trace(lines: Sequence[str]) -> list[str]:
    """Return an error as Node, Bun and Deno print it, with the first place outside of the runtime; else nothing."""
    at = next((number for number, line in enumerate(lines) if _ERROR.match(line)), None)
    if at is None or not any(_STEP.match(line) for line in lines[at:]):
        return []
    said: list[str] = []
    # Of a text that can't be parsed the place stands above.
    if "SyntaxError" in lines[at] and at and (place := next(filter(_PLACE.match, lines[:at]), "")):
        said.append(place)
    seen = False
    for line in lines[at:]:
        if re.fullmatch(_MARK, line) and len(said) > 1:
            # Above it stands the text that it points into.
            said.pop()
        elif not _STEP.match(line):
            if not _TRAILER.match(line):
                said.append(line.removesuffix(" {"))
        elif not seen and not _INSIDE.search(line):
            seen = True
            said.append(line.removesuffix(" {"))
    return said


def _picked(lines: Sequence[str], most: int, *, end: str) -> list[str]:
    """Return all lines where there is room; else those that name an error, each with the next, else one end."""
    if len(lines) <= most:
        return [*lines]
    strong = [number for number, line in enumerate(lines) if _STRONG.search(line)]
    if not strong:
        return [*(lines[:most] if end == "first" else lines[-most:])]
    places = [number for number, line in enumerate(lines) if _WHOSE.match(line)][-1:]
    # A trace of Python's tells its error last.
    chosen = strong[:most] if end == "first" else strong[-(most // 2) :]
    numbers = dict.fromkeys(
        [*places, *(near for number in chosen for near in (number, number + 1) if near < len(lines))]
    )
    return [lines[number] for number in sorted(numbers)][:most]


_CONFLICT: Final = (
    r"ERROR: Cannot install (.+) because these package versions have conflicting dependencies\.$"
)
_BLOCK: Final = r"╰─> \[\d+ lines? of output\]$"
_VERSIONS: Final = r"\(from versions: (?:[^,()]+, ){4,}([^,()]+, [^,()]+, [^,()]+)\)"
_NOISE: Final = re.compile(
    r"npm notice\b|npm warn deprecated\b|npm (?:error|ERR!)"
    r"(?:\s*$|\s+(?:code \S+$|A complete log of this run|For a full report see|/\S*/_logs/|notarget In most cases"
    r"|40\d\s*$|404 Note that you can also|404 tarball, folder|Fix the upstream dependency conflict"
    r"|command failed$|(?:node-pre-)?gyp (?:info|ERR! (?:System|command|cwd|node|not ok|node-\S+ -v|\$\w+))"
    r"|(?:syscall|errno|enoent)\s*\S*$|\}$|  \w+: \S+,?$"
    r"|If you are behind a proxy))"
    r"|\[notice\] |WARNING: Running pip as|ERROR: Ignored the following yanked"
    r"|INFO: pip is looking|ERROR: ResolutionImpossible|To fix this you could|[12]\. (?:loosen|remove) "
    r"|added \d+ packages?|\d+ packages? (?:are|is) looking for funding|\s+run `npm fund`|Collecting \S"
    r"|Looking in (?:indexes|links)|Requirement already satisfied"
    r"|\s+(?:Downloading|Using cached|Preparing metadata|Getting requirements|Installing b|Building wheel for .*: )"
    r"|\s+note: This error originates|note: This error originates"
    r"|bun (?:add|install) v|Resolving dependencies$|Resolved, downloaded|Saved lockfile|(?:Bun|Node\.js) v\d"
    r"|Download https?://|Initialize |Check file:"
    r"|fetch https?://|\(\d+/\d+\) [A-Z]\w+ing |OK: \d|Executing "
)
"""What an installer prints besides what is wrong."""
_OF_SETUPTOOLS: Final = re.compile(r"(?:copying|creating|running|writing|reading|adding|deleting) \S")
"""The progress of a build of setuptools."""
_STEP: Final = re.compile(
    r"(?:npm error )?(?:(?:node-pre-)?gyp ERR! stack )?\s*at "
    r"(?:.*[:(]\d+:\d+\)?|.*\(?(?:native|<anonymous>)\)?)(?: \{)?$"
)
"""A step of a trace of JavaScript's."""
_ERROR: Final = re.compile(
    r"(?:error: )?(?:Uncaught )?(?:\(in promise\) )?(?:\w*Error\b(?: \[\w+\])?|error): "
)
_INSIDE: Final = re.compile(
    r"\bnode:|\[eval|<anonymous>|\bext:|(?:native|unknown)\)?$|/usr/lib/node_modules/npm/"
)
_PLACE: Final = re.compile(r"(?:file://)?/\S+:\d+$")
_MARK: Final = r"\s*[\^~]+"
_TRAILER: Final = re.compile(
    r"\s*(?:code|requireStack|errno|syscall): |\s*'[^']*',?$|\s*[\]}]+,?$|(?:Node\.js|Bun) v"
)
_OF_SCRIPTS: Final = re.compile(r"npm (?:error|ERR!)|error: |\w*Error: ")
_STRONG: Final = re.compile(
    r"^(?:\w+\.)*\w*(?:Error|Exception|Exit)\b: |(?:^|\s)(?:fatal )?error: |\bERROR: "
    r"|stack Error: (?!Failed to execute)"
    r"|\binclude files\b|command not found|: not found$|No such file or directory|\bcannot find\b|[Nn]o module named"
)
_OF_PIP: Final = r"(?:Installing|to install) build dependencies did not run"
_OF_SCRIPT: Final = r"npm (?:error|ERR!) path \S*/node_modules/((?:@[^/\s]+/)?[^/\s]+)$"
_OF_SHELL: Final = r"^npm (?:error|ERR!) command sh -c "
_WHOSE: Final = re.compile(r"npm (?:error|ERR!) path ")
