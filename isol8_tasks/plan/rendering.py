"""The Dockerfile of a custom or named image, and the step in it that installs its packages."""

from typing import Final

from isol8_tasks.ecosystems.model import Runtime
from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.ecosystems.specs import shell_word
from isol8_tasks.plan.model import Inputs


def render_custom(
    runtime: Runtime,
    parent: str,
    packages: tuple[str, ...],
    system: tuple[str, ...] = (),
    build: tuple[str, ...] = (),
) -> str:
    """Return the Dockerfile of an image with packages, word for word the specification's; of none, its FROM alone.

    `system` is installed before them. What is compiled with `build` is compiled in a stage of its own, and the image
    gets what came of it: no more than its files below /usr and /opt, without those of the compiler.
    """
    first = [_alpine(system)] if system else []
    if not packages:
        return _lines(f"FROM {parent}", *first)
    if not build or not runtime.compiles:
        return _lines(f"FROM {parent}", *first, install_step(runtime, packages))
    return _lines(
        # Each stage has its own FROM of the parent, as ONBUILD hands it the arguments of the build.
        f"FROM {parent} AS {_STAGE}",
        *first,
        _alpine(build),
        f"RUN {_LIST} >{_BEFORE}",
        install_step(runtime, packages),
        *([f"RUN {runtime.compiled}"] if runtime.compiled else []),
        f"RUN {_COLLECT}",
        f"FROM {parent}",
        *first,
        f"COPY --from={_STAGE} {_RESULT}/ /",
        f"RUN {_REMOVE}",
    )


def install_step(runtime: Runtime, packages: tuple[str, ...]) -> str:
    """Return the step that installs packages, as it stands in the Dockerfile."""
    words = [shell_word(package) for package in packages]
    calls = words if runtime.one_by_one else [" ".join(words)]
    return f"RUN {' && '.join(' '.join((*runtime.install, each)) for each in calls)}"


def layers(inputs: Inputs) -> int:
    """Return how many layers the steps of a custom or named image add to its parent."""
    runtime = RUNTIMES[inputs.runtime]
    own = 1 + bool(inputs.build and runtime.compiles) + bool(runtime.tidy) if inputs.packages else 0
    return own + bool(inputs.system)


def _alpine(packages: tuple[str, ...]) -> str:
    return install_step(RUNTIMES["bash"], packages)


def _lines(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)


_STAGE: Final = "build"
_RESULT: Final = "/isol8-built"
_BEFORE: Final = "/isol8-before"
_REMOVED: Final = "usr/.isol8-removed"
# By content, as installers set times of their own. Each line: 32 characters, two blanks, the path.
_LIST: Final = (
    "{ find /usr /opt -type f -exec md5sum {} +; "
    "find /usr /opt -type l | while read -r link; do "
    """printf '%-32.32s  %s\\n' "$(readlink "$link" | tr / _)" "$link"; done; } | sort"""
)
# Nothing is left of what the build only caches; what it took away is named in a file, since COPY can't say so.
_COLLECT: Final = (
    f"{_LIST} >/isol8-after && mkdir -p {_RESULT}/usr "
    f"&& comm -13 {_BEFORE} /isol8-after | cut -c 36- >/isol8-new "
    f"&& tar -c -C / -T /isol8-new | tar -x -C {_RESULT} "
    f"&& cut -c 35- /isol8-after | sort >/isol8-left "
    f"&& cut -c 35- {_BEFORE} | sort | comm -23 - /isol8-left >{_RESULT}/{_REMOVED}"
)
_REMOVE: Final = (
    f'while read -r file; do rm -f "$file"; rmdir -p "${{file%/*}}" 2>/dev/null || true; done </{_REMOVED} '
    f"&& rm -f /{_REMOVED}"
)
