"""The command verify: verifies the images in use, and changes nothing."""

import json
from collections.abc import Callable

import pytest

from isol8_tasks.ecosystems.findings import PackageMissing
from isol8_tasks.plan.model import ImageSpec
from isol8_tasks.verify.findings import CommandExit, Finding
from isol8_tasks.verify.verifications import Verifications
from isol8_tasks.verify.verifier import Verdict
from tests.command_line import DIGEST, JQ, MUSL, CommandLine
from tests.fake_engine import FakeImage

LOST = PackageMissing(package="jq")


@pytest.fixture
def find(built: CommandLine) -> Callable[..., None]:
    """Give what sets which checks fail, as they would run in a container."""

    def find(**findings: tuple[Finding, ...]) -> None:
        def verdict(_verifications: Verifications, spec: ImageSpec, _image: str) -> Verdict:
            found = findings.get(spec.name.replace("-", "_"), ())
            return Verdict(findings=found, release="3.21", packages=(JQ, MUSL))

        built.patch.setattr(Verifications, "verdict", verdict)

    return find


def test_images_that_pass_are_ok(built: CommandLine, find: Callable[..., None]) -> None:
    """All of them by default, or those that are named."""
    find()
    done = built("verify")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[0] == "isol8:python        ok      2 packages"
    assert len(done.out.splitlines()) == 6
    assert built("verify", "bun").out == "isol8:bun           ok      2 packages\n"
    assert built("verify", "b?n").out == built("verify", "bun").out


def test_image_that_fails_is_1(built: CommandLine, find: Callable[..., None]) -> None:
    """With its findings; the others are verified all the same, and nothing is removed."""
    find(bash_custom=(LOST,))
    before = built.tags()
    done = built("verify", "bash-custom", "bun")
    assert done.code == 1
    first, finding, last = done.out.splitlines()
    assert first == "isol8:bash-custom   failed"
    assert finding.startswith("  jq")
    assert last == "isol8:bun           ok      2 packages"
    assert built.tags() == before


def test_json_has_the_findings_of_each_image(built: CommandLine, find: Callable[..., None]) -> None:
    """With the same exit code."""
    find(bash_custom=(LOST,))
    done = built("verify", "--json", "bun", "bash-custom")
    assert done.code == 1
    bun, custom = json.loads(done.out)["images"]
    assert bun == {"image": "isol8:bun", "findings": [], "notes": []}
    assert custom["image"] == "isol8:bash-custom"
    assert len(custom["findings"]) == 1


def test_image_with_others_layers_fails(built: CommandLine, find: Callable[..., None]) -> None:
    """It carries our labels, and something else made it."""
    find()
    image = built.open().view.observed.public("bun")
    assert image is not None
    built.engine.put("isol8:bun", FakeImage(id=DIGEST, labels=image.labels, layers=("sha256:other",)))
    done = built("verify", "bun")
    assert done.code == 1
    assert done.out.startswith("isol8:bun           failed\n  ")


def test_what_a_check_printed_is_shown_below_its_finding(
    built: CommandLine, find: Callable[..., None]
) -> None:
    """Not in JSON, where the findings are a line each."""
    find(bun=(CommandExit(command=("bun", "x"), exit=1, expected=0, output="a\nb"),))
    done = built("verify", "bun")
    assert done.code == 1
    first, finding, *more = done.out.splitlines()
    assert first == "isol8:bun           failed"
    assert "bun x" in finding
    assert more == ["      a", "      b"]
    assert len(json.loads(built("verify", "bun", "--json").out)["images"][0]["findings"]) == 1
