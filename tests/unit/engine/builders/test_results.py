"""What a builder elsewhere built, on its way into the engine."""

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from isol8_tasks.engine.builders.results import into_layout, load_result
from isol8_tasks.errors import EngineError
from tests.engine_server import Engine, Handler, serving
from tests.unit.engine.builders.test_layouts import CONFIG, LAYERS, digest

FIRST, SECOND = (f"sha256:{digest(each)}" for each in LAYERS)
OVERLAY = [["Backing Filesystem", "extfs"]]
CONTAINERD = [["driver-type", "io.containerd.snapshotter.v1"]]


def write_result(folder: Path) -> None:
    """Write an image of two layers as buildx does."""
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)
    described = json.dumps({"config": {"digest": f"sha256:{digest(CONFIG)}"}}).encode()
    for data in (CONFIG, described, *LAYERS):
        (blobs / digest(data)).write_bytes(data)
    index = {"manifests": [{"digest": f"sha256:{digest(described)}"}]}
    (folder / "index.json").write_text(json.dumps(index))


class Loading:
    """What an engine was given, and how it takes it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.given: list[dict[str, bytes]] = []
        self.refused = 0
        """As many archives."""
        engine.answers["POST /images/load"] = self._load
        self.parent([FIRST], OVERLAY)

    def parent(self, layers: list[str] | None, status: list[list[str]]) -> None:
        """Let it have the layers of an image, in a store of this kind."""
        self.engine.answers["GET /images/sha256:parent/json"] = (200, {"RootFS": {"Layers": layers}})
        self.engine.answers["GET /info"] = (200, {"DriverStatus": status})

    def _load(self, handler: Handler) -> None:
        with tarfile.open(fileobj=io.BytesIO(handler.body)) as archive:
            files = {each.name: archive.extractfile(each) for each in archive}
            self.given.append({name: file.read() for name, file in files.items() if file})
        if len(self.given) <= self.refused:
            handler.stream({"errorDetail": {"message": "no such layer"}})
        else:
            handler.stream({"stream": "Loaded image: a:b"})

    def load(self, folder: Path, *parents: str) -> None:
        """Load what is in a folder."""
        connection = self.engine.client()._connection  # noqa: SLF001 - there is no other way to one
        load_result(connection, folder, "a:b", parents)


@pytest.fixture(name="loading")
def make_loading(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loading]:
    """Give an engine that has a parent with the first layer."""
    with serving(monkeypatch) as engine:
        yield Loading(engine)


@pytest.mark.parametrize(
    ("layers", "status", "left_out"),
    [
        ([FIRST], OVERLAY, 1),
        ([FIRST, SECOND, FIRST], OVERLAY, 2),
        ([SECOND, FIRST], OVERLAY, 0),
        (None, OVERLAY, 0),
        ([FIRST], CONTAINERD, 0),
    ],
)
def test_layers_that_are_there(
    loading: Loading,
    tmp_path: Path,
    layers: list[str] | None,
    status: list[list[str]],
    left_out: int,
) -> None:
    """They are left out, unless the engine wants all; the image names each of them in any case."""
    loading.parent(layers, status)
    write_result(tmp_path)
    loading.load(tmp_path, "sha256:parent")
    (given,) = loading.given
    (described,) = json.loads(given.pop("manifest.json"))
    assert described == {"Config": digest(CONFIG), "RepoTags": ["a:b"], "Layers": [digest(x) for x in LAYERS]}
    assert given == {digest(data): data for data in (CONFIG, *LAYERS[left_out:])}


def test_engine_that_misses_one(loading: Loading, tmp_path: Path) -> None:
    """It gets all of them then, and what it says after that is told."""
    write_result(tmp_path)
    loading.refused = 1
    loading.load(tmp_path, "sha256:parent")
    assert [len(each) for each in loading.given] == [3, 4]
    loading.refused = 9
    with pytest.raises(EngineError, match=r"^the load of a:b failed: no such layer$"):
        loading.load(tmp_path, "sha256:parent")
    assert len(loading.given) == 4
    loading.parent([], OVERLAY)
    with pytest.raises(EngineError, match="no such layer"):
        loading.load(tmp_path, "sha256:parent")
    assert len(loading.given) == 5
    loading.engine.answers["POST /images/load"] = (400, {"message": "invalid archive"})
    with pytest.raises(EngineError, match=r"^the load of a:b failed: invalid archive$"):
        loading.load(tmp_path, "sha256:parent")


def test_buildx_that_wrote_nothing(loading: Loading, tmp_path: Path) -> None:
    """It is told."""
    assert f"dest={tmp_path}," in into_layout(tmp_path)[0]
    with pytest.raises(EngineError, match=r"^docker buildx ended without the image for a:b: "):
        loading.load(tmp_path)
