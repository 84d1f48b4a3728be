"""A checkout on an engine, and what its steps type and look at."""

import json
import re
from pathlib import Path
from typing import Any, Final

import docker
from attrs import define

from isol8_tasks.ecosystems.runtimes import RUNTIMES
from tests.integration.checkouts import ROOT, Checkout, Result
from tests.integration.registries import Registry

CUSTOM: Final = {f"{name}-custom" for name in RUNTIMES}
_WRITING: Final = {"POST", "PUT", "PATCH", "DELETE"}
_BUILD: Final = "org.isol8.tasks.build"
LONGEST: Final = 900


class NotRunError(Exception):
    """A step has nothing to work on, for a reason of one line."""


@define
class Suite:
    """A checkout on one engine, and the registry that all engines share."""

    checkout: Checkout
    api: docker.APIClient
    registry: Registry
    handed: Path
    """Where an engine with the overlay2 store leaves the manifest of what it pushed, for the others to pull."""
    whole: bool
    """All runtimes are built, with the examples' packages; else bash alone."""
    output: str = ""
    """What was printed last."""

    def doit(self, *words: str, code: int = 0, by: Checkout | None = None) -> Result:
        """Run a command, which has to end with that exit code."""
        done = (by or self.checkout).doit(*words)
        self.output = done.out + done.err
        assert done.code == code, f"exit code {done.code}, not {code}: {self._reason()}"
        return done

    def setup(self, *words: str, code: int = 0) -> Result:
        return self.doit("setup", *self.only, *words, code=code)

    def plan(self, *words: str, code: int = 0) -> Result:
        return self.doit("plan", *self.only, *words, code=code)

    def deps(self, bash: list[str], checkout: Checkout | None = None) -> None:
        """Write deps.toml with these packages for bash, and with a repository of this engine's own."""
        checkout = checkout or self.checkout
        given = (ROOT / "examples/deps.toml").read_text().partition("[dependencies]\n")[2] if bash else ""
        lines = given.splitlines() if self.whole else []
        lines = [line for line in lines if not line.startswith("bash")]
        checkout.deps("\n".join([*lines, f"bash = {json.dumps(bash)}"]))
        with (checkout.folder / "deps.toml").open("a") as file:
            repository = f"{self.registry.address}/{checkout.repository}"
            file.write(f'[registry]\nrepository = "{repository}"\nstandins = true\npush = false\n')

    @property
    def names(self) -> set[str]:
        """The images that there are to be."""
        return {*RUNTIMES, *CUSTOM} if self.whole else {"bash", "bash-custom"}

    @property
    def edited(self) -> str:
        """The stage of the Dockerfile that is edited."""
        return "bun" if self.whole else "bash"

    @property
    def only(self) -> list[str]:
        return [] if self.whole else ["--only", "bash"]

    def images(self, checkout: Checkout | None = None) -> dict[str, dict[str, Any]]:
        """Return each image of a checkout under its public tag, as the engine lists it."""
        repository = (checkout or self.checkout).repository
        return {
            tag.partition(":")[2]: image
            for image in self.api.images()
            for tag in (each.removeprefix("docker.io/library/") for each in image["RepoTags"] or [])
            if tag.partition(":")[0] == repository
        }

    def builds(self) -> dict[str, str]:
        """Return which build each image is."""
        return {name: image["Labels"].get(_BUILD, "") for name, image in self.images().items()}

    def wrote(self, before: int) -> bool:
        """Tell whether anything was sent to the registry since it had so many requests."""
        return bool(_WRITING & set(self.registry.requests()[before:]))

    def is_current(self) -> None:
        found = json.loads(self.plan("--json").out)["images"]
        stale = [f"{each['image']} {each['state']}" for each in found if each["state"] != "up-to-date"]
        assert not stale, f"after it: {', '.join(stale)}"

    def _reason(self) -> str:
        lines = [" ".join(line.split()) for line in self.output.splitlines() if line.strip()]
        found = next((line for line in lines if re.search(r"\bfailed\b|ERROR|could not", line)), "")
        return found or (lines[-1] if lines else "it printed nothing")
