"""What a command prints that is executed in a container."""

from collections.abc import Mapping

import docker

from isol8_tasks.engine.output import frames


def read(api: docker.APIClient, made: Mapping[str, str]) -> tuple[str, str]:
    """Start what `exec_create` made, and return all that it writes to its standard output and its standard error.

    Docker's client loses what reaches it together with the headers of the answer: of a short command, all of it.
    """
    url = f"{api.base_url}/v{api.api_version}/exec/{made['Id']}/start"
    response = api.post(url, json={"Detach": False, "Tty": False}, timeout=api.timeout)
    response.raise_for_status()
    kept = {"stdout": b"", "stderr": b""}
    for stream, data in frames([response.content]):
        kept[stream] += data
    return kept["stdout"].decode(), kept["stderr"].decode()
