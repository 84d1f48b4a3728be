"""Images as targets of `docker buildx bake`, whose results are candidates: verified and promoted by the next run.

The form is that of a bake file in JSON (docs.docker.com/build/bake/reference), in which `${` and `%{` begin what is
filled in, and are doubled where they are meant.
"""

import datetime as dt
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from attrs import evolve, frozen

from isol8_tasks.dockerfile.stages import stages
from isol8_tasks.dockerfile.syntax import parse
from isol8_tasks.engine import BuildRequest, FileContent, ImageEngine
from isol8_tasks.images.candidates import candidate_tag
from isol8_tasks.images.labels import STANDIN
from isol8_tasks.images.observed import Observed, marker_tag
from isol8_tasks.lifecycle.build import build_packages, request_of
from isol8_tasks.lifecycle.secretly import secret_build
from isol8_tasks.lifecycle.tidying import tidied
from isol8_tasks.plan.description import Provenance, describe
from isol8_tasks.plan.model import ImageSpec

MOST_TARGETS: Final = 25
"""In a file. All are built at once, and BuildKit loses some then ("no such job"): of 205, on a busy machine of 100."""

NOTHING: Final = f"{json.dumps({'group': {'default': {'targets': []}}}, indent=2)}\n"
"""A file of which bake builds nothing, and ends well; it wants no table of targets then."""


@frozen(kw_only=True)
class Target:
    """An image that is to be baked."""

    spec: ImageSpec
    request: BuildRequest
    contexts: Mapping[str, str]
    """Where its upstream images are found, by their references: by digest, so far as they are in a registry."""


def targets(
    specs: Sequence[tuple[ImageSpec, Mapping[str, FileContent]]],
    observed: Observed,
    engine: ImageEngine,
    provenance: Provenance,
    now: dt.datetime,
) -> list[Target]:
    """Return the targets of images, parents first; what is based on one of them is based on its candidate."""
    found: list[Target] = []
    triggers: dict[str, str] = {}
    for spec, context in specs:
        described = describe(spec, observed, provenance)
        handed_on = triggers.get(spec.parent or "") if spec.kind == "named" else None
        request = _final(spec, request_of(spec, described, observed, engine, context, handed_on=handed_on))
        triggers[spec.name] = _triggers(request)
        build = described.record.build
        tag = candidate_tag(observed.repository, spec.name, build, now)
        found.append(Target(spec=spec, request=evolve(request, tag=tag), contexts=_pinned(spec, observed)))
        tags = (observed.public_tag(spec.name), marker_tag(spec.name, observed.repository))
        observed = observed.moved(f"baked:{build}", described.promoted(""), *tags)
    return found


def render_bake(
    found: Sequence[Target], observed: Observed, folder: str, source: Callable[[str], str]
) -> list[str]:
    """Return the texts of the files, each of which has all that its targets are based on.

    Without targets that is one file that bakes nothing. `folder` is docker/, and `source` tells where a secret is
    (`SecretSource.option`).
    """
    return [_render(each, observed, folder, source) for each in _files(found)] or [NOTHING]


def _final(spec: ImageSpec, request: BuildRequest) -> BuildRequest:
    """Return a request with the steps that an engine is asked for."""
    asked: list[BuildRequest] = []

    def build(request: BuildRequest, _on_event: object) -> str:
        asked.append(request)
        return ""

    way = secret_build(build, spec) if spec.secrets else build
    build_packages(spec, None, request, tidied(way, spec), lambda _event: None)
    return asked[-1]


def _triggers(request: BuildRequest) -> str:
    """Return the steps that the result hands on to what is based on it: variables of package indexes."""
    known = stages(parse(request.dockerfile))
    built = next((each for each in known if each.name == (request.target or "").lower()), known[-1])
    return "".join(
        f"ONBUILD {each.rest}\n"
        for each in built.steps
        if each.keyword == "ONBUILD" and each.rest.upper().startswith("ARG ")
    )


def _pinned(spec: ImageSpec, observed: Observed) -> dict[str, str]:
    known = ((reference, observed.tagged(reference)) for reference, _ in spec.inputs.upstream)
    return {
        reference: f"docker-image://{reference.partition('@')[0]}@{digest}"
        for reference, image in known
        # A stand-in is in no registry, whatever an engine calls its digest.
        if image and not image.labels.get(STANDIN) and (digest := image.digest(reference))
    }


def _files(found: Sequence[Target]) -> Iterator[list[Target]]:
    """Yield what is in each file: whole chains, as far as they fit, and else their beginnings again."""
    by_name = {each.spec.name: each for each in found}
    file: dict[str, Target] = {}
    for chain in sorted((_chain(each, by_name) for each in found), key=lambda chain: chain[0].spec.name):
        missing = {each.spec.name: each for each in chain if each.spec.name not in file}
        if file and len(file) + len(missing) > MOST_TARGETS:
            yield [*file.values()]
            file, missing = {}, {each.spec.name: each for each in chain}
        file |= missing
    if file:
        yield [*file.values()]


def _chain(target: Target, by_name: Mapping[str, Target]) -> list[Target]:
    chain = [target]
    while (parent := chain[0].spec.parent) and parent in by_name:
        chain.insert(0, by_name[parent])
    return chain


def _render(file: Iterable[Target], observed: Observed, folder: str, source: Callable[[str], str]) -> str:
    names = {each.spec.name: re.sub(r"[^A-Za-z0-9_-]", "_", each.spec.name) for each in file}
    found = {
        "group": {"default": {"targets": [*names.values()]}},
        "target": {names[each.spec.name]: _target(each, names, observed, folder, source) for each in file},
    }
    return f"{json.dumps(found, indent=2)}\n"


def _target(
    target: Target,
    names: Mapping[str, str],
    observed: Observed,
    folder: str,
    source: Callable[[str], str],
) -> dict[str, Any]:
    spec, request = target.spec, target.request
    contexts = dict(target.contexts)
    if spec.parent and spec.parent in names:
        contexts[observed.public_tag(spec.parent)] = f"target:{names[spec.parent]}"
    return {
        "context": _literal(folder),
        "dockerfile-inline": _literal(request.dockerfile),
        **({"target": spec.target} if spec.target else {}),
        **({"contexts": contexts} if contexts else {}),
        **({"secret": [_literal(source(name)) for name in request.secrets]} if request.secrets else {}),
        "args": {name: _literal(value) for name, value in request.args.items()},
        "labels": {name: _literal(value) for name, value in request.labels.items()},
        **({"platforms": [spec.inputs.platform]} if spec.inputs.platform else {}),
        "tags": [request.tag],
        "attest": ["type=provenance,disabled=true", "type=sbom,disabled=true"],
        "output": ["type=docker"],
    }


def _literal(text: str) -> str:
    return text.replace("${", "$${").replace("%{", "%%{")
