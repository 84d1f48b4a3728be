"""Builds of exactly what was resolved: one step, the lock in its words, and the names of the steps it stands for."""

import base64
import io
import json
import re
import tarfile
from collections.abc import Mapping

import pytest
from attrs import evolve

from isol8_tasks.ecosystems.locks.contents import lock_file
from isol8_tasks.ecosystems.locks.package_lock import npm_peers
from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.ecosystems.updates import Pin, Resolution
from isol8_tasks.engine import BuildEvent, BuildRequest
from isol8_tasks.errors import BuildFailedError, PlanError
from isol8_tasks.lifecycle.build import build_image
from isol8_tasks.lifecycle.pinned import build_pinned, render_pinned, step_name
from isol8_tasks.plan.description import Provenance
from isol8_tasks.plan.model import ContextFile, ImageSpec, Inputs
from isol8_tasks.plan.rendering import render_custom
from tests.fake_engine import FakeEngine, FakeImage, accept
from tests.unit.lifecycle.made import observe

NPM = json.dumps({"packages": {"": {"dependencies": {"a": "1.0.0"}}, "node_modules/a": {"version": "1.0.0"}}})
BUN = '{"workspaces": {"": {"dependencies": {"zod": "^4",},},}, "packages": {},}'
LOCKS = {"python": "numpy==1 --hash=sha256:ab\n", "node": NPM, "bun": BUN, "deno": '{"version": "5"}'}


def spec(runtime: str, *packages: str) -> ImageSpec:
    return ImageSpec(
        name=f"{runtime}-custom",
        task=f"custom:{runtime}",
        kind="custom",
        runtime=runtime,
        parent=runtime,
        inputs=Inputs(recipe=1, runtime=runtime, packages=packages),
        dockerfile=render_custom(RUNTIMES[runtime], f"isol8:{runtime}", packages),
        target=None,
    )


def words(dockerfile: str) -> list[str]:
    """Read the words of the step of a pinned build."""
    first, run = dockerfile.split("\nRUN ", 1)
    assert first.startswith("FROM isol8:")
    found = json.loads(run.replace("\\\n", ""))
    assert isinstance(found, list)
    return found


def unpacked(dockerfile: str) -> Mapping[str, str]:
    data = base64.b64decode("".join(words(dockerfile)[4:]))
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        return {
            member.name: content.read().decode()
            for member in archive
            if (content := archive.extractfile(member)) is not None
        }


def rendered(image: ImageSpec, resolution: Resolution) -> str:
    """Return the Dockerfile that installs from the lock file of the image's runtime."""
    kind = lock_file(image.runtime)
    assert kind is not None
    return render_pinned(image, resolution, kind)


class TestRender:
    """The Dockerfile."""

    @pytest.mark.parametrize("runtime", LOCKS)
    def test_lock_is_in_the_step(self, runtime: str) -> None:
        """Its words hold the tool's files, and give the same bytes each time."""
        resolution = Resolution(pins=(), lockfile=LOCKS[runtime])
        dockerfile = rendered(spec(runtime, "a"), resolution)
        assert LOCKS[runtime] in unpacked(dockerfile).values()
        assert dockerfile == rendered(spec(runtime, "a"), resolution)

    @pytest.mark.parametrize(
        ("runtime", "left"),
        [
            ("python", ""),
            ("node", " /root/.npm /tmp/node-compile-cache"),
            ("bun", " /root/.bun/install/cache/*.npm"),
            ("deno", " /deno-dir/*_analysis_cache_v*"),
        ],
    )
    def test_what_is_another_each_time_goes_in_the_step(self, runtime: str, left: str) -> None:
        """As where the step is the one of the runtime, so that two builds of a lock have the same files."""
        dockerfile = rendered(spec(runtime, "a"), Resolution(pins=(), lockfile=LOCKS[runtime]))
        assert words(dockerfile)[2].endswith(f'\ncd /; rm -rf "$folder"{left}\n')

    def test_no_line_is_longer_than_builders_read(self) -> None:
        """A lock of ten thousand packages is cut into words."""
        lines = "".join(f"a{number}==1 --hash=sha256:{number:064x}\n" for number in range(10_000))
        dockerfile = rendered(spec("python", "a"), Resolution(pins=(), lockfile=lines))
        assert max(map(len, dockerfile.splitlines())) < 65_535
        assert unpacked(dockerfile)["requirements.txt"] == lines

    def test_manifest_is_that_of_the_lock(self) -> None:
        """Tools refuse a lock that fits no package.json."""
        made = {
            runtime: json.loads(
                unpacked(rendered(spec(runtime, "a"), Resolution(pins=(), lockfile=LOCKS[runtime])))[
                    "package.json"
                ]
            )
            for runtime in ("node", "bun")
        }
        assert made == {"node": {"dependencies": {"a": "1.0.0"}}, "bun": {"dependencies": {"zod": "^4"}}}

    @pytest.mark.parametrize(
        ("line", "flag"), [("a==1 --hash=sha256:ab\n", True), ("a @ https://x/a.whl\n", False)]
    )
    def test_hashes_are_required_where_there_are_any(self, line: str, *, flag: bool) -> None:
        """An index may have none."""
        dockerfile = rendered(spec("python", "a"), Resolution(pins=(), lockfile=line))
        assert ("--require-hashes" in dockerfile) is flag

    def test_specs_of_deno_are_quoted(self) -> None:
        """They stand in a script."""
        found = rendered(spec("deno", "npm:a@^1", "https://x/$(id)"), Resolution(pins=(), lockfile="{}"))
        assert "--frozen 'npm:a@^1' 'https://x/$(id)'\n" in words(found)[2]


class TestPeers:
    """What npm's lock has beside what was asked for."""

    def test_peers_go_to_who_needs_them(self) -> None:
        """Also those that are needed by a part of a package, and by a peer; nobody gets what it does not need."""
        packages = {
            "": {"dependencies": {"@s/a": "1.0.0", "b": "1.0.0", "c": "1.0.0"}},
            "node_modules/@s/a": {"peerDependencies": {"react": "*"}},
            "node_modules/b": {},
            "node_modules/b/node_modules/inner": {"peerDependencies": {"react": "*", "not-there": "*"}},
            "node_modules/c": {"dependencies": {"b": "1"}},
            "node_modules/react": {"dependencies": {"loose": "*"}},
            "node_modules/loose": {},
        }
        assert npm_peers(packages) == [("loose", "@s/a"), ("react", "@s/a"), ("loose", "b"), ("react", "b")]


class TestBuild:
    """The build."""

    def request(self, image: ImageSpec) -> BuildRequest:
        return BuildRequest(tag="isol8_build:x", dockerfile=f"{image.dockerfile}ONBUILD ARG A\n")

    @pytest.mark.parametrize("runtime", LOCKS)
    def test_packages_are_installed_from_the_lock_alone(self, runtime: str) -> None:
        """Whatever a plain build has before or behind its install step."""
        engine = FakeEngine()
        engine.put(f"isol8:{runtime}", FakeImage(id="sha256:parent"))
        image = spec(runtime, "a")
        build_image(
            image,
            observe(engine),
            engine,
            provenance=Provenance(checkout="here", revision="", created="2026-11-29T10:00:00Z"),
            context={},
            on_event=lambda _: None,
            verify=accept,
            resolution=Resolution(pins=(), lockfile=LOCKS[runtime]),
        )
        (request,) = engine.candidates()
        plain = image.dockerfile.split("\n")[1]
        assert plain not in request.dockerfile
        assert request.dockerfile.count("\nRUN ") == 1 + bool(RUNTIMES[runtime].tidy)

    def test_repository_without_locks_is_asked_again(self) -> None:
        """What the builder has of the same step may be older."""
        seen: list[BuildRequest] = []

        class Engine(FakeEngine):
            def build(self, request: BuildRequest, on_event: object) -> str:  # noqa: ARG002 - the engine's own
                seen.append(request)
                return "sha256:1"

        pins = (
            Pin(ecosystem="apk", name="jq", version="1"),
            Pin(ecosystem="npm", name="bun", version="7"),
            Pin(ecosystem="generic", name="bun", version="1.4.5", integrity="sha256:ab"),
        )
        image = spec("bash", "jq")
        build_pinned(image, Resolution(pins=pins), self.request(image), Engine().build, lambda _: None)
        assert seen[0].no_cache
        assert seen[0].dockerfile == "FROM isol8:bash\nRUN apk add --no-cache jq\nONBUILD ARG A\n"
        assert seen[0].args == {"BUN_VERSION": "1.4.5", "BUN_SHA256": "ab"}

    def test_people_hear_of_the_step_that_it_stands_for(self) -> None:
        """While it runs, and where it fails; what comes behind it is built as well."""
        told: list[str] = []
        image = spec("node", "left")
        seen: list[str] = []

        class Engine(FakeEngine):
            def build(self, request: BuildRequest, on_event: object) -> str:
                seen.append(request.dockerfile)
                step = re.sub(
                    r" \\\n", "", "RUN " + request.dockerfile.split("\nRUN ")[1].partition("\nONBUILD")[0]
                )
                assert callable(on_event)
                on_event(BuildEvent(kind="step", step=step))
                raise BuildFailedError(f"x: {step}", step=f"[2/2] {step}", output=("bad",))

        resolution = Resolution(pins=(), lockfile=NPM)
        with pytest.raises(BuildFailedError) as caught:
            build_pinned(
                image, resolution, self.request(image), Engine().build, lambda event: told.append(event.step)
            )
        assert told == ["RUN npm install -g left (as resolved)"]
        assert caught.value.step == "[2/2] RUN npm install -g left (as resolved)"
        assert (
            str(caught.value)
            == "isol8_build:x could not be built: [2/2] RUN npm install -g left (as resolved)"
        )
        assert caught.value.output == ("bad",)
        assert seen[0].endswith("\nONBUILD ARG A\n")

    def hashed(self, resolution: Resolution | None) -> BuildRequest:
        """Build an image whose list has hashes, and return what the engine was asked for."""
        engine = FakeEngine()
        engine.put("isol8:python", FakeImage(id="sha256:parent"))
        image = evolve(
            spec("python", "six==1.17.0"),
            hashes={"six==1.17.0": ("sha256:" + "a" * 64, "sha256:" + "b" * 64)},
        )
        inputs = evolve(image.inputs, files=(("r.txt", ContextFile(digest="0")),))
        build_image(
            evolve(image, inputs=inputs),
            observe(engine),
            engine,
            provenance=Provenance(checkout="here", revision="", created="2026-11-29T10:00:00Z"),
            context={},
            on_event=lambda _: None,
            verify=accept,
            resolution=resolution,
        )
        (request,) = engine.candidates()
        return request

    def test_hashes_of_a_list_are_demanded(self) -> None:
        """By pip itself, in one step, of all that it installs."""
        dockerfile = self.hashed(None).dockerfile
        assert "\npip install --no-cache-dir --require-hashes -r requirements.txt\n" in words(dockerfile)[2]
        assert unpacked(dockerfile)["requirements.txt"] == (
            f"six==1.17.0 --hash=sha256:{'a' * 64} --hash=sha256:{'b' * 64}\n"
        )

    def test_resolution_has_to_have_the_hashes_of_the_list(self) -> None:
        """A lock, or a newer file of the index, may have another."""
        pin = Pin(ecosystem="pypi", name="six", version="1.17.0", integrity="sha256:" + "b" * 64)
        lockfile = f"six==1.17.0 --hash={pin.integrity}\n"
        assert "--no-deps" in self.hashed(Resolution(pins=(pin,), lockfile=lockfile)).dockerfile
        for other in (
            evolve(pin, integrity="sha256:" + "c" * 64),
            evolve(pin, name="five"),
            evolve(pin, integrity=""),
        ):
            with pytest.raises(PlanError, match=r"its hash, (sha256:[bc]+|none), is not in r\.txt$"):
                self.hashed(Resolution(pins=(other,), lockfile=lockfile))

    @pytest.mark.parametrize("step", ["FROM isol8:node", "[2/3] RUN find /deno-dir", "exporting to image"])
    def test_other_steps_keep_their_names(self, step: str) -> None:
        """Only one is put in the place of another."""
        assert step_name(spec("node", "left"), step) == step

    def test_names_of_both_builders_are_known(self) -> None:
        """One writes the words as JSON, the other as a list."""
        step = 'RUN ["/bin/sh",     "-euc",     "folder=$(mktemp -d)\\n"]'
        assert step_name(spec("bun", "zod"), step) == "RUN bun install -g zod (as resolved)"
        assert step_name(spec("bun", "zod"), "[2/2] RUN [/bin/sh -euc folder") == (
            "[2/2] RUN bun install -g zod (as resolved)"
        )
