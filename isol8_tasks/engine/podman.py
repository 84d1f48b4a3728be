"""What Podman does otherwise than Docker: the digest of a reference, a tag of an image in use, its history.

Docker asks registries for others; here those are asked that Podman would pull from, as it tells in its own API
(containers-registries.conf(5)).
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from isol8_tasks.engine.connection import Connection
from isol8_tasks.engine.listing import docker_names
from isol8_tasks.engine.wire import quoted, repository_and_tag
from isol8_tasks.errors import NotInRegistryError, SourceUnavailableError
from isol8_tasks.images.references import Reference

if TYPE_CHECKING:
    from isol8_tasks.registry.client import RegistryClient

_DOCKER: Final = "docker.io"
_NO_LAYER: Final = re.compile(r"/bin/sh -c #\(nop\) +")


def digest_by_podman(
    connection: Connection, reference: str, client: Callable[[str], "RegistryClient"]
) -> str:
    """Do what RegistryEngine.remote_digest promises; `client` is that of a repository."""
    found = connection.call("GET", "/libpod/info", "report its registries") or {}
    wanted = Reference.parse(reference)
    problem = ""
    for repository in places(found.get("registries") or {}, wanted):
        try:
            if digest := client(repository).digest(wanted.digest or wanted.tag or "latest"):
                return digest
        except SourceUnavailableError as error:
            problem = problem or str(error)
    if problem:
        raise SourceUnavailableError(f"{reference} could not be looked up: {problem}")
    raise NotInRegistryError(f"{reference} could not be looked up: {wanted.registry} has no such image")


def steps(connection: Connection, reference: str) -> tuple[str, ...]:
    """Do what ImageEngine.steps promises."""
    told = (step for step, _ in _history(connection, reference))
    # An argument that has no value; those of a trigger come with each relabelling.
    return tuple(step for step in told if _NO_LAYER.sub("", step, count=1).strip() != "ARG")


def triggers(connection: Connection, reference: str) -> tuple[str, ...]:
    """Return the ONBUILD triggers of an image, which Podman keeps, and tells in the history alone: only arguments."""
    return triggers_in(_history(connection, reference))


def triggers_in(history: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return the arguments that the next build gets, by each step of an image and its comment, oldest first.

    A build drops what its parent has, since it carries it out. One of Podman's begins with a comment; in others the
    argument itself is a step. Whether another trigger is one of a parent that was carried out, nobody can tell.
    """
    found: list[str] = []
    for told, comment in history:
        step = _NO_LAYER.sub("", told, count=1).strip()
        word, _, trigger = step.partition(" ")
        # In Podman 4.3 each step begins with one, and names the step before it by an id.
        if comment.startswith("FROM ") and "/" in comment:
            found = []
        if word == "ONBUILD" and trigger.startswith("ARG "):
            found.append(trigger)
        else:
            # Newer builders write what it comes to behind it.
            found = [each for each in found if step.partition("=")[0] != each.partition("=")[0]]
    return tuple(found)


def _history(connection: Connection, reference: str) -> list[tuple[str, str]]:
    """Return the steps of an image with their comments, oldest first.

    Where a step has no time, Podman 5.8 fails at the question that Docker has for it.
    """
    path = f"/libpod/images/{quoted(reference)}/json"
    found = connection.call("GET", path, f"report the history of {reference}").get("History") or ()
    return [(str(each.get("created_by") or ""), str(each.get("comment") or "")) for each in found]


def untag_in_use(connection: Connection, reference: str) -> None:
    """Take the last tag from an image that a container uses; `force` would remove the container, too."""
    path = f"/images/{quoted(reference)}"
    found = connection.call("GET", f"{path}/json", f"inspect {reference}")
    # It finds an image by a short name, and its tag by none.
    names = found.get("RepoTags") or ()
    own = next((each for each in names if docker_names([each], podman=True) == (reference,)), reference)
    repository, tag = repository_and_tag(own)
    connection.call("POST", f"/libpod{path}/untag", f"remove {reference}", {"repo": repository, "tag": tag})


def places(registries: Mapping[str, Any], reference: Reference) -> Iterator[str]:
    """Yield the repositories in which Podman looks for an image, in its order: mirrors before the registry itself."""
    library = "library/" if reference.registry == _DOCKER and "/" not in reference.path else ""
    name = f"{reference.registry}/{library}{reference.path}"
    known = [each for each in registries.values() if isinstance(each, dict) and _has(each, name)]
    if not known:
        yield name
        return
    registry = max(known, key=lambda each: len(each["Prefix"]))
    kind = "digest-only" if reference.digest else "tag-only"
    rest = name.removeprefix(registry["Prefix"])
    for mirror in registry.get("Mirrors") or ():
        if mirror.get("PullFromMirror") in {None, "", "all", kind}:
            yield f"{mirror['Location']}{rest}"
    yield f"{registry.get('Location') or registry['Prefix']}{rest}"


def _has(registry: Mapping[str, Any], name: str) -> bool:
    prefix = registry.get("Prefix")
    return bool(prefix) and (name == prefix or name.startswith(f"{prefix}/"))
