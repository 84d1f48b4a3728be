"""Bills of materials, checked against CycloneDX's own schema."""

import json
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from isol8_tasks.ecosystems.inventory import Package
from isol8_tasks.ecosystems.sbom import Bill, purl, render_sbom

PACKAGES = (
    Package(ecosystem="apk", name="curl", version="8.22.0-r0"),
    Package(ecosystem="deno", name="https://other.example/lib/mod.ts?v=1", version=""),
    Package(ecosystem="generic", name="deno", version="2.9.6"),
    Package(ecosystem="npm", name="@types/node", version="26.6.6"),
    Package(ecosystem="pypi", name="numpy", version="2.5.5"),
)
BILL = Bill(
    reference="isol8:python-custom",
    image_id="sha256:" + "a" * 64,
    created="2026-11-23T01:39:17.123456789Z",
    release="3.21.0",
    packages=PACKAGES,
)


def _read(bill: Bill) -> Any:  # noqa: ANN401 - JSON
    return json.loads(render_sbom(bill, tool_version="0.1.0"))


@pytest.mark.parametrize("packages", [PACKAGES, (), PACKAGES[:1] * 2], ids=["all kinds", "none", "one twice"])
def test_a_bill_is_valid(packages: tuple[Package, ...]) -> None:
    """CycloneDX's strict schema of version 1.6 accepts it."""
    text = render_sbom(Bill(**{**_fields(), "packages": packages}), tool_version="0.1.0")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert json.loads(text)["specVersion"] == "1.6"


def _fields() -> dict[str, Any]:
    return {name: getattr(BILL, name) for name in ("reference", "image_id", "created", "release", "packages")}


def test_the_same_image_gives_the_same_bytes() -> None:
    """Nothing in it comes from a clock or from chance, nor from the order of the packages."""
    other = Bill(**{**_fields(), "packages": PACKAGES[::-1]})
    assert render_sbom(BILL, tool_version="0.1.0") == render_sbom(other, tool_version="0.1.0")


def test_another_image_has_another_number() -> None:
    """The serial number tells bills apart, as CycloneDX asks for."""
    other = Bill(**{**_fields(), "image_id": "sha256:" + "b" * 64})
    assert _read(BILL)["serialNumber"] != _read(other)["serialNumber"]


def test_what_a_bill_says() -> None:
    """It names the image and its time, Alpine's release, and every package with its URL."""
    bill = _read(BILL)
    assert bill["metadata"]["timestamp"] == "2026-11-23T01:39:17.123456+00:00"
    assert bill["metadata"]["component"]["bom-ref"] == "isol8:python-custom"
    named = {(part["name"], part.get("version")) for part in bill["components"]}
    assert named == {("alpine", "3.21.0"), *((each.name, each.version or None) for each in PACKAGES)}
    assert all("purl" in part for part in bill["components"] if part["name"] != "alpine")


@pytest.mark.parametrize(
    ("ecosystem", "name", "version", "expected"),
    [
        ("apk", "libstdc++", "14.2.0-r0", "pkg:apk/alpine/libstdc%2b%2b@14.2.0-r0?distro=alpine-3.21.0"),
        ("pypi", "typing-extensions", "4.1", "pkg:pypi/typing-extensions@4.1"),
        ("npm", "@types/node", "1.0.0", "pkg:npm/%40types/node@1.0.0"),
        ("npm", "lodash", "4.17.21", "pkg:npm/lodash@4.17.21"),
        ("generic", "bun", "1.4.5", "pkg:generic/bun@1.4.5"),
        ("deno", "@std/path", "1.1.0", "pkg:generic/%40std/path@1.1.0"),
        (
            "deno",
            "https://a.example/x/mod.ts?v=1",
            "",
            "pkg:generic/mod.ts?download_url=https://a.example/x/mod.ts%3Fv%3D1",
        ),
        ("deno", "https://a.example", "", "pkg:generic/a.example?download_url=https://a.example"),
    ],
)
def test_purls(ecosystem: str, name: str, version: str, expected: str) -> None:
    """A package's URL is written as the specification of its type says."""
    package = Package(ecosystem=ecosystem, name=name, version=version)
    assert purl(package, release="3.21.0").to_string() == expected
