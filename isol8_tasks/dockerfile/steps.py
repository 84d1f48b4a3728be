"""The steps and stages that a target is built from, as they count for the image."""

from attrs import frozen


@frozen(kw_only=True)
class Step:
    """One instruction of a stage, as it counts for the image."""

    line: int
    """Where it begins in the Dockerfile, counted from 1; for people only, never hashed."""
    text: str
    """The instruction in its canonical form (upper-case keyword, comments and indentation gone)."""


@frozen(kw_only=True)
class StageInputs:
    """A stage that an image is built of."""

    name: str
    steps: tuple[Step, ...]
