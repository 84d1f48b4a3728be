"""Which engine is in use, and what is said when it does not answer: with real sockets, and without Docker."""

import errno
import grp
import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from isol8_tasks.engine import endpoint as module
from isol8_tasks.engine.endpoint import (
    Endpoint,
    diagnose,
    find,
    malformed,
    private_note,
    private_run_dir,
)
from isol8_tasks.errors import EngineUnreachableError
from lab.engine import data_root
from lab.places import Places

LAB = "Run ./doitw up --lab: it sets up a private engine and changes nothing else on the machine."


@pytest.fixture(name="place")
def make_place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a short folder that stands for the machine: /run, the default socket, the home."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        place = Path(name)
        (place / "home").mkdir()
        (place / "bin").mkdir()
        (place / "os-release").write_text('ID=ubuntu\nID_LIKE="debian"\n')
        monkeypatch.setattr(module, "RUN_ROOT", place)
        monkeypatch.setattr(module, "DEFAULT_SOCKET", place / "default.sock")
        monkeypatch.setattr(module, "OS_RELEASE", place / "os-release")
        monkeypatch.setattr(module, "SYSTEMD", place / "systemd")
        monkeypatch.setattr(module, "_SBIN", ())
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        monkeypatch.setattr(sys, "platform", "linux")
        yield place


@pytest.fixture(name="environ")
def make_environ(place: Path) -> dict[str, str]:
    """Give the environment of someone who has nothing of docker's."""
    return {"HOME": str(place / "home"), "PATH": str(place / "bin"), "USER": "me"}


@pytest.fixture(name="listen")
def make_listen() -> Iterator["Listen"]:
    """Give a way to listen at a path, as an engine does."""
    with Listen() as listen:
        yield listen


class Listen:
    """Sockets that are listened at."""

    def __init__(self) -> None:
        self.sockets: list[socket.socket] = []

    def __call__(self, path: Path) -> str:
        """Listen at the path, and return its address."""
        path.parent.mkdir(parents=True, exist_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen()
        self.sockets.append(listener)
        return f"unix://{path}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for each in self.sockets:
            each.close()


def install(place: Path, command: str) -> None:
    """Let a command be there."""
    path = place / "bin" / command
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)


def stopped(path: Path) -> str:
    """Leave a socket that nothing listens at any more."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    return f"unix://{path}"


def write_context(place: Path, name: str, url: str, *, current: bool = True) -> None:
    """Write a docker context as docker's own client does."""
    config = place / "home" / ".docker"
    meta = config / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": url}}}))
    if current:
        (config / "config.json").write_text(json.dumps({"currentContext": name}))


class TestPrivateRunDir:
    """The place of a checkout's private engine."""

    def test_it_is_short_and_one_for_each_checkout(self, tmp_path: Path) -> None:
        """However deep a clone lies, its sockets' paths stay within what the kernel allows."""
        deep = tmp_path.joinpath(*["x" * 200] * 3)
        expected = hashlib.sha256(os.fsencode(deep.resolve())).hexdigest()[:12]
        assert private_run_dir(deep) == Path(f"/run/isol8-{expected}")
        assert private_run_dir(deep) != private_run_dir(tmp_path)

    def test_a_link_to_the_checkout_leads_to_the_same_place(self, tmp_path: Path) -> None:
        """The real path counts."""
        (tmp_path / "clone").mkdir()
        (tmp_path / "link").symlink_to("clone")
        assert private_run_dir(tmp_path / "link") == private_run_dir(tmp_path / "clone")


class TestFind:
    """The order in which an engine is looked for."""

    def test_docker_host_comes_first(self, place: Path, environ: dict[str, str], listen: Listen) -> None:
        """What DOCKER_HOST says is taken, even when nothing answers there."""
        listen(private_run_dir(place) / "docker.sock")
        write_context(place, "office", "tcp://office")
        environ["DOCKER_HOST"] = "tcp://nowhere:1"
        assert find(place, environ) == Endpoint(url="tcp://nowhere:1", why="DOCKER_HOST")

    def test_a_private_engine_comes_before_the_context(
        self, place: Path, environ: dict[str, str], listen: Listen
    ) -> None:
        """A checkout with an engine of its own uses that."""
        url = listen(private_run_dir(place) / "docker.sock")
        write_context(place, "office", "tcp://office")
        assert find(place, environ) == Endpoint(url=url, why="private engine")

    def test_a_socket_that_was_left_behind_is_no_engine(self, place: Path, environ: dict[str, str]) -> None:
        """Without the note of one that was started, there is none."""
        (private_run_dir(place)).mkdir()
        stopped(private_run_dir(place) / "docker.sock")
        assert find(place, environ).why == "default socket"

    @pytest.mark.parametrize("left", ["a socket", "nothing, as after a reboot"])
    def test_a_private_engine_that_died_stays_the_engine_of_its_checkout(
        self, place: Path, environ: dict[str, str], listen: Listen, left: str
    ) -> None:
        """No run goes to another engine without being told: it stops, unless the environment names one."""
        private_note(place).parent.mkdir(parents=True)
        private_note(place).touch()
        write_context(place, "office", "tcp://office")
        listen(place / "default.sock")
        if left == "a socket":
            (private_run_dir(place)).mkdir()
            stopped(private_run_dir(place) / "docker.sock")
        found = find(place, environ)
        assert found == Endpoint(url=f"unix://{private_run_dir(place)}/docker.sock", why="private engine")
        assert "Start it again: ./doitw up --lab" in diagnose(found, environ)
        named = (
            {"DOCKER_CONTEXT": "default"},
            {"DOCKER_CONTEXT": "office"},
            {"DOCKER_HOST": "tcp://nowhere:1"},
        )
        assert [find(place, {**environ, **each}).why for each in named] == [
            "default socket",
            "docker context office",
            "DOCKER_HOST",
        ]

    def test_a_private_engine_that_was_stopped_is_named_where_no_other_answers(
        self, place: Path, environ: dict[str, str]
    ) -> None:
        """After `down`, whether a context leads elsewhere or not; a variable is meant as it stands."""
        said = "As root, start this checkout's private engine again, which has its images: ./doitw up --lab"
        data_root(Places.of(place, None)).mkdir(parents=True)
        assert diagnose(find(place, environ), environ).splitlines()[1] == said
        write_context(place, "office", f"unix://{place}/nowhere.sock")
        assert diagnose(find(place, environ), environ).splitlines()[1] == said
        environ["DOCKER_HOST"] = f"unix://{place}/nowhere.sock"
        assert said not in diagnose(find(place, environ), environ)

    @pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
    def test_a_note_that_may_not_be_seen_is_none(self, place: Path, environ: dict[str, str]) -> None:
        """Another user's checkout may keep others out of .isol8."""
        private_note(place).parent.mkdir(parents=True, mode=0o700)
        private_note(place).touch()
        private_note(place).parent.parent.chmod(0o700)
        place.chmod(0o755)
        os.seteuid(65534)
        try:
            found = find(place, environ)
        finally:
            os.seteuid(0)
        assert found.why == "default socket"

    def test_the_active_context_comes_before_the_default(self, place: Path, environ: dict[str, str]) -> None:
        """The configuration of docker names the context."""
        write_context(place, "office", "tcp://office:2376")
        expected = Endpoint(url="tcp://office:2376", why="docker context office", context="office")
        assert find(place, environ) == expected

    def test_docker_context_overrides_the_active_one(self, place: Path, environ: dict[str, str]) -> None:
        """The variable wins over the configuration."""
        write_context(place, "office", "tcp://office:2376")
        write_context(place, "play", "tcp://play:2376", current=False)
        assert find(place, {**environ, "DOCKER_CONTEXT": "play"}).url == "tcp://play:2376"
        assert find(place, {**environ, "DOCKER_CONTEXT": "default"}).why == "default socket"

    def test_docker_config_names_another_folder(self, place: Path, environ: dict[str, str]) -> None:
        """DOCKER_CONFIG is where docker's own client looks, so it is here."""
        write_context(place, "office", "tcp://office:2376")
        (place / "home" / ".docker").rename(place / "elsewhere")
        assert find(place, environ).why == "default socket"
        assert find(place, {**environ, "DOCKER_CONFIG": str(place / "elsewhere")}).context == "office"

    @pytest.mark.parametrize(
        "text",
        ["", "null", '{"auths": null}', '{"currentContext": "default", "proxies": {"default": {}}}', "{}"],
    )
    def test_other_configurations_lead_to_the_default(
        self, place: Path, environ: dict[str, str], text: str
    ) -> None:
        """A configuration without a context changes nothing."""
        (place / "home" / ".docker").mkdir()
        (place / "home" / ".docker" / "config.json").write_text(text)
        assert find(place, environ) == Endpoint(url=f"unix://{place}/default.sock", why="default socket")

    @pytest.mark.parametrize("data", [b"{", "{}".encode("utf-16"), b'{"auths": "\xff"}', None])
    def test_a_configuration_that_can_not_be_read_is_an_error(
        self, place: Path, environ: dict[str, str], data: bytes | None
    ) -> None:
        """It might have named an engine and logins, so nothing is done without it."""
        file = place / "home" / ".docker" / "config.json"
        file.parent.mkdir()
        file.write_bytes(data) if data else file.mkdir()
        with pytest.raises(
            EngineUnreachableError, match=r"config\.json: docker's configuration can't be read \("
        ):
            find(place, environ)

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("[]", "it is not an object"),
            ('{"currentContext": 3}', "currentContext is not a string"),
            ('{"credsStore": {}}', "credsStore is not a string"),
            ('{"auths": []}', "auths is not an object"),
            ('{"auths": {"a": "b"}}', "auths a is not an object"),
            ('{"auths": {"a": {"auth": "x"}}}', "auths a: auth is not user:password in base64"),
            ('{"auths": {"a": {"auth": "eA=="}}}', "auths a: auth is not user:password in base64"),
            (
                '{"auths": {"a": {"auth": "bWU6c2VjcmV0"}, "b": {"auth": 1}}}',
                "auths b: auth is not user:password in base64",
            ),
            ('{"proxies": "http://a"}', "proxies is not an object"),
            ('{"proxies": {"default": "http://a"}}', "proxies default is not an object"),
            ('{"HttpHeaders": {"A": 1}}', "HttpHeaders A is not a string"),
        ],
    )
    def test_a_configuration_of_another_shape_is_an_error(
        self, place: Path, environ: dict[str, str], text: str, problem: str
    ) -> None:
        """Docker's client would stumble on it."""
        (place / "home" / ".docker").mkdir()
        (place / "home" / ".docker" / "config.json").write_text(text)
        with pytest.raises(
            EngineUnreachableError, match=re.escape(f"can't be read ({problem})\nCorrect it,")
        ):
            find(place, environ)

    def test_a_pipe_for_a_configuration_is_not_waited_for(self, place: Path, environ: dict[str, str]) -> None:
        """Nobody may ever write into it."""
        (place / "home" / ".docker").mkdir()
        os.mkfifo(place / "home" / ".docker" / "config.json")
        with pytest.raises(EngineUnreachableError, match="not a regular file"):
            find(place, environ)


class TestDiagnose:
    """Why nothing answers, and the one fix."""

    def test_nothing_installed(self, place: Path, environ: dict[str, str]) -> None:
        """On a bare machine the lab is the way."""
        assert diagnose(find(place, environ), environ) == (
            f"no Docker Engine answers at unix://{place}/default.sock (the default; DOCKER_HOST is not set): "
            f"Docker is not installed\n{LAB}"
        )

    def test_nothing_installed_where_the_lab_does_not_run(self, place: Path, environ: dict[str, str]) -> None:
        """Where there is no apt, nobody is sent to the lab."""
        (place / "os-release").write_text("ID=fedora\n")
        assert diagnose(find(place, environ), environ).splitlines()[1] == (
            "Install Docker: https://docs.docker.com/engine/install/"
        )
        (place / "os-release").unlink()
        assert diagnose(find(place, environ), environ).splitlines()[1].startswith("Install Docker: ")

    def test_the_lab_needs_root(
        self, place: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Someone who isn't root is told that root is needed."""
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        assert diagnose(find(place, environ), environ).splitlines()[1] == LAB.replace(
            "--lab: ", "--lab: as root, "
        )

    def test_only_the_client_is_installed(self, place: Path, environ: dict[str, str]) -> None:
        """A docker command alone is no engine."""
        install(place, "docker")
        lines = diagnose(find(place, environ), environ).splitlines()
        assert lines[0].endswith(": only docker's client is installed, no engine")
        assert lines[1] == LAB

    @pytest.mark.parametrize("socket_left", [True, False])
    def test_an_installed_engine_is_stopped(
        self, place: Path, environ: dict[str, str], *, socket_left: bool
    ) -> None:
        """What is installed is to be started, as the machine starts such things."""
        install(place, "dockerd")
        if socket_left:
            stopped(place / "default.sock")
        (place / "systemd").mkdir()
        lines = diagnose(find(place, environ), environ).splitlines()
        assert lines[0].endswith(
            ": the socket is there, but the daemon behind it is stopped"
            if socket_left
            else ": Docker is installed, but not running"
        )
        assert lines[1] == "Start Docker: sudo systemctl start docker"
        (place / "systemd").rmdir()
        assert diagnose(find(place, environ), environ).splitlines()[1] == LAB
        (place / "os-release").unlink()
        assert diagnose(find(place, environ), environ).splitlines()[1] == (
            "Start Docker: sudo service docker start"
        )

    def test_docker_desktop(
        self, place: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """On macOS the engine comes with Docker Desktop."""
        monkeypatch.setattr(sys, "platform", "darwin")
        assert diagnose(find(place, environ), environ).splitlines()[1] == (
            "Start Docker Desktop: open -a Docker"
        )

    def test_docker_host_is_dead(self, place: Path, environ: dict[str, str]) -> None:
        """A dead DOCKER_HOST is named as the culprit, without the credentials in it."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        environ["DOCKER_HOST"] = f"tcp://me:secret@127.0.0.1:{port}"
        assert diagnose(find(place, environ), environ) == (
            f"no Docker Engine answers at tcp://***@127.0.0.1:{port} (from DOCKER_HOST): "
            "it cannot be reached (Connection refused)\n"
            "Correct DOCKER_HOST, or unset it and run ./doitw up --lab"
        )

    @pytest.mark.parametrize(
        ("url", "reason"),
        [
            ("unix:///nowhere/docker.sock", "there is no such socket"),
            ("tcp://127.0.0.1:99999", "it cannot be reached (Port out of range 0-65535)"),
            ("ssh://me@host", "it is reached by ssh, which could not be set up"),
            ("unix:///" + "x" * 200, "the socket cannot be used (AF_UNIX path too long)"),
        ],
    )
    def test_docker_host_is_wrong(self, place: Path, environ: dict[str, str], url: str, reason: str) -> None:
        """Each kind of address has its own reason."""
        (place / "os-release").unlink()
        environ["DOCKER_HOST"] = url
        lines = diagnose(find(place, environ), environ).splitlines()
        assert lines[0].endswith(f" (from DOCKER_HOST): {reason}")
        assert lines[1] == "Correct DOCKER_HOST, or unset it"

    @pytest.mark.parametrize(
        ("url", "problem"),
        [
            ("/var/run/docker.sock", "it lacks unix:// before the path; write unix:///var/run/docker.sock"),
            ("localhost:2375", "it lacks tcp:// before the host; write tcp://localhost:2375"),
            (" unix:///x", "there are blanks or quotes around it; write unix:///x"),
            ('"tcp://me:secret@x:1"', "there are blanks or quotes around it; write tcp://***@x:1"),
            ("tcp://localhost", "it lacks the number of a port, as in tcp://host:2375"),
            ("tcp://localhost:http/v1", "it lacks the number of a port, as in tcp://host:2375"),
            ("tcp://[::1]", "it lacks the number of a port, as in tcp://host:2375"),
        ],
    )
    def test_docker_host_is_no_address(
        self, place: Path, environ: dict[str, str], url: str, problem: str
    ) -> None:
        """What is mistyped about it is said, and how it is written."""
        environ["DOCKER_HOST"] = url
        assert diagnose(find(place, environ), environ).endswith(
            f" (from DOCKER_HOST) is not the address of one: {problem}\n"
            "An engine's address looks like unix:///var/run/docker.sock or tcp://host:2375."
        )

    @pytest.mark.parametrize(
        "url", ["unix:/x", "tcp://[::1]:2375", "tcp://me@host:1/v1", "ssh://host", "npipe:////./x"]
    )
    def test_other_addresses(self, url: str) -> None:
        """What may be one is left to docker's client."""
        assert not malformed(url)

    @pytest.mark.parametrize("url", ["unix:///etc/passwd", "unix:///etc", "unix:///"])
    def test_docker_host_is_no_socket(self, place: Path, environ: dict[str, str], url: str) -> None:
        """The kernel refuses a file as it does a socket that nobody listens at."""
        environ["DOCKER_HOST"] = url
        assert diagnose(find(place, environ), environ) == (
            f"no Docker Engine answers at {url} (from DOCKER_HOST): that is a file or a folder, not a socket\n"
            "Correct DOCKER_HOST, or unset it and run ./doitw up --lab"
        )

    def test_a_folder_is_in_the_place_of_the_default_socket(
        self, place: Path, environ: dict[str, str]
    ) -> None:
        """A container's mount of a socket that is not there makes one, and no engine can start then."""
        install(place, "dockerd")
        (place / "default.sock").mkdir()
        lines = diagnose(find(place, environ), environ).splitlines()
        assert lines[0].endswith(": that is a file or a folder, not a socket")
        assert (
            lines[1] == f"Move it away, and run again: sudo mv {place}/default.sock {place}/default.sock.old"
        )

    def test_an_engine_answers_without_docker_host(
        self, place: Path, environ: dict[str, str], listen: Listen
    ) -> None:
        """Where the default socket answers, unsetting the variable is all that is needed."""
        url = listen(place / "default.sock")
        environ["DOCKER_HOST"] = "unix:///nowhere/docker.sock"
        assert diagnose(find(place, environ), environ).splitlines()[1] == (
            f"An engine answers at {url}: unset DOCKER_HOST"
        )

    def test_the_context_points_elsewhere(self, place: Path, environ: dict[str, str], listen: Listen) -> None:
        """A context that leads nowhere is left for one that answers."""
        write_context(place, "old", stopped(place / "old.sock"))
        assert diagnose(find(place, environ), environ) == (
            f"no Docker Engine answers at unix://{place}/old.sock (from docker context old): "
            "the socket is there, but the daemon behind it is stopped\n"
            "Start the engine that the context names, or choose another one: docker context use NAME"
        )
        url = listen(place / "new.sock")
        write_context(place, "new", url, current=False)
        assert diagnose(find(place, environ), environ).splitlines()[1] == (
            f"An engine answers at {url}: docker context use new"
        )
        url = listen(place / "default.sock")
        assert diagnose(find(place, environ), {**environ, "DOCKER_CONTEXT": "old"}).splitlines()[1] == (
            f"An engine answers at {url}: unset DOCKER_CONTEXT; docker context use default"
        )

    def test_a_context_that_does_not_exist(self, place: Path, environ: dict[str, str]) -> None:
        """A name without a context is told as that."""
        environ["DOCKER_CONTEXT"] = "gone"
        assert diagnose(find(place, environ), environ) == (
            "no Docker Engine: docker context gone does not exist, though DOCKER_CONTEXT names it\n"
            "Choose another one: unset DOCKER_CONTEXT"
        )

    def test_a_rootless_engine_answers(self, place: Path, environ: dict[str, str], listen: Listen) -> None:
        """A rootless engine that no context leads to is found."""
        url = listen(place / "docker.sock")
        environ["XDG_RUNTIME_DIR"] = str(place)
        assert diagnose(find(place, environ), environ).splitlines()[1] == (
            f"An engine answers at {url}: export DOCKER_HOST={url}"
        )

    def test_a_private_engine_that_went_down(self, place: Path, environ: dict[str, str]) -> None:
        """The engine of the checkout is started as it was set up."""
        gone = Endpoint(url=f"unix://{place}/private.sock", why="private engine")
        assert diagnose(gone, environ).splitlines()[1] == (
            "Start it again: ./doitw up --lab; or stop using it: ./doitw down; or use another one: "
            "DOCKER_CONTEXT=default"
        )

    def test_an_engine_that_is_ending(
        self, place: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One that still takes a connection, and then no more, is reported as stopped."""
        monkeypatch.setattr(module, "_LOOKS", 600)
        found = find(place, environ)
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(place / "default.sock"))
            server.listen()

            def end() -> None:
                server.accept()[0].close()
                server.close()

            thread = threading.Thread(target=end)
            thread.start()
            told = diagnose(found, environ).splitlines()[0]
            thread.join()
        assert told.endswith(": the socket is there, but the daemon behind it is stopped")

    def test_something_else_listens(self, place: Path, environ: dict[str, str], listen: Listen) -> None:
        """A socket that takes connections and stays silent is no engine."""
        listen(place / "default.sock")
        assert (
            diagnose(find(place, environ), environ)
            .splitlines()[0]
            .endswith(": something listens there, but does not answer as a Docker Engine does")
        )


class TestPermission:
    """A socket that this user may not use."""

    @pytest.mark.parametrize(
        ("group", "members", "fix"),
        [
            ("docker", [], "Add this user to the group, then log in again: sudo usermod -aG docker me"),
            (
                "docker",
                ["me"],
                "Log in again: me is in group docker, but was not yet when this session began",
            ),
            ("root", [], "Run it as root: sudo ./doitw …; or a private engine: sudo ./doitw up --lab"),
        ],
        ids=["not in the group", "in the group since", "no group"],
    )
    def test_the_group_decides_the_fix(  # noqa: PLR0913, PLR0917 - two fixtures, a patch and a table of three
        self,
        place: Path,
        environ: dict[str, str],
        monkeypatch: pytest.MonkeyPatch,
        group: str,
        members: list[str],
        fix: str,
    ) -> None:
        """Who may use the socket is read off the socket itself."""
        stopped(place / "default.sock")
        refused = PermissionError(errno.EACCES, "Permission denied")
        entry = grp.struct_group((group, "x", 0 if group == "root" else 998, members))
        monkeypatch.setattr(module, "_connect", lambda _url: refused)
        monkeypatch.setattr(grp, "getgrgid", lambda _gid: entry)
        assert diagnose(find(place, environ), environ) == (
            f"no Docker Engine answers at unix://{place}/default.sock (the default; DOCKER_HOST is not set): "
            f"this user has no permission to use the socket\n{fix}"
        )

    @pytest.mark.skipif(os.getuid() != 0, reason="only root can become someone else")
    def test_another_user_is_really_refused(
        self, place: Path, environ: dict[str, str], listen: Listen
    ) -> None:
        """A process of another user meets the kernel's own refusal, and says so."""
        url = listen(place / "default.sock")
        place.chmod(0o755)
        (place / "default.sock").chmod(0o660)
        os.chown(place / "default.sock", 0, 1)
        endpoint = Endpoint(url=url, why="default socket")
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            os.write(writer, diagnose(endpoint, environ).encode())
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader) as pipe:
            lines = pipe.read().splitlines()
        os.waitpid(child, 0)
        assert lines[0].endswith(": this user has no permission to use the socket")
        assert lines[1] == "Add this user to the group, then log in again: sudo usermod -aG daemon me"


def test_looking_for_an_engine_imports_no_docker() -> None:
    """Commands that need the address alone don't pay for docker's client."""
    code = (
        "import sys, isol8_tasks.engine.endpoint; print('docker' in sys.modules, 'requests' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False False\n"
