"""Labels: what is written can be read, and no client picks what it must not."""

import pytest
from attrs import evolve

from isol8_tasks.images import labels
from isol8_tasks.images.labels import Record

RECORD = Record(
    image="python-custom",
    role="current",
    key="ab" * 32,
    inputs='{"v":1}',
    build="0123456789abcdef",
    parent="fedcba9876543210",
    checkout="isol8-1a2b3c4d",
    standin="55" * 6,
    upstream="alpine:3.21",
    upstream_digest="sha256:" + "0" * 64,
    standin_args=(("BUN_VERSION", "1.4.5"),),
    flags=(("requests", "2026-11-22"),),
    packages=("numpy", "requests"),
    recipe=1,
)


class TestRecord:
    """A record on its way through labels."""

    def test_what_is_written_is_read(self) -> None:
        """A record comes back from its labels as it was."""
        assert labels.read_record(labels.write(RECORD)) == RECORD

    def test_every_key_is_written_even_when_unused(self) -> None:
        """An image overrides each key that it could inherit."""
        bare = Record(image="bash", role="current", key="k", inputs="", build="b", checkout="c")
        assert labels.write(bare).keys() == labels.write(RECORD).keys()

    @pytest.mark.parametrize(
        "spoilt",
        [
            pytest.param({"org.isol8.tasks.schema": "one"}, id="schema"),
            pytest.param({"org.isol8.tasks.role": "boss"}, id="role"),
            pytest.param({"org.isol8.tasks.flags": "["}, id="flags"),
            pytest.param({"org.isol8.tasks.flags": "[]"}, id="flags of another form"),
            pytest.param({"org.isol8.tasks.packages": "7"}, id="packages"),
        ],
    )
    def test_a_record_that_cannot_be_read_is_none(self, spoilt: dict[str, str]) -> None:
        """Labels that somebody else wrote are no record, and no error."""
        assert labels.read_record({**labels.write(RECORD), **spoilt}) is None

    def test_no_labels_are_no_record(self) -> None:
        """An image of somebody else's has no record."""
        assert labels.read_record({}) is None


class TestClients:
    """What isol8's own clients see."""

    def test_a_base_does_not_look_like_a_custom_image(self) -> None:
        """A base carries neither runtime nor dependencies, by which a custom image is found."""
        found = labels.for_clients("python", "h", packages=None, dependencies="")
        assert found == {"org.isol8.build.hash": "h"}

    def test_a_custom_image_is_found_by_its_packages(self) -> None:
        """A custom image carries what isol8 since v0.18 looks for, and its hash over the packages."""
        found = labels.for_clients("python", "k", packages=("pandas", "numpy"), dependencies="numpy,pandas")
        assert found == {
            "org.isol8.runtime": "python",
            "org.isol8.dependencies": "numpy,pandas",
            "org.isol8.setup": "",
            "org.isol8.deps.hash": "ab6bf6b9b4ac473050a8e711b9b733f62d4ba3de95b51ee54c3151f4787172ee",
        }

    def test_the_tag_of_the_middle_generation(self) -> None:
        """The suffix is the start of the same hash, whatever the order of the packages."""
        suffixes = {
            labels.client_tag_suffix("python", packages)
            for packages in (("numpy", "pandas"), ("pandas", "numpy"))
        }
        assert len(suffixes) == 1
        assert len(suffixes.pop()) == 12

    def test_a_setup_script_counts_for_the_hash(self) -> None:
        """Two images that differ by their set-up have different tags."""
        assert labels.client_tag_suffix("bash", ("jq",)) != labels.client_tag_suffix("bash", ("jq",), "true")

    def test_the_previous_image_is_hidden(self) -> None:
        """What lost its public tag keeps its record, and says that it is not in use; no label of it is empty."""
        image = {
            **labels.write(RECORD),
            **labels.for_clients("python", "k", packages=("numpy",), dependencies="numpy"),
            "other": "stays",
        }
        overridden = {**image, **labels.previous(image)}
        assert overridden["org.isol8.runtime"] == "python (not in use)"
        assert overridden["org.isol8.dependencies"] == "numpy"
        assert overridden["org.isol8.tasks.role"] == "previous"
        assert overridden["org.isol8.tasks.build"] == RECORD.build

    def test_hiding_a_foreign_image_writes_no_record(self) -> None:
        """An image that we did not make gets no record of ours when it is kept."""
        assert labels.previous({"org.isol8.runtime": "python"}) == {
            "org.isol8.runtime": "python (not in use)"
        }


class TestLayersFingerprint:
    """What tells an image of ours from what others make of it."""

    STEPS = ("RUN apk add bash # buildkit", 'CMD ["bash"]')

    @pytest.mark.parametrize(
        "more",
        [
            (),
            ("ONBUILD ARG PIP_INDEX_URL",),
            ("/bin/sh -c #(nop)  ONBUILD ARG X", "/bin/sh -c #(nop)  LABEL org.isol8.build.hash= x=y"),
            tuple(
                f"/bin/sh -c #(nop)  LABEL org.opencontainers.image.{name}=x"
                for name in ("created", "revision", "base.name", "base.digest")
            ),
            ('/bin/sh -c #(nop) LABEL "org.opencontainers.image.created"="x" "org.isol8.tasks.role"="y"',),
            ('/bin/sh -c #(nop) LABEL "org.isol8.tasks.role"="y" "org.isol8.tasks.key"="x"',),
        ],
        ids=[
            *("BuildKit", "with triggers", "the classic builder", "its annotations"),
            *("Podman", "Podman, in another order"),
        ],
    )
    def test_what_we_add_does_not_count(self, more: tuple[str, ...]) -> None:
        """An image that is made of another by labels has the same."""
        assert labels.layers_fingerprint(("a",), self.STEPS + more) == labels.layers_fingerprint(
            ("a",), self.STEPS
        )

    @pytest.mark.parametrize(
        "step", ["ARG X", "/bin/sh -c #(nop)  ARG X"], ids=["BuildKit", "the classic builder"]
    )
    def test_what_its_triggers_add_does_not_count(self, step: str) -> None:
        """A child has the steps that its parent's triggers say, and the triggers again; somebody else's has not."""
        own = labels.layers_fingerprint(("a",), self.STEPS, ("ARG X",))
        assert labels.layers_fingerprint(("a",), (*self.STEPS, step), ("ARG X",)) == own
        assert labels.layers_fingerprint(("a",), (*self.STEPS, step)) != own

    @pytest.mark.parametrize(
        "step",
        ["true", "", "ENV A=1", "LABEL mine=1", "/bin/sh -c #(nop)  LABEL org.opencontainers.image.title=x"],
    )
    def test_what_others_add_does(self, step: str) -> None:
        """A commit of an unchanged container, or a child without a layer, has another."""
        assert labels.layers_fingerprint(("a",), (*self.STEPS, step)) != labels.layers_fingerprint(
            ("a",), self.STEPS
        )

    def test_an_unknown_image_has_none(self) -> None:
        """Where an engine tells no layers there is nothing to compare."""
        assert labels.layers_fingerprint((), self.STEPS) == ""


class TestOutOfUse:
    """An image that gives its tag away, and gets it back."""

    def test_there_and_back(self) -> None:
        """What clients look for is put aside, and comes back as it was."""
        shown = labels.for_clients("python", "k", packages=("numpy",), dependencies="numpy", setup="echo 1")
        before = {**labels.write(RECORD), **shown}
        away = {**before, **labels.previous(before)}
        assert {key for key in shown if away[key] != shown[key]} == {"org.isol8.runtime"}
        record = labels.read_record(away)
        assert record is not None
        assert record.role == "previous"
        assert {**away, **labels.restored(away)} == before

    def test_what_older_versions_took_away_comes_back(self) -> None:
        """They emptied every label of the clients, and put all of them aside."""
        shown = labels.for_clients("python", "k", packages=("numpy",), dependencies="numpy", setup="echo 1")
        record = evolve(RECORD, role="previous", clients=tuple(sorted(shown.items())))
        away = {**labels.write(record), **dict.fromkeys(shown, "")}
        assert {**away, **labels.restored(away)} == {**labels.write(RECORD), **shown}

    def test_twice_away_is_the_same(self) -> None:
        """A copy of a copy still knows what clients looked for."""
        before = {**labels.write(RECORD), **labels.for_clients("bun", "k", packages=(), dependencies="")}
        away = {**before, **labels.previous(before)}
        assert {**away, **labels.previous(away)} == away

    def test_an_image_of_somebody_else(self) -> None:
        """Without a record only the clients' labels are taken, and nothing can be given back."""
        assert labels.previous({"org.isol8.runtime": "bun", "other": "1"}) == {
            "org.isol8.runtime": "bun (not in use)"
        }
        assert labels.restored({"org.isol8.runtime": "bun"}) == {}


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("key", "x" * ((1 << 20) + 1), "has more than 1048576 characters"),
        ("flags", " " * ((1 << 20) + 1), "has more than 1048576 characters"),
        ("image", "bun\nbash", "has characters that this project never writes"),
        ("role", "promoted", "is not one of candidate, current, previous"),
        ("packages", "[", "is not JSON"),
        ("packages", "{}", "is not a JSON array"),
        ("flags", "[]", "is not a JSON object"),
        ("flags", '{"-rf": "2026-11-22"}', "has something that is not a package"),
        ("packages", '["a\\u001b"]', "has something that is not plain text"),
        ("upstream", "alpine\n", "has something that is not plain text"),
        ("recipe", "-1", "is not a number"),
        ("clients", '{"org.isol8.tasks.key": "0"}', "has a label that is not for isol8's clients"),
    ],
)
def test_a_label_that_cannot_be_read(name: str, text: str, why: str) -> None:
    """The image then has no record, and the label is named."""
    written = labels.write(Record(image="bun", role="current", key="k", inputs="", build="b", checkout="c"))
    assert labels.problem(written) == ""
    spoilt = {**written, labels.PREFIX + name: text}
    assert labels.read_record(spoilt) is None
    assert labels.problem(spoilt) == f"label {labels.PREFIX}{name} {why}"
