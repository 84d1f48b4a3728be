"""Which engine a worker of the tests has to itself."""

from collections.abc import MutableMapping

ENGINES = "ISOL8_TEST_ENGINES"


def take_engine(environ: MutableMapping[str, str]) -> None:
    """Make the engine of pytest-xdist's nth worker the one that DOCKER_HOST names; without workers nothing changes.

    A worker that takes the place of one that crashed has a higher number than there are engines.
    """
    worker = environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
    hosts = environ.get(ENGINES, "").split()
    if worker and hosts:
        environ["DOCKER_HOST"] = hosts[int(worker) % len(hosts)]
