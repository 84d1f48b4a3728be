"""Pages of many images with a history, from the real command on a fake engine, to look at and to test."""

import datetime as dt
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from attrs import define, evolve, field

from isol8_tasks.ecosystems.inventory import Package, encode
from isol8_tasks.ecosystems.updates import PackageNews, Update
from isol8_tasks.engine import ObservedImage
from isol8_tasks.images.journal import FAILED, REFRESHED, HistoryEntry, PastBuild, past_build
from isol8_tasks.images.journal_lines import render_history
from isol8_tasks.plan.model import ImageSpec
from isol8_tasks.report.page.document import Cleaned
from isol8_tasks.run.history import engine_of, history_path
from isol8_tasks.run.page import gather_page
from isol8_tasks.run.refresh import look
from isol8_tasks.run.view import View
from isol8_tasks.run.workspace import now
from tests.command_line import CommandLine, command_line, engine_with_upstream
from tests.fake_engine import FakeEngine

HOSTILE: Final = (
    "</script><script>window.pwned=1</script>",
    "<img src=x onerror=window.pwned=1>",
    '"><svg onload="window.pwned=1">',
    "' onmouseover='window.pwned=1' x='",
    "<!--<script>",
    "-->]]><iframe src=http://127.0.0.1:9/>",
    "javascript:window.pwned=1",
    "{{ 7*7 }}{% for x in y %}",
    "&lt;b&gt;&amp;",
    "\u2028\u2029\u202e\x00\x1b[31m",
    "\ud800",
    "__proto__",
    "<style>*{display:none}</style>",
)
"""Texts that want to be more than text in HTML, in a script, in a template, on a terminal or in an encoding."""
_FAILING: Final = 0.1
"""Share of the images of which a build failed before the last one."""
_SYSTEM: Final = ("busybox", "ca-certificates", "libcrypto3", "libssl3", "musl", "openssl", "tini", "zlib")
_SETTINGS: Final = {"Env PATH": "/usr/bin:/bin", "User": "sandbox", "WorkingDir": "/sandbox"}


@define(eq=False)
class SizedEngine(FakeEngine):
    """A fake engine whose images take as much as real ones."""

    sizes: dict[str, int] = field(factory=dict)

    def images(self) -> tuple[ObservedImage, ...]:
        """List them with their sizes."""
        return tuple(evolve(each, size=self._size(each)) for each in super().images())

    def _size(self, image: ObservedImage) -> int:
        return self.sizes.setdefault(image.id, 170_000_000 + random.Random(image.id).randrange(120_000_000))  # noqa: S311


def many_images(folder: Path, patch: pytest.MonkeyPatch, count: int, packages: int = 60) -> CommandLine:
    """Return the command line of a checkout in an empty folder with so many images, all built but the last three."""
    upstream = engine_with_upstream()
    cli = command_line(folder, SizedEngine(registry=upstream.registry), patch)
    names = [f"team-{number:03}" for number in range(count - 6)]
    tables = []
    for number, name in enumerate(names):
        parent = f'extends = "{names[number - 1]}"' if number % 5 else 'runtime = "python"'
        tables.append(f'[images.{name}]\n{parent}\npackages = ["lib{number}"]\n')
    cli.check = lambda spec, _candidate: _inventory(spec, packages)
    cli.declare("\n".join(['[dependencies]\nbash = ["jq"]', *tables[:-3]]))
    cli.build()
    cli.declare("\n".join(['[dependencies]\nbash = ["jq"]', *tables]))
    return cli


def _inventory(spec: ImageSpec, count: int) -> str:
    found = [Package(ecosystem="apk", name=name, version="3.5.8-r0") for name in _SYSTEM]
    found += [Package(ecosystem="apk", name=f"lib{n}", version=f"1.{n}-r0") for n in range(count // 2)]
    found += [Package(ecosystem="pypi", name=f"{spec.runtime}-{n}", version="2.0") for n in range(count // 2)]
    found += [Package(ecosystem="pypi", name=each, version="1.0.0") for each in spec.packages]
    return encode("3.22.1", found)


def write_history(cli: CommandLine, days: int, words: Sequence[str] = ()) -> None:
    """Give the images a history of so many days; with `words` in place of reasons and of names of packages."""
    session = cli.open()
    view, chance = session.view, random.Random(days)  # noqa: S311
    entries = []
    for name in view.observed.promoted:
        image = view.observed.public(name)
        assert image
        last = evolve(past_build(image, view.observed.record(name)), configuration=_SETTINGS)
        moments = sorted(now() - dt.timedelta(days=chance.random() * days) for _ in range(4))
        builds = [last]
        while len(builds) < len(moments):
            builds.insert(0, _before(builds[0], chance, words))
        for number, (at, new) in enumerate(zip(moments, builds, strict=True)):
            entries.append(
                HistoryEntry(
                    at=at,
                    image=name,
                    repository="isol8",
                    engine=engine_of(view),
                    how=chance.choice(("built", "built", "built", "same", "pulled", "rolled back")),
                    why=(chance.choice(words or _REASONS),),
                    old=builds[number - 1] if number else None,
                    new=new,
                    seconds=chance.random() * 40,
                    verified=True,
                    transferred={
                        "pulled": chance.randrange(9_000_000),
                        "built": chance.randrange(40_000_000),
                    },
                )
            )
        if chance.random() < _FAILING:
            problem = chance.choice(words or ("ERROR: No matching distribution found for nunpy",))
            entries.append(
                _note(view, FAILED, moments[-1] - dt.timedelta(hours=1), image=name, problem=problem)
            )
    nights = [now() - dt.timedelta(days=each) for each in range(days)]
    entries += [
        _note(view, REFRESHED, at, counts={"behind": chance.randrange(3), "fresh": 9}) for at in nights
    ]
    file = history_path(view)
    file.parent.mkdir(exist_ok=True)
    text = render_history(sorted(entries, key=lambda each: each.at))
    # Half of a character is one that JSON can hold, and no file.
    file.write_bytes(text.encode("utf-8", "backslashreplace"))
    session.close()


def _note(view: View, how: str, at: dt.datetime, image: str = "", **more: Any) -> HistoryEntry:  # noqa: ANN401
    return HistoryEntry(
        at=at, image=image, repository="isol8", engine=engine_of(view), how=how, seconds=7, **more
    )


def _before(build: PastBuild, chance: random.Random, words: Sequence[str]) -> PastBuild:
    """Return what an image may have been before: a package older, another one more, and a little smaller."""
    packages = dict(build.packages or {})
    ecosystem, name = chance.choice([*packages])
    packages[ecosystem, name] = f"0.{chance.randrange(99)}"
    packages["npm", chance.choice(words or ("left-pad",))] = "1.3.0"
    return evolve(
        build,
        id=f"sha256:{chance.randbytes(32).hex()}",
        size=build.size - chance.randrange(-500_000, 4_000_000),
        packages=packages,
        configuration={**_SETTINGS, "User": chance.choice(words or ("sandbox", "root"))},
    )


def hostile_news(names: Sequence[str]) -> Mapping[str, PackageNews]:
    """Return news whose packages and versions are hostile, one for each image."""
    return {
        name: PackageNews(
            updates=(Update(ecosystem="pypi", name=text, old=text, new=text[::-1]),),
            young=(Update(ecosystem="pypi", name=text, old=text, new=text),),
            waiting=(Update(ecosystem="apk", name=text, old=text, new=text),),
        )
        for name, text in zip(names, HOSTILE, strict=False)
    }


def document_of(cli: CommandLine) -> Cleaned:
    """Return what the page of a checkout shows; its sources are asked."""
    session = cli.open()
    try:
        return gather_page(
            session.view,
            look(session.view, ask=lambda _, spec: cli.ask_packages(spec, session.view.observed, None)),
        )
    finally:
        session.close()


def mapped(value: Any, text: str) -> Any:  # noqa: ANN401 - JSON
    """Return a document of a page in which each text that is not a time, a state or a kind is another one."""
    if isinstance(value, dict):
        return {key: each if key in _FIXED else mapped(each, text) for key, each in value.items()}
    if isinstance(value, list):
        return [mapped(each, text) for each in value]
    return text if isinstance(value, str) else value


_FIXED: Final = frozenset({"at", "built", "held", "rejected", "end", "checked", "kind", "state", "states"})
_REASONS: Final = (
    "docker/Dockerfile:69 changed in stage bun",
    "upstream image alpine:3.21 moved",
    "parent isol8:python was rebuilt",
    "+ scipy, \N{MINUS SIGN} numpy",
)
