"""A bug anywhere ends a command with one line and a documented exit code; ISOL8_CRASHES=1 tries all that there is."""

import json
import os
import re
import secrets
import stat
import subprocess
import sys
from collections.abc import Iterator

import docker
import pytest

from tests.integration.checkouts import ROOT, Checkout, new_checkout, remove_tags

WHOLE = bool(os.environ.get("ISOL8_CRASHES"))
KINDS = ("KeyError", "MemoryError", "RecursionError", "AssertionError", "ValueError", "AttributeError")
CONNECT = "isol8_tasks.engine.connection:connect"
LIST = "isol8_tasks.run.view:View._observe"
GRAPH = "isol8_tasks.run.view:build_graph"
CONFIG = "isol8_tasks.run.workspace:Workspace.read_config"
BUILD = "isol8_tasks.run.updating:build_image"
CHECK = "isol8_tasks.verify.verifier:Verifier.verify"
PROMOTE = "isol8_tasks.lifecycle.build:compare"
MANIFEST = "isol8_tasks.images.manifest:render_manifest"
REPORT = "isol8_tasks.report.plan:decision_line"
SUMMARY = "isol8_tasks.report.plan:run_summary"
BUILDING = "isol8_tasks.cli.screen:Screen.building"
DONE = "isol8_tasks.cli.screen:Screen.done"
LOCK = "isol8_tasks.run.session:engine_lock"
LOG = "isol8_tasks.run.workspace:Workspace.write_log"
CLOSE = "isol8_tasks.run.session:Session.close"
LOOK = "isol8_tasks.run.refresh:notice"
ACCOUNT = "isol8_tasks.run.refresh:changes"
WORK = (CONNECT, LIST, GRAPH, CONFIG, LOCK, CLOSE)

TABLE: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "setup": (
        ("setup", "--force", "--only=bash"),
        (*WORK, BUILD, CHECK, PROMOTE, MANIFEST, REPORT, SUMMARY, BUILDING, DONE),
    ),
    "base:bash": (("base:bash", "--force"), (*WORK, BUILD, CHECK, PROMOTE, MANIFEST, REPORT, SUMMARY)),
    "up": (("up", "--force", "--only=bash"), (CONNECT, LIST, GRAPH, CONFIG, BUILD, CHECK, SUMMARY)),
    "plan": (("plan",), (LIST, GRAPH, CONFIG, CLOSE, "isol8_tasks.report.plan:plan_table")),
    "plan --json": (("plan", "--json"), (LIST, GRAPH, CONFIG, CLOSE, "isol8_tasks.report.plan:plan_json")),
    "graph": (("graph", "--json"), (LIST, GRAPH, CONFIG, "isol8_tasks.report.pictures:graph_nodes")),
    "which": (("which", "bash", "--json"), (LIST, CONFIG, CLOSE, "isol8_tasks.report.plan:choice_json")),
    "log": (("log", "--json"), (LIST, CONFIG, "isol8_tasks.report.history:log_json")),
    "diff": (("diff", "bash", "bash", "--json"), (LIST, CONFIG, "isol8_tasks.report.history:diff_json")),
    "why": (("why", "musl", "--json"), (LIST, GRAPH, "isol8_tasks.report.containing:containing_json")),
    "add": (("add", "bash", "zip"), (CONFIG, "isol8_tasks.config.editing:joined_document")),
    "list": (("list",), (GRAPH, CONFIG)),
    "info": (("info", "base:bash"), (GRAPH, CONFIG)),
    "verify": (("verify", "--json", "bash"), (LIST, GRAPH, CHECK, CLOSE)),
    "inventory": (
        ("inventory", "--json", "bash"),
        (LIST, GRAPH, "isol8_tasks.cli.commands.images:inventory_of"),
    ),
    "page": (("page", "--offline"), (LIST, GRAPH, CONFIG, "isol8_tasks.report.page.html:page_program")),
    "sbom": (("sbom", "bash"), (LIST, GRAPH, "isol8_tasks.ecosystems.sbom:render_sbom")),
    "freshness": (
        ("freshness", "--json", "--only=bash"),
        (CONNECT, LIST, LOOK, "isol8_tasks.report.freshness:freshness_json"),
    ),
    "refresh --json": (
        ("refresh", "--json", "--only=bash"),
        (*WORK, LOOK, BUILD, CHECK, PROMOTE, MANIFEST, ACCOUNT, "isol8_tasks.report.refresh:account_json"),
    ),
    "refresh": (
        ("refresh", "--only=bash"),
        (LIST, LOOK, BUILD, CHECK, MANIFEST, ACCOUNT, "isol8_tasks.report.refresh:text"),
    ),
    "lock": (("lock",), (LIST, GRAPH, "isol8_tasks.cli.commands.lock:write_lock")),
    "push": (("push",), (CONFIG, LIST, LOCK, MANIFEST, "isol8_tasks.lifecycle.transfer:push_image")),
    "pull": (("pull",), (CONFIG, LOCK, LIST, "isol8_tasks.lifecycle.transfer:pull_image")),
    "rollback": (("rollback", "bash"), (CONNECT, LOCK, MANIFEST, "isol8_tasks.lifecycle.rollback:roll_back")),
    "release": (("release", "bash"), (CONNECT, LOCK, "isol8_tasks.lifecycle.rollback:release_hold")),
    "import": (("import",), (CONFIG,)),
    "prune": (("prune", "--yes"), (CONNECT, "isol8_tasks.lifecycle.prune:removals")),
    "clean": (("clean", "base:bun"), (CONNECT, LIST, GRAPH, "isol8_tasks.run.session:Session.remove")),
    "env": (("env",), (CONNECT, CONFIG)),
    "down": (("down",), ("lab:down",)),
    "up --lab": (("up", "--lab"), ("lab:up",)),
}
CASES = [(name, seam) for name, (_, seams) in TABLE.items() for seam in seams]
SHORT = (
    ("setup", BUILD),
    ("setup", REPORT),
    ("setup", CLOSE),
    ("plan --json", GRAPH),
    ("refresh --json", BUILD),
    ("refresh --json", ACCOUNT),
    ("verify", CHECK),
    ("lock", "isol8_tasks.cli.commands.lock:write_lock"),
    ("list", GRAPH),
)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, docker_api: docker.APIClient) -> Iterator[Checkout]:
    """Give a checkout with an image."""
    made = new_checkout(tmp_path_factory.mktemp("crashes") / "checkout")
    assert made.doit("setup", "--only=bash").code == 0
    yield made
    remove_tags(docker_api, made.repository)


@pytest.mark.thorough(every=4)
@pytest.mark.parametrize(("name", "seam"), CASES if WHOLE else SHORT)
def test_a_bug_ends_a_command_with_a_line(checkout: Checkout, name: str, seam: str) -> None:
    """Exit code 70, one line that names a file with the traceback, no traceback on the screen, and JSON where asked."""
    words = TABLE[name][0]
    text = '[registry]\nrepository = "127.0.0.1:9/x"\nstandins = true\n' if name == "push" else ""
    (checkout.folder / "deps.toml").write_text(f'[build]\nrepository = "{checkout.repository}"\n{text}')
    if name.startswith("refresh"):
        # One that is stale, and that cases before may have built.
        checkout.edit("docker/Dockerfile", 'CMD ["bash"]', f'RUN : {secrets.token_hex(4)}\nCMD ["bash"]')
    kind = KINDS[CASES.index((name, seam)) % len(KINDS)] if WHOLE else "KeyError"
    done = subprocess.run(
        (sys.executable, "-m", "tests.integration.crashing", seam, kind, *words),
        cwd=checkout.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 70, said
    assert "Traceback" not in said
    assert "canary" not in said
    assert "\x1b" not in said
    files = re.findall(
        r"internal error in \S.*?: " + kind + r".*? \(this is a bug; please report it with the file (\S+)\)",
        said,
    )
    assert files, said
    for file in files:
        path = checkout.folder / file
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert "Traceback" in path.read_text()
        assert "canary" not in path.read_text()
    if "--json" in words:
        assert "internal error" in json.dumps(json.loads(done.stdout))
