"""The table [images]: which is based on which, and how every mistake in it is told."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isol8_tasks.config.deps import parse_config
from isol8_tasks.config.images import NamedImage, chain
from isol8_tasks.ecosystems.runtimes import ECOSYSTEMS, RUNTIMES
from isol8_tasks.errors import ConfigError

APK = ECOSYSTEMS["apk"].forms
RUNTIME_NAMES = "python, node, bun, deno, bash"
CHAIN = """\
[images.top]
extends = "middle"

[images.bottom]
runtime = "python"
packages = ["numpy"]
setup = "echo bottom"

[images.middle]
extends = "bottom"
packages = ["pandas"]
"""


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "deps.toml")
    return str(caught.value).split("\n")


class TestGoodTables:
    """Tables that say what they may."""

    def test_parents_come_first(self) -> None:
        """A chain is turned round, and each image knows its runtime and the script that holds for it."""
        images = parse_config(CHAIN, "deps.toml").images

        assert list(images.items()) == [
            (
                "bottom",
                NamedImage(runtime="python", parent="python", packages=("numpy",), setup="echo bottom"),
            ),
            (
                "middle",
                NamedImage(runtime="python", parent="bottom", packages=("pandas",), setup="echo bottom"),
            ),
            ("top", NamedImage(runtime="python", parent="middle", setup="echo bottom")),
        ]

    def test_a_runtime_can_be_extended(self) -> None:
        """`extends` with a runtime's name is what `runtime` is."""
        one, other = (
            parse_config(f'[images.ml]\n{key} = "node"\npackages = ["lodash"]', "deps.toml")
            for key in ("runtime", "extends")
        )
        assert one == other

    @pytest.mark.parametrize(("own", "setup"), [("echo own", "echo own"), ("", "")])
    def test_a_script_of_its_own_replaces_that_of_the_parent(self, own: str, setup: str) -> None:
        """As with a label of Docker's the nearest one counts, and an empty one takes it away."""
        text = f'{CHAIN}setup = "{own}"\n'
        images = parse_config(text, "deps.toml").images
        assert (images["middle"].setup, images["top"].setup) == (setup, setup)

    @pytest.mark.parametrize("name", ["ml", "ML_2.0-x", "_", "0", "a" * 118, "preview-previous-x"])
    def test_what_docker_takes_for_a_tag_is_a_name(self, name: str) -> None:
        """Names are those of tags, with room for what is appended."""
        text = f'[images."{name}"]\nruntime = "bash"\nsetup = "true"\n'
        assert list(parse_config(text, "deps.toml").images) == [name]

    def test_where_an_image_is_asked_for(self) -> None:
        """A named image stands at its table, a custom one at its key, and what is not asked for nowhere."""
        config = parse_config(f'dependencies.bash = ["jq"]\ndependencies.bun = []\n{CHAIN}', "deps.toml")
        names = ("top", "bottom", "bash-custom", "bun-custom", "python-custom", "bash", "other")
        assert [config.declaration(name) for name in names] == [
            "deps.toml:3",
            "deps.toml:6",
            "deps.toml:1",
            None,
            None,
            None,
            None,
        ]


class TestMistakes:
    """One mistake each, told in one line."""

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            pytest.param(
                "images = 1",
                "1: images: expected a table, found an integer; each image has its own table, such as [images.ml]",
                id="no-table",
            ),
            pytest.param(
                "[images]\nruntime = 'bash'",
                "2: images.runtime: expected a table, found a string; "
                "each image has its own table, such as [images.ml]",
                id="without-a-name",
            ),
            pytest.param(
                "[images.ml]\nextend = 'python'\npackages = ['numpy']",
                "2: images.ml.extend: not a setting of an image "
                "(did you mean extends? allowed: runtime, extends, packages, system, build, setup, python_file, "
                "node_file, bun_file)",
                id="unknown-key",
            ),
            pytest.param(
                "[images.tools]\nruntime = 'bash'\nsystem = ['jq']",
                "3: images.tools.system: the packages of bash are Alpine's; write them in packages",
                id="system-of-bash",
            ),
            pytest.param(
                "[images.fast]\nruntime = 'deno'\npackages = ['npm:zod']\nbuild = ['build-base']",
                "4: images.fast.build: nothing is compiled for deno; remove it, or write system for what is to stay",
                id="build-of-deno",
            ),
            pytest.param(
                "[images.fast]\nruntime = 'python'\nsystem = ['jq']\nbuild = ['build-base']",
                "4: images.fast.build: no packages are compiled in this image; write packages beside it, or remove it",
                id="build-of-nothing",
            ),
            pytest.param(
                "[images.ml]\npackages = ['numpy']",
                '1: images.ml: no parent is given; write runtime = "python", '
                'or extends = "…" to build on another image',
                id="neither",
            ),
            pytest.param(
                "[images.ml]\nruntime = 'python'\nextends = 'python'\nsetup = 'true'",
                "3: images.ml.extends: can't be combined with runtime; remove one of them",
                id="both",
            ),
            pytest.param(
                "[images.ml]\nruntime = 'Python'\nsetup = 'true'",
                f"2: images.ml.runtime: 'Python' is not a runtime (did you mean python? allowed: {RUNTIME_NAMES}); "
                "to build on another image, write extends",
                id="runtime",
            ),
            pytest.param(
                "[images.ml]\nextends = 3",
                '2: images.ml.extends: expected a string, found an integer; write extends = "…"',
                id="extends-type",
            ),
            pytest.param(
                "[images.ml]\nextends = 'pyhton'\npackages = ['numpy']",
                "2: images.ml.extends: 'pyhton' is neither a runtime nor an image of this file "
                f"(did you mean python? allowed: {RUNTIME_NAMES})",
                id="missing-parent",
            ),
            pytest.param(
                "[images.x]\nextends = 'ml'\n[images.ml]\nextends = 'mI'\n[images.m2]\nruntime = 'bash'\nsetup='true'",
                "4: images.ml.extends: 'mI' is neither a runtime nor an image of this file "
                f"(allowed: {RUNTIME_NAMES}, x, m2); needed by x (line 1) → ml (line 3) → mI",
                id="missing-grandparent",
            ),
            pytest.param(
                "[images.a]\nextends = 'b'\n[images.b]\nextends = 'c'\n[images.c]\nextends = 'b'",
                "4: images.b.extends: cycle: b (line 3) → c (line 5) → b; "
                "every `extends` chain must end at a runtime",
                id="circle",
            ),
            pytest.param(
                "[images.a]\nextends = 'a'",
                "2: images.a.extends: cycle: a (line 1) → a; every `extends` chain must end at a runtime",
                id="itself",
            ),
            pytest.param(
                "[images.ml]\nruntime = 'python'\npackages = 'numpy'",
                "3: images.ml.packages: expected an array of strings, found a string; "
                'write packages = ["…", "…"]',
                id="packages-type",
            ),
            pytest.param(
                "[images.a]\nruntime = 'bash'\nsetup = 'true'\n[images.b]\nextends = 'a'\npackages = ['jq',\n'jq!']",
                f"7: images.b.packages[1]: 'jq!': 'jq!' is not the name of an Alpine package; {APK}",
                id="grammar-of-the-inherited-runtime",
            ),
            pytest.param(
                "[images.ml]\nextends = 'python'\nsetup = ''",
                "1: images.ml: neither packages nor system nor setup, so it would be the same as isol8:python; "
                'write packages = ["…"], or remove the table',
                id="nothing",
            ),
            pytest.param(
                "[images.ml]\nruntime = 'bash'\nsetup = ['true']",
                '3: images.ml.setup: expected a string, found an array; write setup = "…"',
                id="setup-type",
            ),
            pytest.param(
                "[images.ml]\nruntime = 'bash'\nsetup = 'curl https://u:p@h.example/'",
                "3: images.ml.setup: contains a user name, password or token, and is written into a label; "
                "remove it",
                id="setup-secret",
            ),
            pytest.param(
                '[images.ml]\nruntime = "bash"\nsetup = "a\\r\\nb\\u0007"',
                "3: images.ml.setup: a control character ('\\x07' at character 5), which a script must not contain",
                id="setup-control",
            ),
            pytest.param(
                f"[images.ml]\nruntime = 'bash'\nsetup = '{'é' * 8193}'",
                "3: images.ml.setup: 16386 bytes, more than the 16384 that fit in a label; "
                "install what it needs as packages",
                id="setup-long",
            ),
            *(
                pytest.param(
                    f"[images.'{name}']\nruntime = 'bash'\nsetup = 'true'",
                    f"1: images.{shown}: not a name for an image, as it becomes a tag (letters, digits, _ . and -, "
                    "neither . nor - first, at most 118 characters)",
                    id=f"name-{name[:5]}",
                )
                for name, shown in (("a b", "'a b'"), ("-a", "-a"), ("a:b", "'a:b'"), ("a" * 119, "a" * 119))
            ),
            pytest.param(
                "[images.bun]\nruntime = 'bun'\npackages = ['zod']",
                "1: images.bun: the name of a base image; choose another, "
                "or write its packages under [dependencies] bun",
                id="name-of-a-runtime",
            ),
            pytest.param(
                "[images.bun-custom]\nruntime = 'bun'\npackages = ['zod']",
                "1: images.bun-custom: the name of a custom image; "
                "write its packages under [dependencies] bun in deps.toml",
                id="name-of-a-custom-image",
            ),
            *(
                pytest.param(
                    f"[images.{name}]\nruntime = 'bash'\nsetup = 'true'",
                    f"1: images.{name}: a reserved name (names that contain -custom or -held, "
                    "or end in -previous, -rejected, -candidate or -pushing)",
                    id=name,
                )
                for name in (
                    "ml-custom-x",
                    "a-previous",
                    "a-rejected",
                    "a-candidate",
                    "a-pushing",
                    "a-held-x",
                )
            ),
        ],
    )
    def test_line_key_and_problem(self, text: str, problem: str) -> None:
        """The message names the line and the key, what was found and what is allowed."""
        assert problems(text) == [f"deps.toml:{problem}"]

    def test_what_stands_on_a_mistake_is_not_told_too(self) -> None:
        """An image whose parent can't be understood is no mistake of its own, and other tables' are told beside."""
        text = "[images.a]\nextends = 1\n[images.b]\nextends = 'a'\npackages = ['--x']\n[images.c]\n[build]\njobs = 0\n"
        assert problems(text) == [
            'deps.toml:2: images.a.extends: expected a string, found an integer; write extends = "…"',
            (
                'deps.toml:6: images.c: no parent is given; write runtime = "python", '
                'or extends = "…" to build on another image'
            ),
            ("deps.toml:8: build.jobs: expected an integer from 1, found 0; omit it to use every processor"),
        ]

    def test_keys_at_the_top(self) -> None:
        """A setting of an image that lost its table is told where it belongs."""
        assert problems("extends = 'python'") == [
            "deps.toml:1: extends: not at the top of the file; it belongs under [images.NAME]"
        ]

    def test_a_long_list_is_counted(self) -> None:
        """What is allowed is listed as far as it can be read."""
        text = "".join(f"[images.i{number}]\nruntime = 'bash'\nsetup = 'true'\n" for number in range(30))
        (problem,) = problems(f"{text}[images.x]\nextends = 'y'\n")
        assert problem.endswith("i13, i14, 15 more)")


NAMES = ["a", "b", "c", "d", "python", "x-custom"]


@settings(deadline=None)
@given(
    tables=st.dictionaries(
        st.sampled_from(NAMES),
        st.fixed_dictionaries(
            {},
            optional={
                "extends": st.sampled_from([*(f'"{name}"' for name in NAMES), '"zz"', "1"]),
                "runtime": st.sampled_from(['"bash"', '"node"', '"pyhton"', "[]"]),
                "packages": st.sampled_from(["[]", '["jq"]', '["--x", 1]', '"jq"']),
                "setup": st.sampled_from(['"true"', '""', "1", '"""\na\nb"""']),
                "other": st.just("1"),
            },
        ),
    )
)
def test_any_table_is_read_or_refused_line_by_line(tables: dict[str, dict[str, str]]) -> None:
    """Any images are read, each on a chain that ends at its runtime, or every line of the error names its table."""
    lines: list[str] = []
    for name, keys in tables.items():
        lines += [f"[images.{name}]", *(f"{key} = {value}" for key, value in keys.items())]
    lines = "\n".join(lines).split("\n")
    try:
        images = parse_config("\n".join(lines), "deps.toml").images
    except ConfigError as error:
        for problem in str(error).split("\n"):
            match = re.match(r"deps\.toml:(\d+): images\.([\w-]+)(?:\.(\w+))?", problem)
            assert match, problem
            line = lines[int(match[1]) - 1]
            assert line.startswith(f"{match[3]} = " if match[3] else f"[images.{match[2]}]")
    else:
        assert images.keys() == tables.keys()
        made = set(RUNTIMES)
        for name, image in images.items():
            assert image.parent in made
            made.add(name)
            assert image.runtime == (
                image.parent if image.parent in RUNTIMES else images[image.parent].runtime
            )


def test_a_long_chain_is_written_without_its_middle() -> None:
    """A chain that fits on a line is whole, and another shows its ends."""
    names = [str(number) for number in range(13)]
    assert chain(names[:12]) == " → ".join(names[:12])
    assert chain(names) == "0 → 1 → 2 → 3 → 5 more → 9 → 10 → 11 → 12"
