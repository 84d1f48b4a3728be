"""Names that no package source has, since they are something else: what they are, and what to write.

It is asked about names alone that an installer did not find, as any source of a user's own may have them.
"""

import re
import sys
from collections.abc import Iterator
from typing import Final

from isol8_tasks.ecosystems.modules import OF_NODE, PACKAGES


def hints(ecosystem: str, output: str) -> tuple[str, ...]:
    """Return what to write in the place of what an installer did not find, a sentence each, by its output."""
    return tuple(dict.fromkeys(filter(None, _hints(ecosystem, output))))


def _hints(ecosystem: str, output: str) -> Iterator[str]:
    for pattern, words in _SAID[ecosystem]:
        for found in re.finditer(pattern, output, re.MULTILINE):
            yield words.format(*found.groups())
    for found in re.finditer(_UNFOUND[ecosystem], output, re.MULTILINE):
        yield _OF[ecosystem](next(filter(None, found.groups())))


def _of_pypi(name: str) -> str:
    name = re.split(r"[<>=!~;\[ ]", name)[0]
    if re.fullmatch(r"python[\d.]*", name):
        return f"{name} is the runtime itself, and the image has one of its own; remove it."
    plain = re.sub(r"[-_.]+", "-", name)
    if plain in sys.stdlib_module_names:
        return f"{plain} comes with Python; there is nothing to install, remove it."
    # psycopg2 is a package itself, of which psycopg2-binary is another build.
    if (package := PACKAGES.get(plain)) and not package.startswith(plain):
        return f'{plain} is the name of a module, and its package is {package}: write "{package}".'
    if found := re.fullmatch(r"(?:py3|python3?)-(.+)", plain):
        own = found[1]
        return (
            f'{plain} is the name of a distribution\'s package: write "{own}", or under system "py3-{own}".'
        )
    alpine = _alpine(plain)
    if alpine != plain or re.search(r"^lib.*\d$|-dev(?:el)?$", plain):
        return f'{plain} is the name of a distribution\'s package: write "{alpine}" under system.'
    return ""


def _of_apk(name: str) -> str:
    if found := re.fullmatch(r"(.+?)-v?(\d[\d.]*)", name):
        return f'If {found[2]} is a version in {name}, write "{found[1]}~{found[2]}".'
    if found := re.fullmatch(r"(.+):(?:(\d[\d.]*)|latest)", name):
        version = f"~{found[2]}" if found[2] else ""
        return f'{name} is written as for Docker: write "{found[1]}{version}".'
    alpine = _alpine(name.lower())
    has = "has" if name in _ALPINE else "may have"
    return f'Alpine {has} {alpine} for {name}: write "{alpine}".' if alpine != name else ""


def _of_npm(name: str) -> str:
    if name != name.lower():
        return f'Names have lower-case letters there: write "{name.lower()}".'
    if re.fullmatch(OF_NODE, name):
        return f"{name} comes with Node.js and Bun; there is nothing to install, remove it."
    return ""


def _alpine(name: str) -> str:
    """Return the name that Alpine has for a package of another distribution's; the same where none is known."""
    if known := _ALPINE.get(name):
        return known
    for pattern, written in _FORMS:
        if re.fullmatch(pattern, name):
            return re.sub(pattern, written, name)
    return name


_OF: Final = {"pypi": _of_pypi, "apk": _of_apk, "npm": _of_npm, "deno": _of_npm}
_UNFOUND: Final = {
    "pypi": r"No matching distribution found for (\S+)",
    "apk": r"^\s*(\S+) \(no such package\)",
    "npm": r"No versions available for (\S+)|resource '([^@']+)@|/([\w.-]+) - 404$",
    "deno": r"npm package '([^']+)' does not exist",
}
_SAID: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "pypi": (),
    "npm": (),
    "apk": (
        (
            r"^\s*([\w.+-]+?)-(\d[\w.]*)(-r\d+):\n\s*breaks: world\[(\1[<>=~][^\]]*)\]",
            (
                'The repositories have {0} {1}{2}, which {3} excludes: write "{0}={1}{2}", or "{0}~{1}" for all of its '
                "revisions."
            ),
        ),
        (
            r"repository tag for world dependency '([^@']+)@([\w.-]+)' does not exist",
            (
                "Behind @ stands the tag of a repository, and none has the tag {1}: "
                'for a version write "{0}~{1}", for the newest "{0}".'
            ),
        ),
    ),
    "deno": (
        (
            r"JSR package manifest for '([^']+)' failed to load",
            (
                "JSR has no {0}, or can't be reached from the build: check the name, as @scope/name, and the "
                "network."
            ),
        ),
    ),
}
"""By what an installer prints, and what follows from it."""
_FORMS: Final = (
    (r"python3?-(.+)-(?:dev|doc)|python3?-(?!dev$|doc$)(.+)", r"py3-\1\2"),
    (r"(.+)-devel", r"\1-dev"),
    (r"openjdk-(\d+)-(jdk|jre)(?:-headless)?", r"openjdk\1-\2"),
    (r"fonts-(.+)", r"font-\1"),
    (r"tesseract-ocr-(\w+)", r"tesseract-ocr-data-\1"),
)
_NAMES: Final = """
build-essential:build-base chromium-browser:chromium default-jdk:openjdk21 default-jre:openjdk21-jre
dnsutils:bind-tools fd-find:fd g++-multilib:g++ gcc-c++:g++ golang:go iputils-ping:iputils
libbz2-dev:bzip2-dev libcairo2:cairo libcairo2-dev:cairo-dev libcurl4-openssl-dev:curl-dev
libfreetype6-dev:freetype-dev libgdal-dev:gdal-dev libgeos-dev:geos-dev libgl1:mesa-gl
libgl1-mesa-glx:mesa-gl libglib2.0-0:glib libgomp1:libgomp libhdf5-dev:hdf5-dev libjpeg-dev:jpeg-dev
libjpeg62-turbo-dev:jpeg-dev libldap2-dev:openldap-dev liblzma-dev:xz-dev libmagic-dev:file-dev
libmagic1:libmagic libmysqlclient-dev:mariadb-dev libncurses-dev:ncurses-dev libopenblas-dev:openblas-dev
libpango-1.0-0:pango libpq5:libpq libproj-dev:proj-dev libreadline-dev:readline-dev
libsasl2-dev:cyrus-sasl-dev libsm6:libsm libsndfile1:libsndfile libsqlite3-dev:sqlite-dev
libssl-dev:openssl-dev libstdc++6:libstdc++ libxext6:libxext libxrender1:libxrender
libxslt1-dev:libxslt-dev libyaml-dev:yaml-dev netcat:netcat-openbsd p7zip-full:7zip pkg-config:pkgconf
node:nodejs java:openjdk21 pip:py3-pip python:python3
portaudio19-dev:portaudio-dev python-dev:python3-dev python3-pip:py3-pip python3-tk:python3-tkinter
python3-venv:python3 sqlite3:sqlite uuid-runtime:uuidgen xz-utils:xz zlib1g-dev:zlib-dev
"""
_ALPINE: Final = dict(pair.split(":") for pair in _NAMES.split())
"""Alpine's names of packages that Debian, Fedora and others name otherwise."""
