"""The Dockerfile of an image whose packages are installed in exactly the versions that were resolved before.

It has one step, like the one that it stands for, and the ecosystem's lock file is in the words of that step: a file of
the build's context would take a layer of its own, and stay in it.
"""

import base64
import gzip
import io
import json
import re
import tarfile
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final

from attrs import evolve

from isol8_tasks.config.package_locks import load_bun
from isol8_tasks.ecosystems.runtimes import RUNTIMES, release_args
from isol8_tasks.ecosystems.specs import shell_word
from isol8_tasks.ecosystems.updates import Resolution
from isol8_tasks.engine import BuildRequest, ImageEngine, OnEvent
from isol8_tasks.errors import BuildFailedError
from isol8_tasks.plan.model import ImageSpec
from isol8_tasks.safety.jsontext import loads


def build_pinned(
    spec: ImageSpec, resolution: Resolution, request: BuildRequest, engine: ImageEngine, on_event: OnEvent
) -> str:
    """Build an image as a request says, but with its packages in the versions of a resolution; return its id.

    Its steps go by the names of those that they stand for, whatever is in their words.
    """
    lock = RUNTIMES[spec.runtime].lock
    if not resolution.lockfile and (lock != "requirements.txt" or not spec.inputs.packages):
        # A step that is the same as before may still bring something newer.
        args = {**request.args, **_releases(resolution)}
        return engine.build(evolve(request, no_cache=True, args=args), on_event)
    dockerfile = render_pinned(spec, resolution) + request.dockerfile.removeprefix(spec.dockerfile)
    try:
        return engine.build(
            evolve(request, dockerfile=dockerfile),
            lambda event: on_event(evolve(event, step=step_name(spec, event.step))),
        )
    except BuildFailedError as error:
        step = step_name(spec, error.step)
        message = f"{request.tag} could not be built: {step}" if error.step else str(error)
        raise BuildFailedError(message, step=step, output=error.output) from error


def render_pinned(spec: ImageSpec, resolution: Resolution) -> str:
    """Return the Dockerfile that installs a resolution with a lock file on the parent of an image."""
    parent, _, _ = spec.dockerfile.partition("\n")
    packed = base64.b64encode(_packed(_files(RUNTIMES[spec.runtime].lock, resolution.lockfile))).decode()
    words = [
        "/bin/sh",
        "-euc",
        _SCRIPT.format(install=_install(spec, resolution.lockfile)),
        f"pinned {spec.name}",
        *(packed[at : at + _LONGEST] for at in range(0, len(packed), _LONGEST)),
    ]
    return f"{parent}\nRUN [{_BREAK.join(json.dumps(word) for word in words)}]\n"


def step_name(spec: ImageSpec, step: str) -> str:
    """Return the name of a build's step for people: that of the step which it stands for."""
    plain = spec.dockerfile.split("\n")[1]
    return re.sub(_STEP, lambda found: f"{found[1] or ''}{plain} (as resolved)", step, flags=re.DOTALL)


def bun_dependencies(lockfile: str) -> dict[str, str]:
    """Return the dependencies that a bun.lock was made for."""
    return dict(load_bun(lockfile)["workspaces"][""].get("dependencies", {}))


def _releases(resolution: Resolution) -> Mapping[str, str]:
    """Return the build arguments that ask for runtimes in exactly their versions."""
    return {
        name: value
        for pin in resolution.pins
        if (names := release_args(pin.ecosystem, pin.name))
        for name, value in zip(names, (pin.version, pin.integrity.removeprefix("sha256:")), strict=True)
    }


def _files(lock: str, lockfile: str) -> dict[str, str]:
    """Return what the ecosystem's tool reads, by the names that it looks for."""
    if lock == "requirements.txt":
        return {lock: lockfile}
    if lock == "deno.lock":
        trim = files("isol8_tasks.freshness.programs") / "trim.mjs"
        return {lock: lockfile, "trim.mjs": trim.read_text(encoding="utf-8")}
    if lock == "bun.lock":
        return {lock: lockfile, "package.json": _manifest(bun_dependencies(lockfile))}
    packages = loads(lockfile)["packages"]
    return {
        lock: lockfile,
        "package.json": _manifest(packages[""].get("dependencies", {})),
        "peers": "".join(f"{peer} {package}\n" for peer, package in npm_peers(packages)),
    }


def npm_peers(packages: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return what a package-lock.json has beside the packages that were asked for, each with whom it is there for."""
    asked = packages[""].get("dependencies", {})
    tops = {str(found[1]) for place in packages if (found := re.fullmatch(_TOP, place))}
    peers: set[str] = tops - set(asked)

    def needed(package: str) -> set[str]:
        places = (f"node_modules/{package}", f"node_modules/{package}/")
        entries = [
            entry for place, entry in packages.items() if place == places[0] or place.startswith(places[1])
        ]
        kinds = ("dependencies", "optionalDependencies", "peerDependencies")
        return peers & {str(name) for entry in entries for kind in kinds for name in entry.get(kind, {})}

    pairs = []
    for package in sorted(asked):
        reached, waiting = set[str](), needed(package)
        while waiting:
            reached |= waiting
            waiting = {each for peer in waiting for each in needed(peer)} - reached
        pairs += [(peer, package) for peer in sorted(reached)]
    return pairs


def _manifest(dependencies: Mapping[str, str]) -> str:
    return json.dumps({"dependencies": dependencies}, indent=2) + "\n"


def _packed(texts: Mapping[str, str]) -> bytes:
    """Pack files without times, so that the same lock gives the same step, and a builder's cache knows it."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0, filename="") as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name, text in sorted(texts.items()):
            data = text.encode()
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def _install(spec: ImageSpec, lockfile: str) -> str:
    lock = RUNTIMES[spec.runtime].lock
    if lock == "requirements.txt":
        hashed = all(" --hash=" in line for line in lockfile.splitlines())
        return _PYTHON.format(hashes=" --require-hashes" if hashed else "")
    if lock == "deno.lock":
        return _DENO.format(specs=" ".join(shell_word(each) for each in spec.inputs.packages))
    return {"package-lock.json": _NODE, "bun.lock": _BUN}[lock]


_STEP: Final = r"^(\[[^\]]*\] )?RUN \[? *\"?/bin/sh\"?,? +\"?-euc\b.*"
_LONGEST: Final = 50_000
"""Of a word: builders read lines of no more than 65,535 bytes, and Linux takes no longer words than twice that."""
_BREAK: Final = ", \\\n    "
_SCRIPT: Final = """\
folder=$(mktemp -d); export TMPDIR="$folder"; cd "$folder"; mkdir cache
printf %s "$@" | base64 -d | tar xz
{install}
cd /; rm -rf "$folder"
"""
# All that was asked for may be in the image below.
_PYTHON: Final = (
    "[ ! -s requirements.txt ] || pip install --no-cache-dir --no-deps{hashes} -r requirements.txt"
)
_TOP: Final = r"node_modules/((?:@[^/]+/)?[^/]+)"
# As `npm install -g` has it, which takes no lock file: the packages that were asked for beside one another, and below
# each what it needs, its peers too.
_NODE: Final = """\
npm ci --install-strategy=shallow --no-audit --no-fund --cache "$folder/cache"
while read -r peer package; do
    into=node_modules/$package/node_modules/$peer
    mkdir -p "${into%/*}"
    [ -e "$into" ] || cp -a "node_modules/$peer" "$into"
done <peers
cut -d ' ' -f 1 peers | while read -r peer; do rm -rf "node_modules/$peer"; done
for package in node_modules/* node_modules/@*/*; do
    [ -e "$package" ] || continue
    name=${package#node_modules/}
    case $name in @*/*) mkdir -p "/usr/local/lib/node_modules/${name%/*}" ;; @*) continue ;; esac
    rm -rf "/usr/local/lib/node_modules/$name"
    mv "$package" "/usr/local/lib/node_modules/$name"
done
for link in node_modules/.bin/*; do
    [ -L "$link" ] || continue
    target=$(readlink "$link" | cut -c 4-)
    [ ! -e "/usr/local/lib/node_modules/$target" ] || ln -sf "../lib/node_modules/$target" "/usr/local/bin/${link##*/}"
done"""
# As `bun install -g` has it, which resolves again: its global folder with its two files, and links to the commands of
# what was asked for.
_BUN: Final = """\
mv bun.lock package.json /usr/local/lib/
cd /usr/local/lib
bun install --frozen-lockfile --cache-dir="$folder/cache"
for link in node_modules/.bin/*; do
    [ -L "$link" ] || continue
    target=$(readlink "$link" | cut -c 4-)
    case $target in @*) name=$(printf %s "$target" | cut -d / -f 1-2) ;; *) name=${target%%/*} ;; esac
    ! grep -qF "  \\"$name\\": " package.json || ln -sf "../lib/node_modules/$target" "/usr/local/bin/${link##*/}"
done
rm -rf node_modules/.bin"""
_DENO: Final = """\
deno cache --lock=deno.lock --frozen {specs}
deno run --quiet --allow-all --no-lock --no-config trim.mjs"""
