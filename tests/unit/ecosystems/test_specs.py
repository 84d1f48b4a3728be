"""Package specs as they come from files and flags, and as they go into Dockerfiles and labels."""

import random
import re
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isol8_tasks.ecosystems.runtimes import ECOSYSTEMS
from isol8_tasks.ecosystems.specs import (
    LONGEST,
    SpecError,
    client_label,
    merge,
    parse_spec,
    shell_word,
    split_flag,
)
from isol8_tasks.errors import ConfigError

SPECS = {
    "pypi": [
        "numpy",
        "Requests",
        "requests[socks,security]>=2,<3",
        "x; python_version in '3.9,3.10'",
        "a (>=1,<2)",
    ],
    "npm": ["lodash", "@scope/pkg@^1.2", "lodash@>=1 <2", "four@npm:lodash@4", "zod@~3"],
    "deno": ["npm:zod@3", "jsr:@std/path", "https://deno.land/std@0.1.0/mod.ts?a=b"],
    "apk": ["jq=1.7.1-r0", "curl~8", "jq@edge", "cmd:jq", "libstdc++"],
}
FORMS = {name: ecosystem.forms for name, ecosystem in ECOSYSTEMS.items()}


class TestParseSpec:
    """What no ecosystem takes, and how it is told."""

    @pytest.mark.parametrize("ecosystem", ECOSYSTEMS)
    @pytest.mark.parametrize(
        ("text", "shown", "problem"),
        [
            pytest.param("", "''", "an empty text, not a package", id="empty"),
            pytest.param(" \t", "''", "an empty text, not a package", id="blank"),
            pytest.param("--pre", "'--pre'", "an option, not a package", id="option"),
            pytest.param(
                "a\ab", r"'a\x07b'", "a character that is neither printable nor ASCII", id="control-character"
            ),
            pytest.param("a\vb", r"'a\x0bb'", "a character that is neither printable nor ASCII", id="tab"),
            pytest.param("naïve", "'naïve'", "a character that is neither printable nor ASCII", id="letter"),
            pytest.param(
                "a\u202eb", r"'a\u202eb'", "a character that is neither printable nor ASCII", id="bidi"
            ),
            pytest.param(
                "a" * 513, f"'{'a' * 80}…'", "513 characters; at most 512 are allowed", id="over-long"
            ),
            pytest.param(
                "x @ https://user:secret@h.example/x",
                "'x @ https://***@h.example/x'",
                "contains a user name, password or token, and specs are written into labels; remove it",
                id="password",
            ),
            pytest.param(
                "https://h.example/x.ts?token=secret",
                "'https://h.example/x.ts?token=***'",
                "contains a user name, password or token, and specs are written into labels; remove it",
                id="token",
            ),
        ],
    )
    def test_refused_everywhere(self, ecosystem: str, text: str, shown: str, problem: str) -> None:
        """Options, control characters, credentials and too long texts are refused everywhere."""
        with pytest.raises(SpecError) as caught:
            parse_spec(ecosystem, text)

        assert str(caught.value) == f"{shown}: {problem}; {FORMS[ecosystem]}"

    def test_a_wrong_spec_is_an_error_of_configuration(self) -> None:
        """Whoever handles a wrong deps.toml or flag handles a wrong spec with it."""
        assert issubclass(SpecError, ConfigError)

    def test_blanks_around_a_spec_are_no_part_of_it(self) -> None:
        """What goes to the installer has no blanks at its ends."""
        assert parse_spec("pypi", "  numpy \n").text == "numpy"

    @settings(deadline=None)
    @given(
        ecosystem=st.sampled_from(sorted(ECOSYSTEMS)),
        text=st.one_of(
            st.text(max_size=30),
            st.text(st.sampled_from("aA0.-_@/:[]<>=!~^|*,; '\"$\\%+npmjsrhttps"), max_size=30),
        ),
    )
    def test_any_text_is_a_spec_or_one_clear_line(self, ecosystem: str, text: str) -> None:
        """Any text is either refused in one printable line, or a spec that reads the same again."""
        try:
            spec = parse_spec(ecosystem, text)
        except SpecError as error:
            message = str(error)
        else:
            message = f"taken; {FORMS[ecosystem]}"
            assert parse_spec(ecosystem, spec.text) == spec
            assert spec.text.isascii()
            assert spec.text.isprintable()
            assert 0 < len(spec.text) <= LONGEST
            assert not spec.text.startswith("-")
        assert message.isprintable()
        assert message.endswith(FORMS[ecosystem]) or re.search("; .*(?:write|remove) ", message)


class TestSplitFlag:
    """The comma list that a flag takes."""

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            pytest.param("numpy,pandas", ("numpy", "pandas"), id="plain"),
            pytest.param(" numpy , ,pandas,, ", ("numpy", "pandas"), id="blanks"),
            pytest.param("", (), id="empty"),
            pytest.param(
                "requests[socks,security],numpy", ("requests[socks,security]", "numpy"), id="brackets"
            ),
            pytest.param("a (>=1, <2),b", ("a (>=1, <2)", "b"), id="parentheses"),
            pytest.param("requests>=2,<3,numpy", ("requests>=2,<3", "numpy"), id="comparison"),
            pytest.param("a>=1, !=1.5, ==1.*,~=1.2,b", ("a>=1, !=1.5, ==1.*,~=1.2", "b"), id="comparisons"),
            pytest.param("@a/b@^1.2,@c/d@~2,e@>=1 <2", ("@a/b@^1.2", "@c/d@~2", "e@>=1 <2"), id="npm"),
            pytest.param("jq=1.7.1-r0,curl~8", ("jq=1.7.1-r0", "curl~8"), id="apk"),
            pytest.param("npm:zod@3,jsr:@std/path", ("npm:zod@3", "jsr:@std/path"), id="deno"),
            pytest.param("x; python_version in '3,4',y", ("x; python_version in '3,4'", "y"), id="quotes"),
            pytest.param("a[b,c", ("a[b,c",), id="bracket-left-open"),
            pytest.param("a],b", ("a]", "b"), id="bracket-never-opened"),
        ],
    )
    def test_commas(self, text: str, words: tuple[str, ...]) -> None:
        """A comma splits, but not in brackets or quotes nor before a comparison."""
        assert split_flag(text) == words

    @settings(deadline=None)
    @given(
        data=st.data(),
        ecosystem=st.sampled_from(sorted(SPECS)),
        comma=st.sampled_from([",", ", ", " ,", ",,"]),
    )
    def test_a_list_of_specs_comes_back(self, data: st.DataObject, ecosystem: str, comma: str) -> None:
        """Specs joined by commas are split into the same specs."""
        specs = data.draw(st.lists(st.sampled_from(SPECS[ecosystem])))

        assert split_flag(comma.join(specs)) == tuple(specs)

    @settings(deadline=None)
    @given(text=st.text(st.sampled_from("a,[]()<>=!~'\" "), max_size=30))
    def test_nothing_but_commas_and_blanks_is_lost(self, text: str) -> None:
        """Every other character of the flag is in one of the words, in its order."""
        kept = "".join(split_flag(text)).replace(",", "").replace(" ", "")

        assert kept == text.replace(",", "").replace(" ", "")


class TestMerge:
    """Lists of packages from several sources."""

    def test_sorted_and_unique(self) -> None:
        """Duplicates vanish and the order does not matter."""
        assert merge("pypi", ["pandas", "numpy "], (), ["numpy", "requests>=2,<3"]) == (
            "numpy",
            "pandas",
            "requests>=2,<3",
        )

    def test_two_spellings_are_one_package(self) -> None:
        """Specs that differ in nothing but their spelling are asked for once."""
        specs = ["requests>=2, <3", "Requests<3,>=2", "python_dateutil", "Python-DateUtil", "requests"]

        assert merge("pypi", specs) == ("Python-DateUtil", "Requests<3,>=2", "requests")

    def test_a_package_with_and_without_version_stands_twice(self) -> None:
        """What differs in its version is left to the installer to settle."""
        assert merge("npm", ["lodash"], ["lodash@4"]) == ("lodash", "lodash@4")

    def test_a_wrong_spec_is_refused(self) -> None:
        """No list can smuggle in what the grammar doesn't know."""
        with pytest.raises(SpecError) as caught:
            merge("apk", ["jq"], ["--root=/"])

        assert str(caught.value) == f"'--root=/': an option, not a package; {FORMS['apk']}"

    @settings(deadline=None)
    @given(data=st.data(), ecosystem=st.sampled_from(sorted(SPECS)))
    def test_neither_order_nor_division_matters(self, data: st.DataObject, ecosystem: str) -> None:
        """The same specs in any order, and in any number of lists, merge to the same."""
        specs = data.draw(st.lists(st.sampled_from(SPECS[ecosystem])))
        cut = data.draw(st.integers(0, len(specs)))
        shuffled = random.Random(cut).sample(specs, len(specs))  # noqa: S311 - an order, not a secret
        merged = merge(ecosystem, shuffled[:cut], shuffled[cut:])

        assert merged == merge(ecosystem, specs) == merge(ecosystem, merged)


class TestShellWord:
    """Specs in the RUN line of a Dockerfile."""

    @pytest.mark.parametrize(
        ("text", "word"),
        [
            pytest.param("numpy", "numpy", id="name"),
            pytest.param("@scope/pkg@1.2", "@scope/pkg@1.2", id="scope"),
            pytest.param("jq=1.7.1-r0", "jq=1.7.1-r0", id="equals"),
            pytest.param("https://deno.land/std/mod.ts", "https://deno.land/std/mod.ts", id="url"),
            pytest.param("requests[socks]>=2,<3", "'requests[socks]>=2,<3'", id="redirection"),
            pytest.param("lodash@>=1 <2", "'lodash@>=1 <2'", id="blank"),
            pytest.param("lodash@^1", "'lodash@^1'", id="caret"),
            pytest.param("$HOME`x`", "'$HOME`x`'", id="expansion"),
            pytest.param("a\\", "'a\\'", id="backslash"),
            pytest.param("it's", "'it'\"'\"'s'", id="quote"),
            pytest.param("", "''", id="empty"),
        ],
    )
    def test_only_what_a_shell_would_read_is_quoted(self, text: str, word: str) -> None:
        """A plain word stays as it is, any other is quoted."""
        assert shell_word(text) == word

    @given(texts=st.lists(st.text(st.characters(codec="utf-8")).filter(str.isprintable), min_size=1))
    @settings(max_examples=50, deadline=None)
    def test_a_shell_reads_the_same_words(self, texts: list[str]) -> None:
        """Whatever is printable comes out of a real shell as it went in, one word for one text."""
        script = "printf '%s\\0' " + " ".join(map(shell_word, texts))
        shell = subprocess.run(["sh", "-c", script], capture_output=True, check=True)

        assert shell.stdout.decode().split("\0") == [*texts, ""]

    @settings(deadline=None)
    @given(text=st.text(st.characters(codec="utf-8")).filter(str.isprintable))
    def test_a_dockerfile_line_is_never_continued(self, text: str) -> None:
        """No word ends in the backslash that would join the next line of a Dockerfile to it."""
        assert not shell_word(text).endswith("\\")

    def test_more_than_one_line_is_refused(self) -> None:
        """What can't be written on one line of a Dockerfile is no word of it."""
        with pytest.raises(ValueError, match=r"^'a\\nb' can't be written on one line of a Dockerfile$"):
            shell_word("a\nb")


class TestClientLabel:
    """The label by which isol8's clients choose an image."""

    def test_specs_with_a_comma_are_left_out(self) -> None:
        """The label is sorted, unique and comma-joined, and what would break it is told apart."""
        assert client_label(["pandas", "requests>=2,<3", "numpy", "pandas"]) == (
            "numpy,pandas",
            ("requests>=2,<3",),
        )

    def test_nothing_gives_an_empty_label(self) -> None:
        """No packages make no label's text."""
        assert client_label([]) == ("", ())
