"""What is said of an image that could not be made: what is in use in its place, and where to look."""

from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.errors import BuildFailedError, Isol8Error, VerifyFailedError
from isol8_tasks.images import manifest
from isol8_tasks.plan.model import ImageSpec
from isol8_tasks.report.plan import no_build_for_alpine, where_to_look
from isol8_tasks.run.events import Failure
from isol8_tasks.run.view import View


def failure_of(spec: ImageSpec, error: Isol8Error, log: list[str], view: View) -> Failure:
    """Return the failure of an image; the whole output of its build is kept in a file."""
    current = view.observed.public(spec.name)
    kept = ""
    if current is not None:
        packages = " ".join(manifest.packages_of(current))
        kept = f"built {manifest.built_on(current)}{f' ({packages})' if packages else ''}"
    return Failure(
        subject=view.public_tag(spec.name),
        error=error,
        image=spec.name,
        kept=kept,
        hint=_hint(spec, error, view),
        log=view.workspace.write_log(spec.name, [*map(view.redactor, log)]) if log else "",
    )


def _hint(spec: ImageSpec, error: Isol8Error, view: View) -> str:
    if isinstance(error, VerifyFailedError):
        return f"The failed build is kept as {view.public_tag(spec.name)}-rejected for inspection."
    if not isinstance(error, BuildFailedError):
        return ""
    words = no_build_for_alpine(RUNTIMES[spec.runtime].ecosystem, error.output)
    return "\n".join(filter(None, (words, where_to_look(spec, view.config))))
