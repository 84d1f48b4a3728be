"""The command why: which images contain a package, and who asked for it."""

import json

import pytest

from isol8_tasks.ecosystems.inventory import Package, encode
from isol8_tasks.ecosystems.updates import PackageNews, Update
from isol8_tasks.errors import SourceUnavailableError
from isol8_tasks.plan.model import ImageSpec
from isol8_tasks.report.containing import PART_OF
from tests.command_line import ALPINE, CommandLine, Ended

DEPS = """\
[dependencies]
bash = ["jq"]
python = ["Typing.Extensions>=4"]
[system]
python = ["graphviz"]
[images.web]
extends = "python"
packages = ["requests"]
[images.web-tests]
extends = "web"
packages = ["idna==3.10"]
"""


def inventory(spec: ImageSpec, _image: str) -> str:
    """Find in every image what a real one of that name would have."""
    found = [Package(ecosystem="apk", name="musl", version="1.2.5-r9")]
    if spec.name in {"bash-custom", "python-custom"}:
        name = "jq" if spec.runtime == "bash" else "graphviz"
        found.append(Package(ecosystem="apk", name=name, version="1-r0"))
    if spec.name == "python-custom":
        found.append(Package(ecosystem="pypi", name="typing_extensions", version="4.12"))
    if spec.name == "bash":
        found += [
            Package(ecosystem="apk", name=name, version="3.5.8-r0") for name in ("libcrypto3", "libssl3")
        ]
    if spec.name.startswith("web"):
        version = "3.10" if spec.name == "web-tests" else "3.20"
        found += [
            Package(ecosystem="pypi", name="requests", version="2.32"),
            Package(ecosystem="pypi", name="idna", version=version),
            Package(ecosystem="pypi", name="urllib3", version="2.5"),
        ]
    return encode(ALPINE, found)


@pytest.fixture
def declared(cli: CommandLine) -> CommandLine:
    """Give a checkout with images of several kinds, built."""
    cli.declare(DEPS.replace('extends = "python"', 'runtime = "python"'))
    cli.check = inventory
    cli.build()
    return cli


@pytest.mark.parametrize(
    ("word", "lines"),
    [
        ("jq", ["isol8:bash-custom  apk jq 1-r0  jq is declared in deps.toml:2"]),
        (
            "typing-extensions",
            [
                "isol8:python-custom  pypi typing_extensions 4.12  Typing.Extensions>=4 is declared in deps.toml:3"
            ],
        ),
        ("graphviz", ["isol8:python-custom  apk graphviz 1-r0  graphviz is declared in deps.toml:5"]),
        (
            "idna",
            [
                "isol8:web        pypi idna 3.20  not declared: needed by requests",
                "isol8:web-tests  pypi idna 3.10  idna==3.10 is declared in deps.toml:11",
            ],
        ),
        (
            "URLLIB3",
            [
                "isol8:web        pypi urllib3 2.5  not declared: needed by requests",
                "isol8:web-tests  pypi urllib3 2.5  from its parent isol8:web",
            ],
        ),
    ],
)
def test_each_image_is_a_line_with_who_asked_for_it(
    declared: CommandLine, word: str, lines: list[str]
) -> None:
    """A line of deps.toml, the parent, or what needs it."""
    assert declared("why", word) == Ended(0, "\n".join([*lines, ""]), "")


def test_package_of_a_base_image(declared: CommandLine) -> None:
    """Is installed by its Dockerfile, or came with the upstream image."""
    lines = declared("why", "musl").out.splitlines()
    assert len(lines) == 9
    assert lines[3] == (
        "isol8:deno           apk musl 1.2.5-r9  of the base image: docker/Dockerfile, or denoland/deno:alpine"
    )


def test_package_that_a_flag_gave(declared: CommandLine) -> None:
    """With the day on which it did."""
    declared.check = lambda _spec, _image: encode(
        ALPINE, [Package(ecosystem="npm", name="@a/b", version="1.0.0")]
    )
    assert declared("setup", "--node", "@a/b@^1").code == 0
    found = json.loads(declared("why", "@a/b", "--json").out)["images"]
    (entry,) = [each for each in found if each["image"] == "isol8:node-custom"]
    assert entry["why"].startswith("@a/b@^1 was given by --node on 20")
    assert (entry["ecosystem"], entry["version"], entry["newer"]) == ("npm", "1.0.0", [])


def test_parts_of_a_package_are_found_by_its_name(declared: CommandLine) -> None:
    """As the page finds them."""
    lines = declared("why", "openssl").out.splitlines()
    assert [line.split("  ")[:2] for line in lines] == [
        ["isol8:bash", "apk libcrypto3 3.5.8-r0"],
        ["isol8:bash", "apk libssl3 3.5.8-r0"],
    ]
    assert declared("page", "--offline").code == 0
    page = (declared.folder / "isol8-images.html").read_text("utf-8")
    assert f'"parts":{json.dumps(PART_OF, separators=(",", ":"))}' in page


def test_newer_versions_are_asked_for(declared: CommandLine) -> None:
    """What a refresh would bring, and what is too new for it; a source that does not answer is told."""
    update = Update(ecosystem="pypi", name="requests", old="2.32", new="2.33")
    young = Update(ecosystem="pypi", name="requests", old="2.33", new="2.34")
    declared.news["web"] = PackageNews(updates=(update,), young=(young,))
    declared.news["web-tests"] = SourceUnavailableError("the index does not answer")
    lines = declared("why", "requests", "--newer").out.splitlines()
    assert lines[0] == (
        "isol8:web        pypi requests 2.32  requests is declared in deps.toml:8; newer: 2.33; too new: 2.34"
    )
    assert lines[1].startswith(
        "isol8:web-tests  pypi requests 2.32  from its parent isol8:web; newer versions are undetermined: "
    )


def test_package_that_no_image_contains_is_1(declared: CommandLine) -> None:
    """And as JSON an empty list."""
    said = "no image in use contains numpy; ./doitw inventory lists what is in them\n"
    assert declared("why", "numpy") == Ended(1, said, "")
    assert json.loads(declared("why", "numpy", "--json").out) == {"images": []}


@pytest.mark.parametrize(
    ("word", "name"), [("idna==3.10", "idna"), ("idna>=3,<4", "idna"), ("graphviz=1-r0", "graphviz")]
)
def test_version_counts_for_nothing(declared: CommandLine, word: str, name: str) -> None:
    """A line says so; which one is in an image stands there."""
    done = declared("why", word)
    assert (done.code, done.out) == (0, declared("why", name).out)
    assert done.err == f"note: {name} in any version, not only {word}\n"
    said = "no image in use contains numpy; ./doitw inventory lists what is in them\n"
    assert declared("why", "numpy==2.3.1") == Ended(1, said, "")


@pytest.mark.parametrize(
    ("word", "what"),
    [
        ("isol8:web", "an image; ./doitw inventory web lists its packages"),
        ("custom:bash", "an image; ./doitw inventory bash-custom lists its packages"),
        ("other:bun", "not the name of a package"),
        ("alpine:3.21", "not the name of a package"),
        ("a b", "not the name of a package"),
    ],
)
def test_word_that_names_no_package_is_3(declared: CommandLine, word: str, what: str) -> None:
    """The line says what it is, and what to write."""
    said = f"ERROR: why: {word!r} is {what}; expected one, for example: ./doitw why numpy\n"
    assert declared("why", word) == Ended(3, "", said)


@pytest.mark.parametrize("words", [(), ("a", "b")])
def test_one_name_is_expected(declared: CommandLine, words: tuple[str, ...]) -> None:
    """The line has an example."""
    said = "ERROR: why: expected the name of one package, for example: ./doitw why numpy\n"
    assert declared("why", *words) == Ended(3, "", said)


def test_without_an_engine_it_is_4(dead: CommandLine) -> None:
    """As nobody knows what is in the images."""
    assert dead("why", "musl").code == 4
