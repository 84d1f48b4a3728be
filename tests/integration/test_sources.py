"""The programs that ask package sources, where they run: npm's rules, what pip fetches, apk's patience."""

import datetime as dt
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from isol8_tasks.engine.containers import RunRequest
from isol8_tasks.engine.daemon import DockerEngine
from isol8_tasks.errors import SourceUnavailableError
from isol8_tasks.freshness.answers import Answer, Solution
from isol8_tasks.freshness.resolvers import AskedIn, Question, ask, ask_apk
from tests.integration.checkouts import Checkout
from tests.integration.world import World
from tests.integration.world.wheels import Sidecars

RULES = Path(__file__).with_name("registry_rules.mjs")


def test_rules_hold_in_the_runtimes_that_run_it(built: Checkout, engine: DockerEngine) -> None:
    """Versions are ordered, tags moved, ages kept, and locks read, whichever runtime it is."""
    folder = files("isol8_tasks.freshness.programs")
    program = (folder / "versions.mjs").read_text(encoding="utf-8")
    script = (
        'printf %s "$1" >/tmp/versions.mjs; printf %s "$2" >/tmp/rules.mjs; shift 2; exec "$@" /tmp/rules.mjs'
    )
    for runtime, command in (("node", "node"), ("bun", "bun"), ("deno", "deno run --quiet --allow-all")):
        finished = engine.run(
            RunRequest(
                image=f"{built.repository}:{runtime}",
                command=(
                    "sh",
                    "-c",
                    script,
                    "sh",
                    program,
                    RULES.read_text(encoding="utf-8"),
                    *command.split(),
                ),
                user="root",
                online=True,
                seconds=60,
            )
        )
        assert finished.stdout.decode().endswith("held\n"), f"{runtime}: {finished.output.decode()}"


Ask = Callable[..., Answer]


@pytest.fixture
def asks(built: Checkout, engine: DockerEngine, world: World) -> Iterator[Ask]:
    """Give what asks pip for a package, in a world with `thing`, which needs `other`, and a young version of it."""
    now = dt.datetime.now(dt.UTC)
    world.wheel("other", "1.0")
    world.wheel("thing", "1.0", requires=["other"])
    world.wheel("thing", "1.1", requires=["other"], uploaded=now)

    def asking(spec: str) -> Answer:
        world.forget()
        return ask(
            Question(
                runtime="python",
                image=f"{built.repository}:python",
                specs=(spec,),
                arguments=world.args,
                cutoff=now - dt.timedelta(days=1),
            ),
            engine,
        )

    yield asking
    world.wheels.sidecars = "offered"
    world.traffic["wheels"].fails = lambda _: False


def fetched(world: World) -> list[str]:
    """Return the files that were fetched, sorted, each as often as it was."""
    paths = world.traffic["wheels"].paths
    return sorted(path.removeprefix("GET /files/") for path in paths if path.startswith("GET /files/"))


def pins(solution: Solution | None) -> list[str]:
    """Return what was found, each with its hash."""
    assert solution is not None
    assert solution.lockfile == "".join(
        f"{pin.name}=={pin.version} --hash={pin.integrity}\n" for pin in solution.pins
    )
    return [f"{pin.name} {pin.version} {pin.integrity}" for pin in solution.pins]


def real(world: World, *wanted: str) -> list[str]:
    """Return the same of the files that the index has."""
    entries = {str(each["filename"]): each for each in (file.entry("offered") for file in world.wheels.files)}
    found = []
    for each in wanted:
        name, version = each.split()
        (file,) = (file for file in entries if file.startswith(f"{name}-{version}"))
        found.append(f"{name} {version} sha256:{dict(entries[file]['hashes'])['sha256']}")  # type: ignore[call-overload]
    return found


class TestWheels:
    """Pip resolves with the metadata of wheels, where an index has it by itself."""

    @pytest.mark.thorough
    def test_none_is_fetched(self, asks: Ask, world: World) -> None:
        """Neither what is accepted nor what is too new; and the hashes are those of the wheels."""
        answer = asks("thing")
        assert pins(answer.found) == real(world, "other 1.0", "thing 1.0")
        assert pins(answer.newest) == real(world, "other 1.0", "thing 1.1")
        wheels = ("other-1.0", "thing-1.0", "thing-1.1")
        assert fetched(world) == [f"{wheel}-py3-none-any.whl.metadata" for wheel in wheels]

    @pytest.mark.thorough(every=3)
    @pytest.mark.parametrize("sidecars", ["not offered", "gone", "another's"])
    def test_whole_ones_are_fetched_where_there_is_none(
        self, asks: Ask, world: World, sidecars: Sidecars
    ) -> None:
        """What is not as the index says is not believed, and comes to the same."""
        world.wheels.sidecars = sidecars
        answer = asks("thing")
        assert pins(answer.found) == real(world, "other 1.0", "thing 1.0")
        assert pins(answer.newest) == real(world, "other 1.0", "thing 1.1")
        assert "thing-1.0-py3-none-any.whl" in fetched(world)

    def test_what_builds_a_package_is_the_real_one(self, asks: Ask, world: World) -> None:
        """A source distribution tells what it needs once it is built, with packages that it requires for that."""
        world.wheel("helper", "1.0")
        sha256 = world.wheels.add_source("made", "1.0", uploaded=world.born, helper="helper")
        answer = asks("made")
        assert pins(answer.found) == [f"made 1.0 sha256:{sha256}", *real(world, "other 1.0")]
        assert "helper-1.0-py3-none-any.whl" in fetched(world)

    @pytest.mark.thorough
    def test_what_has_an_address_is_fetched(self, asks: Ask, world: World) -> None:
        """Whatever is there may have to be built."""
        address = f"http://{world.addresses['wheels']}/files/other-1.0-py3-none-any.whl"
        world.wheel("pointing", "1.0", requires=[f"other @ {address}"])
        answer = asks("pointing")
        assert answer.found is not None
        assert [pin.package.name for pin in answer.found.pins] == ["other", "pointing"]
        assert "pointing-1.0-py3-none-any.whl" in fetched(world)

    @pytest.mark.thorough
    def test_metadata_is_asked_for_again(self, asks: Ask, world: World) -> None:
        """An index that stays silent is a problem, and not a reason to fetch more of it."""
        asked: list[str] = []

        def fails(request: str) -> bool:
            asked.append(request)
            return request.endswith(".metadata") and asked.count(request) < 3

        world.traffic["wheels"].fails = fails
        assert pins(asks("thing").found) == real(world, "other 1.0", "thing 1.0")
        world.traffic["wheels"].fails = lambda request: request.endswith(".metadata")
        with pytest.raises(SourceUnavailableError, match=r"/files/thing-1\.0-.*\.metadata: it answers 503$"):
            asks("thing")
        assert set(fetched(world)) == {"thing-1.0-py3-none-any.whl.metadata"}


@pytest.mark.thorough
def test_what_fails_once_is_no_outage_of_apk(checkout: Checkout, engine: DockerEngine, world: World) -> None:
    """Its indexes are asked for again before what is newer is not known."""
    world.apk("tool", "1.0-r0")
    checkout.deps("", world.build)
    assert checkout.built("setup", "--only=bash") == {"bash"}
    asked: set[str] = set()

    def fails(request: str) -> bool:
        is_first = request not in asked
        asked.add(request)
        return is_first

    world.traffic["apk"].fails = fails
    try:
        assert ask_apk(AskedIn(image=f"{checkout.repository}:bash", ecosystem="apk"), engine).changes == ()
    finally:
        world.traffic["apk"].fails = lambda _: False
    assert asked
