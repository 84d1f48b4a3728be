"""The filter, started in each of the ways there are, asked by real HTTP clients."""

import json
from collections.abc import Callable, Mapping
from subprocess import CompletedProcess
from time import monotonic, sleep

import pytest

START = {
    "node": ("node", "/usr/local/bin/proxy.mjs"),
    "bash": ("bash", "/usr/local/bin/proxy.sh"),
    "deno": ("isol8-proxy",),
}
PORTS = {"node": 8118, "bash": 8119, "deno": 8120}
NETWORKS = {"ISOL8_ALLOW_NETS": "127.0.0.0/8, ::1/128", "ISOL8_ALLOW_PORTS": "8000,8001,9"}
POLICY = {
    "ISOL8_WHITELIST": json.dumps([r"^allowed\.test$", r"^blocked\.test$", "^127[.]0[.]0[.]1$", "^::1$"]),
    "ISOL8_BLACKLIST": json.dumps([r"^blocked\.test$"]),
} | NETWORKS
HOSTS = dict.fromkeys(("allowed.test", "blocked.test", "other.test"), "127.0.0.1")

SERVER = r"""
import http.server, json, socketserver, threading

seen = threading.Event()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        if self.path == "/wait":
            seen.wait(10)
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length) if length else b""
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
                seen.set()
            self.rfile.readline()
        if self.path == "/release":
            seen.set()
        told = [self.command, self.path, self.headers.items(), len(body), sum(body)]
        self.answer(json.dumps(told).encode())

    do_POST = do_DELETE = do_HEAD = do_GET

    def answer(self, data):
        if self.path == "/broken":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
            self.close_connection = True
            return
        self.send_response(201, "Made")
        for header in ("Set-Cookie: a=1", "Set-Cookie: b=2", "Connection: x-hop", "X-Hop: 1"):
            self.send_header(*header.split(": "))
        if self.path == "/stream":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"3\r\none\r\n")
            seen.wait(10)
            self.wfile.write(b"3\r\ntwo\r\n0\r\n\r\n")
            return
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else data)
        seen.clear()


class Count(socketserver.BaseRequestHandler):
    "Tells how much it was sent, once the other side has said that it sends no more."

    def handle(self):
        total = 0
        while data := self.request.recv(65536):
            total += len(data)
        self.request.sendall(b"got %d" % total)


socketserver.ThreadingTCPServer.allow_reuse_address = True
threading.Thread(target=socketserver.ThreadingTCPServer(("127.0.0.1", 8001), Count).serve_forever).start()
http.server.ThreadingHTTPServer(("127.0.0.1", 8000), Handler).serve_forever()
"""

CLIENT = r"""
import http.client, json, socket, sys

port = int(sys.argv[1])


def ask(method, url, **more):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
    connection.request(method, url, **more)
    return connection.getresponse()


def raw(text):
    link = socket.create_connection(("127.0.0.1", port), timeout=15)
    link.sendall(text.encode())
    return link


def first_line(link):
    return link.makefile("rb").readline().decode().strip()

"""


class Proxied:
    """One runtime's running proxy, and the clients that go through it."""

    def __init__(
        self, execute: Callable[..., CompletedProcess[str]], *, runtime: str, container: str, server: str
    ) -> None:
        self.execute = execute
        self.start = START[runtime]
        self.port = PORTS[runtime]
        self.container = container
        self.server = server

    def curl(self, *arguments: str) -> CompletedProcess[str]:
        """Run the image's own curl through the proxy, for 15 seconds at most."""
        proxy = f"http://127.0.0.1:{self.port}"
        return self.execute(
            self.container, "curl", "-sS", "-m", "15", "--noproxy", "", "-x", proxy, *arguments
        )

    def python(self, program: str) -> str:
        """Run a Python client beside the server and return what it prints."""
        done = self.execute(self.server, "python3", "-c", CLIENT + program, str(self.port))
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def server(
    base_images: Mapping[str, str],
    start_sandbox: Callable[..., str],
    execute: Callable[..., CompletedProcess[str]],
) -> str:
    """Give a container whose loopback holds the servers and names that the proxies are asked for."""
    container = start_sandbox(base_images["python"], hosts=HOSTS)
    execute(container, "python3", "-c", SERVER, detach=True)
    _wait(execute, container, 8000, seconds=30)
    return container


@pytest.fixture(scope="module", params=list(START))
def proxied(
    request: pytest.FixtureRequest,
    base_images: Mapping[str, str],
    start_sandbox: Callable[..., str],
    execute: Callable[..., CompletedProcess[str]],
    server: str,
) -> Proxied:
    """Start the proxy in the server's network, with the environment that isol8's clients give it."""
    runtime = request.param
    port = PORTS[runtime]
    container = start_sandbox(base_images[runtime], network=f"container:{server}")
    names = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
    proxies = dict.fromkeys(names, f"http://127.0.0.1:{port}")
    own_port = {} if port == 8118 else {"ISOL8_PROXY_PORT": str(port)}
    execute(container, *START[runtime], environment=POLICY | proxies | own_port, detach=True)
    _wait(execute, container, port)
    return Proxied(execute, runtime=runtime, container=container, server=server)


class TestRequests:
    """Plain HTTP."""

    def test_an_allowed_host_answers(self, proxied: Proxied) -> None:
        """Path, query and Host arrive as they were asked for."""
        method, path, headers, *_ = json.loads(proxied.curl("http://allowed.test:8000/a%20b?c=d").stdout)
        assert (method, path) == ("GET", "/a%20b?c=d")
        assert [value for name, value in headers if name.lower() == "host"] == ["allowed.test:8000"]

    @pytest.mark.parametrize(
        ("url", "host"),
        [
            pytest.param("http://other.test:8000/", "other.test", id="not on the whitelist"),
            pytest.param("http://blocked.test:8000/", "blocked.test", id="on both lists"),
            pytest.param("http://BLOCKED.test:8000/", "blocked.test", id="in capitals"),
            pytest.param("http://blocked.test.:8000/", "blocked.test", id="with the final dot"),
        ],
    )
    def test_a_refused_host_gets_403(self, proxied: Proxied, url: str, host: str) -> None:
        """A host on the blacklist, or missing from the whitelist, is refused, however it is written."""
        done = proxied.curl("-w", "%{http_code}", url)
        assert done.stdout == f"isol8: request to {host} blocked by network filter\n403"

    def test_a_dead_server_gives_502(self, proxied: Proxied) -> None:
        """A server that does not listen is named together with what happened."""
        done = proxied.curl("-w", "%{http_code}", "http://allowed.test:9/")
        assert done.stdout == "isol8: allowed.test cannot be reached: ECONNREFUSED\n502"

    def test_a_request_that_is_not_for_a_proxy_gives_400(self, proxied: Proxied) -> None:
        """A path instead of an address, and another scheme, are refused as the client's mistake."""
        program = """
for url in ("/", "ftp://allowed.test/", "https://allowed.test/", "http://"):
    print(ask("GET", url).status)
"""
        assert proxied.python(program).split() == ["400"] * 4

    def test_headers_of_one_connection_stay_there(self, proxied: Proxied) -> None:
        """Hop-by-hop headers, and those that Connection names, are dropped; repeated ones arrive."""
        program = """
lines = ["GET http://allowed.test:8000/ HTTP/1.1", "Host: allowed.test:8000", "Connection: close, X-Named",
    "X-Named: 1", "Proxy-Authorization: Basic c2VjcmV0", "Proxy-Connection: keep-alive", "TE: trailers",
    "Upgrade: websocket", "X-Twice: 1", "X-Twice: 2", "constructor: 3", "", ""]
link = raw("\\r\\n".join(lines))
reply = http.client.HTTPResponse(link)
reply.begin()
print(json.dumps([reply.status, reply.reason, reply.getheaders(), json.loads(reply.read())[2]]))
"""
        status, reason, answered, arrived = json.loads(proxied.python(program))
        assert (status, reason) == (201, "Made")
        assert sorted([name.lower(), value] for name, value in arrived if name.lower() != "connection") == [
            ["constructor", "3"],
            ["host", "allowed.test:8000"],
            ["via", "1.1 isol8"],
            ["x-twice", "1"],
            ["x-twice", "2"],
        ]
        assert [value for name, value in answered if name.lower() == "set-cookie"] == ["a=1", "b=2"]
        assert "x-hop" not in [name.lower() for name, _ in answered]

    def test_large_bodies_arrive_whole(self, proxied: Proxied) -> None:
        """Three megabytes, through the proxy setting of Python's own client, lose nothing."""
        program = """
import urllib.request
handler = urllib.request.ProxyHandler({"http": f"http://127.0.0.1:{port}"})
body = bytes(range(256)) * 12000
with urllib.request.build_opener(handler).open("http://allowed.test:8000/", data=body, timeout=15) as reply:
    print(json.loads(reply.read())[3:] == [len(body), sum(body)])
"""
        assert proxied.python(program) == "True\n"

    def test_a_body_of_unknown_length_is_framed(self, proxied: Proxied) -> None:
        """A chunked body arrives with every method."""
        program = """
for method in ("GET", "POST", "DELETE"):
    reply = ask(method, "http://allowed.test:8000/", body=iter([b"abc", b"defg"]), encode_chunked=True,
                headers={"Transfer-Encoding": "chunked"})
    print(json.loads(reply.read())[3])
"""
        assert proxied.python(program).split() == ["7"] * 3

    def test_an_answer_is_passed_on_while_it_comes(self, proxied: Proxied) -> None:
        """The first part is here before the server has sent the second."""
        program = """
reply = ask("GET", "http://allowed.test:8000/stream")
print(reply.read(3).decode())
ask("GET", "http://allowed.test:8000/release").read()
print(reply.read().decode())
"""
        assert proxied.python(program).split() == ["one", "two"]

    def test_a_body_is_passed_on_while_it_comes(self, proxied: Proxied) -> None:
        """The server sees the first part before the client has sent the second."""
        program = """
head = ["POST http://allowed.test:8000/ HTTP/1.1", "Host: allowed.test:8000", "Transfer-Encoding: chunked", "", ""]
link = raw("\\r\\n".join(head) + "3\\r\\none\\r\\n")
print(ask("GET", "http://allowed.test:8000/wait").status)
link.sendall(b"3\\r\\ntwo\\r\\n0\\r\\n\\r\\n")
print(first_line(link))
"""
        assert proxied.python(program).splitlines() == ["201", "HTTP/1.1 201 Made"]

    def test_an_answer_that_breaks_off_is_not_taken_for_whole(self, proxied: Proxied) -> None:
        """The client of a server that dies half-way sees that something is missing."""
        done = proxied.curl("http://allowed.test:8000/broken")
        assert done.returncode in {18, 56}
        assert (
            proxied.curl("-o", "/dev/null", "-w", "%{http_code}", "http://allowed.test:8000/").stdout == "201"
        )

    def test_head_has_no_body(self, proxied: Proxied) -> None:
        """HEAD tells the length and sends nothing."""
        done = proxied.curl("-I", "http://allowed.test:8000/")
        assert done.returncode == 0
        assert "content-length:" in done.stdout.lower()


class TestConnect:
    """Tunnels."""

    def test_an_allowed_host_is_reached(self, proxied: Proxied) -> None:
        """What curl asks through the tunnel, the server gets unchanged."""
        done = proxied.curl("-p", "-H", "Connection: x-kept", "-H", "X-Kept: 1", "http://allowed.test:8000/")
        assert ["X-Kept", "1"] in json.loads(done.stdout)[2]

    @pytest.mark.parametrize("host", ["other.test", "blocked.test", "BLOCKED.test", "blocked.test."])
    def test_a_refused_host_gets_403(self, proxied: Proxied, host: str) -> None:
        """The lists hold for tunnels as they do for requests."""
        done = proxied.curl("-p", "-o", "/dev/null", "-w", "%{http_connect}", f"http://{host}:8000/")
        assert done.stdout == "403"
        assert done.returncode != 0

    def test_each_target_gets_its_status(self, proxied: Proxied) -> None:
        """Judged is what is connected to; a dead server is 502, a refused one 403, a malformed target 400."""
        expected = {
            "0x7f.1:8000": "200 Connection Established",
            "allowed.test:9": "502 Bad Gateway",
            "[::1]:9": "502 Bad Gateway",
            "[::2]:9": "403 Forbidden",
            "allowed.test": "400 Bad Request",
            "allowed.test:": "400 Bad Request",
            "allowed.test:99999": "400 Bad Request",
            "me@allowed.test:8000": "400 Bad Request",
            "blocked.test:8000#.allowed.test:8000": "400 Bad Request",
        }
        program = f"""
for target in {list(expected)}:
    print(target, first_line(raw(f"CONNECT {{target}} HTTP/1.1\\r\\nHost: {{target}}\\r\\n\\r\\n")))
"""
        answered = dict(line.split(" HTTP/1.1 ") for line in proxied.python(program).splitlines())
        assert answered == expected

    def test_one_side_may_finish_first(self, proxied: Proxied) -> None:
        """A server that answers only when the client has said all still gets its answer back."""
        program = """
link = raw("CONNECT allowed.test:8001 HTTP/1.1\\r\\nHost: allowed.test\\r\\n\\r\\nearly")
stream = link.makefile("rb")
while stream.readline().strip():
    pass
link.sendall(b"x" * 1000000)
link.shutdown(socket.SHUT_WR)
print(stream.read().decode())
"""
        assert proxied.python(program) == "got 1000005\n"


class TestMishaps:
    """What must not end the proxy."""

    def test_clients_that_vanish_leave_it_running(self, proxied: Proxied) -> None:
        """A request, an answer or a tunnel cut off half-way is survived, and so is an upload to nobody."""
        program = """
import struct
post = "POST http://allowed.test:8000/ HTTP/1.1\\r\\nHost: allowed.test:8000\\r\\nContent-Length: 99\\r\\n\\r\\nhalf"
stream = "GET http://allowed.test:8000/stream HTTP/1.1\\r\\nHost: allowed.test:8000\\r\\n\\r\\n"
tunnels = [f"CONNECT {host}:{port} HTTP/1.1\\r\\nHost: {host}\\r\\n\\r\\n"
           for host in ("allowed.test", "blocked.test") for port in (8000, 9)]
for text in [post, stream, "garbage\\r\\n\\r\\n", *tunnels]:
    link = raw(text)
    if text != post:
        first_line(link)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    link.close()
try:
    print(ask("POST", "http://allowed.test:9/", body=b"x" * 3000000).status)
except OSError:  # answered and closed while the body was on its way
    print(502)
print(ask("GET", "http://allowed.test:8000/release").status)
"""
        assert proxied.python(program).split() == ["502", "201"]


class TestPolicy:
    """What is read at the start."""

    def test_one_that_does_not_parse_refuses_to_start(self, proxied: Proxied) -> None:
        """One line names the variable, the status is 2, and nothing listens: the process has ended."""
        cases = {
            "ISOL8_WHITELIST=[": "",  # what comes after the name is the engine's wording here
            "ISOL8_WHITELIST=": "",
            'ISOL8_BLACKLIST=["ok", "("]': '"(": unmatched ( at 2',
            'ISOL8_BLACKLIST="a"': "not a JSON array of strings",
            'ISOL8_BLACKLIST=["a", 1]': "not a JSON array of strings",
            "ISOL8_PROXY_PORT=80a": '"80a" is not a port',
            "ISOL8_PROXY_PORT=65536": '"65536" is not a port',
            "ISOL8_ALLOW_PORTS=80,0": '"0" is not a port',
            "ISOL8_ALLOW_NETS=10.0.0.0/33": '"10.0.0.0/33" is not a network like 10.0.0.0/8',
            "ISOL8_ALLOW_NETS=10.0.0.0": '"10.0.0.0" is not a network like 10.0.0.0/8',
        }
        script = """
for setting; do
    env ISOL8_PROXY_PORT=8199 "$setting" timeout 5 isol8-proxy > /tmp/out 2> /tmp/err
    echo "$? $(wc -c < /tmp/out) $(cat /tmp/err)"
done
"""
        told = proxied.execute(proxied.container, "sh", "-c", script, "sh", *cases).stdout.splitlines()
        assert len(told) == len(cases)
        for line, (setting, message) in zip(told, cases.items(), strict=True):
            expected = f"2 0 isol8 proxy: {setting.partition('=')[0]}: {message}"
            assert line == expected if message else line.startswith(expected)

    @pytest.mark.parametrize("runtime", ["node", "bash"])
    def test_clients_get_the_reason(
        self,
        base_images: Mapping[str, str],
        start_sandbox: Callable[..., str],
        execute: Callable[..., CompletedProcess[str]],
        server: str,
        runtime: str,
    ) -> None:
        """Started as clients start it, it listens, answers each request with what is wrong, and dials nothing."""
        container = start_sandbox(base_images[runtime], network=f"container:{server}")
        port = 8122 + (runtime == "bash")
        policy = {"ISOL8_WHITELIST": '["("]', "ISOL8_PROXY_PORT": str(port)}
        execute(container, *START[runtime], environment=policy | NETWORKS, detach=True)
        _wait(execute, container, port)
        curl = ("curl", "-sS", "-m", "15", "-w", "%{http_code}", "-x", f"http://127.0.0.1:{port}")
        told = execute(container, *curl, "http://allowed.test:8000/").stdout
        why = 'ISOL8_WHITELIST: "(": unmatched ( at 2'
        assert told == f"isol8: the policy of the network filter cannot be read: {why}\n503"
        tunnel = execute(container, *curl, "-p", "-o", "/dev/null", "http://allowed.test:8000/")
        assert "CONNECT tunnel failed, response 503" in tunnel.stderr

    def test_a_port_in_use_is_said(self, proxied: Proxied) -> None:
        """A second proxy on the same port gives up in one line."""
        environment = {"ISOL8_PROXY_PORT": str(proxied.port)}
        done = proxied.execute(proxied.container, *proxied.start, environment=environment)
        assert done.returncode == 1
        assert done.stderr.startswith(f"isol8 proxy: cannot listen on 127.0.0.1:{proxied.port}: ")

    def test_without_lists_everything_is_allowed(
        self,
        base_images: Mapping[str, str],
        start_sandbox: Callable[..., str],
        execute: Callable[..., CompletedProcess[str]],
        server: str,
    ) -> None:
        """Started as isol8's first clients start it, with empty lists, the proxy lets every host through."""
        container = start_sandbox(base_images["node"], network=f"container:{server}")
        script = """
ISOL8_WHITELIST='[]' ISOL8_BLACKLIST='[]' node /usr/local/bin/proxy.mjs > /dev/null &
until nc -z 127.0.0.1 8121; do sleep 0.05; done
curl -sS -m 15 -w '%{http_code}' -o /dev/null -x 127.0.0.1:8121 http://other.test:8000/
kill $!
"""
        done = execute(container, "sh", "-c", script, environment={"ISOL8_PROXY_PORT": "8121"} | NETWORKS)
        assert done.stdout == "201"


def _wait(
    execute: Callable[..., CompletedProcess[str]], container: str, port: int, *, seconds: float = 5
) -> None:
    """Return once something listens, found out as isol8's clients do it; they give up after five seconds."""
    deadline = monotonic() + seconds
    while execute(container, "nc", "-z", "127.0.0.1", str(port)).returncode:
        assert monotonic() < deadline, f"nothing listens on port {port}"
        sleep(0.05)
