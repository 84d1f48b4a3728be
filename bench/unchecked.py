"""doit without the checks between build and promotion, to measure what they add; there is no such setting."""

import sys

from doit.doit_cmd import DoitMain

from isol8_tasks.plan.model import ImageSpec
from isol8_tasks.run.session import Session


def accept(_spec: ImageSpec, _candidate: str) -> str:
    """Accept every image."""
    return ""


Session.verifications = staticmethod(accept)  # type: ignore[assignment]  # in the place of what is made when it is first asked for
sys.exit(DoitMain().run(sys.argv[1:]))
