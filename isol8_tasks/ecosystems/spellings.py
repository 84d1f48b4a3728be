"""How packages are written elsewhere: in programs and other tools' files; each rule reads one way.

A rule gets the ecosystem and a text, and returns the words in it; none where nothing can be written in its place, and
None where the text is not written so.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

from isol8_tasks.ecosystems.commands import command, unnamed
from isol8_tasks.ecosystems.modules import OF_NODE, imported
from isol8_tasks.ecosystems.slips import ALL, FIRST, LAST, fixed, nothing


def lines(_: str, text: str) -> Sequence[str] | None:
    """Read the lines of a file."""
    if "\n" not in text:
        return None
    joined = re.sub(r"[ \t]*\\\r?\n[ \t]*", " ", re.sub(_OF_CONDA, "", text))
    lines = [re.sub(r"(?:^|\s+)(?:#|//).*$", "", line).strip() for line in joined.splitlines()]
    return [line for line in lines if re.search(r"\w", line) and not re.fullmatch(_OPENING, line)]


def _statement(ecosystem: str, text: str) -> Sequence[str] | None:
    if ecosystem == "pypi" and (names := imported(text)):
        return names
    found = re.search(
        r"^(?:import|export)\b.*?[\"']([^\"']+)[\"'];?$|\b(?:require|import)\([\"']([^\"']+)[\"']\)", text
    )
    if not found:
        return None
    name = found[1] or found[2]
    plain = re.match(r"(?:@[^/]+/)?[^/]+", name)
    if plain and re.fullmatch(OF_NODE, plain[0]):
        return [f"node:{name}"]
    return [name if ":" in name or not plain else plain[0]]


def _quoted(_: str, text: str) -> Sequence[str] | None:
    inner = text.strip("\"'`\u2018\u2019\u201c\u201d\xab\xbb")
    return [inner] if inner != text and not re.search(r"[\"'`]", inner) else None


def _separated(_: str, text: str) -> Sequence[str] | None:
    inner = re.sub(r"\s*\\$|[,;@]+\s*$", "", text)
    return [inner] if inner != text else None


def _keyed(ecosystem: str, text: str) -> Sequence[str] | None:
    """Read `"lodash": "^4.17.21"`, and `numpy = "^1.26"`."""
    found = re.fullmatch(r"[\"']?(@?[\w./-]+)[\"']?\s*[:=]\s*[\"']([^\"']*)[\"'],?", text)
    if not found:
        return None
    name, wanted = found[1], found[2]
    if ecosystem in {"npm", "deno"}:
        return [wanted if ecosystem == "deno" and ":" in wanted else f"{name}@{wanted}"]
    if wanted in {"*", "", "latest"}:
        return [name]
    sign = {"pypi": "==", "apk": "~"}.get(ecosystem, "") if wanted[0].isdigit() else ""
    return [f"{name}{sign}{wanted}"] if re.match(r"[\d^~<>=!]", wanted) else None


def _object(ecosystem: str, text: str) -> Sequence[str] | None:
    """Read `{"dependencies": {"lodash": "^4"}}`, or the inner part of it."""
    pairs = re.findall(r"[\"'](@?[\w./-]+)[\"']\s*:\s*[\"']([^\"'{}]*)[\"']", text)
    if ecosystem not in {"npm", "deno"} or not pairs or not re.search(r"[{}]|,\s*[\"']", text):
        return None
    return [f'"{name}": "{wanted}"' for name, wanted in pairs]


def _spaced(ecosystem: str, text: str) -> Sequence[str] | None:
    """Read `numpy>1.26 <2`."""
    found = re.fullmatch(r"([\w.-]+?)\s*((?:[<>=!~]=?\s*\d[\d.*]*\s*(?:and\s+|&&?\s*)?){2,})", text)
    if ecosystem != "pypi" or not found:
        return None
    return [found[1] + ",".join(map("".join, re.findall(r"([<>=!~]=?)\s*([\d.*]+)", found[2])))]


def _in_columns(ecosystem: str, text: str) -> Sequence[str] | None:
    """Read `numpy 1.26.4`, as pip list prints it."""
    found = re.fullmatch(r"((?:@[\w.-]+/)?[\w.-]+)\s+\(?v?(\d+(?:\.\d+)+(?:\.\*|-r\d+)?)\)?", text)
    sign = {"pypi": "==", "npm": "@", "apk": "~"}.get(ecosystem)
    if not found or not sign:
        return None
    return [f"{found[1]}{'=' if '-r' in found[2] else sign}{found[2]}"]


def _built_in(ecosystem: str, text: str) -> Sequence[str] | None:
    is_own = ecosystem == "deno" and re.fullmatch(rf"(?:{OF_NODE})(?:/\w+)?", text)
    return [] if is_own or re.fullmatch(r"(?:node|bun):[\w/]+", text) else None


def _bare(ecosystem: str, text: str) -> Sequence[str] | None:
    if ecosystem != "deno" or not re.fullmatch(r"(?:@[\w.-]+/)?[\w.-]+(?:@[\w.^~*-]+)?(?:/[\w./-]+)?", text):
        return None
    return [f"jsr:{text}" if re.match(r"@(?:std|oak|db|hono|luca|cliffy)/", text) else f"npm:{text}"]


def _of_conda(ecosystem: str, text: str) -> Sequence[str] | None:
    found = re.fullmatch(r"(?:[\w-]+::)?([\w.-]+)=([\d.]+)(\*?)(?:=\S+)?", text)
    if ecosystem != "pypi" or not found:
        found = re.fullmatch(r"[\w-]+::([\w.-]+)()()", text) if ecosystem == "pypi" else None
        return [found[1]] if found else None
    exact = found[2].count(".") > 1
    return [f"{found[1]}=={found[2].strip('.')}{'' if exact else '.*'}"]


def _of_poetry(ecosystem: str, text: str) -> Sequence[str] | None:
    """Read `numpy^1.26` and `numpy~1.26`, with an @ in between or none; `numpy@1.26`, too."""
    found = re.fullmatch(r"([\w.-]+(?:\[[\w,.-]+\])?)\s*@?\s*(\^|~|)(\d+(?:\.\d+)*)", text)
    if ecosystem != "pypi" or not found or (not found[2] and "@" not in text):
        return None
    name, sign, version = found.groups()
    if not sign:
        return [f"{name}=={version}"]
    numbers = [int(part) for part in version.split(".")]
    # A caret allows what does not change the first number that is not 0; a tilde what changes the last of two.
    first = next((place for place, number in enumerate(numbers) if number), len(numbers) - 1)
    place = first if sign == "^" else min(1, len(numbers) - 1)
    below = ".".join(map(str, (*numbers[:place], numbers[place] + 1)))
    return [f"{name}>={version},<{below}"]


def _compared(ecosystem: str, text: str) -> Sequence[str] | None:
    """Read `lodash==4.17.21`, `lodash>=4` and `lodash^4`."""
    found = re.fullmatch(r"((?:@[\w.-]+/)?[\w.-]+)\s*(==?|>=|<=|>|<|\^|~=?)\s*(\d[\w.*-]*)", text)
    if ecosystem != "npm" or not found:
        return None
    sign = {"=": "", "==": "", "~=": "~"}.get(found[2], found[2])
    return [f"{found[1]}@{sign}{found[3]}"]


def _inner(_: str, text: str) -> Sequence[str] | None:
    """Read `["numpy", "pandas"]`, and `dependencies = ["numpy"]`."""
    found = re.fullmatch(r"(?:[\w.-]+\s*[=:]\s*)?\[(.*[\"'])\s*,?\s*\],?", text)
    return re.findall(r"[\"']([^\"']+)[\"']", found[1]) if found else None


def _words(_: str, text: str) -> Sequence[str] | None:
    words = re.split(r"[ \t,;|&]+", text)
    if re.search(_NO_WORDS, text):
        return None
    # What begins with a digit belongs to the word before it, in a way that is not known.
    return words if len(words) > 1 and all(words) and not any(word[0].isdigit() for word in words) else None


_OF_HASHES: Final = (
    'has hashes, which only a requirements file can have; write it into one, and python_file = "requirements.txt" '
    "under [dependencies]"
)
RULES: Final[Sequence[tuple[str, Callable[[str, str], Sequence[str] | None]]]] = (
    ("several lines in one text", lines),
    (_OF_HASHES, nothing(ALL, r".* --hash=.*")),
    *FIRST,
    ("has a comment behind it", fixed(ALL, r"(.*?\S)\s+(?:#|//).*", r"\1")),
    ("a list in a text", _inner),
    ("a command", command),
    ("a statement of a program", _statement),
    ("an entry of another file", _keyed),
    ("entries of package.json or deno.json", _object),
    ("has no comma between its comparisons", _spaced),
    ("has no sign between name and version", _in_columns),
    ("has quotes in it", _quoted),
    ("ends with what separates packages in another file", _separated),
    ("an entry of a YAML file", fixed(ALL, r"- +(\S.*)", r"\1")),
    ("a module that comes with the runtime; there is nothing to install, remove it", _built_in),
    ("written as for deno", fixed("npm", r"npm:(.*)", r"\1")),
    (
        "a package of JSR, which only deno can install; write it under deno, or find it on npm",
        nothing("npm", r"jsr:.*"),
    ),
    ("has no npm: or jsr: before the name", _bare),
    ("written as for conda", _of_conda),
    ("written as for poetry, uv or npm", _of_poetry),
    ("has no @ between name and version", _compared),
    *LAST,
    ("a command that installs no package by its name; write the packages", unnamed),
    ("several packages in one text", _words),
)
"""The first that fits counts; what it gives is looked at again."""
_OPENING: Final = r"(?:[\"']?\w+[\"']?\s*[:=]\s*)?[\[{(\]}),;]+|(?:- )?\w[\w-]*:"
"""A line of a file that only opens or closes what is around packages."""
_OF_CONDA: Final = r"(?m)^(?:name|prefix):.*$|^channels:\s*\n(?:\s*- .*\n)+"
"""What a conda environment has beside its packages."""
_NO_WORDS: Final = r"^(?:import|from|const|let|var)\s|(?<!\S)install(?:ed)?(?!\S)|python_version|sys_platform"
"""What is not a list of packages, whatever its words are: a statement, a command, a marker."""
