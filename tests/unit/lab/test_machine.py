"""What is said where a private engine can't run, and when a program fails."""

import platform
import re
import shutil
from pathlib import Path

import pytest
from attrs import evolve

from isol8_tasks.errors import LabError
from lab import machine
from lab.downloads import npm_environment
from lab.engine import configuration
from lab.places import Places
from lab.tools import Tools, last_line, run


class TestRequirements:
    """One clear line for each thing that is missing."""

    def test_not_linux(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """On macOS, Docker is the way."""
        monkeypatch.setattr(platform, "system", lambda: "Darwin")
        with pytest.raises(LabError) as caught:
            machine.require_supported()
        assert str(caught.value) == (
            "--lab needs Linux, and this is Darwin: install Docker and run ./doitw up without --lab."
        )

    def test_not_debian(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without apt there are no packages to unpack."""
        monkeypatch.setattr(platform, "system", lambda: "Linux")
        monkeypatch.setattr(shutil, "which", lambda _: None)
        with pytest.raises(LabError) as caught:
            machine.require_supported()
        assert str(caught.value) == (
            "--lab needs Debian's or Ubuntu's packages, and there is no apt-get here: "
            "install Docker and run ./doitw up without --lab."
        )

    def test_not_root(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An engine needs root."""
        monkeypatch.setattr("os.geteuid", lambda: 1000)
        with pytest.raises(LabError) as caught:
            machine.require_root("up --lab")
        assert str(caught.value) == (
            "up --lab needs root, to run a private Docker Engine: sudo ./doitw up --lab, or become root."
        )

    def test_other_processor(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Stand-ins are programs for one processor."""
        monkeypatch.setattr(platform, "machine", lambda: "aarch64")
        with pytest.raises(LabError) as caught:
            machine.require_standins()
        assert str(caught.value) == (
            "alpine:3.21 and denoland/deno:alpine can't be pulled here, and stand-ins exist for x86-64 only, "
            "not for aarch64: check the network, or name a registry that can be reached."
        )


class TestRun:
    """Programs, and what is said when they fail."""

    def test_failure_says_the_last_line_without_credentials(self) -> None:
        """A token in a program's output does not reach the message."""
        with pytest.raises(LabError) as caught:
            run(["sh", "-c", "echo first; echo 'no https://me:secret@host/x.' >&2; exit 3"], what="fetching")
        assert str(caught.value) == "fetching failed: no https://***@host/x"

    @pytest.mark.parametrize(
        ("text", "line"),
        [
            pytest.param("one\ntwo\n\n", "two", id="last"),
            pytest.param("", "it printed nothing", id="nothing"),
        ],
    )
    def test_last_line(self, text: str, line: str) -> None:
        """Blank lines say nothing."""
        assert last_line(text) == line

    def test_missing_program(self, tmp_path: Path) -> None:
        """A program that is nowhere is named."""
        with pytest.raises(LabError) as caught:
            Tools(root=tmp_path).run("no-such-program")
        assert str(caught.value) == (
            "no-such-program is neither on this machine nor in the packages that were unpacked for it."
        )

    def test_own_program_gets_own_libraries(self, tmp_path: Path) -> None:
        """A program of ours is run with the libraries unpacked beside it, one of the machine's is not."""
        program = tmp_path / "usr/sbin/no-such-program"
        program.parent.mkdir(parents=True)
        program.write_text('#!/bin/sh\nprintf %s "$LD_LIBRARY_PATH $XTABLES_LIBDIR"\n', encoding="utf-8")
        program.chmod(0o755)
        plugins = tmp_path / "usr/lib/x86_64-linux-gnu/xtables"
        plugins.mkdir(parents=True)
        tools = Tools(root=tmp_path)
        assert tools.run("no-such-program") == f"{plugins.parent}:{tmp_path}/usr/lib {plugins}"
        assert tools.environment("/bin/sh") == {}


def test_npm_takes_the_machines_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the user set for npm is not overridden."""
    monkeypatch.setenv("NPM_CONFIG_GLOBALCONFIG", "/own/npmrc")
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", "/own/ca.crt")
    environment = npm_environment()
    assert environment["NPM_CONFIG_GLOBALCONFIG"] == "/own/npmrc"
    assert environment["NODE_EXTRA_CA_CERTS"] == "/own/ca.crt"


def test_an_engine_shares_nothing_with_another(tmp_path: Path) -> None:
    """Every path, the bridge and the control group in its configuration carry the checkout's name or folder."""
    places = Places.of(tmp_path, None)
    settings = configuration(places, "http://127.0.0.1:5000")
    own = re.escape(places.name.rpartition("-")[2])
    for key in ("hosts", "data-root", "exec-root", "pidfile", "containerd", "bridge", "cgroup-parent"):
        assert re.search(f"{own}|{re.escape(str(tmp_path))}", str(settings[key])), key
    assert settings["iptables"] is False
    assert settings["registry-mirrors"] == ["http://127.0.0.1:5000"]
    assert configuration(places, None)["registry-mirrors"] == []


def test_an_engine_has_the_store_that_it_is_told_to(tmp_path: Path) -> None:
    """Without a word of ours the engine decides; with one it keeps images in containerd's store."""
    places = Places.of(tmp_path, None)
    assert "features" not in configuration(places, None)
    told = configuration(evolve(places, containerd_store=True), None)
    assert told["features"] == {"containerd-snapshotter": True}


def test_newer_programs_come_first(tmp_path: Path) -> None:
    """Programs of another suite are found before those of the machine, and run with the machine's libraries."""
    tools = Tools(root=tmp_path / "own", newer=tmp_path / "newer")
    program = tmp_path / "newer/usr/bin/sh"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    assert tools.find("sh") == str(program)
    assert tools.environment(str(program)) == {}
    assert Tools(root=tmp_path / "own").find("sh") != str(program)
