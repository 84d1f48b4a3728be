"""Files in folders that others may write to: what another user planted there is never followed."""

import contextlib
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from isol8_tasks.errors import Isol8Error, LabError
from isol8_tasks.run.workspace import Workspace
from isol8_tasks.safety.files import make_folder, refuse_planted, replace, write_named
from lab.machine import require_own_folder

ANOTHER = 65534
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="planting links as another user needs root")


@pytest.fixture(name="tmp_path")
def make_folder_that_others_reach() -> Iterator[Path]:
    """Give a folder of the test's own; those of pytest are in one that only their owner may enter."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(name="shared")
def make_shared(tmp_path: Path) -> Path:
    """Give a folder that everybody may write to, as /tmp is, in which fs.protected_symlinks plays no part."""
    folder = tmp_path / "shared"
    folder.mkdir()
    # Not sticky, since the kernel may protect links in such folders by itself, and the test could not fail.
    folder.chmod(0o777)
    return folder


@pytest.fixture(name="secret")
def make_secret(tmp_path: Path) -> Path:
    """Give a file of root's that must stay as it is."""
    secret = tmp_path / "secret"
    secret.write_text("precious")
    secret.chmod(0o600)
    return secret


def plant(path: Path, target: Path) -> None:
    """Make a link as another user."""
    subprocess.run(["ln", "-s", target, path], user=ANOTHER, group=ANOTHER, check=True)
    assert path.lstat().st_uid == ANOTHER


Write = Callable[[Path], object]
WRITES: dict[str, tuple[str, Write]] = {
    "the manifest": ("resolved-images.json", lambda root: _workspace(root).write_manifest("{}", "state")),
    "deps.lock.toml": ("deps.lock.toml", lambda root: _workspace(root).write_lock("x = 1")),
    "deps.toml": ("deps.toml", lambda root: _workspace(root).write_deps("x = 1")),
    "a log": (".isol8/logs/bash.log", lambda root: _workspace(root).write_log("bash", ["token"])),
    "the manifest's note": (".isol8/note", lambda root: _workspace(root).write_manifest("{}", "state")),
    "a report": ("night.md", lambda root: write_named(root / "night.md", "news")),
    "a bill of materials": ("bash.cdx.json", lambda root: replace(root / "bash.cdx.json", "{}")),
}


def _workspace(root: Path) -> Workspace:
    return Workspace.here(root, {})


@pytest.mark.parametrize("what", WRITES)
@pytest.mark.parametrize("there", [True, False], ids=["to a file", "to nowhere"])
def test_a_link_in_the_place_of_a_file(shared: Path, secret: Path, what: str, there: bool) -> None:  # noqa: FBT001
    """What it leads to is neither written nor made."""
    name, write = WRITES[what]
    place = _place(shared, what, name)
    target = secret if there else secret.with_name("made")
    plant(place, target)
    with contextlib.suppress(Isol8Error):
        write(shared)
    assert secret.read_text() == "precious"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert not secret.with_name("made").exists()


@pytest.mark.parametrize("what", WRITES)
def test_a_link_in_the_place_of_a_folder(shared: Path, tmp_path: Path, what: str) -> None:
    """Nothing is written where it leads to."""
    name, write = WRITES[what]
    precious = tmp_path / "precious"
    (precious / "logs").mkdir(parents=True)
    folder = Path(name).parts[0] if "/" in name else "below"
    plant(shared / folder, precious)
    with contextlib.suppress(Isol8Error):
        write(shared if "/" in name else shared / "below")
    assert [path for path in precious.rglob("*") if path.is_file()] == []


def _place(shared: Path, what: str, name: str) -> Path:
    """Return where a file will be written, in folders that anybody may write to."""
    place = shared / name
    if what == "the manifest's note":
        _workspace(shared).write_manifest("{}", "before")
        place = next((shared / ".isol8").glob("manifest-*"))
        place.unlink()
    place.parent.mkdir(parents=True, exist_ok=True)
    for each in (place.parent, place.parent.parent):
        if each != shared.parent:
            each.chmod(0o777)
    return place


def test_links_of_ones_own_are_followed_where_a_user_names_the_file(tmp_path: Path) -> None:
    """A report may lie elsewhere, and so may deps.toml; they stay links."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "night.md").symlink_to(tmp_path / "elsewhere" / "night.md")
    (tmp_path / "deps.toml").symlink_to(tmp_path / "elsewhere" / "deps.toml")
    for text in ("one", "two"):
        write_named(tmp_path / "night.md", text)
        _workspace(tmp_path).write_deps(text)
        assert (tmp_path / "elsewhere" / "night.md").read_text() == text
        assert (tmp_path / "elsewhere" / "deps.toml").read_text() == text
    assert (tmp_path / "night.md").is_symlink()


def test_a_report_may_go_to_a_pipe_but_to_nobody_elses(shared: Path) -> None:
    """/dev/stdout is written to; a pipe that another user put in the report's place is refused."""
    write = "write_named(pathlib.Path('/dev/stdout'), 'news')"
    program = f"import pathlib; from isol8_tasks.safety.files import write_named; {write}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "news"
    assert Path("/dev/stdout").is_symlink()
    subprocess.run(["mkfifo", shared / "night.md"], user=ANOTHER, group=ANOTHER, check=True)
    with pytest.raises(Isol8Error, match="a pipe of another user's"):
        write_named(shared / "night.md", "news")


def test_a_log_is_its_owners(tmp_path: Path) -> None:
    """What a build prints may hold a token, so nobody else reads it, also where an older log was open to all."""
    workspace = _workspace(tmp_path)
    assert workspace.write_log("bash", ["one"]) == ".isol8/logs/bash.log"
    log = tmp_path / ".isol8" / "logs" / "bash.log"
    log.chmod(0o644)
    workspace.write_log("bash", ["two"])
    assert log.read_text() == "two\n"
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_a_file_of_another_users_gives_no_mode(shared: Path) -> None:
    """What everybody could write to is replaced by what its owner can write to; a mode of one's own stays."""
    subprocess.run(
        ["sh", "-c", f"umask 0; echo > {shared}/night.md"], user=ANOTHER, group=ANOTHER, check=True
    )
    replace(shared / "night.md", "news")
    found = (shared / "night.md").stat()
    assert (found.st_uid, found.st_mode & 0o022) == (0, 0)
    (shared / "night.md").chmod(0o640)
    replace(shared / "night.md", "more")
    assert stat.S_IMODE((shared / "night.md").stat().st_mode) == 0o640


def test_links_of_roots_are_no_matter(tmp_path: Path) -> None:
    """A checkout's .isol8 may lie on another disk."""
    (tmp_path / "disk").mkdir()
    (tmp_path / ".isol8").symlink_to(tmp_path / "disk")
    refuse_planted(tmp_path / ".isol8" / "logs")
    make_folder(tmp_path / ".isol8" / "logs")
    assert (tmp_path / "disk" / "logs").is_dir()


class TestCache:
    """ISOL8_LAB_CACHE, out of which root runs programs."""

    def test_a_folder_of_roots_will_do(self, tmp_path: Path) -> None:
        """It is made where it is missing; a sticky folder above it is none that others can change it in."""
        tmp_path.chmod(0o1777)
        require_own_folder(tmp_path / "cache", trusting=tmp_path)
        assert (tmp_path / "cache").is_dir()

    @pytest.mark.parametrize("change", ["another's", "open to a group", "below one that is open", "a link"])
    def test_another_is_refused(self, tmp_path: Path, shared: Path, change: str) -> None:
        """Whoever could put a program there would have it run by root."""
        cache = tmp_path / "cache"
        cache.mkdir()
        if change == "another's":
            os.chown(cache, ANOTHER, ANOTHER)
        elif change == "open to a group":
            cache.chmod(0o775)
        elif change == "below one that is open":
            cache = shared / "cache"
        else:
            plant(shared / "link", cache)
            cache = shared / "link"
        with pytest.raises(Isol8Error) as caught:
            require_own_folder(cache, trusting=tmp_path)
        assert isinstance(caught.value, LabError) or "which is not followed" in str(caught.value)

    def test_whom_the_checkout_belongs_to_is_trusted(self, tmp_path: Path) -> None:
        """With sudo, ./doitw runs his code anyway."""
        for name in ("checkout", "cache"):
            (tmp_path / name).mkdir()
            os.chown(tmp_path / name, ANOTHER, ANOTHER)
        require_own_folder(tmp_path / "cache", trusting=tmp_path / "checkout")
