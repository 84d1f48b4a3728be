"""A sixth runtime, as CONTRIBUTING says how to add one: all that is said of Lua and of its rocks is in this folder.

A stage of the Dockerfile is the rest of it. `register` does what two lines in ecosystems/runtimes would.
"""

import re
from collections.abc import Iterable, Iterator

from isol8_tasks.ecosystems.findings import PackageFinding, PackageMissing, PackageUnusable, Seen
from isol8_tasks.ecosystems.grammar import NotUnderstoodError
from isol8_tasks.ecosystems.inventory import Package
from isol8_tasks.ecosystems.model import Ecosystem, Program, Runtime
from isol8_tasks.ecosystems.runtimes import ECOSYSTEMS, RUNTIMES

STAGE = """\
FROM base AS lua
ARG LUAROCKS_SERVER
RUN apk add lua5.4 luarocks5.4
ONBUILD ARG LUAROCKS_SERVER
"""


def read(text: str) -> tuple[str, str]:
    """Return the name of a rock, perhaps of one user's."""
    if not re.fullmatch(r"(?:[A-Za-z0-9._-]+/)?[A-Za-z0-9_][A-Za-z0-9._-]*", text):
        raise NotUnderstoodError("not the name of a rock")
    return text.lower(), ""


def query(spec: str) -> str:
    """Do what Verification promises."""
    return read(spec)[0].rpartition("/")[2]


def judge(specs: tuple[str, ...], seen: Seen) -> Iterator[PackageFinding]:
    """Do what Verification promises."""
    for spec, item in zip(specs, seen.items, strict=True):
        if item is None:
            yield PackageMissing(package=spec)
        elif item["problem"]:
            yield PackageUnusable(package=spec, use=f"require '{query(spec)}'", output=item["problem"])


def judge_once(_specs: tuple[str, ...], _seen: Seen) -> Iterable[PackageFinding]:
    """Do what Verification promises: nothing is looked at that every kind of client has alike."""
    return ()


def installed(seen: Seen) -> Iterable[Package]:
    """Do what Verification promises."""
    found = seen.answer.get("rocks", ())
    return [Package(ecosystem="luarocks", name=name, version=version) for name, version in found]


ROCKS = Ecosystem(
    name="luarocks",
    read=read,
    forms="luarocks accepts name and user/name, for example lpeg",
    inventory=("luarocks",),
    module=__name__,
    locations=frozenset({"LUAROCKS_SERVER"}),
)
LUA = Runtime(
    name="lua",
    packages="Lua rocks, installed with luarocks",
    recipe=1,
    install=("luarocks", "install"),
    one_by_one=True,
    ecosystem="luarocks",
    file="/sandbox/main.lua",
    command=("lua5.4", "{file}"),
    programs={"lua": "print(40 + 2)"},
    probe=Program("tests.sixth", "probe.lua"),
    answers="json",
)


def register() -> None:
    """Let there be Lua."""
    ECOSYSTEMS[ROCKS.name] = ROCKS
    RUNTIMES[LUA.name] = LUA
