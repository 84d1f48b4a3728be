"""A rebuild that came to what is in use replaces nothing, and nothing else is taken for that."""

from collections.abc import Mapping

import pytest
from attrs import evolve

from isol8_tasks.engine import EngineInfo, ImageDetail
from isol8_tasks.images import labels
from isol8_tasks.images.labels import LAYERS
from isol8_tasks.lifecycle.promotion import layers_of
from isol8_tasks.lifecycle.sameness import Comparison, compare
from tests.fake_engine import FakeEngine, FakeImage
from tests.unit.lifecycle.made import make, observe, spec

EMPTY = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
OURS = {f"{labels.PREFIX}image": "bash", f"{labels.PREFIX}build": "new", "org.isol8.build.hash": "x"}


class Engine(FakeEngine):
    """An engine that says more of its images."""

    store: str = "overlay2"

    def __init__(self) -> None:
        super().__init__(reproducible=True)
        self.registry["alpine:3.21"] = FakeImage(id="sha256:upstream")
        self.said: dict[str, Mapping[str, object]] = {}
        self.sizes: dict[str, int] = {}
        self.broken = False

    def inspect(self, reference: str) -> ImageDetail | None:
        found = super().inspect(reference)
        if found is None:
            return None
        return evolve(
            found,
            configuration={**found.configuration, **self.said.get(reference, {})},
            size=self.sizes.get(reference, 1000),
        )

    def info(self) -> EngineInfo:
        return evolve(super().info(), store=self.store)

    def files(self, reference: str) -> str:
        return "" if self.broken else super().files(reference)


@pytest.fixture
def engine() -> Engine:
    """Give an engine with an image in use."""
    engine = Engine()
    make(engine, spec("bash"))
    return engine


def in_use(engine: Engine) -> FakeImage:
    return engine._images[engine._tags["isol8:bash"]]  # noqa: SLF001 - what it is to be compared with


def came_to(  # noqa: PLR0913 - whatever may differ
    engine: Engine,
    *,
    layers: tuple[str, ...] = (),
    files: str = "",
    said: Mapping[str, object] | None = None,
    inventory: str = "",
    size: int = 1000,
    more: Mapping[str, str] | None = None,
    is_worth_it: bool = True,
) -> Comparison:
    """Compare a build that differs in what is given from the image in use."""
    old = in_use(engine)
    built = evolve(
        old,
        id="sha256:built",
        layers=layers or old.layers,
        files=files,
        labels={**old.labels, **(more or {})},
    )
    engine.put("isol8_build:candidate", built)
    engine.said = {"sha256:built": said or {}}
    engine.sizes = {"sha256:built": size}
    return compare(
        "bash",
        observe(engine),
        engine,
        built="sha256:built",
        inventory=inventory,
        promoted=OURS,
        reads=is_worth_it,
    )


def reads(engine: Engine) -> int:
    return sum(each.startswith("files ") for each in engine.asked)


def old_build(engine: Engine) -> str:
    return in_use(engine).labels[f"{labels.PREFIX}build"]


class TestTheSame:
    """Nothing that counts is different."""

    def test_same_layers_are_not_read(self, engine: Engine) -> None:
        """As when all steps came from the cache; what is in use keeps its build."""
        found = came_to(engine)
        assert found.same is not None
        assert found.same.id == in_use(engine).id
        assert reads(engine) == 0
        assert found.labels == {
            **OURS,
            f"{labels.PREFIX}build": old_build(engine),
            LAYERS: in_use(engine).labels[LAYERS],
            labels.FILES_LABEL: "",
        }

    def test_layers_without_a_file_do_not_count(self, engine: Engine) -> None:
        """As `RUN true` adds one."""
        assert came_to(engine, layers=(*in_use(engine).layers, EMPTY)).same
        assert reads(engine) == 0

    def test_same_files_in_other_layers(self, engine: Engine) -> None:
        """Both are read, and what was found is remembered."""
        old = in_use(engine)
        engine.put("isol8:bash", evolve(old, files="f" * 64))
        found = came_to(engine, layers=("sha256:other",), files="f" * 64)
        assert found.same
        assert reads(engine) == 2
        assert found.labels[labels.FILES_LABEL] == f"{old.labels[LAYERS]}-{'f' * 64}"

    def test_what_was_read_before_is_not_read_again(self, engine: Engine) -> None:
        """As the label belongs to these layers."""
        _remember(engine, f"{in_use(engine).labels[LAYERS]}-{'f' * 64}")
        assert came_to(engine, layers=("sha256:other",), files="f" * 64).same
        assert reads(engine) == 1

    def test_label_of_other_layers_is_not_believed(self, engine: Engine) -> None:
        """An older version lets children inherit it."""
        _remember(engine, f"0123456789abcdef-{'f' * 64}")
        assert came_to(engine, layers=("sha256:other",), files="f" * 64).same is None
        assert reads(engine) == 2

    def test_our_own_labels_do_not_count(self, engine: Engine) -> None:
        """Those of this build, of any, and what stand-ins of the lab hand on."""
        more = {"org.isol8.build.hash": "y", f"{labels.PREFIX}key": "z", "org.isol8.lab.standin": "w"}
        assert came_to(engine, more=more).same


class TestAnother:
    """A difference that is seen without reading a file."""

    @pytest.mark.parametrize(
        "said",
        [
            {"Env": ["A=1"]},
            {"Cmd": ["bash"]},
            {"Entrypoint": ["tini"]},
            {"User": "sandbox"},
            {"WorkingDir": "/"},
            {"ExposedPorts": {"80/tcp": {}}},
            {"Volumes": {"/data": {}}},
            {"StopSignal": "SIGINT"},
            {"Healthcheck": {"Test": ["CMD", "true"]}},
            {"Shell": ["/bin/bash", "-c"]},
            {"OnBuild": ["RUN true"]},
            {"Architecture": "arm64"},
            {"Author": "me"},
        ],
        ids=lambda said: next(iter(said)),
    )
    def test_configuration(self, engine: Engine, said: Mapping[str, object]) -> None:
        """Whatever changes how its containers run, or its children are built."""
        found = came_to(engine, layers=("sha256:other",), said=said)
        assert found == Comparison(OURS)
        assert reads(engine) == 0

    def test_labels_of_others(self, engine: Engine) -> None:
        """One that docker/Dockerfile adds, or a label that the clients read and this image has no more."""
        assert came_to(engine, more={"vendor": "me"}).same is None
        assert came_to(engine, more={"org.isol8.setup": "x"}).same is None

    def test_inventory(self, engine: Engine) -> None:
        """Other packages can't be the same files."""
        from isol8_tasks.ecosystems.inventory import encode, runtime_package  # noqa: PLC0415 - here alone

        assert came_to(engine, inventory=encode("3.21", [runtime_package("bun", "1")])).same is None
        assert reads(engine) == 0

    def test_size_of_as_many_layers(self, engine: Engine) -> None:
        """Seen at once, unless the store counts what depends on times."""
        for size in (1001, 999 - (1 << 18)):
            assert came_to(engine, layers=("sha256:0", "sha256:1"), size=size, files="f").same is None
        assert reads(engine) == 0
        engine.store = "containerd (overlayfs)"
        engine.put("isol8:bash", evolve(in_use(engine), files="f"))
        assert came_to(engine, layers=("sha256:0", "sha256:1"), size=1001, files="f").same

    def test_size_of_an_image_that_was_pulled(self, engine: Engine) -> None:
        """The engine counts the targets of its symbolic links, which it does not of what it built."""
        engine.put("isol8:bash", evolve(in_use(engine), files="f"))
        assert came_to(engine, layers=("sha256:0", "sha256:1"), size=1000 - 13_086, files="f").same

    def test_size_of_other_layers_says_nothing(self, engine: Engine) -> None:
        """A file that is written again counts twice."""
        engine.put("isol8:bash", evolve(in_use(engine), files="f"))
        assert came_to(engine, layers=("sha256:0",), size=999, files="f").same

    def test_files(self, engine: Engine) -> None:
        """What was read stays known of the new image."""
        found = came_to(engine, layers=("sha256:other",), files="f" * 64)
        assert found.same is None
        assert found.labels == {
            **OURS,
            labels.FILES_LABEL: f"{layers_of(engine, 'sha256:built')}-{'f' * 64}",
        }

    def test_what_is_not_worth_it_is_not_read(self, engine: Engine) -> None:
        """Where nothing depends on it, only what costs nothing is the same."""
        assert came_to(engine, layers=("sha256:other",), is_worth_it=False) == Comparison(OURS)
        assert reads(engine) == 0
        assert came_to(engine, is_worth_it=False).same is not None

    def test_forged_image_does_not_stay(self, engine: Engine) -> None:
        """One that carries our labels and tags on other layers, even if its files were the same."""
        forged = evolve(in_use(engine), id="sha256:forged", layers=("sha256:forged",), files="f")
        engine.put("isol8:bash", forged)
        engine.put("isol8_build:bash", forged)
        assert came_to(engine, files="f").same is None
        assert reads(engine) == 0

    def test_what_cannot_be_read(self, engine: Engine) -> None:
        """It is replaced, as it would be without a comparison."""
        engine.broken = True
        assert came_to(engine, layers=("sha256:other",)) == Comparison(OURS)

    def test_nothing_in_use(self) -> None:
        """A first build is compared with nothing."""
        engine = Engine()
        assert compare(
            "bash", observe(engine), engine, built="sha256:built", inventory="", promoted=OURS
        ) == Comparison(OURS)
        assert engine.asked == ["images"]


class TestWhatBecomesOfIt:
    """A build from decision to promotion that came to the same."""

    def test_image_in_use_stays_under_the_new_key(self, engine: Engine) -> None:
        """It keeps its layers, its build and its time on the engine; -previous is not touched, and no layer is left."""
        old = in_use(engine)
        make(engine, evolve(spec("bash"), inputs=evolve(spec("bash").inputs, packages=("x",))))
        new = in_use(engine)
        assert new.layers == old.layers
        changed = {name for name in new.labels if new.labels[name] != old.labels.get(name)}
        assert changed == {f"{labels.PREFIX}{name}" for name in ("key", "inputs", "packages")}
        assert sorted(tag for each in engine.images() for tag in each.tags if "bash" in tag) == [
            "isol8:bash",
            "isol8_build:bash",
        ]
        assert engine.ids() - {"sha256:upstream"} == {new.id}

    def test_tag_of_other_packages_follows(self, engine: Engine) -> None:
        """Clients of v0.11.1 to v0.17 find a custom image by its packages."""
        custom = spec("bash-custom", "jq")
        make(engine, custom)
        before = {tag for each in engine.images() for tag in each.tags}
        other = evolve(custom, inputs=evolve(custom.inputs, packages=("jq", "jq-doc")))
        make(engine, other)
        after = {tag for each in engine.images() for tag in each.tags}
        gone, new = before - after, after - before
        assert len(gone) == len(new) == 1
        assert all(tag.startswith("isol8:bash-custom-") for tag in (*gone, *new))


def _remember(engine: Engine, label: str) -> None:
    old = in_use(engine)
    changed = evolve(old, labels={**old.labels, labels.FILES_LABEL: label})
    engine.put("isol8:bash", changed)
    engine.put("isol8_build:bash", changed)
