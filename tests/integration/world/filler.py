"""Bytes that give a package its weight: no compression makes less of them, and the same words give the same."""

import random


def filler(words: str, size: int) -> bytes:
    """Return as many bytes as asked for."""
    return random.Random(words).randbytes(size)  # noqa: S311 - it keeps no secret
