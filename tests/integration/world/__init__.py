"""Sources of images and packages on this machine, which a test moves.

A registry with copies of the upstream images, a package repository of Alpine's, a wheel index and an npm registry,
all real to the tools that ask them, served from this process, and gone with the `with` that made them:

    with open_world(docker_api, tools, folder) as world:      # the fixture `world` of conftest.py
        world.wheel("thing", "1.0")                            # published a month ago, unless `uploaded` says otherwise
        checkout.deps('python = ["thing"]', world.build)       # [build] args: everything is fetched from this world
        checkout.built()
        world.wheel("thing", "1.1", requires=["other>=2"])     # news
        world.npm("thing", "1.1.0", dependencies={"other": "^2"})
        world.apk("thing", "1.1-r0", built=…)                  # instead of the version before, as on Alpine's mirrors
        world.move("alpine")                                   # another image under the same tag: its new digest
        world.wheel("thing", "1.2", fault="import")            # or "build", or "hang"
        with world.traffic["wheels"].outage(): …               # "registry", "apk", "wheels", "npm": answers 503
        world.pass_time(timedelta(days=1))                     # everything was published a day earlier
        world.fetched()                                        # bytes, by source; forget() begins again

`world.traffic[…]` counts requests and bytes, keeps the paths, and can delay answers or fail single ones
(serving.Traffic). Sources of packages listen on the gateway of the engine's bridge, where builds reach them; the
registry on 127.0.0.1, which an engine takes without TLS. `world.registry` can be pushed to under any name. Another
engine gets the same world, with addresses and counters of its own, by `seen_from(world, its_api)`.
"""

import datetime as dt
import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

import docker
from attrs import Factory, define, evolve

from lab.standins import UPSTREAM
from lab.tools import Tools
from tests.integration.world.apks import KEY, Apks
from tests.integration.world.filler import filler
from tests.integration.world.images import Image, Registry, images_of, layer_of, long_ago, registry
from tests.integration.world.npm import Npm
from tests.integration.world.serving import Traffic, passed_on, served
from tests.integration.world.wheels import PURE, Fault, Wheels

SOURCES: Final = ("registry", "apk", "wheels", "npm")
_IN_IMAGE: Final = "opt/lab/apk/x86_64/"
"""Where a stand-in has the packages of its own repository."""
_NAMES: Final = {"alpine": UPSTREAM[0], "deno": UPSTREAM[1]}


@define(kw_only=True)
class World:
    """Everything that is fetched for images, on this machine."""

    registry: Registry
    images: Mapping[str, Image]
    """The upstream images as they were at first, by `alpine` and `deno`."""
    apks: Apks
    wheels: Wheels
    packages: Npm
    traffic: Mapping[str, Traffic] = Factory(dict)
    addresses: Mapping[str, str] = Factory(dict)
    """host:port of each source."""
    born: dt.datetime = Factory(long_ago)
    """When everything was published of which nothing else is said."""
    moves: int = 0

    @property
    def args(self) -> dict[str, str]:
        """The build arguments by which a checkout fetches from here."""
        apk, wheels = self.addresses["apk"], self.addresses["wheels"]
        own = f"http://{apk}/alpine" if self.apks.more else self._repositories()
        return {
            "ALPINE_IMAGE": self.reference("alpine").rpartition(":")[0],
            "DENO_IMAGE": self.reference("deno"),
            "APK_REPOSITORY": f"{own} http://{apk}/apk",
            "PIP_INDEX_URL": f"http://{wheels}/simple/",
            "PIP_TRUSTED_HOST": wheels.partition(":")[0],
            "NPM_CONFIG_REGISTRY": f"http://{self.addresses['npm']}/",
        }

    @property
    def build(self) -> str:
        """The same as a line of [build]."""
        words = ", ".join(f"{name} = {json.dumps(value)}" for name, value in self.args.items())
        return f"args = {{ {words} }}"

    def reference(self, name: str) -> str:
        """Return what the copy of `alpine` or `deno` is called on an engine."""
        return f"{self.addresses['registry']}/{_NAMES[name]}"

    def move(self, name: str, *, release: str = "", size: int = 0) -> str:
        """Put another image under the tag of `alpine` or `deno`, and return its digest.

        It says to be another release of Alpine if one is given, and `size` is what it weighs more.
        """
        self.moves += 1
        files = {"etc/isol8-world": f"{self.moves}\n".encode()}
        if release:
            files["etc/alpine-release"] = f"{release}\n".encode()
        if size:
            files["usr/share/isol8-world"] = filler(f"{name} {self.moves}", size)
        return self.registry.push(_NAMES[name], self.images[name].with_layer(layer_of(files)))

    def apk(  # noqa: PLR0913 - all but two are named by the caller
        self,
        name: str,
        version: str,
        *,
        built: dt.datetime | None = None,
        depends: Iterable[str] = (),
        provides: Iterable[str] = (),
        fault: Fault = "",
        size: int = 0,
        files: Mapping[str, bytes] | None = None,
    ) -> None:
        """Put a package of Alpine's there: with files by their paths, or else a command of its name."""
        self.apks.add(
            name,
            version,
            built=built or self.born,
            depends=tuple(depends),
            provides=tuple(provides),
            fault=fault,
            size=size,
            files=files or {},
        )

    def wheel(  # noqa: PLR0913 - all but two are named by the caller
        self,
        name: str,
        version: str,
        *,
        uploaded: dt.datetime | None = None,
        requires: Iterable[str] = (),
        fault: Fault = "",
        size: int = 0,
        code: str = "",
        tag: str = PURE,
    ) -> None:
        """Put a wheel with one module on the index."""
        self.wheels.add(
            name,
            version,
            uploaded=uploaded or self.born,
            requires=tuple(requires),
            fault=fault,
            size=size,
            code=code,
            tag=tag,
        )

    def npm(  # noqa: PLR0913 - all but two are named by the caller
        self,
        name: str,
        version: str,
        *,
        published: dt.datetime | None = None,
        dependencies: Mapping[str, str] | None = None,
        fault: Fault = "",
        size: int = 0,
        scripts: Mapping[str, str] | None = None,
        files: Mapping[str, str] | None = None,
    ) -> None:
        """Publish a package for Node, Bun and Deno."""
        self.packages.add(
            name,
            version,
            published=published or self.born,
            dependencies=dependencies or {},
            fault=fault,
            size=size,
            scripts=scripts or {},
            files=files or {},
        )

    def pass_time(self, time: dt.timedelta) -> None:
        """Let everything be published so much earlier, as if that time had gone by."""
        self.apks.pass_time(time)
        self.wheels.pass_time(time)
        self.packages.pass_time(time)

    def fetched(self) -> dict[str, int]:
        """Return how many bytes each source has sent."""
        return {name: self.traffic[name].sent for name in SOURCES}

    def forget(self) -> None:
        """Count from zero again."""
        for traffic in self.traffic.values():
            traffic.requests = traffic.sent = 0
            traffic.paths.clear()

    def _repositories(self) -> str:
        return " ".join((self.images["alpine"].file("etc/apk/repositories") or b"").decode().split())


@contextmanager
def open_world(api: docker.APIClient, tools: Tools, folder: Path, *, lean: bool = False) -> Iterator[World]:
    """Make a world beside an engine, which has the upstream images already; what it took of it is removed at last.

    Lean upstream images are packed, and lack the package repository of stand-ins, which this world serves: so they
    weigh what published ones do.
    """
    with registry(folder, tools) as kept:
        found = images_of(api, UPSTREAM)
        apks = Apks(folder=folder, more=_own_packages(found[UPSTREAM[0]]))
        trusting = layer_of({f"etc/apk/keys/{KEY}": apks.make_key()})
        world = World(
            registry=kept,
            images={
                name: (found[reference].lean(_IN_IMAGE) if lean else found[reference]).with_layer(trusting)
                for name, reference in _NAMES.items()
            },
            apks=apks,
            wheels=Wheels(),
            packages=Npm(),
        )
        for name, reference in _NAMES.items():
            kept.push(reference, world.images[name])
        with seen_from(world, api) as beside:
            yield beside


@contextmanager
def seen_from(world: World, api: docker.APIClient) -> Iterator[World]:
    """Give the same world as another engine reaches it, with counters of its own."""
    gateway = api.inspect_network("bridge")["IPAM"]["Config"][0]["Gateway"]
    traffic = {name: Traffic() for name in SOURCES}
    stores = {"apk": world.apks.routes, "wheels": world.wheels.routes, "npm": world.packages.routes}
    with ExitStack() as stack:
        addresses = {"registry": stack.enter_context(passed_on(world.registry.address, traffic["registry"]))}
        for name, routes in stores.items():
            addresses[name] = stack.enter_context(served(routes, traffic[name], gateway))
        stack.callback(_remove, api, addresses["registry"])
        yield evolve(world, traffic=traffic, addresses=addresses)


def _own_packages(alpine: Image) -> dict[str, bytes]:
    """Return the files of the repository that a stand-in carries; none of a real image."""
    found = {}
    for layer in alpine.layers:
        with tarfile.open(fileobj=io.BytesIO(layer.content)) as archive:
            for member in archive:
                name = member.name.removeprefix("./")
                content = archive.extractfile(member) if name.startswith(_IN_IMAGE) else None
                if content is not None:
                    found[name.removeprefix(_IN_IMAGE)] = content.read()
    return found


def _remove(api: docker.APIClient, address: str) -> None:
    """Take away every tag that names this registry, and what came of it and has no tag any more."""
    for image in api.images():
        tags = [tag for tag in image["RepoTags"] or () if tag.startswith(f"{address}/")]
        nameless = not image["RepoTags"] and any(
            digest.startswith(f"{address}/") for digest in image["RepoDigests"] or ()
        )
        for name in [*tags, *([image["Id"]] if nameless else [])]:
            # Of a checkout that a test has left behind, an image may still be based on it.
            with suppress(docker.errors.APIError):
                api.remove_image(name)
