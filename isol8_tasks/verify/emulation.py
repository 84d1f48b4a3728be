"""Images for another platform than the engine's own: whether it runs them, and how slowly."""

from typing import Final

from isol8_tasks.engine.containers import NotStartedError, RunRequest, SandboxEngine
from isol8_tasks.verify.probe import LOOK_SECONDS

SLOWNESS: Final = 8
"""How many times as long programs of another processor may take."""
MACHINES: Final = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
"""What programs for a platform say that they run on."""
_NO_PROGRAM: Final = "exec format error"
"""Linux's word for a program of another processor, that nothing runs."""


def can_run(image: str, engine: SandboxEngine) -> bool:
    """Tell whether an engine runs programs of an image."""
    return machine_of(image, engine) is not None


def machine_of(image: str, engine: SandboxEngine) -> str | None:
    """Return what the programs of an image say that they run on, as `aarch64`; None where an engine can't run them."""
    request = RunRequest(image=image, command=("uname", "-m"), entrypoint=(), seconds=LOOK_SECONDS)
    try:
        said = engine.run(request).output.decode("utf-8", "replace")
    except NotStartedError as error:
        said = error.reason
    return None if _NO_PROGRAM in said.lower() else said.strip()
