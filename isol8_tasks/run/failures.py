"""What is said of an image that could not be made: what is in use in its place, and the next step."""

import contextlib
import shutil

from isol8_tasks.errors import BuildFailedError, EngineError, Isol8Error
from isol8_tasks.images import manifest
from isol8_tasks.images.labels import STANDIN
from isol8_tasks.plan.model import ImageSpec
from isol8_tasks.run.alpine import lacking_hint, library_hint
from isol8_tasks.run.events import Failure
from isol8_tasks.run.view import View
from isol8_tasks.safety.crash import as_error


def error_of(spec: ImageSpec, caught: Exception, view: View) -> Isol8Error:
    """Return the error that an exception is told as, in the words of its cause, and without credentials."""
    # Here and below, as a run in which nothing fails needs no remedies.
    from isol8_tasks.report.remedies import clearer  # noqa: PLC0415

    error = as_error(spec.task, caught)
    if isinstance(error, BuildFailedError):
        # Before lines are shortened: half of a secret is not recognised.
        hide = view.redactor
        error = BuildFailedError(
            hide(str(error)), step=hide(error.step), output=tuple(map(hide, error.output))
        )
    return clearer(error, spec, view.dockerfile)


def failure_of(spec: ImageSpec, error: Isol8Error, log: list[str], view: View) -> Failure:
    """Return the failure of an image; the whole output of its build is kept in a file."""
    from isol8_tasks.report.remedies import hint  # noqa: PLC0415 - as above

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
        hint="\n".join(
            filter(
                None,
                (
                    *library_hint(spec, error, view),
                    *lacking_hint(spec, error, view),
                    hint(error, spec, view.config, standin=_is_on_standin(spec, view), room=_room(view)),
                ),
            )
        ),
        log=view.workspace.write_log(spec.name, [*map(view.redactor, log)]) if log else "",
    )


def _is_on_standin(spec: ImageSpec, view: View) -> bool:
    base = view.observed.record(spec.parent or spec.name)
    upstream = view.observed.tagged(spec.upstream) if spec.upstream else None
    return bool((base and base.standin) or (upstream and upstream.labels.get(STANDIN)))


def _room(view: View) -> str:
    """Say how full the disk of an engine on this machine is."""
    from isol8_tasks.safety.troubles import fullness  # noqa: PLC0415 - as above

    with contextlib.suppress(EngineError, OSError):
        space = shutil.disk_usage(view.engine.info().root)
        return fullness(space.free, space.total)
    return ""
