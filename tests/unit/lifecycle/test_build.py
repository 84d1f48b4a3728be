"""One image: build under a private tag, check, promote; and nothing lost on the way."""

import json
from typing import Any

import pytest
from attrs import evolve

from isol8_tasks.engine import BuildEvent, BuildRequest, FileContent, OnEvent
from isol8_tasks.errors import (
    BuildFailedError,
    EngineError,
    NotRunnableError,
    ReplacedError,
    VerifyFailedError,
)
from isol8_tasks.images import labels
from isol8_tasks.lifecycle.build import Outcome, build_image, relabel_image
from isol8_tasks.plan.description import Provenance
from isol8_tasks.plan.fingerprint import encode_inputs, key
from isol8_tasks.plan.model import ImageSpec, Inputs
from isol8_tasks.verify.verifications import Verify
from tests.fake_engine import FakeEngine, FakeImage, accept, plain
from tests.unit.lifecycle.made import observe

PROVENANCE = Provenance(checkout="here", revision="c0ffee", created="2026-11-22T10:00:00Z")
BASE = ImageSpec(
    upstream="alpine:3.21",
    name="bash",
    task="base:bash",
    kind="base",
    runtime="bash",
    parent=None,
    inputs=Inputs(recipe=1, runtime="bash", upstream=(("alpine:3.21", None),)),
    dockerfile='FROM alpine:3.21 AS bash\nONBUILD ARG INDEX\nCMD ["bash"]\n',
    target="bash",
)

SHOWN = ("org.isol8.runtime", "org.isol8.dependencies", "org.isol8.setup")
"""What isol8's list-custom prints."""


def custom(*packages: str, flags: tuple[tuple[str, str], ...] = ()) -> ImageSpec:
    return ImageSpec(
        name="bash-custom",
        task="custom:bash",
        kind="custom",
        runtime="bash",
        parent="bash",
        inputs=Inputs(recipe=1, runtime="bash", packages=packages),
        dockerfile="FROM isol8:bash\nRUN echo " + " ".join(packages) + "\n",
        target=None,
        flags=flags,
    )


def named(name: str, parent: str, *packages: str) -> ImageSpec:
    return ImageSpec(
        name=name,
        task=f"image:{name}",
        kind="named",
        runtime="bash",
        parent=parent,
        inputs=Inputs(recipe=1, runtime="bash", packages=packages, setup=f"echo {name}"),
        dockerfile=f"FROM isol8:{parent}\n",
        target=None,
    )


@pytest.fixture
def engine(fake_engine: FakeEngine) -> FakeEngine:
    """Give an engine with the upstream images pulled."""
    fake_engine.pull("alpine:3.21")
    return fake_engine


def make(engine: FakeEngine, spec: ImageSpec, check: Verify = accept) -> Outcome:
    return build_image(
        spec,
        observe(engine),
        engine,
        provenance=PROVENANCE,
        context={"Dockerfile": FileContent(data=b"")},
        on_event=lambda _event: None,
        verify=check,
    )


def tags(engine: FakeEngine) -> list[str]:
    return sorted(
        tag for image in engine.images() for tag in image.tags if not tag.startswith(("alpine", "denoland"))
    )


class TestPromotion:
    """The way to the public tag."""

    def test_a_first_build_has_the_public_tag_and_the_marker(self, engine: FakeEngine) -> None:
        """A new image ends under its public tag and its marker, and its candidate's tag is gone."""
        make(engine, BASE)
        assert tags(engine) == ["isol8:bash", "isol8_build:bash"]
        record = observe(engine).record("bash")
        assert record is not None
        assert (record.role, record.upstream, record.checkout) == ("current", "alpine:3.21", "here")

    @pytest.mark.parametrize(
        ("runtime", "packages", "more"),
        [
            ("deno", ("npm:express",), 'RUN find "$DENO_DIR" ! -type l -perm -0002 -exec chmod o-w {} +\n'),
            ("deno", (), ""),
            ("bash", ("jq",), ""),
        ],
        ids=["packages", "a script alone", "another runtime"],
    )
    def test_what_deno_leaves_open_is_closed(
        self,
        engine: FakeEngine,
        monkeypatch: pytest.MonkeyPatch,
        *,
        runtime: str,
        packages: tuple[str, ...],
        more: str,
    ) -> None:
        """The step behind the packages goes to the engine, and is not part of the Dockerfile of the image."""
        spec = named("x", "bash", *packages)
        spec = evolve(spec, runtime=runtime, inputs=evolve(spec.inputs, runtime=runtime))
        sent: list[str] = []
        build = FakeEngine.build

        def record(engine: FakeEngine, request: BuildRequest, on_event: OnEvent) -> str:
            sent.append(request.dockerfile)
            return build(engine, request, on_event)

        make(engine, evolve(BASE, dockerfile="FROM alpine:3.21 AS bash\n"))
        monkeypatch.setattr(FakeEngine, "build", record)
        make(engine, spec)
        assert sent[0] == spec.dockerfile + more

    def test_triggers_survive_the_promotion(self, engine: FakeEngine) -> None:
        """What a base says ONBUILD still stands in the promoted image."""
        make(engine, BASE)
        detail = engine.inspect("isol8:bash")
        assert detail is not None
        assert detail.onbuild == ("ARG INDEX",)

    def test_a_chain_hands_the_index_on(self, engine: FakeEngine) -> None:
        """Every image of a chain is built with the variables that its base hands to the first, and one layer each."""
        make(
            engine,
            evolve(BASE, dockerfile="FROM alpine:3.21 AS bash\nONBUILD ARG INDEX\nONBUILD LABEL x=y\n"),
        )
        for spec in (named("tools", "bash"), named("more", "tools"), named("most", "more")):
            make(engine, spec)
            detail = engine.inspect(f"isol8:{spec.name}")
            assert detail is not None
            assert detail.onbuild == ("ARG INDEX",)

    def test_a_named_image_shows_all_of_its_chain(self, engine: FakeEngine) -> None:
        """Clients and the record are told of inherited packages; there is the plain tag and the script's text."""
        make(engine, BASE)
        make(engine, named("tools", "bash"))
        child = evolve(named("more", "tools", "curl"), inherited=("jq",))
        make(engine, child)
        image, record = observe(engine).public("more"), observe(engine).record("more")
        assert image is not None
        assert record is not None
        assert image.tags == ("isol8:more", "isol8_build:more")
        assert image.labels["org.isol8.runtime"] == "bash"
        assert image.labels["org.isol8.dependencies"] == "curl,jq"
        assert image.labels["org.isol8.setup"] == "echo more"
        assert record.packages == ("curl", "jq")
        assert record.key == key(child.inputs)

    def test_the_candidate_shows_nothing_to_clients(self, engine: FakeEngine) -> None:
        """Until it is promoted an image carries no label that clients pick it by."""
        make(engine, BASE)
        make(engine, custom("jq"))
        candidate = engine.candidates()[-1]
        assert not [key for key in candidate.labels if key in SHOWN]
        assert candidate.labels["org.isol8.tasks.role"] == "candidate"

    def test_the_candidate_on_a_named_image_says_what_it_is(self, engine: FakeEngine) -> None:
        """What it inherits would be its parent's, and clients would pick it; an empty script ends the parent's."""
        make(engine, BASE)
        make(engine, named("tools", "bash"))
        child = evolve(named("more", "tools", "curl"), inherited=("jq",))
        child = evolve(child, inputs=evolve(child.inputs, setup=""))
        make(engine, child)
        candidate = engine.candidates()[-1]
        assert {key: value for key, value in candidate.labels.items() if key in SHOWN} == {
            "org.isol8.runtime": "bash (not in use)",
            "org.isol8.dependencies": "curl,jq",
            "org.isol8.setup": "",
        }

    def test_no_label_for_clients_is_empty(self, engine: FakeEngine) -> None:
        """isol8's list-custom prints every image with a runtime, whatever the value."""
        make(engine, BASE)
        make(engine, named("ready", "bash"))
        for package in ("jq", "curl"):
            make(engine, custom(package))
        listed = [image for image in engine.images() if "org.isol8.runtime" in image.labels]
        assert len(listed) == 3
        ours = (*SHOWN, labels.BUILD_HASH, labels.DEPENDENCY_HASH)
        assert not [key for image in listed for key in ours if image.labels.get(key) == ""]

    def test_a_custom_image_is_tagged_for_every_generation(self, engine: FakeEngine) -> None:
        """The plain tag, the tag with the hash of the packages, and the labels are all there."""
        make(engine, BASE)
        make(engine, custom("jq", "curl"))
        suffix = labels.client_tag_suffix("bash", ("curl", "jq"))
        image = observe(engine).public("bash-custom")
        assert image is not None
        assert image.tags == (
            "isol8:bash-custom",
            f"isol8:bash-custom-{suffix}",
            "isol8_build:bash-custom",
        )
        assert image.labels["org.isol8.dependencies"] == "curl,jq"

    def test_the_parents_build_is_recorded(self, engine: FakeEngine) -> None:
        """A custom image remembers which build of its base it is based on."""
        make(engine, BASE)
        make(engine, custom("jq"))
        observed = observe(engine)
        base, child = observed.record("bash"), observed.record("bash-custom")
        assert base is not None
        assert child is not None
        assert child.parent == base.build

    def test_the_old_image_stays_as_previous(self, engine: FakeEngine) -> None:
        """What had the tag is kept, hidden from clients, and its hash tag is gone."""
        make(engine, BASE)
        make(engine, custom("jq"))
        old = observe(engine).record("bash-custom")
        make(engine, custom("curl"))
        observed = observe(engine)
        previous = observed.public("bash-custom-previous")
        assert previous is not None
        assert old is not None
        assert previous.labels["org.isol8.tasks.build"] == old.build
        assert previous.labels["org.isol8.tasks.role"] == "previous"
        assert previous.labels["org.isol8.runtime"] == "bash (not in use)"
        assert previous.labels["org.isol8.dependencies"] == "jq"
        assert f"isol8:bash-custom-{labels.client_tag_suffix('bash', ('jq',))}" not in tags(engine)

    def test_nothing_without_a_tag_is_left(self, engine: FakeEngine) -> None:
        """However often an image is rebuilt, the engine holds the one in use and the one before."""
        for _ in range(3):
            make(engine, BASE)
        assert engine.ids() == {image.id for image in engine.images()}
        assert tags(engine) == ["isol8:bash", "isol8:bash-previous", "isol8_build:bash"]

    def test_annotations_say_where_it_comes_from(self, engine: FakeEngine) -> None:
        """OCI's annotations name time, revision and base."""
        make(engine, BASE)
        make(engine, custom("jq"))
        base, child = (observe(engine).public(name) for name in ("bash", "bash-custom"))
        assert base is not None
        assert child is not None
        assert base.labels["org.opencontainers.image.created"] == "2026-11-22T10:00:00Z"
        assert base.labels["org.opencontainers.image.revision"] == "c0ffee"
        assert base.labels["org.opencontainers.image.base.name"] == "alpine:3.21"
        assert child.labels["org.opencontainers.image.base.name"] == "isol8:bash"

    def test_packages_with_a_comma_are_left_out_of_the_label(self, engine: FakeEngine) -> None:
        """What the clients' comma-joined list can't hold is named in the outcome."""
        make(engine, BASE)
        spec = custom("a>=2,<3", "b")
        outcome = build_image(
            spec,
            observe(engine),
            engine,
            provenance=PROVENANCE,
            context={},
            on_event=lambda _event: None,
            verify=accept,
        )
        assert outcome.left_out == ("a>=2,<3",)
        assert outcome.labels["org.isol8.dependencies"] == "b"


class TestFailure:
    """What a failure leaves."""

    def test_a_failed_build_changes_nothing(self, engine: FakeEngine) -> None:
        """The image in use, its marker and its previous one are as they were."""
        make(engine, BASE)
        make(engine, custom("jq"))
        before = engine.images()
        engine.fail.add("isol8_build:bash-custom-candidate")
        with pytest.raises(BuildFailedError):
            make(engine, custom("curl"))
        assert engine.images() == before

    def test_the_previous_image_outlives_a_promotion_that_breaks_off(self, engine: FakeEngine) -> None:
        """The image before the one in use is still there when a promotion did not come to its end."""
        make(engine, BASE)
        make(engine, custom("jq"))
        make(engine, custom("curl"))
        before = observe(engine).public("bash-custom-previous")
        engine.fail.add("isol8_build:bash-custom")
        with pytest.raises(EngineError):
            make(engine, custom("unzip"))
        assert observe(engine).public("bash-custom-previous") == before

    def test_a_refused_check_keeps_the_old_image(self, engine: FakeEngine) -> None:
        """An image that does not pass its check takes no tag, and is kept for inspection: the newest alone."""
        make(engine, BASE)
        make(engine, custom("jq"))
        before = observe(engine).public("bash-custom")

        def refuse(spec: ImageSpec, image_id: str) -> str:
            image = next(each for each in engine.images() if each.id == image_id)
            assert [plain(tag) for tag in image.tags] == ["isol8_build:bash-custom-candidate"]
            raise VerifyFailedError(f"{spec.name} is not good")

        for package in ("curl", "htop"):
            with pytest.raises(VerifyFailedError, match="bash-custom is not good"):
                make(engine, custom(package), check=refuse)
        assert observe(engine).public("bash-custom") == before
        rejected = observe(engine).tagged("isol8:bash-custom-rejected")
        assert rejected is not None
        assert json.loads(rejected.labels["org.isol8.tasks.packages"]) == ["htop"]
        assert not [key for key in rejected.labels if key in SHOWN]
        assert not [tag for tag in tags(engine) if tag.endswith("-candidate")]
        assert [image.tags for image in engine.nameless()] == []

    def test_what_could_not_be_run_stays_a_candidate(self, engine: FakeEngine) -> None:
        """An engine that runs it verifies and promotes it later; or it is promoted as it is, and marked."""

        def refuse(_spec: ImageSpec, _image_id: str) -> str:
            raise NotRunnableError("it is for linux/arm64")

        arm = evolve(BASE, inputs=evolve(BASE.inputs, platform="linux/arm64"))
        with pytest.raises(NotRunnableError):
            make(engine, arm, check=refuse)
        assert [plain(tag) for tag in tags(engine) if tag.startswith("isol8")] == [
            "isol8_build:bash-candidate"
        ]
        outcome = make(engine, arm, check=lambda _spec, _candidate: "")
        assert outcome.notes == ("not verified: the engine can't run linux/arm64",)
        record = observe(engine).record("bash")
        assert record
        assert record.platform == "linux/arm64"
        assert make(engine, BASE, check=lambda _spec, _candidate: "").notes == ()

    def test_a_check_writes_down_what_it_found(self, engine: FakeEngine) -> None:
        """The inventory of a check is on the image that was promoted."""
        make(engine, BASE, check=lambda _spec, _candidate: "found")
        record = observe(engine).record("bash")
        assert record is not None
        assert record.inventory == "found"

    @pytest.mark.parametrize("failing", ["isol8:bash-custom-previous", "isol8_build:bash-custom"])
    def test_a_promotion_that_breaks_off_leaves_the_public_tag(
        self, engine: FakeEngine, failing: str
    ) -> None:
        """Until its last step a promotion leaves the old image under the public tag."""
        make(engine, BASE)
        make(engine, custom("jq"))
        before = observe(engine).public("bash-custom")
        engine.fail.add(failing)
        with pytest.raises(EngineError):
            make(engine, custom("curl"))
        after = observe(engine).public("bash-custom")
        assert before is not None
        assert after is not None
        assert after.id == before.id


class TestAnotherRun:
    """A run beside this one that sees no lock of it, and moves tags while this one builds."""

    def test_what_it_promoted_stays(self, engine: FakeEngine) -> None:
        """The slower of two builds takes no tag, leaves none, and says so."""
        make(engine, BASE)
        make(engine, custom("jq"))

        def overtaken(_spec: ImageSpec, _image_id: str) -> str:
            make(engine, custom("curl"))
            return ""

        with pytest.raises(ReplacedError) as caught:
            make(engine, custom("unzip"), check=overtaken)
        assert str(caught.value) == (
            "isol8:bash-custom was replaced by another run or by hand during this run, "
            "and is left untouched; run again"
        )
        record = observe(engine).record("bash-custom")
        assert record is not None
        assert record.packages == ("curl",)
        assert engine.ids() == {image.id for image in engine.images()}
        assert not [tag for tag in tags(engine) if tag.endswith("-candidate")]

    def test_it_took_the_tag_away(self, engine: FakeEngine) -> None:
        """An image that is gone is not brought back by a build that began before."""
        make(engine, BASE)

        def overtaken(_spec: ImageSpec, _image_id: str) -> str:
            engine.untag("isol8:bash")
            return ""

        with pytest.raises(ReplacedError, match=r"^isol8:bash was removed by another run"):
            make(engine, BASE, check=overtaken)

    @pytest.mark.parametrize("moved", ["isol8:bash-custom", "isol8_build:bash-custom"])
    def test_it_passed_at_the_same_moment(
        self, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, moved: str
    ) -> None:
        """Where both looked before either moved the tags, the one whose tags were taken says that it failed."""
        make(engine, BASE)
        tag = FakeEngine.tag

        def overtaken(engine: FakeEngine, source: str, target: str) -> None:
            tag(engine, source, target)
            if target == "isol8:bash-custom":
                tag(engine, "isol8:bash", moved)

        monkeypatch.setattr(FakeEngine, "tag", overtaken)
        with pytest.raises(ReplacedError, match=f"^{moved} was replaced"):
            make(engine, custom("jq"))

    @pytest.mark.parametrize("promoting", ["isol8:bash-custom", "isol8_build:bash-custom"])
    def test_tags_are_given_by_id(
        self, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, promoting: str
    ) -> None:
        """Whatever has the marker by then, the public tag goes to what this run verified."""
        make(engine, BASE)
        given: list[str] = []
        tag = FakeEngine.tag

        def record(engine: FakeEngine, source: str, target: str) -> None:
            if target == promoting:
                given.append(source)
            tag(engine, source, target)

        monkeypatch.setattr(FakeEngine, "tag", record)
        make(engine, custom("jq"))
        public = observe(engine).public("bash-custom")
        assert public is not None
        assert given == [public.id]

    @pytest.mark.parametrize("back", [False, True])
    def test_it_replaced_the_parent(
        self, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, *, back: bool
    ) -> None:
        """What was built on another image than its label names takes no tag, even if the tag is back by then."""
        make(engine, BASE)
        make(engine, evolve(BASE, dockerfile=BASE.dockerfile + "RUN echo other\n"))
        make(engine, custom("jq"))
        before = observe(engine).record("bash-custom")
        public, other = observe(engine).public("bash"), observe(engine).public("bash-previous")
        assert public is not None
        assert other is not None
        begin = FakeEngine._begin  # noqa: SLF001 - where a builder looks for what an image is built on

        def overtaken(engine: FakeEngine, *arguments: Any) -> tuple[FakeImage, str]:  # noqa: ANN401 - handed on
            engine.tag(other.id, "isol8:bash")
            found = begin(engine, *arguments)
            if back:
                engine.tag(public.id, "isol8:bash")
            return found

        monkeypatch.setattr(FakeEngine, "_begin", overtaken)
        with pytest.raises(ReplacedError) as caught:
            make(engine, custom("curl"))
        assert str(caught.value) == (
            "isol8:bash was replaced while isol8:bash-custom was being built on it; run again"
        )
        assert observe(engine).last_record("bash-custom") == before

    def test_an_upstream_image_moved(self, engine: FakeEngine) -> None:
        """A base records its upstream image, so that may not be another one by the end."""
        other = FakeImage(id="sha256:other", layers=("sha256:o",))

        def pulled(_event: BuildEvent) -> None:
            engine.put("alpine:3.21", other)

        with pytest.raises(
            ReplacedError, match=r"^alpine:3\.21 was replaced while isol8:bash was being built"
        ):
            build_image(
                evolve(BASE, dockerfile=BASE.dockerfile + "RUN echo x\n"),
                observe(engine),
                engine,
                provenance=PROVENANCE,
                context={},
                on_event=pulled,
                verify=accept,
            )
        assert tags(engine) == []

    def test_an_upstream_image_by_digest(self, engine: FakeEngine) -> None:
        """It has no tag that could move, so the list of images does not have it, and nothing is wrong with that."""
        reference = "alpine@sha256:" + "a" * 64
        engine.registry[reference] = FakeImage(id="sha256:a")
        inputs = evolve(BASE.inputs, upstream=((reference, None),))
        make(engine, evolve(BASE, inputs=inputs, dockerfile=f"FROM {reference} AS bash\nRUN echo x\n"))
        assert observe(engine).record("bash") is not None

    def test_it_replaced_what_is_to_be_relabelled(self, engine: FakeEngine) -> None:
        """Labels of one image never go to another."""
        make(engine, BASE)
        make(engine, custom("jq", flags=(("jq", "2026-01-01"),)))
        seen = observe(engine)
        make(engine, custom("curl"))
        with pytest.raises(ReplacedError, match=r"^isol8:bash-custom was replaced"):
            relabel_image(custom("jq"), seen, engine)
        record = observe(engine).record("bash-custom")
        assert record is not None
        assert record.packages == ("curl",)


class TestRelabel:
    """Changing what an image remembers."""

    def test_flags_are_forgotten_and_the_rest_stays(self, engine: FakeEngine) -> None:
        """Only the flags change, and every tag goes along."""
        make(engine, BASE)
        make(engine, custom("jq", flags=(("jq", "2026-01-01"),)))
        old = observe(engine).record("bash-custom")
        relabel_image(custom("jq"), observe(engine), engine)
        new = observe(engine).record("bash-custom")
        assert old is not None
        assert new is not None
        assert (old.flags, new.flags) == ((("jq", "2026-01-01"),), ())
        assert (new.build, new.key, new.packages) == (old.build, old.key, old.packages)
        image = observe(engine).public("bash-custom")
        assert image is not None
        assert len(image.tags) == 3

    def test_labels_of_the_first_schema(self, engine: FakeEngine) -> None:
        """Key and inputs are written as this version writes them; the build stays, and so what is based on it."""
        make(engine, BASE)
        new = observe(engine).record("bash")
        assert new is not None
        public = observe(engine).public("bash")
        assert public is not None
        first = evolve(new, schema=1, key="0" * 64, inputs=encode_inputs(evolve(BASE.inputs, upstream=())))
        seen = observe(engine)
        older = tuple(
            evolve(each, labels={**each.labels, **labels.write(first)})
            if each is seen.public("bash")
            else each
            for each in seen.images
        )
        alpine = seen.tagged("alpine:3.21")
        assert alpine is not None
        inputs = evolve(BASE.inputs, upstream=(("alpine:3.21", alpine.mark("alpine:3.21")),))
        relabel_image(evolve(BASE, inputs=inputs), evolve(seen, images=older), engine)
        again = observe(engine).record("bash")
        assert again is not None
        assert (again.schema, again.build) == (labels.LABELS_SCHEMA, new.build)
        assert (again.key, again.inputs) == (new.key, new.inputs)

    def test_a_base_for_another_client(self, engine: FakeEngine) -> None:
        """Its label is that of another release, and what was built on it still is built on it."""
        make(engine, evolve(BASE, build_hash="old"))
        old = observe(engine).public("bash")
        relabel_image(evolve(BASE, build_hash="new"), observe(engine), engine)
        new = observe(engine).public("bash")
        assert old is not None
        assert new is not None
        changed = {key for key, text in new.labels.items() if old.labels.get(key) != text}
        assert changed - {labels.LAYERS} == {labels.BUILD_HASH}
        assert (old.labels[labels.BUILD_HASH], new.labels[labels.BUILD_HASH]) == ("old", "new")
        assert old.tags == new.tags


class TestOthersTags:
    """What somebody else has tagged."""

    def test_a_tag_of_somebody_elses_on_the_old_image_stays(self, engine: FakeEngine) -> None:
        """An image that lost its public tag stays where another tag still names it."""
        make(engine, BASE)
        make(engine, custom("jq"))
        engine.tag("isol8:bash-custom", "keep:me")
        make(engine, custom("curl"))
        assert "keep:me" in tags(engine)
