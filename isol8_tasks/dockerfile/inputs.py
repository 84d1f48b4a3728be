"""What a target is built from: steps and stages as they count for the image, files, arguments, upstream images."""

from attrs import frozen

from isol8_tasks.values import ByValue


@frozen(kw_only=True, eq=False, repr=False)
class Step(ByValue):
    """One instruction of a stage, as it counts for the image."""

    line: int
    """Where it begins in the Dockerfile, counted from 1; for people only, never hashed."""
    text: str
    """The instruction in its canonical form (upper-case keyword, comments and indentation gone)."""


@frozen(kw_only=True, eq=False, repr=False)
class StageInputs(ByValue):
    """A stage that an image is built of."""

    name: str
    steps: tuple[Step, ...]


@frozen(kw_only=True, eq=False, repr=False)
class Closure:
    """Everything in Dockerfile, arguments and context that decides what a target comes out as."""

    stages: tuple[StageInputs, ...]
    """In the order in which they stand upon one another, the target last."""
    files: tuple[str, ...]
    """Paths in the build context, sorted."""
    args: tuple[tuple[str, str], ...]
    """Sorted; a name that has several values is told apart by its stage, in the order of those."""
    upstream: tuple[str, ...]
    """`alpine:3.21`, …, in the order of the stages; without `scratch`."""
    base: str
    """The one of these that the target is based on; empty if it is based on `scratch`."""
    missing: tuple[str, ...] = ()
    """What is copied and is not in the build context, with its line."""
    warnings: tuple[str, ...] = ()
