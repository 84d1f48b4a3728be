"""Two hundred stale images in one run, beside a bake of as many targets."""

import json
import secrets
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bench.buildx import find_buildx
from bench.measure import Candidate
from bench.scale import BASES, deps
from isol8_tasks.ecosystems.runtimes import RUNTIMES

COUNT: Final = 200
OURS: Final = f"doit -n 8, {COUNT} stale images"
UNCHECKED: Final = "the same without checks"
BAKED: Final = f"docker buildx bake, {COUNT + BASES} targets"
_FAILED: Final = "bake failed"


def candidates(
    scratch: Path, repository: str, peers: str, doit: tuple[str, ...], arguments: Mapping[str, str]
) -> tuple[Candidate, ...]:
    """Return doit with and without checks, and bake where there is a buildx, each with 200 images that are stale.

    Each image is the base bash with a label more, whose value is another in each run, so that what is measured is the
    work around the builds. The bases are up to date.
    """
    file = scratch / "many.toml"

    def stale() -> None:
        text = deps(repository, arguments, COUNT + BASES)
        file.write_text(text.replace('"echo ', f'"echo {secrets.token_hex(4)} '), encoding="utf-8")

    python, _ = doit
    words = ("-n", "8", "image:*")
    place = {"ISOL8_DEPS": str(file)}
    ours = Candidate(name=OURS, command=(*doit, *words), environment=place, before=stale)
    unchecked = Candidate(
        name=UNCHECKED,
        command=(python, "-m", "bench.unchecked", *words),
        environment=place,
        before=stale,
    )
    baked = _bake(scratch, peers, arguments)
    return (ours, unchecked, baked) if baked else (ours, unchecked)


def _bake(scratch: Path, repository: str, arguments: Mapping[str, str]) -> Candidate | None:
    buildx = find_buildx(scratch / "buildx")
    if buildx is None:
        return None
    file = scratch / "bake-many.json"

    def stale() -> None:
        file.write_text(json.dumps(_targets(repository, arguments, secrets.token_hex(4))), encoding="utf-8")

    def tell(output: str) -> None:
        if _FAILED in output:
            error = next(
                (line for line in output.splitlines() if line.startswith("ERROR")), "no reason given"
            )
            print(f"{BAKED}: it failed after that time ({error})")

    bake = shlex.join((*buildx, "bake", "--file", str(file), "--load", "--progress", "plain"))
    return Candidate(
        name=BAKED,
        # Some engines can't do it, which is worth telling, and no reason to measure nothing.
        command=("sh", "-c", f"{bake} || echo {shlex.quote(_FAILED)}"),
        environment={
            "BUILDX_CONFIG": str(scratch / "buildx-config"),
            "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
        },
        before=stale,
        after=tell,
    )


def _targets(repository: str, arguments: Mapping[str, str], mark: str) -> Mapping[str, object]:
    targets: dict[str, object] = {
        name: {
            "context": "docker",
            "target": name,
            "tags": [f"{repository}:{name}"],
            "args": dict(arguments),
        }
        for name in RUNTIMES
    }
    for number in range(COUNT):
        name = f"n{number:05}"
        targets[name] = {
            "dockerfile-inline": "FROM base\n",
            "contexts": {"base": "target:bash"},
            "labels": {"org.isol8.setup": f"echo {mark} {number}"},
            "tags": [f"{repository}:{name}"],
        }
    return {"group": {"default": {"targets": list(targets)}}, "target": targets}
