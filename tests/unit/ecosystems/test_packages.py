"""What each ecosystem's probe is asked, and how its answer is judged."""

import json
from typing import Any

import pytest

from isol8_tasks.ecosystems import apk, deno, npm, pypi
from isol8_tasks.ecosystems.findings import (
    ExtraMissing,
    PackageHidden,
    PackageMissing,
    PackageUnusable,
    PackageVerification,
    Seen,
    WrongVersion,
)
from isol8_tasks.verify.findings import Finding
from isol8_tasks.verify.probe import Look

ENVIRONMENT = {
    "python_version": "3.12",
    "python_full_version": "3.12.8",
    "sys_platform": "linux",
    "os_name": "posix",
}
PACKAGES = [
    ["requests", "2.32.0", ["idna>=2", 'PySocks!=1.5.7,>=1.5.6; extra == "socks"', 'x[y]; extra == "x"']],
    ["idna", "3.0", []],
    ["x", "1", ['z>=2; extra == "y"', 'w; extra == "y" and sys_platform == "win32"']],
    ["pre", "2.0rc1", []],
]
FINE = {"problem": "", "gone": []}
LOADS: dict[str, Any] = {
    "version": "4.1.0",
    "entry": ".",
    "bins": [],
    "speaks": False,
    "broken_bins": [],
    "loaded": {"require": "", "import": ""},
    "ended": "0",
    "output": "",
}
NOT_EXPORTED = "ERR_PACKAGE_PATH_NOT_EXPORTED\nError: no exports"
NO_WINDOW = "Error\nError: jQuery requires a window with a document"
NOT_FOUND = "MODULE_NOT_FOUND\nError: Cannot find module"


def _of(ecosystem: str) -> PackageVerification:
    found: PackageVerification = {"pypi": pypi, "npm": npm, "deno": deno, "apk": apk}[ecosystem]
    return found


def _judge(
    ecosystem: str, specs: tuple[str, ...], answer: dict[str, Any], look: Look | None = None
) -> list[Finding]:
    seen = look or Look()
    said = Seen(items=answer.get("items", seen.items), answer=answer, apk=seen.apk)
    return list(_of(ecosystem).judge(specs, said))


@pytest.mark.parametrize(
    ("ecosystem", "spec", "item"),
    [
        ("pypi", "Requests[socks]>=2", "requests"),
        ("pypi", "typing_extensions", "typing-extensions"),
        ("npm", "zod", '{"name": "zod", "range": ""}'),
        ("npm", "zod@^4 || 3.x", '{"name": "zod", "range": "^4 || 3.x"}'),
        ("npm", "zod@v4.1", '{"name": "zod", "range": "v4.1"}'),
        ("npm", "zod@x", '{"name": "zod", "range": "x"}'),
        ("npm", "next@latest", '{"name": "next", "range": ""}'),
        ("npm", "next@canary-12.1", '{"name": "next", "range": ""}'),
        ("npm", "@types/node@22", '{"name": "@types/node", "range": "22"}'),
        ("npm", "mine@npm:@other/one@^1.2", '{"name": "mine", "range": "^1.2"}'),
        ("npm", "mine@npm:other", '{"name": "mine", "range": ""}'),
        ("deno", "npm:zod@3/path", '"npm:zod@3/path"'),
        ("apk", "jq", "jq"),
        ("apk", "jq>=1.7", "jq>=1.7"),
        ("apk", "jq@edge>=1.7", "jq>=1.7"),
        ("apk", "so:libz.so.1", "so:libz.so.1"),
    ],
)
def test_items(ecosystem: str, spec: str, item: str) -> None:
    """The probe is told what it can look up: tags and sources are none of that."""
    assert _of(ecosystem).query(spec) == item


class TestPython:
    """Requirements, by the metadata of what is installed."""

    def _judge(self, spec: str, item: object = FINE, more: tuple[list[object], ...] = ()) -> list[Finding]:
        packages = [*PACKAGES, *more]
        return _judge("pypi", (spec,), {"environment": ENVIRONMENT, "packages": packages, "items": [item]})

    @pytest.mark.parametrize(
        "spec",
        [
            "requests",
            "Requests>=2,<3",
            "requests ~= 2.30",
            "pre>=1",
            'idna; python_version > "3"',
            "requests[none]",
        ],
    )
    def test_good(self, spec: str) -> None:
        """A package that is there in the version asked for is fine; so is a pre-release that pip chose."""
        assert self._judge(spec) == []

    def test_missing(self) -> None:
        """A package that is not installed is named as it was asked for."""
        assert self._judge("numpy>=2", None) == [PackageMissing(package="numpy>=2")]

    def test_a_marker_that_does_not_hold(self) -> None:
        """Pip leaves out what is not for this Python, and so does the check."""
        assert self._judge('numpy; python_version < "3"', None) == []

    def test_wrong_version(self) -> None:
        """A version outside of the specifier is a finding."""
        assert self._judge("requests<2") == [WrongVersion(package="requests<2", version="2.32.0")]

    def test_an_extra_that_is_not_there(self) -> None:
        """What an extra needs counts, with its own version."""
        wanted = ExtraMissing(package="requests[socks]", needed="PySocks!=1.5.7,>=1.5.6")
        assert self._judge("requests[socks]") == [wanted]
        assert self._judge("requests[socks]", more=(["pysocks", "1.5.7", []],)) == [wanted]
        assert self._judge("requests[socks]", more=(["PySocks", "1.7.1", []],)) == []

    def test_extras_of_extras(self) -> None:
        """What an extra's package asks for by an extra of its own counts, too, where its marker holds."""
        assert self._judge("requests[x]") == [ExtraMissing(package="requests[x]", needed="z>=2")]

    def test_it_does_not_import(self) -> None:
        """The import that was tried, and Python's own words, are kept."""
        item = {"problem": "import requests\nTraceback\nImportError: libssl", "gone": []}
        assert self._judge("requests", item) == [
            PackageUnusable(
                package="requests", use="import requests", output="Traceback\nImportError: libssl"
            )
        ]

    def test_files_that_are_gone(self) -> None:
        """Of a package without modules, its files have to be readable."""
        assert self._judge("idna", {"problem": "", "gone": ["idna-stubs/a.pyi"]}) == [
            PackageHidden(package="idna", path="idna-stubs/a.pyi")
        ]


class TestNode:
    """Packages of npm, in Node and in Bun."""

    def _judge(self, **item: object) -> list[Finding]:
        return _judge("npm", ("zod@4",), {"items": [{**LOADS, **item}]})

    @pytest.mark.parametrize(
        "item",
        [
            {},
            {"satisfies": True},
            {"loaded": {"require": NOT_EXPORTED, "import": ""}},
            {"loaded": {"require": "", "import": NOT_EXPORTED}},
            {"loaded": {"require": "ERR_REQUIRE_ASYNC_MODULE\nError", "import": ""}},
            {"loaded": {"require": NO_WINDOW, "import": NO_WINDOW}},
            {"entry": ""},
            {"entry": "", "bins": ["/x"]},
            {"loaded": {}, "ended": "0", "bins": ["/x"]},
            {"loaded": {}, "ended": "1", "bins": ["/x"], "speaks": True},
            {"loaded": {"require": "", "import": "ERR_IMPORT_ATTRIBUTE_MISSING\nError"}},
        ],
        ids=[
            *("loads", "in range", "import only", "require only", "top-level await"),
            "for browsers",
            *(
                "types only",
                "command only",
                "a program that ends when loaded",
                "one that fails without words",
                "data",
            ),
        ],
    )
    def test_good(self, item: dict[str, object]) -> None:
        """A package passes by what it offers: modules, types or commands."""
        assert self._judge(**item) == []

    @pytest.mark.parametrize(
        ("item", "use"),
        [
            ({"loaded": {"require": NOT_FOUND, "import": ""}}, 'require("zod")'),
            ({"loaded": {"require": "", "import": NOT_FOUND}}, 'import("zod")'),
            ({"entry": "", "bins": ["/x"], "broken_bins": ["/x"]}, "its command /x"),
            ({"loaded": {}, "ended": "1", "bins": ["/x"]}, 'require("zod") ended the process (1)'),
            ({"entry": "./mini", "loaded": {"require": NOT_FOUND, "import": ""}}, 'require("zod/mini")'),
            ({"loaded": {}, "ended": "SIGSEGV"}, 'require("zod") ended the process (SIGSEGV)'),
            ({"loaded": {"require": ""}, "ended": "hung"}, 'import("zod") did not end'),
        ],
        ids=["require", "import", "command", "program that fails", "part", "crash", "hangs"],
    )
    def test_unusable(self, item: dict[str, object], use: str) -> None:
        """What was tried is named."""
        found = self._judge(**item)
        assert [each.use for each in found if isinstance(each, PackageUnusable)] == [use]
        assert len(found) == 1

    def test_neither_way(self) -> None:
        """A package that offers nothing at all to a program is no use, by its own word or not."""
        found = self._judge(loaded={"require": NOT_EXPORTED, "import": NOT_EXPORTED})
        assert [each.use for each in found if isinstance(each, PackageUnusable)] == [
            'require("zod")',
            'import("zod")',
        ]

    @pytest.mark.parametrize(
        ("error", "finding"),
        [
            ("ENOENT\nno such file", PackageMissing(package="zod@4")),
            (
                "EACCES\nEACCES: permission denied, open '/usr/local/lib/node_modules/zod/package.json'",
                PackageHidden(package="zod@4", path="/usr/local/lib/node_modules/zod/package.json"),
            ),
            ("EACCES\npermission denied", PackageHidden(package="zod@4", path="its folder")),
            ("Error\nbad JSON", PackageUnusable(package="zod@4", use="its package.json", output="bad JSON")),
        ],
        ids=["missing", "hidden", "hidden somewhere", "broken"],
    )
    def test_no_manifest(self, error: str, finding: Finding) -> None:
        """Without its package.json it is told why."""
        assert _judge("npm", ("zod@4",), {"items": [{"error": error}]}) == [finding]

    def test_wrong_version(self) -> None:
        """The runtime's own comparison decides."""
        assert self._judge(satisfies=False) == [WrongVersion(package="zod@4", version="4.1.0")]


class TestDeno:
    """Modules, each by a program of its own."""

    @pytest.mark.parametrize(
        ("status", "output", "findings"),
        [
            ("0", "", []),
            ("137", "", [PackageUnusable(package="npm:a", use='import "npm:a" did not end', output="")]),
            (
                "1",
                "error: npm package not found in cache, --cached-only is specified.",
                [PackageMissing(package="npm:a")],
            ),
            (
                "1",
                "error: boom",
                [PackageUnusable(package="npm:a", use='import "npm:a"', output="error: boom")],
            ),
        ],
        ids=["fine", "hangs", "missing", "fails"],
    )
    def test_status(self, status: str, output: str, findings: list[Finding]) -> None:
        """The program's end decides, and what it printed says how."""
        assert _judge("deno", ("npm:a",), {}, Look(items=((status, output),))) == findings

    def test_types_alone(self) -> None:
        """They have no code to be run, and other packages do."""
        output = "[ERR_MODULE_NOT_FOUND] Cannot find module 'file:///deno-dir/npm/registry.example/@types/x/1.0.0/index.js'"
        specs = ("npm:@types/x", "npm:a")
        assert _judge("deno", specs, {}, Look(items=(("1", output), ("1", output)))) == [
            PackageUnusable(package="npm:a", use='import "npm:a"', output=output)
        ]


class TestApk:
    """Packages of Alpine."""

    @pytest.mark.parametrize(
        ("text", "findings"),
        [
            ("ok usr/bin/jq", []),
            ("ok", []),
            ("missing", [PackageMissing(package="jq>9")]),
            ("version", [WrongVersion(package="jq>9", version="1.7.1-r0")]),
            (
                "command /usr/bin/jq",
                [PackageUnusable(package="jq>9", use="its command /usr/bin/jq", output="")],
            ),
        ],
        ids=["command", "library", "missing", "version", "no command"],
    )
    def test_states(self, text: str, findings: list[Finding]) -> None:
        """What apk says decides, and then whether a command can be found."""
        look = Look(apk="P:musl\nV:1\n\nP:jq\nV:1.7.1-r0\n", items=(("jq>9", text),))
        assert _judge("apk", ("jq>9",), {}, look) == findings

    def test_a_version_of_something_provided(self) -> None:
        """Where what was asked for is no package's name, its version is not known."""
        look = Look(items=(("cmd:jq>9", "version"),))
        assert _judge("apk", ("cmd:jq>9",), {}, look) == [WrongVersion(package="cmd:jq>9", version="another")]


def test_items_for_node_are_json() -> None:
    """A name with a quote in it would not get this far, and could do nothing if it did."""
    assert json.loads(_of("npm").query("@scope/pkg@>=1 <2")) == {
        "name": "@scope/pkg",
        "range": ">=1 <2",
    }
