"""Locks that somebody changed: each is refused with a place in the file, and nothing is built from any of them."""

from collections.abc import Iterator

import pytest
from attrs import frozen

from isol8_tasks.config.lockfile import parse_lock, render_lock
from isol8_tasks.errors import ConfigError

SHA256 = "0123456789abcdef" * 4
OTHER256 = "fedcba9876543210" * 4
SHA512 = "sha512-" + "a" * 86 + "=="
OTHER512 = "sha512-" + "b" * 86 + "=="
Q1 = "Q1" + "a" * 27 + "="
OTHERQ1 = "Q1" + "b" * 27 + "="
DIGEST = f"sha256:{SHA256}"

BASES = "".join(
    f"""
[images.{name}]
upstream = {{ "{upstream}" = "{DIGEST}" }}
packages = [
    "apk musl 1.2.5-r0 {Q1}",{extra}
]
"""
    for name, upstream, extra in (
        ("python", "alpine:3.21", ""),
        ("node", "alpine:3.21", '\n    "npm npm 11.0.0",'),
        ("bun", "alpine:3.21", '\n    "generic bun 1.4.5 sha256:' + SHA256 + '",'),
        ("deno", "deno:alpine", '\n    "generic deno 2.9.6",'),
        ("bash", "alpine:3.21", ""),
    )
)
PYTHON = f"""
[images.python-custom]
parent = "python"
asked = [
    "thing",
]
packages = [
    "pypi other 2.0 sha256:{SHA256}",
    "pypi thing 1.0 sha256:{SHA256}",
]
lock = '''
other==2.0 --hash=sha256:{SHA256}
thing==1.0 --hash=sha256:{SHA256}
'''
"""
NODE = f"""
[images.node-custom]
parent = "node"
asked = [
    "thing@^1",
]
packages = [
    "npm other 2.0.0 {SHA512}",
    "npm thing 1.0.0 {SHA512}",
]
lock = '''
{{
  "lockfileVersion": 3,
  "requires": true,
  "packages": {{
    "": {{
      "dependencies": {{
        "thing": "1.0.0"
      }}
    }},
    "node_modules/thing": {{
      "version": "1.0.0",
      "integrity": "{SHA512}",
      "dependencies": {{
        "other": "^2"
      }},
      "bin": {{
        "thing": "bin/thing.js"
      }},
      "optionalDependencies": {{
        "elsewhere": "1.0.0"
      }}
    }},
    "node_modules/thing/node_modules/elsewhere": {{
      "version": "1.0.0",
      "integrity": "{SHA512}",
      "cpu": [
        "arm64"
      ],
      "optional": true
    }},
    "node_modules/thing/node_modules/other": {{
      "version": "2.0.0",
      "integrity": "{SHA512}"
    }}
  }}
}}
'''
"""
BUN = f"""
[images.bun-custom]
parent = "bun"
asked = [
    "thing",
]
packages = [
    "npm other 2.0.0 {SHA512}",
    "npm thing 1.0.0 {SHA512}",
]
lock = '''
{{
  "lockfileVersion": 1,
  "workspaces": {{
    "": {{
      "dependencies": {{
        "thing": "^1.0.0",
      }},
    }},
  }},
  "packages": {{
    "other": ["other@2.0.0", "", {{}}, "{SHA512}"],
    "thing": ["thing@1.0.0", "", {{ "dependencies": {{ "other": "^2" }}, "hasInstallScript": true }}, "{SHA512}"],
  }}
}}
'''
"""
DENO = f"""
[images.deno-custom]
parent = "deno"
asked = [
    "https://modules.example/a.ts",
    "jsr:@std/path@1",
    "npm:thing",
]
packages = [
    "deno @std/path 1.1.0 sha256:{SHA256}",
    "deno https://modules.example/a.ts",
    "deno https://modules.example/v1/a.ts  sha256:{SHA256}",
    "npm other 2.0.0 {SHA512}",
    "npm thing 1.0.0 {SHA512}",
]
lock = '''
{{
  "version": "5",
  "specifiers": {{
    "jsr:@std/path@1": "1.1.0",
    "npm:thing@*": "1.0.0_other@2.0.0"
  }},
  "jsr": {{
    "@std/path@1.1.0": {{
      "integrity": "{SHA256}"
    }}
  }},
  "npm": {{
    "other@2.0.0": {{
      "integrity": "{SHA512}"
    }},
    "thing@1.0.0_other@2.0.0": {{
      "integrity": "{SHA512}",
      "dependencies": [
        "other@2.0.0"
      ]
    }}
  }},
  "redirects": {{
    "https://modules.example/a.ts": "https://modules.example/v1/a.ts"
  }},
  "remote": {{
    "https://modules.example/v1/a.ts": "{SHA256}"
  }}
}}
'''
"""
BASH = f"""
[images.bash-custom]
parent = "bash"
asked = [
    "tool",
]
packages = [
    "apk other 2.0-r0 {Q1}",
    "apk tool 1.0-r0 {Q1}",
]
"""
IMAGES = {"python": PYTHON, "node": NODE, "bun": BUN, "deno": DENO, "bash": BASH}
WHOLE = "version = 2\n" + BASES + "".join(IMAGES.values())


@frozen
class Names:
    """How one ecosystem writes the package `other`."""

    ecosystem: str
    version: str
    hash: str
    different: str
    weak: str
    in_lock: str
    """What the lock has of it."""
    hash_in_lock: str
    different_in_lock: str
    weak_in_lock: str
    more: str
    """One more package in the lock, as it stands before `other`."""


_BUN_OTHER = f'    "other": ["other@2.0.0", "", {{}}, "{SHA512}"],\n'
_NODE_OTHER = (
    '    "node_modules/thing/node_modules/other": {\n'
    f'      "version": "2.0.0",\n      "integrity": "{SHA512}"\n    }}\n'
)
_DENO_OTHER = f'    "other@2.0.0": {{\n      "integrity": "{SHA512}"\n    }},\n'
_PYTHON_OTHER = f"other==2.0 --hash=sha256:{SHA256}\n"
_NPM = ("npm", "2.0.0", SHA512, OTHER512, "sha1-" + "a" * 27 + "=")
ECOSYSTEMS = {
    "python": Names(
        "pypi",
        "2.0",
        f"sha256:{SHA256}",
        f"sha256:{OTHER256}",
        f"md5:{SHA256[:32]}",
        _PYTHON_OTHER,
        f" --hash=sha256:{SHA256}",
        f" --hash=sha256:{OTHER256}",
        f" --hash=md5:{SHA256[:32]}",
        _PYTHON_OTHER.replace("other", "more"),
    ),
    "node": Names(
        *_NPM,
        _NODE_OTHER,
        f'"integrity": "{SHA512}"',
        f'"integrity": "{OTHER512}"',
        f'"integrity": "{_NPM[4]}"',
        _NODE_OTHER.replace("other", "more").replace("}\n", "},\n"),
    ),
    "bun": Names(*_NPM, _BUN_OTHER, SHA512, OTHER512, _NPM[4], _BUN_OTHER.replace("other", "more")),
    "deno": Names(
        *_NPM,
        _DENO_OTHER,
        f'"integrity": "{SHA512}"',
        f'"integrity": "{OTHER512}"',
        f'"integrity": "{_NPM[4]}"',
        _DENO_OTHER.replace("other", "more"),
    ),
}


def _packages(runtime: str, names: Names) -> Iterator[tuple[str, str, str]]:
    """Give what can be done to `packages` of any ecosystem: what it is, and how the text changes."""
    line = f'    "{names.ecosystem} other {names.version} {names.hash}",\n'
    yield "no hash in packages", line, line.replace(f" {names.hash}", "")
    yield "another hash in packages", line, line.replace(names.hash, names.different)
    yield "a weak hash in packages", line, line.replace(names.hash, names.weak)
    yield "half a hash in packages", line, line.replace(names.hash, names.hash[:20])
    yield "not in packages", line, "" if runtime != "bash" else line.replace(" other ", " tool ")
    yield "twice in packages", line, line + line
    yield "an option in packages", line, line.replace(" other ", " --other ")
    yield "no ecosystem of ours", line, line.replace(f'"{names.ecosystem} ', '"rpm ')
    yield "an unknown key", "packages = [\n", 'source = "x"\npackages = [\n'
    yield "no packages", "packages = [\n", "package = [\n"


def _locks(runtime: str, names: Names) -> Iterator[tuple[str, str, str]]:
    """Give what can be done to the lock file of any ecosystem."""
    whole = IMAGES[runtime]
    block = whole[whole.index("lock = '''") :]
    other = names.in_lock
    yield "another version in packages", f" other {names.version} ", " other 2.9.9 "
    yield (
        "one more in packages",
        "packages = [\n",
        f'packages = [\n    "{names.ecosystem} a 1.0.0 {names.hash}",\n',
    )
    yield "no lock", block, ""
    yield "an empty lock", block, "lock = ''\n"
    yield "no hash in lock", other, other.replace(names.hash_in_lock, "")
    yield "another hash in lock", other, other.replace(names.hash_in_lock, names.different_in_lock)
    yield "a weak hash in lock", other, other.replace(names.hash_in_lock, names.weak_in_lock)
    yield "another version in lock", other, other.replace("2.0", "2.1")
    yield "another name in lock", other, other.replace("other", "0ther")
    yield "one more in lock", other, names.more + other
    yield "twice in lock", other, other.replace("}\n", "},\n") * 2 if runtime == "node" else other * 2
    yield "not in lock", other, ""
    yield "half a lock", block, block[: len(block) // 2] + "'''\n"
    yield "a lock of another tool", block, "lock = '''\n<html>\n'''\n"


def _line(text: str) -> tuple[str, str]:
    return _PYTHON_OTHER, text + "\n" + _PYTHON_OTHER


_THING = '"thing": "1.0.0"'
_ENTRY = '"version": "2.0.0",'
_META = '"other@2.0.0", "", {}'
SINGLE = {
    "python": {
        "find-links": _line("--find-links https://evil.example"),
        "index": _line("--index-url https://evil.example"),
        "extra index": _line("--extra-index-url=https://evil.example"),
        "trusted host": _line("--trusted-host evil.example"),
        "no hashes": _line("--no-require-hashes"),
        "another file": _line("-r /etc/passwd"),
        "constraints": _line("-c /etc/passwd"),
        "editable": _line("-e ."),
        "address": _line(f"evil @ http://evil.example/evil-1.tar.gz --hash=sha256:{SHA256}"),
        "safe address": _line(f"evil @ https://evil.example/evil-1.tar.gz --hash=sha256:{SHA256}"),
        "file": _line("./evil-1.tar.gz"),
        "folder": _line("/etc"),
        "comment": _line("# nothing"),
        "empty line": _line(""),
        "variable": _line("${EVIL}"),
        "a line that goes on": ("other==2.0 --hash", "other==2.0 \\\\\n --hash"),
        "two hashes": (f"{SHA256}\nthing", f"{SHA256} --hash=sha256:{OTHER256}\nthing"),
        "marker": ("other==2.0 ", "other==2.0 ; python_version > '3' "),
        "any version": ("other==2.0 ", "other>=2.0 "),
        "wildcard": ("other==2.0 ", "other==2.* "),
        "extra": ("other==2.0 ", "other[x]==2.0 "),
        "option behind": (f"{SHA256}\nthing", f"{SHA256} --global-option=x\nthing"),
        "carriage return": ("other==2.0 ", "other==2.0\\r "),
    },
    "node": {
        "resolved": (_ENTRY, f'{_ENTRY} "resolved": "https://evil.example/other.tgz",'),
        "link": (_ENTRY, f'{_ENTRY} "link": true,'),
        "script": (_ENTRY, f'{_ENTRY} "scripts": {{ "install": "evil" }},'),
        "inside of nothing": (
            f'{_ENTRY}\n      "integrity": "{SHA512}"',
            '"version": "2.0.0", "inBundle": true',
        ),
        "address asked for": (_THING, '"thing": "https://evil.example/thing.tgz"'),
        "git asked for": (_THING, '"thing": "github:evil/thing"'),
        "folder asked for": (_THING, '"thing": "file:/etc"'),
        "range asked for": (_THING, '"thing": "^1.0.0"'),
        "other version asked for": (_THING, '"thing": "1.0.1"'),
        "more asked for": (_THING, f'{_THING}, "other": "2.0.0"'),
        "address needed": ('"other": "^2"', '"other": "https://evil.example/other.tgz"'),
        "repository needed": ('"other": "^2"', '"other": "evil/other"'),
        "way out": ("node_modules/thing/node_modules/other", "node_modules/../../other"),
        "workspace": ('"node_modules/thing"', '"packages/thing"'),
        "command outside": ("bin/thing.js", "../../../etc/passwd"),
        "name": (_ENTRY, '"name": "../evil", "version": "2.0.0",'),
        "no version": (f"{_ENTRY}\n", ""),
        "key twice": (_ENTRY, f'{_ENTRY} "version": "2.0.1",'),
        "old form": ('"lockfileVersion": 3', '"lockfileVersion": 1'),
        "true for 3": ('"requires": true', '"requires": 1'),
        "key at top": ('"requires": true', '"requires": true, "dependencies": {}'),
        "elsewhere has none": ('"optional": true', '"optional": false'),
    },
    "bun": {
        "address": ('"other@2.0.0", ""', '"other@2.0.0", "https://evil.example/other.tgz"'),
        "tarball": (_META, '"other@https://evil.example/other.tgz", {}'),
        "git": (_META, '"other@git+ssh://evil.example/other#0", {}'),
        "folder": (_META, '"other@file:/etc", {}'),
        "workspace": (_META, '"other@workspace:other"'),
        "asked for by address": ('"^1.0.0"', '"https://evil.example/thing.tgz"'),
        "trusted": ('"lockfileVersion": 1,', '"lockfileVersion": 1, "trustedDependencies": ["other"],'),
        "overrides": ('"lockfileVersion": 1,', '"lockfileVersion": 1, "overrides": { "other": "1" },'),
        "patch": ('"lockfileVersion": 1,', '"lockfileVersion": 1, "patchedDependencies": { "a": "b" },'),
        "another workspace": ('    "": {', '    "evil": { "name": "evil" },\n    "": {'),
        "asked for another": ('"thing": "^1.0.0"', '"evil": "^1.0.0"'),
        "command outside": (_META, '"other@2.0.0", "", { "bin": { "other": "/etc/passwd" } }'),
        "comment": ('"lockfileVersion"', '// nothing\n  "lockfileVersion"'),
        "unknown form": ('"lockfileVersion": 1', '"lockfileVersion": 9'),
    },
    "deno": {
        "tarball": ('"other@2.0.0": {', '"other@2.0.0": { "tarball": "https://evil.example/other.tgz",'),
        "module without hash": (f'v1/a.ts": "{SHA256}"', 'v1/a.ts": ""'),
        "module with another hash": (f'v1/a.ts": "{SHA256}"', f'v1/a.ts": "{OTHER256}"'),
        "redirect elsewhere": ('"https://modules.example/v1/a.ts"\n  }', '"https://evil.example/a.ts"\n  }'),
        "one more module": ('"remote": {', f'"remote": {{ "https://evil.example/a.ts": "{SHA256}",'),
        "jsr without hash": (f'"integrity": "{SHA256}"', ""),
        "jsr with another hash": (f'"integrity": "{SHA256}"', f'"integrity": "{OTHER256}"'),
        "another version asked for": ('"npm:thing@*": "1.0.0_', '"npm:thing@*": "1.0.1_'),
        "not asked for": ('    "npm:thing@*": "1.0.0_other@2.0.0"', '    "npm:other@*": "2.0.0"'),
        "workspace": ('"version": "5",', '"version": "5", "workspace": {},'),
        "old form": ('"version": "5"', '"version": "3"'),
        "redirect in packages": ('"deno https://modules.example/a.ts"', '"deno https://evil.example/a.ts"'),
    },
    "bash": {
        "lock": ('parent = "bash"\n', 'parent = "bash"\nlock = "evil"\n'),
        "below": ('"apk other 2.0-r0', '"apk musl 1.2.5-r0'),
        "two versions": ("packages = [\n", f'packages = [\n    "apk tool 0.9-r0 {Q1}",\n'),
        "gone what was not there": ("packages = [\n", 'gone = [\n    "apk evil 1",\n]\npackages = [\n'),
        "hash of what is gone": (
            "packages = [\n",
            f'gone = [\n    "apk musl 1.2.5-r0 {Q1}",\n]\npackages = [\n',
        ),
        "another ecosystem with a hash": ("packages = [\n", f'packages = [\n    "npm a 1.0.0 {SHA512}",\n'),
    },
}


def _cases() -> Iterator[object]:
    bash = Names("apk", "2.0-r0", Q1, OTHERQ1[:-2], "sha1:" + "a" * 40, "", "", "", "", "")
    for runtime, names in {**ECOSYSTEMS, "bash": bash}.items():
        changes = [*_packages(runtime, names), *(_locks(runtime, names) if runtime != "bash" else ())]
        changes += [(name, *pair) for name, pair in SINGLE[runtime].items()]
        for name, old, new in changes:
            yield pytest.param(runtime, old, new, id=f"{runtime}-{name.replace(' ', '-')}")


CASES = list(_cases())


def test_there_are_many() -> None:
    """Kinds by ecosystems."""
    assert len(CASES) > 60


def test_what_lock_writes_is_taken() -> None:
    """All five runtimes, word for word."""
    lock = parse_lock(WHOLE, "x")
    assert set(lock.images) == {*IMAGES, *(f"{each}-custom" for each in IMAGES)}
    assert parse_lock(render_lock(lock.images), "x").images == lock.images


@pytest.mark.parametrize(("runtime", "old", "new"), CASES)
def test_changed_lock_is_refused(runtime: str, old: str, new: str) -> None:
    """With the line of the image, and what to type."""
    image = IMAGES[runtime]
    assert old in image
    before, _, after = WHOLE.partition(image)
    with pytest.raises(ConfigError) as caught:
        parse_lock(before + image.replace(old, new, 1) + after, "x")
    first, *_, last = str(caught.value).splitlines()
    assert first.startswith(("x:", "x: "))
    assert f"images.{runtime}-custom" in first or "not TOML" in first
    assert last == "Rewrite the lock: ./doitw lock" or "rewrite the lock: ./doitw lock" in last


BASE_CASES = [
    pytest.param(f' "{DIGEST}"', ' "alpine:latest"', id="tag for a digest"),
    pytest.param(f" {Q1}", "", id="apk without checksum"),
    pytest.param(f"bun 1.4.5 sha256:{SHA256}", "bun 1.4.5", id="Bun without checksum"),
    pytest.param(f"bun 1.4.5 sha256:{SHA256}", f"bun 1.4.5 {SHA512}", id="Bun with another kind of checksum"),
    pytest.param('"npm npm 11.0.0"', f'"npm npm 11.0.0 {SHA512}"', id="hash held against nothing"),
    pytest.param("[images.python]", '[images.python]\nlock = "evil"', id="lock of a base"),
    pytest.param("[images.python]", '[images.python]\ngone = ["apk a 1"]', id="gone from nothing"),
    pytest.param("[images.python]", "[images.python3]", id="no runtime"),
    pytest.param("version = 2", "version = 1", id="earlier form"),
    pytest.param("version = 2", "version = 2\nregistry = 'https://evil.example'", id="key at top"),
    pytest.param('parent = "python"', "", id="no parent"),
    pytest.param('parent = "python"', 'parent = "python-custom"', id="its own parent"),
]


@pytest.mark.parametrize(("old", "new"), BASE_CASES)
def test_changed_ground_is_refused(old: str, new: str) -> None:
    """What an image is based on is held to as well."""
    assert old in WHOLE
    with pytest.raises(ConfigError, match=r"[Rr]ewrite the lock: ./doitw lock|allowed:"):
        parse_lock(WHOLE.replace(old, new, 1), "x")


HOSTILE = [
    pytest.param("deno", '"https://modules.example/v1/a.ts"\n  }', "[]\n  }", id="list for an address"),
    pytest.param(
        "deno", '"npm:thing@*": "1.0.0_other@2.0.0"', '"npm:thing@*": {}', id="object for a version"
    ),
    pytest.param("deno", '"npm": {', '"npm": { "\\u001b[2J\\n": {},', id="escape sequence"),
    pytest.param("deno", '"npm": {', '"npm": { "\\ud800": {},', id="half a character"),
    pytest.param("bun", '"lockfileVersion": 1', f'"lockfileVersion": {"1" * 5000}', id="long number"),
    pytest.param("bun", '"lockfileVersion": 1', f'"lockfileVersion": {"[" * 100000}', id="deep"),
    pytest.param("bun", '"other": [', '"other": [null,', id="null"),
    pytest.param("bun", '"workspaces": {', '"workspaces": [], "x": {', id="array for an object"),
    pytest.param(
        "node", '"node_modules/thing": {', '"node_modules/thing": 1, "x": {', id="number for an object"
    ),
    pytest.param("node", '"": {', '"": [], "x": {', id="array for what was asked for"),
    pytest.param("python", "other==2.0 ", "other\u202e==2.0 ", id="text that runs backwards"),
    pytest.param("bash", "apk tool 1.0-r0", "apk tool 1.0\\u001b[2J", id="escape sequence for a version"),
]


@pytest.mark.parametrize(("runtime", "old", "new"), HOSTILE)
def test_nothing_in_a_lock_is_a_traceback_or_reaches_the_terminal(runtime: str, old: str, new: str) -> None:
    """Values of other kinds than expected are named as what they are."""
    assert old in IMAGES[runtime]
    text = WHOLE.replace(IMAGES[runtime], IMAGES[runtime].replace(old, new, 1))
    with pytest.raises(ConfigError) as caught:
        parse_lock(text, "x")
    assert not set(str(caught.value)) & {"\x1b", "\u202e"}
    str(caught.value).encode()


def test_address_that_was_asked_for_is_taken() -> None:
    """With its hash, and for no other package."""
    url = "https://files.example/thing-1.0-py3-none-any.whl"
    text = PYTHON.replace('"thing"', f'"thing @ {url}"').replace("thing==1.0", f"thing @ {url}")
    lock = parse_lock(WHOLE.replace(PYTHON, text), "x")
    assert lock.images["python-custom"].asked == (f"thing @ {url}",)
    with pytest.raises(
        ConfigError, match=r"line 2: https://files\.example/thing-1\.0-py3-none-any\.whl2 was not"
    ):
        parse_lock(WHOLE.replace(PYTHON, text.replace(f"thing @ {url} --", f"thing @ {url}2 --")), "x")


def test_one_line_names_the_place() -> None:
    """File, line, key, what is wrong, and what to type."""
    text = WHOLE.replace(f"other==2.0 --hash=sha256:{SHA256}", "--find-links https://evil.example")
    with pytest.raises(ConfigError) as caught:
        parse_lock(text, "deps.lock.toml")
    number = text[: text.index("lock = '''")].count("\n") + 1
    assert str(caught.value) == (
        f"deps.lock.toml:{number}: images.python-custom.lock: line 1: '--find-links https://evil.example' is not a "
        "package with its hash, as numpy==2.3.1 --hash=sha256:…\nRewrite the lock: ./doitw lock"
    )
