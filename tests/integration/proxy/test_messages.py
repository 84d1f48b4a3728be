"""What the filter takes for HTTP, what it refuses, and what it sends on."""

from collections.abc import Mapping
from urllib.parse import quote

import pytest

from tests.integration.proxy.decisions import Case, Outcome, allowed, check, get, outcomes, refused
from tests.integration.proxy.filters import Filters
from tests.integration.proxy.world import PUBLIC

URI = "http://public.test/"
HOST = "Host: public.test"


def lines(*written: str, end: str = "\r\n") -> str:
    """Return lines as they are sent, with the empty one."""
    return "".join(f"{line}{end}" for line in [*written, ""])


def post(*fields: str, body: str = "", method: str = "POST", version: str = "1.1") -> str:
    """Return a request with a body."""
    return lines(f"{method} {URI} HTTP/{version}", HOST, *fields) + body


CHUNKED = "Transfer-Encoding: chunked"
SYNTAX = (
    [
        refused(f"request line {line!r}", lines(line, HOST), f"syntax: {what}", status=status)
        for line, what, status in (
            (f"GET {URI}", "bad request line", 400),
            (f"GET  {URI} HTTP/1.1", "bad request line", 400),
            (f"GET {URI}  HTTP/1.1", "bad request line", 400),
            (f"GET {URI} HTTP/1.1 ", "bad request line", 400),
            (f" GET {URI} HTTP/1.1", "bad request line", 400),
            (f"GET\t{URI}\tHTTP/1.1", "bad request line", 400),
            (f"GET {URI} x HTTP/1.1", "bad request line", 400),
            (f"GET {URI} http/1.1", "bad request line", 400),
            (f"GET {URI} HTTP/11", "bad request line", 400),
            (f"GET {URI} HTTPS/1.1", "bad request line", 400),
            (f"G(T {URI} HTTP/1.1", "bad request line", 400),
            (f"G\xc9T {URI} HTTP/1.1", "bad request line", 400),
            ("", "bad request line", 400),
            ("\x16\x03\x01\x02", "control character", 400),
            (f"GET {URI} HTTP/2.0", "HTTP version", 505),
            (f"GET {URI} HTTP/0.9", "HTTP version", 505),
            (f"GET {URI} HTTP/1.2", "HTTP version", 505),
            ("PRI * HTTP/2.0", "HTTP version", 505),
            (f"TRACE {URI} HTTP/1.1", "method TRACE", 405),
            (f"trace {URI} HTTP/1.1", "method trace", 405),
            (f"TRACK {URI} HTTP/1.1", "method TRACK", 405),
            (f"connect {URI} HTTP/1.1", "method connect", 405),
            (f"GET {URI}\0 HTTP/1.1", "NUL", 400),
            (f"GET {URI}\r HTTP/1.1", "bare CR", 400),
            (f"GET {URI}\x7f HTTP/1.1", "control character", 400),
            (f"GET {URI}{'a' * 17000} HTTP/1.1", "line too long", 414),
        )
    ]
    + [
        refused(
            f"field {field!r}", lines(f"GET {URI} HTTP/1.1", HOST, *field), f"syntax: {what}", status=status
        )
        for field, what, status in (
            (("X-A: 1", " folded"), "obs-fold", 400),
            (("X-A: 1", "\tfolded"), "obs-fold", 400),
            (("X-A : 1",), "bad header name", 400),
            (("X-A\t: 1",), "bad header name", 400),
            ((": 1",), "bad header name", 400),
            (("X-A",), "bad header name", 400),
            (("X A: 1",), "bad header name", 400),
            (("X(A): 1",), "bad header name", 400),
            (("X-\xc4: 1",), "bad header name", 400),
            (("X-A: 1\0",), "NUL", 400),
            (("X-A: 1\r2",), "bare CR", 400),
            (("X-A: 1\x012",), "control character", 400),
            (("X-A: 1\x0b",), "control character", 400),
            ((HOST,), "duplicate Host", 400),
            (("host: elsewhere.test",), "duplicate Host", 400),
            ((f"X-A: {'a' * 17000}",), "line too long", 431),
            (tuple(f"X-{number}: {'a' * 8000}" for number in range(9)), "line too long", 431),
            (tuple(f"X-{number}: a" for number in range(128)), "too many header fields", 431),
            (("Content-Length: 1", CHUNKED), "Content-Length with Transfer-Encoding", 400),
            ((CHUNKED, "Content-Length: 0"), "Content-Length with Transfer-Encoding", 400),
            (("Content-Length: 1", "Content-Length: 1"), "bad Content-Length", 400),
            (("Content-Length: 1", "Content-Length: 2"), "bad Content-Length", 400),
            (("Content-Length: 1, 1",), "bad Content-Length", 400),
            (("Content-Length: +1",), "bad Content-Length", 400),
            (("Content-Length: -1",), "bad Content-Length", 400),
            (("Content-Length: 0x1",), "bad Content-Length", 400),
            (("Content-Length: 1 1",), "bad Content-Length", 400),
            (("Content-Length:",), "bad Content-Length", 400),
            (("Content-Length: 9999999999999999",), "bad Content-Length", 400),
            (("Transfer-Encoding: gzip, chunked",), "Transfer-Encoding other than chunked", 400),
            (("Transfer-Encoding: chunked, chunked",), "Transfer-Encoding other than chunked", 400),
            (("Transfer-Encoding: identity",), "Transfer-Encoding other than chunked", 400),
            (("Transfer-Encoding: xchunked",), "Transfer-Encoding other than chunked", 400),
            (("Transfer-Encoding: chunked;q=1",), "Transfer-Encoding other than chunked", 400),
            (("Transfer-Encoding:",), "Transfer-Encoding other than chunked", 400),
            ((CHUNKED, CHUNKED), "Transfer-Encoding other than chunked", 400),
            (("Connection: a b",), "bad Connection", 400),
            (("Expect: 200-ok",), "unknown Expect", 417),
            (("Expect: 100-continue, x",), "unknown Expect", 417),
        )
    ]
    + [
        refused(
            f"Host of {method} {uri} is {host!r}", lines(f"{method} {uri} HTTP/1.1", *host), f"syntax: {what}"
        )
        for method, uri, host, what in (
            ("GET", URI, (), "no Host"),
            ("GET", URI, ("Host: elsewhere.test",), "Host differs from the address"),
            ("GET", URI, ("Host: public.test:443",), "Host differs from the address"),
            ("GET", URI, ("Host: public.test.evil.test",), "Host differs from the address"),
            ("GET", URI, ("Host: public.test, public.test",), "bad character in the host"),
            ("GET", URI, ("Host: me@public.test",), "user information is not taken"),
            ("GET", URI, ("Host:",), "bad host or port"),
            ("GET", "http://8.8.8.8/", ("Host: 8.8.4.4",), "Host differs from the address"),
            ("CONNECT", "public.test:443", (), "no Host"),
            ("CONNECT", "public.test:443", (HOST, HOST), "duplicate Host"),
        )
    ]
    + [
        refused("bare LF in the request line", f"GET {URI} HTTP/1.1\n{HOST}\r\n\r\n", "syntax: bare LF"),
        refused("bare LF behind a field", f"GET {URI} HTTP/1.1\r\n{HOST}\n\r\n", "syntax: bare LF"),
        refused("bare LF at the end", f"GET {URI} HTTP/1.1\r\n{HOST}\r\n\n", "syntax: bare LF"),
        refused("bare LFs everywhere", lines(f"GET {URI} HTTP/1.1", HOST, end="\n"), "syntax: bare LF"),
        refused("a field before the end", f"GET {URI} HTTP/1.1\r\n{HOST}\r\nX-A: 1", "syntax: it ends early"),
        refused("nothing but a method", "GET", "syntax: it ends early"),
        refused("two empty lines first", "\r\n\r\n" + get("public.test"), "syntax: bad request line"),
        refused(
            "chunks in HTTP/1.0", post(CHUNKED, version="1.0"), "syntax: Transfer-Encoding other than chunked"
        ),
        refused(
            "a tunnel with a body",
            post("Content-Length: 1").replace(f"POST {URI}", "CONNECT public.test:80"),
            "syntax: CONNECT with a body",
        ),
        refused(
            "a tunnel with chunks",
            post(CHUNKED).replace(f"POST {URI}", "CONNECT public.test:80"),
            "syntax: CONNECT with a body",
        ),
        refused(
            "Max-Forwards", post("Max-Forwards: 0", method="OPTIONS"), "syntax: Max-Forwards is not taken"
        ),
    ]
)

ACCEPTED = [
    allowed("method of one's own", get("public.test", method="BREW")),
    allowed("lower case method", get("public.test", method="get")),
    allowed("capitals in the scheme", lines("GET HTTP://public.test/ HTTP/1.1", HOST)),
    allowed("an empty line first", "\r\n" + get("public.test")),
    allowed("HTTP/1.0 without Host", lines(f"GET {URI} HTTP/1.0")),
    allowed("no blank behind the colon", lines(f"GET {URI} HTTP/1.1", "Host:public.test")),
    allowed("blanks around the value", lines(f"GET {URI} HTTP/1.1", "Host: \t public.test \t")),
    allowed("Host in capitals with its port", lines(f"GET {URI} HTTP/1.1", "HOST: PUBLIC.TEST.:80")),
    allowed(
        "Host in another spelling",
        lines("GET http://8.8.8.8/ HTTP/1.1", "Host: 0x8.8.8.8"),
        dial=("8.8.8.8", 80),
    ),
    allowed("port 443 in clear", get("public.test:443"), dial=(PUBLIC, 443)),
    allowed("127 more fields", get("public.test", "/", *[f"X-{number}: a" for number in range(127)])),
    allowed("a long line", get("public.test", "/" + "a" * 16000)),
    allowed("bytes above ASCII in a value", get("public.test", "/", "X-A: \xe9\xff")),
    allowed("an empty value", get("public.test", "/", "X-A:")),
    allowed("empty members of Connection", get("public.test", "/", "Connection: , close,")),
    allowed("a body", post("Content-Length: 3", body="abc")),
    allowed("an empty body", post("Content-Length: 0")),
    allowed("leading zeros in the length", post("Content-Length: 003", body="abc")),
    allowed("chunks", post(CHUNKED, body="3\r\nabc\r\n0\r\n\r\n")),
    allowed("chunks in capitals", post("TRANSFER-ENCODING: Chunked", body="A\r\n0123456789\r\n00\r\n\r\n")),
    allowed("chunk extensions", post(CHUNKED, body='3;a="b"\r\nabc\r\n0;c\r\n\r\n')),
    allowed("GET with a body", post("Content-Length: 3", body="abc", method="GET")),
    allowed(
        "a tunnel whose Host has no port",
        lines("CONNECT public.test:443 HTTP/1.1", HOST),
        status=200,
        dial=(PUBLIC, 443),
    ),
    *(
        allowed(
            f"a tunnel whose Host is {host}",
            lines("CONNECT public.test:443 HTTP/1.1", f"Host: {host}"),
            status=200,
            dial=(PUBLIC, 443),
        )
        # Node's documented form sends the proxy's own.
        for host in ("127.0.0.1:8118", "other.test:443", "public.test:80", "private.test")
    ),
    allowed(
        "a tunnel by HTTP/1.0", lines("CONNECT public.test:443 HTTP/1.0"), status=200, dial=(PUBLIC, 443)
    ),
    allowed(
        "a tunnel with a length of nothing",
        lines("CONNECT public.test:443 HTTP/1.1", HOST, "Content-Length: 0"),
        status=200,
        dial=(PUBLIC, 443),
    ),
]

BROKEN_BODIES = [
    Case(
        name=f"body {body!r}",
        request=post(field, body=body),
        status=400,
        rule=f"syntax: {what}",
        dials=((PUBLIC, 80),),
    )
    for field, body, what in (
        ("Content-Length: 5", "abc", "the body ends early"),
        (CHUNKED, "", "it ends early"),
        (CHUNKED, "3\r\nabc\r\n", "it ends early"),
        (CHUNKED, "3\r\nab", "the body ends early"),
        (CHUNKED, "3\r\nabcd\r\n0\r\n\r\n", "bad chunk"),
        (CHUNKED, "3\nabc\r\n0\r\n\r\n", "bare LF"),
        (CHUNKED, "3\r\nabc\n0\r\n\r\n", "bad chunk"),
        (CHUNKED, "0x3\r\nabc\r\n0\r\n\r\n", "bad chunk size"),
        (CHUNKED, "-3\r\nabc\r\n0\r\n\r\n", "bad chunk size"),
        (CHUNKED, " 3\r\nabc\r\n0\r\n\r\n", "bad chunk size"),
        (CHUNKED, "3 \r\nabc\r\n0\r\n\r\n", "bad chunk size"),
        (CHUNKED, "\r\nabc\r\n0\r\n\r\n", "bad chunk size"),
        (CHUNKED, "fffffffffffffffff\r\nabc", "bad chunk size"),
        (CHUNKED, f"3;{'a' * 2000}\r\nabc\r\n0\r\n\r\n", "line too long"),
        (CHUNKED, "0\r\nX-A: 1\r\n folded\r\n\r\n", "obs-fold"),
        (CHUNKED, "0\r\nX A: 1\r\n\r\n", "bad header name"),
        (CHUNKED, "0\r\nX-A: 1\n\r\n", "bare LF"),
    )
]


def raw(answer: str, *fields: str, method: str = "GET", version: str = "1.1") -> str:
    """Return a request for a server that answers just that."""
    path = f"/raw?{quote(answer, safe='')}"
    return lines(f"{method} http://public.test{path} HTTP/{version}", HOST, *fields)


OK = "HTTP/1.1 200 OK\r\n"
ANSWERS = (
    [
        Case(
            name=f"answer {answer!r}",
            request=raw(answer),
            status=502,
            rule=f"response: {what}",
            dials=((PUBLIC, 80),),
        )
        for answer, what in (
            ("", "it ends early"),
            ("HTTP/1.1 200 OK\r\n", "it ends early"),
            ("hello\r\n\r\n", "bad status line"),
            ("HTTP/1.1 20 OK\r\n\r\n", "bad status line"),
            ("HTTP/1.1 999 OK\r\n\r\n", "bad status line"),
            ("HTTP/2 200 OK\r\n\r\n", "bad status line"),
            ("HTTP/1.1  200 OK\r\n\r\n", "bad status line"),
            ("HTTP/1.1 200 OK\n\n", "bare LF"),
            ("HTTP/1.1 200 O\0K\r\n\r\n", "NUL"),
            (f"{OK}X-A: 1\r\n folded\r\n\r\n", "obs-fold"),
            (f"{OK}X-A : 1\r\n\r\n", "bad header name"),
            (f"{OK}X-A: 1\rX-B: 2\r\n\r\n", "bare CR"),
            (
                f"{OK}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                "Content-Length with Transfer-Encoding",
            ),
            (f"{OK}Content-Length: 1\r\nContent-Length: 2\r\n\r\na", "bad Content-Length"),
            (f"{OK}Content-Length: a\r\n\r\n", "bad Content-Length"),
            (f"{OK}Transfer-Encoding: gzip\r\n\r\n", "Transfer-Encoding other than chunked"),
            (f"HTTP/1.0 200 OK\r\n{CHUNKED}\r\n\r\n0\r\n\r\n", "Transfer-Encoding other than chunked"),
            (
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
                "unasked 101",
            ),
        )
    ]
    + [
        Case(
            name=f"{count} interim responses",
            request=raw("HTTP/1.1 103 Early Hints\r\n\r\n" * count + f"{OK}\r\n", version="1.0"),
            status=status,
            rule=rule,
            dials=((PUBLIC, 80),),
        )
        for count, status, rule in (
            (100, 200, "whitelist: empty"),
            (101, 502, "response: too many interim responses"),
        )
    ]
    + [
        Case(name=name, request=request, status=status, rule="whitelist: empty", dials=((PUBLIC, 80),))
        for name, request, status in (
            ("an answer without reason", raw("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"), 200),
            ("an answer of HTTP/1.0", raw("HTTP/1.0 404 No\r\n\r\nnothing"), 404),
            ("a hint and an answer", raw(f"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n{OK}\r\n"), 103),
            (
                "a hint for HTTP/1.0",
                raw(f"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n{OK}\r\n", version="1.0"),
                200,
            ),
        )
    ]
)
CASES = [*SYNTAX, *ACCEPTED, *BROKEN_BODIES, *ANSWERS]


@pytest.fixture(scope="module")
def found(filters: Filters) -> Mapping[str, Outcome]:
    """Give what one runtime's filters make of all cases."""
    return outcomes(filters, CASES)


@pytest.mark.parametrize(
    "case", CASES, ids=lambda case: case.name.encode("ascii", "backslashreplace").decode()[:99]
)
def test_only_what_is_understood_is_passed_on(found: Mapping[str, Outcome], case: Case) -> None:
    """The client's status, the rule in the log and what the servers saw are those of the table."""
    check(case, found[case.name])
