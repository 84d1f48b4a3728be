"""Checks of images on a real engine: good ones pass, and each kind of bad one is told from them."""

import base64
import json
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import docker
import pytest
from attrs import evolve

from isol8_tasks.config.deps import parse_config
from isol8_tasks.config.settings import UserCheck
from isol8_tasks.ecosystems.findings import (
    CommandShared,
    ExtraMissing,
    PackageDeclines,
    PackageHidden,
    PackageMissing,
    PackageNeeds,
    PackageUnusable,
    PartUnusable,
    WrongVersion,
)
from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.ecosystems.specs import shell_word
from isol8_tasks.engine.containers import NoSuchImageError, RunRequest
from isol8_tasks.engine.daemon import DockerEngine
from isol8_tasks.engine.sandboxes import LABEL, host_config
from isol8_tasks.errors import EngineError
from isol8_tasks.verify.conditions import RELEASES, Conditions, conditions, profile, released
from isol8_tasks.verify.findings import (
    CommandExit,
    CommandHung,
    CommandNotRun,
    CommandOutput,
    FilterBroken,
    Finding,
    InSome,
    LookBroken,
    LookHung,
    NotStarted,
    OtherFirstProcess,
    PrivilegedFile,
    RuntimeBroken,
    SignalsLost,
    WritableByAll,
    plain,
    render_finding,
)
from isol8_tasks.verify.verifier import Subject, Verdict, Verifier, failure
from tests.elf import elf

CHECKOUT = Path(__file__).parents[2]
REPOSITORY = "isol8testverify"
MODULES = "/usr/local/lib/node_modules"
# A shell has no handler for the signal, so that the kernel keeps it from the first process.
DEAF_TINI = "RUN printf '#!/bin/sh\\nshift\\n\"$@\" &\\nwait $!\\n' > /opt/tini && chmod 755 /opt/tini"
LOUD = "for (const fd of [1, 2]) for (let i = 0; i < 300; i++) require('fs').writeSync(fd, 'x'.repeat(9999))"
NESTED = "RUN mkdir -p /srv/a/b && touch /srv/a/b/x"
EXAMPLE = parse_config((CHECKOUT / "examples" / "deps.toml").read_text(), "deps.toml").dependencies
UPSTREAM = ("alpine:3.21",)
KINDS = conditions("bash")
AS_SANDBOX = KINDS[0].releases
AS_ROOT = frozenset(RELEASES) - AS_SANDBOX

Build = Callable[..., str]


@pytest.fixture(scope="module")
def verifier(engine: DockerEngine) -> Verifier:
    """Give what checks images."""
    return Verifier(engine)


@pytest.fixture(name="bases", scope="module")
def make_bases(engine: DockerEngine, base_images: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
    """Give tags of this module's own for the base images."""
    tags = {runtime: f"{REPOSITORY}:{runtime}" for runtime in base_images}
    for runtime, image in base_images.items():
        engine.tag(image, tags[runtime])
    yield tags
    for tag in tags.values():
        engine.untag(tag)


@pytest.fixture(name="verify")
def make_verify(verifier: Verifier, bases: Mapping[str, str], build_image: Build) -> Callable[..., Verdict]:
    """Give `verify(runtime, steps, *packages)`, which checks an image made of a base by a few steps."""

    def verify(runtime: str, steps: str, *packages: str, load_timeout: float = 30) -> Verdict:
        image = bases[runtime]
        if steps:
            image = build_image(f"verify-{runtime}", f"FROM {image}\n{steps}\n")
        upstream = ("denoland/deno:alpine",) if runtime == "deno" else UPSTREAM
        subject = Subject(
            image=image,
            runtime=runtime,
            packages=packages,
            upstream=upstream,
            filtered=not steps,
            load_timeout=load_timeout,
        )
        return verifier.verify(subject)

    return verify


@pytest.fixture
def leftovers(docker_api: docker.APIClient) -> Callable[[str], list[str]]:
    """Give what finds the containers of checks of an image, in whatever state."""

    def find(image: str) -> list[str]:
        found = docker_api.containers(all=True, filters={"label": f"{LABEL}={image}"})
        return [each["State"] for each in found]

    return find


@pytest.fixture(autouse=True)
def nothing_is_left(docker_api: docker.APIClient) -> Iterator[None]:
    """Make sure that each test's containers of our images are gone, or on their way."""
    yield

    def left() -> bool:
        found = docker_api.containers(all=True, filters={"label": LABEL})
        return any(each["Image"].startswith(f"{REPOSITORY}:") for each in found)

    _wait_for(lambda: not left())


def _dist(name: str, source: str, *, version: str = "1.0", more: str = "") -> str:
    """Return the step that installs a Python package of one module."""
    info = f"{name}-{version}.dist-info"
    return (
        f"RUN cd $(python3 -c 'import site; print(site.getsitepackages()[0])') && mkdir {info}"
        f" && printf '%s\\n' 'Name: {name}' 'Version: {version}' {more} > {info}/METADATA"
        f" && printf '%s\\n' {name}.py,, > {info}/RECORD && printf '%s\\n' {shell_word(source)} > {name}.py"
    )


def _module(name: str, source: str | None, **manifest: object) -> str:
    """Return the step that installs a package of npm's."""
    text = json.dumps({"name": name, "version": "1.2.3", **manifest})
    write = f" && printf '%s\\n' {shell_word(source)} > index.js" if source is not None else ""
    folder = f"{MODULES}/{name}"
    return f"RUN mkdir -p {folder} && cd {folder} && printf '%s\\n' {shell_word(text)} > package.json{write}"


class TestGood:
    """Images that pass verification."""

    @pytest.mark.thorough(every=3)
    @pytest.mark.parametrize("runtime", RUNTIMES)
    def test_bases(self, verify: Callable[..., Verdict], runtime: str) -> None:
        """Every base passes, and its inventory has Alpine's packages and the runtime."""
        verdict = verify(runtime, "")
        assert verdict.findings == ()
        names = {(each.ecosystem, each.name) for each in verdict.packages}
        of_runtime = {
            "python": [("apk", "python3"), ("pypi", "pip")],
            "node": [("apk", "nodejs"), ("npm", "npm")],
            "bun": [("generic", "bun")],
            "deno": [("generic", "deno")],
            "bash": [("apk", "bash")],
        }
        assert {("apk", "tini"), ("apk", "musl")} <= names
        assert any(each in names for each in of_runtime[runtime])
        assert verdict.release.startswith("3.")

    @pytest.mark.thorough(every=3)
    @pytest.mark.parametrize("runtime", RUNTIMES)
    def test_example(self, verify: Callable[..., Verdict], runtime: str) -> None:
        """The packages of examples/deps.toml are installed by the documented commands, found and used."""
        packages = EXAMPLE[runtime]
        words = " ".join(map(shell_word, (*RUNTIMES[runtime].install, *packages)))
        verdict = verify(runtime, f"RUN {words}", *packages)
        assert verdict.findings == ()
        names = {each.name for each in verdict.packages}
        assert {package.removeprefix("npm:") for package in packages} <= names

    @pytest.mark.thorough(every=5)
    @pytest.mark.parametrize(
        ("runtime", "steps", "package"),
        [
            ("python", _dist("fine", "x = 1"), "Fine>=0.5"),
            ("python", _dist("quiet", "print('noise')"), "quiet"),
            (
                "node",
                _module("esm", "export const x = await 1", type="module", exports="./index.js"),
                "esm@^1",
            ),
            ("node", _module("cjs", "exports.x = 1"), "cjs@1.2.x"),
            ("node", _module("loud", LOUD), "loud"),
            ("bun", _module("loud", LOUD, main="index.js"), "loud"),
            ("node", _module("@types/x", None, types="index.d.ts", main=""), "@types/x"),
            (
                "node",
                _module("cli", "console.log(1); process.exit(0)", bin="index.js")
                + " && sed -i '1i #!/usr/bin/env node' index.js",
                "cli",
            ),
            ("node", _module("t", None, exports={".": {"types": "./index.d.ts"}}), "t"),
            (
                "node",
                _module(
                    "f",
                    None,
                    exports={".": {"sass": "./f.scss", "default": "./f.css"}, "./LICENSE": "./LICENSE"},
                ),
                "f",
            ),
            ("node", _module("p", "exports.x = 1", exports={"./p": "./index.js", "./*": "./*"}), "p"),
            ("node", _module("c", None, main="c.css") + " && touch c.css", "c"),
            (
                "node",
                _module("f", "#!/bin/sh", bin={"f": "f"}) + " && mv index.js f && chmod 755 f",
                "f",
            ),
            ("bun", _module("cjs", "exports.x = 1", main="index.js"), "cjs@>=1 <2"),
            ("bun", _module("n", "#!/usr/bin/env node", bin="n") + " && mv index.js n && chmod 755 n", "n"),
            ("bun", _module("e", "exports.x = 1", exports="./e.js") + " && mv index.js e.js", "e"),
            ("bash", "RUN true", "so:libcurl.so.4"),
            ("bash", "RUN true", "cmd:curl"),
            ("bash", "RUN true", "curl>1"),
        ],
        ids=[
            *(
                "python",
                "python that prints",
                "ESM with top-level await",
                "CommonJS",
                "much output",
                "much output in bun",
                "types only",
                "program",
            ),
            *(
                "types by exports",
                "style sheets by exports",
                "parts",
                "style sheet",
                "program alone",
                "bun",
                "program for node",
                "bun by exports",
            ),
            *("library of apk", "command of apk", "apk with a version"),
        ],
    )
    def test_kinds_of_packages(
        self, verify: Callable[..., Verdict], runtime: str, steps: str, package: str
    ) -> None:
        """Each kind of package passes by what it offers."""
        assert verify(runtime, steps, package).findings == ()


def _kinds(findings: tuple[Finding, ...]) -> list[type]:
    return [type(plain(each)) for each in findings]


class TestBad:
    """Images that don't, each in one way."""

    @pytest.mark.thorough(every=3)
    @pytest.mark.parametrize(
        ("runtime", "steps", "package", "finding"),
        [
            ("python", "RUN true", "numpy", PackageMissing(package="numpy")),
            ("node", "RUN true", "lodash", PackageMissing(package="lodash")),
            ("bun", "RUN true", "zod", PackageMissing(package="zod")),
            ("deno", "RUN true", "npm:is-number", PackageMissing(package="npm:is-number")),
            ("bash", "RUN true", "jq", PackageMissing(package="jq")),
            ("python", _dist("old", "x = 1"), "old>=2", WrongVersion(package="old>=2", version="1.0")),
            (
                "node",
                _module("old", "exports.x = 1"),
                "old@^2",
                WrongVersion(package="old@^2", version="1.2.3"),
            ),
            (
                "bun",
                _module("old", "exports.x = 1", main="index.js"),
                "old@^2",
                WrongVersion(package="old@^2", version="1.2.3"),
            ),
            (
                "python",
                _dist("half", "x = 1", more="""'Requires-Dist: socks>=1; extra == "s"'"""),
                "half[s]",
                ExtraMissing(package="half[s]", needed="socks>=1"),
            ),
            (
                "bun",
                f"{_module('mine', 'exports.x = 1')} && chmod 700 {MODULES}/mine",
                "mine",
                InSome(
                    finding=PackageHidden(package="mine", path=f"{MODULES}/mine/package.json"),
                    releases=AS_SANDBOX,
                    others=AS_ROOT,
                ),
            ),
            (
                "node",
                _module("g", "#!/lib/ld-no-such.so", bin={"g": "g"}) + " && mv index.js g && chmod 755 g",
                "g",
                PackageUnusable(
                    package="g", use=f"its command {MODULES}/g/g", output="there is no /lib/ld-no-such.so"
                ),
            ),
            (
                "bash",
                "RUN chmod 700 /usr/bin/curl /usr/bin/wcurl",
                "curl",
                InSome(
                    finding=PackageUnusable(package="curl", use="its command /usr/bin/wcurl", output=""),
                    releases=AS_SANDBOX,
                    others=AS_ROOT,
                ),
            ),
        ],
        ids=[
            *("python missing", "node missing", "bun missing", "deno missing", "bash missing"),
            *(
                "python version",
                "node version",
                "bun version",
                "extra",
                "unreadable",
                "no loader",
                "no command",
            ),
        ],
    )
    def test_package(  # one parameter for each column of the table
        self, verify: Callable[..., Verdict], *, runtime: str, steps: str, package: str, finding: Finding
    ) -> None:
        """The package is named, and what is wrong with it."""
        assert verify(runtime, steps, package).findings == (finding,)

    @pytest.mark.thorough(every=3)
    @pytest.mark.parametrize(
        ("runtime", "steps", "package", "use", "said"),
        [
            (
                "python",
                _dist("bad", "import nothing_such"),
                "bad",
                "import bad",
                "No module named 'nothing_such'",
            ),
            ("python", _dist("bad", "import os; os._exit(7)"), "bad", "import bad ended the process (7)", ""),
            ("node", _module("bad", "throw new Error('no musl')"), "bad", 'require("bad")', "no musl"),
            (
                "node",
                _module("bad", "process.abort()"),
                "bad",
                'require("bad") ended the process (SIGABRT)',
                "",
            ),
            (
                "bun",
                _module("bad", "throw new Error('no musl')", main="index.js"),
                "bad",
                'require("bad")',
                "no musl",
            ),
        ],
        ids=["python", "python that ends", "node", "node that crashes", "bun"],
    )
    def test_installed_but_not_usable(  # noqa: PLR0913  # one parameter for each column of the table
        self, verify: Callable[..., Verdict], *, runtime: str, steps: str, package: str, use: str, said: str
    ) -> None:
        """What installs and does not load is told with the runtime's own words."""
        finding = verify(runtime, steps, package).findings[0]
        assert isinstance(finding, PackageUnusable)
        assert finding.use == use
        assert said in finding.output

    @pytest.mark.thorough
    @pytest.mark.parametrize(
        ("runtime", "source"),
        [
            ("python", "import time; time.sleep({})"),
            ("node", "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000 * {})"),
            ("bun", "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000 * {})"),
        ],
        ids=["python", "node", "bun"],
    )
    def test_time_to_load(self, verify: Callable[..., Verdict], runtime: str, source: str) -> None:
        """CPU time counts, and what sleeps longer than it may have of it passes; what sleeps without end is refused."""
        install = _dist if runtime == "python" else _module
        assert verify(runtime, install("late", source.format(4)), "late", load_timeout=3).findings == ()
        (found,) = verify(runtime, install("hangs", source.format(600)), "hangs", load_timeout=3).findings
        assert isinstance(found, PackageUnusable)
        assert found.use.endswith("did not end")

    @pytest.mark.thorough
    @pytest.mark.parametrize(
        ("runtime", "source"),
        [("python", "while True: pass"), ("node", "for (;;);"), ("bun", "for (;;);")],
        ids=["python", "node", "bun"],
    )
    def test_work_without_end(self, verify: Callable[..., Verdict], runtime: str, source: str) -> None:
        """The kernel ends what has used up its CPU time."""
        install = _dist if runtime == "python" else _module
        (found,) = verify(runtime, install("works", source), "works", load_timeout=2).findings
        assert isinstance(found, PackageUnusable)
        assert found.use.endswith("did not end")

    def test_a_slow_machine(self, verify: Callable[..., Verdict], monkeypatch: pytest.MonkeyPatch) -> None:
        """A package that needs less CPU time than it may use passes, however long that takes by the clock."""

        def slow(request: RunRequest, *, podman: bool) -> Mapping[str, object]:
            return {**host_config(request, podman=podman), "CpuPeriod": 100_000, "CpuQuota": 15_000}

        monkeypatch.setattr("isol8_tasks.engine.sandboxes.host_config", slow)
        source = "while __import__('time').process_time() < 1: pass"
        began = time.monotonic()
        assert verify("python", _dist("slow", source), "slow", load_timeout=3).findings == ()
        assert time.monotonic() - began > 6, "it was slow"

    def test_a_package_that_import_does_not_find(self, verify: Callable[..., Verdict]) -> None:
        """A package is no use to programs that `import` it if Node looks elsewhere."""
        steps = f"{_module('mine', 'exports.x = 1')} && rm /node_modules"
        uses = [
            each.use for each in verify("node", steps, "mine").findings if isinstance(each, PackageUnusable)
        ]
        assert uses == ['import("mine")']

    @pytest.mark.thorough(every=4)
    @pytest.mark.parametrize(
        ("steps", "findings"),
        [
            ("RUN touch /opt/x && chmod 4755 /opt/x", (PrivilegedFile(path="/opt/x", mode=0o4755),)),
            ("RUN touch /opt/x && chmod 2755 /opt/x", (PrivilegedFile(path="/opt/x", mode=0o2755),)),
            ("RUN chmod 666 /etc/profile", (WritableByAll(path="/etc/profile", mode=0o666),)),
            ("RUN mkdir -m 777 '/opt/a b'", (WritableByAll(path="/opt/a b", mode=0o777),)),
            ("RUN touch /root/x && chmod 4755 /root/x", (PrivilegedFile(path="/root/x", mode=0o4755),)),
            (
                f"{NESTED} && chmod 666 /srv/a/b/x && chown 405 /srv/a && chmod 700 /srv/a",
                (WritableByAll(path="/srv/a/b/x", mode=0o666),),
            ),
            ("RUN rm -r /root", ()),
            ("RUN mkdir -m 1777 /opt/shared && ln -s /etc /opt/link", ()),
        ],
        ids=["setuid", "setgid", "file", "folder", "root's", "closed", "no root's", "sticky"],
    )
    def test_files(self, verify: Callable[..., Verdict], steps: str, findings: tuple[Finding, ...]) -> None:
        """What gives rights away is found wherever it lies."""
        assert verify("bash", steps).findings == findings

    def test_files_that_the_upstream_image_has(
        self, verifier: Verifier, bases: Mapping[str, str], build_image: Build
    ) -> None:
        """What came with the upstream image is not held against ours."""
        upstream = build_image("verify-upstream", "FROM alpine:3.21\nRUN touch /opt/x && chmod 4755 /opt/x\n")
        steps = f"FROM {bases['bash']}\nRUN touch /opt/x /opt/y && chmod 4755 /opt/x /opt/y\n"
        image = build_image("verify-ours", steps)
        verdict = verifier.verify(Subject(image=image, runtime="bash", upstream=(upstream,)))
        assert verdict.findings == (PrivilegedFile(path="/opt/y", mode=0o4755),)

    @pytest.mark.thorough(every=3)
    @pytest.mark.parametrize(
        ("steps", "kinds"),
        [
            ("RUN rm /bin/bash && ln -s /bin/true /bin/bash", [RuntimeBroken]),
            ("ENTRYPOINT []", [OtherFirstProcess]),
            ("RUN deluser sandbox", [NotStarted]),
            ("RUN rm /bin/sh", [LookBroken]),
            (f'{DEAF_TINI}\nENTRYPOINT ["/opt/tini", "--"]', [SignalsLost]),
        ],
        ids=["runtime", "entrypoint", "user", "shell", "signals"],
    )
    def test_image(self, verify: Callable[..., Verdict], steps: str, kinds: list[type]) -> None:
        """What every image promises is looked at, too."""
        assert _kinds(verify("bash", steps).findings) == kinds

    def test_a_look_that_hangs(self, verify: Callable[..., Verdict], monkeypatch: pytest.MonkeyPatch) -> None:
        """An image whose programs never end is given up, with its container."""
        monkeypatch.setattr("isol8_tasks.verify.probe.LOOK_SECONDS", 2)
        begin = time.monotonic()
        steps = "RUN rm /bin/cat && printf '#!/bin/sh\\nsleep 600\\n' > /bin/cat && chmod 755 /bin/cat"
        assert verify("bash", steps).findings == (LookHung(seconds=2, output=""),)
        assert time.monotonic() - begin < 60

    def test_an_entrypoint_that_hangs(
        self, verify: Callable[..., Verdict], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One that never runs the command is named, and given up."""
        monkeypatch.setattr("isol8_tasks.verify.probe.LOOK_SECONDS", 5)
        found = verify("bash", 'ENTRYPOINT ["/sbin/tini", "--", "sh", "-c", "sleep 600"]').findings
        entrypoint = ("/sbin/tini", "--", "sh", "-c", "sleep 600")
        assert found == (CommandNotRun(output="", entrypoint=entrypoint, seconds=5),)


def _file(path: str, data: bytes) -> str:
    """Return the step that writes a program."""
    text = base64.b64encode(data).decode()
    return f"RUN mkdir -p $(dirname {path}) && echo {text} | base64 -d > {path} && chmod 755 {path}"


def _package(*modules: str, **sources: str) -> str:
    """Return the step that installs the Python package `mine` of several modules."""
    folder = "$(python3 -c 'import site; print(site.getsitepackages()[0])')"
    files = {"__init__": "", **dict.fromkeys(modules, ""), **sources}
    writes = [
        f"echo {base64.b64encode(text.encode()).decode()} | base64 -d > mine/{name}.py"
        for name, text in files.items()
    ]
    record = " ".join(f"mine/{name}.py,," for name in files)
    return (
        f"RUN cd {folder} && mkdir mine mine-1.0.dist-info && printf '%s\\n' 'Name: mine' 'Version: 1.0'"
        f" > mine-1.0.dist-info/METADATA && printf '%s\\n' {record} > mine-1.0.dist-info/RECORD && "
        + " && ".join(writes)
    )


def _command(name: str, package: str = "mine") -> str:
    """Return the step that makes a package's file a command, as npm does it."""
    return f"RUN ln -s {MODULES}/{package}/{name} /usr/local/bin/{name}"


MUSL = f"/lib/ld-musl-{platform.machine()}.so.1"
LACKING = elf(interpreter=MUSL, needed=["libnothing.so.1"])
LACKS = "Error loading shared library libnothing.so.1: No such file or directory"
GLIBC = elf(interpreter="/lib64/ld-linux-x86-64.so.2", needed=["libc.so.6"])
UNRESOLVED = elf(interpreter=MUSL, needed=["libc.so"], undefined=["gnu_get_libc_version"])
ADDON = elf(needed=["libnothing.so.1"])
LOADS_IT = "import ctypes; ctypes.CDLL('libnothing.so.1')"
RAISES = "class NotConfigured(Exception): pass\nraise NotConfigured('no settings')"
HOST = "throw new Error('use me inside of a test runner')"
BIN = _module("mine", None, bin={"mine": "mine"})
SITE = "/usr/lib/python3.13/site-packages"


class TestDeclines:
    """Packages that load only inside another program pass with a note; broken ones fail."""

    @pytest.mark.thorough(every=3)
    @pytest.mark.parametrize(
        ("runtime", "steps", "cause"),
        [
            ("python", _package(__init__=RAISES), "mine.NotConfigured: no settings"),
            ("node", _module("mine", HOST), "Error: use me inside of a test runner"),
            ("bun", _module("mine", HOST, main="index.js"), "Error: use me inside of a test runner"),
            ("node", _module("mine", "expect.extend({})"), "ReferenceError: expect is not defined"),
            ("bun", _module("mine", "expect.extend({})", main="index.js"), "expect"),
        ],
        ids=["python", "node", "bun", "a global in node", "a global in bun"],
    )
    def test_complete(self, verify: Callable[..., Verdict], runtime: str, steps: str, cause: str) -> None:
        """The cause is told."""
        verdict = verify(runtime, steps, "mine")
        assert verdict.findings == ()
        (note,) = verdict.notes
        assert isinstance(note, PackageDeclines)
        assert cause in note.output

    @pytest.mark.thorough(every=4)
    @pytest.mark.parametrize(
        ("runtime", "steps"),
        [
            ("python", _package("gone", __init__=RAISES) + " && rm mine/gone.py"),
            ("python", _package(__init__="import nothing_such")),
            (
                "python",
                _package(__init__="try: import no\nexcept ImportError: raise RuntimeError('install no')"),
            ),
            ("python", _package(__init__="x = (")),
            ("python", _package(__init__="open('/nothing/such')")),
            ("python", _package(__init__="nothing_such")),
            ("node", _module("mine", "require('nothing-such')")),
            ("node", _module("mine", "x = (")),
            ("node", _module("mine", "require('fs').readFileSync('/nothing/such')")),
            ("node", _module("mine", "undefined.x")),
            ("node", _module("mine", f"{HOST}", main="other.js")),
            ("bun", _module("mine", "require('nothing-such')", main="index.js")),
            ("bun", _module("mine", "x = (", main="index.js")),
        ],
        ids=[
            *("file", "module", "for want of a module", "syntax", "data", "name"),
            *(
                "node module",
                "node syntax",
                "node file",
                "node type",
                "node main",
                "bun module",
                "bun syntax",
            ),
        ],
    )
    def test_broken(self, verify: Callable[..., Verdict], runtime: str, steps: str) -> None:
        """What lacks a file, a module or a name, or can't be read, is refused."""
        verdict = verify(runtime, steps, "mine")
        assert verdict.notes == ()
        assert {type(each) for each in verdict.findings} == {PackageUnusable}

    def test_one_way_alone(self, verify: Callable[..., Verdict]) -> None:
        """A package whose other entry only throws is none that fails."""
        steps = _module("mine", HOST, exports={"require": "./index.js", "import": "./index.mjs"})
        verdict = verify("node", f"{steps} && echo 'export default 1' > index.mjs", "mine")
        assert (verdict.findings, verdict.notes) == ((), ())


class TestLoader:
    """Programs and libraries of which the dynamic loader tells that they can't be used; none of them is run."""

    @pytest.mark.thorough(every=6)
    @pytest.mark.parametrize(
        ("program", "said", "library"),
        [
            (LACKING, LACKS, "libnothing.so.1"),
            (GLIBC, "there is no /lib64/ld-linux-x86-64.so.2", ""),
            (UNRESOLVED, "gnu_get_libc_version: symbol not found", ""),
            (b"#!/usr/bin/env nothing-such\n", "there is no nothing-such", ""),
            (b"#!/usr/bin/nothing-such -x\n", "there is no /usr/bin/nothing-such", ""),
            (b"\xcf\xfa\xed\xfe\x07\0\0\x01" + bytes(99), "is a program for macOS", ""),
        ],
        ids=["library", "glibc", "symbol", "env", "interpreter", "macOS"],
    )
    @pytest.mark.parametrize(
        ("runtime", "install", "path", "package"),
        [
            ("node", f"{BIN}\n{_command('mine')}", f"{MODULES}/mine/mine", "mine"),
            ("bun", f"{BIN}\n{_command('mine')}", f"{MODULES}/mine/mine", "mine"),
            ("bash", "RUN rm /usr/bin/wcurl", "/usr/bin/curl", "curl"),
            (
                "python",
                _package() + " && echo ../../../bin/mine,, >> mine-1.0.dist-info/RECORD",
                "/usr/bin/mine",
                "mine",
            ),
        ],
        ids=["node", "bun", "bash", "python"],
    )
    def test_commands(  # noqa: PLR0913 - a parameter for each column of the tables
        self,
        verify: Callable[..., Verdict],
        *,
        runtime: str,
        install: str,
        path: str,
        package: str,
        program: bytes,
        said: str,
        library: str,
    ) -> None:
        """A command with the executable bit that can't be started is refused, with the library's name as a value."""
        (found,) = verify(runtime, f"{install}\n{_file(path, program)}", package).findings
        assert isinstance(found, PackageUnusable)
        assert said in found.output
        assert found.library == library

    @pytest.mark.thorough(every=6)
    @pytest.mark.parametrize(
        ("program", "said"),
        [
            (b"", "is an empty file"),
            (b"MZ\x90\0\x03" + bytes(99), "is a program for Windows"),
            (b"\xca\xfe\xba\xbe\0\0\0\x02" + bytes(99), "is a program for macOS"),
            (b"\0asm\x01\0\0\0", "is binary, of no format that Linux executes"),
            (elf(interpreter=MUSL)[:7], "is an ELF file for another processor, or cut off"),
            (elf(interpreter=MUSL)[:40], "is cut off: its header tells of more than is there"),
            (elf(interpreter=MUSL)[:-40], "is cut off: its header tells of more than is there"),
            (elf(machine=243, interpreter=MUSL), "is an ELF file for another processor"),
            (b"import os\nos.system('ls')\n", "line 2: syntax error near unexpected token `'ls''"),
            (b'"use strict";\nrequire("./cli")\n', "has no #! line, so a shell runs it"),
            (b"\xef\xbb\xbf#!/bin/sh\necho\n", "has a byte order mark before its #! line"),
        ],
        ids=[
            *("empty", "Windows", "macOS", "another", "magic", "header", "cut", "processor"),
            *("Python", "JavaScript", "byte order mark"),
        ],
    )
    def test_not_executed(self, verify: Callable[..., Verdict], program: bytes, said: str) -> None:
        """What neither the kernel nor a shell executes is refused with what it is."""
        steps = f"{BIN}\n{_command('mine')}\n{_file(f'{MODULES}/mine/mine', program)}"
        (found,) = verify("node", steps, "mine").findings
        assert isinstance(found, PackageUnusable)
        assert (found.use, said in found.output) == ("its command /usr/local/bin/mine", True), found.output

    @pytest.mark.thorough(every=3)
    @pytest.mark.parametrize(
        "program",
        [b"echo fine\n", b"# a comment\n\nif true; then echo fine; fi\n", b"MZqFpD='\n'\necho fine\n\0\0"],
        ids=["one line", "text", "binary behind a line of text"],
    )
    def test_a_script_without_a_first_line(self, verify: Callable[..., Verdict], program: bytes) -> None:
        """A shell runs it as its own."""
        steps = f"{BIN}\n{_command('mine')}\n{_file(f'{MODULES}/mine/mine', program)}"
        assert verify("node", steps, "mine").findings == ()

    def test_a_static_program(self, verify: Callable[..., Verdict]) -> None:
        """It needs no loader."""
        steps = f"{BIN}\n{_command('mine')}\nRUN cp /usr/local/bin/isol8-proxy {MODULES}/mine/mine"
        assert verify("node", steps, "mine").findings == ()

    @pytest.mark.thorough
    @pytest.mark.parametrize("runtime", ["node", "bun"])
    def test_an_addon(self, verify: Callable[..., Verdict], runtime: str) -> None:
        """It is opened at first use only, and lacks a library then."""
        steps = f"{_module('mine', 'exports.x = 1', main='index.js')}\n{_file(f'{MODULES}/mine/build/x.node', ADDON)}"
        assert verify(runtime, steps, "mine").findings == (
            PackageUnusable(
                package="mine",
                use=f"its library {MODULES}/mine/build/x.node",
                output=f"{LACKS} (needed by {MODULES}/mine/build/x.node)",
                library="libnothing.so.1",
            ),
        )

    @pytest.mark.parametrize("name", ["mine", "@some/one"])
    def test_an_addon_in_the_cache_of_deno(self, verify: Callable[..., Verdict], name: str) -> None:
        """The loader that Deno itself has is asked about it."""
        file = f"/deno-dir/npm/registry.example/{name}/1.0.0/build/x.node"
        found = verify("deno", _file(file, ADDON), f"npm:{name}@1/part").findings
        assert [(each.use, each.library) for each in found if isinstance(each, PackageUnusable)] == [
            (f"its library {file}", "libnothing.so.1")
        ]

    def test_a_command_whose_entry_is_not_shipped(self, verify: Callable[..., Verdict]) -> None:
        """The command is what people use of it; without one it is broken."""
        entry = {".": {"require": "./gone.js", "import": "./gone.js"}}
        steps = (
            _module("mine", "#!/usr/bin/env node", bin={"mine": "index.js"}, exports=entry)
            + " && chmod 755 index.js"
        )
        verdict = verify("node", f"{steps}\n{_command('index.js')}", "mine")
        assert verdict.findings == ()
        assert [type(each) for each in verdict.notes] == [PartUnusable]
        assert verify("node", _module("mine", "", exports=entry), "mine").findings

    @pytest.mark.thorough
    def test_addons_for_other_systems(self, verify: Callable[..., Verdict]) -> None:
        """One for another processor, and one for glibc beside one for musl, are no fault."""
        steps = [
            _module("mine", "exports.x = 1"),
            _file(f"{MODULES}/mine/prebuilds/mips.node", elf(needed=["libnothing.so.1"], machine=8)),
            _file(f"{MODULES}/mine/prebuilds/glibc.node", ADDON),
            _file(
                f"{MODULES}/mine/prebuilds/musl.node",
                elf(needed=["libc.so"], undefined=["napi_create_object"]),
            ),
        ]
        verdict = verify("node", "\n".join(steps), "mine")
        assert verdict.findings == ()
        assert [type(each) for each in verdict.notes] == [PartUnusable]

    def test_an_extension_module(self, verify: Callable[..., Verdict]) -> None:
        """One that nothing imports yet is asked about, too; what Python brings is not missing."""
        record = "echo mine/_fast.so,, >> mine-1.0.dist-info/RECORD"
        needs_python = elf(needed=["libc.so"], undefined=["PyModule_Create2"])
        for addon, library in ((ADDON, ["libnothing.so.1"]), (needs_python, [])):
            steps = f"{_package()} && {record}\n{_file(f'{SITE}/mine/_fast.so', addon)}"
            found = verify("python", steps, "mine").findings
            assert [each.library for each in found if isinstance(each, PackageUnusable)] == library

    def test_two_packages_with_one_command(self, verify: Callable[..., Verdict]) -> None:
        """Both are named, and the one whose command it is."""
        steps = "\n".join(
            (
                _module("one", "#!/bin/sh", bin={"tool": "index.js"}) + " && chmod 755 index.js",
                _module("two", "#!/bin/sh", bin={"tool": "index.js"}) + " && chmod 755 index.js",
                f"RUN ln -s {MODULES}/two/index.js /usr/local/bin/tool",
            )
        )
        verdict = verify("node", steps, "one", "two")
        assert CommandShared(command="tool", packages=("one", "two"), used="two") in verdict.notes


class TestModulesBelow:
    """Python packages that import nothing by themselves."""

    def test_a_library(self, verify: Callable[..., Verdict]) -> None:
        """What most of its modules need is missing."""
        (found,) = verify(
            "python", _package("plain", image=LOADS_IT, mine="from mine import image"), "mine"
        ).findings
        assert isinstance(found, PackageUnusable)
        assert (found.use, found.library) == ("import mine.image", "libnothing.so.1")

    @pytest.mark.thorough
    def test_extras(self, verify: Callable[..., Verdict]) -> None:
        """A library that one module needs is a note; a package that one needs, and what hangs, are nothing."""
        more = {"dask": "import nothing_such", "hangs": "while True: pass"}
        verdict = verify("python", _package("a", "b", "c", "d", **more), "mine")
        assert (verdict.findings, verdict.notes) == ((), ())
        verdict = verify("python", _package("a", "b", "c", "d", image=LOADS_IT), "mine")
        assert verdict.findings == ()
        (note,) = verdict.notes
        assert isinstance(note, PartUnusable)
        assert (note.use, note.library) == ("import mine.image", "libnothing.so.1")


class TestRealPackages:
    """Packages of the registries, by name: those that were judged wrongly, in images as people build them."""

    @pytest.mark.thorough(every=4)
    @pytest.mark.parametrize(
        ("runtime", "packages", "declines"),
        [
            ("python", ("graphene-django", "requests"), ["graphene-django"]),
            (
                "node",
                ("@testing-library/jest-dom", "@jest/globals", "date-fns"),
                ["@testing-library/jest-dom", "@jest/globals"],
            ),
            (
                "bun",
                ("@testing-library/jest-dom", "@jest/globals"),
                ["@testing-library/jest-dom", "@jest/globals"],
            ),
            ("bun", ("cowsay", "prettier", "@biomejs/biome", "drizzle-kit", "http-server"), []),
        ],
        ids=["python", "node", "bun", "commands of bun"],
    )
    def test_that_work(
        self, verify: Callable[..., Verdict], runtime: str, packages: tuple[str, ...], declines: list[str]
    ) -> None:
        """They pass, with a note on those that load only inside another program."""
        words = " ".join(map(shell_word, (*RUNTIMES[runtime].install, *packages)))
        verdict = verify(runtime, f"RUN {words}", *packages)
        assert verdict.findings == ()
        assert [each.package for each in verdict.notes if isinstance(each, PackageDeclines)] == declines

    @pytest.mark.thorough(every=3)
    @pytest.mark.parametrize(
        ("package", "use", "library"),
        [
            ("pyzbar", "import pyzbar.pyzbar", "libzbar.so"),
            ("wand", "import wand.api", "libMagickWand.so"),
            ("python-magic", "import magic", "libmagic.so"),
        ],
    )
    def test_that_lack_a_library(
        self, verify: Callable[..., Verdict], package: str, use: str, library: str
    ) -> None:
        """They are refused with the library's name."""
        (found,) = verify("python", f"RUN pip install --no-cache-dir {package}", package).findings
        assert isinstance(found, PackageUnusable)
        assert (found.use, found.library) == (use, library)

    @pytest.mark.thorough
    def test_notes(self, verify: Callable[..., Verdict]) -> None:
        """One command of two packages, and data from the network."""
        verdict = verify("node", "RUN npm install -g typescript tsc", "typescript", "tsc")
        assert verdict.findings == ()
        assert [each.command for each in verdict.notes if isinstance(each, CommandShared)] == ["tsc"]
        verdict = verify("python", "RUN pip install --no-cache-dir tiktoken", "tiktoken")
        assert verdict.findings == ()
        assert [type(each) for each in verdict.notes] == [PackageNeeds]


PTRACE = "import ctypes; assert ctypes.CDLL(None).ptrace(0, 0, 0, 0) == 0"
RUNS = (
    "import shutil, subprocess; shutil.copy('/bin/busybox', '/sandbox/busybox'); "
    "subprocess.run(['/sandbox/busybox', 'true'], check=True)"
)
FILLS = "with open('/sandbox/big', 'wb') as file: file.write(bytes(100 << 20))"
NO_COMMONJS = "require('module')._extensions['.js'] = () => { throw new Error('no CommonJS') }"
ESM = _module("esm", "export const x = 1", type="module", exports={"import": "./index.js"})
MINE = "mine is installed, but `import mine` fails with isol8 "
NEWER = "v0.7.0 and later (not with v0.6.2 and before)"
NO_USER = "unable to find user sandbox: no matching entries in passwd file"
BROKEN = "the network filter is broken with isol8 "
FIRST = "7eeb3af and v0.1.0-alpha.2 (not with v0.1.0 and later)"


class TestSomeClients:
    """Images that work in some releases of isol8 and not in others."""

    @pytest.mark.thorough(every=3)
    @pytest.mark.parametrize(
        ("runtime", "steps", "packages", "words"),
        [
            ("python", _dist("mine", PTRACE), ("mine",), MINE + NEWER),
            ("python", _dist("mine", "x = 1") + " && chmod 600 mine.py", ("mine",), MINE + NEWER),
            ("python", _dist("mine", RUNS), ("mine",), MINE + FIRST),
            ("python", _dist("mine", FILLS), ("mine",), MINE + FIRST),
            (
                "node",
                f'RUN echo {shell_word(NO_COMMONJS)} > /opt/hook.cjs\nENV NODE_OPTIONS="--require /opt/hook.cjs"',
                (),
                "node does not start with isol8 v0.4.2 and before (not with v0.4.3 and later)",
            ),
            (
                "bash",
                "RUN deluser sandbox",
                (),
                f"the container can't be started with isol8 {NEWER}: {NO_USER}",
            ),
        ],
        ids=["traces", "root's file", "program in /sandbox", "100 MB in /sandbox", "no CommonJS", "no user"],
    )
    def test_are_told_apart(
        self,
        verify: Callable[..., Verdict],
        *,
        runtime: str,
        steps: str,
        packages: tuple[str, ...],
        words: str,
    ) -> None:
        """One line says what fails, in which releases, and that it works in the others."""
        assert list(map(render_finding, verify(runtime, steps, *packages).findings)) == [words]

    def test_what_works_in_all(self, verify: Callable[..., Verdict]) -> None:
        """A package of ECMAScript modules alone is of use to files of either kind, by `import`."""
        assert verify("node", ESM, "esm").findings == ()

    def test_the_oldest_client(
        self, verifier: Verifier, bases: Mapping[str, str], build_image: Build
    ) -> None:
        """Whoever leaves old clients out is not kept by their limits."""
        image = build_image("verify-python", f"FROM {bases['python']}\n{_dist('mine', RUNS)}\n")
        subject = Subject(image=image, runtime="python", packages=("mine",), upstream=UPSTREAM)
        assert verifier.verify(evolve(subject, oldest_client="0.1.0")).findings == ()
        error = failure("isol8:web", verifier.verify(subject))
        assert error is not None
        assert str(error).splitlines()[-1] == (
            'If nobody uses these clients, write oldest_client = "0.1.0" under [verify].'
        )


class TestFilter:
    """The network filter in bases."""

    @pytest.mark.parametrize("runtime", ["node", "bash"])
    def test_a_base_of_user_sandbox(
        self, verifier: Verifier, bases: Mapping[str, str], build_image: Build, runtime: str
    ) -> None:
        """It does without the firewall's rules, which are root's; older clients leave it no folder to write to."""
        image = build_image(f"verify-{runtime}", f"FROM {bases[runtime]}\nUSER sandbox\n")
        subject = Subject(image=image, runtime=runtime, upstream=UPSTREAM, filtered=True)
        assert verifier.verify(evolve(subject, oldest_client="0.7.0")).findings == ()
        words = f"{runtime} does not start with isol8 v0.6.2 and before (not with v0.7.0 and later)"
        assert words in map(render_finding, verifier.verify(subject).findings)

    @pytest.mark.thorough(every=4)
    @pytest.mark.parametrize(
        ("runtime", "steps", "words"),
        [
            (
                "bash",
                "RUN rm /usr/local/bin/isol8-proxy",
                BROKEN + "v0.8.1 and later: `bash /usr/local/bin/proxy.sh` does not listen",
            ),
            (
                "python",
                "RUN rm /usr/sbin/iptables",
                BROKEN + "v0.8.1 and later: `/usr/sbin/iptables` does not run",
            ),
            (
                "node",
                "RUN rm /usr/local/bin/proxy.mjs",
                BROKEN + "v0.8.0 and before: `node /usr/local/bin/proxy.mjs` does not listen",
            ),
            (
                "bash",
                "RUN printf '#!/bin/sh\\nexec nc -lk -p 8118 -e echo HTTP/1.1 200 OK\\n' > /usr/local/bin/isol8-proxy",
                BROKEN
                + "v0.8.1 and later: `bash /usr/local/bin/proxy.sh` does not refuse a private address with 403",
            ),
        ],
        ids=["no filter", "no iptables", "no proxy.mjs", "lets all pass"],
    )
    def test_broken(  # noqa: PLR0913  # one parameter for each column of the table
        self,
        verifier: Verifier,
        bases: Mapping[str, str],
        build_image: Build,
        *,
        runtime: str,
        steps: str,
        words: str,
    ) -> None:
        """A base whose filter does not start, or refuses nothing, fails; without a network to try it."""
        image = build_image(f"verify-{runtime}", f"FROM {bases[runtime]}\n{steps}\n")
        subject = Subject(image=image, runtime=runtime, upstream=UPSTREAM, filtered=True)
        verdict = verifier.verify(subject)
        assert list(map(render_finding, verdict.findings)) == [words]
        assert isinstance(plain(verdict.findings[0]), FilterBroken)


class TestUserChecks:
    """Checks of a user's own, in the same sandbox."""

    @pytest.mark.thorough(every=4)
    @pytest.mark.parametrize(
        ("check", "kinds"),
        [
            (UserCheck(command=("bash", "-c", "id -un; pwd"), output=r"^sandbox\n/sandbox$"), []),
            (UserCheck(command=("bash", "-c", "echo oops >&2; exit 3"), exit=3, output="oops"), []),
            (UserCheck(command=("bash", "-c", "touch /etc/x")), [CommandExit]),
            (UserCheck(command=("curl", "-sS", "-m", "3", "http://192.0.2.1/"), exit=7), []),
            (UserCheck(command=("echo", "$(id)", "; id"), output=r"^\$\(id\) ; id\n$"), []),
            (UserCheck(command=("nothing-such",)), [CommandExit]),
            (UserCheck(command=("echo", "jq-1.7"), output="^jq-2"), [CommandOutput]),
            (UserCheck(command=("sleep", "600"), timeout=0.5), [CommandHung]),
        ],
        ids=[
            "user",
            "exit",
            "read-only",
            "no network",
            "no shell",
            "not found",
            "output",
            "hangs",
        ],
    )
    def test_check(
        self, verifier: Verifier, bases: Mapping[str, str], check: UserCheck, kinds: list[type]
    ) -> None:
        """It runs as isol8's clients run code, and is judged by exit code, output and time."""
        subject = Subject(image=bases["bash"], runtime="bash", upstream=UPSTREAM, checks=(check,))
        assert _kinds(verifier.verify(subject).findings) == kinds


class TestContainers:
    """What a container is, and that none stays."""

    @pytest.mark.parametrize("kind", KINDS, ids=[released(kind.releases) for kind in KINDS])
    def test_as_clients_describe_it(
        self, engine: DockerEngine, bases: Mapping[str, str], kind: Conditions
    ) -> None:
        """User, places to write to, forbidden calls, limits and environment are those of the clients; no network."""
        script = (
            "id -u; grep -E '^(CapEff|NoNewPrivs)' /proc/self/status | cut -f2; cat /proc/1/comm; "
            "cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max 2>/dev/null; "
            "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null; "
            "grep -E ' /(sandbox|tmp) ' /proc/mounts | cut -d' ' -f2,4 | sort; "
            "touch /x 2>/dev/null || echo read-only; ls /sys/class/net; "
            'touch /sandbox/t; chmod 755 /sandbox/t; /sandbox/t && echo exec; echo "$NODE_PATH"; echo "$DENO_DIR"'
        )
        request = RunRequest(
            image=bases["bash"],
            command=("sh", "-c", script),
            seconds=30,
            user=kind.user,
            environment=kind.environment,
            tmpfs=kind.tmpfs,
            seccomp=profile(kind.denied_system_calls),
            capabilities=(),
        )
        lines = engine.run(request).stdout.decode().splitlines()
        is_sandbox, is_first = bool(kind.user), kind is KINDS[-1]
        size, program = ("65536k", ",noexec") if is_first else ("524288k", "")
        owner = ",uid=100,gid=101" if is_sandbox else ""
        assert lines == [
            *(("100", "0000000000000000") if is_sandbox else ("0", "00000000a80425fb")),
            *("1", "tini", "64", "536870912"),
            f"/sandbox rw,nosuid,nodev{program},relatime,size={size}{owner}",
            f"/tmp rw,nosuid,nodev,noexec,relatime,size={'65536k' if is_first else '262144k'}",
            *("read-only", "lo"),
            *(() if is_first else ("exec",)),
            kind.environment["NODE_PATH"],
            kind.environment.get("DENO_DIR", ""),
        ]

    def test_no_such_image(self, engine: DockerEngine) -> None:
        """An image that does not exist is told from one that is broken."""
        with pytest.raises(NoSuchImageError):
            engine.run(RunRequest(image="isol8test:nothing-such", command=("true",), seconds=1))

    def test_much_output(self, engine: DockerEngine, bases: Mapping[str, str]) -> None:
        """Of what is printed without end, the beginning is kept."""
        finished = engine.run(
            RunRequest(image=bases["bash"], command=("head", "-c", "20000000", "/dev/zero"), seconds=60)
        )
        assert (finished.exit, len(finished.stdout)) == (0, 16 * 1024 * 1024)

    def test_cancel(self, engine: DockerEngine, bases: Mapping[str, str]) -> None:
        """A check can be aborted from another thread, and its container goes with it."""
        begin = time.monotonic()
        timer = threading.Timer(1.5, engine.cancel)
        timer.start()
        with pytest.raises(EngineError, match="was aborted"):
            engine.run(RunRequest(image=bases["bash"], command=("sleep", "600"), seconds=600))
        timer.join()
        assert time.monotonic() - begin < 20

    def test_a_killed_client(
        self, bases: Mapping[str, str], leftovers: Callable[[str], list[str]], engine: DockerEngine
    ) -> None:
        """What a killed run leaves behind ends by itself, and is gone then."""
        image = bases["bash"]
        program = (
            "import os\nfrom pathlib import Path\n"
            "from isol8_tasks.engine.containers import RunRequest\n"
            "from isol8_tasks.engine.daemon import DockerEngine\n"
            "from isol8_tasks.engine.endpoint import find\n"
            "engine = DockerEngine(find(Path.cwd(), os.environ), environ=os.environ)\n"
            f"engine.run(RunRequest(image={image!r}, command=('sleep', '600'), seconds=1))\n"
        )
        client = subprocess.Popen(
            [sys.executable, "-c", program], cwd=CHECKOUT, env={**os.environ, "PYTHONPATH": str(CHECKOUT)}
        )
        _wait_for(lambda: "running" in leftovers(image))
        client.kill()
        client.wait()
        _wait_for(lambda: leftovers(image) == [])
        engine.sweep()

    @pytest.mark.parametrize("moment", ["created", "running"])
    def test_a_killed_resolver(
        self,
        bases: Mapping[str, str],
        leftovers: Callable[[str], list[str]],
        engine: DockerEngine,
        docker_api: docker.APIClient,
        moment: str,
    ) -> None:
        """What it leaves shows no password of an index to anybody, and the next run removes it at once."""
        # A tag of its own, as what other tests leave goes away in its own time.
        image = f"{REPOSITORY}:{moment}"
        engine.tag(bases["bash"], image)
        program = (
            (
                "import os, time\nfrom pathlib import Path\n"
                "from isol8_tasks.engine import sandboxes\n"
                "from isol8_tasks.engine.containers import RunRequest\n"
                "from isol8_tasks.engine.daemon import DockerEngine\n"
                "from isol8_tasks.engine.endpoint import find\n"
                f"if {moment!r} == 'created': sandboxes._start = lambda *_: time.sleep(600)\n"
                "engine = DockerEngine(find(Path.cwd(), os.environ), environ=os.environ)\n"
                "engine.run(RunRequest(image={image!r}, command=('sh', '-c', 'echo $URL; sleep 600'), user='root',\n"
                "    environment={{'URL': 'https://me:canary@index.test'}}, seconds=100, online=True))\n"
            )
            .replace("{image!r}", repr(image))
            .replace("{{", "{")
            .replace("}}", "}")
        )
        client = subprocess.Popen(
            [sys.executable, "-c", program], cwd=CHECKOUT, env={**os.environ, "PYTHONPATH": str(CHECKOUT)}
        )
        _wait_for(lambda: moment in leftovers(image))
        (made,) = docker_api.containers(all=True, filters={"label": f"{LABEL}={image}"})
        if moment == "running":
            _wait_for(lambda: "sleep 600" in str(docker_api.top(made["Id"])))
        engine.sweep()
        assert leftovers(image) == [moment], "its run is alive"
        assert "canary" not in json.dumps(docker_api.inspect_container(made["Id"]))
        client.kill()
        client.wait()
        engine.sweep()
        # Another run's sweep may have begun to remove it.
        _wait_for(lambda: leftovers(image) == [])
        engine.untag(image)

    def test_variables_of_a_resolver(self, bases: Mapping[str, str], engine: DockerEngine) -> None:
        """It gets its variables besides the image's own, ends as its command does, and is ended in time."""
        request = RunRequest(
            image=bases["bash"],
            command=("sh", "-c", 'echo "$A"; echo "$PATH" >&2; exit 7'),
            user="root",
            environment={"A": "https://me:pw@x/ 'b'"},
            seconds=30,
            online=True,
        )
        done = engine.run(request)
        assert (done.exit, done.stdout) == (7, b"https://me:pw@x/ 'b'\n")
        assert b"/usr/bin" in done.stderr
        late = engine.run(evolve(request, command=("sh", "-c", "echo 1; sleep 60"), seconds=1))
        assert (late.exit, late.stdout) == (None, b"1\n")

    def test_sweep(
        self,
        engine: DockerEngine,
        docker_api: docker.APIClient,
        bases: Mapping[str, str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A container that was made and never started is removed, and only if a check made it."""
        labels = ({LABEL: "x"}, {"org.isol8.tasks.test": "1"})
        made = [docker_api.create_container(bases["bash"], ["true"], labels=each)["Id"] for each in labels]
        try:
            engine.sweep()
            assert len(docker_api.containers(all=True, filters={"id": made[0]})) == 1, "it is too young"
            monkeypatch.setattr("isol8_tasks.engine.sandboxes._LEFT_OVER", 0)
            time.sleep(1.1)  # the engine tells whole seconds
            engine.sweep()
            assert [len(docker_api.containers(all=True, filters={"id": each})) for each in made] == [0, 1]
        finally:
            for each in made:
                if docker_api.containers(all=True, filters={"id": each}):
                    docker_api.remove_container(each, force=True)


def test_side_by_side(verifier: Verifier, bases: Mapping[str, str]) -> None:
    """Checks of all bases run at once, each with its own answer."""

    def verify(runtime: str) -> Verdict:
        return verifier.verify(Subject(image=bases[runtime], runtime=runtime, upstream=UPSTREAM))

    with ThreadPoolExecutor() as pool:
        verdicts = list(pool.map(verify, RUNTIMES))
    assert [verdict.findings for verdict in verdicts] == [()] * len(RUNTIMES)
    assert len({verdict.packages for verdict in verdicts}) == len(RUNTIMES)


def _wait_for(condition: Callable[[], bool], seconds: float = 40) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)
