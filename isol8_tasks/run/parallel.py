"""How much of a run is done side by side."""

import contextlib
import threading
from functools import cached_property

from attrs import define

from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.plan.model import ImageSpec
from isol8_tasks.run.view import View
from isol8_tasks.run.workspace import processors


@define(eq=False, slots=False, repr=False)
class Slots:
    """The builds that may be under way at one time."""

    view: View

    @property
    def jobs(self) -> int:
        """How many images are built side by side; the bases of one Dockerfile count only where deps.toml says jobs."""
        return self.view.config.build.jobs or processors()

    @property
    def workers(self) -> int:
        """How many threads of doit's it takes to keep that many builds going."""
        return self.jobs + len(RUNTIMES)

    @cached_property
    def _free(self) -> threading.Semaphore:
        return threading.Semaphore(self.jobs)

    def slot(self, spec: ImageSpec) -> contextlib.AbstractContextManager[object]:
        """Return what keeps the number of builds under way to what was asked for.

        Bases are built at the same time unless deps.toml says jobs: the builder then makes the stage that they
        share once, where it would make it again for each that comes later in a build without cache.
        """
        if spec.kind == "base" and self.view.config.build.jobs is None:
            return contextlib.nullcontext()
        # A cached_property makes one for each thread since Python 3.12.
        with self.view.mutex:
            return self._free
