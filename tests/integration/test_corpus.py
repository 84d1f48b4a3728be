"""A tenth of the packages that people install, another each day: no verdict is wrong."""

import datetime as dt
import os
import subprocess
import sys
from pathlib import Path

import pytest

from isol8_tasks.engine.endpoint import Endpoint
from tests.corpus_packages import own
from tests.corpus_packages.making import Maker
from tests.corpus_packages.run import judge, printed, summary
from tests.corpus_packages.table import rows, tenth
from tests.integration.checkouts import Checkout


@pytest.fixture
def maker(built: Checkout, endpoint: Endpoint, tmp_path: Path) -> Maker:
    """Give what makes images beside a checkout's bases, which nothing has to be built for."""
    return Maker(
        folder=tmp_path / "corpus",
        repository=built.repository,
        environ={**os.environ, "DOCKER_HOST": endpoint.url},
        args={},
        tell=print,
    )


def test_a_tenth_of_the_corpus(maker: Maker) -> None:
    """What is accepted works, and what is refused does not."""
    asked = (
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--dest",
        str(maker.folder),
        "six",
    )
    if subprocess.run(asked, capture_output=True, check=False).returncode:
        pytest.skip("no package index answers")
    chosen = tenth(rows(), dt.datetime.now(dt.UTC).date())
    judge(maker, chosen)
    assert [each for each in maker.results.values() if each.wrong] == [], "\n".join(
        printed(maker.results.values(), summary(maker, chosen, 0), whole=False)
    )


def test_own_packages(maker: Maker) -> None:
    """A broken package of each kind is refused, and the whole ones beside it are accepted and work."""
    judge(maker, own.rows())
    assert [each for each in maker.results.values() if each.wrong] == []
    assert set(maker.results) == set(own.rows())
