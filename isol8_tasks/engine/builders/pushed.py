"""Results of builders elsewhere by way of a registry: pushed by digest, without a tag, and pulled from there.

What a push at the end of a run refuses by the image, this refuses by what the image would be made of: it would be
in the registry before anybody looked into it.
"""

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from attrs import frozen

from isol8_tasks.engine import BuildRequest, ObservedImage
from isol8_tasks.engine.connection import Connection
from isol8_tasks.engine.wire import EngineRefusedError, quoted, repository_and_tag
from isol8_tasks.errors import EngineError, RegistryError, SourceUnavailableError
from isol8_tasks.images import labels
from isol8_tasks.safety.credentials import Redactor, exposed
from isol8_tasks.safety.jsontext import loads

_DEFAULT: Final = r"(?im)^[ \t]*(?:ARG|ENV)[ \t]+(\w+)=(\S+)"
_ROUNDS: Final = 3
"""Of replacing variables by values, which may name variables themselves."""


@frozen(kw_only=True)
class Passage:
    """The registry that results may go through, and what it may have."""

    repository: str = ""
    """Empty for none: results come as an archive."""
    standins: bool = False
    credentials: bool = False


class ResultRegistry(Protocol):
    """What is asked of the registry, as isol8_tasks.engine.registry promises it."""

    def fetch(self, repository: str, digest: str) -> ObservedImage:
        """Pull the image of that digest."""

    def remote_delete(self, repository: str, digest: str) -> None:
        """Delete it there."""


def may_pass(
    request: BuildRequest, passage: Passage, connection: Connection, environ: Mapping[str, str]
) -> bool:
    """Tell whether a push at the end of the run would refuse nothing of what the image is made of."""
    if not passage.repository:
        return False
    parents = [_asked(connection, image_id, "json") for image_id in request.built_on.values()]
    made_of = [request.labels, *((each.get("Config") or {}).get("Labels") or {} for each in parents)]
    if not passage.standins and any(each.get(labels.STANDIN) or _standin(each) for each in made_of):
        return False
    if passage.credentials:
        return True
    texts = [*request.labels.values(), *_resolved(request.dockerfile, request.args)]
    for image_id, parent in zip(request.built_on.values(), parents, strict=True):
        config = parent.get("Config") or {}
        texts += [*(config.get("Env") or ()), *(config.get("OnBuild") or ())]
        texts += (config.get("Labels") or {}).values()
        texts += (str(each.get("CreatedBy") or "") for each in _asked(connection, image_id, "history"))
    redactor = Redactor.of(request.args.items(), environ)
    # The history has the value of each argument that a step may use.
    return exposed([*texts, *request.args.values()], request.args, redactor) is None


def pushing(passage: Passage, file: Path) -> tuple[str, ...]:
    """Return how buildx is told to push the result, and to write its digest into a file."""
    output = (
        f"--output=type=image,name={passage.repository},push-by-digest=true,name-canonical=true,push=true"
    )
    return (output, f"--metadata-file={file}")


def digest_in(file: Path) -> str:
    """Return the digest that buildx wrote; EngineError if it did not."""
    try:
        return str(loads(file.read_bytes())["containerimage.digest"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineError("docker buildx ended without the digest of what it pushed") from error


def pull_pushed(
    connection: Connection, passage: Passage, digest: str, tag: str, remote: "ResultRegistry"
) -> str:
    """Let the engine have what was pushed, under a tag, and the registry nothing of it; return its id.

    What the registry does not let be deleted stays there without a tag. RegistryError says that it did not give it.
    """
    found = remote.fetch(passage.repository, digest)
    name, short = repository_and_tag(tag)
    path = f"/images/{quoted(found.id)}/tag"
    connection.call("POST", path, f"tag {found.id} as {tag}", {"repo": name, "tag": short})
    # Some engines keep no name by digest.
    with contextlib.suppress(EngineRefusedError):
        connection.call("DELETE", f"/images/{quoted(f'{passage.repository}@{digest}')}", f"untag {digest}")
    with contextlib.suppress(RegistryError, SourceUnavailableError):
        remote.remote_delete(passage.repository, digest)
    return found.id


def parent_in(passage: Passage, image_id: str, connection: Connection) -> str:
    """Return where a builder finds an image in that registry, as `--build-context` has it; empty if it is not there."""
    found: Sequence[str] = _asked(connection, image_id, "json").get("RepoDigests") or ()
    own = (each for each in found if each.startswith(f"{passage.repository}@"))
    return next((f"docker-image://{each}" for each in own), "")


def _standin(found: Mapping[str, str]) -> str:
    return found.get(f"{labels.PREFIX}standin", "")


def _asked(connection: Connection, image_id: str, what: str) -> Any:  # noqa: ANN401 - JSON
    return connection.call("GET", f"/images/{quoted(image_id)}/{what}", f"inspect {image_id}")


def _resolved(dockerfile: str, arguments: Mapping[str, str]) -> Iterator[str]:
    """Yield the Dockerfile, also with values in the place of variables, as history and environment have them."""
    known = {**dict(re.findall(_DEFAULT, dockerfile)), **arguments}
    for _ in range(_ROUNDS):
        yield dockerfile
        dockerfile = re.sub(
            r"\$(?:\{(\w+)[^}]*\}|(\w+))",
            lambda found: known.get(found[1] or found[2], found[0]),
            dockerfile,
        )
    yield dockerfile
