"""One run at a time on an engine: who is kept out, what is said, and that nothing is left behind or written."""

import os
import pwd
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from isol8_tasks.errors import LockedError
from isol8_tasks.run.engine_lock import engine_lock, lock_name
from tests.fake_engine import FakeLease

ROOT = Path(__file__).resolve().parents[3]
SINCE = "2026-11-29T05:00:00+00:00"
HOLDER = textwrap.dedent("""
    import os, signal, sys
    from isol8_tasks.run.engine_lock import engine_lock
    if sys.argv[2]:
        os.setgroups([])
        os.setgid(int(sys.argv[2]))
        os.setuid(int(sys.argv[2]))
    with engine_lock(sys.argv[1], holder="/some/checkout", since="today", wait=0):
        print("held", flush=True)
        sys.stdin.read(1)
        if sys.argv[3]:
            os.kill(os.getpid(), signal.SIGKILL)
""")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="another user's run needs root")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel keeps no names elsewhere")


@pytest.fixture(name="engine")
def name_engine(tmp_path: Path) -> str:
    """Give the id of an engine that no other test has."""
    return str(tmp_path)


@contextmanager
def held(
    engine: str,
    *,
    user: str = "",
    killed: bool = False,
    env: Mapping[str, str] | None = None,
    by: tuple[str, ...] = (),
) -> Iterator["subprocess.Popen[str]"]:
    """Let another process hold the lock, until it is told or killed."""
    words = [*by, sys.executable, "-c", HOLDER, engine, user, "killed" if killed else ""]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), **(env or {})}
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        if process.poll() is None:
            process.communicate("x")


def refused(engine: str) -> str:
    """Try to have the lock at once, and return what is said."""
    with pytest.raises(LockedError) as caught, engine_lock(engine, holder="me", since=SINCE, wait=0):
        pass
    return str(caught.value)


def is_free(engine: str) -> bool:
    with engine_lock(engine, holder="me", since=SINCE, wait=0):
        return True


def test_a_second_run_is_told_who_holds_it(engine: str) -> None:
    """Another process that holds the lock is named, before the wait and after it; another engine is free."""
    heard: list[str] = []
    with held(engine) as other:
        with (
            pytest.raises(LockedError) as caught,
            engine_lock(engine, holder="me", since=SINCE, wait=0.2, on_wait=heard.append),
        ):
            pass
        said = f"process {other.pid} in /some/checkout, since today"
        assert heard == [said]
        assert str(caught.value) == (
            f"another run is using this engine: {said}; nothing was built; run again when it is done, or wait "
            "longer: ./doitw --wait=SECONDS (-1: no limit)"
        )
        assert is_free(f"{engine}, another")
    assert is_free(engine)


@pytest.mark.parametrize("wait", [30, -1])
def test_it_is_waited_for(engine: str, wait: float) -> None:
    """A run goes ahead as soon as the holder is done, and asks once for whom it waits."""
    heard: list[str] = []

    def done(text: str) -> None:
        heard.append(text)
        other.communicate("x")

    with held(engine) as other, engine_lock(engine, holder="me", since=SINCE, wait=wait, on_wait=done):
        assert len(heard) == 1


def test_a_killed_holder_lets_go(engine: str) -> None:
    """After kill -9 the next run goes ahead."""
    with held(engine, killed=True):
        pass
    assert is_free(engine)


def test_a_program_that_the_holder_started_does_not_hold_it(engine: str) -> None:
    """What outlives a run, as a daemon that a build started, keeps nobody out."""
    with ExitStack() as stack:
        with engine_lock(engine, holder="me", since=SINCE, wait=0):
            child = stack.enter_context(subprocess.Popen(["sleep", "60"]))
            stack.callback(child.kill)
        assert is_free(engine)


@pytest.mark.parametrize("variable", ["TMPDIR", "HOME", "XDG_RUNTIME_DIR"])
def test_the_environment_changes_nothing(engine: str, tmp_path: Path, variable: str) -> None:
    """Two runs that differ in their folders exclude one another."""
    with held(engine, env={variable: str(tmp_path)}):
        assert "in /some/checkout" in refused(engine)


@as_root
@on_linux
def test_runs_of_two_users_exclude_one_another(engine: str) -> None:
    """Root and a member of group docker, whichever comes first; the user is named."""
    nobody = pwd.getpwnam("nobody").pw_uid
    with held(engine, user=str(nobody)) as other:
        assert f"process {other.pid} of user nobody in /some/checkout, since today;" in refused(engine)
    with engine_lock(engine, holder="root's", since=SINCE, wait=0):
        words = [sys.executable, "-c", HOLDER, engine, str(nobody), ""]
        done = subprocess.run(
            words, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False
        )
    assert f"process {os.getpid()} of user root in root's, since {SINCE};" in done.stderr


@as_root
@on_linux
def test_runs_with_folders_of_their_own_exclude_one_another(engine: str) -> None:
    """As services with a private /tmp and /run have them."""
    private = 'mount -t tmpfs none /tmp && mount -t tmpfs none /run && exec "$0" "$@"'
    with held(engine, by=("unshare", "--mount", "--propagation=private", "sh", "-c", private)):
        assert "in /some/checkout" in refused(engine)


def test_the_engines_own_lease_is_taken_behind_it(engine: str) -> None:
    """A run on another machine is waited for as one on this machine, and named; both are free again afterwards."""
    heard: list[str] = []
    lease = FakeLease(others=["process 7 on far"] * 2)
    with engine_lock(engine, holder="me", since=SINCE, wait=30, on_wait=heard.append, lease=lease):
        assert lease.taken
        assert "in me, since" in refused(engine)
    assert heard == ["process 7 on far"]
    assert not lease.taken
    lease.others = ["process 7 on far"]
    with (
        pytest.raises(
            LockedError, match="another run is using this engine: process 7 on far; nothing was built"
        ),
        engine_lock(engine, holder="me", since=SINCE, wait=0, on_wait=heard.append, lease=lease),
    ):
        pass
    assert len(heard) == 1
    assert is_free(engine)


@pytest.mark.parametrize("wait", [float("nan"), 0.1])
def test_no_wait_is_for_ever(engine: str, wait: float) -> None:
    """Not even one that is no number."""
    lease = FakeLease(others=["somebody"] * 100)
    with (
        pytest.raises(LockedError),
        engine_lock(engine, holder="me", since=SINCE, wait=wait, lease=lease),
    ):
        pass


@on_linux
def test_nothing_is_written(engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither to have the lock nor to say who has it is a file made, so no link can be followed."""
    made: list[object] = []
    monkeypatch.chdir(tmp_path)

    def hear(event: str, arguments: tuple[object, ...]) -> None:
        if listening and (event in _CHANGES or (event == "open" and _writes(arguments))):
            made.append((event, arguments))

    listening = True
    sys.addaudithook(hear)  # it stays for this process, and hears nothing after this test
    try:
        with engine_lock(engine, holder="me", since=SINCE, wait=0):
            refused(engine)
        assert made == []
        (tmp_path / "seen").write_text("")
        assert made != []
    finally:
        listening = False


_CHANGES = {"os.mkdir", "os.rename", "os.link", "os.symlink", "os.chmod", "os.remove"}


def _writes(arguments: tuple[object, ...]) -> bool:
    flags = arguments[2]
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


@on_linux
def test_somebody_else_under_that_name_is_named_and_his_words_are_clean(
    engine: str, request: pytest.FixtureRequest
) -> None:
    """What sits on the name without being a run of ours says what it likes, in printable characters only."""
    squatter = socket.socket(socket.AF_UNIX)
    request.addfinalizer(squatter.close)
    squatter.bind(lock_name(engine))
    assert "using this engine: holder unknown;" in refused(engine)
    squatter.listen()
    told, silent = b"\x1b[2Jnothing\n", b""
    for answer in (told, silent):
        with ExitStack() as stack:
            asked = stack.enter_context(_answering(squatter, answer))
            said = refused(engine)
            asked()
        where = " in ?[2Jnothing?" if answer else ""
        assert f"using this engine: process {os.getpid()}{where};" in said


@contextmanager
def _answering(listener: socket.socket, answer: bytes) -> Iterator[Callable[[], None]]:
    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    yield thread.join


class TestHome:
    """The lock where the kernel keeps no names, as on macOS: the user's home folder."""

    @pytest.fixture(autouse=True)
    def elsewhere(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """Let this be another system, and the home of this user a folder of the test's."""
        monkeypatch.setattr(sys, "platform", "darwin")
        entry = pwd.struct_passwd(("me", "x", 1, 1, "", str(tmp_path), "/bin/sh"))
        monkeypatch.setattr(pwd, "getpwuid", lambda _uid: entry)

    def test_a_second_run_is_kept_out(self, engine: str, tmp_path: Path) -> None:
        """Whoever holds it is not known; it is free again afterwards, and nothing was written."""
        with engine_lock(engine, holder="me", since=SINCE, wait=0):
            assert "another run is using this engine: holder unknown; nothing was built" in refused(engine)
        assert is_free(engine)
        assert list(tmp_path.iterdir()) == []
