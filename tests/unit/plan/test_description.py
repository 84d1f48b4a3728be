"""What the labels of a build are to say, by what the engine holds of its parent and of upstream images."""

from collections.abc import Mapping

from attrs import evolve

from isol8_tasks.images.labels import RUNTIME, STANDIN, STANDIN_ARG, read_record
from isol8_tasks.images.observed import Observed, ObservedImage
from isol8_tasks.plan.description import Description, Provenance, describe
from isol8_tasks.plan.model import ImageSpec, Inputs

PROVENANCE = Provenance(checkout="here", revision="c0ffee", created="2026-11-22T10:00:00Z")
DIGEST = "sha256:" + "1" * 64
BASE = ImageSpec(
    name="bash",
    task="base:bash",
    kind="base",
    runtime="bash",
    parent=None,
    inputs=Inputs(recipe=1, runtime="bash", upstream=(("alpine:3.21", None), ("extra:1", None))),
    dockerfile="FROM alpine:3.21 AS bash\n",
    target="bash",
    upstream="alpine:3.21",
)
CUSTOM = evolve(
    BASE,
    name="bash-custom",
    task="custom:bash",
    kind="custom",
    parent="bash",
    inputs=Inputs(recipe=1, runtime="bash", packages=("jq",)),
    upstream="",
)
ALPINE = ObservedImage(
    id="sha256:" + "a" * 64,
    tags=("alpine:3.21",),
    digests=(f"alpine@{DIGEST}",),
    labels={STANDIN: "5e", f"{STANDIN_ARG}MIRROR": "https://mirror.example"},
)


def described(spec: ImageSpec, *images: ObservedImage) -> Description:
    return describe(spec, Observed(repository="isol8", images=images), PROVENANCE)


def bash(labels: Mapping[str, str], *tags: str) -> ObservedImage:
    return ObservedImage(id="sha256:" + "b" * 64, tags=("isol8:bash", *tags), labels=labels)


def test_base_tells_of_the_upstream_images_that_are_here() -> None:
    """Its digest, the stand-in and what that asks for; one that is not here counts as such, and needs no tag."""
    found = described(BASE, ALPINE)
    record = found.record
    assert (record.upstream, record.upstream_digest) == ("alpine:3.21", DIGEST)
    assert (record.standin, record.standin_args) == ("5e", (("MIRROR", "https://mirror.example"),))
    assert '["alpine:3.21","111111111111.aaaaaaaaaaaa"],["extra:1",""]' in record.inputs
    assert found.built_on == {"alpine:3.21": ALPINE.id}
    assert found.annotations["org.opencontainers.image.base.digest"] == DIGEST


def test_child_tells_what_its_parent_does() -> None:
    """Of the upstream image and a stand-in; the arguments that labels hand down are the base's alone."""
    parent = described(BASE, ALPINE)
    image = bash({**ALPINE.labels, **parent.promoted("")}, "isol8_build:bash")
    found = described(CUSTOM, image)
    record = found.record
    assert record.parent == parent.record.build
    assert (record.upstream, record.upstream_digest, record.standin) == ("alpine:3.21", DIGEST, "5e")
    assert record.standin_args == ()
    assert found.built_on == {"isol8:bash": image.id}
    assert found.annotations["org.opencontainers.image.base.name"] == "isol8:bash"
    assert not found.annotations["org.opencontainers.image.base.digest"]


def test_child_of_an_image_that_is_not_ours_knows_no_upstream_image() -> None:
    """Whoever has the parent's tag: its labels are no record of ours, and still are hidden from clients."""
    found = described(CUSTOM, bash({RUNTIME: "bash"}))
    assert (found.record.parent, found.record.upstream) == ("", "")
    assert found.hidden == {RUNTIME: "bash (not in use)"}
    assert found.candidate()["org.isol8.dependencies"] == "jq"


def test_candidate_becomes_current_with_its_inventory() -> None:
    """Clients find none by a candidate's labels, and the image in use by its own."""
    found = described(CUSTOM, bash({}))
    candidate, promoted = read_record(found.candidate()), read_record(found.promoted("3.21"))
    assert candidate == evolve(found.record, role="candidate")
    assert promoted == evolve(found.record, inventory="3.21")
    assert RUNTIME not in found.candidate()
    assert found.promoted("3.21")[RUNTIME] == "bash"
