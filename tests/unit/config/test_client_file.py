"""isol8.config.json: what it asks for, where, how it joins deps.toml, and what is said of mistakes in it."""

import json
import random

import pytest

from isol8_tasks.config.client_file import parse_client_file
from isol8_tasks.config.deps import Config, parse_config
from isol8_tasks.config.positions import KeyPath, line_in_json
from isol8_tasks.errors import ConfigError
from isol8_tasks.report import plan as report

TEXT = """\
\ufeff{
  "$schema": "./schema/isol8.config.schema.json",
  "defaults": { "a\\/b": [[], {}, "\\ud83d\\ude00"], "network": "none" },
  "dependencies"
    : {
    "python": ["numpy",
      "pandas>=2"],
    "ruby": 3, "node": null
  },
  "prebuiltImages": [
    { "tag": "isol8:ml", "runtime": "python",
      "installPackages": ["scipy"], "note": {} },
    { "tag": "my-ml:latest", "runtime": "python", "installPackages": ["--not-ours"] },
    { "tag": "isol8:devbox", "runtime": "agent", "installPackages": ["git"] },
    { "tag": "isol8:ml", "runtime": "node", "setupScript": "true" },
    { "tag": "isol8:ready", "runtime": "bash", "setupScript": "true", "installPackages": null }
  ]
}
"""

MISTAKES = {
    "no object": ("[]", "f.json: expected an object, found an array"),
    "no JSON": (
        '{\n  "a": 1, // no\n}',
        "f.json:2:11: not JSON: JSON has no comments; remove it",
    ),
    "no number": ('{"x": NaN}', "f.json: can't be read as JSON: JSON has no NaN"),
    "no end": ('{"x": [-Infinity]}', "f.json: can't be read as JSON: JSON has no -Infinity"),
    "dependencies": (
        '{"dependencies": 3}',
        "f.json:1: dependencies: expected an object, found an integer",
    ),
    "images": (
        '{"prebuiltImages": {"a": 1}}',
        "f.json:1: prebuiltImages: expected an array of objects, found an object",
    ),
    "packages": (
        '{"dependencies": {"python": "numpy",\n"bun": [null, "--pre"]}}',
        """\
f.json:1: dependencies.python: expected an array of strings, found a string; write "python": ["…", "…"]
f.json:2: dependencies.bun[0]: expected a string, found null; write "…"
f.json:2: dependencies.bun[1]: '--pre': an option, not a package; npm and bun accept name, name@range, name@tag and \
name@npm:other, for example @scope/pkg@^1.2""",
    ),
    "entries": (
        """{"prebuiltImages": [3, {},
{"tag": "isol8:ml", "runtime": "rubi"},
{"tag": "isol8:a", "runtime": "bash", "installPackages": ["--root=/"], "setupScript": 4}]}""",
        """\
f.json:1: prebuiltImages[0]: expected an object, found an integer
f.json:1: prebuiltImages[1]: runtime is missing
f.json:1: prebuiltImages[1]: tag is missing
f.json:2: prebuiltImages[2].runtime: 'rubi' is not a runtime (allowed: python, node, bun, deno, bash)
f.json:3: prebuiltImages[3].installPackages[0]: '--root=/': an option, not a package; apk accepts name, name=version, \
name>=version, name~version and name@tag, for example jq=1.7.1-r0
f.json:3: prebuiltImages[3].setupScript: expected a string, found an integer""",
    ),
}


def joined(deps: str, text: str = TEXT, source: str = "isol8.config.json") -> Config:
    return parse_config(deps, "deps.toml", client_file=parse_client_file(text, source))


class TestReading:
    """What is taken of the file."""

    def test_both_generations_of_keys(self) -> None:
        """Packages and images are read, the first of two with one tag; other keys and nulls are passed over."""
        found = parse_client_file(TEXT, "isol8.config.json")
        assert found.dependencies["python"] == {"numpy": 0, "pandas>=2": 1}
        assert not any(found.dependencies[name] for name in ("node", "bun", "deno", "bash"))
        assert found.images == {
            "ml": {"runtime": "python", "packages": ["scipy"]},
            "ready": {"runtime": "bash", "setup": "true"},
        }
        assert found.others == (
            "isol8.config.json:13: 'my-ml:latest' is not built here: it does not begin with isol8:",
            "isol8.config.json:14: 'isol8:devbox' is not built here: the runtime agent is not supported",
        )

    @pytest.mark.parametrize(
        ("tag", "reason"),
        [
            (
                "isol8:bash",
                "the name of a base image; choose another, or write its packages under [dependencies] bash",
            ),
            (
                "isol8:python-custom",
                "the name of a custom image; write its packages under [dependencies] python in deps.toml",
            ),
            (
                "isol8:ml-previous",
                "a reserved name (names that contain -custom or -held, …",
            ),
            (
                "isol8:a-custom-b",
                "a reserved name (names that contain -custom or -held, …",
            ),
            (
                "isol8:" + "a" * 119,
                "not a name for an image, as it becomes a tag (letters, digits, _ . and -, …",
            ),
            ("isol8:fine", "it has neither installPackages nor setupScript; use isol8:bash"),
        ],
    )
    def test_what_only_isol8_builds(self, tag: str, reason: str) -> None:
        """It stops nothing, whatever its packages are: it is told where it stands, why, and what to do."""
        entry = {
            "tag": tag,
            "runtime": "bash",
            "installPackages": [] if tag == "isol8:fine" else ["--root=/"],
        }
        ml = {"tag": "isol8:ml", "runtime": "bash", "installPackages": ["jq"]}
        text = json.dumps({"prebuiltImages": [entry, ml]}, indent=1)
        config = joined("", text)
        assert [*config.images] == ["ml"]
        asked, told = report.added_lines(config)
        assert asked == "isol8.config.json:10 declares isol8:ml" or tag == "isol8:fine"
        begin = f"isol8.config.json:3: '{tag}' is not built here: {reason.removesuffix('…')}"
        assert told.startswith(begin)
        assert told == begin or reason.endswith("…")

    def test_what_asks_for_nothing(self) -> None:
        """A file about other things changes nothing."""
        for text in (
            "{}",
            '{"dependencies": null, "prebuiltImages": []}',
            '{"network": {"whitelist": ["a"]}}',
        ):
            assert joined("", text) == Config()

    def test_line_ends_of_windows(self) -> None:
        """A script has those that bash takes; a return by itself and half a character are told of, with their place."""
        entry = {"tag": "isol8:a", "runtime": "bash", "setupScript": "one\r\ntwo\r\n"}
        assert joined("", json.dumps({"prebuiltImages": [entry]})).images["a"].setup == "one\ntwo\n"
        entry["setupScript"] = "\ud83d"
        with pytest.raises(
            ConfigError, match=r"setupScript: a control character \('\\ud83d' at character 1\), which"
        ):
            joined("", json.dumps({"prebuiltImages": [entry]}))
        entry["setupScript"] = "one\r\ntwo\r\nthree\r"
        with pytest.raises(
            ConfigError, match=r"setupScript: a control character \('\\r' at character 16\), which"
        ):
            joined("", json.dumps({"prebuiltImages": [entry]}))

    @pytest.mark.parametrize(("text", "problems"), MISTAKES.values(), ids=MISTAKES)
    def test_mistakes(self, text: str, problems: str) -> None:
        """Every problem has a line of its own, with file, line and key."""
        with pytest.raises(ConfigError) as caught:
            parse_client_file(text, "f.json")
        assert str(caught.value) == problems
        assert caught.value.exit_code == 3


class TestJoining:
    """deps.toml and the file together."""

    def test_both_contribute(self) -> None:
        """Packages are added behind those of deps.toml, images beside them; deps.toml may extend these."""
        config = joined(
            '[dependencies]\npython = ["requests"]\n[images.top]\nextends = "ml"\npackages = ["six"]\n'
        )
        assert config.dependencies["python"] == ("requests", "numpy", "pandas>=2")
        assert {name: (each.parent, each.packages, each.setup) for name, each in config.images.items()} == {
            "ml": ("python", ("scipy",), ""),
            "top": ("ml", ("six",), ""),
            "ready": ("bash", (), "true"),
        }
        assert config.place("python", "requests") == "deps.toml:2"
        assert config.place("python", "pandas>=2") == "isol8.config.json:7"
        assert config.declaration("python-custom") == "deps.toml:2"
        assert config.declaration("top") == "deps.toml:3"
        assert config.declaration("ready") == "isol8.config.json:16"

    def test_deps_toml_goes_first(self) -> None:
        """A package that it has, in whichever version, and a name that it has given are its own."""
        config = joined(
            '[dependencies]\npython = ["Pandas<2"]\n[images.ml]\nruntime = "node"\npackages = ["lodash"]\n'
        )
        assert config.dependencies["python"] == ("Pandas<2", "numpy")
        assert config.images["ml"].packages == ("lodash",)
        assert config.declaration("ml") == "deps.toml:3"

    def test_an_image_of_the_same_name_is_told_of(self) -> None:
        """Unless it is the same image."""
        other = '\n[images.ml]\nextends = "python"\npackages = ["six"]\n'
        line = (
            "isol8.config.json:11: isol8:ml is ignored: deps.toml:2 declares an image of that name and takes "
            "precedence"
        )
        assert report.added_lines(joined(other))[-1] == line
        assert report.added_lines(joined(other.replace("six", "scipy"))) == (
            "isol8.config.json:6 adds numpy, pandas>=2 to isol8:python-custom",
            "isol8.config.json:16 declares isol8:ready",
            *parse_client_file(TEXT, "isol8.config.json").others,
        )

    def test_the_file_alone(self) -> None:
        """An empty list in deps.toml asks for nothing, so the other file is named."""
        config = joined("[dependencies]\npython = []\n")
        assert config.declaration("python-custom") == "isol8.config.json:6"
        assert config.declaration("node-custom") is None
        assert config.declaration("ml") == "isol8.config.json:11"

    def test_checks_may_be_about_its_images(self) -> None:
        """A name that only the file gives is no stranger in [verify]."""
        assert "ready" in joined('[verify.ready]\ncommand = ["true"]\n').verify.checks

    def test_mistakes_in_deps_toml_keep_their_lines(self) -> None:
        """What the other file adds moves no line and adds no problem."""
        with pytest.raises(ConfigError) as caught:
            joined('[dependencies]\npython = ["numpy", 3]\n[images.top]\nextends = "mll"\n')
        first, second = str(caught.value).splitlines()
        assert first == 'deps.toml:2: dependencies.python[1]: expected a string, found an integer; write "…"'
        assert second.startswith("deps.toml:4: images.top.extends: 'mll' is neither a runtime nor an image")


class TestReport:
    """What plan says of it."""

    def test_what_is_added_and_where(self) -> None:
        """Only what deps.toml lacks is told, and of a file in the home folder how to leave it out."""
        config = joined(
            '[dependencies]\npython = ["numpy"]\n[images.ml]\nruntime = "bash"\npackages = ["jq"]\n',
            source="~/.isol8/config.json",
        )
        assert report.added_lines(config)[:3] == (
            "~/.isol8/config.json:6 adds pandas>=2 to isol8:python-custom",
            "~/.isol8/config.json:16 declares isol8:ready",
            "set ISOL8_CONFIG= to ignore ~/.isol8/config.json; ./doitw import copies it into deps.toml",
        )
        assert report.added_lines(joined("")) == (
            "isol8.config.json:6 adds numpy, pandas>=2 to isol8:python-custom",
            "isol8.config.json:11 declares isol8:ml",
            "isol8.config.json:16 declares isol8:ready",
            "isol8.config.json:13: 'my-ml:latest' is not built here: it does not begin with isol8:",
            "isol8.config.json:14: 'isol8:devbox' is not built here: the runtime agent is not supported",
        )
        assert report.added_lines(Config()) == ()


class TestLines:
    """Where something stands in a JSON text."""

    def test_the_last_of_two_keys(self) -> None:
        """It is the one that JSON takes."""
        text = '{"a": [1],\n"a": [2,\n3]}'
        assert [line_in_json(text, path) for path in (("a",), ("a", 0), ("a", 1), ("b",))] == [2, 2, 3, None]

    def test_any_json(self) -> None:
        """Written with one thing a line, everything is on its line."""
        chance = random.Random(7)  # noqa: S311 - no secret

        def some(depth: int) -> object:
            kind = chance.randrange(6 if depth else 4)
            if kind == 4:
                return [some(depth - 1) for _ in range(chance.randrange(4))]
            if kind == 5:
                return {f'k"{n}\\/': some(depth - 1) for n in range(chance.randrange(4))}
            return ['a,]}:"#\n\U0001f600', -1.5e3, None, True][kind]

        def paths(value: object, path: KeyPath) -> list[KeyPath]:
            inner = (
                value.items()
                if isinstance(value, dict)
                else enumerate(value)
                if isinstance(value, list)
                else ()
            )
            return [each for key, below in inner for each in ((*path, key), *paths(below, (*path, key)))]

        for _ in range(200):
            value = [some(5)]
            text = json.dumps(value, indent=1)
            found = [line_in_json(text, path) for path in paths(value, ())]
            lines = [number for number, line in enumerate(text.splitlines(), 1) if line.strip(" ],}")]
            assert found == lines[1:]
