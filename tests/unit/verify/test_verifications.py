"""Which images of a run are looked into, on an engine in memory."""

import pytest
from attrs import define, evolve, field

from isol8_tasks.config.deps import parse_config
from isol8_tasks.dockerfile.closure import parse
from isol8_tasks.ecosystems.inventory import Package, decode
from isol8_tasks.engine.containers import Finished, NotStartedError, RunRequest
from isol8_tasks.errors import NotRunnableError, UpstreamUnavailableError, VerifyFailedError
from isol8_tasks.images.observed import Observed, ObservedImage
from isol8_tasks.plan.graph import build_graph
from isol8_tasks.plan.model import FlagRequest, ImageSpec
from isol8_tasks.verify.verifications import Verifications

ANSWER = """
{mark} filter 99 0
HTTP/1.1 403 Forbidden

{mark} first
tini

{mark} release
3.21.0

{mark} apk
P:musl
V:1

{mark} modes
seen /etc

{mark} runtime
42 5.2

{items}
{mark} start 0
42

{mark} end 0 yes
"""
IMAGES = """
[images.one]
runtime = "bash"
setup = "echo 1"
[images.two]
runtime = "bash"
setup = "echo 2"
[images.on-two]
extends = "two"
setup = "echo 3"
[images.jq]
runtime = "bash"
packages = ["jq"]
"""
ONE_KIND = '[verify]\noldest_client = "0.7.0"\nload_timeout = "7s"\n'
BASES = parse("".join(f"FROM scratch AS {name}\n" for name in ("python", "node", "bun", "deno", "bash")))
NOTHING = Observed(repository="isol8")
BUILT = Observed(
    repository="isol8",
    images=tuple(ObservedImage(id=f"sha256:{name}", tags=(f"isol8:{name}",)) for name in ("bash", "two")),
)


@define
class Engine:
    """Each image answers alike, and some can't be started."""

    broken: set[str] = field(factory=set)
    asked: list[str] = field(factory=list)
    seconds: set[str] = field(factory=set)
    """What a package has until it is loaded."""
    items: list[tuple[str, ...]] = field(factory=list)
    """What was looked for."""
    refusals: dict[str, str] = field(factory=dict)
    """Why images can't be started."""
    said: str = ""
    """What comes of running nothing in particular."""

    def own_platform(self) -> str:
        return "linux/amd64"

    def run(self, request: RunRequest) -> Finished:
        self.asked.append(request.image)
        if request.image in self.broken:
            raise NotStartedError("the engine did not start it: no user", "no user")
        if request.image in self.refusals:
            raise NotStartedError("the engine did not start it", self.refusals[request.image])
        if request.command in {("true",), ("uname", "-m")}:
            return Finished(exit=0, stdout=b"", stderr=b"", output=self.said.encode())
        self.seconds.add(request.environment["ISOL8_CHECK_SECONDS"])
        mark, items = request.command[4], request.command[7:]
        self.items.append(items)
        told = "".join(f"{mark} item {item}\nok usr/bin/{item}\n" for item in items)
        text = ANSWER.format(mark=mark, items=told).encode()
        return Finished(exit=0, stdout=text, stderr=b"", output=text)

    def modes(self, image: str, folder: str) -> tuple[tuple[str, int], ...]:
        raise NotImplementedError(f"{image} has no closed {folder}")

    def entrypoint(self, image: str) -> tuple[str, ...]:
        raise NotImplementedError(f"{image} runs what it is given")

    def sweep(self) -> None: ...


@pytest.fixture
def engine() -> Engine:
    return Engine()


@define
class Run:
    """The checks of one run."""

    verifications: Verifications
    specs: dict[str, ImageSpec]

    def check(self, *names: str) -> list[str]:
        """Check images in this order, and return what is written down of each."""
        return [self.verifications(self.specs[name], name) for name in names]


def begin(engine: Engine, more: str = "", verify: str = "") -> Run:
    config = parse_config(IMAGES + more + ONE_KIND + verify, "deps.toml")
    images = build_graph(config, BASES, {}, NOTHING, FlagRequest()).images
    return Run(Verifications(engine, config, lambda: BUILT), {spec.name: spec for spec in images})


class TestSameContent:
    """Images that differ by their labels alone."""

    def test_one_look_serves_all_that_add_nothing_to_an_image(self, engine: Engine) -> None:
        """The second image on the same base has the first one's inventory; on another base it is looked into."""
        found = begin(engine).check("bash", "one", "two", "on-two")
        assert engine.asked == ["bash", "one", "on-two"]
        assert len(set(found)) == 1
        assert decode(found[2]) == ("3.21.0", (Package(ecosystem="apk", name="musl", version="1"),))

    def test_packages_and_checks_of_ones_own_are_looked_into(self, engine: Engine) -> None:
        """What an image adds, or what is asked of it alone, is never taken from another."""
        begin(engine, '[verify.two]\ncommand = ["true"]\n').check("one", "jq", "two")
        assert engine.asked == ["one", "jq", "two", "two"]

    def test_packages_have_the_time_of_the_settings(self, engine: Engine) -> None:
        """`[verify] load_timeout` reaches the container."""
        begin(engine).check("jq")
        assert engine.seconds == {"7"}

    def test_packages_that_are_skipped(self, engine: Engine) -> None:
        """`[verify] skip` names packages that are not looked for, whatever version is declared; others are."""
        tools = '[images.tools]\nruntime = "bash"\npackages = ["jq>1", "curl"]\n'
        run = begin(engine, tools)
        settings = evolve(run.verifications.config.verify, skip=("zod", "jq"))
        run.verifications.config = evolve(run.verifications.config, verify=settings)
        run.check("tools")
        assert engine.items == [("curl",)]

    def test_a_failure_is_that_of_one_image(self, engine: Engine) -> None:
        """Each is tried where none has passed yet."""
        engine.broken = {"one"}
        run = begin(engine)
        with pytest.raises(VerifyFailedError):
            run.check("one")
        run.check("two", "one", "two")
        # A start that is refused is tried once more.
        assert engine.asked == ["one", "one", "two"]


class TestAnotherPlatform:
    """Images for a platform that is not the engine's own."""

    ARM = '[build]\nplatforms = ["linux/arm64"]\n'
    REFUSAL = "exec /usr/bin/timeout: exec format error"

    def test_emulated(self, engine: Engine) -> None:
        """They are verified as others are, and have more time."""
        assert decode(*begin(engine, self.ARM).check("bash"))
        assert engine.seconds == {"56"}
        begin(engine, self.ARM.replace("arm64", "amd64")).check("bash")
        assert engine.seconds == {"56", "7"}

    def test_programs_of_the_engine(self, engine: Engine) -> None:
        """A builder may have taken an upstream image for its own platform; that is nobody's to promote unverified."""
        engine.said = "x86_64\n"
        with pytest.raises(UpstreamUnavailableError) as caught:
            begin(engine, self.ARM, verify="unchecked_platforms = true\n").check("bash")
        assert str(caught.value).startswith(
            "isol8:bash is marked linux/arm64, and has programs for x86_64: name one"
        )

    @pytest.mark.parametrize("refused", [True, False], ids=["not started", "no program"])
    def test_not_runnable(self, engine: Engine, *, refused: bool) -> None:
        """They fail nothing, and nobody knows more of them; deps.toml can say that this will do."""
        if refused:
            engine.refusals["bash"] = self.REFUSAL
        engine.said = self.REFUSAL
        run = begin(engine, self.ARM)
        with pytest.raises(NotRunnableError) as caught:
            run.check("bash")
        assert str(caught.value).startswith(
            "isol8:bash is for linux/arm64, which the engine (linux/amd64) can't run, so it was not verified\n"
        )
        assert caught.value.exit_code == 4
        trusting = begin(engine, self.ARM, verify="unchecked_platforms = true\n")
        assert trusting.check("bash") == [""]
