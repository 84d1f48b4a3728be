"""deps.lock.toml: the same images give the same bytes, these are read as what they were, and mistakes are named."""

import pytest
import tomli

from isol8_tasks.config.lockfile import LockedImage, parse_lock, render_lock
from isol8_tasks.ecosystems.inventory import Package
from isol8_tasks.ecosystems.updates import Pin, Resolution
from isol8_tasks.errors import ConfigError

DIGEST = "sha256:" + "0" * 64
CHECKSUM = "Q1" + "a" * 27 + "="
PIN = Pin(ecosystem="pypi", name="numpy", version="2.3.1", integrity=DIGEST)
MUSL = Pin(ecosystem="apk", name="musl", version="1.2.5-r0", integrity=CHECKSUM)
DENO = f"""\
{{
  "version": "5",
  "redirects": {{
    "https://deno.land/x/a.ts": "https://deno.land/x/b.ts"
  }},
  "remote": {{
    "https://deno.land/x/b.ts": "{"0" * 64}"
  }}
}}
"""
IMAGES = {
    "web": LockedImage(
        parent="deno",
        packages=(
            Pin(ecosystem="deno", name="https://deno.land/x/a.ts", version=""),
            Pin(ecosystem="deno", name="https://deno.land/x/b.ts", version="", integrity=DIGEST),
        ),
        gone=(Package(ecosystem="apk", name="musl", version="1.2.5-r0"),),
        asked=("https://deno.land/x/a.ts",),
        lockfile=DENO,
    ),
    "deno": LockedImage(upstream={"deno:alpine": DIGEST}, packages=(MUSL,)),
    "python-custom": LockedImage(
        parent="python", asked=("numpy",), packages=(PIN,), lockfile=f"numpy==2.3.1 --hash={DIGEST}\n"
    ),
    "python": LockedImage(upstream={"alpine:3.21": DIGEST}, packages=(MUSL,)),
}
TEXT = f"""\
# What is in every image, exactly. Written by ./doitw lock; ./doitw setup --locked builds just this again.
version = 2

[images.python]
upstream = {{ "alpine:3.21" = "{DIGEST}" }}
packages = [
    "apk musl 1.2.5-r0 {CHECKSUM}",
]

[images.python-custom]
parent = "python"
asked = [
    "numpy",
]
packages = [
    "pypi numpy 2.3.1 {DIGEST}",
]
lock = '''
numpy==2.3.1 --hash={DIGEST}
'''
"""


class TestRender:
    """The text."""

    def test_each_package_has_a_line(self) -> None:
        """A change of a package is a line of a diff; images are in the order of their names."""
        images = {name: IMAGES[name] for name in ("python-custom", "python")}
        assert render_lock(images) == TEXT
        assert render_lock(dict(reversed(images.items()))) == TEXT

    def test_reading_gives_what_was_written(self) -> None:
        """Nothing is lost, packages without a version and texts with quotes included."""
        assert parse_lock(render_lock(IMAGES), "x").images == IMAGES

    def test_byte_order_mark_is_no_statement(self) -> None:
        """An editor may have put one in front, as in deps.toml."""
        assert (
            parse_lock("\ufeff" + TEXT, "deps.lock.toml").images == parse_lock(TEXT, "deps.lock.toml").images
        )

    @pytest.mark.parametrize("text", ["no end", "'''\n", "a\rb\n", "\x7f\n", "é\n", "\\n\n", ""])
    def test_any_text_is_a_lockfile(self, text: str) -> None:
        """Whatever an ecosystem's tool writes comes back byte for byte."""
        found = tomli.loads(render_lock({"a": LockedImage(lockfile=text)}))
        assert found["images"]["a"].get("lock", "") == text


class TestLock:
    """What a lock tells of its images."""

    def test_image_has_what_its_parents_have(self) -> None:
        """All of them, less what is gone."""
        lock = parse_lock(render_lock(IMAGES), "deps.lock.toml")
        names = {package.name for package in lock.there("web")}
        assert names == {"https://deno.land/x/a.ts", "https://deno.land/x/b.ts"}

    def test_checksums_are_those_of_apk(self) -> None:
        """Of what the image has of its own, and of its parent."""
        lock = parse_lock(render_lock(IMAGES), "deps.lock.toml")
        assert lock.checksums("python-custom") == {MUSL.package: CHECKSUM}

    def test_resolution_is_what_is_its_own(self) -> None:
        """A build gets the pins and the tool's own lock."""
        lock = parse_lock(TEXT, "deps.lock.toml")
        lockfile = f"numpy==2.3.1 --hash={DIGEST}\n"
        assert lock.images["python-custom"].resolution == Resolution(pins=(PIN,), lockfile=lockfile)

    def test_place_is_the_line(self) -> None:
        """Messages say where an image stands."""
        assert parse_lock(TEXT, "deps.lock.toml").place("python-custom") == "deps.lock.toml:10"


WRONG = [
    pytest.param("", "x: version: expected 2, found None; rewrite the lock: ./doitw lock", id="empty"),
    pytest.param("version = 2\nimages = 3", "x:2: images: expected a table, found an integer", id="no table"),
    pytest.param(
        "version = 2\n[image]",
        "x:2: image: not a key of a lock (did you mean images? allowed: version, images)",
        id="key",
    ),
    pytest.param(
        "version = 2\n[images.a]\nparents = 'b'",
        "x:3: images.a.parents: not a key of an image (did you mean parent? allowed: parent, upstream, asked, "
        "system, build, packages, gone, platform, lock)",
        id="key of an image",
    ),
    pytest.param(
        "version = 2\n[images.a]\nparent = 'b'",
        "x:3: images.a.parent: there is no such image (allowed: a)",
        id="no such parent",
    ),
    pytest.param(
        "version = 2\n[images.a]\nparent = 'b'\n[images.b]\nparent = 'a'",
        "x:3: images.a.parent: a is its own parent\nx:5: images.b.parent: b is its own parent",
        id="a circle",
    ),
    pytest.param(
        "version = 2\n[images.a]\nupstream = { b = 'sha256:1', c = 2 }",
        "x:3: images.a.upstream.b: 'sha256:1' is not a digest, as sha256:… with 64 hex digits\n"
        "x:3: images.a.upstream.c: expected a string, found an integer",
        id="no digest",
    ),
    pytest.param(
        "version = 2\n[images.a]\npackages = [\n'pypi',\n'npm  1',\n'rpm a 1',\n'apk a 1 b c']",
        "x:4: images.a.packages[0]: 'pypi' is not a package, as pypi numpy 2.3.1 sha256:…\n"
        "x:5: images.a.packages[1]: 'npm  1' is not a package, as pypi numpy 2.3.1 sha256:…\n"
        "x:6: images.a.packages[2]: 'rpm' is not an ecosystem (did you mean npm? allowed: apk, deno, generic, "
        "npm, pypi)\n"
        "x:7: images.a.packages[3]: 'apk a 1 b c' is not a package, as pypi numpy 2.3.1 sha256:…",
        id="packages",
    ),
    pytest.param(
        "version = 2\nx = " + "[" * 20_000,
        "x:2: can't be read as TOML: TOML inline arrays/tables are nested more than the allowed 400 levels; "
        "rewrite the lock: ./doitw lock",
        id="too deep",
    ),
    pytest.param(
        "version = 2.0\n",
        "x: version: expected 2, found 2.0; rewrite the lock: ./doitw lock",
        id="version of another kind",
    ),
    pytest.param(
        "version = 2\n[images",
        "x:2:8: not TOML: the ] behind the table's name is missing; rewrite the lock: ./doitw lock",
        id="not TOML",
    ),
]


class TestWrong:
    """Locks that were written by hand, or cut off."""

    @pytest.mark.parametrize(("text", "words"), WRONG)
    def test_every_problem_is_named(self, text: str, words: str) -> None:
        """With file, line and key."""
        with pytest.raises(ConfigError) as caught:
            parse_lock(text, "x")
        advice = "" if "rewrite the lock" in words else "\nRewrite the lock: ./doitw lock"
        assert str(caught.value) == words + advice

    def test_many_problems_are_counted(self) -> None:
        """The first of them are enough to see what is wrong."""
        with pytest.raises(ConfigError) as caught:
            parse_lock("version = 2\n[images.a]\n" + "".join(f"k{each} = 1\n" for each in range(30)), "x")
        lines = str(caught.value).splitlines()
        assert len(lines) == 22
        assert lines[20:] == ["x: 10 problems more", "Rewrite the lock: ./doitw lock"]
