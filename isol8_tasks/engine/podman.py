"""What Podman does otherwise than Docker: the digest of a reference, a tag of an image in use, and ONBUILD triggers.

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


def triggers(steps: Iterable[str]) -> tuple[str, ...]:
    """Return the ONBUILD triggers that the steps of an image leave, oldest first; of those, only arguments.

    Podman keeps all, and tells them in the history alone. There a build that dropped an argument, since it carried it
    out, has it as a step. Other triggers can't be told from those of a parent that were carried out.
    """
    found: list[str] = []
    for told in steps:
        step = _NO_LAYER.sub("", told, count=1).strip()
        word, _, trigger = step.partition(" ")
        if word == "ONBUILD" and trigger.startswith("ARG "):
            found.append(trigger)
        else:
            # Newer builders write what it comes to behind it.
            found = [each for each in found if step.partition("=")[0] != each.partition("=")[0]]
    return tuple(found)


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
