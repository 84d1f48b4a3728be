"""Packages that are nearly written right, or that nothing can be installed for; the rules are those of `spellings`."""

import re
import sys
from collections.abc import Callable, Sequence
from typing import Final

from isol8_tasks.ecosystems.commands import OF_DISTRIBUTION, OF_NPM, OF_OTHERS, OF_PYPI, PROMPT
from isol8_tasks.ecosystems.modules import imported_names

_Rule = Callable[[str, str], Sequence[str] | None]
ALL: Final = "pypi npm deno apk"


def fixed(ecosystems: str, pattern: str, written: str) -> _Rule:
    """Return the rule that reads a pattern in some ecosystems, and writes its groups."""

    def rule(ecosystem: str, text: str) -> Sequence[str] | None:
        found = re.fullmatch(pattern, text) if ecosystem in ecosystems.split() else None
        return [found.expand(written)] if found else None

    return rule


def nothing(ecosystems: str, pattern: str) -> _Rule:
    """Return the rule for what can't be written in another way."""

    def rule(ecosystem: str, text: str) -> Sequence[str] | None:
        return [] if ecosystem in ecosystems.split() and re.fullmatch(pattern, text) else None

    return rule


def _of_library(ecosystem: str, text: str) -> Sequence[str] | None:
    names = imported_names(text) if ecosystem == "pypi" else ()
    return [] if names and sys.stdlib_module_names.issuperset(names) else None


_ARCHIVE: Final = r"\.(?:whl|zip|tar\.gz|tar\.bz2|tgz)"
_NAME: Final = r"[A-Za-z0-9][\w.-]*(?:\[[\w,.-]+\])?"
_NPM: Final = r"(?:@[\w.-]+/)?[\w.-]+"
FIRST: Final[Sequence[tuple[str, _Rule]]] = (
    (
        "a variable, and nothing is filled in here; write the package itself",
        nothing(ALL, r".*\$\{?[A-Za-z_]\w*\}?.*"),
    ),
    (
        "a command for packages of a Linux distribution; write Alpine's name of each under [system]",
        nothing("pypi npm deno", rf"{PROMPT}(?:{OF_DISTRIBUTION})\s.+"),
    ),
    (
        "a command for packages of PyPI; write them under python",
        nothing("npm deno apk", rf"{PROMPT}(?:{OF_PYPI})\s.+"),
    ),
    (
        "a command for packages of npm; write them under node or bun",
        nothing("pypi apk", rf"{PROMPT}(?:{OF_NPM})\s.+"),
    ),
    (
        "a command for packages that nothing here installs; remove it",
        nothing(ALL, rf"{PROMPT}(?:{OF_OTHERS})\s.+"),
    ),
    ("imports what comes with Python; there is nothing to install, remove it", _of_library),
    (
        "says which Python is needed, and the image has one of its own; remove it",
        nothing(
            "pypi",
            r"[\"']?(?:requires-python|python_requires|python_version)[\"']?\s*[:=<>].*|[\"']?[Pp]ython[\"']?(?:\s*[:=<>~!^@].*)?",
        ),
    ),
    (
        "has its version behind a -",
        fixed("apk", r"([\w.+-]+?)-(\d[\w.]*-r\d+)(?:\.apk|\s+(?:- |\w+ \{).*)?", r"\1=\2"),
    ),
    (
        "a line of a list of installed packages",
        fixed("apk", r"(?:ii\s+)?([\w.+-]+)(?:/\S+|:\w+|\s)\s+\d\S+\s.*", r"\1"),
    ),
    (
        "has Debian's suffix for an architecture",
        fixed("apk", r"([\w.+-]+):(?:amd64|arm64|armhf|i386|any|all|native)", r"\1"),
    ),
    (
        "written as Debian writes versions",
        fixed("apk", r"([\w.+-]+)=(?:\d+:)?(\d[\d.]*)[-+](?!r\d+$)[^\s,;]*", r"\1~\2"),
    ),
    (
        "a package of npm or JSR; write it under node, bun or deno",
        nothing("pypi apk", r"(?:npm|jsr):\S+|@[\w-]+/\S+"),
    ),
    (
        "no package, but something else that a package.json says; remove it",
        nothing(
            "npm deno",
            r"[\"'](?:author|description|engines|license|main|name|node|packageManager|private|type|version)[\"']\s*:.*",
        ),
    ),
    (
        'an option for an index; write args = { PIP_INDEX_URL = "…" }, or NPM_CONFIG_REGISTRY, under [build]',
        nothing("pypi npm deno", r"(?:-i|--(?:extra-)?index-url|--registry)[ =].*"),
    ),
    (
        "a git repository; only packages of an index can be installed, so write the name and a version",
        nothing(
            "pypi",
            rf"(?:-e\s+|--editable[ =])?(?:{_NAME}\s*@\s*)?(?:git(?:\+\w+)?[:@]|https?://(?:www\.)?git\w+\.\w+/(?!.*{_ARCHIVE}$))\S+",
        ),
    ),
    (
        "has no name before the address",
        fixed("pypi", rf"(https://\S+/([A-Za-z][\w.-]*?)-\d\S*{_ARCHIVE})", r"\2 @ \1"),
    ),
    (
        "the file of one package, where only names can be written",
        fixed(
            "pypi",
            rf"(?:\S*/)?([A-Za-z]\w*(?:[.-][A-Za-z]\w*)*)-(\d[\w.!+]*)(?:-[\w.]+)*{_ARCHIVE}",
            r"\1==\2",
        ),
    ),
    (
        "the file of one package, where only names can be written",
        fixed(
            "npm",
            r"(?:[^@\s]*/)?((?:@[\w-]+/)?)(?:[\w.-]+/-/)?([a-z][\w.-]*?)-(\d+\.\d+\.\d[\w.-]*)\.(?:tgz|tar\.gz)",
            r"\1\2@\3",
        ),
    ),
    (
        "names a file of the machine on which the list was made",
        fixed("pypi", rf"({_NAME})\s*@\s*file:.*", r"\1"),
    ),
    ("a folder that npm makes", fixed("npm", rf"(?:\./)?node_modules/({_NPM})(?:/.*)?", r"\1")),
    (
        "a git repository or an address; only packages of a registry can be installed, so write name and version",
        nothing("npm", r"(?:git[@+:]|(?:github|gitlab|bitbucket|gist):|https?://(?![\w.-]+/package/)).*"),
    ),
    (
        "a file or folder; only packages of a package source can be installed, so write the name of one",
        nothing(
            ALL,
            r"(?:-e\s+|--editable[ =])?(?:\.{1,2}|(?:\.{0,2}|~)[/\\].*|[A-Za-z]:\\.*|file:.*)"
            r"|[\w-]+\.m?tsx?|import_map\.json|\S*/\S*\.apk",
        ),
    ),
    ("the address of a web page", fixed("pypi", r"https?://[\w.-]+/project/([\w.-]+)(?:/.*)?", r"\1")),
    (
        "the address of a web page",
        fixed("npm", r"https?://[\w.-]+/package/((?:@[\w.-]+/)?[\w.-]+)(?:/.*)?", r"\1"),
    ),
    ("the address of a web page", fixed("apk", r"https?://[\w.-]+/package/(?:[\w.-]+/)+([\w.+-]+)", r"\1")),
    (
        "names a place in a workspace; write the version that is wanted, or remove it",
        nothing("npm", rf"{_NPM}@(?:workspace|catalog|link|file|portal):.*"),
    ),
    (
        "has no quotes around the version of its marker",
        fixed("pypi", r"([^;]+;[^\"';]*[<>=!]=?)\s*([\d.]+)\s*", r"\1 '\2'"),
    ),
    (
        "a file inside of a package, which is installed whole",
        fixed("npm", r"(@[\w.-]+/[\w.-]+)/[A-Za-z][\w./-]*", r"\1"),
    ),
    (
        "a file inside of a package, or a repository of GitHub; write the name of the package alone",
        nothing("npm", r"[A-Za-z][\w.-]*/[A-Za-z][\w./-]*"),
    ),
    ("has no jsr:@ before the scope", fixed("deno", r"(?:jsr:(?=[\w-])|(?=std/))(\S+/\S+)", r"jsr:@\1")),
    (
        "has no https:// before the address",
        fixed("deno", r"((?:[\w-]+\.)+(?!m?[jt]s/)[a-z]{2,}/\S+)", r"https://\1"),
    ),
)
"""What other rules would take for something else."""
LAST: Final[Sequence[tuple[str, _Rule]]] = (
    (
        "an entry of another file",
        fixed(
            "pypi npm",
            r"""["']?([\w.-]+)["']?\s*[:=]\s*\{.*?version["']?\s*[:=]\s*["']([^"']*)["'].*\}""",
            r'\1 = "\2"',
        ),
    ),
    (
        "has an option behind it; an index is set by PIP_INDEX_URL or NPM_CONFIG_REGISTRY in [build] args",
        fixed("pypi npm apk", r"([^\s-]\S*)\s+--?[A-Za-z][\w-]*(?:[ =]\S+)?", r"\1"),
    ),
    (
        "asks for the newest, as a name alone does",
        fixed("pypi deno apk", r"(\S+?)(?:===?|@|:|=)latest", r"\1"),
    ),
    ("asks for any version, as a name alone does", fixed("pypi apk", rf"({_NAME})\s*==?\*", r"\1")),
    ("asks for any version, as a name alone does", fixed("pypi", rf"({_NAME})\*", r"\1")),
    ("has its comparison turned around", fixed("pypi", rf"({_NAME})\s*=([<>])\s*(\d\S*)", r"\1\2=\3")),
    ("has its comparison turned around", fixed("npm", rf"({_NPM})@?\s*=([<>])\s*(\d\S*)", r"\1@\2=\3")),
    (
        "has another sign for any version than .*",
        fixed("pypi", rf"({_NAME})\s*(?:==?|@)\s*(\d+(?:\.\d+)*)(?:\.[xX*])+", r"\1==\2.*"),
    ),
    ("has quotes in it", fixed("npm", rf"({_NPM}@)[\"']([^\"']+)[\"']", r"\1\2")),
    ("an entry of a YAML file", fixed("npm", rf"({_NPM}):\s*([\^~<>=v]*\d[\w.*-]*),?", r"\1@\2")),
    ("written with a * in its version", fixed("apk", r"([\w.+-]+)=(\d+(?:\.\d+)*)\.\*", r"\1~\2")),
    (
        "has its comparison written in another way",
        fixed("pypi", rf"({_NAME})\s*~>\s*(\d\S*)", r"\1~=\2"),
    ),
    ("has its comparison written in another way", fixed("apk", r"([\w.+-]+)@?\^(\d[\w.]*)", r"\1~\2")),
    ("has blanks in it", fixed("apk", r"([\w.+-]+)\s*([<>=~]+)\s*(\d\S*)", r"\1\2\3")),
    ("has blanks in it", fixed("npm deno", r"(\S+?)(?:\s+@\s*|@\s+)(\S+)", r"\1@\2")),
    (
        "has one = in its marker, where two are needed",
        fixed("pypi", r"([^;]+;[^=]*\w\s*)=(\s*)[\"']([^\"']*)[\"'](.*)", r"\1==\2'\3'\4"),
    ),
    (
        "has a * behind a comparison that takes none",
        fixed("pypi", rf"({_NAME}\s*(?:>=|<)\s*\d[\d.]*)\.\*", r"\1"),
    ),
    ("has an extra without the closing ]", fixed("pypi", r"([\w.-]+\[[\w,.-]*\w)", r"\1]")),
    (
        "has another sign between name and version",
        fixed("pypi", rf"({_NAME})\s*[:=/]\s*([\^~<>=!]*\d[\w.*]*)", r'\1 = "\2"'),
    ),
    ("has no version behind its comparison", fixed("pypi", rf"({_NAME})\s*[<>=!~]{{1,3}}", r"\1")),
)
