"""An engine that says nothing: whoever waits for it is woken, with a line, and one that is slow is waited for."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from isol8_tasks.engine import BuildRequest
from isol8_tasks.engine.daemon import DockerEngine
from isol8_tasks.engine.watch import patience
from isol8_tasks.errors import ConfigError, EngineUnreachableError
from tests.engine_server import Engine, Handler, serving

REQUEST = BuildRequest(tag="isol8:x", dockerfile="FROM scratch\n")
SAID = r"^the engine at unix://\S+ \(from DOCKER_HOST\) did not answer for 1 s, not even a ping\n"


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """Give an engine that can be stopped."""
    with serving(monkeypatch) as engine:
        yield engine


def stop_in(engine: Engine) -> Callable[[Handler], None]:
    """Return an answer in the middle of which the engine stops."""

    def answer(handler: Handler) -> None:
        handler.begin_stream()
        handler.chunk(b'{"status": "begun"}\r\n')
        engine.stopped.set()
        engine.hang()

    return answer


def stop_before(engine: Engine) -> Callable[[Handler], None]:
    """Return an answer before which the engine stops."""

    def answer(_handler: Handler) -> None:
        engine.stopped.set()
        engine.hang()

    return answer


@pytest.mark.parametrize("stop", [stop_in, stop_before])
@pytest.mark.parametrize(
    ("path", "work"),
    [
        ("POST /build", lambda client: client.build(REQUEST, lambda _event: None)),
        ("POST /images/create", lambda client: client.pull("alpine:3.21")),
        ("POST /images/registry.example/x/push", lambda client: client.push("registry.example/x:1")),
        ("GET /images/isol8:x/json", lambda client: client.inspect("isol8:x")),
    ],
    ids=["build", "pull", "push", "question"],
)
def test_an_engine_that_stops_is_given_up(
    engine: Engine, path: str, work: Callable[[DockerEngine], object], stop: Callable[[Engine], object]
) -> None:
    """Whatever waits ends with a line within the time that is given, and nothing else is begun."""
    engine.answers[path] = stop(engine)  # type: ignore[assignment]  # either is an answer
    client = engine.client("buildkit", ISOL8_ENGINE_SECONDS="1")
    began = time.monotonic()
    with pytest.raises(EngineUnreachableError, match=SAID):
        work(client)
    assert time.monotonic() - began < 10
    with pytest.raises(EngineUnreachableError, match=SAID):
        client.images()


def test_an_engine_that_takes_its_time_is_waited_for(engine: Engine) -> None:
    """As long as it says that it is there, a question may take longer than that."""

    def slowly(handler: Handler) -> None:
        time.sleep(2.5)
        handler.stream({"status": "done"})

    engine.answers["POST /images/create"] = slowly
    engine.client(ISOL8_ENGINE_SECONDS="1").pull("alpine:3.21")
    assert engine.paths().count("GET /_ping") > 2


def test_who_waits_for_nothing_asks_nothing(engine: Engine) -> None:
    """No question is asked once the answer came, and the thread that asks ends."""
    engine.answers["GET /images/json"] = (200, [])
    client = engine.client(ISOL8_ENGINE_SECONDS="1")
    before = threading.active_count()
    client.images()
    asked = len(engine.asked)
    time.sleep(0.6)
    assert len(engine.asked) == asked
    assert threading.active_count() <= before + 1


@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan", "1e9"])
def test_a_time_that_is_none(text: str) -> None:
    """The variable is refused with what it takes; without it, it is a minute."""
    message = f"^ISOL8_ENGINE_SECONDS='{text}' is not a number of seconds from 1 to 86400$"
    with pytest.raises(ConfigError, match=message):
        patience({"ISOL8_ENGINE_SECONDS": text})
    assert patience({}) == 60
