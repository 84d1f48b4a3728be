"""The `--mount` of a RUN: its settings, as BuildKit reads them and as they count."""

import posixpath
import re
from collections.abc import Collection, Mapping
from typing import Final

_KINDS: Final = ("bind", "cache", "secret", "ssh", "tmpfs")
_SHARING: Final = ("locked", "private", "shared")
_NAMES: Final = {
    "src": "source", "dst": "target", "destination": "target", "ro": "readonly", "rw": "readwrite",
    **{
        name: name
        for name in (
            "type", "from", "source", "target", "readonly", "readwrite", "id", "sharing", "required", "size", "mode",
            "uid", "gid", "env",
        )
    },
}  # fmt: skip
_SWITCHES: Final = {"readonly", "readwrite", "required"}
_TRUE: Final = {"1", "t", "T", "TRUE", "true", "True"}
_FALSE: Final = {"0", "f", "F", "FALSE", "false", "False"}
_WRITABLE: Final = {"cache", "tmpfs"}
_PATTERNS: Final = {
    **dict.fromkeys(_SWITCHES, ("|".join(sorted(_TRUE | _FALSE)), "true or false")),
    "mode": ("[0-7]+", "an octal number, as 0755"),
    "uid": ("[0-9]+", "a number"),
    "gid": ("[0-9]+", "a number"),
}
_KINDS_OF: Final[Mapping[str, Collection[str]]] = {
    **{name: {"cache", "secret", "ssh"} for name in ("mode", "uid", "gid")},
    "required": {"secret", "ssh"},
    "size": {"tmpfs"},
    "sharing": {"cache"},
}
"""The kinds of mounts that a setting is for, where not all have it."""


class BadMountError(ValueError):
    """A mount that BuildKit refuses too."""


def read_mount(text: str) -> dict[str, str]:
    """Return the settings of a mount by their plain names, its type among them; raise BadMountError."""
    settings = {"type": "bind"}
    for field in text.split(","):
        written, equals, value = field.partition("=")
        name = _NAMES.get(written.lower(), "")
        if not name:
            raise BadMountError(
                f"{written or 'an empty word'} is not an option of --mount{_near(written, _NAMES)}"
            )
        if not equals and name not in _SWITCHES:
            raise BadMountError(f"{written} has no value; expected {written}=…")
        settings[name] = value if equals else "true"
    kind = settings["type"] = _one_of(settings["type"], _KINDS, "type")
    if "sharing" in settings:
        settings["sharing"] = _one_of(settings["sharing"], _SHARING, "sharing")
    if "$" not in kind:
        _check(kind, settings)
    return settings


def canonical_mount(text: str, origins: Mapping[str, str]) -> tuple[str, str]:
    """Return where a mount goes, and its settings as they count; `origins` has what `from=` refers to."""
    settings = read_mount(text)
    kind = settings["type"]
    target = settings.get("target", "")
    settings["from"] = origins.get(settings.get("from", ""), settings.get("from", ""))
    if kind in {"bind", "cache"}:
        settings["source"] = _source(settings.get("source", ""))
    if kind == "cache" and settings.get("id") == posixpath.normpath(target):
        del settings["id"]
    _set_access(kind, settings)
    usual = {"type": "bind", "sharing": "shared", "from": "", "source": "", "id": ""}
    told = (f"{name}={value}" for name, value in sorted(settings.items()) if usual.get(name) != value)
    return target, ",".join(told)


def mounted_secrets(step: str) -> tuple[str, ...]:
    """Return the ids of the secrets that a step in its canonical form mounts; not those with a variable in them."""
    flags = step.partition(" -- ")[0] if step.startswith("RUN --") else ""
    found = []
    for mount in re.findall(r" --mount=(\S+)", flags):
        settings = dict(field.partition("=")[::2] for field in mount.split(","))
        if settings.get("type") == "secret":
            target = posixpath.basename(settings.get("target", ""))
            found.append(settings.get("id") or settings.get("source") or target)
    return tuple(each for each in found if "$" not in each)


def _one_of(value: str, known: tuple[str, ...], what: str) -> str:
    if "$" in value or value.lower() in known:
        return value.lower() if "$" not in value else value
    raise BadMountError(
        f"{what}={value}: expected {', '.join(known[:-1])} or {known[-1]}{_near(value, known)}"
    )


def _check(kind: str, settings: Mapping[str, str]) -> None:
    for name, value in settings.items():
        if kind not in _KINDS_OF.get(name, _KINDS):
            raise BadMountError(f"{name} can't be set for a mount of type {kind}")
        pattern, expected = _PATTERNS.get(name, ("", ""))
        if pattern and "$" not in value and not re.fullmatch(pattern, value):
            raise BadMountError(f"{name}={value}: expected {expected}")
    if kind == "secret":
        if settings.get("from"):
            raise BadMountError("from can't be set for a mount of type secret")
        if not any(settings.get(name) for name in ("id", "source", "target")):
            raise BadMountError("a mount of type secret needs an id or a target")
        if settings.get("id") and settings.get("source"):
            raise BadMountError("a mount of type secret takes either id or source")


def _source(path: str) -> str:
    return path if "$" in path else posixpath.normpath(f"/{path}").lstrip("/")


def _set_access(kind: str, settings: dict[str, str]) -> None:
    """Leave of readonly and readwrite what is not usual for the kind, in one spelling."""
    usual = "false" if kind in _WRITABLE else "true"
    for name, yes, no in (("readonly", "true", "false"), ("readwrite", "false", "true")):
        value = settings.pop(name, None)
        if value is not None:
            settings["access"] = yes if value in _TRUE else no if value in _FALSE else f"{name} {value}"
    if settings.get("access") == usual:
        del settings["access"]


def _near(word: str, known: Mapping[str, str] | tuple[str, ...]) -> str:
    import difflib  # noqa: PLC0415 - only a typing error needs it

    near = difflib.get_close_matches(word.lower(), sorted(known), n=1)
    return f" (did you mean {near[0]}?)" if near else ""
