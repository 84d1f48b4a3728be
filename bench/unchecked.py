"""doit without the checks between build and promotion, to measure what they add; there is no such setting."""

import sys

from doit.doit_cmd import DoitMain

from isol8_tasks.plan.model import ImageSpec
from isol8_tasks.verify.verifications import Verifications


def accept(_checks: Verifications, _spec: ImageSpec, _candidate: str) -> str:
    """Accept every image."""
    return ""


Verifications.__call__ = accept  # type: ignore[method-assign,assignment]  # that is what it is for
sys.exit(DoitMain().run(sys.argv[1:]))
