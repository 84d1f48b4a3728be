"""What a run keeps to beyond deps.toml: a refresh and a lock each make one, and a session follows it."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from attrs import Factory, frozen

from isol8_tasks.images.observed import Observed
from isol8_tasks.plan.model import ImageSpec
from isol8_tasks.values import ByValue

if TYPE_CHECKING:
    from isol8_tasks.ecosystems.updates import Resolution
    from isol8_tasks.plan.reasons import Reason


def lacking_upstream(spec: ImageSpec, observed: Observed) -> dict[str, str]:
    """Return the upstream images of a base that are not here, each with what it is pulled by: itself."""
    return {
        reference: reference for reference, _ in spec.inputs.upstream if observed.tagged(reference) is None
    }


@frozen(kw_only=True, eq=False, repr=False)
class Policy(ByValue):
    """What is fetched, pinned and demanded, and what is behind; by default that of a plain run."""

    lacking: Callable[[ImageSpec, Observed], Mapping[str, str]] = lacking_upstream
    """Finds the upstream images of an image that are to be pulled, and what each is pulled by."""
    pin: Callable[[ImageSpec], "Resolution | None"] | None = None
    """Resolves the packages of an image just before it is built; without it the installer does as it likes."""
    demand: Callable[[ImageSpec, str], None] | None = None
    """Gets a build that passed its check, and its inventory in short; VerifyFailedError keeps the old image."""
    no_cache: bool = False
    """Build without cache, so that what a build fetches is fetched again."""
    behind: Mapping[str, tuple["Reason", ...]] = Factory(dict)
    """Names of the images whose sources have news, and which; they are rebuilt without cache, too."""
