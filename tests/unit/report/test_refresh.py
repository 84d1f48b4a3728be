"""The report of a refresh: in the order of importance, and one line if there is no news."""

import datetime as dt
import json

from attrs import evolve

from isol8_tasks.config.settings import RefreshSettings
from isol8_tasks.ecosystems.updates import PackageNews, Update
from isol8_tasks.freshness.alpine import unsupported
from isol8_tasks.freshness.changes import Change
from isol8_tasks.freshness.model import Freshness, Moved
from isol8_tasks.report.freshness import freshness_table
from isol8_tasks.report.refresh import Account, Failed, account_json, markdown, text

AT = dt.datetime(2026, 11, 25, 3, 0, tzinfo=dt.UTC)
NUMPY = Update(
    ecosystem="pypi",
    name="numpy",
    old="2.3.1",
    new="2.3.2",
    published=dt.datetime(2026, 11, 20, tzinfo=dt.UTC),
)
QUIET = Account(
    at=AT,
    seconds=2.94,
    repository="isol8",
    settings=RefreshSettings(),
    found=(Freshness(image="python"), Freshness(image="node")),
)
_END = unsupported("3.21.4", AT.date())
UNSUPPORTED = evolve(
    QUIET,
    found=(
        Freshness(image="python", support=_END, packages=PackageNews(waiting=(NUMPY,))),
        Freshness(image="node", support=_END),
    ),
)
FULL = evolve(
    QUIET,
    found=(
        Freshness(image="python", moved=(Moved(reference="alpine:3.21", old="sha256:aa", new="sha256:bb"),)),
        Freshness(image="node", held=dt.timedelta(days=2), age=dt.timedelta(days=9)),
        Freshness(image="deno", problems=("denoland/deno:alpine could not be looked up: timeout",)),
        Freshness(image="bash"),
        Freshness(
            image="python-custom",
            parent="python",
            packages=PackageNews(updates=(NUMPY,), young=(evolve(NUMPY, name="six", new="1.18"),)),
        ),
        Freshness(image="bash-custom", packages=PackageNews(updates=(NUMPY,))),
    ),
    settings=RefreshSettings(max_age=dt.timedelta(days=7)),
    failed=(
        Failed(
            subject="isol8:bash-custom",
            lines=(
                "step 2/2: apk add jq",
                "    ERROR: no such package",
                "  Still using the image built 2026-11-21.",
            ),
        ),
    ),
    changed=(
        Change(
            image="python",
            why=("upstream image alpine:3.21 moved",),
            release=("3.21.4", "3.21.5"),
            packages=(evolve(NUMPY, ecosystem="apk", name="curl", old="8.1-r0", new="8.1-r1"),),
            size=(165_000_000, 166_000_000),
            seconds=12.1,
            built=AT,
        ),
        Change(
            image="python-custom",
            why=("parent isol8:python was rebuilt",),
            packages=(NUMPY,),
            size=(400_000_000, 400_000_100),
            seconds=31,
            built=AT,
        ),
    ),
)


def test_a_night_without_news_is_one_line() -> None:
    """How many, when, how long."""
    assert text(QUIET) == "2026-11-25 03:00 UTC · 2 images fresh · 2.9 s"
    held = evolve(QUIET, found=(*QUIET.found, Freshness(image="bun", held=dt.timedelta(days=1))))
    assert text(held) == "2026-11-25 03:00 UTC · 2 images fresh · 1 held · 2.9 s"


def test_images_of_another_machine_are_fresh() -> None:
    """They came from the registry in the place of what was built here, or was to be."""
    behind = tuple(Freshness(image=name, parent="python") for name in ("bun", "web"))
    account = evolve(QUIET, found=(*QUIET.found, *behind), pulled=2)
    assert text(account) == "2026-11-25 03:00 UTC · 2 images fresh · 2 pulled · 2.9 s"
    came = evolve(account, instead=frozenset({"bun", "web"}))
    assert text(came) == "2026-11-25 03:00 UTC · 4 images fresh · 2 pulled · 2.9 s"
    assert [each.state for each in came.left[2:]] == ["fresh", "fresh"]


def test_news_by_importance() -> None:
    """Holds and failures first, then what is not known, then what changed, then what will come."""
    assert text(FULL).splitlines() == [
        "2026-11-25 03:00 UTC · 1 held · 1 failed · 1 undetermined · 2 changed · 3 fresh · 2.9 s",
        "held",
        (
            "  isol8:node           for 2 days (rolled back), 1 update waiting; "
            "built 9 days ago, longer than [refresh] max_age = 7 days"
        ),
        "failed",
        "  isol8:bash-custom    step 2/2: apk add jq",
        "      ERROR: no such package",
        "    Still using the image built 2026-11-21.",
        "undetermined",
        "  isol8:deno           denoland/deno:alpine could not be looked up: timeout",
        "changed",
        "  isol8:python         upstream image alpine:3.21 moved · alpine 3.21.4 → 3.21.5 · 165 MB → 166 MB · 12.1 s",
        "      apk     curl 8.1-r0 → 8.1-r1",
        "  isol8:python-custom  parent isol8:python was rebuilt · 400 MB (+100 B) · 31.0 s",
        "      pypi    numpy 2.3.1 → 2.3.2",
        "too new",
        "  isol8:python-custom  six 1.18 published 2026-11-20 00:00 UTC; accepted once it is 1 day old (min_age)",
    ]


def test_a_branch_out_of_support_is_told_every_night() -> None:
    """It is told with the way on, below the one line."""
    assert text(UNSUPPORTED).splitlines()[1:] == [
        (
            "Alpine 3.21 reached end of life on 2026-11-01 (isol8:python, isol8:node); "
            "3.23 is supported until 2027-11-01: for images based on alpine, write "
            'args = { ALPINE_VERSION = "3.23" } under [build] in deps.toml'
        )
    ]


def test_markdown() -> None:
    """The same for a page: a list of what wants attention, and a table of what changed."""
    assert markdown(FULL).splitlines() == [
        "# isol8 images, 2026-11-25 03:00 UTC",
        "",
        "1 held · 1 failed · 1 undetermined · 2 changed · 3 fresh · 2.9 s",
        "",
        (
            "- **held** `isol8:node`: for 2 days (rolled back), 1 update waiting; "
            "built 9 days ago, longer than [refresh] max_age = 7 days"
        ),
        "- **failed** `isol8:bash-custom`: step 2/2: apk add jq",
        "",
        "  ```",
        "      ERROR: no such package",
        "    Still using the image built 2026-11-21.",
        "  ```",
        "",
        "- **undetermined** `isol8:deno`: denoland/deno:alpine could not be looked up: timeout",
        "",
        "| image | why | what changed | size | seconds |",
        "| --- | --- | --- | --- | --- |",
        (
            "| `isol8:python` | upstream image alpine:3.21 moved | "
            "alpine 3.21.4 → 3.21.5<br>curl 8.1-r0 → 8.1-r1 | "
            "165 MB → 166 MB | 12.1 |"
        ),
        "| `isol8:python-custom` | parent isol8:python was rebuilt | numpy 2.3.1 → 2.3.2 | 400 MB (+100 B) | 31.0 |",
        "",
        "Too new:",
        "",
        "- isol8:python-custom  six 1.18 published 2026-11-20 00:00 UTC; accepted once it is 1 day old (min_age)",
    ]


def test_data() -> None:
    """Programs get all of it."""
    found = json.loads(account_json(FULL))
    assert found["at"] == "2026-11-25T03:00:00Z"
    assert (found["held"], found["fresh"]) == (["isol8:node"], 3)
    assert [each["subject"] for each in found["failed"]] == ["isol8:bash-custom"]
    assert found["changed"][1]["packages"] == [
        {
            "ecosystem": "pypi",
            "name": "numpy",
            "old": "2.3.1",
            "new": "2.3.2",
            "published": "2026-11-20T00:00:00Z",
        }
    ]
    assert [each["state"] for each in found["images"]] == [
        "behind",
        "held",
        "undetermined",
        "fresh",
        "behind",
        "behind",
    ]


def test_markdown_takes_nothing_of_others_for_markup() -> None:
    """A hostile version, reason or line of output makes no HTML, link, row or end of a block."""
    hostile = "<img src=x> [a](javascript:b) `c` | d"
    found = markdown(
        evolve(
            QUIET,
            failed=(Failed(subject="isol8:bash", lines=(hostile, "```", "<script>")),),
            changed=(
                Change(
                    image="python",
                    why=(hostile,),
                    packages=(evolve(NUMPY, new=hostile),),
                    size=(1, 1),
                    seconds=1,
                    built=AT,
                ),
            ),
        )
    )
    shown = "&lt;img src=x> [a]\\(javascript:b) \\`c\\` | d"
    assert f"- **failed** `isol8:bash`: {shown}\n\n  ````\n  ```\n  <script>\n  ````\n" in found
    row = shown.replace("|", "\\|")
    assert f"| {row} | numpy 2.3.1 → {row} |" in found


def test_what_an_engine_that_went_away_can_not_tell_is_no_number() -> None:
    """Nor is it said that nothing changed."""
    lost = Change(image="python", size=(237_000_000, None), seconds=1, built=AT, compared=False)
    account = evolve(FULL, changed=(lost,))
    for form in (text, markdown):
        assert "size undetermined" in form(account)
        assert "0 B" not in form(account)
        assert "the same packages" not in form(account)
        assert "what changed in it is undetermined" in form(account)
    assert json.loads(account_json(account))["changed"][0]["size"] == [237_000_000, None]


def test_rebuild_that_replaced_nothing_says_so() -> None:
    """In every form."""
    same = Change(image="python", why=("upstream image alpine:3.21 moved",), size=(1, 1), built=AT, same=True)
    account = evolve(FULL, changed=(same,))
    for form in (text, markdown):
        assert "the same result, so nothing was replaced" in form(account)
    assert json.loads(account_json(account))["changed"][0]["same"] is True


def test_what_came_of_other_platforms_is_news() -> None:
    """It is counted in the first line, and told by platform and tag in JSON."""
    beside = {"built for linux/arm64": 1, "put under one name": 2}
    account = evolve(QUIET, others={"linux/arm64": {"bash": "built"}}, beside=beside)
    assert account.has_news
    assert "1 built for linux/arm64 · 2 put under one name · " in text(account)
    assert json.loads(account_json(account))["others"] == {"linux/arm64": {"isol8:bash": "built"}}


def test_other_platforms_have_a_part_of_the_table() -> None:
    """Below that of the engine's own, with the same columns."""
    others = {"linux/arm64": [Freshness(image="bash", there=False)]}
    assert freshness_table([Freshness(image="bash")], "isol8", QUIET.settings, others).splitlines() == [
        "image               state       why",
        "isol8:bash          fresh",
        "for linux/arm64:",
        "isol8:bash          not built   not built yet, or not by this project; see ./doitw plan",
    ]
