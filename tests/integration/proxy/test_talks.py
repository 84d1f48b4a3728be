"""Bodies, trailers, tunnels and upgrades through the filter, and the clients that people use."""

import json
from collections.abc import Callable

import pytest

from tests.integration.proxy.filters import Filter, Filters

SETTINGS = {"ISOL8_ALLOW_PORTS": "8000,8001"}
EXPECTED: dict[str, list[object]] = {
    "keep_alive": ["/a", ["/b", 3], ["/c", 0]],
    "close": [True, True],
    "old_client": ["http/1.1 200 ok", [], "onetwo"],
    "stream": [True, "3\r\none\r\n", "3\r\ntwo\r\n0\r\nX-Sum: 6\r\n"],
    "upload": [200, 6, 668, [["X-Sum", "6"]]],
    "expect": [100, 200, "102", "http/1.1 413 content too large", "", 403],
    "early_answer": ["http/1.1 413 content too large", True],
    "websocket": ["http/1.1 101 switching protocols", True, "helloearly and late", "", 426],
    "half_close": [200, "got 10000005"],
    "rebinding": [[200, 403, 403], [["93.184.216.34", 443]], ["rebinding.test"] * 6],
    "python_clients": [["/urllib", 3], "/tunnel", "Tunnel connection failed: 403 Forbidden"],
}
RUN = """
printf '%s' "$1" > /tmp/clients.mjs
for start in node bun 'deno run -A'; do
    command -v ${start%% *} > /dev/null || continue
    [ "$start" != node ] || export NODE_USE_ENV_PROXY=1
    exec $start /tmp/clients.mjs
done
"""
CLIENTS = """
import process from "node:process";
import http from "node:http";
const ask = (path) => new Promise((resolve, reject) => {
  const headers = { Host: new URL(path).host };
  const options = { host: "127.0.0.1", port: process.env.PORT, path, headers, agent: false };
  http.get(options, (response) => {
    let text = "";
    response.on("data", (piece) => (text += piece)).on("end", () => resolve([response.statusCode, text]));
  }).on("error", reject);
});
const good = await fetch("http://public.test/fetch");
console.log(good.status, (await good.json())[1]);
// Node's asks for a tunnel, and has no answer to show if that is refused.
console.log(await fetch("http://private.test/").then((response) => response.status, () => 403));
const [status, text] = await ask("http://public.test/http");
console.log(status, JSON.parse(text)[1]);
console.log((await ask("http://private.test/"))[0]);
process.exit(0);
"""


@pytest.fixture(scope="module")
def proxy(filters: Filters) -> Filter:
    """Give a filter that lets every public host through."""
    return filters.shared(SETTINGS)


@pytest.mark.parametrize("talk", EXPECTED)
def test_both_sides_hear_what_is_meant_for_them(
    proxy: Filter, in_world: Callable[..., str], talk: str
) -> None:
    """Each conversation of talks.py goes as its docstring says."""
    assert json.loads(in_world("talks.py", str(proxy.port), talk)) == EXPECTED[talk]


@pytest.mark.parametrize("runtime", ["node", "bun", "deno"])
def test_the_runtimes_own_clients(filters_of: Callable[[str], Filters], runtime: str) -> None:
    """Fetch by the proxy's variables, and node:http asking the proxy itself, get answers and refusals."""
    proxy = filters_of(runtime).shared(SETTINGS)
    variables = dict.fromkeys(("http_proxy", "HTTP_PROXY"), f"http://127.0.0.1:{proxy.port}")
    direct = dict.fromkeys(("no_proxy", "NO_PROXY"), "127.0.0.1")
    environment = {**variables, **direct, "PORT": str(proxy.port)}
    done = proxy.execute(proxy.container, "sh", "-c", RUN, "sh", CLIENTS, environment=environment)
    assert done.stdout.split() == ["201", "/fetch", "403", "201", "/http", "403"], done.stderr


def test_a_slow_reader_costs_no_memory(filters: Filters, in_world: Callable[..., str]) -> None:
    """Of 400 MB that nobody reads yet, the filter holds next to nothing, and all of it arrives."""
    proxy = filters.start(SETTINGS)
    in_world("talks.py", str(proxy.port), "close")
    before = proxy.kilobytes("VmHWM")
    told = in_world("talks.py", str(proxy.port), "back_pressure").splitlines()
    assert [json.loads(line) for line in told] == [[0, 0]]
    assert proxy.kilobytes("VmHWM") - before < 16_000
    proxy.stop()
