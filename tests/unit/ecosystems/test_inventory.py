"""The parsers of package databases."""

import base64
import tracemalloc
import zlib

from isol8_tasks.ecosystems import deno, npm, pypi
from isol8_tasks.ecosystems.findings import Seen
from isol8_tasks.ecosystems.inventory import (
    Package,
    apk_packages,
    decode,
    decode_notes,
    encode,
    runtime_package,
    sorted_once,
)

APK = """C:Q1VFqm8pEgmviZMrdh2eQiwneFlsw=
P:musl
V:1.2.5-r23
A:x86_64
T:the musl c library (libc) implementation
D:so:libc.musl-x86_64.so.1=1
F:lib
R:ld-musl-x86_64.so.1
a:0:0:755
Z:Q1V:P:no

C:Q1x
P:curl
V:8.22.0-r0
T:URL retrival utility
F:usr/bin
R:curl

P:broken-entry-without-version
"""
CACHED = """/deno-dir/npm/registry.example/is-number/7.0.0/package.json
/deno-dir/npm/registry.example/@std/x/1.2.3-rc.1/package.json
// denoCacheMetadata={"headers":{},"url":"https://jsr.example/@std/path/1.1.0/mod.ts","time":1}
// denoCacheMetadata={"headers":{},"url":"https://jsr.example/@std/path/1.1.0/posix.ts","time":1}
// denoCacheMetadata={"headers":{},"url":"https://jsr.example/@std/path/meta.json","time":1}
// denoCacheMetadata={"headers":{},"url":"https://jsr.example/@std/path/1.1.0_meta.json","time":1}
// denoCacheMetadata={"headers":{},"url":"https://other.example/lib@1/mod.ts","time":1}
// denoCacheMetadata=not JSON
// denoCacheMetadata={"headers":{}}
something else
"""


def test_label_that_grows_without_end_is_none_of_ours() -> None:
    """Only so much of it is unpacked as an inventory can have."""
    for text in ("[" * (1 << 25), '["3.21", {"apk": [' + '["a", "1"],' * (1 << 21)):
        label = base64.b64encode(zlib.compress(text.encode(), 1)).decode()
        tracemalloc.start()
        assert decode(label) is None
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert most < (8 << 20) + 2 * len(label)


def test_notes() -> None:
    """They go along in the same label, and change nothing of the rest; what is not plain text is none."""
    label = encode("3.21", [_npm("a", "1")], ["a needs more"])
    assert (decode(label), decode_notes(label)) == (("3.21", (_npm("a", "1"),)), ("a needs more",))
    assert decode_notes(encode("3.21", [_npm("a", "1")])) == ()
    assert decode_notes(encode("3.21", [], ["\x1b[2J"])) == ()
    assert decode_notes("nothing") == decode_notes("") == ()


def _npm(name: str, version: str) -> Package:
    return Package(ecosystem="npm", name=name, version=version)


def test_apk() -> None:
    """An entry's name and version count, sorted by name; an entry without both says nothing."""
    assert apk_packages(APK) == (
        Package(ecosystem="apk", name="curl", version="8.22.0-r0"),
        Package(ecosystem="apk", name="musl", version="1.2.5-r23"),
    )


def test_checksum_of_apk() -> None:
    """It goes along, also into a label and out of it, and makes no other package of one."""
    found = apk_packages(APK)
    assert [each.checksum for each in found] == ["Q1x", "Q1VFqm8pEgmviZMrdh2eQiwneFlsw="]
    decoded = decode(encode("3.21", found))
    assert decoded == ("3.21", found)
    assert [each.checksum for each in decoded[1]] == ["Q1x", "Q1VFqm8pEgmviZMrdh2eQiwneFlsw="]


def test_python() -> None:
    """Names are canonical, and each package is there once."""
    told: list[tuple[str, str, list[str]]] = [
        ("PySocks", "1.7.1", []),
        ("typing_extensions", "4.1", []),
        ("pysocks", "1.7.1", []),
    ]
    assert sorted_once(pypi.installed(Seen(answer={"packages": told}))) == (
        Package(ecosystem="pypi", name="pysocks", version="1.7.1"),
        Package(ecosystem="pypi", name="typing-extensions", version="4.1"),
    )


def test_node() -> None:
    """Several versions of a package are several packages."""
    told = [("b", "2.0.0"), ("@a/b", "1.0.0"), ("b", "1.0.0"), ("b", "2.0.0")]
    assert sorted_once(npm.installed(Seen(answer={"packages": told}))) == (
        _npm("@a/b", "1.0.0"),
        _npm("b", "1.0.0"),
        _npm("b", "2.0.0"),
    )


def test_deno() -> None:
    """Packages from npm and JSR have versions, other modules their URL; a registry's own files are none."""
    assert sorted_once(deno.installed(Seen(cached=CACHED))) == (
        Package(ecosystem="deno", name="@std/path", version="1.1.0"),
        Package(ecosystem="deno", name="https://other.example/lib@1/mod.ts", version=""),
        _npm("@std/x", "1.2.3-rc.1"),
        _npm("is-number", "7.0.0"),
    )


def test_all_together_are_sorted_by_ecosystem() -> None:
    """The same image gives the same list, whatever the order in which it was read."""
    bun = runtime_package("bun", "1.4.5")
    assert sorted_once([_npm("z", "1"), bun, *apk_packages(APK), bun]) == (
        *apk_packages(APK),
        bun,
        _npm("z", "1"),
    )
