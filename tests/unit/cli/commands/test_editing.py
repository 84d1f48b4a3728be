"""The commands add and remove: packages in deps.toml."""

import pytest

from tests.command_line import ROOT, CommandLine, Ended

EXPECTED = (
    "{0}: expected one runtime (python, node, bun, deno, bash) and its packages, for example: ./doitw {0} {1}"
)
DEPS = """\
# Ours.
[dependencies]
bash = ["jq"]   # for scripts
python = [
    "numpy==2.3.1",  # pinned, see #7
    "pandas",
]

# The web.
[images.web]
runtime = "python"
packages = ["requests"]

[build]
jobs = 2
"""


@pytest.fixture
def declared(built: CommandLine) -> CommandLine:
    """Give a checkout with comments in deps.toml."""
    built.declare(DEPS)
    return built


def text_of(cli: CommandLine) -> str:
    return (cli.folder / "deps.toml").read_bytes().decode()


class TestAdd:
    """Packages that are added."""

    def test_package_is_added_and_the_plan_printed(self, declared: CommandLine) -> None:
        """Everything else stays as it is."""
        done = declared("add", "bash", "zip")
        assert (done.code, done.err) == (0, "")
        assert text_of(declared) == DEPS.replace('["jq"]', '["jq", "zip"]')
        first, second, *_ = done.out.splitlines()
        assert (first, second) == (
            "deps.toml: + zip under [dependencies] bash",
            "image                state       why",
        )
        assert "isol8:bash-custom    stale       + zip\n" in done.out

    def test_other_version_takes_the_place_of_the_one_there(self, declared: CommandLine) -> None:
        """However the name is spelled; its comment stays."""
        done = declared("add", "python", "NumPy>=2.4,<3", "six")
        assert (done.code, done.err) == (0, "")
        assert done.out.startswith(
            "deps.toml: + NumPy>=2.4,<3, + six, \N{MINUS SIGN} numpy==2.3.1 under [dependencies] python\n"
        )
        found = text_of(declared)
        assert '    "NumPy>=2.4,<3",  # pinned, see #7\n    "pandas",\n    "six",\n]\n' in found

    def test_named_image(self, declared: CommandLine) -> None:
        """And Alpine packages of it, or of a runtime, for which a table is made."""
        assert declared("add", "--image", "web", "attrs,idna").code == 0
        assert declared("add", "--image=web", "--system", "graphviz").code == 0
        assert declared("add", "python", "--system", "libsndfile").code == 0
        assert text_of(declared) == (
            DEPS.replace('["requests"]\n', '["requests", "attrs", "idna"]\nsystem = ["graphviz"]\n')
            + '\n[system]\npython = ["libsndfile"]\n'
        )

    def test_runtime_without_packages_yet(self, declared: CommandLine) -> None:
        """In the table that is there, in front of the comment about what follows; or in a new file."""
        assert declared("add", "node", "zod@4").code == 0
        assert '\n]\nnode = ["zod@4"]\n\n# The web.\n' in text_of(declared)
        (declared.folder / "deps.toml").unlink()
        assert declared("add", "node", "zod").code == 0
        assert text_of(declared) == '[dependencies]\nnode = ["zod"]\n'

    def test_line_ends_and_mark_stay(self, declared: CommandLine) -> None:
        """As an editor on Windows wrote them."""
        text = "\ufeff" + DEPS.replace("\n", "\r\n")
        (declared.folder / "deps.toml").write_bytes(text.encode())
        assert declared("add", "bash", "zip").code == 0
        assert text_of(declared) == text.replace('["jq"]', '["jq", "zip"]')

    def test_what_is_there_is_not_written_again(self, declared: CommandLine) -> None:
        """Nor is the plan printed."""
        said = "deps.toml has jq under [dependencies] bash; nothing to write\n"
        assert declared("add", "bash", "jq") == Ended(0, said, "")
        assert declared("add", "bash", "jq,jq", "jq") == Ended(0, said, "")

    def test_package_named_twice_is_added_once(self, declared: CommandLine) -> None:
        """Two versions of one are a mistake: nobody knows which is meant."""
        assert declared("add", "bash", "zip", "zip").code == 0
        assert text_of(declared) == DEPS.replace('["jq"]', '["jq", "zip"]')
        said = "ERROR: Six==2: six==1 is named too; name one version of six\n"
        assert declared("add", "python", "six==1", "Six==2") == Ended(3, "", said)
        assert "six" not in text_of(declared)

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ('{ node = ["zod"] }', '{ node = ["zod"], bash = ["jq"] }'),
            ('{node = ["zod"]}', '{node = ["zod"], bash = ["jq"]}'),
            ('{ bash = ["zip"] }', '{ bash = ["zip", "jq"] }'),
            ("{ }", '{ bash = ["jq"] }'),
            ("{}", '{bash = ["jq"]}'),
        ],
    )
    def test_table_on_one_line(self, declared: CommandLine, before: str, after: str) -> None:
        """Has the blanks that it had."""
        declared.declare(f"dependencies = {before}\n")
        assert declared("add", "bash", "jq").code == 0
        assert text_of(declared) == f"dependencies = {after}\n"

    @pytest.mark.parametrize("runtime", ["python", "node", "deno", "bash"])
    def test_shipped_file_gets_each_list_behind_the_comment_that_shows_it(
        self, declared: CommandLine, runtime: str
    ) -> None:
        """Which is about that key, and not about the next."""
        shipped = (ROOT / "deps.toml").read_text()
        declared.declare(shipped)
        package = "npm:zod" if runtime == "deno" else "six"
        assert declared("add", runtime, package).code == 0
        lines = text_of(declared).splitlines()
        at = lines.index(f'{runtime} = ["{package}"]')
        assert lines[at - 1].startswith(f"# {runtime} = [")
        assert [*lines[:at], *lines[at + 1 :]] == shipped.splitlines()

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ('# node = ["zod"]\n\n# The end.\n', '# node = ["zod"]\nbash = ["jq"]\n\n# The end.\n'),
            ("\n# [system]\n# bash = []\n", 'bash = ["jq"]\n\n# [system]\n# bash = []\n'),
            ('# node = ["zod"]', '# node = ["zod"]\nbash = ["jq"]\n'),
            ("# The end.", 'bash = ["jq"]\n# The end.\n'),
        ],
        ids=["behind another key", "before another table", "the end of the file", "what is no key"],
    )
    def test_comments_of_a_table_without_lists(self, declared: CommandLine, before: str, after: str) -> None:
        """Those that show its keys stay in front, and what follows stays behind."""
        declared.declare(f"[dependencies]\n{before}")
        assert declared("add", "bash", "jq").code == 0
        assert text_of(declared) == f"[dependencies]\n{after}"

    def test_without_an_engine_it_is_written(self, dead: CommandLine) -> None:
        """What a run would do is not known, which is told."""
        done = dead("add", "bash", "zip")
        assert done.code == 4
        first, *_, last = done.err.splitlines()
        assert first.startswith("ERROR: no Docker Engine answers")
        assert last == "deps.toml is written; only the plan could not be printed: ./doitw plan"
        assert text_of(dead) == '[dependencies]\nbash = ["jq", "zip"]\n'


class TestRemove:
    """Packages that are removed."""

    def test_package_is_removed_whatever_its_version(self, declared: CommandLine) -> None:
        """And its comment with it; the others stay."""
        done = declared("remove", "python", "numpy")
        assert (done.code, done.err) == (0, "")
        assert done.out.startswith("deps.toml: \N{MINUS SIGN} numpy==2.3.1 under [dependencies] python\n")
        found = text_of(declared)
        assert '"pandas",\n]\n' in found
        assert "numpy" not in found
        assert found.endswith(DEPS[DEPS.index("# The web.") :])

    def test_last_package_leaves_an_empty_list(self, declared: CommandLine) -> None:
        """With its comment; the image is undeclared then."""
        done = declared("remove", "bash", "jq")
        assert text_of(declared) == DEPS.replace('["jq"]', "[]")
        assert "isol8:bash-custom    undeclared" in done.out or "isol8:bash-custom   undeclared" in done.out


class TestMistakes:
    """Words that are refused; the file stays as it is."""

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (
                ("add",),
                EXPECTED.format("add", "python numpy"),
            ),
            (
                ("add", "numpy"),
                EXPECTED.format("add", "python numpy"),
            ),
            (
                ("remove", "web", "requests"),
                EXPECTED.format("remove", "--image web requests"),
            ),
            (("add", "python"), "add: no package is named, for example: ./doitw add python numpy"),
            (
                ("add", "--image", "wbe", "six"),
                "deps.toml: there is no [images.wbe] (did you mean web? there are: web)",
            ),
            (
                ("remove", "python", "nunpy"),
                "deps.toml: [dependencies] python does not have nunpy (did you mean numpy? it has: numpy, pandas)",
            ),
            (("remove", "node", "zod"), "deps.toml: [dependencies] node does not have zod"),
            (
                ("remove", "--image", "web", "requests"),
                "deps.toml:10: images.web: neither packages nor system nor setup, ",
            ),
        ],
    )
    def test_line_and_3(self, declared: CommandLine, words: tuple[str, ...], said: str) -> None:
        """The line says what to write."""
        done = declared(*words)
        assert (done.code, done.out) == (3, "")
        assert done.err.startswith(f"ERROR: {said}")
        assert text_of(declared) == DEPS

    def test_image_where_none_is_declared(self, declared: CommandLine) -> None:
        """What to write is said, as there is nothing to name."""
        declared.declare("")
        said = (
            "ERROR: deps.toml: there is no [images.web]; write the table first, with a runtime and packages\n"
        )
        assert declared("add", "--image", "web", "six") == Ended(3, "", said)

    @pytest.mark.parametrize(
        "package", ["-r", "num py", "requirements.txt", "https://u:secret-of-me@h.example/x.whl", "é"]
    )
    def test_what_the_grammar_refuses(self, declared: CommandLine, package: str) -> None:
        """As in the file itself, without the credentials in it."""
        done = declared("add", "python", "--", package)
        assert (done.code, done.out) == (3, "")
        assert "secret-of-me" not in done.err
        assert text_of(declared) == DEPS

    def test_wrong_file_is_told_and_left(self, declared: CommandLine) -> None:
        """By its own lines."""
        declared.declare("[dependencies]\npython = 3\n")
        done = declared("add", "python", "six")
        assert (done.code, done.out) == (3, "")
        assert done.err.startswith("ERROR: deps.toml:2: dependencies.python: ")
        assert text_of(declared) == "[dependencies]\npython = 3\n"

    def test_alpine_packages_of_bash_are_its_packages(self, declared: CommandLine) -> None:
        """So the flag is refused."""
        done = declared("add", "bash", "--system", "zip")
        assert done.code == 3
        assert done.err.startswith("ERROR: --system: ")


@pytest.mark.parametrize(
    "text",
    [
        'dependencies = { bash = ["jq"] }\n',
        'dependencies.bash = ["jq"]\n',
        '[dependencies]\nbash = [ # first\n  "jq" # last\n]\n',
        "[dependencies]\nbash = [\n'jq',]\n# end",
        '[images]\nt = { runtime = "bash", packages = ["jq"] }\n[dependencies]\n"bash" = ["jq"]\n[build]\n',
    ],
)
def test_however_it_is_written_the_result_is_valid_or_nothing_is_written(
    built: CommandLine, text: str
) -> None:
    """And what was added can be removed."""
    built.declare(text)
    assert built("add", "bash", "zip").code == 0
    assert built("remove", "bash", "zip").code == 0
    assert built("plan").code == 0
    view = built.open().view
    assert view.config.dependencies["bash"] == ("jq",)
