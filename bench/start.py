"""What `docker run` takes to its end for each base image, and for images with what isol8's own Dockerfile installs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bench import peers
from bench.measure import Candidate

HELLO: Final[Mapping[str, tuple[str, ...]]] = {
    "python": ("python3", "-c", "print(1)"),
    "node": ("node", "-e", "console.log(1)"),
    "bun": ("bun", "-e", "console.log(1)"),
    "deno": ("deno", "eval", "console.log(1)"),
    "bash": ("bash", "-c", "echo 1"),
}


def build(scratch: Path, repository: str, arguments: Mapping[str, str]) -> Candidate | None:
    """Return what builds the images to compare with; None where there is no buildx to be had."""
    folder = scratch / "upstream"
    (folder / "docker").mkdir(parents=True, exist_ok=True)
    text = Path(__file__).with_name("upstream.Dockerfile").read_text(encoding="utf-8")
    (folder / "docker/Dockerfile").write_text(text, encoding="utf-8")
    return peers.docker_builds(
        peers.Setting(scratch=scratch, folder=folder, repository=repository, arguments=arguments)
    )


def candidates(repository: str) -> tuple[Candidate, ...]:
    """Return a run of each image of a repository."""
    return tuple(
        Candidate(
            name=f"{repository}:{runtime}",
            command=("docker", "run", "--rm", "--network", "none", f"{repository}:{runtime}", *words),
            environment={},
        )
        for runtime, words in HELLO.items()
    )
