"""What the package sources of an image have that it does not."""

import datetime as dt

from isol8_tasks.engine.containers import SandboxEngine
from isol8_tasks.plan.model import ImageSpec
from isol8_tasks.plan.observed import Observed
from isol8_tasks.settings import RefreshSettings
from isol8_tasks.updates import PackageNews


def package_news(  # noqa: D103
    spec: ImageSpec,  # noqa: ARG001
    observed: Observed,  # noqa: ARG001
    engine: SandboxEngine,  # noqa: ARG001
    *,
    settings: RefreshSettings,  # noqa: ARG001
    now: dt.datetime,  # noqa: ARG001
) -> PackageNews:
    return PackageNews()
