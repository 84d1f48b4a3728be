"""What engines, pip, npm, apk and apt print when something is in their way, as its cause and the next step; pure.

It imports nothing but Python's own library, since ./doitw asks it before there is any environment.
"""

import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from isol8_tasks.errors import COMMAND

_CODE: Final = (
    r"\b(?:HTTP(?:/[\d.]+)?|status(?: code)?|code|error|answers|returned|failed|failed:|E|Response)[\s:=]*"
)


class _Kind(NamedTuple):
    """A kind of trouble: what it is told by, how it reads, and what to do about it."""

    name: str
    pattern: re.Pattern[str]
    cause: str
    advice: str


def _kind(name: str, pattern: str, cause: str, advice: str) -> _Kind:
    return _Kind(name, re.compile(pattern, re.IGNORECASE), cause, advice)


_WAY: Final = "Check the network and {source}."
_KINDS: Final = (
    _kind(
        "disk",
        r"no space left on device|ENOSPC|disk quota exceeded|No usable temporary directory|not enough (?:disk )?space",
        "the disk is full",
        f"Free space: {COMMAND} prune removes what this project no longer uses, docker system prune what nothing uses.",
    ),
    _kind(
        "read-only",
        r"read-only file system|EROFS",
        "the file system is read-only",
        "Use a folder on a file system that can be written.",
    ),
    _kind(
        "store",
        r"failed to read downloaded context: failed to load cache key",
        "this engine's BuildKit can't read what it is sent: a fault of Engines before 27.5 with containerd's store",
        "Update Docker, turn that store off (containerd-snapshotter in daemon.json, or in Docker Desktop's settings), "
        'or write builder = "auto" under [build] in deps.toml.',
    ),
    _kind(
        "proxy-login",
        r"\b407\b|proxy authentication required",
        "the proxy asks for a login (407)",
        "Put a user and a password before the host of the proxy, in {proxy}.",
    ),
    _kind(
        "proxy",
        r"proxyconnect|cannot connect to proxy|ProxyError|CONNECT tunnel failed|tunneling socket|unsupported proxy"
        r"|(?:invalid|resolve|parsing) proxy|from proxy|tunnel connection failed|unable to connect to [\S]*proxy",
        "the proxy can't be used",
        "Check the proxy in {proxy}, or unset it.",
    ),
    _kind(
        "certificate",
        r"CERTIFICATE_VERIFY_FAILED|check_hostname requires|x509:|self[- _]signed[- _]cert|certificate verif\w+ failed"
        r"|UNABLE_TO_(?:GET|VERIFY)_\w+"
        r"|certificate (?:has expired|is not (?:yet valid|trusted))|certificate not trusted|unknown ?(?:issuer|ca)\b"
        r"|CERT_HAS_EXPIRED|invalid peer certificate|ERR_TLS_CERT|unable to get (?:local )?issuer cert"
        r"|TLS: (?:unspecified|server cert)|certificate is NOT trusted",
        "the certificate of {server} is not trusted",
        "Add the authority that signed it to those that are trusted, check this machine's clock, or correct {source}.",
    ),
    _kind(
        "tls",
        r"HTTP response to HTTPS client|wrong[_ ]version[_ ]number|first record does not look like a TLS"
        r"|record overflow"
        r"|packet length too long|EPROTO\b|InvalidContentType|HTTP request to an HTTPS server|tls handshake failure",
        "{server} does not speak TLS (https) as expected",
        "Write http:// for https:// (or the reverse) in {source}; the engine needs it among its insecure-registries.",
    ),
    _kind(
        "rate",
        rf"toomanyrequests|too many requests|{_CODE}429\b|\bE429\b|rate ?limit",
        "{server} allows no more requests for now (429)",
        "Wait and run again, or check {login} and {source}.",
    ),
    _kind(
        "html",
        r"^(?!.*HTTP [45]\d\d response).*(?:invalid character '<'|unexpected token '?<|<!DOCTYPE html"
        r"|unsupported content type.*text/html|NOSPLIT)",
        "{server} answers with a web page, as a captive portal or a proxy does",
        "Log in to the network in a browser, or check {source}.",
    ),
    _kind(
        "login",
        rf"{_CODE}401\b|\bunauthorized|authentication (?:is )?required|no basic auth cred"
        r"|incorrect username or password"
        r"|401 Client Error|\bE401\b|needs? (?:a )?login|User for \S+:|requires authentication",
        "{server} asks for a login (401)",
        "Check the user and the password in {login}.",
    ),
    _kind(
        "name",
        r"no such host|name or service not known|name does not resolve|name resolution|EAI_AGAIN|ENOTFOUND"
        r"|could(?: not|n't) resolve|temporary failure resolving|nodename nor servname|dns (?:lookup )?error"
        r"|DNS: |FailedToOpenSocket|server misbehaving|bad address",
        "the name {server} can't be resolved",
        _WAY,
    ),
    _kind(
        "refused",
        r"connection refused|ECONNREFUSED|ConnectionRefused|actively refused|(?:couldn't|failed to|could not) connect",
        "{server} refuses connections",
        _WAY,
    ),
    _kind(
        "unreachable",
        r"network (?:is )?unreachable|no route to host|ENETUNREACH|EHOSTUNREACH|host is unreachable|EADDRNOTAVAIL",
        "{server} can't be reached",
        _WAY,
    ),
    _kind(
        "timeout",
        r"i/o timeout|deadline exceeded|timed[ -]?out|ETIMEDOUT|Client\.Timeout|handshake timeout|no progress for"
        r"|ReadTimeout|ConnectTimeout|network timeout|EIDLETIMEOUT|does not answer",
        "{server} does not answer in time",
        _WAY,
    ),
    _kind(
        "server",
        rf"{_CODE}50[0-4]\b|bad gateway|service (?:temporarily )?unavailable|internal server error|gateway time-?out"
        r"|50[0-4] Server Error|HTTP/1\.[01]\" 50[0-4]\b|too many 50[0-4] error",
        "{server} has an error of its own",
        "Run again later, or check {source}.",
    ),
    _kind(
        "reset",
        r"connection reset|ECONNRESET|unexpected EOF|broken pipe|RemoteDisconnected|closed connection|socket hang up"
        r"|ConnectionClosed|: EOF$|premature close|IncompleteRead|EOF occurred|connection failed",
        "the connection to {server} was cut off",
        _WAY,
    ),
    _kind(
        "denied",
        rf"{_CODE}403\b|\bforbidden\b|403 Client Error|\bE403\b|access (?:is |to .* is )?denied|\bdenied:",
        "{server} refuses access (403)",
        "Check the user's rights in {login} and {source}.",
    ),
    _kind(
        "missing",
        r"manifest unknown|manifest for \S+ not found|name unknown|NAME_UNKNOWN"
        r"|repository \S* ?(?:does )?not (?:exist|found)"
        rf"|{_CODE}404\b|404 Client Error|\bE404\b|404 +not found",
        "{server} has no such thing (404)",
        "Check the name, the version and {source}.",
    ),
    _kind(
        "untrusted",
        r"is not a trusted or secure host",
        "pip ignores {server}, which it would have to ask without TLS",
        "Write https:// in {source}, or name the host in PIP_TRUSTED_HOST.",
    ),
    _kind(
        "html",
        r"Fetched page \S+ as text/html",
        "{server} answers with a web page that lists nothing, as a captive portal does",
        "Log in to the network in a browser, or check {source}.",
    ),
)
PROXIES: Final = "https_proxy and http_proxy"
_HOST: Final = (
    r"lookup (?!address information)([\w.-]+)",
    r"host='([^']+)'",
    r"https?://(?:[^\s/@'\"]*@)?(\[[\da-f:]+\]:\d+|[\w.-]+(?::\d+)?)",
    r"(?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED|resolve(?: host)?:?) '?([\w.:-]+\w)",
    r"dial tcp ([\w.:\[\]-]+\w)",
    r"repository located at ([\w.-]+)",
)
_TRACED: Final = re.compile(r"\s*File \"[^\"]*\", line \d+")
_DOCS: Final = re.compile(r"\bdocs?\b|details|\bsee\b|log of this run", re.IGNORECASE)
_RETRIED: Final = re.compile(r"Retrying|Retry\(|will retry|attempt \d")
_LEAST_FREE: Final = 1 << 20
_SETTLED: Final = re.compile(
    r"No matching distribution|Max retries|Could not fetch URL|could not install packages", re.IGNORECASE
)
_WITHIN: Final = {
    *("untrusted", "proxy", "proxy-login", "certificate", "tls", "rate", "html", "login", "name", "refused"),
    *("unreachable", "timeout", "server", "reset", "denied"),
}


class Trouble(NamedTuple):
    """What is in the way."""

    kind: str
    cause: str
    """In words, without a full stop."""
    line: str
    """The line by which it was told."""
    template: str

    @property
    def is_of_network(self) -> bool:
        """Tell whether it lies on the way to a server, or at it, rather than in what it was asked for."""
        return self.kind in _WITHIN

    @property
    def sentence(self) -> str:
        """The cause with a capital and a full stop."""
        return f"{self.cause[0].upper()}{self.cause[1:]}."

    def advice(self, *, source: str, proxy: str = PROXIES, login: str = "") -> str:
        """Return the next step; the arguments say where the addresses of server and proxy, and the login, are set."""
        return self.template.format(source=source, proxy=proxy, login=login or source).replace(
            f"{source} and {source}", source
        )


def trouble_in(text: str) -> Trouble | None:
    """Return the trouble that a program's words tell of; None where they tell of none that is known."""
    # The steps of a trace have numbers of lines, which are no codes.
    lines = [line.strip() for line in text.splitlines() if line.strip() and not _TRACED.match(line)]
    if not _SETTLED.search(text):
        # What a second attempt got over is not what was in the way.
        lines = [line for line in lines if not _RETRIED.search(line)] or lines
    for kind in _KINDS:
        for line in lines:
            if kind.pattern.search(line):
                # What else is printed may name another server: where to get a login, for example.
                host = _host([line] if kind.name in {"proxy", "login"} else [line, *lines])
                unknown = "of the server" if kind.name == "name" else "the server"
                cause = kind.cause.format(server=host or unknown)
                return Trouble(kind.name, cause, line, kind.advice)
    return None


def told(text: str, *, source: str, login: str = "", proxy: str = PROXIES) -> str:
    """Return the cause and the next step as sentences; empty where none is known."""
    found = trouble_in(text)
    return f"{found.sentence} {found.advice(source=source, proxy=proxy, login=login)}" if found else ""


def fullness(free: int, total: int) -> str:
    """Say how full a disk is."""
    return f"{(total - free) / max(total, 1):.1%} of {total / 1e9:.1f} GB used, {free / 1e6:.0f} MB free"


def shortest(line: str, length: int) -> str:
    """Return a line cut where it is longer than that."""
    return line if len(line) <= length else f"{line[: length - 1]}…"


def named_in(text: str, settings: Iterable[tuple[str, str]]) -> Sequence[str]:
    """Return the names of the settings whose value names a server that a text names, too."""
    hosts = {found[1].lower() for pattern in _HOST for found in re.finditer(pattern, text, re.IGNORECASE)}
    plain = {host.rpartition(":")[0] or host for host in hosts} | hosts
    found = []
    for name, value in settings:
        of_value = {each[1].lower() for each in re.finditer(_HOST[2], value, re.IGNORECASE)}
        if of_value & plain or {host.partition(":")[0] for host in of_value} & plain:
            found.append(name)
    return found


def _host(lines: Iterable[str]) -> str:
    for line in lines:
        for pattern in () if _DOCS.search(line) else _HOST:
            if found := re.search(pattern, line, re.IGNORECASE):
                return found[1]
    return ""


def of_log(log: str) -> str:
    """Return what ./doitw says of a log of pip's: the cause, and the next step."""
    try:
        text = Path(log).read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    space = shutil.disk_usage(Path.cwd())
    if space.free < _LEAST_FREE:
        text = f"{text}\nno space left on device"
    source = "pip's index (pip config list)"
    found = trouble_in(text)
    if found is None:
        errors = [line for line in text.splitlines() if re.match(r"(ERROR|\w*Error)\b", line)]
        return f"{errors[0] if errors else 'no reason was given'}. Check {source}."
    full = f" ({fullness(space.free, space.total)} in {Path.cwd()})" if found.kind == "disk" else ""
    return f"{found.cause}{full}. {found.advice(source=source)}"
