"""The small server that speaks as an engine does."""

import socket
import threading

import pytest

from tests.engine_server import serving
from tests.integration.checkouts import wait_for


def test_a_client_that_goes_away_is_no_fault(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Tests are about such clients: the output of a run of tests has no traceback of it."""
    before = threading.active_count()
    with serving(monkeypatch) as engine:
        engine.stopped.set()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(engine.url.removeprefix("unix://"))
            client.sendall(b"GET /_ping HTTP/1.1\r\n\r\n")
            wait_for(lambda: engine.connections == 1)
        engine.stopped.clear()
        wait_for(lambda: threading.active_count() <= before + 1)
    assert engine.asked
    assert capfd.readouterr().err == ""
