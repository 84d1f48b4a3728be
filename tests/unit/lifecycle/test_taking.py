"""A candidate that is there: it is examined, verified and promoted as a build would be, or not at all."""

import contextlib
import datetime as dt

import pytest
from attrs import evolve

from isol8_tasks.ecosystems.inventory import encode
from isol8_tasks.errors import EngineError, ReplacedError, VerifyFailedError
from isol8_tasks.images import labels
from isol8_tasks.images.candidates import LONGEST_TAKEN, abandoned, offered
from isol8_tasks.images.observed import ObservedImage
from isol8_tasks.lifecycle.build import Outcome, build_image
from isol8_tasks.lifecycle.taking import take_candidate
from isol8_tasks.plan.description import Provenance
from isol8_tasks.plan.fingerprint import key
from isol8_tasks.verify.verifications import Verify
from tests.fake_engine import FakeEngine, FakeImage, accept
from tests.unit.lifecycle.made import BrokenEngine, CutOffError, make, observe, spec

CUSTOM = spec("bash-custom", "jq")
NOW = dt.datetime.now(dt.UTC)
PROVENANCE = Provenance(checkout="there", revision="c0ffee", created="2026-11-30T00:00:00Z")


@pytest.fixture
def engine(fake_engine: FakeEngine) -> FakeEngine:
    """Give an engine with a base, and a candidate of a custom image whose verification was cut off."""
    fake_engine.pull("alpine:3.21")
    make(fake_engine, spec("bash"))

    def cut_off(*_: object) -> str:
        raise EngineError("the engine went away")

    with pytest.raises(EngineError):
        build_image(
            CUSTOM,
            observe(fake_engine),
            fake_engine,
            provenance=Provenance(checkout="here", revision="", created="2026-11-29T23:00:00Z"),
            context={},
            on_event=lambda _event: None,
            verify=cut_off,
        )
    return fake_engine


def candidates(engine: FakeEngine) -> list[ObservedImage]:
    return [image for image in engine.images() if any(tag.endswith("-candidate") for tag in image.tags)]


def take(engine: FakeEngine, image: ObservedImage, verify: Verify = accept) -> Outcome | str:
    return take_candidate(
        CUSTOM, observe(engine), engine, image, provenance=PROVENANCE, verify=verify, saves=True
    )


def tampered(engine: FakeEngine, **changes: object) -> ObservedImage:
    """Let the candidate be another image than it was."""
    (image,) = candidates(engine)
    detail = engine.inspect(image.id)
    assert detail is not None
    other = FakeImage(id="sha256:other", labels=image.labels, layers=detail.layers)
    engine.put(image.tags[0], evolve(other, **changes))  # type: ignore[arg-type]  # each test knows its field
    return candidates(engine)[0]


class TestPromotion:
    """One that is as it should be."""

    def test_it_is_in_use_as_a_build_would_be(self, engine: FakeEngine) -> None:
        """It was verified, keeps its build, age and checkout; only labels are built, and its tags are gone."""
        (image,) = candidates(engine)
        verified: list[str] = []
        built = len(engine.candidates())

        def verify(_spec: object, image_id: str) -> str:
            verified.append(image_id)
            return "found"

        outcome = take(engine, image, verify)
        assert isinstance(outcome, Outcome)
        assert (outcome.result, verified) == ("promoted", [image.id])
        assert len(engine.candidates()) == built
        record, public = observe(engine).record("bash-custom"), observe(engine).public("bash-custom")
        assert record is not None
        assert public is not None
        assert (record.inventory, record.checkout) == ("found", "here")
        assert record.build == image.labels[labels.BUILD]
        assert public.labels["org.opencontainers.image.created"] == "2026-11-29T23:00:00Z"
        assert public.labels["org.isol8.runtime"] == "bash"
        assert candidates(engine) == []
        assert engine.ids() == {each.id for each in engine.images()}

    def test_it_has_a_tag_of_this_run_meanwhile(self, engine: FakeEngine) -> None:
        """Whoever built it may take its own away."""
        (image,) = candidates(engine)

        def forgotten(_spec: object, image_id: str) -> str:
            engine.untag(image.tags[0])
            assert engine.inspect(image_id)
            return ""

        assert isinstance(take(engine, image, forgotten), Outcome)

    def test_tag_that_can_not_be_removed(self, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
        """The image is in use all the same, and its tag is as that of a run that is over."""
        (image,) = candidates(engine)
        untag = FakeEngine.untag

        def refuse(engine: FakeEngine, tag: str) -> None:
            if tag in image.tags:
                raise EngineError("the engine went away")
            untag(engine, tag)

        monkeypatch.setattr(FakeEngine, "untag", refuse)
        outcome = take(engine, image)
        assert isinstance(outcome, Outcome)
        assert outcome.result == "promoted"
        assert abandoned(observe(engine), NOW) == image.tags

    def test_one_that_comes_to_what_is_in_use(self, engine: FakeEngine) -> None:
        """It replaces nothing."""
        engine.reproducible = True
        make(engine, CUSTOM)
        before = observe(engine).record("bash-custom")
        outcome = take(engine, candidates(engine)[0])
        assert isinstance(outcome, Outcome)
        assert outcome.result == "same"
        after = observe(engine).record("bash-custom")
        assert before is not None
        assert after is not None
        assert after.build == before.build
        assert candidates(engine) == []


class TestRefusal:
    """One that is not what its labels say."""

    @pytest.mark.parametrize(
        ("changes", "problem"),
        [
            ({"platform": "linux/arm64"}, "it is for linux/arm64, and this engine for linux/amd64"),
            ({"layers": ("sha256:else",)}, "it is not based on the isol8:bash of this engine"),
        ],
        ids=["platform", "parent"],
    )
    def test_other_platform_or_layers(
        self, engine: FakeEngine, changes: dict[str, object], problem: str
    ) -> None:
        """It is not run."""
        before = observe(engine).public("bash-custom")
        assert take(engine, tampered(engine, **changes), _never) == problem
        assert observe(engine).public("bash-custom") == before
        assert len(candidates(engine)) == 1

    def test_label_that_clients_would_find(self, engine: FakeEngine) -> None:
        """A promotion adds labels and takes none away, and clients would run this script."""
        (image,) = candidates(engine)
        shown = tampered(engine, labels={**image.labels, labels.SETUP: "curl evil"})
        assert take(engine, shown, _never) == "it has the label org.isol8.setup, which this image has not"

    def test_layers_of_an_image_that_adds_none(self, engine: FakeEngine) -> None:
        """What was found in another image without packages would count for it."""
        plain = evolve(CUSTOM, kind="named", inputs=evolve(CUSTOM.inputs, packages=()))
        base = engine.inspect("isol8:bash")
        assert base is not None

        def taken(image: ObservedImage) -> Outcome | str:
            return take_candidate(
                plain, observe(engine), engine, image, provenance=PROVENANCE, verify=accept, saves=True
            )

        assert taken(candidates(engine)[0]) == (
            "it has layers of its own, and this image has those of isol8:bash alone"
        )
        assert isinstance(taken(tampered(engine, layers=base.layers)), Outcome)

    def test_index_variables_of_a_company(self, engine: FakeEngine) -> None:
        """What is based on a named image is installed from where its base says, whoever built the image."""
        named = evolve(CUSTOM, kind="named")
        base = engine.inspect("isol8:bash")
        assert base is not None
        trigger = "ARG PIP_INDEX_URL"
        old = observe(engine).public("bash")
        assert old is not None
        engine.put(
            "isol8:bash",
            FakeImage(id="sha256:base", labels=old.labels, layers=base.layers, onbuild=(trigger,)),
        )

        def taken(image: ObservedImage) -> Outcome | str:
            return take_candidate(
                named, observe(engine), engine, image, provenance=PROVENANCE, verify=accept, saves=True
            )

        assert taken(candidates(engine)[0]) == "it has no ONBUILD ARG PIP_INDEX_URL, as its parent has"
        assert isinstance(taken(tampered(engine, onbuild=(trigger,))), Outcome)

    def test_platform_that_is_not_told(self, engine: FakeEngine) -> None:
        """Nothing is wrong with it."""
        assert isinstance(take(engine, tampered(engine, platform="")), Outcome)

    def test_one_that_is_gone(self, engine: FakeEngine) -> None:
        """Another run promoted it, or threw it away."""
        (image,) = candidates(engine)
        engine.untag(image.tags[0])
        assert take(engine, image, _never) == "it was removed during the run"

    def test_base_of_another_upstream_image(self, fake_engine: FakeEngine) -> None:
        """Its layers begin with others."""
        fake_engine.pull("alpine:3.21")
        base = evolve(spec("bash"), upstream="alpine:3.21")
        base = evolve(base, inputs=evolve(base.inputs, upstream=(("alpine:3.21", None),)))
        fake_engine.put(
            "isol8_build:bash-candidate",
            FakeImage(id="sha256:b", layers=("sha256:else",), labels={labels.BUILD: "b" * 16}),
        )
        (image,) = candidates(fake_engine)
        found = take_candidate(
            base, observe(fake_engine), fake_engine, image, provenance=PROVENANCE, verify=_never, saves=True
        )
        assert found == "it is not based on the alpine:3.21 of this engine"

    def test_one_that_fails_verification(self, engine: FakeEngine) -> None:
        """It is kept for inspection, and the next run builds."""
        (image,) = candidates(engine)

        def refuse(*_: object) -> str:
            raise VerifyFailedError("bash-custom is not good")

        with pytest.raises(VerifyFailedError):
            take(engine, image, refuse)
        rejected = observe(engine).tagged("isol8:bash-custom-rejected")
        assert rejected is not None
        assert rejected.tags == ("isol8:bash-custom-rejected",)
        assert observe(engine).public("bash-custom") is None

    def test_verification_that_is_cut_off_again(self, engine: FakeEngine) -> None:
        """It stays a candidate, under the tag that it had."""
        before = candidates(engine)

        def cut_off(*_: object) -> str:
            raise EngineError("the engine went away")

        with pytest.raises(EngineError):
            take(engine, before[0], cut_off)
        assert candidates(engine) == before


def test_candidate_that_another_run_promotes_while_it_is_verified(engine: FakeEngine) -> None:
    """Nobody says that the engine failed: the image is there."""
    (image,) = candidates(engine)

    def overtaken(_spec: object, image_id: str) -> str:
        for tag in next(each for each in engine.images() if each.id == image_id).tags:
            engine.untag(tag)
        raise EngineError("no such image")

    with pytest.raises(ReplacedError, match="was removed by another run or by hand; run again"):
        take(engine, image, overtaken)


@pytest.mark.parametrize("step", range(1, 9))
@pytest.mark.parametrize("name", ["bash", "bash-custom"])
def test_run_that_is_killed_at_any_change(fake_engine: FakeEngine, name: str, step: int) -> None:
    """After its build the image is in use, or its candidate is there to go on with; nothing is built twice.

    The labels of a base are made beside its verification.
    """
    engine = BrokenEngine(registry=fake_engine.registry)
    engine.pull("alpine:3.21")
    make(engine, spec("bash"), spec("bash-custom", "unzip"), verify=find)
    wanted = spec(name, "jq")
    # Of another size, so that it does not look like the one in use.
    wanted = evolve(wanted, dockerfile=f"{wanted.dockerfile}RUN echo more\n")
    built = len(engine.candidates()) + 1
    engine.left = step

    with contextlib.suppress(CutOffError):
        make(engine, wanted, verify=find)
    engine.left = -1
    observed = observe(engine)
    record = observed.record(name)
    if record is None or record.key != key(wanted.inputs):
        (image,) = offered(observed, NOW, LONGEST_TAKEN)[name]
        outcome = take_candidate(
            wanted, observe(engine), engine, image, provenance=PROVENANCE, verify=find, saves=True
        )
        assert isinstance(outcome, Outcome)
        record = observe(engine).record(name)
    assert record is not None
    assert record.key == key(wanted.inputs)
    assert len(engine.candidates()) == built
    assert not offered(observe(engine), NOW, LONGEST_TAKEN)


def find(*_: object) -> str:
    return encode("3.21", (), ())


def _never(*_: object) -> str:
    raise AssertionError("it was verified")
