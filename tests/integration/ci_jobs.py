"""The jobs of examples/ci, run here as GitHub and GitLab run them: line by line with bash, in a fresh clone.

It knows what these files use, and refuses anything else, so that nothing in them is passed over.
"""

import base64
import fnmatch
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from attrs import field, frozen
from ruamel.yaml import YAML

_OWN: Final = re.compile(r"(?:ISOL8|DOCKER|DOIT|PYTEST|GITHUB|GITLAB|CI|COV)(?:_|$)|PYTHON")
"""Variables of whoever runs the tests, which no job of theirs would have."""
_VENV: Final = ".venv"
_SECONDS: Final = 560
_GITHUB_SHELL: Final = ("bash", "-e")
_GITLAB_SHELL: Final = ("bash", "-eo", "pipefail")


@frozen(kw_only=True)
class Ended:
    """What a job left."""

    result: str
    """success, warning or failure."""
    log: str
    summary: str = ""
    """What GitHub shows of it."""
    artifacts: Mapping[str, str] = field(factory=dict)
    """The text of each file, by its name."""


@frozen(kw_only=True)
class Machine:
    """A machine that is new in every job, but for its engine and the environment that ./doitw makes of the lock."""

    folder: Path
    origin: Path
    """The repository that is cloned."""
    host: str
    """The address of the engine."""
    variables: Mapping[str, str]
    """Those that a project of theirs has in its settings, secrets included."""

    @property
    def clone(self) -> Path:
        """Where the jobs work, which is the same folder every time, as it is there."""
        return self.folder / "clone"

    def github(self, file: Path, event: str) -> Ended:
        """Run the only job of a workflow."""
        workflow = _read(file)
        assert event in workflow["on"] or event == workflow["on"], f"{file.name} is not about {event}"
        ((name, job),) = workflow["jobs"].items()
        _only(workflow, "name", "on", "permissions", "concurrency", "env", "jobs")
        _only(job, "runs-on", "timeout-minutes", "steps")
        summary, docker = self._new(name) / "summary.md", self.folder / "docker"
        summary.touch()
        environment = {
            **self._environment(docker),
            "GITHUB_ACTIONS": "true",
            "GITHUB_EVENT_NAME": event,
            "GITHUB_WORKSPACE": str(self.clone),
            "GITHUB_STEP_SUMMARY": str(summary),
            **{each: self._filled(text) for each, text in workflow.get("env", {}).items()},
        }
        result, log, artifacts = "success", "", dict[str, str]()
        for step in job["steps"]:
            _only(step, "name", "uses", "with", "run", "if")
            assert step.get("if", "") in {"", "${{ always() }}"}, step["if"]
            if result == "failure" and "if" not in step:
                continue
            if "run" in step:
                code, said = _bash(_GITHUB_SHELL, self._filled(step["run"]), self.clone, environment)
                log += said
                result = result if code == 0 else "failure"
            else:
                given = {each: self._filled(text) for each, text in step.get("with", {}).items()}
                artifacts |= self._use(step["uses"], given, docker)
        return Ended(result=result, log=log, summary=summary.read_text(), artifacts=artifacts)

    def gitlab(self, file: Path, **pipeline: str) -> dict[str, Ended]:
        """Run the jobs that a pipeline with these variables has."""
        jobs = _read(file)
        default, common = jobs.pop("default"), jobs.pop("variables")
        _only(default, "image", "services", "interruptible", "before_script")
        done = {}
        for name, job in jobs.items():
            _only(job, "timeout", "rules", "script", "allow_failure", "artifacts", "resource_group")
            given = {"CI_DEFAULT_BRANCH": "main", "CI_PROJECT_DIR": str(self.clone), **pipeline}
            if not any(_holds(rule["if"], given) for rule in job["rules"]):
                continue
            self._new(name)
            self._fetch()
            # What a project sets goes before what its file sets, and that refers to what is there before it.
            environment = self._environment(self.folder / "docker") | given
            for each, text in common.items():
                environment[each] = _expanded(text, environment)
            environment |= {"DOCKER_HOST": self.host, "DOCKER_TLS_VERIFY": "", "DOCKER_CERT_PATH": ""}
            environment |= self.variables
            lines = "\n".join([*default["before_script"], *job["script"]])
            code, log = _bash(_GITLAB_SHELL, lines, self.clone, environment)
            borne = code != 0 and code == job.get("allow_failure", {}).get("exit_codes")
            assert job["artifacts"]["when"] == "always"
            done[name] = Ended(
                result="success" if code == 0 else "warning" if borne else "failure",
                log=log,
                artifacts=dict(self._files(job["artifacts"]["paths"])),
            )
        return done

    def _new(self, name: str) -> Path:
        """Forget what earlier jobs left, but for the environment of ./doitw, which every job would make alike."""
        kept = self.folder / _VENV
        if (self.clone / _VENV).exists():
            (self.clone / _VENV).rename(kept)
        for each in (
            self.clone,
            self.folder / "clone.tmp",
            self.folder / "docker",
            self.folder / "jobs" / name,
        ):
            shutil.rmtree(each, ignore_errors=True)
        (self.folder / "jobs" / name).mkdir(parents=True)
        return self.folder / "jobs" / name

    def _fetch(self) -> None:
        subprocess.run(["git", "clone", "-q", str(self.origin), str(self.clone)], check=True)
        if (self.folder / _VENV).exists():
            (self.folder / _VENV).rename(self.clone / _VENV)

    def _environment(self, docker: Path) -> dict[str, str]:
        own = {name: text for name, text in os.environ.items() if not _OWN.match(name)}
        return {**own, "CI": "true", "DOCKER_HOST": self.host, "DOCKER_CONFIG": str(docker)}

    def _filled(self, text: str) -> str:
        return re.sub(
            r"\$\{\{ (?:vars|secrets)\.(\w+) \}\}", lambda found: self.variables.get(found[1], ""), text
        )

    def _use(self, action: str, given: Mapping[str, str], docker: Path) -> dict[str, str]:
        """Do what one of the known actions does; return what it uploads."""
        match action:
            case "actions/checkout@v4":
                self._fetch()
            case "docker/login-action@v3":
                _log_in(given, docker)
            case "actions/upload-artifact@v4":
                return dict(self._files(given["path"].split()))
            case _:
                raise AssertionError(f"{action} is none of the known actions")
        return {}

    def _files(self, names: list[str]) -> Iterator[tuple[str, str]]:
        for name in names:
            assert not fnmatch.fnmatch(name, "*[*?]*"), name
            if (self.clone / name).exists():
                yield name, (self.clone / name).read_text()


def _read(file: Path) -> dict[str, Any]:
    read: dict[str, Any] = YAML(typ="safe").load(file)
    return read


def _only(found: Mapping[str, object], *known: str) -> None:
    assert found.keys() <= set(known), found.keys() - set(known)


def _bash(
    shell: tuple[str, ...], script: str, folder: Path, environment: Mapping[str, str]
) -> tuple[int, str]:
    done = subprocess.run(
        [*shell, "-c", script],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=_SECONDS,
    )
    return done.returncode, done.stdout


def _log_in(given: Mapping[str, str], docker: Path) -> None:
    _only(given, "registry", "username", "password")
    login = base64.b64encode(f"{given['username']}:{given['password']}".encode()).decode()
    docker.mkdir()
    (docker / "config.json").write_text(json.dumps({"auths": {given["registry"]: {"auth": login}}}))


def _expanded(text: str, variables: Mapping[str, str]) -> str:
    return re.sub(r"\$(\w+)", lambda found: variables[found[1]], text)


def _holds(rule: str, variables: Mapping[str, str]) -> bool:
    """Tell whether a rule of the form $NAME == "text" && $NAME == $NAME holds."""

    def value(word: str) -> str:
        return variables.get(word[1:], "") if word.startswith("$") else word.strip('"')

    sides = [part.split(" == ") for part in rule.split(" && ")]
    return all(value(left) == value(right) for left, right in sides)
