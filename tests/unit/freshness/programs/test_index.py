"""The program that resolves Python's packages: what it lets pip see, and when it need not ask pip at all."""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from isol8_tasks.freshness.programs.index import Gate, Resolver, installation, is_settled, times
from isol8_tasks.freshness.programs.pages import Indexes, SourceError
from isol8_tasks.freshness.programs.standins import standin

OLD = "2026-01-01T00:00:00.5Z"
NEW = "2026-11-25T00:00:00Z"
CUTOFF = dt.datetime(2026, 11, 1, tzinfo=dt.UTC).timestamp()


def file(version: str, when: str | None = OLD, **more: object) -> dict[str, Any]:
    found: dict[str, Any] = {"filename": f"a-{version}-py3-none-any.whl", "url": "x", "hashes": {}, **more}
    return found | ({"upload-time": when} if when else {})


class Pages(Indexes):
    """Indexes whose pages are given."""

    def __init__(self, *indexes: Mapping[str, list[dict[str, Any]]]) -> None:
        super().__init__({"PIP_EXTRA_INDEX_URL": " ".join(["x"] * (len(indexes) - 1))})
        self.found = indexes

    def page(self, index: int, name: str) -> dict[str, Any] | None:
        """Return one of them."""
        files = self.found[index].get(name)
        return None if files is None else {"files": files}


class TestGate:
    """What pip may see."""

    def test_young_files_are_held_back(self) -> None:
        """And those of which nobody knows; what is installed was accepted before."""
        gate = Gate({"installed": {"a": ["3.0", "odd version"]}, "cutoff": CUTOFF})
        files = [file("1.0"), file("2.0", NEW), file("2.5", None), file("3.0", NEW)]
        assert [gate.admits("a", each) for each in files] == [True, False, False, True]
        assert gate.held == {
            ("a", "2.0"): dt.datetime(2026, 11, 25, tzinfo=dt.UTC).timestamp(),
            ("a", "2.5"): None,
        }

    def test_single_packages_have_ages_of_their_own(self) -> None:
        """None lets everything in."""
        gate = Gate({"cutoff": CUTOFF, "cutoffs": {"a": None, "b": 0.0}})
        assert gate.admits("a", file("2.0", NEW))
        assert not gate.admits("b", file("1.0"))

    def test_only_what_is_there(self) -> None:
        """A lock is of what is installed, however old."""
        gate = Gate({"installed": {"a": ["1.0"]}, "only": True})
        assert [gate.admits("a", file(version)) for version in ("0.9", "1.0", "1.1")] == [False, True, False]
        assert gate.held == {}

    def test_open_gate_lets_everything_in(self) -> None:
        """To see what is waiting; but nothing that is no package."""
        gate = Gate({"cutoff": CUTOFF})
        gate.open = True
        assert gate.admits("a", file("2.0", NEW))
        assert not gate.admits("a", {"filename": "a.exe"})


class TestFolders:
    """Wheels in a folder that pip's settings name, as an image may have them: nobody tells their age."""

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let pip look into a folder with a wheel."""
        data = standin("a-3.0-py3-none-any.whl", b"Metadata-Version: 2.1\nName: a\nVersion: 3.0\n")
        (tmp_path / "a-3.0-py3-none-any.whl").write_bytes(data)
        monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
        monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")

    @staticmethod
    def resolved(question: Mapping[str, Any]) -> list[list[Any]]:
        """Return what pip comes to, where an index has an older one."""
        pages = Pages({"a": [file("1.0")]})
        found: list[list[Any]] = Resolver(pages, Gate(dict(question))).resolve(["a"])["pins"]
        return found

    @pytest.mark.parametrize(
        "question",
        [{}, {"cutoff": CUTOFF, "cutoffs": {"a": None}}, {"cutoff": CUTOFF, "installed": {"a": ["3.0"]}}],
        ids=["no age is asked for", "nor of this package", "installed"],
    )
    def test_they_are_found(self, question: Mapping[str, Any]) -> None:
        """As the build finds them."""
        ((_, name, version, _),) = self.resolved(question)
        assert (name, version) == ("a", "3.0")

    def test_they_are_refused_where_an_age_is_asked_for(self) -> None:
        """What is not known is not old enough."""
        with pytest.raises(SourceError) as raised:
            self.resolved({"cutoff": CUTOFF})
        assert str(raised.value) == (
            "a 3.0: it comes from pip's find-links, which do not say when it was published, so "
            "min_age can't be applied; "
            'write min_ages = { "a" = "0" } under [refresh] to accept it at once'
        )


class TestSettled:
    """Whether pip could come to another result."""

    @pytest.mark.parametrize(
        ("files", "settled"),
        [
            ([file("1.0"), file("0.9")], True),
            ([file("1.0"), file("1.1")], False),
            ([file("1.0"), file("1.1", yanked="bad")], True),
            ([file("1.0"), file("9", **{"requires-python": ">=9"})], True),
            ([file("1.0"), file("9", **{"requires-python": "what"})], False),
            ([file("1.0", yanked=True)], False),
            ([file("0.9")], False),
            ([], False),
        ],
    )
    def test_newer_versions_count(self, files: list[dict[str, Any]], *, settled: bool) -> None:
        """For this Python, and not withdrawn; nor may what is there be withdrawn."""
        assert is_settled(Pages({"a": files}), {"a": ["1.0"]}, ["a"]) is settled

    def test_every_index_counts(self) -> None:
        """A build asks all of them."""
        pages = Pages({"a": [file("1.0")]}, {"a": [file("2.0")]})
        assert not is_settled(pages, {"a": ["1.0"]}, ["a"])
        assert is_settled(Pages({"a": [file("1.0")]}, {}), {"a": ["1.0"]}, ["a"])
        assert not is_settled(Pages({}), {"a": ["1.0"]}, ["a"])


class TestInstallation:
    """Pip's report."""

    def test_pins_and_requirements(self) -> None:
        """The strongest hash that pip takes; an address for what was asked for by it."""
        report = {
            "install": [
                {
                    "metadata": {"name": "B_b", "version": "2"},
                    "download_info": {
                        "url": "https://x/b",
                        "archive_info": {"hashes": {"sha256": "ab", "md5": "c"}},
                    },
                },
                {
                    "metadata": {"name": "a", "version": "1"},
                    "is_direct": True,
                    "download_info": {"url": "https://x/a.whl", "archive_info": {"hashes": {"sha512": "ef"}}},
                },
                {"metadata": {"name": "c", "version": "1"}, "download_info": {"url": "https://x/c"}},
            ]
        }
        assert installation(report) == {
            "pins": [
                ["pypi", "a", "1", "sha512:ef"],
                ["pypi", "b-b", "2", "sha256:ab"],
                ["pypi", "c", "1", ""],
            ],
            "lockfile": "a @ https://x/a.whl --hash=sha512:ef\nb-b==2 --hash=sha256:ab\nc==1\n",
            "gone": [],
        }

    def test_dates(self) -> None:
        """A version is out since its first file was."""
        pins: list[list[Any]] = [["pypi", "a", "1.0", ""], ["pypi", "b", "1.0", ""]]
        times(Pages({"a": [file("1.0", NEW), file("1.0", "2026-01-01T00:00:00Z")]}), pins)
        assert [pin[4] for pin in pins] == ["2026-01-01T00:00:00+00:00", None]
