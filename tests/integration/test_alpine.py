"""Alpine packages beside those of a runtime, on a real engine: libraries, ready-made modules, compilers."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import docker
import pytest

from isol8_tasks.engine.builders.plugin import is_usable
from lab.debian import Apt
from tests.integration.checkouts import Checkout, new_checkout, remove_tags
from tests.integration.refreshing import refresh
from tests.integration.world import World

VERIFY = '\n[verify]\noldest_client = "0.7.0"\n'
GLIBC = "py3-none-manylinux_2_17_x86_64"
TALK = 'import ctypes\n\nctypes.CDLL("libtalk.so.1")\n'

BACKEND = """\
import pathlib, shutil, subprocess, sys, zipfile

NAME, VERSION = "{name}", "1.0"
INFO = f"{{NAME}}-{{VERSION}}.dist-info"


def prepare_metadata_for_build_wheel(directory, settings=None):
    folder = pathlib.Path(directory, INFO)
    folder.mkdir()
    (folder / "METADATA").write_text(pathlib.Path("PKG-INFO").read_text())
    return INFO


def build_wheel(directory, settings=None, metadata=None):
    {build}
    tag = f"cp{{sys.version_info[0]}}{{sys.version_info[1]}}-none-linux_x86_64"
    name = f"{{NAME}}-{{VERSION}}-{{tag}}.whl"
    with zipfile.ZipFile(pathlib.Path(directory, name), "w") as wheel:
        for file in ("{module}",):
            wheel.writestr(file, pathlib.Path(file).read_bytes())
        wheel.writestr(f"{{INFO}}/METADATA", pathlib.Path("PKG-INFO").read_bytes())
        wheel.writestr(f"{{INFO}}/WHEEL", f"Wheel-Version: 1.0\\nRoot-Is-Purelib: false\\nTag: {{tag}}\\n")
        wheel.writestr(f"{{INFO}}/RECORD", "")
    return name
"""
COMPILE = """if shutil.which("cc") is None:
        sys.exit("error: command 'cc' failed: No such file or directory")
    subprocess.run(["cc", "-shared", "-nostdlib", "-o", "native.so", "native.c"], check=True)"""
PROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
# As Python.h has it, which is in no package here.
NATIVE = """\
struct { long references; void *type, *init; long index; void *copy; const char *name, *doc; long size;
         void *methods, *slots, *traverse, *clear, *free; } module = {1, 0, 0, 0, 0, "native", 0, -1};
extern void *PyModule_Create2(void *, int);
void *PyInit_native(void) { return PyModule_Create2(&module, 1013); }
"""
ADDON = "void *napi_register_module_v1(void *env, void *exports) { return exports; }\n"
CC = """\
#!/bin/sh
exec /usr/lib/lab-glibc/ld-linux-x86-64.so.2 --library-path /usr/lib/lab-glibc /usr/lib/lab-glibc/bin/tcc \
    -B/usr/lib/tcc "$@"
"""


def source(world: World, name: str, build: str, files: dict[str, str]) -> None:
    """Publish a source archive with a backend of its own."""
    module = next(iter(files)).replace(".c", ".so")
    backend = BACKEND.format(name=name, build=build, module=module)
    texts = {"pyproject.toml": PROJECT, "backend.py": backend, **files}
    world.wheels.add_archive(name, "1.0", texts, uploaded=world.born)


def compiler(world: World, folder: Path) -> None:
    """Put a C compiler for musl into the repository, under the name of Alpine's."""
    apt = Apt(state=folder / "apt")
    apt.state.mkdir()
    apt.fetch(["tcc"], folder / "tcc", with_libraries=False)
    files = {
        "usr/bin/cc": CC.encode(),
        "usr/lib/lab-glibc/bin/tcc": (folder / "tcc/usr/bin/tcc").read_bytes(),
    }
    helper = next(folder.glob("tcc/usr/lib/*/tcc/libtcc1.a"))
    files["usr/lib/tcc/libtcc1.a"] = helper.read_bytes()
    world.apk("build-base", "0.5-r3", depends=["lab-glibc"], files=files)


def published(world: World, folder: Path) -> None:
    """Publish a package of each kind."""
    library = next(
        content
        for path in ("usr/lib/libz.so.1", "lib/libz.so.1", "usr/lib/libz.so.1.3.1", "usr/lib/libz.so.1.3.2")
        if (content := world.images["alpine"].file(path))
    )
    files = {"usr/lib/libtalk.so.1": library}
    world.apk("libtalk", "1.0-r0", provides=["so:libtalk.so.1=1.0"], files=files)
    world.apk("tool", "1.0-r0")
    world.wheel("talk", "1.0", code=TALK)
    world.wheel("plain", "1.0")
    world.wheel("ready", "1.0", tag=GLIBC)
    world.wheel("never", "1.0", tag=GLIBC)
    world.wheel("needy", "1.0", requires=["never"])
    source(world, "native", COMPILE, {"native.c": NATIVE})
    source(world, "simple", "pass", {"simple.py": "value = 42\n"})
    source(world, "refusing", 'sys.exit("use refused instead of refusing")', {"refusing.c": ""})
    install = "cc -shared -nostdlib -o native.node native.c"
    load = 'process.dlopen(module, __dirname + "/native.node");\n'
    world.npm("addon", "1.0.0", scripts={"install": install}, files={"native.c": ADDON, "index.js": load})
    world.npm("idle", "1.0.0")
    compiler(world, folder)


@pytest.fixture(scope="module")
def home(
    docker_api: docker.APIClient, world: World, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Checkout]:
    """Give a checkout with its bases built, beside a world with a package of each kind."""
    folder = tmp_path_factory.mktemp("alpine")
    published(world, folder)
    checkout = new_checkout(folder / "home")
    checkout.deps("", world.build)
    assert checkout.doit("base:python", "base:node").code == 0
    version = run_in(
        docker_api, checkout, "python", "python3", "-c", "import sys; print(*sys.version_info[:2])"
    )
    python = ".".join(version.split())
    site = f"usr/lib/python{python}/site-packages"
    files = {
        f"{site}/ready.py": b"",
        f"{site}/ready-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: ready\nVersion: 1.0\n",
        f"{site}/ready-1.0.dist-info/RECORD": b"",
    }
    world.apk("py3-ready", "1.0-r0", provides=[f"py{python}:ready=1.0-r0"], files=files)
    old = {path.replace(python, "3.1"): content for path, content in files.items()}
    world.apk("py3-old", "1.0-r0", files=old)
    yield checkout
    remove_tags(docker_api, checkout.repository)


def declare(checkout: Checkout, world: World, text: str, build: str = "") -> None:
    """Write deps.toml: [build] with the world's sources, and what else it is about."""
    checkout.deps("", f"{world.build}\n{build}\n{dedent(text)}\n{VERIFY}")


def run_in(api: docker.APIClient, checkout: Checkout, image: str, *command: str) -> str:
    """Run a command in an image, and return what it printed."""
    made = api.create_container(f"{checkout.repository}:{image}", list(command))
    try:
        api.start(made)
        assert api.wait(made)["StatusCode"] == 0, api.logs(made)
        return str(api.logs(made).decode())
    finally:
        api.remove_container(made, force=True)


def inventory(checkout: Checkout, name: str) -> set[tuple[str, str]]:
    """Return ecosystem and name of each package in an image."""
    done = checkout.doit("inventory", "--json", name)
    assert done.code == 0, done.err
    found: Any = json.loads(done.out)
    return {(each["ecosystem"], each["name"]) for image in found["images"] for each in image["packages"]}


class TestSystem:
    """Packages of Alpine's for another runtime."""

    @pytest.mark.thorough
    def test_missing_library_is_named_with_its_package(self, home: Checkout, world: World) -> None:
        """What verification finds missing is looked up, and the line to write is in the message."""
        declare(home, world, '[images.talk]\nruntime = "python"\npackages = ["talk"]')
        done = home.doit("image:talk")
        assert done.code == 1
        assert (
            'libtalk.so.1 is in Alpine\'s libtalk. Write [images.talk] system = ["libtalk"] in deps.toml.'
            in done.out
        )

    def test_present_and_recorded(self, docker_api: docker.APIClient, home: Checkout, world: World) -> None:
        """It is installed before the packages, listed, locked, and its changes are reasons."""
        declare(home, world, '[images.talk]\nruntime = "python"\npackages = ["talk"]\nsystem = ["libtalk"]')
        assert home.built("image:talk") == {"talk"}
        assert {("apk", "libtalk"), ("pypi", "talk")} <= inventory(home, "talk")
        assert home.plan()["talk"] == ("up-to-date", [])
        run_in(docker_api, home, "talk", "python3", "-c", "import talk")
        home.edit("deps.toml", '["libtalk"]', '[\n"libtalk",\n"tool",\n]')
        line = (home.folder / "deps.toml").read_text().splitlines().index('"tool",') + 1
        assert home.plan()["talk"] == ("stale", [f"system package tool added, deps.toml:{line}"])
        assert home.built("image:talk") == {"talk"}
        assert run_in(docker_api, home, "talk", "tool") == "1.0-r0\n"

    def test_alone(self, home: Checkout, world: World) -> None:
        """A custom image may have Alpine packages and no other."""
        declare(home, world, '[system]\npython = ["tool"]')
        assert home.built("custom:python") == {"python-custom"}
        assert ("apk", "tool") in inventory(home, "python-custom")
        assert home.doit("which", "python").out.startswith(f"{home.repository}:python-custom")

    def test_package_that_is_not_there(self, home: Checkout, world: World) -> None:
        """What no repository has is reported by apk's own words."""
        declare(home, world, '[system]\npython = ["no-such-thing"]')
        done = home.doit("custom:python")
        assert done.code == 1
        assert "no-such-thing (no such package)" in done.out


class TestReadyMade:
    """Python modules that Alpine has as packages."""

    def test_alpines_package_satisfies_the_name(
        self, docker_api: docker.APIClient, home: Checkout, world: World
    ) -> None:
        """Pip takes what apk has installed, and the lists name it once, as Alpine's."""
        declare(home, world, '[images.ready]\nruntime = "python"\npackages = ["ready"]')
        done = home.doit("image:ready")
        assert done.code == 1
        assert re.search(
            r"ready 1\.0 \(deps\.toml:\d+\) has no wheel for musl: Alpine has it as py3-ready", done.out
        )
        assert 'Take Alpine\'s: [images.ready] system = ["py3-ready"] in deps.toml.' in done.out
        home.edit("deps.toml", '["ready"]', '["ready"]\nsystem = ["py3-ready"]')
        assert home.built("image:ready") == {"ready"}
        run_in(docker_api, home, "ready", "python3", "-c", "import ready")
        found = inventory(home, "ready")
        assert ("apk", "py3-ready") in found
        assert ("pypi", "ready") not in found

    def test_module_of_another_python(self, home: Checkout, world: World) -> None:
        """A package whose modules are for another Python fails verification, and says so."""
        declare(home, world, '[images.old]\nruntime = "python"\nsystem = ["py3-old"]')
        done = home.doit("image:old")
        assert done.code == 1
        assert "py3-old is installed, but its Python modules can't be used" in done.out
        assert "they are for Python 3.1, and the image has Python 3." in done.out

    def test_what_can_not_be_had_is_said_at_once(self, home: Checkout, world: World) -> None:
        """Each package is named with its line and what to do, also one that another needs."""
        declare(
            home,
            world,
            '[images.bad]\nruntime = "python"\npackages = [\n"needy",\n"native",\n"plain",\n"simple"]',
        )
        done = home.doit("image:bad")
        assert done.code == 1
        lines = (home.folder / "deps.toml").read_text().splitlines()
        needy, native = lines.index('"needy",') + 1, lines.index('"native",') + 1
        told = [line.strip() for line in done.out.splitlines() if line.startswith("  ")]
        never = f"never 1.0 (needed by needy, deps.toml:{needy}) is not available for musl"
        assert told == [
            f"native 1.0 (deps.toml:{native}) has no wheel for musl, and the image can't compile its source",
            f"{never}: it has wheels for glibc only, and no source",
            'Compile in a stage of its own: [images.bad] build = ["build-base", "python3-dev"] in deps.toml.',
            "Remove needy, or run it elsewhere than on Alpine.",
        ]

    def test_source_that_needs_no_compiler(self, home: Checkout, world: World) -> None:
        """Pure Python is built from source as before."""
        declare(home, world, '[images.simple]\nruntime = "python"\npackages = ["simple"]')
        assert home.built("image:simple") == {"simple"}

    def test_other_faults_get_no_hint_about_compilers(self, home: Checkout, world: World) -> None:
        """A source that refuses to be built for a reason of its own says just that."""
        declare(home, world, '[images.refusing]\nruntime = "python"\npackages = ["refusing"]')
        done = home.doit("image:refusing")
        assert done.code == 1
        assert "use refused instead of refusing" in done.out
        assert "compile" not in done.out


class TestBuild:
    """What is needed only while packages are compiled."""

    @pytest.mark.thorough(every=3)
    @pytest.mark.parametrize("builder", ["buildkit", "classic", "buildx"])
    def test_python(self, docker_api: docker.APIClient, home: Checkout, world: World, builder: str) -> None:
        """A C extension is in the image, and no compiler."""
        if builder == "buildx" and not is_usable("default", os.environ):
            pytest.skip("docker's client has no buildx, or its builder is not the engine's own")
        name = f"native-{builder}"
        declare(
            home,
            world,
            f'[images.{name}]\nruntime = "python"\npackages = ["native", "plain"]\nbuild = ["build-base"]',
            f'builder = "{builder}"',
        )
        assert home.built(f"image:{name}") == {name}
        run_in(docker_api, home, name, "python3", "-c", "import native, plain")
        run_in(
            docker_api,
            home,
            name,
            "sh",
            "-c",
            "! type cc && ! ls /usr/lib/tcc /usr/.isol8* /isol8-* 2>/dev/null",
        )
        assert not {"build-base", "lab-glibc"} & {package for _, package in inventory(home, name)}
        assert home.plan()[name] == ("up-to-date", [])

    @pytest.mark.thorough(every=2)
    @pytest.mark.parametrize("builder", ["buildkit", "classic"])
    def test_node(self, docker_api: docker.APIClient, home: Checkout, world: World, builder: str) -> None:
        """A package of npm that compiles while it is installed is there with what came of it."""
        name = f"addon-{builder}"
        text = f'[images.{name}]\nruntime = "node"\npackages = ["addon"]\nbuild = ["build-base"]'
        declare(home, world, text, f'builder = "{builder}"')
        assert home.built(f"image:{name}") == {name}
        run_in(docker_api, home, name, "node", "-e", 'require("addon")')
        run_in(docker_api, home, name, "sh", "-c", "! type cc")

    @pytest.mark.thorough
    def test_bun(self, docker_api: docker.APIClient, home: Checkout, world: World) -> None:
        """There a package's script is run although Bun does not know the package; one without any is no fault."""
        text = '[images.{name}]\nruntime = "bun"\npackages = ["{package}"]\nbuild = ["build-base"]\n'
        declare(
            home,
            world,
            text.format(name="addon-bun", package="addon") + text.format(name="idle", package="idle"),
        )
        assert home.built("image:addon-bun", "image:idle") >= {"addon-bun", "idle"}
        run_in(docker_api, home, "addon-bun", "bun", "-e", 'require("addon")')
        run_in(docker_api, home, "addon-bun", "sh", "-c", "! type cc")

    @pytest.mark.thorough
    def test_what_is_replaced_is_gone(
        self, docker_api: docker.APIClient, home: Checkout, world: World
    ) -> None:
        """A package of the parent that is replaced by another version is there once."""
        world.wheel("grown", "1.0")
        world.wheel("grown", "2.0")
        declare(
            home,
            world,
            """
            [images.below]
            runtime = "python"
            packages = ["grown<2"]
            [images.above]
            extends = "below"
            packages = ["grown>=2", "native"]
            build = ["build-base"]
            """,
        )
        done = home.doit("image:above")
        shown = run_in(docker_api, home, "below", "sh", "-c", "ls -d /usr/lib/python3*/site-packages/grown-*")
        assert shown.strip().endswith("grown-1.0.dist-info")
        # That both are asked for is a contradiction, which verification tells; what is there can be looked at.
        assert "grown<2 was requested, but version 2.0 is installed" in done.out
        shown = run_in(
            docker_api, home, "above-rejected", "sh", "-c", "ls -d /usr/lib/python3*/site-packages/grown-*"
        )
        assert [line.rpartition("/")[2] for line in shown.split()] == ["grown-2.0.dist-info"]


class TestLater:
    """Locks and refreshes of such images."""

    def test_lock_and_refresh(self, docker_api: docker.APIClient, home: Checkout, world: World) -> None:
        """A lock has them, is built again exactly, and a newer Alpine package is found and built."""
        declare(
            home,
            world,
            """
            [images.all]
            runtime = "python"
            packages = ["talk", "ready", "native"]
            system = ["libtalk", "py3-ready"]
            build = ["build-base"]
            """,
        )
        assert home.doit("setup").code == 0
        done = home.doit("lock")
        assert done.code == 0, done.err
        text = (home.folder / "deps.lock.toml").read_text()
        assert 'system = [\n    "libtalk",\n    "py3-ready",\n]' in text
        assert 'build = [\n    "build-base",\n]' in text
        assert "pypi ready" not in text
        assert home.doit("plan", "--locked", "--check").code == 0
        done = home.doit("setup", "--locked", "--force", "image:all")
        assert done.code == 0, done.out + done.err
        home.edit("deps.toml", '"libtalk", ', "")
        done = home.doit("plan", "--locked")
        assert done.code == 3
        assert (
            "locked with system packages libtalk py3-ready, but declared with system packages py3-ready"
            in done.err
        )
        home.edit("deps.toml", '["py3-ready"]', '["libtalk", "py3-ready"]')
        night = refresh(docker_api, home)
        assert "all" not in night.changed
        world.apk("tool", "1.0-r0")
        content = world.images["alpine"].file("etc/alpine-release") or b""
        world.apk("py3-ready", "1.1-r0", depends=["tool"], files={"usr/share/ready": content})
        night = refresh(docker_api, home)
        assert night.state("all") == "behind"


def test_all_packages_that_npm_does_not_find_are_named(home: Checkout, world: World) -> None:
    """And not the first of them alone, each with what is to be written in its place."""
    packages = '["idle", "nope-one", "nope-two", "fs", "@scope/nope"]'
    declare(home, world, f'[images.npm]\nruntime = "node"\npackages = {packages}')
    done = home.doit("image:npm")
    assert done.code == 1
    assert "The registry does not have @scope/nope, fs, nope-one, nope-two." in done.out
    assert "fs comes with Node.js and Bun; there is nothing to install, remove it." in done.out
