"""What docker's plugin buildx says, played by a small program in its place."""

from pathlib import Path

import pytest

from isol8_tasks.engine.builders import plugin
from isol8_tasks.engine.builders.plugin import builder_elsewhere, is_answering, is_usable
from isol8_tasks.errors import ConfigError, EngineUnreachableError, Isol8Error
from tests.unit.engine.builders.test_buildx import play

NEW = "github.com/docker/buildx 0.29.1+ds1 0.29.1+ds1-4"
INSPECT = "Name:   default\nDriver: {driver}\n\nNodes:\nName:     default\nStatus:   {status}\n"
FAR = """Name:          far
Driver:        remote
Last Activity: 2026-11-30 00:17:44 +0000 UTC

Nodes:
Name:             far0
Endpoint:         tcp://far:1234
Status:           {status}
BuildKit version: v0.25.1
Platforms:        {platforms}
"""
"""As buildx 0.29.1 prints it."""


def told(place: Path, version: str, inspected: str, *, error: str = "") -> dict[str, str]:
    """Return the environment of a plugin that says this."""
    (place / "inspect").write_text(inspected)
    end = f"echo '{error}' >&2; exit 1" if error else f"cat {place}/inspect"
    return play(place, f'if [ "$2" = version ]; then echo "{version}"; else {end}; fi')


class TestIsUsable:
    """Whether buildx is there, and builds where the images are."""

    @pytest.mark.parametrize(
        ("version", "driver", "status", "usable"),
        [
            ("github.com/docker/buildx v0.13.0 abc", "docker", "running", True),
            ("github.com/docker/buildx 0.29.1+ds1 0.29.1+ds1-4", "docker", "running", True),
            ("github.com/docker/buildx v0.12.1 abc", "docker", "running", False),
            ("github.com/docker/buildx v1.0.0 abc", "docker-container", "running", False),
            ("github.com/docker/buildx v1.0.0 abc", "docker", "inactive", False),
            ("nonsense", "docker", "running", False),
        ],
        ids=["oldest", "Debian's", "too old", "another place", "not running", "unknown"],
    )
    def test_version_and_driver_decide(
        self, tmp_path: Path, version: str, driver: str, status: str, *, usable: bool
    ) -> None:
        """It has to write JSON, and to build inside the engine."""
        environ = told(tmp_path, version, INSPECT.format(driver=driver, status=status))
        assert is_usable("default", environ) is usable

    def test_without_docker_or_buildx_it_is_not(self, tmp_path: Path) -> None:
        """Neither a missing program nor one that fails is an error."""
        assert is_usable("default", {"PATH": str(tmp_path)}) is False
        assert is_usable("default", play(tmp_path, "exit 1")) is False

    def test_dead_engine_s_own_is_not(self, tmp_path: Path) -> None:
        """Its inspection ends well, with an error in it."""
        said = "Name:   default\nDriver: \nError:  Cannot connect to the Docker daemon at unix:///none.\n"
        assert is_usable("default", told(tmp_path, NEW, said)) is False


def test_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is busy is asked again until its time is over; one that is gone does not."""
    monkeypatch.setattr(plugin, "_AGAIN_SECONDS", 0.01)
    said = [FAR.format(status=status, platforms="") for status in ("inactive", "running")]
    environ = told(tmp_path, NEW, said[0])
    assert not is_answering("far", environ)
    assert not is_answering("far", environ, 0.05)
    asked = tmp_path / "asked"
    (tmp_path / "busy").write_text(said[0])
    (tmp_path / "well").write_text(said[1])
    environ = play(
        tmp_path, f"[ -e {asked} ] && exec cat {tmp_path}/well; touch {asked}; cat {tmp_path}/busy"
    )
    assert is_answering("far", environ, 60)


class TestBuilderElsewhere:
    """A builder that is not the engine's own."""

    @pytest.mark.parametrize(
        ("driver", "status", "platforms"),
        [
            ("remote", "running", "linux/amd64, linux/amd64/v2, linux/386"),
            ("remote", "running", "linux/arm64, linux/amd64*"),
            ("docker-container", "inactive", ""),
            ("kubernetes", "inactive", ""),
        ],
    )
    def test_usable(self, tmp_path: Path, driver: str, status: str, platforms: str) -> None:
        """It runs, or starts with its first build; platforms that nobody knows yet are left to it."""
        said = FAR.format(status=status, platforms=platforms).replace("remote", driver)
        found = builder_elsewhere("far", "linux/amd64", told(tmp_path, NEW, said))
        assert (found.name, found.driver, found.status) == ("far", driver, status)

    @pytest.mark.parametrize(
        ("version", "said", "error", "kind", "problem"),
        [
            ("nonsense", "", "", ConfigError, "needs docker's plugin buildx: there is none\nInstall it"),
            (
                "github.com/docker/buildx v0.12.1 abc",
                "",
                "",
                ConfigError,
                "needs docker's plugin buildx: it is buildx 0.12, and 0.13 is the oldest that works\n",
            ),
            (
                NEW,
                "",
                'ERROR: no builder "far" found',
                ConfigError,
                "docker buildx has no builder 'far'\nChoose one that docker buildx ls shows, or make it: ",
            ),
            (
                NEW,
                INSPECT.format(driver="docker", status="running"),
                "",
                ConfigError,
                "the builder 'far' is an engine's own (driver docker), and its images stay there\nName one of",
            ),
            (
                NEW,
                FAR.format(status="inactive", platforms=""),
                "",
                EngineUnreachableError,
                "the builder 'far' (driver remote) does not answer at tcp://far:1234: inactive\nLook whether it runs",
            ),
            (
                NEW,
                FAR.format(status="error", platforms="") + "Error:    dial tcp: connection refused\n",
                "",
                EngineUnreachableError,
                "does not answer at tcp://far:1234: dial tcp: connection refused\n",
            ),
            (
                NEW,
                FAR.format(status="inactive", platforms="")
                + 'Driver Options: cacert="/etc/passwd" key="/none/my key.pem"\n',
                "",
                EngineUnreachableError,
                "does not answer at tcp://far:1234: /none/my key.pem is not there\n",
            ),
            (
                NEW,
                "",
                "ERROR: failed to initialize builder far (far0): Cannot connect to the Docker daemon",
                EngineUnreachableError,
                "(driver unknown) does not answer: failed to initialize builder far (far0): Cannot connect",
            ),
            (
                NEW,
                FAR.format(status="running", platforms="linux/arm64, linux/arm/v7"),
                "",
                ConfigError,
                "the builder 'far' builds for linux/arm64, linux/arm/v7, and linux/amd64 is wanted\n",
            ),
        ],
    )
    def test_refused(  # noqa: PLR0913, PLR0917 - a column each
        self, tmp_path: Path, version: str, said: str, error: str, kind: type[Isol8Error], problem: str
    ) -> None:
        """Each in a line of its own, with what to do."""
        with pytest.raises(kind) as caught:
            builder_elsewhere("far", "linux/amd64", told(tmp_path, version, said, error=error))
        assert problem in str(caught.value)

    def test_one_that_does_not_say_anything(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is there, so nobody has to make it."""
        monkeypatch.setattr(plugin, "_LOOK_SECONDS", 0.5)
        environ = play(tmp_path, f'[ "$2" = inspect ] || exec echo "{NEW}"; exec sleep 30')
        with pytest.raises(
            EngineUnreachableError, match=r"answer: docker buildx inspect took more than 0\.5 s\n"
        ):
            builder_elsewhere("far", "linux/amd64", environ)
