"""Packages in exactly one version, and what is newer than that."""

import pytest

from isol8_tasks.ecosystems.exact import Exact, exact
from isol8_tasks.ecosystems.specs import parse_spec


def pin(ecosystem: str, text: str) -> Exact:
    found = exact(ecosystem, text)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("ecosystem", "text", "name", "compatible", "newest", "other"),
    [
        ("pypi", "numpy==1.26.4", "numpy", "numpy>=1.26.4,<2", "numpy>=1.26.4", "numpy==9"),
        ("pypi", "Py_Yaml ===6.0", "py-yaml", "Py_Yaml>=6.0,<7", "Py_Yaml>=6.0", "Py_Yaml ===9"),
        (
            "pypi",
            "requests[socks] == 2.1; python_version > '3'",
            "requests",
            "requests[socks]>=2.1,<3; python_version > '3'",
            "requests[socks]>=2.1; python_version > '3'",
            "requests[socks] == 9; python_version > '3'",
        ),
        ("pypi", "a==1!2.0rc1", "a", "a>=1!2.0rc1,<1!3", "a>=1!2.0rc1", "a==9"),
        ("npm", "lodash@4.17.20", "lodash", "lodash@^4.17.20", "lodash", "lodash@9"),
        ("npm", "@a/b@0.1.2-rc.1", "@a/b", "@a/b@^0.1.2-rc.1", "@a/b", "@a/b@9"),
        ("npm", "x@npm:@a/b@1.2.3", "@a/b", "x@npm:@a/b@^1.2.3", "x@npm:@a/b", "x@npm:@a/b@9"),
        ("deno", "npm:zod@4.0.0/mini", "zod", "npm:zod@^4.0.0/mini", "npm:zod/mini", "npm:zod@9/mini"),
        (
            "deno",
            "jsr:@std/path@1.0.0",
            "@std/path",
            "jsr:@std/path@^1.0.0",
            "jsr:@std/path",
            "jsr:@std/path@9",
        ),
        ("apk", "jq=1.7.1-r0", "jq", "jq", "jq", "jq=9"),
        ("apk", "jq@edge=1.7.1-r0", "jq", "jq@edge", "jq@edge", "jq@edge=9"),
    ],
)
def test_what_is_asked_and_written(  # noqa: PLR0913, PLR0917 - a row of the table
    ecosystem: str, text: str, name: str, compatible: str, newest: str, other: str
) -> None:
    """Each is what the ecosystem's own installer takes."""
    found = pin(ecosystem, text)
    assert (found.name, found.compatible, found.newest, found.at("9")) == (name, compatible, newest, other)
    if ecosystem != "pypi" or "===" not in text:
        for each in (text, compatible, newest):
            assert parse_spec(ecosystem, each).name == parse_spec(ecosystem, text).name


@pytest.mark.parametrize(
    ("ecosystem", "text"),
    [
        *(("pypi", f"numpy{each}") for each in ("", ">=1", "~=1.2", "==1.*", ">=1,<2", "==1.0+cpu", "!=1")),
        ("pypi", "a @ https://x.example/a-1.0.whl"),
        *(("npm", f"lodash{each}") for each in ("", "@4", "@^4.17.20", "@latest", "@>=1.0.0", "@4.17.x")),
        *(("deno", each) for each in ("npm:zod", "npm:zod@4", "https://deno.land/x/a@1.0.0/mod.ts")),
        *(("apk", f"jq{each}") for each in ("", "~1.7", ">=1.7", "@edge")),
    ],
)
def test_what_is_no_exact_version(ecosystem: str, text: str) -> None:
    """Somebody else may choose a version of it."""
    assert exact(ecosystem, text) is None


@pytest.mark.parametrize(
    ("ecosystem", "text", "versions", "major", "newer"),
    [
        ("pypi", "a==1.9", ["1.10"], False, "1.10"),
        ("pypi", "a==1.0", ["1.0.0"], False, ""),
        ("pypi", "a==1.0", ["odd", "0.9"], True, ""),
        ("npm", "a@4.9.0", ["4.10.0", "3.0.0", "5.0.0"], False, "4.10.0"),
        ("npm", "a@4.9.0", ["4.10.0", "5.0.0", "6.0.0-rc.1"], True, "5.0.0"),
        ("npm", "a@0.2.3", ["0.3.0", "0.2.4"], False, "0.2.4"),
        ("npm", "a@0.0.3", ["0.0.4"], False, ""),
        ("npm", "a@1.0.0-rc.2", ["1.0.0-rc.10", "1.0.0-rc.a"], False, "1.0.0-rc.a"),
        ("npm", "a@1.0.0-rc.2", ["1.0.0-rc.10", "1.0.0"], False, "1.0.0"),
        ("npm", "a@1.0.0", ["1.0", "x"], True, ""),
        ("deno", "npm:a@1.0.0", ["1.1.0+build"], True, "1.1.0+build"),
        ("apk", "a=1-r0", ["1-r1"], False, "1-r1"),
        ("apk", "a=1-r0", ["1-r0"], False, ""),
    ],
)
def test_newer(ecosystem: str, text: str, versions: list[str], newer: str, *, major: bool) -> None:
    """By the ecosystem's own order; of another major version, or not released, only where that is wanted."""
    assert pin(ecosystem, text).newer(versions, major=major) == newer
