"""The five runtimes as data: what differs between python, node, bun, deno and bash is said here and nowhere else."""

import datetime as dt
from typing import Final

from attrs import frozen


@frozen(kw_only=True)
class Runtime:
    """One runtime of isol8: a stage of docker/Dockerfile, and how packages are installed on it."""

    name: str
    """The stage, the public tag and the value of isol8's own label."""
    recipe: int
    """Version of how this project builds images of this runtime; raising it makes them stale, and says so."""
    install: tuple[str, ...]
    """The command that the packages of a custom image are appended to, word for word the specification's."""
    one_by_one: bool = False
    """Each package has a command of its own, as packages of one command share versions."""
    ecosystem: str
    """Whose package grammar applies: pypi, npm, deno or apk."""
    least_age: dt.timedelta = dt.timedelta()
    """How long a version has to be out before the runtime's own tool takes it, unless a lock names it."""
    tidy: str = ""
    """A step behind the packages, which takes back what their installer does not keep to."""


RUNTIMES: Final[dict[str, Runtime]] = {
    runtime.name: runtime
    for runtime in (
        Runtime(name="python", recipe=1, install=("pip", "install", "--no-cache-dir"), ecosystem="pypi"),
        Runtime(name="node", recipe=1, install=("npm", "install", "-g"), ecosystem="npm"),
        Runtime(name="bun", recipe=1, install=("bun", "install", "-g"), ecosystem="npm"),
        Runtime(
            name="deno",
            least_age=dt.timedelta(days=1),  # from 2.9 on
            recipe=3,
            install=("deno", "cache"),
            one_by_one=True,
            ecosystem="deno",
            # It gives files the mode that they have in a package, and some let everybody write (express, mathjs).
            tidy='RUN find "$DENO_DIR" ! -type l -perm -0002 -exec chmod o-w {} +',
        ),
        Runtime(name="bash", recipe=1, install=("apk", "add", "--no-cache"), ecosystem="apk"),
    )
}
"""In the order of the specification, which is also the order of every list that people see."""

PROXY_ARGS: Final = frozenset(
    f"{name}_proxy" if small else f"{name.upper()}_PROXY"
    for name in ("http", "https", "ftp", "no", "all")
    for small in (True, False)
)
"""Build arguments that every builder knows without a declaration (docs.docker.com/reference/dockerfile)."""

LOCATION_ARGS: Final = PROXY_ARGS | {
    "ALPINE_IMAGE",
    "DENO_IMAGE",
    "APK_REPOSITORY",
    "BUN_ARCHIVE_URL",
    "BUN_INSTALL_URL",
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_TRUSTED_HOST",
    "NPM_CONFIG_REGISTRY",
}
"""Build arguments that say where something is fetched from: passed on, and never part of a key."""
