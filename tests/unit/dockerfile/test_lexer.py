"""Words of instructions come apart as BuildKit takes them apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isol8_tasks.dockerfile.lexer import (
    LexError,
    UnreadableError,
    expand,
    flags,
    raw_words,
    split,
    unquoted_words,
    words,
)

SET = {"A": "1", "EMPTY": "", "P": "a b"}

EXPANDED = {
    "plain": ("abc", "abc"),
    "variable": ("x$A.y", "x1.y"),
    "braces": ("x${A}y", "x1y"),
    "unset": ("x${NONE}$NONE", "x"),
    "not a name": ("$ $. $", "$ $. $"),
    "positional": ("$12x", "x"),
    "special parameter": ("$@x", "x"),
    "default for unset": ("${NONE:-d}${NONE-d}", "dd"),
    "default for empty": ("${EMPTY:-d}${EMPTY-d}", "d"),
    "default not needed": ("${A:-d}", "1"),
    "alternative": ("${A:+y}${A+y}${NONE:+y}${EMPTY:+y}${EMPTY+y}", "yyy"),
    "required and given": ("${A:?oh}${EMPTY?oh}", "1"),
    "nested": ("${NONE:-${EMPTY:-$A}}", "1"),
    "quotes in a default": ("${NONE:-'a b'\"$A\"}", "a b1"),
    "single quotes": ("'$A'", "$A"),
    "double quotes": ('"$A ${A} \\$A \\" \\x \\\\"', '1 1 $A " \\x \\'),
    "escape": ("\\$A\\ b\\", "$A b"),
    "less-than": ("a<b<<c", "a<b<<c"),
}

REFUSED = {
    "open single quote": ("'a", "a single quote is not closed"),
    "open double quote": ('"a', "a double quote is not closed"),
    "open brace": ("${A", "the ${ is not closed by a }"),
    "open default": ("${A:-x", "missing '}'"),
    "no name": ("${}", "bad substitution"),
    "double brace": ("${{A}}", "bad substitution"),
    "unknown modifier": ("${A^^}", "unsupported modifier (^) in substitution"),
    "unknown modifier after a colon": ("${A:=x}", "unsupported modifier (:=) in substitution"),
    "required and unset": ("${NONE:?say why}", "NONE: say why"),
    "required and empty": ("${EMPTY:?}", "EMPTY: is not allowed to be unset or empty"),
}


@pytest.mark.parametrize(("word", "expected"), EXPANDED.values(), ids=EXPANDED)
def test_expansion(word: str, expected: str) -> None:
    """A word loses its quotes and escapes, and its variables give way to their values."""
    assert expand(word, SET.get, "\\") == expected


def test_other_escape_character() -> None:
    """With escape=` a backslash is a letter like any other."""
    assert expand('C:\\dir`$A "`" \\"', SET.get, "`") == 'C:\\dir$A " \\'


@pytest.mark.parametrize(("word", "message"), REFUSED.values(), ids=REFUSED)
def test_refused_word(word: str, message: str) -> None:
    """What BuildKit refuses is an error that says what is wrong."""
    with pytest.raises(LexError) as caught:
        expand(word, SET.get, "\\")
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("${P#*/}", "b/c.tar.gz"),
        ("${P##*/}", "c.tar.gz"),
        ("${P%.*}", "a/b/c.tar"),
        ("${P%%.*}", "a/b/c"),
        ("${P%%?}", "a/b/c.tar.g"),
        ("${P%$E}", "a/b/c.tar"),
        ("${P%\\*}", "a/b/c.tar.gz"),
        ("${P#b}", "a/b/c.tar.gz"),
        ("${P#a\\/}", "b/c.tar.gz"),
        ("${N#x}", ""),
        ("${P/\\//-}", "a-b/c.tar.gz"),
        ("${P//\\//-}", "a-b-c.tar.gz"),
        ("${P//?/x}", "xxxxxxxxxxxx"),
        ("${P//*/x}", "x"),
        ("${P//./}", "a/b/ctargz"),
        ("${P/q/$E}", "a/b/c.tar.gz"),
        ("${P/a/$E}", ".gz/b/c.tar.gz"),
        ("${P//[a]/x}", "a/b/c.tar.gz"),
        ("${S%\\*b}", "a"),
        ("${S%%*a\\*b}", ""),
        ("${H#$H}", "#a"),
        ("${G#$H}", "b"),
    ],
)
def test_pattern_in_a_substitution(word: str, expected: str) -> None:
    """Patterns match the shortest or longest start or end, or the longest of each place."""
    values = {"P": "a/b/c.tar.gz", "E": ".gz", "S": "a*b", "H": "#a", "G": "ab"}
    assert expand(word, values.get, "\\") == expected


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("${A:#x}", "unsupported modifier (:#) in substitution"),
        ("${A#x", "missing '}'"),
        ("${A#\\n}", "invalid escape \\n in the pattern \\n"),
        ("${A/x\\ny/z}", "invalid escape \\n in the pattern x\\ny"),
        ("${A/x}", "missing '/'"),
    ],
)
def test_refused_pattern(word: str, message: str) -> None:
    """BuildKit refuses these too."""
    with pytest.raises(LexError) as caught:
        expand(word, SET.get, "\\")
    assert str(caught.value) == message


def test_replacement_that_is_not_read() -> None:
    """A `$` in what replaces every match is said to be unreadable instead of being guessed at."""
    with pytest.raises(UnreadableError) as caught:
        expand("${A//x/\\$1}", SET.get, "\\")
    assert str(caught.value) == "${A//x/\\$1}"


RAW = {
    "heredoc": ("RUN cat <<EOF", ["RUN", "cat", "<<EOF"]),
    "blank before its name": ("RUN cat << EOF  x", ["RUN", "cat", "<< EOF", "x"]),
    "quotes stay": ('a \'b c\' "d $X\\" \\n" e\\ f', ["a", "'b c'", '"d $X\\" \\n"', "e\\ f"]),
    "variables stay": (
        "$A ${B} ${C:-d} ${E//f/g} ${H/i/j} ${K##l}",
        ["$A", "${B}", "${C:-d}", "${E//f/g}", "${H/i/j}", "${K##l}"],
    ),
    "one less-than": ("a < b", ["a", "<", "b"]),
}


@pytest.mark.parametrize(("line", "expected"), RAW.values(), ids=RAW)
def test_raw_words(line: str, expected: list[str]) -> None:
    """A line is cut at blanks outside quotes, and nothing else happens to it."""
    assert raw_words(line) == expected


def test_unquoted_words() -> None:
    """Quotes and escapes go, variables stay."""
    assert unquoted_words("'E F'\\G $X ") == ["E FG", "$X"]


WORDS = {
    "none": ("", []),
    "blanks": ("  a \t b  ", ["a", "b"]),
    "quotes": ("A='b c' D=\"e 'f\" G", ["A='b c'", 'D="e \'f"', "G"]),
    "escapes": ('A=b\\ c D="\\" e" F=\\', ["A=b\\ c", 'D="\\" e"', "F="]),
    "backslash in single quotes": ("A='b\\' c", ["A='b\\'", "c"]),
    "empty value": ('A="" B', ['A=""', "B"]),
}


@pytest.mark.parametrize(("text", "expected"), WORDS.values(), ids=WORDS)
def test_words(text: str, expected: list[str]) -> None:
    """Quoted blanks keep a word together, and quotes stay in it."""
    assert words(text, "\\") == expected


FLAGS = {
    "none": ("a --b", (), "a --b"),
    "several": ("--a=1  --b  c d ", ("--a=1", "--b"), "c d"),
    "quotes": ('--a=\'x y\' --b="\\"z" c', ("--a=x y", '--b="z'), "c"),
    "the end of flags": ("--a -- --b c", ("--a",), "--b c"),
    "nothing else": ("--a", ("--a",), ""),
    "escape at the end": ("--a\\", ("--a",), ""),
}


@pytest.mark.parametrize(("text", "expected", "rest"), FLAGS.values(), ids=FLAGS)
def test_flags(text: str, expected: tuple[str, ...], rest: str) -> None:
    """Flags stand first; what follows them is left as it is."""
    assert flags(text, "\\") == (expected, rest)


def test_split() -> None:
    """Blanks cut, quotes don't."""
    assert split('a  "b\tc"') == ["a", '"b', 'c"']
    assert split("") == []


@given(st.text())
def test_quoting_keeps_any_text(text: str) -> None:
    """What is quoted comes out as it went in."""
    quoted = '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$") + '"'
    assert expand(quoted, SET.get, "\\") == text


@given(st.text(alphabet="ab'\"\\$ {}:-<\t"))
def test_any_text_ends(text: str) -> None:
    """Any text is either read or refused."""
    words(text, "\\")
    flags(text, "\\")
    for read in (raw_words, unquoted_words, lambda each: expand(each, SET.get, "\\")):
        try:
            read(text)
        except (LexError, UnreadableError):
            continue
