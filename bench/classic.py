"""Builds targets one after another on the classic builder, without cache: how isol8's own setup does it."""

import json
import sys

import docker
from docker.utils import kwargs_from_env


def main(folder: str, repository: str, targets: list[str], arguments: dict[str, str]) -> None:
    """Build every target of the folder's Dockerfile as REPOSITORY:TARGET."""
    client = docker.APIClient(**kwargs_from_env(), version="auto", timeout=600)
    for target in targets:
        for event in client.build(
            path=folder,
            target=target,
            tag=f"{repository}:{target}",
            buildargs=arguments,
            nocache=True,
            rm=True,
            forcerm=True,
            decode=True,
        ):
            print(event.get("stream", ""), end="")
            if "errorDetail" in event:
                sys.exit(f"{target}: {event['errorDetail']['message']}")
    client.close()


if __name__ == "__main__":
    main(*json.loads(sys.argv[1]))
