"""Patterns match as Go's filepath.Match does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isol8_tasks.dockerfile.globs import BadPatternError, compile_glob, has_wildcards, taker

MATCHES = {
    "star": ("a*.js", ["a.js", "ab.js"], ["a/b.js", "b.js", "a.jsx", "a.js\n"]),
    "question mark": ("?", ["a", "ß"], ["", "ab", "/"]),
    "class": ("[a-cx]", ["a", "b", "c", "x"], ["d", "-", "["]),
    "negated class": ("[^a-c]", ["d", "^", "!"], ["a"]),
    "exclamation mark is a letter": ("[!a]", ["!", "a"], ["b"]),
    "escaped": (r"\*\[[\]]", ["*[]"], ["a[]", "*["]),
    "empty range": ("[b-a]", [], ["a", "b"]),
    "all but an empty range": ("[^b-a]", ["a", "b"], [""]),
    "dot": ("a.b", ["a.b"], ["axb"]),
    "two stars are one": ("**", ["a"], ["a/b"]),
}


@pytest.mark.parametrize(("pattern", "yes", "no"), MATCHES.values(), ids=MATCHES)
def test_match(pattern: str, yes: list[str], no: list[str]) -> None:
    """A pattern matches what Go's matches, and no more."""
    glob = compile_glob(pattern)
    assert [each for each in (*yes, *no) if glob.match(each)] == yes


def test_deep_stars() -> None:
    """`**` goes through folders."""
    assert [p for p in ("c", "a/c", "a/b/c", "xc") if compile_glob("**/c", deep=True).match(p)] == [
        "c",
        "a/c",
        "a/b/c",
    ]
    assert [p for p in ("a", "a/c", "a/b/c") if compile_glob("a/**", deep=True).match(p)] == ["a/c", "a/b/c"]
    assert [p for p in ("ab", "axb", "ax/b") if compile_glob("a**b", deep=True).match(p)] == ["ab", "ax/b"]


BAD = ["[", "[]", "[]a]", "[a", "[a-", "[a-]", "[-]", "\\", "[\\", "[^"]


@pytest.mark.parametrize("pattern", BAD)
def test_bad_pattern(pattern: str) -> None:
    """What Go calls a bad pattern is one."""
    with pytest.raises(BadPatternError):
        compile_glob(pattern)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a*", True), ("a?", True), ("[", True), (r"\*\[", False), ("a", False), ("\\", False)],
)
def test_wildcards(text: str, *, expected: bool) -> None:
    """An escaped wildcard is none."""
    assert has_wildcards(text) is expected


@given(st.text(alphabet=st.characters(blacklist_characters="\\*?[", codec="utf-8")))
def test_text_without_wildcards_matches_itself(text: str) -> None:
    """What has no wildcard in it stands for itself."""
    assert compile_glob(text).match(text)
    assert not compile_glob(text).match(text + "x")


@pytest.mark.parametrize("folder", ["a/", "a/b/", "a/b/c/", "x/", "a/x/"])
@pytest.mark.parametrize("source", ["a/b/c", "a/b", "a/*/c", "*/b/c", "."])
def test_a_folder_that_nobody_can_look_into(folder: str, source: str) -> None:
    """It is taken where something in it could be: every file that the source takes says so."""
    takes = taker(source, pattern=True)
    could_be = [f"{folder}{rest}" for rest in ("a", "b", "c", "a/b", "b/c", "a/b/c", "a/b/c/d")]
    assert takes(folder) is any(takes(path) for path in could_be)
