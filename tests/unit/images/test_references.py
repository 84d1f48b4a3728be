"""References of images, after the distribution project's grammar."""

import pytest

from isol8_tasks.images.references import Reference, short_names, tag_of

DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("text", "repository", "tag", "digest"),
    [
        ("alpine", "alpine", "", ""),
        ("alpine:3.21", "alpine", "3.21", ""),
        (f"alpine@{DIGEST}", "alpine", "", DIGEST),
        (f"alpine:3.21@{DIGEST}", "alpine", "3.21", DIGEST),
        ("localhost:5000/alpine", "localhost:5000/alpine", "", ""),
        ("localhost:5000/alpine:3.21", "localhost:5000/alpine", "3.21", ""),
        (f"[2001:db8::1]:5000/a/b__c:x@{DIGEST}", "[2001:db8::1]:5000/a/b__c", "x", DIGEST),
        ("Registry.example/team/a-b.c", "Registry.example/team/a-b.c", "", ""),
    ],
)
def test_it_is_taken_apart_and_put_together(text: str, repository: str, tag: str, digest: str) -> None:
    """Nothing of what was written is lost."""
    found = Reference.parse(text)
    assert (found.repository, found.tag, found.digest) == (repository, tag, digest)
    assert str(found) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", ":3.21", "alpine:", "alpine@", "Alpine", "alpine ", "-a", "a:-b", "a//b", "ålpine", "a/" * 9),
        *("alpine:3.21@sha256:12", "http://registry.example/alpine", "x" * 256, f"alpine:{'x' * 129}"),
    ],
)
def test_what_is_none(text: str) -> None:
    """Docker refuses it, too."""
    with pytest.raises(ValueError, match=r"is not an image reference such as alpine:3\.21"):
        Reference.parse(text)


@pytest.mark.parametrize(
    ("text", "registry", "path", "name"),
    [
        ("alpine", "docker.io", "alpine", "alpine:latest"),
        ("docker.io/library/alpine:3.21", "docker.io", "alpine", "alpine:3.21"),
        ("index.docker.io/library/alpine", "docker.io", "alpine", "alpine:latest"),
        ("docker.io/denoland/deno:alpine", "docker.io", "denoland/deno", "denoland/deno:alpine"),
        ("team/alpine:1", "docker.io", "team/alpine", "team/alpine:1"),
        ("localhost/alpine", "localhost", "alpine", "localhost/alpine:latest"),
        ("localhost:5000/alpine", "localhost:5000", "alpine", "localhost:5000/alpine:latest"),
        (
            "registry.example/library/alpine",
            "registry.example",
            "library/alpine",
            "registry.example/library/alpine:latest",
        ),
        ("Registry/alpine", "Registry", "alpine", "Registry/alpine:latest"),
        (f"alpine:3.21@{DIGEST}", "docker.io", "alpine", f"alpine@{DIGEST}"),
    ],
)
def test_where_it_is_and_how_an_engine_lists_it(text: str, registry: str, path: str, name: str) -> None:
    """Docker's own registry and its folder are left out of names; a digest decides over a tag."""
    found = Reference.parse(text)
    assert (found.registry, found.path, found.name) == (registry, path, name)


def test_the_same_repository_by_digest() -> None:
    """A tag is left out, since a registry keeps what it named before."""
    assert str(Reference.parse("localhost:5000/alpine:3.21").at(DIGEST)) == f"localhost:5000/alpine@{DIGEST}"


class TestShortNames:
    """Names that are the same at every mirror."""

    def test_the_last_part_of_the_path_and_the_tag(self) -> None:
        """As locks have had them."""
        assert short_names(["mirror.example/hub/alpine:3.21", "denoland/deno:alpine"]) == {
            "alpine:3.21": "mirror.example/hub/alpine:3.21",
            "deno:alpine": "denoland/deno:alpine",
        }

    def test_as_much_as_tells_them_apart(self) -> None:
        """More of the path, and the registry where nothing else differs."""
        assert short_names(["a.example/one/alpine:3", "a.example/two/alpine:3"]) == {
            "one/alpine:3": "a.example/one/alpine:3",
            "two/alpine:3": "a.example/two/alpine:3",
        }
        assert short_names(["alpine:3", "team/alpine:3"]) == {
            "alpine:3": "alpine:3",
            "team/alpine:3": "team/alpine:3",
        }
        assert short_names(["a.example/alpine:3", "b.example/alpine:3"]) == {
            "a.example/alpine:3": "a.example/alpine:3",
            "b.example/alpine:3": "b.example/alpine:3",
        }
        assert short_names([]) == {}

    def test_a_digest_is_part_of_it(self) -> None:
        """The Dockerfile asks for it, so that another one is asked for by another name."""
        assert short_names([f"alpine:3.21@{DIGEST}"]) == {f"alpine:3.21@{DIGEST}": f"alpine:3.21@{DIGEST}"}


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("isol8:bun", "bun"),
        ("localhost:5000/isol8", ""),
        (f"isol8@{DIGEST}", ""),
        ("isol8:", ""),
        ("a b:c", ""),
    ],
)
def test_tag_of_anything(text: str, tag: str) -> None:
    """A port is no tag, nor is a digest, and what is no reference has none."""
    assert tag_of(text) == tag
