"""Steps with secrets: what is mounted, where installers find it, and the names of steps without any of it."""

import json

import pytest

from isol8_tasks.config.secret_list import Secret
from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.plan.secret_steps import secret_setup, with_secrets, without_secrets

SECRETS = {
    each.name: each
    for each in (
        Secret("conf", file="~/pip.conf"),
        Secret("net", file="~/.netrc"),
        Secret("npm", file=".npmrc"),
        Secret("pip", variable="PIP_INDEX_URL"),
        Secret("token", variable="NPM_TOKEN"),
    )
}
CONF = "--mount=type=secret,id=conf,target=/dev/shm/conf,required=true "
NET = "--mount=type=secret,id=net,target=/dev/shm/net,required=true "
NPM = "--mount=type=secret,id=npm,target=/dev/shm/npm,required=true "
PIP = "--mount=type=secret,id=pip,target=/dev/shm/pip,required=true "
TOKEN = "--mount=type=secret,id=token,target=/dev/shm/token,required=true "
FOUND = {
    "conf": "export PIP_CONFIG_FILE=/dev/shm/conf && ",
    "net": "export NETRC=/dev/shm/net && ",
    "npm": "ln -s /dev/shm/npm ~/.npmrc && trap 'rm ~/.npmrc' EXIT && ",
    "pip": 'export PIP_INDEX_URL="$(cat /dev/shm/pip)" && ',
    "token": 'export NPM_TOKEN="$(cat /dev/shm/token)" && ',
}
OF_PIP = f"{CONF}{NET}{PIP}{FOUND['conf']}{FOUND['net']}{FOUND['pip']}"
CACHE = "--mount=type=cache,id=isol8-tasks-python,target=/mnt,sharing=shared "


@pytest.mark.parametrize(
    ("runtime", "step", "expected"),
    [
        ("python", "RUN pip install --no-cache-dir a", f"RUN {OF_PIP}pip install --no-cache-dir a"),
        ("python", f"RUN {CACHE}pip install -c /mnt a", f"RUN {CACHE}{OF_PIP}pip install -c /mnt a"),
        ("python", "RUN apk add --no-cache jq", f"RUN {NET}{FOUND['net']}apk add --no-cache jq"),
        ("python", "RUN find /usr | sort >/isol8-before", "RUN find /usr | sort >/isol8-before"),
        ("python", "ARG PIP_RETRIES=2", "ARG PIP_RETRIES=2"),
        ("node", "RUN npm install -g a", f"RUN {NPM}{TOKEN}{FOUND['npm']}{FOUND['token']}npm install -g a"),
        ("bash", "RUN apk add --no-cache jq", f"RUN {NET}{FOUND['net']}apk add --no-cache jq"),
        ("bun", "RUN cd / && bun pm trust --all", "RUN cd / && bun pm trust --all"),
    ],
)
def test_steps(runtime: str, step: str, expected: str) -> None:
    """Each installer gets what it reads, no other step gets anything, and names of steps are as before."""
    text = with_secrets(f"FROM isol8:x\n{step}\n", RUNTIMES[runtime], SECRETS)
    assert text == f"FROM isol8:x\n{expected}\n"
    assert without_secrets(f"[2/2] {expected}") == f"[2/2] {step}"
    # As Docker 20.10 names steps.
    assert without_secrets(expected.replace('"', "").replace("'", "")) == step.replace('"', "")


def test_a_script_of_a_lock() -> None:
    """What installs from a lock is a script in words of JSON, which begins with finding the secrets."""
    words = ["/bin/sh", "-euc", "folder=$(mktemp -d)\npip install -r it\n", "pinned", "packed"]
    step = ", \\\n    ".join(json.dumps(word) for word in words)
    text = with_secrets(f"FROM isol8:python\nRUN [{step}]\n", RUNTIMES["python"], SECRETS)
    first, flags, run = text.partition(f"RUN {CONF}{NET}{PIP}")
    assert (first, flags) == ("FROM isol8:python\n", f"RUN {CONF}{NET}{PIP}")
    found = json.loads(run.replace("\\\n", ""))
    assert found[2] == FOUND["conf"] + FOUND["net"] + FOUND["pip"] + words[2]
    assert found[:2] + found[3:] == words[:2] + words[3:]


def test_who_asks_in_the_place_of_a_tool() -> None:
    """It is told by a variable where npm's file is, since the tool itself asks it alone."""
    assert secret_setup([SECRETS["npm"]], "OWN") == "export OWN=/dev/shm/npm && "
