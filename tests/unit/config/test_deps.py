"""deps.toml: what it may say, and how every mistake in it is told at once."""

import re
from pathlib import Path

import pytest
import tomli
from hypothesis import given, settings
from hypothesis import strategies as st

from isol8_tasks.config.deps import BuildSettings, Config, parse_config
from isol8_tasks.ecosystems.runtimes import ECOSYSTEMS, RUNTIMES
from isol8_tasks.errors import ConfigError

ROOT = Path(__file__).parents[3]
PIP, NPM = ECOSYSTEMS["pypi"].forms, ECOSYSTEMS["npm"].forms
NOTHING = dict.fromkeys(RUNTIMES, ())
LARGE = "a{99999999999999999999}"


def problems(text: str) -> list[str]:
    """Give the lines of the error that the text is refused with."""
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "deps.toml")
    return str(caught.value).split("\n")


class TestGoodFiles:
    """Files that say what they may."""

    def test_everything(self) -> None:
        """Every key ends up where it belongs, the packages checked and in the order of the file."""
        text = """
            [dependencies]
            python = ["pandas", " numpy ", "requests[socks]>=2,<3", "numpy"]
            node = []
            deno = ["npm:zod@3"]
            [build]
            repository = "registry.example:5000/team/isol8"
            builder = "classic"
            args = { PIP_INDEX_URL = "https://user:secret@h.example/simple", A_1 = "" }
            jobs = 1
        """
        assert parse_config(text, "deps.toml") == Config(
            dependencies=NOTHING
            | {
                "python": ("pandas", "numpy", "requests[socks]>=2,<3", "numpy"),
                "deno": ("npm:zod@3",),
            },
            build=BuildSettings(
                repository="registry.example:5000/team/isol8",
                builder="classic",
                args={"A_1": "", "PIP_INDEX_URL": "https://user:secret@h.example/simple"},
                jobs=1,
            ),
        )

    @pytest.mark.parametrize("text", ["", "# nothing\n", "[dependencies]\n[build]\n", "\ufeff[build]\r\n"])
    def test_nothing_is_asked_for(self, text: str) -> None:
        """An empty file, and empty tables, mean the defaults."""
        assert parse_config(text, "deps.toml") == Config(
            dependencies=NOTHING,
            build=BuildSettings(repository="isol8", builder="auto", args={}, jobs=None),
        )

    def test_as_shipped_nothing_is_asked_for(self) -> None:
        """The deps.toml of the project leaves everything to its reader."""
        assert parse_config((ROOT / "deps.toml").read_text("utf-8"), "deps.toml") == Config()

    def test_what_is_shipped_as_comments_can_be_switched_on(self) -> None:
        """The shipped deps.toml is good with every example in it uncommented, and has one for every key."""
        text = (ROOT / "deps.toml").read_text("utf-8")
        switched_on = re.sub(r"^# (?=\w+ = )", "", text, flags=re.MULTILINE)
        config = parse_config(switched_on, "deps.toml")

        assert all(config.dependencies.values())
        assert tomli.loads(switched_on)["build"].keys() == {"repository", "builder", "jobs", "args"}

    def test_the_example_asks_for_every_runtime(self) -> None:
        """The example holds the specification's packages."""
        text = (ROOT / "examples" / "deps.toml").read_text("utf-8")

        assert parse_config(text, "deps.toml") == Config(
            dependencies={
                "python": ("numpy", "pandas"),
                "node": ("lodash", "express"),
                "bun": ("zod", "hono"),
                "deno": ("npm:is-number",),
                "bash": ("jq", "curl"),
            }
        )

    @pytest.mark.parametrize(
        "name", ["isol8", "team/isol8", "a-b__c.d", "localhost/x", "Registry.example/x/y"]
    )
    def test_repository(self, name: str) -> None:
        """What Docker takes for a repository is one."""
        assert parse_config(f"[build]\nrepository = '{name}'", "deps.toml").build.repository == name


class TestLists:
    """What stands in the place of a runtime's list."""

    @pytest.mark.parametrize(
        ("found", "written"),
        [
            ("python = 'numpy'", 'python = ["numpy"]'),
            ("python = 'numpy, pandas==2'", 'python = ["numpy", "pandas==2"]'),
            ("python = {numpy = '^1.26', six = '*'}", 'python = ["numpy>=1.26,<2", "six"]'),
            ("node = {lodash = '^4'}", 'node = ["lodash@^4"]'),
            ("python = {numpy = {version = '^1.26'}}", 'python = ["numpy>=1.26,<2"]'),
            ("deno = {zod = '3', '@std/path' = '^1'}", 'deno = ["npm:zod@3", "jsr:@std/path@^1"]'),
            ("bash = {jq = '1.7', curl = '*', git = '=2.47-r0'}", 'bash = ["jq~1.7", "curl", "git=2.47-r0"]'),
            ("npm = 'lodash'", "node"),
            ("npm = {lodash = '^4'}", "node"),
            ("python = 'requirements.txt'", 'python_file = "requirements.txt"'),
            ("python = '-x'", 'python = ["…", "…"]'),
        ],
    )
    def test_is_written_as_one(self, found: str, written: str) -> None:
        """A text, or a table of versions, is shown as the list that it would be."""
        (said,) = problems(f"[dependencies]\n{found}")
        assert said.endswith(f"; write {written}")


class TestPlace:
    """Where in the file a package stands."""

    def test_line_of_a_package(self) -> None:
        """A package is found on its own line of an array that has several."""
        config = parse_config('[dependencies]\npython = [\n  "numpy",\n  " pandas ",\n]', "dir/deps.toml")

        assert config.place("python", "pandas") == "dir/deps.toml:4"

    def test_a_package_that_the_file_does_not_ask_for(self) -> None:
        """A package that came from elsewhere has no place in the file."""
        assert parse_config("dependencies.python = ['numpy']", "deps.toml").place("python", "scipy") is None


class TestMistakes:
    """One mistake each, told in one line."""

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            pytest.param(
                "[dependencies]\n\npyhton = []",
                "3: dependencies.pyhton: not a runtime "
                "(did you mean python? allowed: python, node, bun, deno, bash)",
                id="runtime",
            ),
            pytest.param(
                "[dependencies]\nruby = []",
                "2: dependencies.ruby: not a runtime (allowed: python, node, bun, deno, bash)",
                id="runtime-unlike-any",
            ),
            pytest.param(
                "[dependencys]",
                "1: dependencys: not a table of this file "
                "(did you mean dependencies? "
                "allowed: dependencies, system, images, build, clients, filter, history, hold, "
                "page, prune, refresh, registry, verify)",
                id="table",
            ),
            pytest.param(
                "[image.base]\nx = 1",
                "1: image: not a table of this file (did you mean images? "
                "allowed: dependencies, system, images, build, clients, filter, history, hold, "
                "page, prune, refresh, registry, verify)",
                id="table-of-tables",
            ),
            pytest.param(
                '"a b" = 1',
                "1: 'a b': not a table of this file "
                "(allowed: dependencies, system, images, build, clients, filter, history, hold, "
                "page, prune, refresh, registry, verify)",
                id="quoted-key",
            ),
            pytest.param(
                "text = 'x'",
                "1: text: not a table of this file "
                "(allowed: dependencies, system, images, build, clients, filter, history, hold, "
                "page, prune, refresh, registry, verify)",
                id="field-that-is-no-key",
            ),
            pytest.param(
                "node = ['lodash']",
                "1: node: not at the top of the file; it belongs under [dependencies]",
                id="runtime-at-the-top",
            ),
            pytest.param(
                "jobs = 2",
                "1: jobs: not at the top of the file; it belongs under [build]",
                id="setting-at-top",
            ),
            pytest.param(
                "[build]\njob = 2",
                "2: build.job: not a setting of [build] "
                "(did you mean jobs? allowed: repository, builder, buildx, cache, platforms, args, secrets, jobs, "
                "python, node, bun, download_cache)",
                id="setting",
            ),
            pytest.param(
                "[build]\nbuilder = 'classic'\nbuildx = 'far'",
                "3: build.buildx: builder = 'classic' does not use it; remove one of both",
                id="two builders",
            ),
            pytest.param(
                "[build]\nbuildx = 'far away'",
                "2: build.buildx: 'far away' is not the name of a builder; docker buildx ls lists them",
                id="no builder",
            ),
            pytest.param(
                "[build]\nbuildx = 'far*'",
                "2: build.buildx: 'far*' is not the name of a builder; docker buildx ls lists them",
                id="star of the builder in use",
            ),
            pytest.param(
                "[build]\nplatforms = 'linux/arm64'",
                "2: build.platforms: expected an array of platforms, found a string; "
                'write platforms = ["linux/arm64"]',
                id="platform that is no list",
            ),
            pytest.param(
                "[build]\nplatforms = ['arm64']",
                "2: build.platforms[0]: 'arm64' is not a platform that images can be built for; "
                'write "linux/arm64"',
                id="platform without a system",
            ),
            pytest.param(
                "[build]\nplatforms = ['Linux/x86_64']",
                "2: build.platforms[0]: 'Linux/x86_64' is not a platform that images can be built for; "
                'write "linux/amd64"',
                id="platform by another name",
            ),
            pytest.param(
                "[build]\nplatforms = ['linux/s390x']",
                "2: build.platforms[0]: 'linux/s390x' is not a platform that images can be built for; "
                "allowed: linux/amd64, linux/arm64",
                id="no such platform",
            ),
            pytest.param(
                "[build]\nplatforms = ['linux/arm/v7/x']",
                "2: build.platforms[0]: 'linux/arm/v7/x' is not a platform that images can be built for; "
                "allowed: linux/amd64, linux/arm64",
                id="no platform at all",
            ),
            pytest.param(
                "[build]\nplatforms = ['linux/arm64', 'linux/arm64']",
                "2: build.platforms: linux/arm64 is listed twice",
                id="one platform twice",
            ),
            pytest.param(
                "[build]\nplatforms = ['linux/amd64', 'linux/arm64']",
                "2: build.platforms: lists 2 platforms, which only a registry has under one name; write [registry], "
                'and repository = "registry.example/isol8" below it, or one platform',
                id="two platforms",
            ),
            pytest.param(
                "[build]\nplatforms = []",
                '2: build.platforms: lists no platform; write platforms = ["linux/arm64"], or remove the line to build '
                "for the engine's own",
                id="no platform",
            ),
            pytest.param(
                "system = ['jq']",
                '1: system: expected a table, found an array; write [system], and python = ["…"] below it',
                id="system-array",
            ),
            pytest.param(
                "[system]\npyhton = ['jq']",
                "2: system.pyhton: not a runtime (did you mean python? allowed: python, node, bun, deno, bash)",
                id="system-runtime",
            ),
            pytest.param(
                "[system]\nbash = ['jq']",
                "2: system.bash: the packages of bash are Alpine's; write them under [dependencies] bash",
                id="system-bash",
            ),
            pytest.param(
                "[system]\nnode = ['jq', 'JQ=newest']",
                "2: system.node[1]: 'JQ=newest': 'newest' is not a version of an Alpine package; apk accepts name, "
                "name=version, name>=version, name~version and name@tag, for example jq=1.7.1-r0",
                id="system-package",
            ),
            pytest.param(
                "[build]\npython = 'build-base'",
                '2: build.python: expected an array of strings, found a string; write python = ["…", "…"]',
                id="build-string",
            ),
            pytest.param(
                "dependencies = ['numpy']",
                '1: dependencies: expected a table, found an array; write [dependencies], and python = ["…"] below it',
                id="dependencies-array",
            ),
            pytest.param(
                "build = 1.5",
                "1: build: expected a table, found a float; write [build], and its keys below it",
                id="build-float",
            ),
            pytest.param(
                "[dependencies]\npython = 'numpy'",
                "2: dependencies.python: expected an array of strings, found a string; "
                'write python = ["numpy"]',
                id="string-for-array",
            ),
            pytest.param(
                "[dependencies.python]\nnumpy = '*'",
                "1: dependencies.python: expected an array of strings, found a table; "
                'write python = ["numpy"]',
                id="table-for-array",
            ),
            pytest.param(
                "[dependencies]\nnode = ['lodash',\n 2026-11-22]",
                '3: dependencies.node[1]: expected a string, found a date or time; write "…"',
                id="date-for-string",
            ),
            pytest.param(
                "[dependencies]\npython = ['']",
                f"2: dependencies.python[0]: '': an empty text, not a package; {PIP}",
                id="empty-package",
            ),
            pytest.param(
                "[dependencies]\nbun = ['zod',\n\n'a%b']",
                f"4: dependencies.bun[1]: 'a%b': 'a%b' is not a package name of npm's; {NPM}",
                id="package",
            ),
            pytest.param(
                "[build]\nbuilder = 'buildkitt'",
                "2: build.builder: 'buildkitt' is not a builder "
                "(did you mean buildkit? allowed: auto, buildkit, buildx, classic)",
                id="builder",
            ),
            pytest.param(
                "[build]\nbuilder = true",
                '2: build.builder: expected a string, found a boolean; write builder = "auto"',
                id="builder-boolean",
            ),
            pytest.param(
                "[build]\njobs = 0",
                "2: build.jobs: expected an integer from 1, found 0; omit it to use every processor",
                id="jobs-zero",
            ),
            pytest.param(
                "[build]\njobs = true",
                "2: build.jobs: expected an integer from 1, found a boolean; write jobs = 4",
                id="jobs-boolean",
            ),
            pytest.param(
                "[build]\njobs = '2'",
                "2: build.jobs: expected an integer from 1, found a string; write jobs = 4",
                id="jobs-string",
            ),
            pytest.param(
                "[build]\nargs = { A = 3.10 }",
                "2: build.args.A: expected a string, found a float; put it in quotes",
                id="argument-float",
            ),
            pytest.param(
                "[build.args]\nA = true",
                "2: build.args.A: expected a string, found a boolean; put it in quotes",
                id="argument-boolean",
            ),
            pytest.param(
                "[build.args]\nA = ['secret']",
                '2: build.args.A: expected a string, found an array; write A = "value"',
                id="argument-array",
            ),
            pytest.param(
                "[build.args]\nA = 'secret'\nB = \"secret\\u0000\"",
                "3: build.args.B: a string with a NUL character, which environment variables can't contain",
                id="argument-nul",
            ),
            pytest.param(
                "[build.args]\n1-A = 'x'",
                "2: build.args.1-A: not a name for a build argument (letters, digits and _, no digit first)",
                id="argument-name",
            ),
            *(
                pytest.param(
                    f"[build]\nrepository = '{name}'",
                    f"2: build.repository: '{name}' is not a repository name (lower-case letters and "
                    "digits, with . _ - and / between them, and no tag; for example "
                    "isol8 or registry.example:5000/team/isol8)",
                    id=f"repository-{name}",
                )
                for name in (
                    "",
                    "Isol8",
                    "isol8:latest",
                    "-x",
                    "a//b",
                    "a___b",
                    "Team/x",
                    "h.example:/x",
                    "é",
                )
            ),
            *(
                pytest.param(
                    f"[build]\nrepository = '{name}'",
                    f"2: build.repository: '{name}' is a name that Docker does not accept for a repository",
                    id=f"repository-{name[:8]}",
                )
                for name in ("scratch", "0" * 64, "a" * 241)
            ),
        ],
    )
    def test_line_key_and_problem(self, text: str, problem: str) -> None:
        """The message names the line and the key, what was found and what is allowed."""
        assert problems(text) == [f"deps.toml:{problem}"]

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            pytest.param(
                "[dependencies]\npython = [] x",
                ":2:13: not TOML: Expected newline or end of document after a statement",
                id="two-ends",
            ),
            pytest.param(
                "[build.\n", ":1:8: not TOML: Invalid initial character for a key part", id="header"
            ),
        ],
    )
    def test_not_toml(self, text: str, problem: str) -> None:
        """A text that isn't TOML is told by line and column, with what it should look like."""
        hint = 'tables, keys and values look like [dependencies], python = ["numpy", "pandas"]'

        assert problems(text) == [f"deps.toml{problem}; {hint}"]

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("# x\na = " + "[" * 2000, id="too-deep"),
            pytest.param(f"# x\na = {'1' * 5000}", id="too-long-a-number"),
        ],
    )
    def test_toml_beyond_its_reader(self, text: str) -> None:
        """What the TOML reader itself gives up on is one line, too."""
        (problem,) = problems(text)

        assert problem.startswith("deps.toml:2: can't be read as TOML: ")

    @pytest.mark.parametrize(
        ("text", "key", "first", "second"),
        [
            ("[build]\njobs = 1\njobs = 1", "build.jobs", 2, 3),
            ("[build]\n[registry]\n[build]\n", "build", 1, 3),
            ("[dependencies]\nbash = [\n'jq',\n]\nbash = [\n'jq',\n]\n[no TOML\n", "dependencies.bash", 2, 5),
            ("[images.a]\nruntime = 'bash'\n[images.a]\n", "images.a", 1, 3),
            ("build.args.A = '1'\n[build.args]\n", "build.args", 1, 2),
            ("[build]\nargs = {A = '1',\nB = '2', A = '3'}\n", "build.args.A", 2, 3),
            ("build = 1\n\n[build]\n", "build", 1, 3),
            ("[[verify.bash]]\n[verify.bash]\n", "verify.bash", 1, 2),
        ],
    )
    def test_what_stands_there_twice(self, text: str, key: str, first: int, second: int) -> None:
        """Both lines are named, whatever stands between and behind them."""
        assert problems(text) == [
            f"deps.toml:{second}: {key}: set twice, first on line {first}; put both into one, or remove one"
        ]

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            (
                f'[prune]\nkeep = "{"9" * 400}GB"',
                f"prune.keep: '{'9' * 59}…' exceeds the maximum of 1000000TB",
            ),
            (
                f'[verify.python]\noutput = "{LARGE}"',
                f"verify.python.output: '{LARGE}' is not a regular expression: the repetition number is too large",
            ),
            (
                f'[verify.python]\noutput = "{"(" * 2000}{")" * 2000}"',
                f"verify.python.output: '{'(' * 59}…' has more than 100 opening parentheses; simplify it",
            ),
        ],
    )
    def test_beyond_any_measure(self, text: str, problem: str) -> None:
        """Numbers and patterns that nobody means are mistakes like others, by line and key."""
        assert f"deps.toml:2: {problem}" in problems(text)

    def test_pattern_of_another_python_prints_nothing(self, capfd: pytest.CaptureFixture[str]) -> None:
        """Python's own warnings are for those who write Python."""
        parse_config('[verify.python]\ncommand = ["a"]\noutput = "[[a]"\n', "deps.toml")
        assert capfd.readouterr() == ("", "")


class TestEverythingAtOnce:
    """Files with more than one mistake."""

    def test_every_problem_has_its_line(self) -> None:
        """All problems of a file are told together, in the order of their lines."""
        text = """\
[build]
jobs = -1
args = { A = 1,
  "b c" = 2 }
[dependencies]
pyhton = "numpy"
python = ["numpy",
  "--pre", 3,
]
[holds]
"""
        assert problems(text) == [
            ("deps.toml:2: build.jobs: expected an integer from 1, found -1; omit it to use every processor"),
            "deps.toml:3: build.args.A: expected a string, found an integer; put it in quotes",
            "deps.toml:4: build.args.'b c': expected a string, found an integer; put it in quotes",
            (
                "deps.toml:4: build.args.'b c': not a name for a build argument "
                "(letters, digits and _, no digit first)"
            ),
            (
                "deps.toml:6: dependencies.pyhton: not a runtime "
                "(did you mean python? allowed: python, node, bun, deno, bash)"
            ),
            f"deps.toml:8: dependencies.python[1]: '--pre': an option, not a package; {PIP}",
            'deps.toml:8: dependencies.python[2]: expected a string, found an integer; write "…"',
            (
                "deps.toml:10: holds: not a table of this file (did you mean hold? allowed: dependencies, system, "
                "images, build, clients, filter, history, hold, page, prune, refresh, registry, "
                "verify)"
            ),
        ]

    @settings(deadline=None)
    @given(
        dependencies=st.dictionaries(
            st.sampled_from(["python", "node", "bun", "deno", "bash", "pyhton", "x.y", ""]),
            st.one_of(
                st.lists(st.sampled_from(['"numpy"', '"npm:zod"', '"--pre"', "1", '""', "[]"])).map(
                    lambda items: f"[{', '.join(items)}]"
                ),
                st.sampled_from(['"numpy"', "1", "{}"]),
            ),
        ),
        build=st.dictionaries(
            st.sampled_from(["repository", "builder", "args", "jobs", "x", "text"]),
            st.sampled_from(['"isol8"', '"auto"', "1", "0", "true", "{}", '{ A = "b" }', "{ A = 1, 1 = 2 }"]),
        ),
    )
    def test_any_file_is_read_or_refused_line_by_line(
        self, dependencies: dict[str, str], build: dict[str, str]
    ) -> None:
        """Any TOML is read, or every line of the error names the line on which that key stands."""
        lines = ["[dependencies]", *(f'"{key}" = {value}' for key, value in dependencies.items())]
        lines += ["[build]", *(f"{key} = {value}" for key, value in build.items())]
        try:
            config = parse_config("\n".join(lines), "deps.toml")
        except ConfigError as error:
            for problem in str(error).split("\n"):
                match = re.match(r"deps\.toml:(\d+): (?:dependencies|build)\.('.*?'|\w*)", problem)
                assert match, problem
                assert lines[int(match[1]) - 1].partition(" = ")[0].strip("\"'") == match[2].strip("'")
        else:
            assert config.dependencies.keys() == RUNTIMES.keys()

    @settings(deadline=None)
    @given(text=st.text(st.sampled_from("[]{}=.,#\"'\\\n ab1dependencies"), max_size=60))
    def test_no_text_makes_another_error(self, text: str) -> None:
        """Whatever stands in the file, it is read or is an error of configuration."""
        try:
            config = parse_config(text, "deps.toml")
        except ConfigError as error:
            message = str(error)
        else:
            message = f"{config.source}: read"
        assert message.startswith("deps.toml:")


class TestDocumentation:
    """docs/deps.md."""

    @pytest.fixture
    def text(self) -> str:
        """Give the whole of it."""
        return (ROOT / "docs" / "deps.md").read_text("utf-8")

    def test_the_errors_shown_are_real(self, text: str) -> None:
        """What the documentation shows for its example of mistakes is what this example gives."""
        first, *more, wrong = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
        shown, _ = re.findall(r"```\n(deps.*?)\n```", text, re.DOTALL)

        assert parse_config(first, "deps.toml").build.jobs == 2
        assert [parse_config(each, "deps.toml").images.keys() for each in more] == [{"ml"}, {"api"}]
        assert problems(wrong) == shown.split("\n")


class TestStrangers:
    """Names that fit nothing else that is given."""

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (
                "[verify]\nskips = ['x']",
                "2: verify.skips: not a setting of [verify] (did you mean skip? allowed: ",
            ),
            (
                "[verify]\nskips = 'x'",
                "2: verify.skips: not a setting of [verify] (did you mean skip? allowed: ",
            ),
            (
                "[dependencies]\nnumpy = '^1'",
                "2: dependencies.numpy: not a runtime; other tools have packages as keys",
            ),
            (
                "[dependencies]\nnumpy = {version = '^1'}",
                (
                    "2: dependencies.numpy: not a runtime; other tools have packages as keys here, this file has "
                    'lists: python = ["numpy>=1,<2"], or the same'
                ),
            ),
            (
                "[dependencies]\nlodash = '^4'",
                "2: dependencies.lodash: not a runtime; other tools have packages as",
            ),
            (
                "[dependencies]\nrequirements = 'r.txt'",
                "2: dependencies.requirements: not a runtime; write python_fi",
            ),
            (
                "[dependencies]\nfile = 'package.json'",
                '2: dependencies.file: not a runtime; write node_file = "pack',
            ),
            (
                "[dependencies]\npython = 'numpy, pandas'",
                "2: dependencies.python: expected an array of strings, foun",
            ),
            ("[source]\na = 1", "1: source: a table of a Pipfile; write [dependencies]"),
            (
                "[images.a]\nlanguage = 'python'",
                "2: images.a.language: not a setting of an image (did you mean run",
            ),
            ("[deps]\npython = []", "1: deps: not a table of this file (did you mean dependencies? "),
            ("[dependencies]\npip = ['x']", "2: dependencies.pip: not a runtime; write python"),
            ("[dependencies]\nnpm = ['x']", "2: dependencies.npm: not a runtime; write node"),
            ("[dependencies]\nruby = ['x']", "2: dependencies.ruby: not a runtime (allowed: python, "),
            (
                "[project]\ndependencies = ['numpy']",
                "1: project: a table of pyproject.toml; write [dependencies]",
            ),
        ],
    )
    def test_of_other_tools(self, text: str, said: str) -> None:
        """What is meant can be told, once."""
        (line,) = problems(text)
        assert line.startswith(f"deps.toml:{said}")

    ARGUMENTS = frozenset({"ALPINE_VERSION", "BUN_INSTALL_URL", "BUN_VERSION", "HTTP_PROXY"})

    def test_with_everything_else_that_is_wrong(self) -> None:
        """A build argument that nobody declares is told along with all other problems, with what was meant."""
        text = '[build]\njobs = 0\n[build.args]\nbun_versoin = "2"\n[verify.pyhton]\ncommand = ["true"]\n'
        with pytest.raises(ConfigError) as caught:
            parse_config(text, "deps.toml", self.ARGUMENTS)
        assert str(caught.value).splitlines() == [
            "deps.toml:2: build.jobs: expected an integer from 1, found 0; omit it to use every processor",
            (
                "deps.toml:4: build.args.bun_versoin: docker/Dockerfile declares no such argument (did you mean "
                "BUN_VERSION? allowed: ALPINE_VERSION, BUN_INSTALL_URL, BUN_VERSION, HTTP_PROXY)"
            ),
            (
                "deps.toml:5: verify.pyhton: there is no such image (did you mean python? allowed: python, node, bun, "
                "deno, bash, python-custom, node-custom, bun-custom, deno-custom, bash-custom)"
            ),
        ]

    def test_what_is_declared_passes(self) -> None:
        """Declared arguments, those that every builder knows and checks of images that may be are no problem."""
        text = (
            '[build.args]\nHTTP_PROXY = "http://p"\nBUN_VERSION = "1"\n[images.ml]\nruntime = "python"\n'
            'packages = ["numpy"]\n[verify.ml]\ncommand = ["true"]\n[verify.bash-custom]\ncommand = ["true"]\n'
        )
        assert set(parse_config(text, "deps.toml", self.ARGUMENTS).verify.checks) == {"ml", "bash-custom"}

    def test_where_nobody_knows_what_is_declared(self) -> None:
        """Without a Dockerfile that can be read no argument is refused."""
        assert parse_config('[build.args]\nANY = "2"\n', "deps.toml").build.args == {"ANY": "2"}

    def test_a_name_that_is_none_is_told_once(self) -> None:
        """What can't be an argument at all is one problem."""
        with pytest.raises(ConfigError) as caught:
            parse_config('[build.args]\n"A B" = "2"\n', "deps.toml", self.ARGUMENTS)
        assert len(str(caught.value).splitlines()) == 1
