"""What counts for a target is what counts for BuildKit: a corpus of Dockerfiles, and edits that chance picks.

`ISOL8_CLOSURE_SEED` and `ISOL8_CLOSURE_EDITS` (for each Dockerfile) let chance pick others, and more.
"""

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random

import pytest

from isol8_tasks.dockerfile.stages import stages
from isol8_tasks.dockerfile.syntax import parse
from isol8_tasks.engine import BuildRequest, FileContent
from isol8_tasks.engine.connection import Connection
from isol8_tasks.engine.daemon import DockerEngine
from isol8_tasks.engine.endpoint import Endpoint
from isol8_tasks.errors import BuildFailedError
from tests.corpus.builder import Builder, closure_of, files_of, key_of
from tests.corpus.cases import Case, cases
from tests.corpus.pairs import Pair, pairs, side_by_side
from tests.corpus.series import Report, Series, State, build

PAIRS = {each.name: each for each in pairs()}
CASES = {each.name: each for each in cases()}
SEED = os.environ.get("ISOL8_CLOSURE_SEED", "1")
EDITS = int(os.environ.get("ISOL8_CLOSURE_EDITS", "1"))
SIDE_BY_SIDE = 4

Reports = Mapping[str, Future[Report]]


class _File(BaseHTTPRequestHandler):
    """Answers every address with its path, without the name that it begins with."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.path.split("/", 2)[2].encode())

    def log_message(self, *_: object) -> None:
        """Keep still."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Give the address of a server on this machine, into which a name fits, for a builder on it to fetch files from."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _File) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"127.0.0.1:{server.server_port}/{{}}"
        server.shutdown()


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of a git daemon on this machine with one repository."""
    folder = tmp_path_factory.mktemp("git")
    work = folder / "work"
    (work / "folder").mkdir(parents=True)
    for name in ("file", "folder/file"):
        (work / name).write_text("1\n")
    me = ("-c", "user.name=lab", "-c", "user.email=lab@localhost")
    for words in (
        ("init", "--quiet", "--initial-branch=main"), ("add", "."), (*me, "commit", "--quiet", "--message=first"),
        ("tag", "first"), ("clone", "--quiet", "--bare", ".", str(folder / "repository.git")),
    ):  # fmt: skip
        subprocess.run(["git", *words], cwd=work, check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        "git",
        "daemon",
        f"--base-path={folder}",
        "--export-all",
        "--listen=127.0.0.1",
        f"--port={port}",
    ]
    # What it starts to answer is of its group.
    daemon = subprocess.Popen(command, start_new_session=True)
    yield f"127.0.0.1:{port}"
    os.killpg(daemon.pid, signal.SIGTERM)
    daemon.wait()


@pytest.fixture(scope="module")
def builder(endpoint: Endpoint, engine: DockerEngine, address: str, repository: str) -> Iterator[Builder]:
    """Give what builds the corpus, on upstream images of its own."""
    engine.ping()
    connection = Connection(endpoint, os.environ)
    builder = Builder(connection, engine, {"http": address, "git": repository})
    builder.make_upstream()
    yield builder
    builder.close()
    connection.close()


@pytest.fixture(scope="module")
def reports(
    request: pytest.FixtureRequest, builder: Builder, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Reports]:
    """Give what comes of each case asked for; they are built side by side, since most of the time is the engine's."""
    tests = [each.name for each in request.session.items]
    whole = any(each.startswith(test_most_of_the_corpus_is_built.__name__) for each in tests)

    def run(case: Case, folder: Path) -> Report:
        return Series(case, builder, folder, Random(f"{SEED} {case.name}")).run(EDITS)  # noqa: S311 - to be repeated

    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        yield {
            name: pool.submit(run, case, tmp_path_factory.mktemp(name, numbered=False))
            for name, case in CASES.items()
            if whole or f"{test_builder_agrees.__name__}[{name}]" in tests
        }


@pytest.mark.thorough(every=8)
@pytest.mark.parametrize("name", CASES)
def test_builder_agrees(name: str, reports: Reports) -> None:
    """Its trace names our stages; an edit is stale exactly where it did not reuse all, or made another image."""
    report = reports[name].result()
    if report.unknown:
        pytest.skip(f"this engine's built-in frontend does not know {CASES[name].needs}: {report.unknown}")
    assert not report.findings, "\n\n".join(map(str, report.findings))


def test_most_of_the_corpus_is_built(reports: Reports) -> None:
    """Whatever engine this is, its frontend knows enough for the proof to be one."""
    assert sum(not each.result().unknown for each in reports.values()) >= 60


@pytest.mark.parametrize("name", CASES)
def test_what_cannot_be_read_is_said(name: str, tmp_path: Path) -> None:
    """A case warns if it says so, and what can't be read makes the whole text and every file count."""
    case = CASES[name]
    case.write(tmp_path, "alpine")
    files = files_of(tmp_path)
    found = [
        closure_of(files, each.name if each.named else None, case.args) for each in stages(parse(case.text))
    ]
    assert any(each.warnings for each in found) == case.warns
    for each in found:
        if any("any change of the Dockerfile" in warning for warning in each.warnings):
            assert case.text in each.stages[0].steps[0].text
            assert each.files == tuple(sorted(files))


@pytest.fixture(scope="module")
def compared(request: pytest.FixtureRequest, builder: Builder) -> Iterator[Mapping[str, Future[bool]]]:
    """Give of each pair asked for whether the builder takes both for one."""
    tests = [each.name for each in request.session.items]
    names = [each for each in PAIRS if f"{test_pair.__name__}[{each}]" in tests]
    of_files = [each for each in names if PAIRS[each].of_files]
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        found = {name: pool.submit(_are_one, PAIRS[name], builder) for name in names if name not in of_files}
        rerun = _rerun([PAIRS[each] for each in of_files], builder) if of_files else set()
        for number, name in enumerate(of_files):
            found[name] = Future()
            found[name].set_result(f"s{number}" not in rerun)
        yield found


def _both(pairs: Sequence[Pair], by: Builder) -> list[State]:
    """Return what a pair is built of, or several whose stages stand side by side in one Dockerfile."""
    base = f"{by.repository}:3.21"
    texts = (pairs[0].before, pairs[0].after)
    if pairs[0].of_files:
        texts = (side_by_side([each.before for each in pairs]), side_by_side([each.after for each in pairs]))
    contents = {"a": "1", "docs/one": "1", "docs/two": "2"}
    return [
        State(
            files={
                path: FileContent(data=data.encode())
                for path, data in {**contents, "Dockerfile": text.replace("BASE", base)}.items()
            },
            args=args,
        )
        for text, args in zip(texts, ({}, pairs[0].args), strict=True)
    ]


def _rerun(pairs: Sequence[Pair], builder: Builder) -> set[str]:
    """Return the stages that the builder runs again after the other spelling, whichever that is."""
    found: set[str] = set()
    for order in (1, -1):
        try:
            found |= _second(pairs, builder, order)
        except BuildFailedError as error:
            # BuildKit gives up so where hundreds of stages wait for one another on a machine with much to do.
            if "exceeded retry timeout" not in str(error):
                raise
            found |= _second(pairs, builder, order)
    return found


def _second(pairs: Sequence[Pair], builder: Builder, order: int) -> set[str]:
    """Build both spellings on an upstream image of its own, so that nothing but the first is in the cache."""
    with builder.another("3.21") as fresh:
        _, second = (build(fresh, each, None) for each in _both(pairs, fresh)[::order])
        return set(second.ran_in)


def _are_one(pair: Pair, builder: Builder) -> bool:
    """Tell whether the builder reuses all of either for the other, and says the same of the images."""
    for order in (1, -1):
        with builder.another("3.21") as fresh:
            first, second = (build(fresh, each, None) for each in _both([pair], fresh)[::order])
        if second.ran or first.configuration != second.configuration:
            return False
    return True


@pytest.mark.thorough(every=8)
@pytest.mark.parametrize("name", PAIRS)
def test_pair(name: str, compared: Mapping[str, Future[bool]], builder: Builder) -> None:
    """Two spellings are the same here exactly where the builder takes them for one, but for what is known."""
    pair = PAIRS[name]
    keys = {
        key_of(each.files, closure_of(each.files, None, each.args, builder.triggers, builder.kind), builder)
        for each in _both([pair], builder)
    }
    try:
        one = compared[name].result()
    except BuildFailedError as error:
        if not pair.needs:
            raise
        pytest.skip(f"this engine's built-in frontend does not know {pair.needs}: {error}")
    assert (len(keys) == 1, one) == ((False, True) if pair.surplus else (one, one))


KNOWN: Mapping[str, tuple[str, str]] = {
    "the default of a variable that the upstream image sets": (
        "ENV PATH=/x:$PATH\n", "ENV PATH=/x:${PATH:-y}\n"
    ),
    "a length of time in another unit": (
        "HEALTHCHECK --interval=60s CMD x\n", "HEALTHCHECK --interval=1m CMD x\n"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after"), KNOWN.values(), ids=KNOWN)
def test_known_surplus(before: str, after: str, builder: Builder) -> None:
    """These respellings count here although the builder reuses all; decision 6 says why."""
    states = [
        State(
            files={"Dockerfile": FileContent(data=f"FROM {builder.repository}:3.21\n{text}".encode())},
            args={},
        )
        for text in (before, after)
    ]
    built = [build(builder, each, None) for each in states]
    assert built[1].ran == ()
    assert built[0].configuration == built[1].configuration
    keys = {key_of(each.files, closure_of(each.files, None, {}), builder) for each in states}
    assert len(keys) == 2


def test_what_an_upstream_image_copies(builder: Builder) -> None:
    """A file that an upstream image's own ONBUILD copies counts, and one that it does not copy doesn't."""
    text = f"FROM {builder.repository}:3.21\nONBUILD COPY a /a\n"
    parent = builder.new_tag("copied-by-another")
    context = {"a": FileContent(data=b"1")}
    builder.build(BuildRequest(tag=parent, dockerfile=text, context=context))

    def made(first: str, second: str) -> tuple[tuple[str, ...], str]:
        files = {
            "Dockerfile": FileContent(data=f"FROM {parent}\n".encode()),
            "a": FileContent(data=f"{first} {builder.repository}".encode()),
            "b": FileContent(data=second.encode()),
        }
        found = closure_of(files, None, {}, builder.triggers)
        return build(builder, State(files=files, args={}), None).ran, key_of(files, found, builder)

    states = [made("one", "one"), made("two", "one"), made("two", "two")]
    # Newer builders say ONBUILD before it.
    assert [[step.removeprefix("ONBUILD ") for step in ran] for ran, _ in states] == [
        ["COPY a /a"],
        ["COPY a /a"],
        [],
    ]
    keys = [key for _, key in states]
    assert keys[0] != keys[1] == keys[2]
