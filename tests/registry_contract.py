"""What every engine promises of the registries behind it: the real one on each kind of store, and the fake."""

import pytest
from attrs import evolve

from isol8_tasks.engine import ImageDetail, ObservedImage
from isol8_tasks.engine.registry import RegistryEngine
from isol8_tasks.errors import NotInRegistryError, RegistryError
from tests.engine_contract import ignore, listed, reference, request

UNKNOWN = "sha256:" + "0" * 64


class RegistryContract:
    """The promises; a subclass gives `engine` with the upstream image, and an empty `repository` to push to."""

    @pytest.fixture
    def built(self, engine: RegistryEngine) -> ObservedImage:
        """Give an image of the tests' own."""
        engine.build(request("a", labels={"one": "1"}), ignore)
        image = listed(engine, reference("a"))
        assert image is not None
        return image

    @pytest.fixture
    def digest(self, engine: RegistryEngine, repository: str, built: ObservedImage) -> str:
        """Give the digest of the image, which was pushed."""
        engine.tag(built.id, f"{repository}:a")
        return engine.push(f"{repository}:a")

    def test_a_push_tells_the_digest(self, engine: RegistryEngine, repository: str, digest: str) -> None:
        """It is what the registry has from then on, and the same for the same image under another tag."""
        assert engine.remote_digest(f"{repository}:a") == digest
        engine.tag(reference("a"), f"{repository}:b")
        assert engine.push(f"{repository}:b") == digest

    def test_a_tag_in_the_registry_moves(self, engine: RegistryEngine, repository: str, digest: str) -> None:
        """What is pushed under it last has it, and what had it can still be had by its digest."""
        engine.build(request("c", labels={"one": "2"}), ignore)
        engine.tag(reference("c"), f"{repository}:a")
        other = engine.push(f"{repository}:a")
        assert engine.remote_digest(f"{repository}:a") == other != digest
        assert engine.fetch(repository, digest).labels["one"] == "1"
        engine.untag(f"{repository}@{digest}")

    def test_nothing_of_a_push_stays(self, engine: RegistryEngine, repository: str, digest: str) -> None:
        """With its tag taken away again, nothing here names the repository any more."""
        engine.untag(f"{repository}:a")
        image = listed(engine, reference("a"))
        assert image is not None
        assert not [each for each in (*image.tags, *image.digests) if each.startswith(repository)]
        assert digest

    def test_what_comes_is_what_went(
        self, engine: RegistryEngine, repository: str, built: ObservedImage, digest: str
    ) -> None:
        """By its digest an image comes back with its id and labels, onto an engine that had nothing of it left."""
        detail = engine.inspect(built.id)
        engine.untag(f"{repository}:a")
        engine.untag(reference("a"))
        assert engine.inspect(built.id) is None
        image = engine.fetch(repository, digest)
        assert (image.id, dict(image.labels)) == (built.id, dict(built.labels))
        assert f"{repository}@{digest}" in image.digests or image.id == digest
        engine.tag(image.id, reference("a"))
        engine.untag(f"{repository}@{digest}")
        again = listed(engine, reference("a"))
        assert again is not None
        assert again.tags == (reference("a"),)
        assert not [each for each in again.digests if each.startswith(repository)]
        assert _content(engine.inspect(reference("a"))) == _content(detail)

    def test_what_comes_and_is_not_kept(
        self, engine: RegistryEngine, repository: str, built: ObservedImage, digest: str
    ) -> None:
        """Without a tag it goes when the name by digest goes."""
        engine.untag(f"{repository}:a")
        engine.untag(reference("a"))
        engine.fetch(repository, digest)
        engine.untag(f"{repository}@{digest}")
        assert engine.inspect(built.id) is None

    def test_what_is_not_there(self, engine: RegistryEngine, repository: str, digest: str) -> None:
        """A registry that has no such image says so, and nothing is here afterwards."""
        assert digest
        with pytest.raises(NotInRegistryError, match=rf"^{repository}:never could not be looked up: "):
            engine.remote_digest(f"{repository}:never")
        with pytest.raises(RegistryError, match=rf"^the pull of {repository}@{UNKNOWN} failed: ") as caught:
            engine.fetch(repository, UNKNOWN)
        assert not caught.value.lasting
        with pytest.raises(RegistryError, match=rf"^the push of {repository}:never failed: "):
            engine.push(f"{repository}:never")


def _content(detail: ImageDetail | None) -> ImageDetail | None:
    return evolve(detail, tags=()) if detail else None
