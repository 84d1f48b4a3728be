"""A Dockerfile is read as BuildKit reads it, and refused where BuildKit refuses it."""

import pytest

from isol8_tasks.dockerfile.heredocs import heredoc_name
from isol8_tasks.dockerfile.syntax import parse
from isol8_tasks.errors import PlanError


def _read(text: str) -> list[tuple[int, str, str]]:
    return [(each.line, each.keyword, each.rest) for each in parse(text).instructions]


READ = {
    "comments and blank lines": (
        "# a\n\nFROM x\n  # b\n\n\trun a  b \n",
        [(3, "FROM", "x"), (6, "RUN", "a  b")],
    ),
    "continuation": ("FROM x\nRUN a \\\n  b\\\nc\n", [(1, "FROM", "x"), (2, "RUN", "a   bc")]),
    "blanks after the backslash": ("FROM x\nRUN a \\ \t\n b\n", [(1, "FROM", "x"), (2, "RUN", "a  b")]),
    "comments within": ("FROM x\nRUN a \\\n  # c \\\n\n \\\nb\n", [(1, "FROM", "x"), (2, "RUN", "a  b")]),
    "two backslashes": ("FROM x\nRUN a \\\\\nUSER y", [(1, "FROM", "x"), (2, "RUN", "a \\\\"), (3, "USER", "y")]),
    "file ends in a continuation": ("FROM x\nRUN a \\", [(1, "FROM", "x"), (2, "RUN", "a")]),
    "line that only continues": ("FROM x\n\\\nRUN a\n", [(1, "FROM", "x"), (2, "RUN", "a")]),
    "byte order mark and CRLF": ("\ufeffFROM x\r\nRUN a \\\r\n b\r\n", [(1, "FROM", "x"), (2, "RUN", "a  b")]),
    "escape directive": (
        "# Escape = `\nFROM x\nRUN a \\\nUSER `\n y", [(2, "FROM", "x"), (3, "RUN", "a \\"), (4, "USER", "y")]
    ),
    "directive after a comment is none": (
        "# a\n# escape=`\nFROM x\nRUN a \\\n b", [(3, "FROM", "x"), (4, "RUN", "a  b")]
    ),
    "other directives": ("# check=skip=all\n# syntax=docker/dockerfile:1\nFROM x", [(3, "FROM", "x")]),
    "flags": ("FROM --platform=p x\nCOPY --chown=1 -- --a /b", [(1, "FROM", "x"), (2, "COPY", "--a /b")]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), READ.values(), ids=READ)
def test_lines_become_instructions(text: str, expected: list[tuple[int, str, str]]) -> None:
    """Continued lines are joined, comments and blank lines among them vanish, and nothing else changes."""
    assert _read(text) == expected


HEREDOCS = {
    "plain": ("<<EOF cat\na\n# b\n\nEOF\n", [("EOF", "a\n# b\n\n", "a\n# b\n\n", True)]),
    "tabs": ("cat <<-EOF\n\ta\n\t\tEOF\n", [("EOF", "\ta\n", "a\n", True)]),
    "quoted": ("cat <<'E F'\n$a\nE F\n", [("E F", "$a\n", "$a\n", False)]),
    "several": ('cat <<A 3<< "B"\na\nA\nb\nB\n', [("A", "a\n", "a\n", True), ("B", "b\n", "b\n", False)]),
    "none where a quote is open": ("echo 'it <<EOF\n", []),
    "none where the name is missing": ("cat << <<<x\n", []),
    "none in the array form": ('["cat", "<<EOF"]\n', []),
    "CRLF": ("cat <<EOF\r\na\r\nEOF\r\n", [("EOF", "a\r\n", "a\r\n", True)]),
}  # fmt: skip


@pytest.mark.parametrize(("rest", "expected"), HEREDOCS.values(), ids=HEREDOCS)
def test_here_documents(rest: str, expected: list[tuple[str, str, str, bool]]) -> None:
    """A here-document ends at its name, and what is in it is no instruction."""
    first, run, last = parse(f"FROM x\nRUN {rest}USER end\n").instructions
    assert (first.keyword, last.keyword) == ("FROM", "USER")
    assert [(each.name, each.content, each.text, each.expand) for each in run.heredocs] == expected


def test_here_document_held_back_by_onbuild() -> None:
    """An ONBUILD trigger may be an instruction with a here-document."""
    onbuild = parse("FROM x\nONBUILD RUN <<EOF\nUSER a\nEOF\n").instructions[1]
    assert onbuild.trigger is not None
    assert [each.content for each in onbuild.trigger.heredocs] == ["USER a\n"]
    assert (onbuild.line, onbuild.end) == (2, 4)


@pytest.mark.parametrize(
    ("word", "name"), [("<<A", "A"), ("3<<-'A'", "A"), ("a", None), ("<<", None), ("<<a b", None)]
)
def test_heredoc_name(word: str, name: str | None) -> None:
    """Only a word that asks for a here-document has its name."""
    assert heredoc_name(word) == name


def test_arguments() -> None:
    """Lists, arrays and pairs come apart; quotes stay where BuildKit looks at them later."""
    text = (
        'FROM x AS y\nCOPY ["a b", "/c"]\nCOPY a  "b /c\nRUN [ -f a ] && b\nENV A="1 2" B=\nENV C 3  4\n'
        "ARG D E='5 6'\nHEALTHCHECK --interval=1s  CMD  [\"a\"]\nEXPOSE 80 443\nVOLUME /v /w\nRUN\n"
    )
    found = parse(text).instructions[1:]
    assert [(each.keyword, each.words or each.pairs, each.array) for each in found] == [
        ("COPY", ("a b", "/c"), ("a b", "/c")),
        ("COPY", ("a", '"b', "/c"), None),
        ("RUN", (), None),
        ("ENV", (("A", '"1 2"'), ("B", "")), None),
        ("ENV", (("C", "3  4"),), None),
        ("ARG", ("D", "E='5 6'"), None),
        ("HEALTHCHECK", (), ("a",)),
        ("EXPOSE", ("80", "443"), None),
        ("VOLUME", ("/v", "/w"), None),
        ("RUN", (), None),
    ]


def test_flag_values() -> None:
    """A flag is found by its name; one without a value has an empty one."""
    copy = parse("FROM x\nCOPY --link --chown=1:1 a b\n").instructions[1]
    assert (copy.flag("link"), copy.flag("chown"), copy.flag("from")) == ("", "1:1", None)


def test_declared_args() -> None:
    """Every declared argument is known by name, before the first FROM and in any stage."""
    text = "ARG A=1 B\nFROM x\nARG C=2\nFROM y\nARG A\n"
    assert parse(text).declared_args == {"A", "B", "C"}


REFUSED = {
    "empty": ("", "1: no instruction in it; a Dockerfile begins with FROM"),
    "no FROM": ("ARG A\n", "1: no FROM in it, so there is no stage to build"),
    "instruction before FROM": ("RUN a\nFROM x", "1: RUN comes before the first FROM; only ARG may"),
    "near miss": ("FROM x\nRUNN a", "2: unknown instruction RUNN (did you mean RUN?)"),
    "far miss": ("FROM x\n{}", "2: unknown instruction {}"),
    "directive twice": ("# escape=`\n# escape=`\nFROM x", "2: the parser directive escape is given twice"),
    "bad escape": ("# escape=x\nFROM x", "1: escape=x: only \\ and ` can escape"),
    "no end": ("FROM x\nRUN <<EOF\na\n", "2: the here-document EOF has no end; expected a line EOF"),
    "FROM without AS": ("FROM x y", "1: FROM x y: expected FROM image or FROM image AS name"),
    "FROM with three others": ("FROM x is y", "1: FROM x is y: expected FROM image or FROM image AS name"),
    "stage name": (
        "FROM x AS 1a",
        "1: 1a can't name a stage; expected a letter, then letters, digits, -, _ and .",
    ),
    "nothing to do": ("FROM x\nUSER \\\n", "2: USER has no argument"),
    "ONBUILD nothing": ("FROM x\nONBUILD", "2: ONBUILD has no argument"),
    "COPY without destination": ("FROM x\nCOPY a", "2: COPY needs a source and a destination"),
    "ADD without destination": ('FROM x\nADD ["a"]', "2: ADD needs a source and a destination"),
    "SHELL as text": ("FROM x\nSHELL sh", '2: SHELL takes an array of strings, as ["/bin/sh", "-c"]'),
    "SHELL of nothing": ("FROM x\nSHELL []", '2: SHELL takes an array of strings, as ["/bin/sh", "-c"]'),
    "numbers in an array": ("FROM x\nCMD [1]", "2: CMD takes an array of strings only, in double quotes"),
    "ENV without value": ("FROM x\nENV A", "2: ENV A has no value; expected ENV A=value"),
    "ENV half": ("FROM x\nENV A=1 B", "2: ENV B: expected name=value"),
    "LABEL without name": ("FROM x\nLABEL =1", "2: LABEL =1: expected name=value"),
    "ARG without name": ("FROM x\nARG =1", "2: ARG =1: expected name or name=value"),
    "HEALTHCHECK": ("FROM x\nHEALTHCHECK curl", "2: HEALTHCHECK takes CMD and a command, or NONE"),
    "HEALTHCHECK without a command": (
        "FROM x\nHEALTHCHECK --retries=3 CMD",
        "2: HEALTHCHECK CMD has no command; expected HEALTHCHECK CMD command, or NONE",
    ),
    "HEALTHCHECK of nothing": (
        "FROM x\nHEALTHCHECK CMD []",
        "2: HEALTHCHECK CMD has no command; expected HEALTHCHECK CMD command, or NONE",
    ),
    "HEALTHCHECK NONE and more": ("FROM x\nHEALTHCHECK NONE a", "2: HEALTHCHECK NONE takes nothing more"),
    "HEALTHCHECK often": ("FROM x\nHEALTHCHECK --retries=a CMD b", "2: --retries=a: expected a number"),
    "HEALTHCHECK at times": (
        "FROM x\nHEALTHCHECK --timeout=1m30s --interval=5 CMD b",
        "2: --interval=5: expected a length of time, as 30s or 1m30s",
    ),
    "network": (
        "FROM x\nRUN --mount=target=/c --network=no a",
        "2: --network=no: expected default, host or none",
    ),
    "flag of an instruction without any": ("FROM x\nUSER --a b", "2: USER takes no flags, and --a is given"),
    "flag nearly right": ("FROM x\nRUN --mont=a b", "2: RUN has no flag --mont (did you mean --mount?)"),
    "flag without a value": (
        "FROM x AS y\nFROM z\nCOPY --from y /a /b",
        "3: --from of COPY has no value; expected --from=…",
    ),
    "conflict": (
        "FROM x\n<<<<<<< HEAD\nRUN a\n=======\nRUN b\n>>>>>>> other",
        "2: a merge conflict is left, <<<<<<< HEAD; keep one side, and remove the markers",
    ),
    "conflict in a step": (
        "FROM x\nRUN a \\\n<<<<<<< HEAD\n  b\n=======\n  c\n>>>>>>> other\n",
        "3: a merge conflict is left, <<<<<<< HEAD; keep one side, and remove the markers",
    ),
    "chained": ("FROM x\nONBUILD ONBUILD RUN a", "2: ONBUILD is not allowed in ONBUILD"),
    "FROM in ONBUILD": ("FROM x\nONBUILD FROM a", "2: FROM is not allowed in ONBUILD"),
    "nonsense in ONBUILD": ("FROM x\nONBUILD RUM a", "2: unknown instruction RUM (did you mean RUN?)"),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(text: str, message: str) -> None:
    """An error names file and line, and says what was expected."""
    with pytest.raises(PlanError) as caught:
        parse(text, name="docker/Dockerfile")
    assert str(caught.value) == f"docker/Dockerfile:{message}"


UNREADABLE = {
    "another language": (
        "# syntax=acme/frontend:2\nFROM x",
        ["1: its syntax line selects another frontend, acme/frontend:2"],
    ),
    "a later flag": ("FROM x\nCOPY --new=1 a b", ["2: the flag --new of COPY is not known"]),
    "the builder's own language": ("# syntax=docker.io/docker/dockerfile@sha256:0 x\nFROM x", []),
    "any flag of ARG": ("FROM x\nARG --new A", []),
}


@pytest.mark.parametrize(("text", "problems"), UNREADABLE.values(), ids=UNREADABLE)
def test_unreadable(text: str, problems: list[str]) -> None:
    """What another builder may understand is no error, and is said."""
    assert list(parse(text, name="D").unreadable) == [f"D:{each}" for each in problems]


def test_deeply_nested_array_is_text() -> None:
    """An array that no JSON reader reads is a command for the shell, as in BuildKit."""
    text = "[" * 100_000
    assert parse(f"FROM x\nRUN {text}").instructions[1].array is None
