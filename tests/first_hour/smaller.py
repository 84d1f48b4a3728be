"""What brings the faults of smaller.toml about: another run on the engine, and files in another encoding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isol8_tasks.errors import BuildFailedError
from isol8_tasks.run.engine_lock import engine_lock
from tests.fake_engine import FakeEngine

if TYPE_CHECKING:
    from collections.abc import Callable

    from isol8_tasks.engine import BuildRequest
    from tests.first_hour.scenes import Scene


def another_run(scene: Scene) -> None:
    """Let another run be at work on the engine."""
    assert scene.cli is not None
    engine_id = scene.cli.engine.info().id
    scene.stack.enter_context(engine_lock(engine_id, holder="another", since="now", wait=0))


def built(scene: Scene) -> None:
    """Have every image built, and bun twice."""
    assert scene.cli is not None
    assert scene.cli().code == scene.cli("base:bun", "--force").code == 0


def tagged_by_hand(scene: Scene) -> None:
    """Let another image have the tag of bash."""
    assert scene.cli is not None
    assert scene.cli("base:bun").code == 0
    scene.cli.engine.tag("alpine:3.21", "isol8:bash")


def context_unread(scene: Scene) -> None:
    """Let the engine's BuildKit look on the network for what it is sent, as Engine 26 does with containerd's store."""
    assert scene.cli is not None

    def build(_engine: FakeEngine, request: BuildRequest, _on_event: object) -> str:
        raise BuildFailedError(
            f"{request.tag} could not be built: failed to read downloaded context: failed to load cache key: "
            'Get "http://build-context-ug24k0ydztsk": dial tcp: lookup build-context-ug24k0ydztsk: no such host',
            step="",
            output=(),
        )

    scene.cli.patch.setattr(FakeEngine, "build", build)


def folder_for_a_report(scene: Scene) -> None:
    """Let a folder be where a report is to be written."""
    (scene.folder / "report.md").mkdir()


def docker_is_a_file(scene: Scene) -> None:
    """Let docker/ be a file."""
    (scene.folder / "docker").rename(scene.folder / "before")
    (scene.folder / "docker").touch()


def _saved(path: str, text: str, encoding: str) -> Callable[[Scene], None]:
    def save(scene: Scene) -> None:
        (scene.folder / path).write_text(text, encoding=encoding)

    return save


def _closed(path: str, text: str | None = None, mode: int = 0) -> Callable[[Scene], None]:
    def close(scene: Scene) -> None:
        file = scene.folder / path
        if text is not None:
            file.write_text(text)
        file.chmod(mode)

    return close


deps_in_utf_16 = _saved("deps.toml", '[dependencies]\nbash = ["jq"]\n', "utf-16")
deps_in_utf_16_without_a_mark = _saved("deps.toml", '[dependencies]\nbash = ["jq"]\n', "utf-16-le")
deps_in_latin_1 = _saved("deps.toml", "[dependencies]\n# für jq\n", "latin-1")
dockerfile_in_utf_16 = _saved("docker/Dockerfile", "FROM alpine:3.21 AS base\n", "utf-16")
ignore_in_utf_16 = _saved("docker/.dockerignore", "*.md\n", "utf-16")
client_file_in_utf_16 = _saved("isol8.config.json", "{}\n", "utf-16")
lock_with_a_mark = _saved("deps.lock.toml", "version = 7\n", "utf-8-sig")
deps_with_a_mark = _saved("deps.toml", '[dependencies]\r\nbash = ["jq"]\r\nbash = 1\r\n', "utf-8-sig")
docker_closed = _closed("docker")
docker_without_entry = _closed("docker", mode=0o644)
deps_closed = _closed("deps.toml")
dockerfile_closed = _closed("docker/Dockerfile")
ignore_closed = _closed("docker/.dockerignore", "*.md\n")
lock_closed = _closed("deps.lock.toml", "version = 2\n")
client_file_closed = _closed("isol8.config.json", "{}\n")
manifest_closed = _closed("resolved-images.json", "{}\n")
deps_with_a_type = _saved("deps.toml", "[dependencies]\nbash = 1\n", "utf-8")
dockerfile_without_stages = _saved("docker/Dockerfile", "FROM alpine:3.21 AS base\n", "utf-8")
