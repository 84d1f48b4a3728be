"""The page of an engine whose nights went by in minutes: what its history has of each is dated a day apart."""

import datetime as dt
import json
from collections.abc import Sequence
from pathlib import Path

from tests.integration.checkouts import Checkout


def write_page(checkout: Checkout, ends: Sequence[dt.datetime], file: Path) -> None:
    """Write the page of a checkout, whose nights ended then; its history stays dated like that."""
    history = checkout.folder / ".isol8" / "history.jsonl"
    lines = history.read_text(encoding="utf-8").splitlines()
    history.write_text("".join(f"{_dated(line, ends)}\n" for line in lines), encoding="utf-8")
    done = checkout.doit("page", "--offline", f"--output={file.resolve()}")
    assert done.code == 0, done.out + done.err


def _dated(line: str, ends: Sequence[dt.datetime]) -> str:
    entry = json.loads(line)
    night = sum(end < _time(entry["at"]) for end in ends)
    days = dt.timedelta(days=max(len(ends) - 1 - night, 0))
    entry["at"] = _text(_time(entry["at"]) - days)
    for side in (entry.get("old"), entry.get("new")):
        if side and side.get("built"):
            side["built"] = _text(_time(side["built"]) - days)
    return json.dumps(entry)


def _time(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def _text(moment: dt.datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
