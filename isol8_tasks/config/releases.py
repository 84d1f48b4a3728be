"""isol8's releases, by the label that their `setup` writes on a base image.

Since v0.11.0 `setup` and `build` replace a base unless its label org.isol8.build.hash is theirs: SHA-256 over the names
and the bytes of the Dockerfile, proxy-handler.sh and proxy.sh that come with the release, one value for all runtimes
(packages/core/src/engine/image-builder.ts:79,200@v0.20.0; src/engine/image-builder.ts:55@v0.11.0).
"""

from collections.abc import Mapping
from typing import Final

_BUILD_HASHES: Final[Mapping[str, tuple[str, ...]]] = {
    "35162b6d959a7f71bc4d7d1d776913b1f2e0791f132910bd87fd0a2c25431a78": (
        *("0.11.0", "0.11.1", "0.11.2", "0.11.3", "0.12.0", "0.12.1", "0.12.2", "0.13.0"),
        *("0.14.0", "0.14.1", "0.14.2", "0.14.3", "0.14.4", "0.14.5", "0.14.6", "0.14.7"),
        *("0.15.0", "0.16.0", "0.17.0"),
    ),
    "fdd715cbd957c1390c59dc89da8c4471863db891e2f00619ac95d1cc263d4bd9": ("0.18.0",),
    "0048503223d5e8030e2904571f2f3114db07dcbe6386f67bd0fec1c48ae7d713": ("0.19.0",),
    "e5278e60414dd434559e9f97a140d5f1d92b81d424925989acfb0dda10774a5c": ("0.20.0",),
}
"""Oldest first, each with the releases that it is of."""

BUILD_HASH_BY_RELEASE: Final[Mapping[str, str]] = {
    release: build_hash for build_hash, releases in _BUILD_HASHES.items() for release in releases
}
OLDEST, *_, NEWEST = BUILD_HASH_BY_RELEASE


def releases_of(build_hash: str) -> str:
    """Say which releases a value of the label is of; an unknown one by its first digits."""
    releases = _BUILD_HASHES.get(build_hash, ())
    if not releases:
        return build_hash[:12] or "none"
    return f"isol8 {releases[0]}" + (f" to {releases[-1]}" if len(releases) > 1 else "")
