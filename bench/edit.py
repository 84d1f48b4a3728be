"""From an edit in one stage to its rebuilt image, beside two other ways to rebuild after an edit."""

import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bench import peers
from bench.measure import Candidate

EDITED: Final = "edit in stage bun, doit"


def candidates(
    checkout: Path, scratch: Path, repository: str, doit: tuple[str, ...], arguments: Mapping[str, str]
) -> tuple[Candidate, ...]:
    """Return doit, bake and `docker build` once a target, each on a copy of the inputs which it edits before a run.

    The step that is edited does nothing, so that what is measured is how long a tool takes to find it.
    """
    folder = _copy(checkout, scratch / "edited")

    def edit() -> None:
        text = (checkout / "docker" / "Dockerfile").read_text(encoding="utf-8")
        # A step of its own for each run, as the build cache holds every earlier one.
        edited = text.replace('CMD ["bun"]', f'RUN true {secrets.token_hex(8)}\nCMD ["bun"]')
        (folder / "docker" / "Dockerfile").write_text(edited, encoding="utf-8")

    ours = Candidate(name=EDITED, command=doit, environment={}, before=edit, folder=folder)
    setting = peers.Setting(
        scratch=scratch, folder=folder, repository=repository, arguments=arguments, before=edit
    )
    found = (ours, peers.bake(setting), peers.docker_builds(setting))
    return tuple(candidate for candidate in found if candidate)


def _copy(checkout: Path, folder: Path) -> Path:
    """Copy what the images are made of, and nothing that remembers an earlier run."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in ("dodo.py", "pyproject.toml"):
        shutil.copy(checkout / name, folder / name)
    shutil.copytree(checkout / "docker", folder / "docker")
    return folder
