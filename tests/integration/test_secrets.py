"""Where a secret is after a build with it, and what a hostile image makes a terminal do: nothing."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from isol8_tasks.safety.printing import printable
from tests.integration.checkouts import Checkout, Result, new_checkout, remove_tags

SECRETS = {
    "PIP_INDEX_URL": ("https://me:{}@127.0.0.1:1/simple", "canary-Userinfo1"),
    "PIP_EXTRA_INDEX_URL": ("https://me:{}@127.0.0.1:1/extra", "canary%40Encoded%2F2"),
    "NPM_CONFIG_REGISTRY": ("https://{}@127.0.0.1:1/", "canaryTokenAsUser3"),
    "PATH_MIRROR": ("https://127.0.0.1:1/{}/main", "Canary4Ab3dEf6hIj9kLm2nOp"),
    "QUERY_MIRROR": ("https://127.0.0.1:1/a?x=1&access_token={}&y=2", "canary-Query5"),
    "NPMRC": ("//127.0.0.1:1/:_authToken={}", "canary-Npmrc6"),
    "NPMRC_QUOTED": ('//127.0.0.1:1/:_authToken="{}"', "canary-Quoted7"),
    "HEADER": ("X-Api-Key: {}", "canary-Header8"),
    "BEARER": ("Authorization: Bearer {}", "canary-Bearer9"),
    "AWS_SECRET_ACCESS_KEY": ("{}", "canary/Aws10+key"),
    "DEPLOY_PRIVATE_KEY": (
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----",
        "canaryMIIEvQIBADANBgkq11",
    ),
}
"""Build arguments: what is around the secret, and the secret."""
LOGIN = "canary-Docker12"
PROXY = "canary-Proxy13"
HOSTILE = "x\x1b]0;owned\x07\x1b[2Jy\n::error::owned\n\u202ez\x9b31m##[group]"


def _values() -> set[str]:
    """Return the secrets as they are written, and as they are meant."""
    login = base64.b64encode(f"me:{LOGIN}".encode()).decode()
    return {secret for _, secret in SECRETS.values()} | {"canary@Encoded/2", LOGIN, login, PROXY}


@pytest.fixture(scope="module")
def checkout(
    docker_api: docker.APIClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Checkout, str]]:
    """Give a checkout whose bash is built with every kind of secret, and prints them, and the run's output."""
    checkout = new_checkout(tmp_path_factory.mktemp("secrets") / "secrets")
    arguments = "".join(
        f"{name} = {json.dumps(text.replace('{}', secret))}\n" for name, (text, secret) in SECRETS.items()
    )
    checkout.deps(
        'bash = ["jq"]',
        f'[registry]\nrepository = "127.0.0.1:1/isol8"\nstandins = true\n[build.args]\n{arguments}ftp_proxy = "http://me:{PROXY}@127.0.0.1:1"\n',
    )
    declared = "".join(f"ARG {name}\n" for name in SECRETS)
    used = " ".join(f'"${name}"' for name in SECRETS)
    shown = f"RUN printf '%s\\n' {used} && printf 'a\\033]0;owned\\007\\033[2Jb\\n  ::error::owned\\n'\n"
    checkout.edit("docker/Dockerfile", "FROM base AS bash\n", f"FROM base AS bash\n{declared}{shown}")
    done = checkout.doit("setup", "--only", "bash", DOCKER_CONFIG=_login(checkout.folder))
    assert "bash-custom  built " in re.sub(" +", "  ", done.out), done.out + done.err
    yield checkout, done.out + done.err
    remove_tags(docker_api, checkout.repository)


def _login(folder: Path) -> str:
    """Write a login for the registry, and return its folder."""
    home = folder / "docker-config"
    home.mkdir(exist_ok=True)
    auth = base64.b64encode(f"me:{LOGIN}".encode()).decode()
    (home / "config.json").write_text(json.dumps({"auths": {"127.0.0.1:1": {"auth": auth}}}))
    return str(home)


def _said(done: Result) -> str:
    return done.out + done.err


class TestSecrets:
    """No secret is anywhere but where docs/secrets.md says."""

    @pytest.mark.thorough
    def test_places(self, checkout: tuple[Checkout, str], docker_api: docker.APIClient) -> None:
        """They are in the history of the image, which is not pushed, and in no other place."""
        here, built = checkout
        tag = f"{here.repository}:bash"
        login = _login(here.folder)
        places = {
            "the run": built,
            "plan": _said(here.doit("plan")),
            "plan --json": _said(here.doit("plan", "--json")),
            "inventory": _said(here.doit("inventory", "bash", "--json")),
            "sbom": _said(here.doit("sbom", "bash")) + (here.folder / "sbom" / "bash.cdx.json").read_text(),
            "list": _said(here.doit("list")),
            "info": _said(here.doit("info", "base:bash")),
            "push": _said(here.doit("push", DOCKER_CONFIG=login)),
            "manifest": (here.folder / "resolved-images.json").read_text(),
            "labels": json.dumps(docker_api.inspect_image(tag)["Config"]["Labels"]),
            "labels of the custom image": json.dumps(
                docker_api.inspect_image(f"{tag}-custom")["Config"]["Labels"]
            ),
        }
        here.edit("docker/Dockerfile", "printf 'a", "false && printf 'a")
        failed = here.doit("run", "-v", "2", "setup", "--only", "bash")
        assert failed.code == 1
        assert f"{tag} " in failed.out
        places["a failure"] = _said(failed)
        places["its log"] = (here.folder / ".isol8" / "logs" / "bash.log").read_text()
        assert "***" in places["its log"]
        places["reasons"] = _said(here.doit("plan"))
        found = {(place, value) for place, text in places.items() for value in _values() if value in text}
        assert not found
        history = json.dumps(docker_api.history(tag))
        assert all(json.dumps(secret)[1:-1] in history for _, secret in SECRETS.values())
        assert PROXY not in history

    def test_push_refuses(self, checkout: tuple[Checkout, str]) -> None:
        """It says what could be read, and what to do."""
        here, _ = checkout
        done = here.doit("push")
        assert done.code == 1
        assert re.match(
            rf"ERROR: {here.repository}:bash is not pushed: whoever pulls it could read the credentials of the build "
            r"arguments .*PIP_INDEX_URL.* in its history",
            done.err,
        )
        assert "[registry] credentials = true" in done.err


class TestForeignText:
    """What others wrote reaches the terminal without the power to do something."""

    def test_build_output_and_labels(
        self, checkout: tuple[Checkout, str], docker_api: docker.APIClient
    ) -> None:
        """Of every command that shows them, every byte is harmless."""
        here, built = checkout
        custom = f"{here.repository}:bash-custom"
        labels = {
            "org.isol8.tasks.flags": json.dumps({"curl": HOSTILE}),
            "org.isol8.tasks.checkout": HOSTILE,
            "org.isol8.tasks.packages": json.dumps([HOSTILE]),
            "org.isol8.tasks.upstream": HOSTILE,
        }
        hostile = docker_api.create_container(custom, ["true"])
        for repository in (here.repository, f"{here.repository}_build"):
            docker_api.commit(
                hostile,
                repository,
                "bash-custom",
                conf={"Labels": {**docker_api.inspect_image(custom)["Config"]["Labels"], **labels}},
            )
        docker_api.remove_container(hostile)
        outputs = {"the run": built}
        commands = (
            "plan",
            "plan --json",
            "list",
            "info custom:bash",
            "verify",
            "which bash",
            "which bash --json",
            "inventory",
            "setup --only bash",
        )
        outputs |= {command: _said(here.doit(*command.split())) for command in commands}
        assert f"{custom}: label org.isol8.tasks.upstream has something that is not plain" in outputs["plan"]
        assert json.loads(outputs["plan --json"])["images"]
        for command, text in outputs.items():
            assert printable(text) == text, command
