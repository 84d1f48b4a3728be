"""The steps that every engine goes through, as a user types them, in an order in which each has what it needs."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import docker
from attrs import define, frozen

from isol8_tasks.ecosystems.runtimes import RUNTIMES
from tests.integration.checkouts import ROOT, Checkout, Result, new_checkout, remove_tags
from tests.integration.registries import Registry

CUSTOM: Final = {f"{name}-custom" for name in RUNTIMES}
_WRITING: Final = {"POST", "PUT", "PATCH", "DELETE"}
_BUILD: Final = "org.isol8.tasks.build"
LONGEST: Final = 900
OVERLAY: Final = "overlay2"
PUSHED: Final = "pushed.json"
FIRST: Final = ["jq", "curl"]
OTHER: Final = ["jq", "unzip"]


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


def bases(suite: Suite) -> None:
    suite.deps([])
    suite.setup()
    assert suite.names - CUSTOM <= set(suite.images())


def again(suite: Suite) -> None:
    before = suite.builds()
    assert "up to date" in suite.setup().out
    assert suite.builds() == before


def packages(suite: Suite) -> None:
    suite.deps(FIRST)
    suite.setup()
    assert suite.names <= set(suite.images())


def plan_check(suite: Suite) -> None:
    suite.plan("--check")


def edit(suite: Suite) -> None:
    stage = f"FROM base AS {suite.edited}\n"
    suite.checkout.edit("docker/Dockerfile", stage, f"{stage}ENV EDITED=1\n")
    suite.plan("--check", code=2)


def rebuild(suite: Suite) -> None:
    before = suite.builds()
    suite.setup()
    after = suite.builds()
    moved = {name for name in suite.names if before[name] != after[name]}
    assert moved == {suite.edited, f"{suite.edited}-custom"}, f"replaced: {', '.join(sorted(moved))}"


def rollback(suite: Suite) -> None:
    before = suite.builds()
    suite.doit("rollback", suite.edited)
    assert suite.builds()[suite.edited] == before[f"{suite.edited}-previous"]


def held(suite: Suite) -> None:
    before = suite.builds()
    suite.setup()
    assert "held" in suite.plan().out
    assert suite.builds()[suite.edited] == before[suite.edited]


def release(suite: Suite) -> None:
    suite.doit("release", suite.edited)
    assert "held" not in suite.plan().out


def back(suite: Suite) -> None:
    suite.checkout.edit("docker/Dockerfile", "ENV EDITED=1\n", "")
    suite.setup()
    suite.is_current()


def failing(suite: Suite) -> None:
    before = suite.builds()
    suite.doit("setup", "--only", "bash", "--bash", "nosuchpackage", code=1)
    assert "nosuchpackage" in suite.output
    assert suite.builds()["bash-custom"] == before["bash-custom"]


def flags(suite: Suite) -> None:
    before = suite.builds()
    suite.doit("setup", "--only", "bash", "--only-file", "--bash", "unzip")
    assert suite.builds()["bash-custom"] != before["bash-custom"]


def only_file(suite: Suite) -> None:
    suite.setup("--only-file")
    suite.is_current()


def verify(suite: Suite) -> None:
    suite.doit("verify")


def inventory(suite: Suite) -> None:
    assert "jq" in suite.doit("inventory", "bash-custom").out


def sbom(suite: Suite) -> None:
    suite.doit("sbom")


def which(suite: Suite) -> None:
    assert "bash-custom" in suite.doit("which", "bash", "--packages", "jq").out


def freshness(suite: Suite) -> None:
    suite.doit("freshness", *suite.only)


def refresh(suite: Suite) -> None:
    suite.doit("refresh", *suite.only)


def lock(suite: Suite) -> None:
    suite.doit("lock")


def locked(suite: Suite) -> None:
    suite.setup("--locked")
    (suite.checkout.folder / "deps.lock.toml").unlink()


def push(suite: Suite) -> None:
    before = len(suite.registry.requests())
    suite.doit("push")
    assert suite.wrote(before)


def push_again(suite: Suite) -> None:
    before = len(suite.registry.requests())
    suite.doit("push")
    assert not suite.wrote(before), "it was sent again"


def push_without_manifest(suite: Suite) -> None:
    before = len(suite.registry.requests())
    (suite.checkout.folder / "resolved-images.json").unlink()
    suite.doit("push")
    assert not suite.wrote(before), "it was sent again"
    if suite.api.info()["Driver"] == OVERLAY:
        text = (suite.checkout.folder / "resolved-images.json").read_text()
        suite.handed.write_text(text)


def clean(suite: Suite) -> None:
    manifest = suite.checkout.folder / "resolved-images.json"
    manifest.rename(manifest.with_name(PUSHED))
    kinds = {name: "custom" if name in CUSTOM else "base" for name in sorted(suite.names)}
    suite.doit("clean", *(f"{kind}:{name.removesuffix('-custom')}" for name, kind in kinds.items()))
    assert not suite.names & set(suite.images())


def pull(suite: Suite) -> None:
    suite.doit("pull", PUSHED)
    assert suite.names <= set(suite.images())


def pulled_is_current(suite: Suite) -> None:
    suite.is_current()


def pulled_is_replaced(suite: Suite) -> None:
    suite.deps(OTHER)
    suite.setup("--no-registry")
    suite.is_current()


def of_another_store(suite: Suite) -> None:
    """Pull what an overlay2 engine pushed, replace it, and pull it again."""
    if not suite.handed.exists():
        raise NotRunError("no engine with the overlay2 store was run before")
    shutil.rmtree(suite.checkout.folder.parent / "other", ignore_errors=True)
    other = new_checkout(suite.checkout.folder.parent / "other")
    try:
        manifest = other.folder / "theirs.json"
        manifest.write_text(suite.handed.read_text())
        suite.deps(OTHER, other)
        suite.doit("pull", "theirs.json", by=other)
        pulled = suite.images(other)["bash-custom"]["Id"]
        suite.doit("setup", "--only", "bash", "--no-registry", by=other)
        assert suite.images(other)["bash-custom"]["Id"] != pulled
        suite.doit("pull", "theirs.json", by=other)
        assert suite.images(other)["bash-custom"]["Id"] == pulled
    finally:
        remove_tags(suite.api, other.repository)


def prune(suite: Suite) -> None:
    suite.doit("prune", "--yes")
    suite.is_current()


def force(suite: Suite) -> None:
    suite.doit("base:bash", "--force")
    suite.doit("custom:bash")


def clean_in_use(suite: Suite) -> None:
    """Remove an image that a container was made of; the container runs on."""
    tag = f"{suite.checkout.repository}:bash-custom"
    container = suite.api.create_container(tag, ["sleep", "600"])["Id"]
    try:
        suite.api.start(container)
        suite.doit("clean", "custom:bash")
        assert "bash-custom" not in suite.images()
        assert suite.api.inspect_container(container)["State"]["Running"]
    finally:
        suite.api.remove_container(container, force=True)


@frozen
class Step:
    """One step: what the table calls it, and what is done."""

    name: str
    act: Callable[[Suite], None]
    smoke: bool = False
    """It is one of the few that tell in short whether an engine works."""


STEPS: Final = (
    Step("`setup`: the bases", bases, smoke=True),
    Step("`setup` again: nothing to do", again, smoke=True),
    Step("`setup` with the examples' packages", packages, smoke=True),
    Step("`plan --check`: 0", plan_check, smoke=True),
    Step("a stage is edited, `plan --check`: 2", edit, smoke=True),
    Step("`setup` rebuilds two images", rebuild, smoke=True),
    Step("`rollback`", rollback, smoke=True),
    Step("a held image stays", held),
    Step("`release`", release, smoke=True),
    Step("the edit is taken back", back, smoke=True),
    Step("a package that is not there: 1, image kept", failing, smoke=True),
    Step("packages by flags", flags),
    Step("`--only-file`", only_file, smoke=True),
    Step("`verify`", verify, smoke=True),
    Step("`inventory`", inventory),
    Step("`sbom`", sbom),
    Step("`which`", which),
    Step("`freshness`", freshness, smoke=True),
    Step("`refresh`", refresh, smoke=True),
    Step("`lock`", lock),
    Step("`setup --locked`", locked),
    Step("`push`", push, smoke=True),
    Step("`push` again sends nothing", push_again, smoke=True),
    Step("nor from a fresh clone", push_without_manifest, smoke=True),
    Step("`clean`", clean, smoke=True),
    Step("`pull`", pull, smoke=True),
    Step("what was pulled is up to date", pulled_is_current, smoke=True),
    Step("and is replaced", pulled_is_replaced, smoke=True),
    Step("images of an overlay2 engine: pulled, replaced, pulled", of_another_store, smoke=True),
    Step("`prune --yes`", prune),
    Step("`--force`", force),
    Step("`clean` of an image in use", clean_in_use, smoke=True),
)
