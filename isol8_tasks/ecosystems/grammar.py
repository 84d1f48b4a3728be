"""What each package ecosystem takes for the name of a package, one reader for each."""

import re
from typing import Final


class NotUnderstoodError(ValueError):
    """The text is not what the ecosystem's installer takes; the message says which part of it isn't."""


def read_pypi(text: str) -> tuple[str, str]:
    """PEP 508, without what would name a file; a URL only behind a name and over https."""
    name, rest = text, ""
    if simple := re.fullmatch(_PYPI_SIMPLE, text):
        name, rest = simple[1], simple[2] or ""
    else:
        # Only here, as most specs are that simple and the import costs more than the whole of deps.toml.
        from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415

        if re.match(r"[a-z+]+://", text):
            raise NotUnderstoodError("a URL needs the package's name before it, as name @ https://…")
        try:
            requirement = Requirement(text)
        except InvalidRequirement as error:
            reason = str(error).splitlines()[0]
            raise NotUnderstoodError(f"not a requirement ({reason[:1].lower()}{reason[1:]})") from error
        if requirement.url is not None:
            _check_url(requirement.url)
        name = requirement.name
        rest = str(requirement)[len(name) :]
    if name.lower() == "python":
        raise NotUnderstoodError("the runtime itself, which is no package")
    if name.lower().endswith(_PYPI_ARCHIVES) and not rest:
        raise NotUnderstoodError("pip would read it as a file name")
    return re.sub(r"[-_.]+", "-", name).lower(), rest


def read_npm(text: str) -> tuple[str, str]:
    """Return what npm's registry is asked for; npm's git, file and URL specs are not taken."""
    name, at, wanted = _cut_version(text)
    _check_npm_name(name)
    if not at:
        return name, ""
    if wanted.startswith("npm:"):
        other, other_at, other_wanted = _cut_version(wanted.removeprefix("npm:"))
        _check_npm_name(other)
        if other_at:
            _check_npm_version(other_wanted)
    else:
        _check_npm_version(wanted)
    return name, f"@{' '.join(wanted.split())}"


def read_deno(text: str) -> tuple[str, str]:
    """Return what `deno cache` loads: a package of npm or JSR, or a module by its URL."""
    scheme, colon, rest = text.partition(":")
    if colon and scheme in {"npm", "jsr"}:
        return _read_deno_package(scheme, rest)
    if colon and scheme in {"http", "https"}:
        _check_url(text)
        versions = "".join(re.findall(_URL_VERSION, text))
        return re.sub(_URL_VERSION, "", text), versions
    if colon:
        raise NotUnderstoodError(f"{scheme}: is not a supported scheme for a module")
    raise NotUnderstoodError("deno needs npm: or jsr: before the name")


def _read_deno_package(scheme: str, text: str) -> tuple[str, str]:
    parts = text.split("/", 2 if text.startswith("@") else 1)
    scoped = len(parts) > 1 and text.startswith("@")
    path = "/".join(["", *parts[2 if scoped else 1 :]])
    name, at, wanted = _cut_version("/".join(parts[:2]) if scoped else parts[0])
    if scheme == "npm":
        _check_npm_name(name)
    elif not re.fullmatch(_JSR_NAME, name):
        raise NotUnderstoodError(f"{name!r} is not a JSR name, as @scope/name in lower case is")
    # JSR has no tags.
    versions = f"{_DENO_VERSION}|{_NPM_TAG}" if scheme == "npm" else _DENO_VERSION
    if at and not re.fullmatch(versions, wanted):
        tag = ", or a dist-tag" if scheme == "npm" else ""
        raise NotUnderstoodError(f"{wanted!r} is not one version, optionally with ^ or ~ before it{tag}")
    if "@" in path:
        raise NotUnderstoodError(f"the version comes before the path, as {scheme}:{name}@1/path")
    if not re.fullmatch(_DENO_PATH, path) or not {".", ".."}.isdisjoint(path.split("/")):
        raise NotUnderstoodError(f"{path!r} is not a path inside a package")
    return f"{scheme}:{name}{path}", f"@{wanted}" if at else ""


def read_apk(text: str) -> tuple[str, str]:
    """Return a constraint as in apk's world file: name{@tag}{operator version}; no conflicts and no files."""
    name, at, tag, operator, version = _match_apk(text)
    if not re.fullmatch(_APK_NAME, name) or ".apk" in name:
        raise NotUnderstoodError(f"{name!r} is not the name of an Alpine package")
    # A command may have the name of an architecture.
    if re.search(r"-[0-9][^-]*-r[0-9]+$|^(?!cmd:).*:(?:amd64|arm64|armhf|i386|any|all|native)$", name):
        raise NotUnderstoodError(f"{name!r} is a name with more behind it")
    if at and not re.fullmatch(_APK_TAG, tag):
        raise NotUnderstoodError(f"{tag!r} is not the tag of a repository")
    if operator and operator not in _APK_OPERATORS:
        raise NotUnderstoodError(f"{operator} is not a supported comparison")
    if operator and not re.fullmatch(_APK_VERSION, version):
        raise NotUnderstoodError(f"{version!r} is not a version of an Alpine package")
    return name, f"{at}{tag}{operator}{version}"


def _match_apk(text: str) -> tuple[str, str, str, str, str]:
    head = re.split(r"[<>=~]", text, maxsplit=1)[0]
    name, at, tag = head.partition("@")
    tail = text[len(head) :]
    version = tail.lstrip("<>=~")
    return name, at, tag, tail[: len(tail) - len(version)], version


def _cut_version(text: str) -> tuple[str, str, str]:
    """Cut at the @ that ends a name; a scope's own stands first."""
    name, at, wanted = text[1:].partition("@")
    return text[:1] + name, at, wanted


def _check_npm_name(name: str) -> None:
    scope = name.startswith("@")
    if not scope and re.search(r"[/:]", name):
        raise NotUnderstoodError("a URL, a path or a git repository, not a package of the registry")
    pattern = _NPM_SCOPED_NAME if scope else _NPM_NAME
    if not re.fullmatch(pattern, name) or len(name) > _NPM_LONGEST_NAME:
        raise NotUnderstoodError(f"{name!r} is not a package name of npm's")
    if name.lower() in {"node_modules", "favicon.ico"}:
        raise NotUnderstoodError(f"{name!r} is a name reserved by npm")
    if not scope and name.lower().endswith((".tgz", ".tar.gz", ".tar")):
        raise NotUnderstoodError("npm would read it as a file name")


def _check_npm_version(wanted: str) -> None:
    """Accept a range of semver's, or a dist-tag, which is anything in one word that is no range."""
    if re.fullmatch(_NPM_TAG, wanted) or all(_is_npm_range(part) for part in wanted.split("||")):
        return
    raise NotUnderstoodError(f"{wanted!r} is neither a version range nor a dist-tag")


def _is_npm_range(text: str) -> bool:
    words = re.sub(r"([<>]=?|=|~>?|\^) +", r"\1", text).split()
    if len(words) == 3 and words[1] == "-":  # noqa: PLR2004 - `1.2 - 2.3`
        return all(re.fullmatch(_NPM_PARTIAL, word) for word in (words[0], words[2]))
    return bool(words) and all(re.fullmatch(_NPM_COMPARATOR, word) for word in words)


def _check_url(url: str) -> None:
    if not url.startswith("https://"):
        raise NotUnderstoodError("a URL has to begin with https://")
    if not re.fullmatch(_URL, url):
        raise NotUnderstoodError("not a valid URL (RFC 3986; a space is written %20)")


# Patterns are plain text, so that a run compiles only those that it has a use for.
# A name, perhaps with one comparison to a version of numbers.
_PYPI_SIMPLE: Final = (
    r"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)((?:[=!]=|[<>]=?)[0-9]{1,9}(?:\.[0-9]{1,9}){0,5})?"
)
# What pip takes for a file by its ending, before it thinks of a package.
_PYPI_ARCHIVES: Final = (
    *(".whl", ".zip", ".tar", ".tgz", ".tbz", ".txz", ".tlz"),
    *(".tar.gz", ".tar.bz2", ".tar.xz", ".tar.lz", ".tar.lzma"),
)

# The names that npm still installs, capitals too; those it lets be published have none.
_NPM_LONGEST_NAME: Final = 214
_NPM_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_NPM_SCOPED_NAME: Final = r"@[A-Za-z0-9_-][A-Za-z0-9._-]*/[A-Za-z0-9_-][A-Za-z0-9._-]*"
_NPM_TAG: Final = r"(?=[^A-Za-z]*[A-Za-z])[A-Za-z0-9][A-Za-z0-9._-]*"
_NUMBER: Final = r"(?:0|[1-9][0-9]{0,15}|[xX*])"
_WORDS: Final = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_PARTIAL: Final = rf"{_NUMBER}(?:\.{_NUMBER}(?:\.{_NUMBER}(?:-{_WORDS})?(?:\+{_WORDS})?)?)?"
_NPM_PARTIAL: Final = rf"v?{_PARTIAL}"
_NPM_COMPARATOR: Final = rf"(?:[<>]=?|=|~>?|\^)?v?{_PARTIAL}"

_JSR_NAME: Final = r"@[a-z0-9][a-z0-9-]*/[a-z0-9][a-z0-9-]*"
# One comparison, where npm takes a list: Deno reads versions inside a specifier more strictly.
_DENO_VERSION: Final = rf"[~^]?{_PARTIAL}"
_DENO_PATH: Final = r"(?:/[A-Za-z0-9._~!$&'()*+,;=-]+)*"

_HOST: Final = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"
_URL: Final = (
    rf"https://{_HOST}(?::[0-9]{{1,5}})?(?:[/?#](?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{{2}})*)?"
)
# As in /std@0.224.0/ and /@scope/name@1, not the @ that begins a scope.
_URL_VERSION: Final = r"(?<=[^/])@[^/?#]+"

# Besides packages, what they provide can be asked for: so:libz.so.1, cmd:jq, pc:zlib, py3.12:requests.
_APK_NAME: Final = r"(?:[a-z][a-z0-9.]*:)?[A-Za-z0-9_][A-Za-z0-9_.+-]*"
_APK_TAG: Final = r"[A-Za-z0-9_.-]+"
_APK_OPERATORS: Final = frozenset({"=", "==", "<", "<=", ">", ">=", "~", "=~", "~=", "<~", ">~"})
_APK_VERSION: Final = (
    r"[0-9]+(?:\.[0-9]+)*[a-z]?(?:_(?:alpha|beta|pre|rc|cvs|svn|git|hg|p)[0-9]*)*(?:~[0-9a-f]+)?(?:-r[0-9]+)?"
)
