"""What apk's answers come to: what is accepted, what is too new, what waits for the upstream image."""

import datetime as dt

from isol8_tasks.config.settings import RefreshSettings
from isol8_tasks.ecosystems.inventory import Package
from isol8_tasks.freshness.answers import ApkAnswer, ApkChange
from isol8_tasks.freshness.model import Holdings
from isol8_tasks.freshness.repository import apk_base_news, apk_custom_news

NOW = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


def package(name: str, version: str) -> Package:
    return Package(ecosystem="apk", name=name, version=version)


def holdings(*there: Package, parent: tuple[Package, ...] = ()) -> Holdings:
    return Holdings(there=frozenset((*there, *parent)), parent=frozenset(parent))


class TestApk:
    """Alpine's packages."""

    settings = RefreshSettings(min_age=DAY, min_ages={"quick": dt.timedelta()})

    def change(
        self, name: str, age: dt.timedelta | None = 9 * DAY, old: str = "1", new: str = "2"
    ) -> ApkChange:
        return ApkChange(name=name, old=old, new=new, built=NOW - age if age is not None else None)

    def test_what_is_as_upstream_has_it_waits(self) -> None:
        """`apk add` leaves it as it is; what the base has upgraded itself does not wait."""
        there = frozenset({package("musl", "1"), package("jq", "1"), package("zlib", "1")})
        upstream = frozenset({package("musl", "1"), package("zlib", "0")})
        answer = ApkAnswer(changes=tuple(map(self.change, ("musl", "jq", "zlib"))))
        news = apk_base_news(answer, there, upstream, self.settings, NOW)
        assert [each.name for each in news.updates] == ["jq", "zlib"]
        assert [each.name for each in news.waiting] == ["musl"]
        assert news.resolution is None

    def test_what_was_built_too_recently_is_young(self) -> None:
        """Unless the settings say otherwise of the package, or nobody tells."""
        hour = dt.timedelta(hours=1)
        changes = (self.change("new", hour), self.change("quick", hour), self.change("untold", None))
        news = apk_base_news(ApkAnswer(changes=changes), frozenset(), frozenset(), self.settings, NOW)
        assert [each.name for each in news.young] == ["new"]
        assert [each.name for each in news.updates] == ["quick", "untold"]

    def test_custom_image_is_about_its_own(self) -> None:
        """What the base has is the base's news; a build brings young versions as well."""
        mine = (package("jq", "1"), package("onig", "1"), package("gone", "1"))
        changes = (
            self.change("musl"),
            self.change("jq"),
            self.change("onig", dt.timedelta(hours=1)),
            self.change("gone", new=""),
            self.change("more", old=""),
        )
        news = apk_custom_news(
            ApkAnswer(changes=changes),
            holdings(*mine, parent=(package("musl", "1"),)),
            self.settings,
            NOW,
        )
        assert [each.words for each in news.updates] == ["\N{MINUS SIGN} gone 1", "jq 1 → 2", "+ more 2"]
        assert [each.name for each in news.young] == ["onig"]
        assert news.resolution is not None
        assert [(pin.name, pin.version) for pin in news.resolution.pins] == [
            ("jq", "2"),
            ("more", "2"),
            ("onig", "2"),
        ]

    def test_young_alone_builds_nothing(self) -> None:
        """It waits for its day."""
        changes = (self.change("jq", dt.timedelta(hours=1)),)
        news = apk_custom_news(ApkAnswer(changes=changes), holdings(package("jq", "1")), self.settings, NOW)
        assert (len(news.young), news.updates, news.resolution) == (1, (), None)
