"""What people read."""

import datetime as dt
import json

import pytest

from isol8_tasks.config.deps import Config, parse_config
from isol8_tasks.images.choice import Choice, ClientChoice, Fit
from isol8_tasks.plan import reasons
from isol8_tasks.plan.decision import Decision
from isol8_tasks.report import plan as report

DECISIONS = (
    Decision(image="python", task="base:python", state="up-to-date"),
    Decision(
        image="bun",
        task="base:bun",
        state="stale",
        reasons=(reasons.StepChanged(stage="bun", line=31), reasons.Forced()),
    ),
    Decision(image="bash-custom", task="", state="undeclared"),
    Decision(image="node", task="base:node", state="undetermined", problem="the engine went away"),
)


class TestNoBuildForAlpine:
    """What installers say of packages that musl has no build of."""

    @pytest.mark.parametrize(
        ("ecosystem", "output", "words"),
        [
            (
                "pypi",
                [
                    "ERROR: Could not find a version that satisfies the requirement nunpy (from versions: none)",
                    "ERROR: No matching distribution found for nunpy",
                ],
                (
                    "The index has no nunpy, or no build of it for Alpine (musl): neither a musllinux wheel for this "
                    "Python nor the source."
                ),
            ),
            (
                "pypi",
                ["  error: command 'gcc' failed", "ERROR: Failed building wheel for ujson"],
                "There is no wheel for Alpine (musl), and the image has nothing to compile the source with.",
            ),
            (
                "npm",
                ["npm error gyp ERR! stack Error: Could not find any Python installation to use"],
                "It has to be compiled (node-gyp).",
            ),
            (
                "npm",
                ["npm error notsup Valid libc:  glibc", "npm error notsup Actual libc: musl"],
                "It is built for glibc, and Alpine has musl.",
            ),
            (
                "pypi",
                [
                    "ERROR: Could not find a version that satisfies the requirement a==9 (from versions: 1, 2)",
                    "ERROR: No matching distribution found for a==9",
                ],
                "",
            ),
            (
                "pypi",
                [
                    "WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by 'x'",
                    "ERROR: Could not find a version that satisfies the requirement a (from versions: none)",
                    "ERROR: No matching distribution found for a",
                ],
                "",
            ),
            ("npm", ["npm error 404 Not Found"], ""),
            ("apk", ["No matching distribution found for a (from versions: none)"], ""),
        ],
        ids=["none", "source", "gyp", "libc", "other versions", "no network", "no package of npm's", "apk"],
    )
    def test_words(self, ecosystem: str, output: list[str], words: str) -> None:
        """It is said in plain words where it can be told, and not where something else went wrong."""
        assert report.no_build_for_alpine(ecosystem, output) == words


class TestPlan:
    """The plan, for people and as data."""

    def test_table(self) -> None:
        """A line an image, its state in words and its reasons behind one another."""
        assert report.plan_table(DECISIONS, Config()) == (
            "image               state         why\n"
            "isol8:python        up to date\n"
            "isol8:bun           stale         docker/Dockerfile:31 changed in stage bun; forced\n"
            "isol8:bash-custom   undeclared\n"
            "isol8:node          undetermined  the engine went away"
        )

    def test_many_of_a_kind_are_abridged(self) -> None:
        """Ten of each kind stay, in their order, and the rest is a figure."""
        lines = [(kind, f"{number} {kind}") for number in range(12) for kind in ("stale", "held")][:-3]
        shown = report.abridged(lines)
        assert shown[:3] == ("0 stale", "0 held", "1 stale")
        assert shown[-1] == "and 1 more stale: ./doitw plan shows all"
        assert len(shown) == 21
        assert report.abridged(lines[:20]) == tuple(line for _, line in lines[:20])

    def test_json(self) -> None:
        """The same as data, with the task that would mend each."""
        document = json.loads(report.plan_json(DECISIONS, Config(), "linux/amd64"))
        assert document["platform"] == "linux/amd64"
        images = document["images"]
        assert images[1] == {
            "image": "isol8:bun",
            "task": "base:bun",
            "state": "stale",
            "declared": None,
            "reasons": ["docker/Dockerfile:31 changed in stage bun", "forced"],
        }
        assert images[2]["task"] is None

    @pytest.mark.parametrize(
        ("platforms", "words"),
        [
            ("", "built for linux/amd64, the engine's own platform"),
            ("linux/amd64", "built for linux/amd64, deps.toml:2 build.platforms"),
            (
                "linux/arm64",
                "built for linux/arm64, deps.toml:2 build.platforms; the engine's own is linux/amd64",
            ),
        ],
    )
    def test_platform(self, platforms: str, words: str) -> None:
        """It is told once, with who says so."""
        config = parse_config(f'[build]\nplatforms = ["{platforms}"]' if platforms else "", "deps.toml")
        assert report.platform_line(config, "linux/amd64") == words
        shown = json.loads(report.plan_json((), config, "linux/amd64"))["platform"]
        assert shown == (platforms or "linux/amd64")

    def test_several_platforms(self) -> None:
        """What is decided for the others stands beside that for the engine's own."""
        text = (
            "[build]\nplatforms = ['linux/amd64', 'linux/arm64']\n[registry]\nrepository = 'r.example/isol8'"
        )
        config = parse_config(text, "deps.toml")
        words = "built for linux/amd64 and linux/arm64, deps.toml:2 build.platforms"
        assert report.platform_line(config, "linux/amd64") == words
        other = Decision(image="bun", task="base:bun", state="not-built")
        document = json.loads(report.plan_json((), config, "linux/amd64", {"linux/arm64": [other]}))
        assert [each["state"] for each in document["others"]["linux/arm64"]] == ["not-built"]
        assert report.plan_table([other], config, heading=False).split() == ["isol8:bun", "not", "built"]

    def test_json_of_what_cannot_be_known(self) -> None:
        """Without an engine every image is unknown, and the reason is why."""
        text = report.undetermined_json([("bun", "base:bun")], "no engine", repository="isol8")
        assert json.loads(text) == {
            "images": [
                {"image": "isol8:bun", "task": "base:bun", "state": "undetermined", "reasons": ["no engine"]}
            ]
        }


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ((), ["for 2 days (rolled back), no updates waiting"]),
        (
            (reasons.PackagesChanged(added=("jq",), removed=()), reasons.OtherCheckout(name="there")),
            ["for 2 days (rolled back), 1 update waiting", "+ jq", "last built from another checkout, there"],
        ),
        (
            (reasons.Forced(),),
            [
                "for 2 days (rolled back), no updates waiting",
                "--force does not override a hold; run ./doitw release bash-custom first",
            ],
        ),
    ],
    ids=["nothing", "another package", "forced"],
)
def test_held(found: tuple[reasons.Reason, ...], words: list[str]) -> None:
    """What waits is counted and told; to be asked for by --force is none of it, and does not help."""
    decision = Decision(
        image="bash-custom", task="custom:bash", state="held", reasons=found, held=dt.timedelta(days=2)
    )
    assert list(report.reasons_in_words(decision, Config())) == words


class TestFailure:
    """A failure, for people."""

    def test_all_that_is_known(self) -> None:
        """Step, output, what stays, where to look and the log are told in this order."""
        words = report.failure_words(
            subject="isol8:python-custom",
            step="step 2/2: pip install nunpy",
            message="the build failed",
            output=("ERROR: No matching distribution found for nunpy",),
            kept="built 2026-11-21 (numpy pandas)",
            hint="Check [dependencies] python in deps.toml:4.",
            log=".isol8/logs/python-custom.log",
        )
        lines = report.failure_lines("isol8:python-custom", words, 20)
        assert lines == (
            "isol8:python-custom   failed      step 2/2: pip install nunpy",
            "    ERROR: No matching distribution found for nunpy",
            "  Still using the image built 2026-11-21 (numpy pandas).",
            "  Check [dependencies] python in deps.toml:4. Whole log: .isol8/logs/python-custom.log",
        )

    def test_only_a_message(self) -> None:
        """Without a step the message stands in its place."""
        words = report.failure_words(
            subject="ping", step="", message="no engine", output=(), kept="", hint="", log=""
        )
        lines = report.failure_lines("ping", words, 8)
        assert lines == ("ping      failed      no engine",)

    def test_the_image_is_named_once(self) -> None:
        """A message that begins with the image, as those of verification do, does not repeat it."""
        message = "isol8:web failed verification\n  jq is not installed"
        words = report.failure_words(
            subject="isol8:web", step="", message=message, output=(), kept="", hint="", log=""
        )
        lines = report.failure_lines("isol8:web", words, 9)
        assert lines[:2] == ("isol8:web  failed      failed verification", "    jq is not installed")

    def test_a_step_without_output_has_the_message_below(self) -> None:
        """A step that printed nothing is followed by what the builder said."""
        words = report.failure_words(
            subject="x", step="s", message="exit code: 1", output=(), kept="", hint="", log=""
        )
        lines = report.failure_lines("x", words, 1)
        assert lines[1] == "    exit code: 1"

    @pytest.mark.parametrize(
        ("step", "expected"),
        [
            ("[2/2] RUN apk add nojq", "step 2/2: apk add nojq"),
            ("[bun 3/4] COPY a b", "step 3/4: COPY a b"),
            ("exporting to image", "exporting to image"),
            ("[1/1] RUN " + "x" * 99, "step 1/1: " + "x" * 61 + "…"),
        ],
    )
    def test_a_step_is_named_as_people_do(self, step: str, expected: str) -> None:
        """The builder's name becomes words, on one line."""
        assert report.failed_step(step) == expected


class TestResolution:
    """Which image a request gets, in words and as data."""

    OTHERS = (
        ClientChoice(client="v1", image="isol8:a", same=False, lacks=True, by_order=False),
        ClientChoice(client="v2", image="isol8:a", same=False, lacks=True, by_order=False),
        ClientChoice(client="v3", image="isol8:b", same=False, lacks=False, by_order=True),
        ClientChoice(client="v4", image="isol8:ml", same=True, lacks=False, by_order=False),
    )

    @pytest.mark.parametrize(
        ("why", "words"),
        [
            ("custom", "isol8:ml  is the custom image, which is preferred wherever it exists"),
            ("base", "isol8:ml  is the base image, as there is no custom one"),
            ("exact", "isol8:ml  has exactly a, b"),
            ("superset", "isol8:ml  has a, b and the fewest others: c"),
        ],
    )
    def test_the_reason(self, why: Fit, words: str) -> None:
        """Each way to an image has its words."""
        found = Choice(runtime="python", packages=("a", "b"), image="isol8:ml", why=why, more=("c",))
        assert report.choice_lines(found, ()) == (words,)

    def test_others_choices_are_told_where_they_differ(self) -> None:
        """Clients that take the same image are silent, and those that take one other image share a line."""
        found = Choice(runtime="python", packages=("a",), image="isol8:ml", why="exact", setup=True)
        assert report.choice_lines(found, self.OTHERS) == (
            "isol8:ml  has exactly a; its setup script runs before each execution",
            "  isol8 v1, v2 would use isol8:a, and install the missing packages at each start",
            "  isol8 v3 would use isol8:b, depending on the order in which the engine lists images",
        )

    @pytest.mark.parametrize(
        ("packages", "words"),
        [
            ((), "there is no image for python: run ./doitw base:python, or ./doitw up for all"),
            (
                ("a>1", "b"),
                (
                    "no image for python has a>1, b: build one with ./doitw setup '--python=a>1,b', "
                    "or add them to deps.toml"
                ),
            ),
        ],
    )
    def test_nothing_fits(self, packages: tuple[str, ...], words: str) -> None:
        """It says what to do about it."""
        found = Choice(runtime="python", packages=packages, image=None, why="none")
        assert report.choice_lines(found, ()) == (words,)

    def test_many_of_a_kind_are_abridged(self) -> None:
        """Ten of each kind stay, in their order, and the rest is a figure."""
        lines = [(kind, f"{number} {kind}") for number in range(12) for kind in ("stale", "held")][:-3]
        shown = report.abridged(lines)
        assert shown[:3] == ("0 stale", "0 held", "1 stale")
        assert shown[-1] == "and 1 more stale: ./doitw plan shows all"
        assert len(shown) == 21
        assert report.abridged(lines[:20]) == tuple(line for _, line in lines[:20])

    def test_json(self) -> None:
        """All of it is there for programs."""
        found = Choice(runtime="python", packages=("a",), image="isol8:ml", why="superset", more=("c",))
        assert json.loads(report.choice_json(found, self.OTHERS[-1:])) == {
            "runtime": "python",
            "packages": ["a"],
            "image": "isol8:ml",
            "why": "superset",
            "more": ["c"],
            "setup": False,
            "clients": [
                {"client": "v4", "image": "isol8:ml", "same": True, "lacks": False, "by_order": False}
            ],
        }


class TestSummary:
    """The last line."""

    @pytest.mark.parametrize(
        ("counts", "seconds", "expected"),
        [
            pytest.param(
                {"built": 0, "up to date": 10},
                None,
                "10 images up to date · Docker 28.5.2 · m unchanged",
                id="none",
            ),
            pytest.param(
                {"up to date": 1}, None, "1 image up to date · Docker 28.5.2 · m unchanged", id="one"
            ),
            pytest.param(
                {"built": 2, "failed": 0, "up to date": 8},
                3.6,
                "2 built · 8 up to date · 3.6 s · Docker 28.5.2 · m unchanged",
                id="work",
            ),
        ],
    )
    def test_counts(self, counts: dict[str, int], seconds: float | None, expected: str) -> None:
        """Only what happened is counted."""
        assert (
            report.run_summary(counts, engine="Docker 28.5.2", manifest="m unchanged", seconds=seconds)
            == expected
        )

    @pytest.mark.parametrize(
        ("changed", "expected"),
        [
            (None, ""),
            ((), "m unchanged"),
            (("bun",), "m: bun changed"),
            (("a", "b", "c", "d", "e"), "m: a, b, c, 2 more changed"),
        ],
    )
    def test_manifest(self, changed: tuple[str, ...] | None, expected: str) -> None:
        """The images that changed in the manifest are named, a few of them."""
        assert report.manifest_phrase(changed, name="m") == expected
