"""A short form of the fuzz campaign, python -m tests.fuzz_cli; nightly ones are longer."""

import random
from collections.abc import Callable, Iterator

import pytest

from tests.fuzz_cli import fuzz_configs, fuzz_lines, fuzz_signals


@pytest.mark.thorough(every=3)
@pytest.mark.parametrize(("fuzz", "count"), [(fuzz_configs, 1000), (fuzz_lines, 150), (fuzz_signals, 6)])
def test_whatever_comes_ends_in_words(
    fuzz: Callable[[int, random.Random], Iterator[str]], count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No traceback, a documented exit code, and nothing of a library's insides."""
    monkeypatch.setattr("tests.fuzz_cli._SLOW", 60)
    assert [*fuzz(count, random.Random(0))] == []  # noqa: S311 - no secret
