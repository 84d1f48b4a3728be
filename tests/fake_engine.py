"""An ImageEngine in memory, held to the real one by the tests of `engine_contract`."""

import hashlib
import os
import re
import threading
from collections.abc import Callable, Iterable, Mapping

from attrs import define, evolve, field, frozen

from isol8_tasks.dockerfile.slicing import slice_dockerfile
from isol8_tasks.dockerfile.syntax import Instruction, parse
from isol8_tasks.engine import (
    BuildEvent,
    BuildRequest,
    EngineInfo,
    ImageDetail,
    ObservedImage,
    OnBytes,
    OnEvent,
)
from isol8_tasks.engine.containers import Finished, NotStartedError, RunRequest
from isol8_tasks.engine.upkeep import Disk
from isol8_tasks.errors import (
    BuildFailedError,
    EngineError,
    EngineUnreachableError,
    LeaseLostError,
    NotInRegistryError,
    RegistryError,
    ReplacedError,
    SourceUnavailableError,
    UpstreamUnavailableError,
)
from isol8_tasks.images.labels import PREFIX, SCHEMA_LABEL
from isol8_tasks.plan.model import ImageSpec
from isol8_tasks.registry.client import RemoteImage
from isol8_tasks.registry.writing import RegistryWriter
from isol8_tasks.safety.redact import redact

UNREACHABLE = "no Docker Engine answers at fake:// (it is a fake): it was stopped\nStart it again."
DOCKERFILE = """\
FROM alpine:3.21 AS base
FROM base AS python
FROM base AS node
FROM base AS bun
FROM denoland/deno:alpine AS deno
FROM base AS bash
"""
"""The smallest of which all five bases can be built."""
HOLD_SECONDS = 30
"""How long a `RUN sleep …` waits to be cancelled."""


@frozen(kw_only=True)
class FakeImage:
    """An image of the fake engine."""

    id: str
    labels: Mapping[str, str] = {}
    onbuild: tuple[str, ...] = ()
    layers: tuple[str, ...] = ("sha256:" + "0" * 64,)
    steps: tuple[str, ...] = ()
    created: int = 0
    digests: tuple[str, ...] = ()
    platform: str = "linux/amd64"
    files: str = ""
    """The digest of its files, where that is not of its layers."""


@define
class FakeLease:
    """A lease that others have for a while, or that is lost."""

    others: list[str] = field(factory=list)
    """Who has it, at one question after another."""
    lost: LeaseLostError | None = None
    taken: bool = False

    def take(self) -> str:
        """Take it, once no other has it."""
        if self.others:
            return self.others.pop(0)
        self.taken = True
        return ""

    def confirm(self) -> None:
        """Raise what was lost."""
        if self.lost:
            raise self.lost

    def release(self) -> None:
        """Let go."""
        self.taken = False


@define(eq=False)
class FakeEngine:
    """Builds by reading the Dockerfile: `RUN echo` prints, `RUN false` fails, `RUN sleep` waits for `cancel`."""

    registry: dict[str, FakeImage] = field(factory=dict)
    """What can be pulled, by reference."""
    registry_fails: str = ""
    """What the registry says to whoever pushes or pulls by digest; empty for one that works."""
    login: bool = True
    """There is one for its registry."""
    reachable: bool = True
    builder: str = "buildkit"
    asked: list[str] = field(factory=list)
    """The questions and orders, in their order: `images`, `build isol8:bun`, …"""
    requests: list[BuildRequest] = field(factory=list)
    failure: str = "it was told to fail"
    """What a build prints that fails."""
    fail: set[str] = field(factory=set)
    """Tags that no build and nothing else gives; a candidate's without its build (`plain`)."""
    containers: set[str] = field(factory=set)
    """Ids of the images that containers were made of."""
    cache_bytes: int = 5000
    leased: FakeLease = field(factory=FakeLease)
    wanted: str = ""
    """The platform that it pulls and builds for; empty for its own."""
    reproducible: bool = False
    """Whether what is built again can come to what was there; most tests are about an image that is replaced."""
    by_layers: bool = False
    """Whether what is built on the same layers has the same ones, by whatever labels."""
    _images: dict[str, FakeImage] = field(factory=dict)
    _tags: dict[str, str] = field(factory=dict)
    _cache: set[str] = field(factory=set)
    _clock: int = 1_700_000_000
    _version: str = ""
    _cancelled: threading.Event = field(factory=threading.Event)
    _mutex: threading.RLock = field(factory=threading.RLock)

    def ping(self) -> None:
        """Answer, or refuse to."""
        self._ask("ping")

    def info(self) -> EngineInfo:
        """Tell that this is a fake."""
        self._ask("info")
        return EngineInfo(
            endpoint="fake://",
            id=f"fake {os.getpid()} {id(self)}",
            version="0.0",
            api="1.41",
            store="memory",
            builder=self.builder,
        )

    def version(self) -> str:
        """Return the version, once anything was asked."""
        return self._version

    def product(self) -> str:
        """Return whose engine it plays."""
        return "Docker"

    def platform(self) -> str:
        """Return what it was told to build for, or its own."""
        return self.wanted or self.own_platform()

    def own_platform(self) -> str:
        """Return one that most engines have."""
        self._ask("platform")
        return "linux/amd64"

    def images(self) -> tuple[ObservedImage, ...]:
        """List what has a tag, and others' images that have a digest."""
        self._ask("images")
        with self._mutex:
            tags: dict[str, list[str]] = {}
            for tag, image_id in self._tags.items():
                tags.setdefault(image_id, []).append(tag)
            for image in self._images.values():
                if image.digests and SCHEMA_LABEL not in image.labels:
                    tags.setdefault(image.id, [])
            return tuple(
                ObservedImage(
                    id=image_id,
                    tags=tuple(sorted(names)),
                    digests=self._images[image_id].digests,
                    labels=dict(self._images[image_id].labels),
                    created=self._images[image_id].created,
                    size=len(self._images[image_id].layers) * 1000,
                )
                for image_id, names in sorted(tags.items())
            )

    def ids(self) -> set[str]:
        """Return the ids of all that is held, tagged or not."""
        return set(self._images)

    def inspect(self, reference: str) -> ImageDetail | None:
        """Return what is known of an image."""
        self._ask(f"inspect {reference}")
        with self._mutex:
            image = self._find(reference)
            tags = sorted(tag for tag, each in self._tags.items() if image and each == image.id)
        if image is None:
            return None
        return ImageDetail(
            id=image.id,
            created="2026-11-22T00:00:00Z",
            size=len(image.layers) * 1000,
            tags=tuple(tags),
            onbuild=image.onbuild,
            layers=image.layers,
            platform=image.platform,
            configuration={
                "Labels": dict(image.labels),
                **({"OnBuild": image.onbuild} if image.onbuild else {}),
                **({} if self.reproducible else {"Author": image.id}),
            },
        )

    def files(self, reference: str) -> str:
        """Return the digest that an image was given, or one of its layers."""
        self._ask(f"files {reference}")
        image = self._find(reference)
        return (image.files or _digest(*image.layers)) if image else ""

    def steps(self, reference: str) -> tuple[str, ...]:
        """Return the steps of an image."""
        self._ask(f"steps {reference}")
        image = self._find(reference)
        return image.steps if image else ()

    def pull(self, reference: str, on_bytes: OnBytes | None = None) -> None:
        """Take an image from the registry."""
        self._ask(f"pull {reference}")
        with self._mutex:
            if reference not in self.registry:
                raise UpstreamUnavailableError(f"{reference} could not be pulled: there is no such image")
            image = self.registry[reference]
            if on_bytes:
                on_bytes(1000, 1000)
            self._images[image.id] = image
            if "@" not in reference:
                self._tags[reference] = image.id

    def lease(self, folder: str) -> "FakeLease":  # noqa: ARG002 - nobody asks it who has it
        """Return the one that there is."""
        return self.leased

    def build(self, request: BuildRequest, on_event: OnEvent) -> str:
        """Go through the Dockerfile's steps, and tag what they make."""
        self._ask(f"build {plain(request.tag)}")
        self._cancelled.clear()
        with self._mutex:
            self.requests.append(request)
        text = slice_dockerfile(parse(request.dockerfile), request.target, request.args)
        image = FakeImage(id="")
        stages: dict[str, FakeImage] = {}
        name = ""
        instructions = parse(text).instructions
        steps = [each for each in instructions if each.keyword in {"FROM", "RUN", "COPY"}]
        for step in instructions:
            if step.keyword == "FROM":
                stages[name] = image
                image, name = self._begin(request, step, stages)
            number = steps.index(step) + 1 if step in steps else 0
            image = self._step(request, image, step, (number, len(steps)), on_event)
        if plain(request.tag) in self.fail:
            raise _failed(request, "RUN", "", (self.failure,))
        return self._finish(request, image)

    def tag(self, source: str, target: str) -> None:
        """Move a tag."""
        self._ask(f"tag {source} {target}")
        self.leased.confirm()
        with self._mutex:
            image = self._find(source)
            if target in self.fail:
                raise EngineError(f"the engine did not tag {source} as {target}: it was told to fail")
            if image is None:
                raise ReplacedError(f"{target} was not moved: {source} was removed by another run; run again")
            self._tags[target] = image.id

    def untag(self, reference: str) -> None:
        """Take a tag or an image away."""
        self._ask(f"untag {reference}")
        self.leased.confirm()
        with self._mutex:
            if "@" in reference:
                self._forget_digests(lambda digest: digest == reference)
                return
            image = self._find(reference)
            if image is None:
                return
            tags = [tag for tag, image_id in self._tags.items() if image_id == image.id]
            if image.id in self.containers and len(tags) < 2:
                raise EngineError(f"the engine did not remove {reference}: a container uses it")
            if reference.startswith("sha256:") and len(tags) > 1:
                raise EngineError(f"the engine did not remove {reference}: several tags point to it")
            self._tags.pop(tags[0] if reference.startswith("sha256:") and tags else reference, None)
            repository = reference.rpartition(":")[0]
            if not any(
                tag.rpartition(":")[0] == repository for tag in self._tags if self._tags[tag] == image.id
            ):
                self._forget_digests(lambda digest: digest.startswith(f"{repository}@"))
            if image.id not in self._tags.values():
                self._images.pop(image.id, None)

    def nameless(self) -> tuple[ObservedImage, ...]:
        """List what was ours and lost its last tag."""
        self._ask("nameless")
        with self._mutex:
            return tuple(
                ObservedImage(id=image.id, labels=dict(image.labels), created=image.created, size=1000)
                for image in self._images.values()
                if image.id not in self._tags.values() and f"{PREFIX}schema" in image.labels
            )

    def remote_digest(self, reference: str) -> str:
        """Return the digest of what can be pulled."""
        self._ask(f"remote_digest {reference}")
        image = self.registry.get(reference)
        if self.registry_fails:
            raise SourceUnavailableError(f"{reference} could not be looked up: {self.registry_fails}")
        if image is None or not image.digests:
            raise NotInRegistryError(f"{reference} could not be looked up: manifest unknown")
        return image.digests[0].partition("@")[2]

    def remote_images(self, repository: str, tags: Iterable[str]) -> dict[str, RemoteImage]:
        """Return what can be pulled, of what has these tags."""
        wanted = tuple(tags)
        self._ask(f"remote_images {repository} {' '.join(wanted)}")
        if self.registry_fails:
            raise SourceUnavailableError(f"{repository}: {self.registry_fails}")
        found = {
            tag: self.registry[name]
            for tag in wanted
            if (name := f"{repository}{'@' if ':' in tag else ':'}{tag}") in self.registry
        }
        return {
            tag: RemoteImage(
                digest=image.digests[0].partition("@")[2],
                image=ObservedImage(id=image.id, digests=image.digests, labels=dict(image.labels), size=1000),
            )
            for tag, image in found.items()
        }

    def remote_tags(self, repository: str) -> dict[str, str]:
        """Return the digests of what can be pulled by a tag."""
        self._ask(f"remote_tags {repository}")
        return {
            reference.removeprefix(f"{repository}:"): image.digests[0].partition("@")[2]
            for reference, image in self.registry.items()
            if reference.startswith(f"{repository}:")
        }

    def remote_delete(self, repository: str, digest: str) -> None:
        """Let nothing of that digest be pulled any more."""
        self._ask(f"remote_delete {repository} {digest}")
        if self.registry_fails:
            raise RegistryError(f"{repository} does not delete it: {self.registry_fails}", lasting=True)
        for reference, image in tuple(self.registry.items()):
            if f"{repository}@{digest}" in image.digests:
                del self.registry[reference]

    def remote_writer(self, repository: str) -> RegistryWriter:
        """Give nobody who writes: what is written there is tried with a registry."""
        raise NotImplementedError(repository)

    def has_login(self, repository: str) -> bool:
        """Tell whether somebody is logged in."""
        self._ask(f"has_login {repository}")
        return self.login

    def push(self, reference: str, on_bytes: OnBytes | None = None) -> str:
        """Let the registry have what is under a tag; the name by digest is an image's as long as it has such a tag."""
        self._ask(f"push {reference}")
        repository = reference.rpartition(":")[0]
        image = self._find(reference)
        if image is None or self.registry_fails:
            reason = self.registry_fails or "an image does not exist locally with that tag"
            raise RegistryError(f"the push of {reference} failed: {reason}", lasting="denied" in reason)
        digest = "sha256:" + _digest("manifest", image.id)
        if on_bytes:
            on_bytes(3, 9)
        there = evolve(image, digests=(f"{repository}@{digest}",))
        self.registry |= {reference: there, f"{repository}@{digest}": there}
        self._images[image.id] = evolve(image, digests=tuple({*image.digests, *there.digests}))
        return digest

    def fetch(self, repository: str, digest: str, on_bytes: OnBytes | None = None) -> ObservedImage:
        """Take an image from the registry, and give it no tag."""
        by_digest = f"{repository}@{digest}"
        self._ask(f"fetch {by_digest}")
        found = self.registry.get(by_digest)
        if found is None or self.registry_fails:
            reason = self.registry_fails or "manifest unknown"
            raise RegistryError(f"the pull of {by_digest} failed: {reason}")
        here = self._images.get(found.id, evolve(found, digests=()))
        self._images[found.id] = evolve(here, digests=tuple({*here.digests, by_digest}))
        if on_bytes:
            on_bytes(1000, 1000)
        return ObservedImage(
            id=found.id, digests=self._images[found.id].digests, labels=dict(found.labels), size=1000
        )

    def used(self) -> frozenset[str]:
        """Tell which images have containers."""
        self._ask("used")
        return frozenset(self.containers)

    def disk(self) -> Disk:
        """Count a thousand bytes for each layer."""
        self._ask("disk")
        with self._mutex:
            layers = {layer for image in self._images.values() for layer in image.layers}
        return Disk(images=len(layers) * 1000, cache=self.cache_bytes)

    def forget_builds(self, keep: int) -> None:
        """Forget what is more than `keep`."""
        self._ask(f"forget {keep}")
        self.cache_bytes = min(self.cache_bytes, keep)

    def run(self, request: RunRequest) -> Finished:
        """Run nothing: what runs an image is tested on a real one."""
        raise NotStartedError(f"a fake can't run {request.image}", "it is a fake")

    def modes(self, image: str, folder: str) -> tuple[tuple[str, int], ...]:
        """List nothing, as above."""
        raise NotImplementedError(f"a fake has no {folder} in {image}")

    def entrypoint(self, image: str) -> tuple[str, ...]:
        """Name none, as above."""
        raise NotImplementedError(f"a fake has no ENTRYPOINT in {image}")

    def sweep(self) -> None:
        """Find nothing left over."""
        self._ask("sweep")

    def cancel(self, *, for_good: bool = False) -> None:  # noqa: ARG002 - nobody begins anything here later
        """Wake the builds that wait."""
        self._cancelled.set()

    def close(self) -> None:
        """Forget that anything was asked."""
        self._version = ""

    def put(self, tag: str, image: FakeImage) -> None:
        """Let an image be there that nobody here built."""
        with self._mutex:
            self._images[image.id] = image
            self._tags[tag] = image.id

    def candidates(self) -> list[BuildRequest]:
        """Return the builds of candidates, in their order, as under a tag that all builds of an image share."""
        found = (each for each in self.requests if each.labels.get(f"{PREFIX}role") == "candidate")
        return [evolve(each, tag=plain(each.tag)) for each in found]

    def builds(self) -> list[str]:
        """Return the tags that were built, in their order."""
        return [request.tag for request in self.requests]

    def _ask(self, what: str) -> None:
        with self._mutex:
            self.asked.append(what)
            if not self.reachable:
                raise EngineUnreachableError(UNREACHABLE)
            self._version = "0.0"

    def _forget_digests(self, goes: Callable[[str], bool]) -> None:
        for image in list(self._images.values()):
            left = tuple(digest for digest in image.digests if not goes(digest))
            if left == image.digests:
                continue
            if left or image.id in self._tags.values():
                self._images[image.id] = evolve(image, digests=left)
            else:
                del self._images[image.id]

    def _find(self, reference: str) -> FakeImage | None:
        repository, at, digest = reference.partition("@")
        by_digest = f"{re.sub(r':[^/]*$', '', repository)}@{digest}"
        with self._mutex:
            if at:
                return next((image for image in self._images.values() if by_digest in image.digests), None)
            return self._images.get(self._tags.get(reference, reference))

    def _begin(
        self, request: BuildRequest, step: Instruction, stages: Mapping[str, FakeImage]
    ) -> tuple[FakeImage, str]:
        words = step.rest.split()
        variables = {**_defaults(request.dockerfile), **request.args}
        parent = re.sub(r"\$\{?(\w+)\}?", lambda found: variables.get(found[1], ""), words[0])
        found = stages.get(parent) or self._find(parent) or self.registry.get(parent)
        if found is None:
            raise _failed(request, f"FROM {parent}", f"{parent}: no such image")
        # A child begins without its parent's triggers.
        return evolve(found, onbuild=()), words[2] if len(words) > 2 else ""

    def _step(
        self,
        request: BuildRequest,
        image: FakeImage,
        step: Instruction,
        place: tuple[int, int],
        on_event: OnEvent,
    ) -> FakeImage:
        name, (number, total) = f"{step.keyword} {redact(step.rest)}", place
        if step.keyword != "FROM":
            image = evolve(image, steps=(*image.steps, name))
        if step.keyword == "ONBUILD":
            return evolve(image, onbuild=(*image.onbuild, step.rest))
        if step.keyword not in {"FROM", "RUN", "COPY"}:
            return evolve(image, id=_digest(image.id, step.keyword, step.rest))
        key = _digest(*(image.layers if self.by_layers else [image.id]), name, *request.args.values())
        kept = key in self._cache and not request.no_cache
        kind = "cached" if kept else "step"
        on_event(BuildEvent(kind="cached" if kept else "step", step=name, number=number, total=total))
        output: list[str] = []
        if step.keyword == "RUN" and kind == "step":
            for line in re.findall(r"echo ([^;&]+)", step.rest):
                output.append(redact(line.strip()))
                on_event(
                    BuildEvent(kind="log", step=name, number=number, total=total, line=redact(line.strip()))
                )
            if "sleep" in step.rest and self._cancelled.wait(HOLD_SECONDS):
                raise EngineError(f"the build of {request.tag} was aborted")
            if re.search(r"\bfalse\b", step.rest):
                raise _failed(request, f"[{number}/{total}] {name}", "exit code 1", tuple(output))
        if step.keyword == "COPY" and not step.flags and step.rest.split()[0] not in {*request.context, "."}:
            raise _failed(request, f"[{number}/{total}] {name}", "not found")
        self._cache.add(key)
        if step.keyword == "FROM":
            return image
        return evolve(image, id=key, layers=(*image.layers, f"sha256:{key}"))

    def _finish(self, request: BuildRequest, image: FakeImage) -> str:
        with self._mutex:
            self._clock += 1
            labels = {**image.labels, **request.labels}
            salt = str(self._clock) if request.no_cache else ""
            digest = _digest(image.id, repr(sorted(labels.items())), repr(image.onbuild), salt)
            made = evolve(image, id=f"sha256:{digest}", labels=labels, created=self._clock, digests=())
            self._images.setdefault(made.id, made)
            self._tags[request.tag] = made.id
            return made.id


def plain(tag: str) -> str:
    """Return a tag without what tells the candidates of an image apart."""
    return re.sub(r"-\d{8}T\d{6}Z-[0-9a-f]{16}-candidate$", "-candidate", tag)


def accept(_spec: ImageSpec, _candidate: str) -> str:
    """Accept every image, and find nothing in it."""
    return ""


def _failed(request: BuildRequest, step: str, reason: str, output: tuple[str, ...] = ()) -> BuildFailedError:
    return BuildFailedError(f"{request.tag} could not be built: {step}: {reason}", step=step, output=output)


def _defaults(dockerfile: str) -> dict[str, str]:
    return dict(re.findall(r"^ARG (\w+)=(\S+)", dockerfile, re.MULTILINE))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
