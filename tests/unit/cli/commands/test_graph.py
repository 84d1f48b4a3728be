"""The command graph: the tree, its parts and its other forms, and README's picture."""

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.command_line import CommandLine, Ended
from tests.fake_engine import UNREACHABLE

ROOT = Path(__file__).parents[4]
NAMED = """\
[dependencies]
bash = ["jq"]
[images.web]
runtime = "python"
packages = ["attrs"]
[images.web-tests]
extends = "web"
packages = ["idna"]
"""


@pytest.fixture
def declared(built: CommandLine) -> CommandLine:
    """Give a checkout with named images that are not built, and a custom image that is stale."""
    built.declare(NAMED.replace('"jq"', '"jq", "zip"'))
    return built


class TestTree:
    """What it prints for people."""

    def test_each_image_is_below_its_parent_with_state_and_reason(self, declared: CommandLine) -> None:
        """An upstream image has neither."""
        done = declared("graph")
        assert (done.code, done.err) == (0, "")
        assert done.out.splitlines() == [
            "alpine:3.21",
            "├─ isol8:python           up to date",
            "│  └─ isol8:web           not built   declared in deps.toml:3, never built",
            "│     └─ isol8:web-tests  not built   declared in deps.toml:6, never built",
            "├─ isol8:node             up to date",
            "├─ isol8:bun              up to date",
            "└─ isol8:bash             up to date",
            "   └─ isol8:bash-custom   stale       + zip",
            "denoland/deno:alpine",
            "└─ isol8:deno             up to date",
        ]

    @pytest.mark.parametrize("word", ["web", "isol8:web", "image:web"])
    def test_name_selects_what_it_is_based_on_and_what_is_based_on_it(
        self, declared: CommandLine, word: str
    ) -> None:
        """By its name, its tag or its task."""
        assert declared("graph", word).out.splitlines() == [
            "alpine:3.21",
            "└─ isol8:python           up to date",
            "   └─ isol8:web           not built   declared in deps.toml:3, never built",
            "      └─ isol8:web-tests  not built   declared in deps.toml:6, never built",
        ]

    def test_upstream_image_selects_all_on_it(self, declared: CommandLine) -> None:
        """And several names all that each selects."""
        assert declared("graph", "denoland/deno:alpine").out.splitlines() == [
            "denoland/deno:alpine",
            "└─ isol8:deno  up to date",
        ]
        assert len(declared("graph", "deno", "bash").out.splitlines()) == 5

    def test_image_that_only_copies_is_selected_with_what_it_copies(self, built: CommandLine) -> None:
        """It is below the one that it is based on alone."""
        dockerfile = built.folder / "docker" / "Dockerfile"
        dockerfile.write_text(dockerfile.read_text() + "COPY --from=denoland/deno:alpine /deno /deno\n")
        found = json.loads(built("graph", "denoland/deno:alpine", "--json").out)
        assert [each["image"] for each in found["images"]] == [
            "isol8:deno",
            "isol8:bash",
            "isol8:bash-custom",
        ]
        assert found["images"][1]["copies"] == ["denoland/deno:alpine"]
        assert "\n    i1 -.-> i6\n" in built("graph", "--mermaid").out
        assert '\n    "denoland/deno:alpine" -> "isol8:bash" [style=dotted];\n' in built("graph", "--dot").out

    def test_undeclared_image_is_below_its_parent(self, built: CommandLine) -> None:
        """As clients still prefer it; by itself where the labels name no image of the graph."""
        built.declare("")
        lines = built("graph", "bash").out.splitlines()
        assert lines == [
            "alpine:3.21",
            "└─ isol8:bash            up to date",
            "   └─ isol8:bash-custom  undeclared",
        ]

    def test_image_on_nothing_is_below_scratch(self, built: CommandLine) -> None:
        """As its Dockerfile writes it."""
        dockerfile = built.folder / "docker" / "Dockerfile"
        dockerfile.write_text(dockerfile.read_text().replace("FROM base AS bash", "FROM scratch AS bash"))
        assert "\nscratch\n└─ isol8:bash " in built("graph").out

    def test_missing_deps_toml_is_a_warning(self, built: CommandLine) -> None:
        """Of the tree; the other forms are for programs."""
        (built.folder / "deps.toml").unlink()
        assert "\nwarning: deps.toml is missing, " in built("graph").out
        assert "warning" not in built("graph", "--dot").out


class TestForms:
    """--mermaid, --dot and --json."""

    def test_mermaid(self, declared: CommandLine) -> None:
        """A class for each state but up to date."""
        assert declared("graph", "web-tests", "--mermaid").out.splitlines() == [
            "flowchart LR",
            '    i0(["alpine:3.21"])',
            '    i1["isol8:python"]',
            '    i2["isol8:web"]',
            '    i3["isol8:web-tests"]',
            "    i0 --> i1",
            "    i1 --> i2",
            "    i2 --> i3",
            "    classDef not-built fill:#fff3cd,stroke:#b58900,color:#000",
            "    class i2,i3 not-built",
        ]

    def test_dot(self, declared: CommandLine) -> None:
        """Reasons are tooltips."""
        assert declared("graph", "bash-custom", "--dot").out.splitlines() == [
            "digraph isol8 {",
            "    rankdir=LR;",
            "    node [shape=box];",
            '    "alpine:3.21" [shape=ellipse];',
            '    "isol8:bash" [tooltip="up-to-date"];',
            '    "isol8:bash-custom" [style=filled, fillcolor="#fff3cd", color="#b58900", tooltip="stale; + zip"];',
            '    "alpine:3.21" -> "isol8:bash";',
            '    "isol8:bash" -> "isol8:bash-custom";',
            "}",
        ]

    def test_json(self, declared: CommandLine) -> None:
        """States as in the plan."""
        found = json.loads(declared("graph", "--json").out)
        assert found["upstream"] == ["alpine:3.21", "denoland/deno:alpine"]
        assert [each["image"] for each in found["images"]][-3:] == [
            "isol8:bash-custom",
            "isol8:web",
            "isol8:web-tests",
        ]
        assert found["images"][5] == {
            "image": "isol8:bash-custom",
            "kind": "custom",
            "task": "custom:bash",
            "parent": "isol8:bash",
            "copies": [],
            "state": "stale",
            "reasons": ["+ zip"],
        }

    def test_two_forms_are_refused(self, declared: CommandLine) -> None:
        """Nobody knows which is meant."""
        said = "ERROR: graph: --mermaid and --dot are two forms; omit one of both\n"
        assert declared("graph", "--dot", "--mermaid") == Ended(3, "", said)


class TestMistakes:
    """Names that are none, and engines that do not answer."""

    def test_unknown_name_is_refused(self, declared: CommandLine) -> None:
        """With what may have been meant."""
        said = (
            "ERROR: wbe: no such image (did you mean web? there are alpine:3.21, bash, bash-custom, bun, deno, "
            "denoland/deno:alpine, node, python, web, web-tests)\n"
        )
        assert declared("graph", "wbe") == Ended(3, "", said)

    def test_without_an_engine_the_graph_is_printed_and_it_is_4(self, dead: CommandLine) -> None:
        """As far as it is known: deps.toml and the Dockerfile say what is based on what."""
        done = dead("graph", "bash-custom")
        assert (done.code, done.err) == (4, f"ERROR: {UNREACHABLE}\n")
        assert done.out.splitlines() == [
            "alpine:3.21",
            "└─ isol8:bash            undetermined",
            "   └─ isol8:bash-custom  undetermined",
        ]
        found = json.loads(dead("graph", "--json").out)
        assert found["error"] == UNREACHABLE
        assert {each["state"] for each in found["images"]} == {"undetermined"}

    def test_wrong_deps_toml_is_told_and_nothing_printed(self, built: CommandLine) -> None:
        """As by every command."""
        built.declare("[dependencies]\npython = 3\n")
        done = built("graph")
        assert (done.code, done.out) == (3, "")
        assert done.err.startswith("ERROR: deps.toml:2: ")


def test_picture_of_readme_is_what_it_prints(dead: CommandLine) -> None:
    """Of the deps.toml that README shows, with the Dockerfile that comes with it; without the colours of states."""
    readme = (ROOT / "README.md").read_text()
    picture, deps = (
        re.search(rf"```{kind}\n(.*?)```", readme, re.DOTALL)[1]  # type: ignore[index]
        for kind in ("mermaid", "toml")
    )
    shutil.copytree(ROOT / "docker", dead.folder / "docker", dirs_exist_ok=True)
    dead.declare(deps)
    lines = dead("graph", "--mermaid").out.splitlines()
    assert [line for line in lines if not line.startswith("    class")] == picture.splitlines()
