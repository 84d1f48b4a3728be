"""Asks, in an image itself, what can be installed, and which of Alpine's packages have a library."""

import contextlib
import re
from typing import TYPE_CHECKING

from isol8_tasks.ecosystems.runtimes import RUNTIMES, ecosystem_of
from isol8_tasks.ecosystems.specs import parse_spec
from isol8_tasks.errors import BuildFailedError, EngineError, Isol8Error, VerifyFailedError
from isol8_tasks.plan.current import untried_packages
from isol8_tasks.plan.model import ImageSpec

if TYPE_CHECKING:
    from isol8_tasks.run.view import View


def ensure_installable(spec: ImageSpec, view: "View") -> None:
    """Raise NotInstallableError for an image with Python packages that can't be installed on Alpine.

    It is asked before the build, and takes seconds: of packages that the image in use has already, nothing is asked
    where there are others. Where nobody answers in time, the build tells.
    """
    if not spec.inputs.packages or not spec.parent or ecosystem_of(spec.runtime).source != "index":
        return
    # Here and below, as a run with nothing to do asks nothing.
    from isol8_tasks.freshness.resolvers import Question, ask_wheels  # noqa: PLC0415
    from isol8_tasks.report.alpine import not_installable  # noqa: PLC0415

    question = Question(
        runtime=spec.runtime,
        image=view.public_tag(spec.parent),
        specs=untried_packages(spec, view.observed),
        alpine=spec.inputs.system,
        arguments=dict(spec.args),
        secrets=spec.secrets,
    )
    with contextlib.suppress(EngineError):
        lacking = ask_wheels(question, view.engine, compiler=bool(spec.inputs.build))
        if lacking:
            raise not_installable(lacking, spec, view.config)


def library_hint(spec: ImageSpec, error: Isol8Error, view: "View") -> tuple[str, ...]:
    """Say which Alpine packages have the libraries that an image lacks, as far as its repositories tell."""
    if not isinstance(error, VerifyFailedError) or not error.libraries:
        return ()
    from isol8_tasks.freshness.resolvers import AskedIn, ask_libraries  # noqa: PLC0415 - as above
    from isol8_tasks.report.alpine import library_lines, patterns  # noqa: PLC0415

    asked = [pattern for name in error.libraries for pattern in patterns(name)]
    image = view.public_tag(spec.parent or spec.name)
    place = AskedIn(image=image, ecosystem="apk", arguments=dict(spec.args), secrets=spec.secrets)
    with contextlib.suppress(EngineError):
        found = ask_libraries(asked, place, view.engine)
        return library_lines(error.libraries, found, spec, view.config)
    return ()


def lacking_hint(spec: ImageSpec, error: Isol8Error, view: "View") -> tuple[str, ...]:
    """Name all packages that npm's registry does not have, of which npm itself names the first."""
    if not (
        isinstance(error, BuildFailedError)
        and RUNTIMES[spec.runtime].tool == "npm"
        and len(spec.inputs.packages) > 1
        and any(re.search(r"npm error (?:code E)?404\b", line) for line in error.output)
    ):
        return ()
    from isol8_tasks.freshness.resolvers import AskedIn, ask_lacking  # noqa: PLC0415 - as above
    from isol8_tasks.report.remedies import lacking_lines  # noqa: PLC0415

    names = [parse_spec("npm", package).name for package in spec.inputs.packages]
    image = view.public_tag(spec.parent or spec.name)
    place = AskedIn(image=image, ecosystem="npm", arguments=dict(spec.args), secrets=spec.secrets)
    with contextlib.suppress(EngineError):
        lacking = ask_lacking(names, place, view.engine)
        return lacking_lines(lacking, error.output)
    return ()
