"""What the answers of package sources come to: what is accepted, what is too new, what nobody knows."""

import datetime as dt

import pytest

from isol8_tasks.ecosystems.inventory import Package
from isol8_tasks.ecosystems.updates import PackageNews, Pin, Resolution, Update
from isol8_tasks.errors import SourceUnavailableError
from isol8_tasks.freshness.answers import Answer, Solution
from isol8_tasks.freshness.model import Holdings
from isol8_tasks.freshness.news import outcome, package_updates, registry_news
from isol8_tasks.freshness.resolvers import Question

NOW = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


def package(name: str, version: str, ecosystem: str = "pypi") -> Package:
    return Package(ecosystem=ecosystem, name=name, version=version)


def solution(*pins: tuple[str, str], ecosystem: str = "pypi", gone: tuple[Package, ...] = ()) -> Solution:
    made = tuple(Pin(ecosystem=ecosystem, name=name, version=version) for name, version in pins)
    return Solution(pins=made, lockfile="lock\n", gone=gone)


def question(runtime: str = "python") -> Question:
    return Question(runtime=runtime, image="isol8:python", specs=("a", "b>1"))


def update(name: str, old: str, new: str, ecosystem: str = "pypi") -> Update:
    return Update(ecosystem=ecosystem, name=name, old=old, new=new)


def holdings(*there: Package, parent: tuple[Package, ...] = ()) -> Holdings:
    return Holdings(there=frozenset((*there, *parent)), parent=frozenset(parent))


class TestRegistryNews:
    """Indexes and registries."""

    def test_settled_answer_is_no_news(self) -> None:
        """Nothing was resolved, since nothing could come out differently."""
        assert registry_news(Answer(settled=True), holdings(), question()) == PackageNews()

    def test_same_result_is_no_news(self) -> None:
        """And nothing to build."""
        answer = Answer(found=solution(("a", "1")))
        assert registry_news(answer, holdings(package("a", "1")), question()) == PackageNews()

    def test_what_comes_goes_and_changes_is_told(self) -> None:
        """With what to install for it: nothing of what the image below has already."""
        found = solution(("a", "2"), ("new", "1"), ("pip", "25"))
        news = registry_news(
            Answer(found=found),
            holdings(package("a", "1"), package("old", "1"), parent=(package("pip", "25"),)),
            question(),
        )
        assert news.updates == (update("a", "1", "2"), update("new", "", "1"), update("old", "1", ""))
        assert news.resolution == Resolution(pins=found.pins[:2], lockfile="lock\n")

    def test_young_versions_wait(self) -> None:
        """They are told beside what is accepted."""
        answer = Answer(found=solution(("a", "2")), newest=solution(("a", "3")))
        news = registry_news(answer, holdings(package("a", "1")), question())
        assert (news.updates, news.young) == ((update("a", "1", "2"),), (update("a", "2", "3"),))

    def test_what_fits_only_with_young_versions_waits(self) -> None:
        """Nothing is accepted, and nothing breaks."""
        answer = Answer(found=None, newest=solution(("a", "3")), failure="no b")
        news = registry_news(answer, holdings(package("a", "1")), question())
        assert news == PackageNews(young=(update("a", "1", "3"),))

    def test_what_can_not_be_resolved_is_not_known(self) -> None:
        """The tool's own words say why."""
        with pytest.raises(SourceUnavailableError, match=r"^isol8:python: a b>1 can't be resolved: no b$"):
            registry_news(Answer(failure="no b"), holdings(), question())

    def test_version_of_unknown_age_is_not_known_to_be_old_enough(self) -> None:
        """Only where it would be installed: what nobody wants may be of any age."""
        answer = Answer(
            found=solution(("a", "1")),
            newest=solution(("a", "2")),
            untold=frozenset({package("a", "2"), package("c", "9")}),
        )
        with pytest.raises(SourceUnavailableError) as caught:
            registry_news(answer, holdings(package("a", "1")), question())
        assert str(caught.value) == (
            "a 2: its package source does not say when it was published, so min_age can't be applied; "
            'write min_ages = { "a" = "0" } under [refresh] to accept it at once'
        )
        same = Answer(found=answer.found, newest=answer.found, untold=answer.untold)
        assert registry_news(same, holdings(package("a", "1")), question()) == PackageNews()

    def test_date_is_told_where_it_is_known(self) -> None:
        """The report says since when a version is out."""
        found = Solution(
            pins=(Pin(ecosystem="pypi", name="a", version="2"),), published={package("a", "2"): NOW}
        )
        news = registry_news(Answer(found=found), holdings(package("a", "1")), question())
        assert news.updates == (Update(ecosystem="pypi", name="a", old="1", new="2", published=NOW),)

    def test_modules_by_their_url_are_no_news(self) -> None:
        """They are what their URL says, and an inventory has more of them than a lock."""
        url = "https://deno.land/x/a.ts"
        answer = Answer(found=Solution(pins=(Pin(ecosystem="deno", name=url, version=""),)))
        found = registry_news(answer, holdings(package("https://deno.land/y", "", "deno")), question("deno"))
        assert found == PackageNews()


class TestOutcome:
    """What an image has in the end."""

    def test_python_has_one_version_of_a_package(self) -> None:
        """The parent's is replaced."""
        found = outcome(solution(("a", "2")), frozenset({package("a", "1"), package("b", "1")}))
        assert found == {package("a", "2"), package("b", "1")}

    def test_npm_has_many(self) -> None:
        """Those that are somewhere else stay, and those that a package took with it go."""
        parent = frozenset({package("a", "1", "npm"), package("b", "1", "npm"), package("c", "1", "npm")})
        gone = (package("b", "1", "npm"), package("c", "1", "npm"))
        found = outcome(solution(("a", "2"), ("c", "1"), ecosystem="npm", gone=gone), parent)
        assert found == {package("a", "1", "npm"), package("a", "2", "npm"), package("c", "1", "npm")}

    def test_versions_are_told_in_pairs(self) -> None:
        """Several of one package: what goes beside what comes."""
        old = [package("qs", "1", "npm"), package("qs", "2", "npm")]
        new = [package("qs", "3", "npm")]
        assert package_updates(old, new) == (update("qs", "1", "3", "npm"), update("qs", "2", "", "npm"))
