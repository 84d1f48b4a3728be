"""Judges the packages of the corpus, and prints false refusals and false acceptances: ./doitw corpus."""

import argparse
import contextlib
import datetime as dt
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import tomli

from isol8_tasks.config.deps import parse_config
from isol8_tasks.engine.endpoint import find
from isol8_tasks.errors import Isol8Error
from tests.corpus_packages import own
from tests.corpus_packages.making import Maker, Result, batches
from tests.corpus_packages.table import Row, groups, of_group, rows, tenth

REPOSITORY: Final = "isol8corpus"
_LINES: Final = 12


def main(argv: Sequence[str]) -> int:
    """Judge what is chosen, and report it; 0 if no verdict is wrong."""
    options = _options(argv)
    chosen = _chosen(options)
    if not chosen:
        sys.stderr.write(
            "no package of the corpus is chosen; its tables are tests/corpus_packages/packages/*.toml\n"
        )
        return 3
    began = time.monotonic()

    def tell(text: str) -> None:
        sys.stderr.write(f"{time.monotonic() - began:6.0f} s  {text}\n")

    with tempfile.TemporaryDirectory(prefix="isol8-corpus-") as folder:
        maker = maker_here(
            Path(folder, "checkout"), tell, jobs=options.jobs, download_cache=options.download_cache
        )
        try:
            judge(maker, chosen, whole=bool(options.group))
        except Isol8Error as error:
            sys.stderr.write(f"{error}\n")
            return error.exit_code
        finally:
            # Of a run that is interrupted there is what it came to.
            report = summary(maker, chosen, time.monotonic() - began)
            options.json.parent.mkdir(parents=True, exist_ok=True)
            options.json.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
            with contextlib.suppress(Isol8Error):
                maker.remove()
    print("\n".join(printed(maker.results.values(), report, whole=bool(options.group))))  # noqa: T201 - its output
    return 1 if report["false_refusals"] or report["false_acceptances"] else 0


def maker_here(
    folder: Path, tell: Callable[[str], None], *, jobs: int = 2, download_cache: bool = False
) -> Maker:
    """Return what makes images on this checkout's engine, with its build arguments and its base images."""
    checkout = Path.cwd()
    endpoint = find(checkout, os.environ)
    known = {} if endpoint.context else {"DOCKER_HOST": endpoint.url}
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ISOL8_")} | known
    file = Path(os.environ.get("ISOL8_DEPS") or checkout / "deps.toml")
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    build = tomli.loads(text).get("build", {})
    maker = Maker(
        folder=folder,
        repository=REPOSITORY,
        environ=environ,
        args=build.get("args", {}),
        tell=tell,
        jobs=jobs,
        download_cache=download_cache,
    )
    maker.adopt(parse_config(text, str(file)).build.repository)
    return maker


def judge(maker: Maker, chosen: Sequence[Row], *, whole: bool = False) -> None:
    """Judge packages; of a list that is to be built whole, all that can be installed share a runtime's image."""
    there = [row for row in chosen if row.kind != "mirror" and not row.own]
    there += maker.in_repository([row for row in chosen if row.kind == "mirror"])
    kinds = dict.fromkeys((row.runtime, row.accepted) for row in there)
    alike = [[row for row in there if (row.runtime, row.accepted) == kind] for kind in kinds]
    maker.judge(alike if whole else batches(there))
    if ours := [row for row in chosen if row.own]:
        with own.indexes(maker.environ.get("DOCKER_HOST", "")) as args:
            before, maker.args = maker.args, args
            maker.judge(batches(ours))
            maker.args = before


def summary(maker: Maker, chosen: Sequence[Row], seconds: float) -> dict[str, Any]:
    """Return the result as it is written to a file."""
    found = maker.results.values()
    return {
        "schema": 1,
        "packages": len(found),
        "left_out": [str(row) for row in chosen if row not in maker.results],
        "images": maker.images,
        "seconds": round(seconds),
        "false_refusals": [str(each.row) for each in found if each.wrong == "false refusal"],
        "false_acceptances": [str(each.row) for each in found if each.wrong == "false acceptance"],
        "without_a_note": [
            str(each.row)
            for each in found
            if each.row.kind in {"declines", "later"} and each.accepted and not each.notes
        ],
        "results": [
            {
                "runtime": each.row.runtime,
                "package": each.row.package,
                "expected": each.row.kind,
                "accepted": each.accepted,
                "used": each.used,
                "wrong": each.wrong,
                "said": each.said,
                "notes": list(each.notes),
            }
            for each in found
        ],
    }


def printed(results: Iterable[Result], report: Mapping[str, Any], *, whole: bool) -> list[str]:
    """Return the report for people: what is wrong with its reason, and the figures."""
    lines: list[str] = []
    for each in results:
        if each.wrong or (whole and not each.accepted):
            lines.append(f"{each.row}: {each.wrong or 'cannot be built'} ({each.row.kind} is expected)")
            lines += [f"    {line}" for line in each.said.splitlines()[:_LINES]]
    if silent := report["without_a_note"]:
        lines.append(f"accepted without a note: {', '.join(silent)}")
    if left := report["left_out"]:
        lines.append(f"left out, as the package repository does not have them: {', '.join(left)}")
    lines.append(
        f"{report['packages']} packages in {report['images']} images, {report['seconds']} s: "
        f"{len(report['false_refusals'])} false refusals, {len(report['false_acceptances'])} false acceptances"
    )
    return lines


def _chosen(options: argparse.Namespace) -> list[Row]:
    table = (*rows(), *own.rows())
    found = list(table)
    if options.group:
        found = [row for name in options.group for row in of_group(name, table)]
    if options.tenth:
        found = list(tenth(found, dt.datetime.now(dt.UTC).date()))
    if options.names:
        found = [row for row in found if {row.runtime, row.package, row.name, str(row)} & set(options.names)]
    return list(dict.fromkeys(found))


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./doitw corpus", description=__doc__)
    parser.add_argument("names", nargs="*", help="packages or runtimes; default: all")
    parser.add_argument(
        "--group", action="append", choices=groups(), help="a list of others, built whole; may be repeated"
    )
    parser.add_argument("--tenth", action="store_true", help="a tenth of the packages, another each day")
    parser.add_argument(
        "--jobs", type=int, default=2, help="how many images are made at one time (default: 2)"
    )
    parser.add_argument(
        "--download-cache",
        action="store_true",
        help="with [build] download_cache, which splits images sooner",
    )
    parser.add_argument(
        "--json", type=Path, default=Path(".isol8", "corpus.json"), help="where the result is written"
    )
    return parser.parse_args(argv)
