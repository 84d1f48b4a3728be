"""The flags that each instruction has."""

from typing import Final

_FLAGS: Final = {
    "FROM": {"platform"},
    "COPY": {"from", "chown", "chmod", "link", "exclude", "parents"},
    "ADD": {"chown", "chmod", "link", "exclude", "keep-git-dir", "checksum", "unpack"},
    "RUN": {"mount", "network", "security", "device"},
    "HEALTHCHECK": {"interval", "timeout", "start-period", "start-interval", "retries"},
}
_SWITCHES: Final = {"keep-git-dir", "link", "parents", "unpack"}
"""Those that need no value."""
_NEAR: Final = 0.7


def is_known(keyword: str, name: str) -> bool:
    """Tell whether an instruction has a flag; one that it has not may be a newer builder's."""
    return name in _FLAGS.get(keyword, ())


def flag_problem(keyword: str, flag: str) -> str:
    """Return what is wrong with a flag, `--name=value`; empty for nothing, and where a newer builder may know it."""
    written, equals, _ = flag.partition("=")
    name = written.removeprefix("--")
    known = _FLAGS.get(keyword, set())
    if not known:
        return f"{keyword} takes no flags, and {written} is given"
    if name in known:
        missing = not equals and name not in _SWITCHES
        return f"{written} of {keyword} has no value; expected {written}=…" if missing else ""
    import difflib  # noqa: PLC0415 - few have one

    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=_NEAR)
    return f"{keyword} has no flag {written} (did you mean --{near[0]}?)" if near else ""
