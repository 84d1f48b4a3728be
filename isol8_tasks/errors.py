"""What can go wrong, one class for each way in which someone reacts differently.

A message says where, what and what was expected, and then what to try; it is printed as it stands.
"""

from pathlib import Path

COMMAND = "./doitw" if Path(__file__).parents[1].joinpath("doitw").exists() else "isol8-tasks"
"""How a reader of a hint calls the commands: by the wrapper in a checkout, else by the installed one, which sets it."""
OTHER_UPSTREAM = (
    "name one that its registry has for that platform, by ALPINE_IMAGE or DENO_IMAGE under [build] args, or leave the "
    "platform out"
)
"""What to do where an upstream image is not there for a platform."""


class Isol8Error(Exception):
    """Anything this project reports in one clear line instead of a traceback."""

    exit_code = 1


class ConfigError(Isol8Error):
    """deps.toml, a flag or a build input is wrong; nothing was built."""

    exit_code = 3


class PlanError(ConfigError):
    """The Dockerfile or the graph made of it does not hold together."""


class EngineError(Isol8Error):
    """The Docker Engine refused or aborted what was asked of it."""


class EngineUnreachableError(EngineError):
    """No Docker Engine answers, so nothing could be found out."""

    exit_code = 4


class UpstreamUnavailableError(EngineError):
    """An upstream image is not here and could not be pulled; what is built stays as it is."""

    exit_code = 4


class SourceUnavailableError(EngineError):
    """A registry or a package index could not be asked, so nobody knows whether it has something newer."""

    exit_code = 4


class NotInRegistryError(SourceUnavailableError):
    """A registry answered that it has no such image."""


class RegistryError(EngineError):
    """A registry did not take an image, or did not give it; what is in use stays as it is."""

    def __init__(self, message: str, *, lasting: bool = False) -> None:
        super().__init__(message)
        self.lasting = lasting
        """It was refused, and would be again."""


class UndecidedError(Isol8Error):
    """The state of one image is undetermined, so nothing was done for it."""

    exit_code = 4


class NotRunnableError(UndecidedError):
    """An image is for a platform that the engine can't run, so nobody knows whether it passes verification."""


class ReplacedError(EngineError):
    """Another run gave a tag to another image in the meantime, so this run left it alone."""


class BuildFailedError(EngineError):
    """A build ended without an image; its step and its last lines of output are carried along."""

    def __init__(self, message: str, *, step: str = "", output: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.step = step
        """The instruction that failed, as `[2/3] RUN pip install …`; empty when none was reached."""
        self.output = output
        """The last lines that the step printed, oldest first."""


class NotInstallableError(Isol8Error):
    """Packages of an image have nothing that could be installed on Alpine, so it was not built."""


class VerifyFailedError(Isol8Error):
    """An image was built and failed verification, so that it takes no tag."""

    def __init__(
        self,
        message: str,
        *,
        findings: tuple[str, ...] = (),
        output: tuple[str, ...] = (),
        libraries: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.libraries = libraries
        """The shared libraries that packages miss, as a loader looks for them."""
        self.findings = findings
        """What it does not hold, a line each."""
        self.output = output
        """The last lines that the checks printed, oldest first."""


class InternalError(Isol8Error):
    """Something that nobody foresaw, and that is a bug of this project; `safety.crash` keeps its traceback."""

    exit_code = 70


class LabError(Isol8Error):
    """The private engine or the stand-ins of the lab could not be made or taken down."""


class LockedError(Isol8Error):
    """Another run is at work on the same engine, and this one was told not to wait longer."""


class LeaseLostError(LockedError):
    """Another run took the engine over, since this one was stopped or cut off from it; it may change nothing more."""
