"""The command upgrade: exact versions in deps.toml become newer; what sources resolve, others test."""

import json
from typing import Any, Final

import pytest

from isol8_tasks.ecosystems.specs import parse_spec
from isol8_tasks.ecosystems.updates import Pin, Update
from isol8_tasks.errors import SourceUnavailableError
from isol8_tasks.freshness import upgrades
from isol8_tasks.freshness.answers import Answer, Solution
from isol8_tasks.plan.model import ImageSpec
from tests.command_line import CommandLine, Ended
from tests.unit.cli.test_showing import told

DEPS: Final = """\
# Ours.
[dependencies]
python = [
    "numpy==1.26.4",  # pinned, see #7
    "pandas",
]
node = ["lodash@4.17.20", "zod@^4"]
bash = ["jq=1.7.0-r0"]

[images.web]   # the web
runtime = "python"
packages = ["requests==2.31.0"]
"""
NEWEST: Final = {
    "numpy>=1.26.4,<2": ("numpy", "1.26.9"),
    "numpy>=1.26.4": ("numpy", "2.3.1"),
    "lodash@^4.17.20": ("lodash", "4.17.21"),
    "lodash": ("lodash", "4.17.21"),
    "requests>=2.31.0,<3": ("requests", "2.31.0"),
    "requests>=2.31.0": ("requests", "2.31.0"),
}
RAISED: Final = (
    DEPS.replace("numpy==1.26.4", "numpy==1.26.9")
    .replace("lodash@4.17.20", "lodash@4.17.21")
    .replace("jq=1.7.0-r0", "jq=1.7.1-r0")
)
TABLE: Final = """\
[dependencies] python  numpy==1.26.4     → 1.26.9; 2.3.1 with --major
[dependencies] python  pandas            no exact version, so ./doitw refresh installs what is newer
[dependencies] node    lodash@4.17.20    → 4.17.21
[dependencies] node    zod@^4            no exact version, so ./doitw refresh installs what is newer
[dependencies] bash    jq=1.7.0-r0       → 1.7.1-r0
[images.web] packages  requests==2.31.0  is the newest
"""


class Sources:
    """What package sources have, and what they were asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.young: dict[str, tuple[str, str]] = {}
        self.fails = ""

    def solved(self, spec: ImageSpec, packages: tuple[str, ...], *_: object, **__: object) -> Answer:
        """Answer for pip and npm."""
        self.asked.append(packages)
        if spec.name == self.fails:
            raise SourceUnavailableError("index.example: no answer")
        newest = {**NEWEST, **self.young}
        return Answer(
            found=solution(packages, NEWEST), newest=solution(packages, newest) if self.young else None
        )

    def apk(self, _spec: ImageSpec, names: list[str], *_: object, **__: object) -> Any:  # noqa: ANN401 - updates
        """Answer for apk."""
        self.asked.append(tuple(names))
        return (Update(ecosystem="apk", name="jq", old="", new="1.7.1-r0"),), ()


def solution(packages: tuple[str, ...], newest: dict[str, tuple[str, str]]) -> Solution:
    pins = [newest.get(each, (parse_spec("pypi", "x").name, "1")) for each in packages]
    return Solution(pins=tuple(Pin(ecosystem="pypi", name=name, version=version) for name, version in pins))


@pytest.fixture
def sources(built: CommandLine) -> Sources:
    """Give the sources of a checkout whose base images are built."""
    built.declare(DEPS)
    found = Sources()
    built.patch.setattr(upgrades, "solved", found.solved)
    built.patch.setattr(upgrades, "offered_by_apk", found.apk)
    return found


def text_of(cli: CommandLine) -> str:
    return (cli.folder / "deps.toml").read_bytes().decode()


class TestVersions:
    """What becomes of deps.toml."""

    def test_each_exact_version_is_raised_and_the_plan_printed(
        self, built: CommandLine, sources: Sources
    ) -> None:
        """Comments and order stay; the whole image is resolved, within the major version and beyond."""
        done = built("upgrade")
        assert (done.code, done.err) == (0, "")
        assert done.out.startswith(f"{TABLE}deps.toml: 3 versions raised\nimage ")
        assert "isol8:node-custom    not built" in done.out
        assert text_of(built) == RAISED
        assert {("numpy>=1.26.4,<2", "pandas"), ("numpy>=1.26.4", "pandas"), ("jq",)} <= {*sources.asked}

    def test_other_major_versions(self, built: CommandLine, sources: Sources) -> None:
        """Where that is asked for; nothing else is asked then."""
        done = built("upgrade", "--major", "python", "numpy")
        assert done.out.startswith(
            "[dependencies] python  numpy==1.26.4  → 2.3.1\ndeps.toml: 1 version raised\n"
        )
        assert text_of(built) == DEPS.replace("1.26.4", "2.3.1")
        assert sources.asked == [("numpy>=1.26.4", "pandas")]

    def test_dry_run_writes_nothing(self, built: CommandLine, sources: Sources) -> None:
        """And prints no plan."""
        done = built("upgrade", "--dry-run")
        assert sources.asked
        assert done == Ended(0, f"{TABLE}deps.toml: 3 versions would be raised (--dry-run)\n", "")
        assert text_of(built) == DEPS

    @pytest.mark.usefixtures("sources")
    def test_nothing_newer(self, built: CommandLine) -> None:
        """It says so."""
        said = "[images.web] packages  requests==2.31.0  is the newest\ndeps.toml: nothing newer; nothing to write\n"
        assert built("upgrade", "web") == Ended(0, said, "")
        assert text_of(built) == DEPS

    def test_no_exact_version(self, built: CommandLine, sources: Sources) -> None:
        """Nobody is asked."""
        done = built("upgrade", "pandas")
        said = "[dependencies] python  pandas  no exact version, so ./doitw refresh installs what is newer\n"
        assert done == Ended(0, f"{said}deps.toml: no exact version to raise; nothing to write\n", "")
        assert sources.asked == []

    def test_what_is_too_new_is_named(self, built: CommandLine, sources: Sources) -> None:
        """And not declared."""
        sources.young = {"lodash": ("lodash", "4.17.30"), "lodash@^4.17.20": ("lodash", "4.17.30")}
        done = built("upgrade", "node", "--dry-run")
        assert "lodash@4.17.20  → 4.17.21; 4.17.30 is too new (min_age)\n" in done.out

    def test_held_images_are_left(self, built: CommandLine, sources: Sources) -> None:
        """Until the hold ends."""
        built("setup")
        built("setup", "--only", "node", "--force")
        assert built("rollback", "node-custom").code == 0
        sources.asked.clear()
        done = built("upgrade", "node")
        assert "lodash@4.17.20, zod@^4  held; end the hold: ./doitw release node-custom\n" in done.out
        assert (sources.asked, text_of(built)) == ([], DEPS)

    @pytest.mark.parametrize(
        "words",
        [("isol8:web",), ("image:web", "requests"), ("python", "numpy", "pandas"), ("isol8:node-custom",)],
    )
    @pytest.mark.usefixtures("sources")
    def test_ways_to_name_an_image(self, built: CommandLine, words: tuple[str, ...]) -> None:
        """As elsewhere."""
        assert built("upgrade", "--dry-run", *words).code == 0


class TestProblems:
    """What can't be found out, and what is mistyped."""

    def test_source_that_does_not_answer_is_4(self, built: CommandLine, sources: Sources) -> None:
        """The others are raised all the same."""
        sources.fails = "python-custom"
        done = built("upgrade", "--quiet")
        assert (done.code, done.err) == (4, "")
        assert "isol8:python-custom  undetermined  index.example: no answer\n" in done.out
        assert "deps.toml: 2 versions raised\n" in done.out
        assert text_of(built) == RAISED.replace("1.26.9", "1.26.4")

    @pytest.mark.usefixtures("sources")
    def test_base_that_is_not_built_is_4(self, built: CommandLine) -> None:
        """The line says what builds it."""
        built("clean", "base:node", "custom:node")
        done = built("upgrade", "node")
        assert done.code == 4
        said = "isol8:node is not built, and its package sources are asked in it; build it: ./doitw base:node"
        assert done.out == (
            f"deps.toml: nothing newer is known; nothing to write\nisol8:node-custom  undetermined  {said}\n"
        )

    def test_without_an_engine_it_is_4(self, dead: CommandLine) -> None:
        """Nothing is written."""
        before = text_of(dead)
        done = dead("upgrade")
        assert (done.code, done.out, text_of(dead)) == (4, "", before)
        assert done.err.startswith("ERROR: no Docker Engine answers")

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (
                ("python", "nunpy"),
                "deps.toml: python has no package nunpy (did you mean numpy? it has: numpy, pandas)\n",
            ),
            (("bun", "zod"), "deps.toml: bun has no package zod\n"),
            (
                ("nunpy",),
                "deps.toml: nunpy is no runtime, image or package in it (did you mean numpy? there are: numpy, ",
            ),
            (("pyhton",), "deps.toml: pyhton is no runtime, image or package in it (did you mean python? "),
            (
                ("web", "requests==2.32.0"),
                (
                    "upgrade: requests==2.32.0: expected a name without a version; to declare that one: ./doitw add "
                    "--image web 'requests==2.32.0', and to raise it: ./doitw upgrade requests\n"
                ),
            ),
        ],
    )
    def test_line_and_3(
        self, built: CommandLine, sources: Sources, words: tuple[str, ...], said: str
    ) -> None:
        """The line says what was probably meant; nothing is asked."""
        done = built("upgrade", *words)
        assert (done.code, done.out) == (3, "")
        assert done.err.startswith(f"ERROR: {said}")
        assert (sources.asked, text_of(built)) == ([], DEPS)

    def test_file_that_was_changed_meanwhile_is_left(self, built: CommandLine, sources: Sources) -> None:
        """Somebody else's edit is not lost."""
        answer = sources.solved

        def edits(*words: Any, **named: Any) -> Answer:  # noqa: ANN401 - as it is called
            built.declare(DEPS + "# more\n")
            return answer(*words, **named)

        built.patch.setattr(upgrades, "solved", edits)
        done = built("upgrade")
        assert done.code == 1
        assert done.err == "ERROR: deps.toml: was changed meanwhile, and is left as it is; run again\n"
        assert text_of(built) == DEPS + "# more\n"


class TestAfterwards:
    """What is said, and done, once it is written."""

    @pytest.mark.usefixtures("sources")
    def test_quiet(self, built: CommandLine) -> None:
        """What is raised, and nothing else."""
        done = built("upgrade", "python", "--quiet")
        assert done.out == (
            "[dependencies] python  numpy==1.26.4  → 1.26.9; 2.3.1 with --major\ndeps.toml: 1 version raised\n"
        )
        assert built("upgrade", "web", "--quiet") == Ended(0, "", "")

    @pytest.mark.usefixtures("sources")
    def test_json(self, built: CommandLine) -> None:
        """An event a package."""
        events = told(built("upgrade", "--progress=json").out)
        rows = {each["package"]: each for each in events if each["event"] == "upgrade"}
        assert (rows["numpy==1.26.4"]["new"], rows["numpy==1.26.4"]["major"]) == ("1.26.9", "2.3.1")
        assert rows["pandas"]["left"] == "inexact"
        assert json.loads(json.dumps(events[-1])) == {"event": "note", "text": "deps.toml: 3 versions raised"}

    @pytest.mark.usefixtures("sources")
    def test_lock_is_named(self, built: CommandLine) -> None:
        """It is of the images as they are."""
        built.declare('[dependencies]\nbash = ["jq=1.7.0-r0"]\n')
        built("setup")
        assert built("lock").code == 0
        done = built("upgrade", "bash")
        assert done.out.endswith(
            "deps.lock.toml still has the versions before; build the new ones, then lock them: "
            "./doitw setup && ./doitw lock\n"
        )

    @pytest.mark.usefixtures("sources")
    def test_build_builds_and_locks(self, built: CommandLine) -> None:
        """In the place of the plan."""
        built.declare('[dependencies]\nbash = ["jq=1.7.0-r0"]\n')
        built("setup")
        assert built("lock").code == 0
        done = built("upgrade", "bash", "--build")
        assert (done.code, done.err) == (0, "")
        assert "isol8:bash-custom   built " in done.out
        assert done.out.endswith("deps.lock.toml: bash-custom changed\n")
        assert "jq=1.7.1-r0" in (built.folder / "deps.lock.toml").read_text()
        assert built("plan", "--check").code == 0
