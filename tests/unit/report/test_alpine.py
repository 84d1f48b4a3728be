"""What to write for packages that Alpine needs to be told of."""

import pytest
from attrs import evolve

from isol8_tasks.config.deps import Config, parse_config
from isol8_tasks.dockerfile.syntax import parse
from isol8_tasks.errors import BuildFailedError
from isol8_tasks.freshness.answers import Lacking
from isol8_tasks.images.observed import Observed
from isol8_tasks.plan.graph import build_graph
from isol8_tasks.plan.model import ContextFile, FlagRequest, ImageSpec
from isol8_tasks.report.alpine import library_lines, not_installable, patterns, to_compile_with
from isol8_tasks.report.remedies import hint

DOCKERFILE = "".join(
    f"FROM alpine AS {name}\nRUN true\n" for name in ("python", "node", "bun", "deno", "bash")
)
TEXT = """\
[dependencies]
python = [
  "scikit-learn",
  "torch",
  "easyocr",
]
bash = ["curl"]
[system]
python = ["libpq"]
[images.ml]
runtime = "python"
packages = ["wordcloud"]
build = ["build-base"]
[images.api]
runtime = "node"
packages = ["addon"]
[images.tools]
runtime = "bash"
packages = ["jq"]
"""


def _spec(name: str, *flags: str) -> tuple[ImageSpec, Config]:
    config = parse_config(TEXT, "deps.toml")
    request = FlagRequest(packages=(("python", flags),) if flags else ())
    context = {"Dockerfile": ContextFile(digest="0" * 64)}
    graph = build_graph(config, parse(DOCKERFILE), context, Observed(repository="isol8"), request)
    return graph.image(name), config


def _lacking(name: str, why: str, asker: str = "", alpine: str = "") -> Lacking:
    return Lacking(name=name, version="1.0", why=why, asker=asker or name, alpine=alpine)  # type: ignore[arg-type]


class TestNotInstallable:
    """The error before a long build."""

    def test_each_with_its_line_and_what_to_do(self) -> None:
        """All of them at once; what there is already is kept in the line to write."""
        spec, config = _spec("python-custom", "pycairo")
        found = (
            _lacking("torch", "glibc", "easyocr"),
            _lacking("pycairo", "source"),
            _lacking("scikit-learn", "source", alpine="py3-scikit-learn"),
        )
        torch = "torch 1.0 (needed by easyocr, deps.toml:5) is not available for musl"
        assert str(not_installable(found, spec, config)).splitlines() == [
            "3 packages can't be installed on Alpine (musl); nothing was built",
            "pycairo 1.0 (from --python) has no wheel for musl, and the image can't compile its source",
            "scikit-learn 1.0 (deps.toml:3) has no wheel for musl: Alpine has it as py3-scikit-learn",
            f"{torch}: it has wheels for glibc only, and no source",
            'Take Alpine\'s: [system] python = ["libpq", "py3-scikit-learn"] in deps.toml.',
            'Compile in a stage of its own: [build] python = ["build-base", "python3-dev"] in deps.toml.',
            "Remove easyocr, or run it elsewhere than on Alpine.",
        ]

    def test_named_image(self) -> None:
        """The line to write is one of its own table."""
        spec, config = _spec("ml")
        lines = str(not_installable((_lacking("wordcloud", "python"),), spec, config)).splitlines()
        assert lines == [
            "1 package can't be installed on Alpine (musl); nothing was built",
            "wordcloud 1.0 (deps.toml:12) has no wheel for this Python on musl, and no source",
            "Remove wordcloud, or run it elsewhere than on Alpine.",
        ]
        assert (
            to_compile_with(spec, config) == '[images.ml] build = ["build-base", "python3-dev"] in deps.toml'
        )

    def test_what_is_not_certain(self) -> None:
        """It is named beside what is certain, and not counted."""
        spec, config = _spec("python-custom")
        found = (_lacking("scikit-learn", "source"), _lacking("torch", "undecided"))
        assert str(not_installable(found, spec, config)).splitlines() == [
            "1 package can't be installed on Alpine (musl); nothing was built",
            "scikit-learn 1.0 (deps.toml:3) has no wheel for musl, and the image can't compile its source",
            "torch 1.0 (deps.toml:4) has no wheel for musl, and may have to be compiled",
            'Compile in a stage of its own: [build] python = ["build-base", "python3-dev"] in deps.toml.',
        ]

    def test_an_older_version_with_a_wheel(self) -> None:
        """It is named as deps.toml has it."""
        spec, config = _spec("ml")
        found = evolve(_lacking("wordcloud", "source"), older="0.9")
        line = str(not_installable((found,), spec, config)).splitlines()[1]
        assert line.endswith("and the image can't compile its source; wordcloud==0.9 has one")

    @pytest.mark.parametrize(
        ("output", "more"),
        [
            (
                "The 'linux/input.h' and 'linux/input-event-codes.h' include files\nare missing.",
                ["linux-headers"],
            ),
            ('/bin/sh: pkg-config: not found\nUnable to run "sdl-config".', ["pkgconf", "sdl2-dev"]),
            ("fatal error: openssl/ssl.h: No such file or directory", ["openssl-dev"]),
            ("error: command 'gcc' failed", []),
        ],
    )
    def test_headers(self, output: str, more: list[str]) -> None:
        """What the output says is missing besides a compiler is in the line to write."""
        spec, config = _spec("ml")
        words = ", ".join(f'"{each}"' for each in ("build-base", "python3-dev", *more))
        assert to_compile_with(spec, config, output) == f"[images.ml] build = [{words}] in deps.toml"

    def test_of_npm(self) -> None:
        """Node-gyp needs other packages."""
        spec, config = _spec("api")
        assert to_compile_with(spec, config) == '[images.api] build = ["build-base", "python3"] in deps.toml'


@pytest.mark.parametrize(
    ("name", "output", "said"),
    [
        (
            "python-custom",
            "error: command 'gcc' failed",
            (
                "There is no wheel for Alpine (musl), and the image has nothing to compile the source with. "
                'Compile it in a stage of its own: [build] python = ["build-base", "python3-dev"] in deps.toml.\n'
                "Check [dependencies] python in deps.toml:3 and [system] python in deps.toml:9."
            ),
        ),
        (
            "api",
            "npm error gyp ERR! stack Error: Could not find any Python installation to use",
            (
                "It has to be compiled (node-gyp). "
                'Compile it in a stage of its own: [images.api] build = ["build-base", "python3"] in deps.toml.\n'
                "Check [images.api] in deps.toml:14."
            ),
        ),
        ("api", "npm error the package says no", "Check [images.api] in deps.toml:14."),
    ],
)
def test_hint(name: str, output: str, said: str) -> None:
    """A build that lacked a compiler names the line to write; any other does not speak of compilers."""
    spec, config = _spec(name)
    error = BuildFailedError("it could not be built", step="RUN x", output=(output,))
    assert hint(error, spec, config, standin=False, room="") == said


@pytest.mark.parametrize(
    ("library", "first", "among"),
    [
        ("libpq.so.5", "so:libpq.so.5", "so:libpq.so.*"),
        ("libsndfile.so", "so:libsndfile.so.*", "so:libsndfile.so.*"),
        ("libgobject-2.0.so.0", "so:libgobject-2.0.so.0", "so:libgobject[-.]*so.*"),
        ("libMagickWand.so", "so:libMagickWand.so.*", "so:libMagickWand[-.]*so.*"),
    ],
)
def test_patterns(library: str, first: str, among: str) -> None:
    """The exact name comes first, and other versions behind it."""
    assert patterns(library)[0] == first
    assert among in patterns(library)


class TestLibraryLines:
    """Which package has a library, and what to write."""

    def test_one_package_for_two_names(self) -> None:
        """A library that is looked for by several names is said once."""
        spec, config = _spec("ml")
        found = {"so:libcairo.so.*": "cairo"}
        assert library_lines(("libcairo.so.2", "libcairo.so"), found, spec, config) == (
            'libcairo.so.2 is in Alpine\'s cairo. Write [images.ml] system = ["cairo"] in deps.toml.',
        )

    def test_image_of_bash(self) -> None:
        """There it is a package like the others."""
        found = {"so:libz.so.1": "zlib"}
        for name, line in (
            ("bash-custom", '[dependencies] bash = ["curl", "zlib"]'),
            ("tools", '[images.tools] packages = ["jq", "zlib"]'),
        ):
            spec, config = _spec(name)
            assert library_lines(("libz.so.1",), found, spec, config) == (
                f"libz.so.1 is in Alpine's zlib. Write {line} in deps.toml.",
            )

    def test_no_package_has_it(self) -> None:
        """Another repository may."""
        spec, config = _spec("ml")
        (line,) = library_lines(("libnone.so.1",), {}, spec, config)
        assert line.startswith(
            "No package of the image's repositories has libnone.so.1; name one that has, in APK_"
        )

    def test_a_well_known_library(self) -> None:
        """Alpine's package is named, whether the lab's own repository has it or not."""
        spec, config = _spec("ml")
        (line,) = library_lines(("libpq.so.5",), {}, spec, config)
        assert "libpq.so.5, and Alpine's own have it in libpq; name one that has, in APK_REPOSITORY" in line
        assert line.endswith('and write [images.ml] system = ["libpq"] in deps.toml.')
