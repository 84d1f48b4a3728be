"""Texts that want to be more than a package's name or a script's text, for those who hand them to programs."""

from collections.abc import Mapping
from typing import Final

from isol8_tasks.ecosystems.specs import SpecError, parse_spec

CANARY: Final = "/isol8-canary"
"""A file that each of these texts tries to make, here or in an image."""

PAYLOADS: Final = (
    f";touch {CANARY}",
    f"; touch {CANARY} #",
    f";touch${{IFS}}{CANARY}",
    f"&touch {CANARY}",
    f"&&touch${{IFS}}{CANARY}",
    f"||touch {CANARY}",
    f"|tee {CANARY}",
    f"`touch {CANARY}`",
    f"`touch${{IFS}}{CANARY}`",
    f"$(touch {CANARY})",
    f"$(touch${{IFS}}{CANARY})",
    f"$(touch$IFS{CANARY})",
    f"<(touch {CANARY})",
    f">{CANARY}",
    f">>{CANARY}",
    f"2>{CANARY}",
    f"\ntouch {CANARY}",
    f"\r\ntouch {CANARY}",
    f"\\\ntouch {CANARY}",
    f"\nRUN touch {CANARY}",
    f"\nFROM scratch\nCOPY . {CANARY}",
    f'\nENTRYPOINT ["touch", "{CANARY}"]',
    f"\n# syntax=example.invalid/{CANARY}",
    f"<<EOF\ntouch {CANARY}\nEOF",
    f"';touch {CANARY};'",
    f'";touch {CANARY};"',
    f"'$(touch${{IFS}}{CANARY})'",
    f'"$(touch${{IFS}}{CANARY})"',
    f"'\"'\"'$(touch${{IFS}}{CANARY})",
    f"\\';touch {CANARY}",
    "'",
    '"',
    "\\",
    "$HOME",
    "${PATH}",
    "$((1+1))",
    "*",
    "?",
    "[a-z]",
    "~",
    "!!",
    "{a,b}",
    "#",
    "&",
    "%0atouch",
    " --index-url=https://index.invalid",
    " -r /etc/passwd",
    " --allow-untrusted",
    "\t--force",
    "\x00",
    "\x1b]0;title\x07",
    "\u2028touch",
    "\u202ehcuot",
    "\N{FULLWIDTH DOLLAR SIGN}(touch)",
    "\N{NO-BREAK SPACE}-x",
    "../../etc/passwd",
)

_PLACES: Final[Mapping[str, tuple[str, ...]]] = {
    "pypi": (
        "{}",
        "numpy{}",
        "{}numpy",
        "requests[{}]",
        "numpy>=1{}",
        "numpy; python_version>'3{}'",
        'numpy; os_name == "{}"',
        "numpy @ https://files.invalid/{}.whl",
    ),
    "npm": ("{}", "lodash{}", "@scope/pkg{}", "lodash@{}", "lodash@^4{}", "lodash@1 || {}", "x@npm:lodash{}"),
    "deno": (
        "{}",
        "npm:zod{}",
        "npm:zod@{}",
        "npm:zod@3/{}",
        "jsr:@std/path{}",
        "https://modules.invalid/{}",
        "https://modules.invalid/mod.ts?{}",
    ),
    "apk": ("{}", "jq{}", "jq>{}", "jq=1{}", "jq@{}", "cmd:{}"),
}
_OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "pypi": (
        "--index-url=https://index.invalid",
        "-r/etc/passwd",
        "-e.",
        "--pre",
        "./numpy",
        "file:///numpy",
    ),
    "npm": ("--ignore-scripts=false", "-D", "./lodash", "git+https://git.invalid/x.git", "file:/etc/passwd"),
    "deno": ("--allow-all", "-A", "file:///etc/passwd", "data:text/javascript,1", "./mod.ts"),
    "apk": ("--allow-untrusted", "-X", "--root=/", "./jq.apk", "!jq", ".virtual"),
}
# What shells, apk and npm compare with, and programs of other shells redirect with.
_COMPARISONS: Final[Mapping[str, tuple[str, ...]]] = {
    "pypi": ("numpy>1", "numpy<9", "numpy>=1,<9", "numpy!=1", "numpy; python_version>'3' and os_name<'z'"),
    "npm": ("lodash@>1", "lodash@<9", "lodash@>=1 <9 || ~3", "lodash@*", "lodash@1 - 2"),
    "deno": ("npm:zod@~3", "npm:zod@*", "https://modules.invalid/a;b&c=$(d)'e'?f=*#g!"),
    "apk": ("jq>1", "jq<9", "jq>=1", "jq~1", "jq<~2", "jq>~1"),
}

SPECS: Final[Mapping[str, tuple[str, ...]]] = {
    ecosystem: tuple(
        dict.fromkeys(
            [
                *(place.replace("{}", payload) for place in places for payload in PAYLOADS),
                *_OPTIONS[ecosystem],
                *_COMPARISONS[ecosystem],
            ]
        )
    )
    for ecosystem, places in _PLACES.items()
}
"""Package specs by ecosystem; some of them are what they look like, and have to arrive as the one word they are."""


def taken(ecosystem: str) -> tuple[str, ...]:
    """Return those that are packages by their ecosystem's grammar, as the installer gets them."""
    found: dict[str, None] = {}
    for text in SPECS[ecosystem]:
        try:
            found[parse_spec(ecosystem, text).text] = None
        except SpecError:
            continue
    return tuple(found)


def refused(ecosystem: str) -> tuple[str, ...]:
    """Return those that are none."""
    accepted = set(taken(ecosystem))
    return tuple(text for text in SPECS[ecosystem] if text.strip() not in accepted)


_WRAPPERS: Final = (
    "{}",
    "echo '{}'",
    'echo "{}"',
    "cat <<'EOF'\n{}\nEOF\n",
    "cat <<EOF\n{}\nEOF",
    "#!/bin/bash\nset -eu\n\n{}\n\n",
)

SCRIPTS: Final = tuple(
    dict.fromkeys(
        wrapper.replace("{}", payload)
        for wrapper in _WRAPPERS
        for payload in PAYLOADS
        if payload.replace("\n", "").replace("\t", "").isprintable() or not payload.isascii()
    )
)
"""Setup scripts with everything in them that a text may have; control characters apart from ends of lines and tabs."""
