"""What a builder says before its first step, in the words of its cause."""

import pytest
from attrs import evolve

from isol8_tasks.config.deps import Config
from isol8_tasks.dockerfile.syntax import parse
from isol8_tasks.engine.builders.progress import build_failed
from isol8_tasks.errors import BuildFailedError, Isol8Error
from isol8_tasks.plan.model import ImageSpec, Inputs
from isol8_tasks.report.remedies import cause_of, clearer, hint, lacking_lines, with_cause_only

TAG = "isol8_build:bash-20261129T000000Z-0123456789abcdef-candidate"
LLB = "failed to create LLB definition"
BASE = ImageSpec(
    name="bash",
    task="base:bash",
    kind="base",
    runtime="bash",
    parent=None,
    inputs=Inputs(recipe=1, runtime="bash"),
    dockerfile="FROM a",
    target="bash",
)
CUSTOM = ImageSpec(
    name="bash-custom",
    task="custom:bash",
    kind="custom",
    runtime="bash",
    parent="bash",
    inputs=Inputs(recipe=1, runtime="bash"),
    dockerfile="FROM isol8:bash",
    target=None,
)


def _clearer(message: str, *, text: str = "FROM a", spec: ImageSpec = BASE, step: str = "") -> Isol8Error:
    return clearer(build_failed(TAG, message, step=step), spec, parse(text))


class TestOfPlan:
    """What the builder refuses when it makes its plan."""

    @pytest.mark.parametrize(
        ("message", "said"),
        [
            (f"{LLB}: Invalid port: abc", "docker/Dockerfile: the builder refuses it: Invalid port: abc"),
            (
                f"failed to solve with frontend dockerfile.v0: {LLB}: dockerfile parse error line 14: Unknown flag: a",
                "docker/Dockerfile:14: the builder refuses it: Unknown flag: a",
            ),
            (
                "failed to solve: dockerfile parse error on line 3: no",
                "docker/Dockerfile:3: the builder refuses it: no",
            ),
        ],
    )  # fmt: skip
    def test_names_the_file(self, message: str, said: str) -> None:
        """The file is named, and the line where the builder tells it, not the private tag; nothing was built."""
        error = _clearer(message)
        assert (str(error), error.exit_code) == (said, 3)

    @pytest.mark.parametrize(
        ("message", "spec", "step"),
        [
            (f"{LLB}: a: dial tcp: lookup a: no such host", BASE, ""),
            (f"{LLB}: Invalid containerPort: abc", CUSTOM, ""),
            ("exit code: 1", BASE, "[1/1] RUN a"),
            ("no space left on device", BASE, ""),
        ],
    )
    def test_the_rest_stays(self, message: str, spec: ImageSpec, step: str) -> None:
        """Trouble with the network, steps that fail and images of packages are told as they were."""
        assert str(_clearer(message, spec=spec, step=step)).startswith(f"{TAG} could not be built: ")


class TestFrontend:
    """What the # syntax line names can't be pulled."""

    @pytest.mark.parametrize(
        "reason",
        [
            'failed to do request: Head "https://registry.test/v2/docker/dockerfile/manifests/9.99": no such host',
            "registry.test/docker/dockerfile:9.99: not found",
        ],
    )
    def test_names_the_line(self, reason: str) -> None:
        """The line and the image are named, and what to do."""
        error = _clearer(reason, text="# escape=`\n# syntax=registry.test/docker/dockerfile:9.99\nFROM a")
        assert str(error) == (
            "docker/Dockerfile:2: registry.test/docker/dockerfile:9.99, which the # syntax line names, can't be pulled"
            f": {reason}\nRemove the line, or name an image in it that can be pulled."
        )
        assert error.exit_code == 4

    def test_another_fault(self) -> None:
        """What has nothing to do with it is not blamed on it."""
        error = _clearer("no space left on device", text="# syntax=docker/dockerfile:1\nFROM a")
        assert str(error) == f"{TAG} could not be built: no space left on device"


def test_what_an_index_does_not_have_is_named() -> None:
    """Not by npm's first line, which has a code alone."""
    output = (
        "npm error code E404",
        "npm error 404 Not Found - GET https://npm.example/@nosuch%2fx",
        "npm error 404  The requested resource '@nosuch/x@*' could not be found.",
    )
    told = with_cause_only(BuildFailedError("it failed", output=output))
    assert isinstance(told, BuildFailedError)
    assert told.output == output[1:]


def test_what_npm_does_not_name_is_named() -> None:
    """Npm stops at the first; where that is all, it has said it."""
    output = ("npm error 404  The requested resource 'nope@*' could not be found.",)
    assert lacking_lines(["fs", "nope"], output) == (
        "The registry does not have fs, nope.",
        "fs comes with Node.js and Bun; there is nothing to install, remove it.",
    )
    assert lacking_lines(["nope"], output) == ()


def _hint(output: str, *, standin: bool = True) -> list[str]:
    error = BuildFailedError("it failed", step="apk add", output=tuple(output.splitlines()))
    return hint(error, CUSTOM, Config(), standin=standin, room="").splitlines()


def test_a_name_that_no_repository_has_is_not_looked_for_in_another() -> None:
    """What it is called in Alpine is said; the rest may be in another repository."""
    output = "ERROR: unable to select packages:\n  {} (no such package):\n    required by: world[{}]"
    meant, *_ = _hint(output.format("libssl-dev", "libssl-dev"))
    assert meant == 'Alpine has openssl-dev for libssl-dev: write "openssl-dev".'
    both = _hint(f"{output}\n  jqq (no such package):".format("libssl-dev", "libssl-dev"))
    assert both[0] == meant
    assert both[1].startswith("The stand-ins' own repository is small and has no jqq;")
    unknown = _hint(output.format("jqq", "jqq"), standin=False)[0]
    assert unknown.startswith("The repositories have no jqq: check the name")


def test_a_build_that_downloads_is_not_blamed_on_the_package_source() -> None:
    """The package is named whose own script does it."""
    output = (
        "npm error path /usr/lib/node_modules/browser\nnpm error command sh -c node install.js\n"
        "npm error Error: getaddrinfo ENOTFOUND files.example"
    )
    (said,) = _hint(output)
    assert said == (
        "The name files.example can't be resolved. The installation of browser downloads from there itself, and not "
        "from a package source: let the build reach it, or take a package that brings its files."
    )


def test_programs_of_another_platform() -> None:
    """The Dockerfile is not to blame where the builder's machine can't run what is in the upstream image."""
    output = ("exec /bin/sh: exec format error",)
    error = BuildFailedError("x could not be built: exit code 255", step="[1/2] RUN apk add", output=output)
    arm = evolve(BASE, inputs=evolve(BASE.inputs, platform="linux/arm64"))
    said = hint(error, arm, Config(), standin=False, room="")
    assert said.startswith(
        "The builder can't run programs for linux/arm64. Install Debian's qemu-user-static "
    )
    assert "Dockerfile" in hint(error, BASE, Config(), standin=False, room="")


def test_cause_on_one_line_says_what_it_is_about() -> None:
    """Where a tool says that on the line below, as apk does."""
    output = (
        "ERROR: unable to select packages:",
        "  nunpy (no such package):",
        "    required by: world[nunpy]",
    )
    failed = BuildFailedError("failed", step="[2/2] RUN apk add nunpy", output=output)
    assert cause_of(failed) == "ERROR: unable to select packages: nunpy (no such package):"
    assert cause_of(BuildFailedError("failed", output=("ERROR: full:",))) == "ERROR: full:"
