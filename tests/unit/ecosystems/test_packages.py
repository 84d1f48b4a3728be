"""What each ecosystem's probe is asked, and how its answer is judged."""

import json
from typing import Any

import pytest

from isol8_tasks.ecosystems import apk, deno, npm, pypi
from isol8_tasks.ecosystems.findings import (
    CommandShared,
    ExtraMissing,
    ModuleOverwritten,
    PackageDeclines,
    PackageHidden,
    PackageMissing,
    PackageNeeds,
    PackageNote,
    PackageUnusable,
    PackageVerification,
    PartUnusable,
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
FINE: dict[str, Any] = {"fault": None, "parts": [], "tried": 0, "gone": [], "lost": [], "commands": []}
LOADS: dict[str, Any] = {
    "version": "4.1.0",
    "entry": ".",
    "bins": [],
    "speaks": False,
    "broken_bins": [],
    "loaded": {"require": "", "import": ""},
    "ended": "0",
    "output": "",
    "commands": {},
    "lost": "",
}


def _thrown(message: str, *causes: dict[str, Any], code: str = "", name: str = "Error") -> dict[str, Any]:
    text = f"{name}: {message}\n    at native (/x/musl.node:1:1)"
    return {"code": code, "name": name, "message": message, "text": text, "causes": list(causes)}


NOT_EXPORTED = _thrown("no exports", code="ERR_PACKAGE_PATH_NOT_EXPORTED")
NO_WINDOW = _thrown("jQuery requires a window with a document")
NOT_FOUND = _thrown("Cannot find module", code="MODULE_NOT_FOUND")
NO_HOST = _thrown("Do not import `@jest/globals` outside of the Jest test environment")
USE_IMPORT = _thrown("this package is for import alone; use import()")
OF_MODULES = _thrown("Cannot use import statement outside a module", name="SyntaxError")


NO_MAGICK = "MagickWand shared library not found."


def _fault(use: str, error: str, kinds: str, *, raised: int) -> dict[str, Any]:
    return {"use": use, "kinds": kinds.split(), "raised": raised, "text": f"Traceback\n{error}"}


def _of(ecosystem: str) -> PackageVerification:
    found: PackageVerification = {"pypi": pypi, "npm": npm, "deno": deno, "apk": apk}[ecosystem]
    return found


def _judge(
    ecosystem: str, specs: tuple[str, ...], answer: dict[str, Any], look: Look | None = None
) -> list[Finding | PackageNote]:
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

    def _judge(
        self, spec: str, item: object = FINE, more: tuple[list[object], ...] = ()
    ) -> list[Finding | PackageNote]:
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
        item = {**FINE, "fault": _fault("import requests", "ImportError: libssl", "ImportError", raised=1)}
        assert self._judge("requests", item) == [
            PackageUnusable(
                package="requests", use="import requests", output="Traceback\nImportError: libssl"
            )
        ]

    @pytest.mark.parametrize(
        ("kinds", "raised", "lost", "declines"),
        [
            ("ImproperlyConfigured", 1, [], True),
            ("RuntimeError", 1, [], True),
            ("RuntimeError", 1, ["/x/requests/core.py"], False),
            ("RuntimeError ImportError", 1, [], False),
            ("RuntimeError OSError", 1, [], False),
            ("AssertionError", 1, [], False),
            ("DistributionNotFound", 1, [], False),
            ("SyntaxError", 0, [], False),
            ("NameError", 0, [], False),
            ("", 0, [], False),
        ],
        ids=[
            *("own error", "raised", "a file is missing", "for want of a module", "for want of a file"),
            *("assertion", "requirement", "syntax", "Python's", "ended"),
        ],
    )
    def test_declines(self, kinds: str, raised: int, lost: list[str], *, declines: bool) -> None:
        """What a complete package raises by itself is a note; all else is a finding."""
        fault = _fault("import requests", "Some: no settings", kinds, raised=raised)
        (found,) = self._judge("requests", {**FINE, "fault": fault, "lost": lost})
        if declines:
            assert found == PackageDeclines(
                package="requests", use="import requests", output="Some: no settings"
            )
        else:
            assert isinstance(found, PackageUnusable)
            assert [f"there is no {path}" in found.output for path in lost] == [True] * len(lost)

    @pytest.mark.parametrize(
        ("error", "raised", "needed"),
        [
            ("KeyError: 'DISPLAY'\n", 1, "a display (the environment variable DISPLAY)"),
            (
                'Xlib.error.DisplayNameError: Bad display name ""',
                1,
                "a display (the environment variable DISPLAY)",
            ),
            ("KeyError: 'API_TOKEN'", 1, "the environment variable API_TOKEN"),
            ("KeyError: 'API_TOKEN'", 0, ""),
        ],
        ids=["display", "X", "environment", "table"],
    )
    def test_a_variable(self, error: str, raised: int, needed: str) -> None:
        """One of the environment that is not set is what the package needs."""
        fault = _fault("import requests", error, "KeyError LookupError", raised=raised)
        (found,) = self._judge("requests", {**FINE, "fault": fault})
        if needed:
            need = f"needs {needed} to be imported, which the sandbox does not have"
            assert found == PackageNeeds(package="requests", need=need)
        else:
            assert isinstance(found, PackageUnusable)

    def test_what_a_marker_leaves_out_is_told(self) -> None:
        """That nothing is installed is a note, unless another line asks for it."""
        specs = ("six; sys_platform == 'win32'", "idna; sys_platform == 'win32'", 'x; os_name == "posix"')
        answer: dict[str, Any] = {"environment": ENVIRONMENT, "packages": PACKAGES}
        seen = Seen(items=[None, FINE, FINE], answer=answer)
        assert list(pypi.judge_once(specs, seen)) == [
            PackageNeeds(package=specs[0], need="is not installed, as its marker does not hold in the image")
        ]

    def test_overwritten(self) -> None:
        """A module of which another package's file is there is a note, and a cause where the import fails."""
        path = "/site/requests.py"
        answer: dict[str, Any] = {
            "environment": ENVIRONMENT,
            "packages": PACKAGES,
            "items": [FINE],
            "overwritten": [[path, "other", "requests"]],
        }
        assert _judge("pypi", ("requests",), answer) == []
        assert list(pypi.judge_once(("requests",), Seen(items=[FINE], answer=answer))) == [
            ModuleOverwritten(path=path, packages=("requests",), used="other")
        ]
        fault = _fault("import requests", "AttributeError: no get", "AttributeError", raised=0)
        (found,) = _judge("pypi", ("requests",), {**answer, "items": [{**FINE, "fault": fault}]})
        assert isinstance(found, PackageUnusable)
        assert found.output.endswith(f"\nother overwrote {path}")

    @pytest.mark.parametrize(
        ("tried", "bad", "said", "found", "library"),
        [
            (4, ("fonts", "images"), NO_MAGICK, "unusable", "libMagickWand.so"),
            (4, ("requests",), NO_MAGICK, "unusable", "libMagickWand.so"),
            (4, ("fonts",), NO_MAGICK, "part", "libMagickWand.so"),
            (4, ("fonts", "images"), "No module named 'x'", "", ""),
            (2, ("fonts", "images"), "No module named 'x'", "unusable", ""),
            (4, ("requests",), "No module named 'x'", "unusable", ""),
            (4, (), "", "", ""),
        ],
        ids=[
            "half lack a library",
            "its own name",
            "one lacks it",
            "extras",
            "all",
            "its own lacks one",
            "fine",
        ],
    )
    def test_modules_below(
        self, *, tried: int, bad: tuple[str, ...], said: str, found: str, library: str
    ) -> None:
        """A module is an extra unless half of them lack a library, all fail, or the one with the package's name."""
        parts = [
            _fault(f"import requests.{each}", f"ImportError: {said}", "ImportError", raised=1) for each in bad
        ]
        seen = Seen(items=[{**FINE, "parts": parts, "tried": tried}])
        answers = list(pypi.judge_once(("requests",), seen))
        kinds = {PackageUnusable: "unusable", PartUnusable: "part"}
        assert [kinds[type(each)] for each in answers] == ([found] if found else [])
        assert [each.library for each in answers if isinstance(each, PackageUnusable | PartUnusable)] == (
            [library] if found else []
        )

    def test_two_packages_with_one_command(self) -> None:
        """The command is named, with both."""
        items = [{**FINE, "commands": ["a", "serve"]}, {**FINE, "commands": ["serve"]}, None]
        assert list(pypi.judge_once(("one", "two", "gone"), Seen(items=items))) == [
            CommandShared(command="serve", packages=("one", "two"), used="")
        ]

    def test_one_package_asked_for_twice(self) -> None:
        """It has its commands once."""
        seen = Seen(items=[{**FINE, "commands": ["uvicorn"]}] * 2)
        assert list(pypi.judge_once(("Uvicorn", "uvicorn[standard]"), seen)) == []

    def test_files_that_are_gone(self) -> None:
        """Of a package without modules, its files have to be readable."""
        assert self._judge("idna", {**FINE, "gone": ["idna-stubs/a.pyi"]}) == [
            PackageHidden(package="idna", path="idna-stubs/a.pyi")
        ]


class TestNode:
    """Packages of npm, in Node and in Bun."""

    def _judge(self, **item: object) -> list[Finding | PackageNote]:
        return _judge("npm", ("zod@4",), {"items": [{**LOADS, **item}]})

    @pytest.mark.parametrize(
        "item",
        [
            {},
            {"satisfies": True},
            {"loaded": {"require": NOT_EXPORTED, "import": ""}},
            {"loaded": {"require": "", "import": NOT_EXPORTED}},
            {"loaded": {"require": _thrown("", code="ERR_REQUIRE_ASYNC_MODULE"), "import": ""}},
            {"loaded": {"require": NO_WINDOW, "import": NO_WINDOW}},
            {"entry": ""},
            {"entry": "", "bins": ["/x"]},
            {"loaded": {}, "ended": "0", "bins": ["/x"]},
            {"loaded": {}, "ended": "1", "bins": ["/x"], "speaks": True},
            {"loaded": {"require": "", "import": _thrown("", code="ERR_IMPORT_ATTRIBUTE_MISSING")}},
            {"loaded": {"require": USE_IMPORT, "import": ""}},
            {"loaded": {"require": OF_MODULES, "import": ""}},
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
                "require that only throws",
                "modules in the way of require",
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

    @pytest.mark.parametrize(
        "error",
        [
            NO_HOST,
            _thrown("expect is not defined", name="ReferenceError"),
            _thrown("Can't find variable: acquireVsCodeApi", name="ReferenceError"),
            _thrown("settings are not configured", name="ConfigurationError", code="not-configured"),
            _thrown("Cannot find package 'electron' imported from /x", code="ERR_MODULE_NOT_FOUND"),
            _thrown("Cannot find module 'electron/main' from '/x'", name="ResolveMessage"),
        ],
        ids=[
            *("deliberately", "a global of the host", "the same in Bun", "an error of its own"),
            *("a host's module", "the same in Bun, a part of it"),
        ],
    )
    def test_declines(self, error: dict[str, Any]) -> None:
        """A complete package that throws deliberately passes, with a note on the first way that was tried."""
        line = f"{error['name']}: {error['message']}"
        assert self._judge(loaded={"require": error, "import": error}) == [
            PackageDeclines(package="zod@4", use='require("zod")', output=line)
        ]
        # One that offers the other way alone.
        assert self._judge(loaded={"require": NOT_EXPORTED, "import": error}) == [
            PackageDeclines(package="zod@4", use='import("zod")', output=line)
        ]

    @pytest.mark.parametrize(
        "error",
        [
            NOT_FOUND,
            _thrown("Cannot find module 'electron-log'", code="MODULE_NOT_FOUND"),
            _thrown("Unexpected token", name="SyntaxError"),
            _thrown("x.map is not a function", name="TypeError"),
            _thrown("require is not defined in ES module scope", name="ReferenceError"),
            _thrown("require is not defined", name="ReferenceError"),
            _thrown("Cannot access 'x' before initialization", name="ReferenceError"),
            _thrown("no such file or directory, open '/x'", code="ENOENT"),
            _thrown(
                "Error relocating /x.node: gnu_get_libc_version: symbol not found", code="ERR_DLOPEN_FAILED"
            ),
            _thrown("Could not load the sharp module using the linuxmusl-x64 runtime"),
            _thrown("Cannot find native binding"),
            _thrown("it does not work", NOT_FOUND),
            _thrown("no musl"),
            _thrown("Electron failed to install correctly, please delete node_modules/electron"),
        ],
        ids=[
            *("module", "a longer name than a host's", "syntax", "type", "scope", "CommonJS's", "circle"),
            *("file", "relocation", "sharp", "napi", "the error behind it", "musl", "not installed"),
        ],
    )
    def test_broken(self, error: dict[str, Any]) -> None:
        """A missing file, module or library, and an error of the runtime's own, are none that a package meant."""
        found = self._judge(loaded={"require": error, "import": error})
        assert [type(each) for each in found] == [PackageUnusable, PackageUnusable]

    def test_a_missing_file(self) -> None:
        """A package that lacks the file that it names itself is not complete, whatever it throws."""
        found = self._judge(loaded={"require": NO_HOST, "import": NO_HOST}, lost="/x/main.js")
        assert [type(each) for each in found] == [PackageUnusable, PackageUnusable]

    def test_a_program_with_nothing_to_load(self) -> None:
        """If its command works, the file that it lacks for loading is a note."""
        lost: dict[str, object] = {
            "loaded": {"require": NOT_FOUND, "import": NOT_FOUND},
            "lost": "/x/types.js",
        }
        assert [type(each) for each in self._judge(**lost, bins=["/x/a"])] == [
            PackageUnusable,
            PackageUnusable,
        ]
        (note,) = self._judge(**lost, bins=["/x/a"], speaks=True)
        assert isinstance(note, PartUnusable)
        assert note.output == "there is no /x/types.js"

    def test_a_missing_library(self) -> None:
        """Its name is a value of the finding."""
        text = "Error loading shared library libvips-cpp.so.42: No such file or directory (needed by /x.node)"
        error = _thrown(text, code="ERR_DLOPEN_FAILED")
        (found, _) = self._judge(loaded={"require": error, "import": error})
        assert isinstance(found, PackageUnusable)
        assert found.library == "libvips-cpp.so.42"

    def test_two_packages_with_one_command(self) -> None:
        """The command is named with both, and with the one whose link won."""
        items = [
            {**LOADS, "commands": {"tsc": "tsc", "tsserver": "typescript"}},
            {**LOADS, "commands": {"tsc": "tsc"}},
        ]
        specs = ("typescript@5", "tsc")
        assert list(npm.judge_once(specs, Seen(items=items))) == [
            CommandShared(command="tsc", packages=specs, used="tsc")
        ]

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
            ("152", "", [PackageUnusable(package="npm:a", use='import "npm:a" did not end', output="")]),
            (
                "1",
                "\x1b[31merror\x1b[0m: Uncaught (in promise) Error: only inside of jest\nthrow new\n    at f",
                [PackageDeclines(package="npm:a", use='import "npm:a"', output="Error: only inside of jest")],
            ),
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
        ids=["fine", "hangs", "works without end", "declines", "missing", "fails"],
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
