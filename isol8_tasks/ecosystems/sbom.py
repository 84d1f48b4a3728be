"""A software bill of materials for an image: CycloneDX 1.6 as JSON, the same bytes for the same image."""

import datetime as dt
import re
import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from attrs import frozen

from isol8_tasks.ecosystems.inventory import Package

if TYPE_CHECKING:
    from cyclonedx.model.component import Component
    from packageurl import PackageURL


@frozen(kw_only=True)
class Bill:
    """An image, and what is in it."""

    reference: str
    """The tag: `isol8:bun`."""
    image_id: str
    """`sha256:…`."""
    created: str
    """ISO 8601, UTC."""
    release: str
    """Alpine's."""
    packages: tuple[Package, ...]


def render_sbom(bill: Bill, *, tool_version: str) -> str:
    """Return the bill as a CycloneDX document, whose serial number is made of the image's id."""
    # Here, since the library takes longer to import than a run with nothing to do may.
    from cyclonedx.model.bom import Bom  # noqa: PLC0415
    from cyclonedx.model.component import Component, ComponentType  # noqa: PLC0415
    from cyclonedx.model.dependency import Dependency  # noqa: PLC0415
    from cyclonedx.output.json import JsonV1Dot6  # noqa: PLC0415
    from packageurl import PackageURL  # noqa: PLC0415

    repository, _, tag = bill.reference.rpartition(":")
    image = Component(
        name=repository,
        version=tag,
        type=ComponentType.CONTAINER,
        bom_ref=bill.reference,
        purl=PackageURL("oci", None, repository.rpartition("/")[2].lower(), bill.image_id, {"tag": tag}),
    )
    parts = list(_components(bill))
    document = Bom(
        components=parts,
        dependencies=[
            Dependency(image.bom_ref, [Dependency(part.bom_ref) for part in parts]),
            *(Dependency(part.bom_ref) for part in parts),
        ],
        serial_number=uuid.uuid5(_NAMESPACE, f"{bill.image_id} {bill.reference}"),
    )
    document.metadata.component = image
    document.metadata.timestamp = _moment(bill.created)
    document.metadata.tools.components.add(
        Component(name="isol8-tasks", version=tool_version, type=ComponentType.APPLICATION)
    )
    return JsonV1Dot6(document).output_as_string(indent=2) + "\n"


def purl(package: Package, *, release: str) -> "PackageURL":
    """Return the package's URL (github.com/package-url/purl-spec); `release` is that of Alpine."""
    from packageurl import PackageURL  # noqa: PLC0415 - as above

    name, version = package.name, package.version
    match package.ecosystem:
        case "apk":
            return PackageURL(
                "apk", "alpine", name, version, {"distro": f"alpine-{release}"} if release else None
            )
        case "npm":
            scope, _, own = name.rpartition("/")
            return PackageURL("npm", scope or None, own, version)
        case "deno" if "://" in name:
            parts = urlsplit(name)
            file = parts.path.rstrip("/").rpartition("/")[2] or parts.netloc
            return PackageURL("generic", None, file, None, {"download_url": name})
        case "deno":
            # JSR's packages have no type of their own.
            scope, _, own = name.rpartition("/")
            return PackageURL("generic", scope or None, own, version)
        case kind:
            return PackageURL(kind, None, name, version)


def _components(bill: Bill) -> Iterable["Component"]:
    from cyclonedx.model.component import Component, ComponentType  # noqa: PLC0415 - as above

    if bill.release:
        yield Component(
            name="alpine", version=bill.release, type=ComponentType.OPERATING_SYSTEM, bom_ref="alpine"
        )
    for package in sorted(set(bill.packages)):
        where = purl(package, release=bill.release)
        yield Component(
            name=package.name,
            version=package.version or None,
            type=ComponentType.APPLICATION if package.ecosystem == "generic" else ComponentType.LIBRARY,
            purl=where,
            bom_ref=where.to_string(),
        )


def _moment(text: str) -> dt.datetime:
    """Read an engine's time, which may have more digits than a second has microseconds."""
    return dt.datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text)).astimezone(dt.UTC)


_NAMESPACE: Final = uuid.UUID("5d1c0c1e-52d6-5b7e-9d7a-6a1d3f0f4c55")
"""Of this project's own, so that an image's number is nobody else's."""
