"""The short version of thirty nights; docs/nightly.md has the long one's figures."""

import os
import sys
import tempfile
from pathlib import Path

import pytest

from tests.integration.drift import Drift, due, script
from tests.integration.night_table import table
from tests.integration.nights import SEED, simulate
from tests.integration.refreshing import EVERY


@pytest.mark.skipif("ISOL8_NIGHTS" not in os.environ, reason="takes minutes; ISOL8_NIGHTS=1 has it run")
@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="private engines need root on Linux")
def test_six_nights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each does what its drift asks for and no more: a broken update, an outage and a kill among them."""
    monkeypatch.setenv("DOCKER_HOST", os.environ.get("DOCKER_HOST", ""))
    monkeypatch.setenv("ISOL8_LAB_CACHE", os.environ.get("ISOL8_LAB_CACHE", ""))
    # Sockets have to be short, and pytest's own folders are kept for long.
    with tempfile.TemporaryDirectory(prefix="isol8-nights-") as folder:
        found = simulate(Path(folder), nights=6, seed=SEED, every=0, stateless=True)
    assert found.problems == [], table(found.rows)


def test_the_short_script() -> None:
    """Six nights have a broken update, an outage and a kill, and leave nothing in the end."""
    evenings = script(6, SEED)
    assert [each.ending for each in evenings] == ["", "registry out", "killed while promoting", "", ""]
    assert sum(drift.broken for each in evenings for drift in each.drifts) == 1
    left: tuple[Drift, ...] = ()
    for each in evenings:
        left = due(each, left).later
    assert left == ()


def test_the_script_is_the_same_every_time() -> None:
    """Thirty nights of one seed have everything that they are to have, and leave nothing in the end."""
    evenings, again = script(30, SEED), script(30, SEED)
    assert [each.words for each in evenings] == [each.words for each in again]
    assert len(evenings) == 29
    endings = [each.ending for each in evenings if each.ending]
    assert sorted(endings) == ["killed while building", "killed while promoting", "registry out"]
    drifts = [drift for each in evenings for drift in each.drifts]
    assert sum(each.asked_of_registry for each in drifts) == 6
    assert sum(each.broken for each in drifts) == 3
    assert sum(not each.drifts for each in evenings) >= 6
    left: tuple[Drift, ...] = ()
    for each in evenings:
        left = due(each, left).later
    assert left == ()


def test_what_a_drift_leaves_as_it_is() -> None:
    """Alpine's move rebuilds deno's image with the same result, unless that moves, too."""
    alone, beside = script(30, SEED)[2], script(30, SEED)[25]
    assert alone.words == "alpine moves"
    assert due(alone, ()).replaced == EVERY - {"deno", "deno-custom"}
    assert due(alone, ()).same == {"deno"}
    assert beside.words == "alpine moves; deno's image moves"
    assert (due(beside, ()).replaced, due(beside, ()).same) == (EVERY, frozenset())
