"""Packages that are nearly written right, or that nothing can be installed for; the rules are those of `spellings`."""

import re
import sys
from collections.abc import Callable, Sequence
from typing import Final

from isol8_tasks.ecosystems.commands import OF_DISTRIBUTION, OF_NPM, OF_OTHERS, OF_PYPI, PROMPT

_Rule = Callable[[str, str], Sequence[str] | None]


def _fixed(ecosystems: str, pattern: str, written: str) -> _Rule:
    """Return the rule that reads a pattern in some ecosystems, and writes its groups."""

    def rule(ecosystem: str, text: str) -> Sequence[str] | None:
        found = re.fullmatch(pattern, text) if ecosystem in ecosystems.split() else None
        return [found.expand(written)] if found else None

    return rule


def _nothing(ecosystems: str, pattern: str) -> _Rule:
    """Return the rule for what can't be written in another way."""

    def rule(ecosystem: str, text: str) -> Sequence[str] | None:
        return [] if ecosystem in ecosystems.split() and re.fullmatch(pattern, text) else None

    return rule


def imported_names(text: str) -> Sequence[str]:
    """Return the outermost modules that a statement of Python imports; none of what is no such statement."""
    found = re.fullmatch(
        r"from ([A-Za-z_]\w*)[\w.]* import \S.*|import ([A-Za-z_][\w., ]*)",
        re.sub(r"\s*;\s*import\s", ", ", text),
    )
    if not found:
        return ()
    return (
        [found[1]]
        if found[1]
        else [each.split()[0].split(".")[0] for each in found[2].split(",") if each.strip()]
    )


def _of_library(ecosystem: str, text: str) -> Sequence[str] | None:
    names = imported_names(text) if ecosystem == "pypi" else ()
    return [] if names and sys.stdlib_module_names.issuperset(names) else None


def imported(text: str) -> Sequence[str]:
    """Return the packages of the modules that a statement of Python imports, as far as they have other names."""
    return [PACKAGES.get(name, name) for name in imported_names(text) if name not in sys.stdlib_module_names]


PACKAGES: Final = {
    "bs4": "beautifulsoup4",
    "Crypto": "pycryptodome",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "fitz": "PyMuPDF",
    "git": "GitPython",
    "jwt": "PyJWT",
    "magic": "python-magic",
    "MySQLdb": "mysqlclient",
    "OpenSSL": "pyOpenSSL",
    "PIL": "pillow",
    "pptx": "python-pptx",
    "psycopg2": "psycopg2-binary",
    "serial": "pyserial",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "usb": "pyusb",
    "yaml": "PyYAML",
}
"""By the name that is imported."""
OF_NODE: Final = (
    "assert|async_hooks|buffer|child_process|cluster|console|constants|crypto|dgram|diagnostics_channel|dns|domain|events"
    "|fs|http|http2|https|inspector|module|net|os|path|perf_hooks|process|punycode|querystring|readline|repl|stream"
    "|string_decoder|sys|timers|tls|trace_events|tty|url|util|v8|vm|wasi|worker_threads|zlib"
)
"""Modules of Node.js."""
_ARCHIVE: Final = r"\.(?:whl|zip|tar\.gz|tar\.bz2|tgz)"
_NAME: Final = r"[A-Za-z0-9][\w.-]*(?:\[[\w,.-]+\])?"
_NPM: Final = r"(?:@[\w.-]+/)?[\w.-]+"
FIRST: Final[Sequence[tuple[str, _Rule]]] = (
    (
        "a variable, and nothing is filled in here; write the package itself",
        _nothing("pypi npm deno apk", r".*\$\{?[A-Za-z_]\w*\}?.*"),
    ),
    (
        "a command for packages of a Linux distribution; write Alpine's name of each under [system]",
        _nothing("pypi npm deno", rf"{PROMPT}(?:{OF_DISTRIBUTION})\s.+"),
    ),
    (
        "a command for packages of PyPI; write them under python",
        _nothing("npm deno apk", rf"{PROMPT}(?:{OF_PYPI})\s.+"),
    ),
    (
        "a command for packages of npm; write them under node or bun",
        _nothing("pypi apk", rf"{PROMPT}(?:{OF_NPM})\s.+"),
    ),
    (
        "a command for packages that nothing here installs; remove it",
        _nothing("pypi npm deno apk", rf"{PROMPT}(?:{OF_OTHERS})\s.+"),
    ),
    ("imports what comes with Python; there is nothing to install, remove it", _of_library),
    (
        "says which Python is needed, and the image has one of its own; remove it",
        _nothing(
            "pypi",
            r"[\"']?(?:requires-python|python_requires|python_version)[\"']?\s*[:=<>].*|[\"']?[Pp]ython[\"']?(?:\s*[:=<>~!^@].*)?",
        ),
    ),
    (
        "a module that comes with the runtime; there is nothing to install, remove it",
        _nothing("deno", rf"(?:{OF_NODE})(?:/\w+)?"),
    ),
    (
        "has its version behind a -",
        _fixed("apk", r"([\w.+-]+?)-(\d[\w.]*-r\d+)(?:\.apk|\s+(?:- |\w+ \{).*)?", r"\1=\2"),
    ),
    (
        "a line of a list of installed packages",
        _fixed("apk", r"(?:ii\s+)?([\w.+-]+)(?:/\S+|:\w+|\s)\s+\d\S+\s.*", r"\1"),
    ),
    (
        "has Debian's suffix for an architecture",
        _fixed("apk", r"([\w.+-]+):(?:amd64|arm64|armhf|i386|any|all|native)", r"\1"),
    ),
    (
        "written as Debian writes versions",
        _fixed("apk", r"([\w.+-]+)=(?:\d+:)?(\d[\d.]*)[-+](?!r\d+$)\S*", r"\1~\2"),
    ),
    (
        "a package of npm or JSR; write it under node, bun or deno",
        _nothing("pypi apk", r"(?:npm|jsr):\S+|@[\w-]+/\S+"),
    ),
    (
        "no package, but something else that a package.json says; remove it",
        _nothing(
            "npm deno",
            r"[\"'](?:author|description|engines|license|main|name|node|packageManager|private|type|version)[\"']\s*:.*",
        ),
    ),
    (
        'an option for an index; write args = { PIP_INDEX_URL = "…" }, or NPM_CONFIG_REGISTRY, under [build]',
        _nothing("pypi npm deno", r"(?:-i|--(?:extra-)?index-url|--registry)[ =].*"),
    ),
    (
        "a git repository; only packages of an index can be installed, so write the name and a version",
        _nothing(
            "pypi",
            rf"(?:-e\s+|--editable[ =])?(?:{_NAME}\s*@\s*)?(?:git(?:\+\w+)?[:@]|https?://(?:www\.)?git\w+\.\w+/(?!.*{_ARCHIVE}$))\S+",
        ),
    ),
    (
        "has no name before the address",
        _fixed("pypi", rf"(https://\S+/([A-Za-z][\w.]*)-\d\S*{_ARCHIVE})", r"\2 @ \1"),
    ),
    (
        "the file of one package, where only names can be written",
        _fixed(
            "pypi",
            rf"(?:\S*/)?([A-Za-z]\w*(?:[.-][A-Za-z]\w*)*)-(\d[\w.!+]*)(?:-[\w.]+)*{_ARCHIVE}",
            r"\1==\2",
        ),
    ),
    (
        "the file of one package, where only names can be written",
        _fixed("npm", r"(?:\S*/)?([a-z][\w.-]*?)-(\d+\.\d+\.\d[\w.-]*)\.(?:tgz|tar\.gz)", r"\1@\2"),
    ),
    (
        "names a file of the machine on which the list was made",
        _fixed("pypi", rf"({_NAME})\s*@\s*file:.*", r"\1"),
    ),
    ("a folder that npm makes", _fixed("npm", rf"(?:\./)?node_modules/({_NPM})(?:/.*)?", r"\1")),
    (
        "a git repository or an address; only packages of a registry can be installed, so write name and version",
        _nothing("npm", r"(?:git[@+:]|(?:github|gitlab|bitbucket|gist):|https?://(?![\w.-]+/package/)).*"),
    ),
    (
        "a file or folder; only packages of a package source can be installed, so write the name of one",
        _nothing(
            "pypi npm deno apk",
            r"(?:-e\s+|--editable[ =])?(?:\.{1,2}|(?:\.{0,2}|~)[/\\].*|[A-Za-z]:\\.*|file:.*)"
            r"|[\w-]+\.m?tsx?|import_map\.json|\S*/\S*\.apk",
        ),
    ),
    ("the address of a web page", _fixed("pypi", r"https?://[\w.-]+/project/([\w.-]+)(?:/.*)?", r"\1")),
    (
        "the address of a web page",
        _fixed("npm", r"https?://[\w.-]+/package/((?:@[\w.-]+/)?[\w.-]+)(?:/.*)?", r"\1"),
    ),
    ("the address of a web page", _fixed("apk", r"https?://[\w.-]+/package/(?:[\w.-]+/)+([\w.+-]+)", r"\1")),
    (
        "names a place in a workspace; write the version that is wanted, or remove it",
        _nothing("npm", rf"{_NPM}@(?:workspace|catalog|link|file|portal):.*"),
    ),
    (
        "has no quotes around the version of its marker",
        _fixed("pypi", r"([^;]+;[^\"';]*[<>=!]=?)\s*([\d.]+)\s*", r"\1 '\2'"),
    ),
    (
        "a file inside of a package, which is installed whole",
        _fixed("npm", r"(@[\w.-]+/[\w.-]+)/[A-Za-z][\w./-]*", r"\1"),
    ),
    (
        "a file inside of a package, or a repository of GitHub; write the name of the package alone",
        _nothing("npm", r"[A-Za-z][\w.-]*/[A-Za-z][\w./-]*"),
    ),
    ("has no jsr:@ before the scope", _fixed("deno", r"(std/\S+)", r"jsr:@\1")),
    (
        "has no https:// before the address",
        _fixed("deno", r"((?:[\w-]+\.)+(?!m?[jt]s/)[a-z]{2,}/\S+)", r"https://\1"),
    ),
)
"""What other rules would take for something else."""
LAST: Final[Sequence[tuple[str, _Rule]]] = (
    (
        "an entry of another file",
        _fixed(
            "pypi npm",
            r"""["']?([\w.-]+)["']?\s*[:=]\s*\{.*?version["']?\s*[:=]\s*["']([^"']*)["'].*\}""",
            r'\1 = "\2"',
        ),
    ),
    (
        "has an option behind it; an index is set by PIP_INDEX_URL or NPM_CONFIG_REGISTRY in [build] args",
        _fixed("pypi npm apk", r"([^\s-]\S*)\s+--?[A-Za-z][\w-]*(?:[ =]\S+)?", r"\1"),
    ),
    (
        "asks for the newest, as a name alone does",
        _fixed("pypi deno apk", r"(\S+?)(?:===?|@|:|=)latest", r"\1"),
    ),
    ("asks for any version, as a name alone does", _fixed("pypi apk", rf"({_NAME})\s*==?\*", r"\1")),
    ("asks for any version, as a name alone does", _fixed("pypi", rf"({_NAME})\*", r"\1")),
    ("has its comparison turned around", _fixed("pypi", rf"({_NAME})\s*=([<>])\s*(\d\S*)", r"\1\2=\3")),
    ("has its comparison turned around", _fixed("npm", rf"({_NPM})@?\s*=([<>])\s*(\d\S*)", r"\1@\2=\3")),
    (
        "has another sign for any version than .*",
        _fixed("pypi", rf"({_NAME})\s*(?:==?|@)\s*(\d+(?:\.\d+)*)(?:\.[xX*])+", r"\1==\2.*"),
    ),
    (
        "has another sign between name and version",
        _fixed("pypi", rf"({_NAME})[:/](\d+(?:\.\d+)*)", r"\1==\2"),
    ),
    ("has quotes in it", _fixed("npm", rf"({_NPM}@)[\"']([^\"']+)[\"']", r"\1\2")),
    ("an entry of a YAML file", _fixed("npm", rf"({_NPM}):\s*([\^~<>=v]*\d[\w.*-]*),?", r"\1@\2")),
    ("has no @ before the scope", _fixed("deno", r"jsr:([\w-]+/\S+)", r"jsr:@\1")),
    ("written with a * in its version", _fixed("apk", r"([\w.+-]+)=(\d+(?:\.\d+)*)\.\*", r"\1~\2")),
    (
        "has its comparison written in another way",
        _fixed("pypi", rf"({_NAME})\s*~>\s*(\d\S*)", r"\1~=\2"),
    ),
    ("has its comparison written in another way", _fixed("apk", r"([\w.+-]+)@?\^(\d[\w.]*)", r"\1~\2")),
    ("has blanks in it", _fixed("apk", r"([\w.+-]+)\s*([<>=~]+)\s*(\d\S*)", r"\1\2\3")),
    ("has blanks in it", _fixed("npm deno", r"(\S+?)(?:\s+@\s*|@\s+)(\S+)", r"\1@\2")),
    (
        "has one = in its marker, where two are needed",
        _fixed("pypi", r"([^;]+;[^=]*\w\s*)=(\s*)[\"']([^\"']*)[\"'](.*)", r"\1==\2'\3'\4"),
    ),
    (
        "has a * behind a comparison that takes none",
        _fixed("pypi", rf"({_NAME}\s*(?:>=|<)\s*\d[\d.]*)\.\*", r"\1"),
    ),
    ("has an extra without the closing ]", _fixed("pypi", r"([\w.-]+\[[\w,.-]*\w)", r"\1]")),
    (
        "an entry of another file",
        _fixed("pypi", rf"({_NAME})\s*[:=]\s*([\^~<>=!]*\d[\w.*]*)", r'\1 = "\2"'),
    ),
    ("has no version behind its comparison", _fixed("pypi", rf"({_NAME})\s*[<>=!~]{{1,3}}", r"\1")),
)
