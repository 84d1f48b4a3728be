"""requirements.txt and package.json: what is read of them, and what is said of the rest, by file and line."""

import re
from collections.abc import Mapping

import pytest

from isol8_tasks.config.deps import parse_config, with_lists
from isol8_tasks.config.listed import file_of, read_list
from isol8_tasks.config.package_list import NoListError, PackageList
from isol8_tasks.errors import ConfigError

A, B = f"sha256:{'a' * 64}", f"sha512:{'b' * 128}"


def loaded(runtime: str, files: Mapping[str, str], name: str) -> PackageList:
    """Read a list among files that are there."""

    def load(path: str) -> str:
        if path not in files:
            raise NoListError("not found; correct the name")
        return files[path]

    return read_list(runtime, name, load)


def refusal(runtime: str, text: str) -> list[str]:
    """Return what is said of a list, a line each."""
    name = "package.json" if runtime == "node" else "requirements.txt"
    with pytest.raises(ConfigError) as caught:
        loaded(runtime, {name: text}, name)
    return str(caught.value).splitlines()


OTHER_LISTS = {
    "<!DOCTYPE html>": "a web page, not a requirements file; download the file itself",
    '{"default": {}}': "JSON, not a requirements file; write requirements.txt with `pip freeze`",
    "# packages in environment at /opt/conda:\n#\nnumpy  1.26.4  py311": "conda's own list, not a requirements",
    "# platform: linux-64\n@EXPLICIT\nhttps://a.example/x.conda": "conda's own list",
    "name: x\nchannels:\n  - forge\ndependencies:\n  - numpy=1": "a conda environment (YAML), not a requirements",
    '[project]\ndependencies = ["numpy"]': "TOML, as pyproject.toml and Pipfile are, not a requirements file; write",
    '[[package]]\nname = "numpy"': "TOML, as pyproject.toml",
    "Package    Version\n---------- -------\nnumpy      1.26.4": "what pip list prints, not a requirements file; write",
    "from setuptools import setup\nsetup()": "a program of Python",
    "<<<<<<< HEAD\nnumpy\n=======": "a merge conflict is left in it; keep one side",
    "Name: numpy\nVersion: 1.26.4": "what pip show prints, not a requirements file",
    "FROM python:3.12\nRUN pip install numpy": "a Dockerfile, not a requirements file",
}


@pytest.mark.parametrize("text", OTHER_LISTS)
def test_lists_of_other_tools(text: str) -> None:
    """They are named as a whole in one line, with what makes a requirements file."""
    (said,) = refusal("python", text)
    assert said.startswith(f"requirements.txt: {OTHER_LISTS[text]}")


def test_an_address_without_blanks() -> None:
    """It may end as a file does."""
    address = "a@https://a.example/a.zip"
    assert list(loaded("python", {"r": address}, "r").packages) == [address]


@pytest.mark.parametrize(
    "begin", ["# packages in environment at /opt/conda:", "# This file may be used to create an environment"]
)
def test_a_comment_makes_no_other_list(begin: str) -> None:
    """What is left of a list that became requirements."""
    found = loaded("python", {"r": f"{begin}\nnumpy==1.26.4\n"}, "r")
    assert list(found.packages) == ["numpy==1.26.4"]


class TestRequirements:
    """pip's format."""

    def test_what_pip_reads(self) -> None:
        """Comments, blank lines, continued lines, extras, markers, a byte order mark; each package with its line."""
        text = (
            "\ufeff# pinned by pip-compile\n\nnumpy==1.26.4  # via x\nrequests[socks] >= 2, \\\n  < 3\n"
            'tomli; python_version < "3.11"\n# a comment does not go on \\\nfoo @ https://f.example/foo-1.0.whl#sha256=x\n'
        )
        assert loaded("python", {"r.txt": text}, "r.txt").packages == {
            "numpy==1.26.4": "r.txt:3",
            "requests[socks] >= 2,   < 3": "r.txt:4",
            'tomli; python_version < "3.11"': "r.txt:6",
            "foo @ https://f.example/foo-1.0.whl#sha256=x": "r.txt:8",
        }

    def test_hashes(self) -> None:
        """As pip-compile and uv write them."""
        text = f"--require-hashes\na==1 \\\n  --hash={A} \\\n  --hash={B}\nb[x]==2 ; os_name == 'posix' --hash {A}\n"
        found = loaded("python", {"r.txt": text}, "r.txt")
        assert found.hashes == {"a==1": (A, B), "b[x]==2 ; os_name == 'posix'": (A,)}
        assert found.packages["a==1"] == "r.txt:2"

    def test_included_files(self) -> None:
        """They are found relative to the file that names them."""
        files = {
            "r/dev.txt": "-r base.txt\npytest\n",
            "r/base.txt": "--requirement=../x.txt\n",
            "x.txt": "six\nsix\n",
        }
        assert loaded("python", files, "r/dev.txt").packages == {"six": "x.txt:1", "pytest": "r/dev.txt:2"}

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("a\n-i https://u:p@i.example/simple", r"r.*:2: -i is not read.*args = \{ PIP_INDEX_URL = "),
            ("--index-url=https://i.example", r"r.*:1: --index-url is not read.*PIP_INDEX_URL"),
            ("--extra-index-url https://i.example", r".*PIP_EXTRA_INDEX_URL"),
            ("--trusted-host i.example", r".*PIP_TRUSTED_HOST"),
            ("-c c.txt", r"r.*:1: -c is not read: a constraint holds for .*lock"),
            ("-e .", r"r.*:1: -e names what is no package of an index"),
            ("-f dist", r"r.*:1: -f names"),
            ("--pre", r"r.*:1: --pre is for all packages"),
            ("--only-binary :all:", r"r.*:1: --only-binary chooses"),
            ("--frobnicate", r"r.*:1: --frobnicate is not supported here; remove it"),
            ("./a", r"r.*:1: './a': a file or folder"),
            ("a-1.0-py3-none-any.whl", r"r.*:1: 'a-1.0.*': the file of one package.*; write \"a==1.0\""),
            ("git+https://g.example/a", r"r.*:1: 'git\+https://g.example/a': a git repository; only"),
            ("a==${V}", r"r.*:1: \$\{V\} is not replaced here"),
            ("a==1 --config-settings=x", r"r.*:1: --config-settings can't be given"),
            ("a==1 --hash=md5:1", r"r.*:1: --hash=md5:1: expected --hash=sha256: and 64"),
            (f"a>=1 --hash={A}", r"r.*:1: a>=1 has a hash, so it needs one version: a==…"),
            (f"a==1.* --hash={A}", r"r.*:1: a==1.\* has a hash"),
            (f"a==1 --hash={A}\nb==2", r"r.*:2: has no --hash, and pip needs one for each if one has it"),
            ("--require-hashes\nb==2", r"r.*:2: has no --hash"),
            ("-r requirements.txt", r"r.*:1: -r requirements.txt: the file includes itself"),
            ("-r https://x.example/r.txt", r"r.*:1: -r https://x.example/r.txt: only files of this machine"),
            ("\n-r gone.txt", r"requirements.txt:2: gone.txt: not found; correct the name"),
            ("numpy=1.26", r"r.*:1: 'numpy=1.26': written as for conda; write \"numpy==1.26.\*\""),
        ],
    )  # fmt: skip
    def test_what_is_refused(self, text: str, said: str) -> None:
        """With the line, and with what to write."""
        (line,) = refusal("python", text)
        assert re.match(said, line)
        assert "u:p@" not in line

    def test_every_problem_is_told(self) -> None:
        """In the order of the lines."""
        lines = refusal("python", "-e .\nnumpy\n!\n")
        assert [line.partition(": ")[0] for line in lines] == ["requirements.txt:1", "requirements.txt:3"]


class TestPackageJson:
    """npm's and Bun's format."""

    def test_what_is_read(self) -> None:
        """The dependencies, each with its line; what is for development or of others is not installed."""
        text = """{"name": "x", "devDependencies": {"jest": "*"}, "overrides": {},
        "dependencies": {
            "lodash": "^4.17", "@scope/a": "",
            "four": "npm:lodash@4", "b": ">=1 <2 || 3.x", "c": "next", "d": "~4.17.2", "e": "~> 4"
        }}"""
        assert loaded("node", {"package.json": text}, "package.json").packages == {
            "lodash@^4.17": "package.json:3",
            "@scope/a": "package.json:3",
            "four@npm:lodash@4": "package.json:4",
            "b@>=1 <2 || 3.x": "package.json:4",
            "c@next": "package.json:4",
            "d@~4.17.2": "package.json:4",
            "e@~> 4": "package.json:4",
        }
        assert loaded("bun", {"a/package.json": "{}"}, "a/package.json").packages == {}

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ('{\n"overrides": {"a": "1"}}', "package.json:2: overrides would not be heeded"),
            ('{"resolutions": {"a": "1"}}', "package.json:1: resolutions would not be heeded"),
            ('{"pnpm":\n {"overrides": {"a": "1"}}}', "package.json:2: pnpm.overrides would not be heeded"),
            ('{"workspaces": ["a"]}', "package.json:1: workspaces names folders"),
            ('{"patchedDependencies": {"a@1": "p"}}', "package.json:1: patchedDependencies would not"),
            ('{"dependencies": {\n"a": "workspace:*"}}', "package.json:2: a: workspace:*: not a package"),
            ('{"dependencies": {"a": "git+ssh://git@g.example/a.git"}}', "package.json:1: a: git+ssh://"),
            ('{"dependencies": {"a": "github:u/a"}}', "package.json:1: a: github:u/a: not a package"),
            ('{"dependencies": {"a": "u/a#main"}}', "package.json:1: a: u/a#main: not a package"),
            ('{"dependencies": {"a": "~/a"}}', "package.json:1: a: ~/a: not a package"),
            ('{"dependencies": {"a": "file:../a"}}', "package.json:1: a: file:../a: not a package"),
            ('{"dependencies": {"a": "https://x.example/a.tgz"}}', "package.json:1: a: https://x.example/a.tgz: not"),
            ('{"dependencies": {"a": 1}}', "package.json:1: a: expected a string, found an integer"),
            ('{"dependencies": {"a": "%"}}', "package.json:1: 'a@%': '%' is neither a version range"),
            ('{"dependencies": []}', "package.json:1: dependencies: expected an object, found an array"),
            ("[]", "package.json: expected an object, found an array"),
            ("{\n,}", "package.json:2:1: not JSON: "),
        ],
    )  # fmt: skip
    def test_what_is_refused(self, text: str, said: str) -> None:
        """What would install something else than the list says, and what the registry does not have."""
        (line,) = refusal("node", text)
        assert line.startswith(said)


class TestConfig:
    """Files that deps.toml names."""

    def test_packages_of_both(self) -> None:
        """Each with the place where it stands."""
        config = parse_config(
            '[dependencies]\npython = ["six"]\npython_file = "r.txt"\nnode_file = "p.json"\n', "d.toml"
        )
        config = with_lists(
            config, {"r.txt": "numpy\nsix\n", "p.json": '{"dependencies": {"zod": "3"}}'}.__getitem__
        )
        assert config.dependencies["python"] == ("six", "numpy", "six")
        assert config.place("python", "numpy") == "r.txt:1"
        assert config.place("python", "six") == "d.toml:2"
        assert config.place("node", "zod@3") == "p.json:1"
        assert config.declaration("python-custom") == "d.toml:2"
        assert config.declaration("node-custom") == "d.toml:4"
        assert config.place("node", "zod") is None

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            ('deno_file = "deno.json"', "dependencies.deno_file: no file is read for deno"),
            ("python_file = 1", "dependencies.python_file: expected a string, found an integer; write python_"),
            ("node_file = []", "dependencies.node_file: expected a string, found an array; write node_file ="),
            ('python_file = ""', "dependencies.python_file: '' is not the name of a file"),
            ('pyton_file = ""', "dependencies.pyton_file: not a runtime"),
        ],
    )  # fmt: skip
    def test_keys(self, line: str, said: str) -> None:
        """What can't be meant is told like any other key."""
        with pytest.raises(ConfigError) as caught:
            parse_config(f"[dependencies]\n{line}\n", "d.toml")
        assert str(caught.value).startswith(f"d.toml:2: {said}")

    def test_named_images(self) -> None:
        """Each has a file of its own, with packages beside those of deps.toml; who extends it has another."""
        text = (
            '[dependencies]\npython_file = "r.txt"\n[images.ml]\nruntime = "python"\npython_file = "ml.txt"\n'
            'packages = ["pandas"]\nbuild = ["gcc"]\n[images.more]\nextends = "ml"\npython_file = "more.txt"\n'
            '[images.web]\nextends = "node"\nnode_file = "p.json"\n'
        )
        files = {
            "r.txt": "a",
            "ml.txt": "numpy\n",
            "more.txt": "six",
            "p.json": '{"dependencies": {"zod": "3"}}',
        }
        config = with_lists(parse_config(text, "d.toml"), files.__getitem__)
        assert config.dependencies["python"] == ("a",)
        assert {name: image.packages for name, image in config.images.items()} == {
            "ml": ("pandas", "numpy"),
            "more": ("six",),
            "web": ("zod@3",),
        }
        assert config.place_of("ml", "packages", "numpy") == "ml.txt:1"
        assert config.place_of("ml", "packages", "pandas") == "d.toml:6"
        assert config.place_of("web", "packages", "zod@3") == "p.json:1"
        assert config.place_of("ml", "build", "gcc") == "d.toml:7"

    @pytest.mark.parametrize(
        ("image", "said"),
        [
            ('runtime = "node"\npython_file = "r"', "python_file: its runtime is node; write node_file"),
            ('extends = "bash"\npython_file = "r"', "python_file: its runtime is bash; write packages ="),
            ('runtime = "bun"\nbun_file = 1', "bun_file: expected a string, found an integer; write bun_file ="),
            ('runtime = "bun"\nbun_file = ""', "bun_file: '' is not the name of a file"),
            ('runtime = "python"\npython_file = "r"', "python_file: r lists no packages: neither packages nor sy"),
            (
                'extends = "base"\nbuild = ["gcc"]\npython_file = "r"',
                "python_file: r lists no packages, and nothing else is compiled with `build`; remove one of both",
            ),
        ],
    )  # fmt: skip
    def test_named_images_refused(self, image: str, said: str) -> None:
        """A file for another runtime, none at all, or one without packages where the image needs some."""
        text = f'[images.x]\n{image}\n[images.base]\nruntime = "python"\nsystem = ["jq"]\n'
        with pytest.raises(ConfigError) as caught:
            with_lists(parse_config(text, "d.toml"), {"r": "# none\n"}.__getitem__)
        (line,) = str(caught.value).splitlines()
        place, _, what = line.partition(": images.x.")
        assert (place, what.startswith(said)) == (f"d.toml:{2 + image.count(chr(10))}", True), line

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (
                '{"lockfileVersion": 3, "packages": {}}',
                "a lock file, which is not read; name the package.json beside",
            ),
            (
                '{"imports": {"zod": "npm:zod"}}',
                "a deno.json, which is not read; list its packages under [dep",
            ),
            ('{"default": {"numpy": {}}}', "a Pipfile.lock, which is not read; write requirements.txt with"),
        ],
    )
    def test_other_objects(self, text: str, said: str) -> None:
        """Files of JSON that are no package.json are named, not taken for an empty one."""
        (line,) = refusal("node", text)
        assert line.startswith(f"package.json: {said}")

    def test_imports_of_a_package(self) -> None:
        """They are of Node.js's kind, in a package.json that needs nothing."""
        assert not loaded("node", {"p": '{"imports": {"#x": "./x.js"}}'}, "p").packages

    def test_a_named_image_of_an_empty_file(self) -> None:
        """It may have something else, or add nothing to another named image."""
        x = '[images.x]\nruntime = "python"\nsystem = ["jq"]\npython_file = "r"\n'
        text = f'{x}[images.y]\nextends = "x"\npython_file = "r"\n'
        config = with_lists(parse_config(text, "d.toml"), {"r": ""}.__getitem__)
        assert [image.packages for image in config.images.values()] == [(), ()]

    def test_missing_file(self) -> None:
        """It is told where it is named; what is wrong in one, by its own lines."""
        ml = '[images.ml]\nruntime = "python"\npython_file = "r.txt"\n'
        config = parse_config(f'[dependencies]\npython_file = "r.txt"\nnode_file = "p.json"\n{ml}', "d.toml")

        def load(path: str) -> str:
            if path == "r.txt":
                raise NoListError("not found; correct the name")
            return '{"workspaces": ["a"]}'

        with pytest.raises(ConfigError) as caught:
            with_lists(config, load)
        first, second, third = str(caught.value).splitlines()
        assert third == "d.toml:6: images.ml.python_file: r.txt: not found; correct the name"
        assert first == "d.toml:2: dependencies.python_file: r.txt: not found; correct the name"
        assert second.startswith("p.json:1: workspaces ")


@pytest.mark.parametrize(
    ("runtime", "word", "path"),
    [
        ("python", "@requirements.txt", "requirements.txt"),
        ("python", "@r/dev.txt", "r/dev.txt"),
        ("node", "@package.json", "package.json"),
        ("bun", "@web/package.json", "web/package.json"),
        ("node", "@./other.json", "./other.json"),
        ("node", "@types/node", ""),
        ("node", "@scope/pkg@^1", ""),
        ("bash", "@jq", ""),
        ("deno", "@std/path", ""),
        ("python", "numpy", ""),
    ],
)
def test_which_words_are_files(runtime: str, word: str, path: str) -> None:
    """A scope of npm's is none."""
    assert file_of(runtime, word) == path
