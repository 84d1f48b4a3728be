"""What the last engine puts back, and what it leaves to others."""

from pathlib import Path

import pytest

from lab.shared import Before, SharedState


@pytest.fixture
def state(tmp_path: Path) -> SharedState:
    """Return the shared state of a machine that does not forward packets."""
    forwarding = tmp_path / "ip_forward"
    forwarding.write_text("0\n", encoding="utf-8")
    return SharedState(run=tmp_path, forwarding=forwarding)


class Dropped(list[str]):
    """Remembers which tables were to be dropped."""

    def __call__(self, names: tuple[str, ...]) -> None:
        """Remember them."""
        self.extend(names)


def test_first_engine_turns_forwarding_on_and_last_puts_it_back(state: SharedState) -> None:
    """The machine ends as it began, with the tables dropped that it did not have."""
    dropped = Dropped()
    state.prepare(existing={"nat"}, needed=("filter", "nat"))
    assert state.forwarding.read_text(encoding="utf-8") == "1"
    state.put_back(other_docker=lambda: False, drop_tables=dropped)
    assert state.forwarding.read_text(encoding="utf-8") == "0"
    assert dropped == ["filter"]
    assert not state.file.exists()


def test_second_engine_remembers_what_the_first_one_found(state: SharedState) -> None:
    """An engine that starts when another runs does not take that one's doings for the machine's own."""
    state.prepare(existing=set(), needed=("filter", "nat"))
    state.prepare(existing={"filter", "nat"}, needed=("filter", "nat"))
    assert state.read() == Before(forwarding="0", tables_made=("filter", "nat"))


def test_forwarding_stays_on_for_another_docker(state: SharedState) -> None:
    """A Docker that isn't ours keeps its network."""
    state.prepare(existing=set(), needed=())
    state.put_back(other_docker=lambda: True, drop_tables=Dropped())
    assert state.forwarding.read_text(encoding="utf-8") == "1"
    assert not state.file.exists()


def test_nothing_was_prepared(state: SharedState) -> None:
    """Putting back twice changes nothing the second time."""
    state.put_back(other_docker=lambda: False, drop_tables=Dropped())
    assert state.forwarding.read_text(encoding="utf-8") == "0\n"


def test_other_engines_are_known_by_their_records(state: SharedState) -> None:
    """A run folder with a record in it is another checkout's engine; our own does not count."""
    own = state.run / "isol8-0123456789ab"
    own.mkdir()
    (own / "lab.json").touch()
    assert not state.others(own)
    (state.run / "isol8-ba9876543210").mkdir()
    assert not state.others(own)
    (state.run / "isol8-ba9876543210/lab.json").touch()
    assert state.others(own)
