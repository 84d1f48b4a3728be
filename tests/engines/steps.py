"""The steps that every engine goes through, as a user types them, in an order in which each has what it needs."""

import shutil
from collections.abc import Callable
from typing import Final

from attrs import frozen

from tests.engines.faults import kills, silent
from tests.engines.suite import CUSTOM, NotRunError, Suite
from tests.engines.turns import killed, take_turns
from tests.integration.checkouts import new_checkout, remove_tags

OVERLAY: Final = "overlay2"
PUSHED: Final = "pushed.json"
FIRST: Final = ["jq", "curl"]
OTHER: Final = ["jq", "unzip"]
_NO_INDEX: Final = "http://127.0.0.1:9"


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


def index_variables(suite: Suite) -> None:
    """Let the packages of a custom image come from an index that does not answer."""
    suite.doit("base:python")
    before = suite.builds()
    deps = suite.checkout.folder / "deps.toml"
    text = deps.read_text()
    deps.write_text(
        text.replace("[build]\n", f'[build]\nargs = {{ PIP_INDEX_URL = "{_NO_INDEX}/simple" }}\n')
    )
    suite.doit("setup", "--only", "python", "--python", "idna", "--no-registry", code=1)
    deps.write_text(text)
    log = suite.checkout.folder / ".isol8/logs/python-custom.log"
    assert _NO_INDEX.rpartition("/")[2] in suite.output + log.read_text(), "it was asked elsewhere"
    assert suite.builds() == before


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
    Step("`PIP_INDEX_URL` of `[build] args` reaches a custom image", index_variables, smoke=True),
    Step("`clean` of an image in use", clean_in_use, smoke=True),
    Step("runs on two machines take turns", take_turns, smoke=True),
    Step("a run that was killed keeps nobody for long", killed, smoke=True),
    Step("the engine stops answering: 4, and the next run completes", silent),
    Step("SIGKILL at random moments: only what was verified is in use", kills),
)
