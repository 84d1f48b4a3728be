"""Labels of others on images of ours: each command goes on, names the image, and takes nothing for good."""

import base64
import json
import shutil
import tempfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isol8_tasks.ecosystems.inventory import Package, decode, encode
from isol8_tasks.images import labels
from isol8_tasks.images.manifest import created
from isol8_tasks.images.observed import ObservedImage
from isol8_tasks.lifecycle.promotion import client_tags
from isol8_tasks.report import plan as report
from isol8_tasks.run.events import remembered_flags
from isol8_tasks.run.session import Session, open_session
from tests.fake_engine import DOCKERFILE, FakeEngine, FakeImage, accept

NAMES = ("python", "node", "bun", "deno", "bash", "bash-custom", "web")
WRITTEN = sorted(
    (
        *(
            f"{labels.PREFIX}{each}"
            for each in (
                "schema",
                "image",
                "role",
                "recipe",
                "key",
                "inputs",
                "build",
                "parent",
                "checkout",
                "upstream",
                "upstream-digest",
                "standin",
                "standin-args",
                "triggers",
                "packages",
                "flags",
                "inventory",
                "layers",
                "clients",
            )
        ),
        labels.BASE_NAME,
        labels.BUILD_HASH,
        labels.DEPENDENCY_HASH,
        labels.RUNTIME,
        "org.isol8.dependencies",
        "org.isol8.setup",
        "org.opencontainers.image.created",
    )
)
FORGED = "isol8:deno          up to date"
TEXTS = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [
            "", "[", "{}", "[]", "null", "7", "-1", "1e999", "9" * 5000, "[" * 100_000, "x" * 2_000_000,
            f"a\n{FORGED}", f"\x1b]0;{FORGED}\x07\r{FORGED}", "\u2028\u202e", "'; touch /x #",
            json.dumps({f"jq\n{FORGED}": FORGED}), json.dumps({"jq": 7}), json.dumps({"jq": [f"\n{FORGED}"]}),
            json.dumps({"-rf": "2026-11-22"}), json.dumps({"\ud800": "\ud800"}), json.dumps([f"jq\n{FORGED}"]),
            json.dumps([[1, 2, 3]]), json.dumps([["alpine:3.21", "1" * 12, [f"RUN x\nFROM {FORGED}"]]]),
            json.dumps([["alpine:3.21", "1" * 12, ["FROM", "COPY", "ONBUILD ONBUILD", "COPY --from=no a b"]]]),
            json.dumps({"ALPINE_IMAGE": ""}), json.dumps({"org.isol8.tasks.key": "0"}),
            base64.b64encode(zlib.compress(b"0" * (64 << 20), 9)).decode(),
            base64.b64encode(zlib.compress(json.dumps([FORGED, {"apk": [[f"a\n{FORGED}", 7]]}]).encode())).decode(),
            "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-01", f"2026\n{FORGED}",
        ]
    ),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=9),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
        max_leaves=6,
    ).map(json.dumps),
)  # fmt: skip
"""What may stand in a label: any text, JSON of any form, and what somebody thought out."""
INPUTS = st.fixed_dictionaries(
    {
        "v": st.just(1),
        "recipe": st.integers(),
        "runtime": TEXTS,
        "setup": TEXTS,
        **dict.fromkeys(("stages", "files", "args", "images"), st.lists(st.tuples(TEXTS, TEXTS), max_size=2)),
        "packages": st.lists(TEXTS, max_size=2),
    }
).map(json.dumps)


@pytest.fixture(scope="module")
def checkout() -> Path:
    """Give a folder whose images are all built."""
    root = Path(tempfile.mkdtemp())
    (root / "docker").mkdir()
    (root / "docker" / "Dockerfile").write_text(DOCKERFILE)
    (root / "deps.toml").write_text(
        '[dependencies]\nbash = ["jq"]\n[images.web]\nruntime = "python"\npackages = ["attrs"]\n'
    )
    return root


def engine_with(root: Path, name: str = "", changed: dict[str, str] | None = None) -> FakeEngine:
    """Return an engine on which all is built, where one image's labels are then others'."""
    images = (FakeImage(id="sha256:" + str(number) * 64) for number in range(1, 9))
    engine = FakeEngine(registry=dict(zip(("alpine:3.21", "denoland/deno:alpine"), images, strict=False)))
    session = open_session(root, {}, engine=engine, verify=accept)
    for spec in session.view.graph.images:
        session.make(spec.name)
    session.close()
    if name:
        spoil(engine, name, changed or {})
    return engine


def spoil(engine: FakeEngine, name: str, changed: dict[str, str]) -> None:
    """Let the image of that name, under all its tags, have other labels."""
    found = next(image for image in engine.images() if f"isol8:{name}" in image.tags)
    for tag in found.tags:
        engine.put(tag, FakeImage(id="sha256:" + "e" * 64, labels={**found.labels, **changed}))


def told(session: Session) -> list[str]:
    """Return each line that a plan and a run would print, and write what they write."""
    decisions = list(session.view.decisions.values())
    session.publication.write_manifest()
    json.loads(report.plan_json(decisions, session.view.config, "linux/amd64"))
    lines = [
        *session.view.graph.warnings,
        *remembered_flags(session.view.graph, session.view.observed, session.view.config),
    ]
    lines += [line for each in decisions for line in report.reasons_in_words(each, session.view.config)]
    assert report.plan_table(decisions, session.view.config).count("\n") <= sum(
        max(1, len(report.reasons_in_words(each, session.view.config))) for each in decisions
    )
    return lines


@settings(max_examples=60)
@given(
    name=st.sampled_from(NAMES),
    changed=st.dictionaries(st.sampled_from(WRITTEN), TEXTS, min_size=1, max_size=3)
    | st.fixed_dictionaries({f"{labels.PREFIX}inputs": INPUTS, f"{labels.PREFIX}key": st.just("0" * 64)}),
)
def test_no_label_ends_a_command_or_forges_a_line(checkout: Path, name: str, changed: dict[str, str]) -> None:
    """Whatever stands in a label, all is decided, each line stays one, and the next run mends what is in the graph."""
    engine = engine_with(checkout, name, changed)
    session = open_session(checkout, {}, engine=engine, verify=accept)
    assert all(line.isprintable() for line in told(session))
    for spec in session.view.graph.images:
        session.make(spec.name)
    session.close()
    mended = open_session(checkout, {}, engine=engine, verify=accept)
    assert all(line.isprintable() for line in told(mended))
    assert all(mended.view.is_current(spec.name) for spec in mended.view.graph.images)


FLAGS = f"{labels.PREFIX}flags"


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({FLAGS: "jq"}, f"label {FLAGS} is not JSON"),
        ({FLAGS: "[]"}, f"label {FLAGS} is not a JSON object"),
        ({FLAGS: "[" * 100_000}, f"label {FLAGS} is not JSON"),
        ({FLAGS: " " * (2 << 20)}, f"label {FLAGS} has more than 1048576 characters"),
        ({FLAGS: '{"jq": 7}'}, f"label {FLAGS} has something that is not plain text"),
        ({FLAGS: '{"jq": "\\n"}'}, f"label {FLAGS} has something that is not plain text"),
        ({FLAGS: '{"--allow-untrusted": ""}'}, f"label {FLAGS} has something that is not a package"),
        (
            {f"{labels.PREFIX}key": "a\nb"},
            f"label {labels.PREFIX}key has characters that this project never writes",
        ),
        ({f"{labels.PREFIX}schema": "9" * 5000}, f"label {labels.PREFIX}schema is not a number"),
        (
            {f"{labels.PREFIX}role": "boss"},
            f"label {labels.PREFIX}role is not one of candidate, current, previous",
        ),
        (
            {f"{labels.PREFIX}clients": '{"org.isol8.tasks.key": "0"}'},
            f"label {labels.PREFIX}clients has a label that is not for isol8's clients",
        ),
    ],
)
def test_an_image_whose_label_cannot_be_read(checkout: Path, changed: dict[str, str], problem: str) -> None:
    """It is stale and says which label, one line tells what becomes of it, and all others are as they were."""
    session = open_session(checkout, {}, engine=engine_with(checkout, "bash-custom", changed), verify=accept)
    states = {name: decision.state for name, decision in session.view.decisions.items()}
    assert {name for name, state in states.items() if state != "up-to-date"} == {"bash-custom"}
    assert states["bash-custom"] == "stale"
    assert report.reasons_in_words(session.view.decisions["bash-custom"], session.view.config) == (
        f"its {problem}",
    )
    assert session.view.graph.warnings == (
        (
            f"isol8:bash-custom: {problem}, so it does not count as ours; "
            "the next build replaces it; give packages of earlier flags again"
        ),
    )
    session.make("bash-custom")
    session.close()
    mended = open_session(checkout, {}, engine=session.view.engine, verify=accept)
    assert mended.view.is_current("bash-custom")
    assert mended.view.graph.warnings == ()


def test_a_hash_of_the_wrong_length_is_no_key(checkout: Path) -> None:
    """It is told like any other key that differs."""
    changed = {f"{labels.PREFIX}key": "0" * 63}
    session = open_session(checkout, {}, engine=engine_with(checkout, "bash", changed), verify=accept)
    decision = session.view.decisions["bash"]
    assert (
        report.reasons_in_words(decision, session.view.config)[0]
        == "its inputs changed, but its labels do not say which"
    )


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("bash-custom", "./doitw clean custom:bash removes it"),
        ("web", "docker rmi isol8:web isol8_build:web removes it"),
    ],
)
def test_an_image_that_nothing_asks_for(checkout: Path, tmp_path: Path, name: str, hint: str) -> None:
    """Clients still find it by its tags, so it is told of, with what removes it."""
    engine = engine_with(checkout, name, {FLAGS: "jq"})
    shutil.copytree(checkout, tmp_path / "other")
    (tmp_path / "other" / "deps.toml").write_text("")
    session = open_session(tmp_path / "other", {}, engine=engine, verify=accept)
    assert session.view.graph.warnings == (
        f"isol8:{name}: label {FLAGS} is not JSON, so it does not count as ours; {hint}",
    )
    assert "bash-custom" in session.view.graph.undeclared
    session.remove("bash-custom")
    session.view.look_again()
    assert session.view.observed.public("bash-custom") is None
    assert session.view.observed.marker("bash-custom") is None


def test_what_a_base_says_of_its_stand_in(tmp_path: Path, checkout: Path) -> None:
    """Arguments that no Dockerfile can be built with are left out, and the other images are as they were."""
    root = tmp_path / "other"
    shutil.copytree(checkout, root)
    (root / "docker" / "Dockerfile").write_text(
        "ARG ALPINE_IMAGE=alpine:3.21\n" + DOCKERFILE.replace("FROM alpine:3.21", "FROM $ALPINE_IMAGE")
    )
    engine = engine_with(root, "bash", {f"{labels.PREFIX}standin-args": '{"ALPINE_IMAGE": ""}'})
    engine.untag("alpine:3.21")
    session = open_session(root, {}, engine=engine, verify=accept)
    assert session.view.graph.warnings == (
        (
            "isol8:bash: label org.isol8.tasks.standin-args has what the Dockerfile can't be built with, "
            "so it is left out; build the image with --force"
        ),
    )
    assert session.view.is_current("node")


def test_what_a_base_says_of_its_triggers(checkout: Path) -> None:
    """A warning about steps that no ONBUILD trigger may be stays a line."""
    steps = ["COPY --from=nobody a b", f"FROM a\n{FORGED}"]
    changed = {f"{labels.PREFIX}triggers": json.dumps([["alpine:3.21", "1" * 12, steps]])}
    session = open_session(checkout, {}, engine=engine_with(checkout, "bash", changed), verify=accept)
    (warning,) = session.view.graph.warnings
    assert warning.isprintable()
    assert "bash" in warning
    assert session.view.is_current("node")


@pytest.mark.parametrize(
    "text", ["2026-01-01", "9999-12-31T23:59:59-14:00", f"2026\n{FORGED}", "0001-01-01T00:00:00+14:00"]
)
def test_when_others_say_that_an_image_was_built(text: str) -> None:
    """A time that is none, or has no zone, is not taken."""
    image = ObservedImage(id="sha256:a", labels={"org.opencontainers.image.created": text}, created=5)
    assert created(image) == "1970-01-01T00:00:05Z"
    assert created(ObservedImage(id="sha256:a", created=1 << 60)) == "1970-01-01T00:00:00Z"


def test_an_inventory_that_grows_without_end() -> None:
    """What was compressed is read up to a limit, and what would forge a line is none."""
    bomb = base64.b64encode(zlib.compress(b"[" + b" " * (64 << 20), 9)).decode()
    assert decode(bomb) is None
    assert decode(encode("3.21", [Package(ecosystem="apk", name=f"jq\n{FORGED}", version="1")])) is None


def test_a_tag_that_a_label_asks_for() -> None:
    """The label after which clients name a custom image gives no tag but one of 12 digits."""
    for text in ("/x:latest", "../../../..", "A" * 12, "abc"):
        assert client_tags("isol8", "bash-custom", {labels.DEPENDENCY_HASH: text}) == ("isol8:bash-custom",)
