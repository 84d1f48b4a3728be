"""Which package specs each ecosystem takes, and what is said about the others."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.requirements import InvalidRequirement, Requirement

from isol8_tasks.ecosystems.grammar import NotUnderstoodError
from isol8_tasks.ecosystems.runtimes import ECOSYSTEMS, RUNTIMES
from isol8_tasks.ecosystems.specs import Spec, SpecError, parse_spec

TAKEN = {
    "pypi": [
        ("numpy", "numpy", ""),
        ("Zope.Interface_x", "zope-interface-x", ""),
        ("requests[socks]>=2,<3", "requests", "[socks]<3,>=2"),
        ("requests [socks, security] >= 2", "requests", "[security,socks]>=2"),
        ("foo==1.0.*", "foo", "==1.0.*"),
        ("foo~=1.4.2", "foo", "~=1.4.2"),
        ("foo (>=1)", "foo", ">=1"),
        ("numpy; python_version>'3.9'", "numpy", '; python_version > "3.9"'),
        (
            "foo @ https://files.example/foo-1.0-py3-none-any.whl",
            "foo",
            " @ https://files.example/foo-1.0-py3-none-any.whl",
        ),
    ],
    "npm": [
        ("lodash", "lodash", ""),
        ("JSONStream", "JSONStream", ""),
        ("@scope/pkg@^1.2", "@scope/pkg", "@^1.2"),
        ("@-x/_y", "@-x/_y", ""),
        ("lodash@4", "lodash", "@4"),
        ("lodash@v4.17.21", "lodash", "@v4.17.21"),
        ("lodash@1.x", "lodash", "@1.x"),
        ("lodash@*", "lodash", "@*"),
        ("lodash@>=1  <2 || ~3.1", "lodash", "@>=1 <2 || ~3.1"),
        ("lodash@> 1", "lodash", "@> 1"),
        ("lodash@1.2 - 2", "lodash", "@1.2 - 2"),
        ("lodash@1.0.0-rc.1+build.5", "lodash", "@1.0.0-rc.1+build.5"),
        ("lodash@latest", "lodash", "@latest"),
        ("lodash@7-legacy", "lodash", "@7-legacy"),
        ("four@npm:@scope/lodash@4", "four", "@npm:@scope/lodash@4"),
        ("four@npm:lodash", "four", "@npm:lodash"),
        ("a" * 214, "a" * 214, ""),
    ],
    "deno": [
        ("npm:zod@3", "npm:zod", "@3"),
        ("npm:is-number", "npm:is-number", ""),
        ("npm:@scope/pkg@^1.2.3-rc.1/sub/x.js", "npm:@scope/pkg/sub/x.js", "@^1.2.3-rc.1"),
        ("npm:preact@latest/hooks", "npm:preact/hooks", "@latest"),
        ("jsr:@std/path", "jsr:@std/path", ""),
        ("jsr:@std/path@~1.0/posix", "jsr:@std/path/posix", "@~1.0"),
        ("https://deno.land/std/path/mod.ts", "https://deno.land/std/path/mod.ts", ""),
        ("https://deno.land/std@0.224.0/path/mod.ts", "https://deno.land/std/path/mod.ts", "@0.224.0"),
        ("https://esm.sh/@a/b@1.2?target=deno", "https://esm.sh/@a/b?target=deno", "@1.2"),
        ("https://[::1]:8443/mod%20x.ts", "https://[::1]:8443/mod%20x.ts", ""),
    ],
    "apk": [
        ("jq", "jq", ""),
        ("jq=1.7.1-r0", "jq", "=1.7.1-r0"),
        ("jq>1", "jq", ">1"),
        ("jq<=1.2b_rc3_p1", "jq", "<=1.2b_rc3_p1"),
        ("jq~1.7", "jq", "~1.7"),
        ("jq=~1.7", "jq", "=~1.7"),
        ("jq=1.7~0a1b2c", "jq", "=1.7~0a1b2c"),
        ("jq@edge", "jq", "@edge"),
        ("jq@edge>=1.7", "jq", "@edge>=1.7"),
        ("so:libc.musl-x86_64.so.1", "so:libc.musl-x86_64.so.1", ""),
        ("cmd:jq", "cmd:jq", ""),
        ("py3.12:requests", "py3.12:requests", ""),
        ("libstdc++", "libstdc++", ""),
    ],
}

REFUSED = {
    "pypi": [
        ("a b", "not a requirement (expected semicolon (after name with no version specifier) or end)"),
        (
            "requests>>2",
            "not a requirement (expected semicolon (after name with no version specifier) or end)",
        ),
        ("./wheel", "not a requirement (expected package name at the start of dependency specifier)"),
        ("git+https://h.example/x", "a URL needs the package's name before it, as name @ https://…"),
        ("https://h.example/x.whl", "a URL needs the package's name before it, as name @ https://…"),
        ("x @ http://h.example/x.whl", "a URL has to begin with https://"),
        ("x @ git+https://h.example/x", "a URL has to begin with https://"),
        ("x @ https://h.example/x|y", "not a valid URL (RFC 3986; a space is written %20)"),
        ("foo.whl", "pip would read it as a file name"),
        ("foo-1.0.TAR.GZ", "pip would read it as a file name"),
    ],
    "npm": [
        ("user/repo", "a URL, a path or a git repository, not a package of the registry"),
        ("./folder", "a URL, a path or a git repository, not a package of the registry"),
        ("git+ssh://h.example/x", "a URL, a path or a git repository, not a package of the registry"),
        ("lodash@user/repo", "'user/repo' is neither a version range nor a dist-tag"),
        ("lodash@file:../x", "'file:../x' is neither a version range nor a dist-tag"),
        ("lodash@", "'' is neither a version range nor a dist-tag"),
        ("lodash@1.2.3.4", "'1.2.3.4' is neither a version range nor a dist-tag"),
        ("lodash@>=1 <2 ||", "'>=1 <2 ||' is neither a version range nor a dist-tag"),
        ("lodash@>=1,<2", "'>=1,<2' is neither a version range nor a dist-tag"),
        ("four@npm:npm:x", "a URL, a path or a git repository, not a package of the registry"),
        ("four@npm:lodash@", "'' is neither a version range nor a dist-tag"),
        ("_x", "'_x' is not a package name of npm's"),
        (".x", "'.x' is not a package name of npm's"),
        ("@scope", "'@scope' is not a package name of npm's"),
        ("a b", "'a b' is not a package name of npm's"),
        ("node_modules", "'node_modules' is a name reserved by npm"),
        ("x.tgz", "npm would read it as a file name"),
    ],
    "deno": [
        ("zod", "deno needs npm: or jsr: before the name"),
        ("file:///etc/passwd", "file: is not a supported scheme for a module"),
        ("node:fs", "node: is not a supported scheme for a module"),
        ("http://h.example/x.ts", "a URL has to begin with https://"),
        ("https://h.example:x/", "not a valid URL (RFC 3986; a space is written %20)"),
        ("https://", "not a valid URL (RFC 3986; a space is written %20)"),
        ("npm:", "'' is not a package name of npm's"),
        ("npm:@scope", "'@scope' is not a package name of npm's"),
        ("npm:zod@>=3", "'>=3' is not one version, optionally with ^ or ~ before it, or a dist-tag"),
        ("npm:zod@", "'' is not one version, optionally with ^ or ~ before it, or a dist-tag"),
        ("npm:zod/mini@3", "the version comes before the path, as npm:zod@1/path"),
        ("npm:zod/", "'/' is not a path inside a package"),
        ("npm:zod/../x", "'/../x' is not a path inside a package"),
        ("jsr:std/path", "'std' is not a JSR name, as @scope/name in lower case is"),
        ("jsr:@std/Path", "'@std/Path' is not a JSR name, as @scope/name in lower case is"),
        ("jsr:@std/path@latest", "'latest' is not one version, optionally with ^ or ~ before it"),
    ],
    "apk": [
        ("!jq", "'!jq' is not the name of an Alpine package"),
        (".virtual", "'.virtual' is not the name of an Alpine package"),
        ("a b", "'a b' is not the name of an Alpine package"),
        ("./jq-1.7.apk", "'./jq-1.7.apk' is not the name of an Alpine package"),
        ("jq.apk", "'jq.apk' is not the name of an Alpine package"),
        ("jq@", "'' is not the tag of a repository"),
        ("jq@ed ge", "'ed ge' is not the tag of a repository"),
        ("jq=1@edge", "'1@edge' is not a version of an Alpine package"),
        ("jq><1", ">< is not a supported comparison"),
        ("jq=", "'' is not a version of an Alpine package"),
        ("jq=1.2bb", "'1.2bb' is not a version of an Alpine package"),
        ("jq=1-2", "'1-2' is not a version of an Alpine package"),
    ],
}


@pytest.mark.parametrize(
    ("ecosystem", "text", "name", "constraint"),
    [
        pytest.param(ecosystem, *row, id=f"{ecosystem}-{row[0][:40]}")
        for ecosystem, rows in TAKEN.items()
        for row in rows
    ],
)
def test_what_the_installer_takes_is_taken(ecosystem: str, text: str, name: str, constraint: str) -> None:
    """A spec that the ecosystem's installer takes is kept as it is written, and told apart by its name."""
    assert parse_spec(ecosystem, text) == Spec(text=text, name=name, constraint=constraint)


@pytest.mark.parametrize(
    ("ecosystem", "text", "problem"),
    [
        pytest.param(ecosystem, *row, id=f"{ecosystem}-{row[0]}")
        for ecosystem, rows in REFUSED.items()
        for row in rows
    ],
)
def test_what_the_grammar_does_not_know_is_refused(ecosystem: str, text: str, problem: str) -> None:
    """A spec that isn't in the grammar is refused with what was found."""
    with pytest.raises(NotUnderstoodError) as caught:
        ECOSYSTEMS[ecosystem].read(text)

    assert str(caught.value) == problem


def test_every_runtime_has_a_grammar() -> None:
    """Each ecosystem that a runtime names is one whose specs can be read."""
    assert {runtime.ecosystem for runtime in RUNTIMES.values()} == ECOSYSTEMS.keys()


@pytest.mark.parametrize("ecosystem", ECOSYSTEMS)
def test_the_example_in_the_message_is_taken(ecosystem: str) -> None:
    """What a message recommends as an example is itself a good spec."""
    example = ECOSYSTEMS[ecosystem].forms.rpartition("for example ")[2]

    assert parse_spec(ecosystem, example).text == example


@settings(deadline=None)
@given(text=st.text(st.sampled_from("aZ0.-_[],<>=!~;@ ()'\"*/:"), max_size=25))
def test_a_pypi_spec_is_a_requirement_of_packaging(text: str) -> None:
    """Nothing is taken for PyPI that packaging's parser of PEP 508 refuses."""
    try:
        spec = parse_spec("pypi", text)
    except SpecError:
        return
    assert Requirement(spec.text).name


@settings(deadline=None)
@given(
    name=st.from_regex(r"[A-Za-z0-9]{1,5}([._-][A-Za-z0-9]{1,5})?", fullmatch=True),
    extras=st.lists(st.sampled_from(["socks", "security", "a-b"]), max_size=2),
    versions=st.lists(st.sampled_from([">=2", "<3", "!=2.1", "~=2.0", "==2.*"]), max_size=3),
)
def test_every_requirement_of_packaging_is_taken(name: str, extras: list[str], versions: list[str]) -> None:
    """Whatever packaging takes as name, extras and versions is taken for PyPI."""
    brackets = f"[{','.join(extras)}]" if extras else ""
    text = f"{name}{brackets}{','.join(versions)}"

    assert parse_spec("pypi", text).text == text


@settings(deadline=None)
@given(
    words=st.lists(
        st.from_regex(r"([<>]=?|=|~|\^)? ?v?(0|[1-9][0-9]?|x)(\.(0|[1-9]|\*)){0,2}", fullmatch=True),
        min_size=1,
        max_size=4,
    ),
    separator=st.sampled_from([" ", " || ", "||"]),
)
def test_every_list_of_comparisons_is_a_range_of_npms(words: list[str], separator: str) -> None:
    """Comparisons of semver's, with blanks and || between them, make a range."""
    text = f"lodash@{separator.join(words)}"

    assert parse_spec("npm", text).name == "lodash"


def test_packaging_refuses_what_the_fast_path_would() -> None:
    """The names that need no packaging are names for packaging, too, and their neighbours aren't."""
    for name in ("a", "A.b", "a--b", "0"):
        assert Requirement(name).name == name
    for name in ("a-", "_a", "a."):
        with pytest.raises(InvalidRequirement):
            Requirement(name)
        with pytest.raises(SpecError):
            parse_spec("pypi", name)
