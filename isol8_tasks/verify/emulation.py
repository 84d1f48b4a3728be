"""Images for another platform than the engine's own: whether it runs them, and how slowly."""

from typing import Final

from isol8_tasks.engine.containers import NotStartedError, RunRequest, SandboxEngine
from isol8_tasks.verify.probe import LOOK_SECONDS

SLOWNESS: Final = 8
"""How many times as long programs of another processor may take."""
_NO_PROGRAM: Final = "exec format error"
"""Linux's word for a program of another processor, that nothing runs."""


def can_run(image: str, engine: SandboxEngine) -> bool:
    """Tell whether an engine runs programs of an image."""
    request = RunRequest(image=image, command=("true",), entrypoint=(), seconds=LOOK_SECONDS)
    try:
        said = engine.run(request).output.decode("utf-8", "replace")
    except NotStartedError as error:
        said = error.reason
    return _NO_PROGRAM not in said.lower()
