"""What programs print when something is in their way; all of it was printed by them."""

import os
from pathlib import Path

import pytest

from isol8_tasks.safety.troubles import fullness, named_in, of_log, told, trouble_in

_RETRYING = (
    "WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, "
    "status=None)) after connection broken by "
)
_NOT_FOUND = "\nERROR: No matching distribution found for six"

TOLD = {
    # pip
    _RETRYING + "'NewConnectionError('<pip._vendor.urllib3.connection.HTTPConnection object at 0x7f>: Failed to "
    "establish a new connection: [Errno 111] Connection refused')': /simple/six/" + _NOT_FOUND: "refused",
    _RETRYING + "'SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: "
    "self-signed certificate (_ssl.c:1006)'))': /simple/six/" + _NOT_FOUND: "certificate",
    _RETRYING + "'ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 407 Proxy Authentication "
    "Required'))': /simple/six/" + _NOT_FOUND: "proxy-login",
    _RETRYING + "'ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 403 Forbidden'))': /simple/"
    + _NOT_FOUND: "proxy",
    _RETRYING + "'RemoteDisconnected('Remote end closed connection without response')': /simple/" + _NOT_FOUND: "reset",
    _RETRYING + "\"ReadTimeoutError(\"HTTPConnectionPool(host='127.0.0.1', port=1): Read timed out.\")\": /simple/"
    + _NOT_FOUND: "timeout",
    'http://127.0.0.1:1 "GET /simple/pip/ HTTP/1.1" 503 70': "server",
    "Could not fetch URL http://127.0.0.1:1/simple/six/: 403 Client Error: Forbidden for url: "
    "http://x/ - skipping": "denied",
    "Could not fetch URL http://127.0.0.1:1/simple/six/: 404 Client Error: Not Found for url: "
    "http://x/ - skipping": "missing",
    "Could not fetch URL http://127.0.0.1:1/simple/six/: 429 Client Error: Too Many Requests for url: x": "rate",
    "Fetched page http://127.0.0.1:41845/simple/pip/ as text/html": "html",
    "ERROR: HTTP error 401 while getting http://127.0.0.1:1/simple/": "login",
    "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device": "disk",
    "FileNotFoundError: [Errno 2] No usable temporary directory found in ['/tmp', '/var/tmp', '/usr/tmp', '/']": "disk",
    "WARNING: The repository located at 10.0.0.1 is not a trusted or secure host and is being ignored." + _NOT_FOUND: (
        "untrusted"
    ),
    # npm
    "npm error code ECONNREFUSED\nnpm error FetchError: request to http://127.0.0.1:1/zod failed, reason: connect "
    "ECONNREFUSED 127.0.0.1:1": "refused",
    "npm error code ENOTFOUND\nnpm error network request to http://nosuch.invalid/zod failed, reason: getaddrinfo "
    "ENOTFOUND nosuch.invalid": "name",
    "npm error code E401\nnpm error Unable to authenticate, your authentication token seems to be invalid.": "login",
    "npm error code E404\nnpm error 404 Not Found - GET http://127.0.0.1:1/zod": "missing",
    "npm error network timeout at: http://127.0.0.1:34907/zod": "timeout",
    "npm error code DEPTH_ZERO_SELF_SIGNED_CERT\nnpm error request failed, reason: self-signed "
    "certificate": "certificate",
    "npm error invalid json response body at http://127.0.0.1:1/zod reason: Unexpected token '<', "
    '"<!DOCTYPE "': "html",
    "npm error nospc ENOSPC: no space left on device, write": "disk",
    # apk, curl
    "WARNING: fetching http://127.0.0.1:1/main: DNS: transient error (try again later)": "name",
    "curl: (7) Failed to connect to 127.0.0.1 port 33121 after 0 ms: Couldn't connect to server": "refused",
    "curl: (60) SSL certificate problem: self-signed certificate\nMore details here: "
    "https://curl.example/docs": "certificate",
    "curl: (22) The requested URL returned error: 429": "rate",
    "curl: (56) CONNECT tunnel failed, response 407": "proxy-login",
    "curl: (35) OpenSSL/3.0.17: error:0A00010B:SSL routines::wrong version number": "tls",
    # apt
    "Err:2 http://127.0.0.1:1/debian bookworm Release\n  404  Not Found [IP: 127.0.0.1 36941]": "missing",
    "E: Failed to fetch http://x/InRelease  Clearsigned file isn't valid, got 'NOSPLIT' (does the network require "
    "authentication?)\nE: The repository 'http://x bookworm InRelease' is not signed.": "html",
    "E: Failed to fetch http://127.0.0.1:1/InRelease  407  Proxy Authentication Required\nE: The repository is not "
    "signed.": "proxy-login",
    "E: Failed to fetch http://x/InRelease  Connection failed [IP: 127.0.0.1 44325]": "reset",
    "E: Failed to fetch https://x/InRelease  Certificate verification failed: The certificate is "
    "NOT trusted.": "certificate",
    # engines
    'failed to read downloaded context: failed to load cache key: Get "http://build-context-ug24": dial tcp: lookup '
    "build-context-ug24 on 10.0.0.53:53: no such host": "store",
    'Get "https://registry.example/v2/": dial tcp: lookup registry.example on 10.0.0.53:53: no such host': "name",
    'Get "http://127.0.0.1:1/v2/": context deadline exceeded': "timeout",
    'Get "http://127.0.0.1:37423/v2/": EOF': "reset",
    'Get "https://10.0.0.1:5000/v2/": x509: cannot validate certificate for 10.0.0.1': "certificate",
    'Get "https://10.0.0.1:5000/v2/": http: server gave HTTP response to HTTPS client': "tls",
    'Head "http://127.0.0.1:1/v2/alpine/manifests/3.21": no basic auth credentials': "login",
    "error parsing HTTP 403 response body: invalid character '<' looking for beginning of value: "
    '"<!DOCTYPE html>': "denied",
    "error parsing HTTP 404 response body: invalid character '<' looking for beginning of value: "
    '"<!DOCTYPE html>': "missing",
    "error unmarshalling content: invalid character '<' looking for beginning of value": "html",
    "toomanyrequests: You have reached your pull rate limit.": "rate",
    "received unexpected HTTP status: 503 Service Unavailable": "server",
    "manifest unknown": "missing",
    "pull access denied for nope, repository does not exist or may require 'docker login'": "denied",
    "proxyconnect tcp: dial tcp 127.0.0.1:1: connect: connection refused": "proxy",
    "failed to prepare 1 as 2: mkdir /var/lib/docker/overlay2/1: no space left on device": "disk",
}  # fmt: skip


@pytest.mark.parametrize(("text", "kind"), TOLD.items())
def test_a_trouble_is_told_by_its_words(text: str, kind: str) -> None:
    """The cause comes before what it leads to: a mirror that asks for a login is no package that does not exist."""
    found = trouble_in(text)
    assert found is not None
    assert found.kind == kind


@pytest.mark.parametrize(
    "text",
    [
        "ERROR: Could not find a version that satisfies the requirement nunpy (from versions: none)"
        + _NOT_FOUND,
        "error: subprocess-exited-with-error\n  gcc: not found",
        "sh: 1: frobnicate: not found",
        "AssertionError: 401 != 200",
        # Digits of an id, and of a digest.
        "isol8_build:tools-candidate-1e429b07 failed: RUN exit 1: sha256:7e4010ff, ce404d",
        "ERROR: unable to select packages:\n  htop (no such package):",
        # What the second attempt got over was not in the way.
        _RETRYING
        + "'NewConnectionError: [Errno 111] Connection refused'\nerror: command 'gcc' failed: exit status 1",
        "",
    ],
)
def test_other_words_tell_of_none(text: str) -> None:
    """What a package or a script has of its own is left to who knows it."""
    assert trouble_in(text) is None


def test_the_server_and_the_setting_are_named() -> None:
    """The next step names what can be changed."""
    text = 'Get "http://127.0.0.1:9/v2/": dial tcp 127.0.0.1:9: connect: connection refused'
    assert told(text, source="the mirror") == (
        "127.0.0.1:9 refuses connections. Check the network and the mirror."
    )
    assert named_in(text, [("A", "http://127.0.0.1:9/simple"), ("B", "https://other.example/")]) == ["A"]
    assert told("all is well", source="x") == ""


def test_lines_of_a_trace_are_no_codes() -> None:
    """A step at line 429 is no server that has had enough."""
    assert (
        trouble_in('  File "/x/build_meta.py", line 429, in _build\nException: you need a C compiler') is None
    )


def test_a_name_that_nobody_tells() -> None:
    """Where no server is named, the sentence is one all the same; a place is named once."""
    text = "error: <urlopen error [Errno -2] Name does not resolve>"
    assert told(text, source="x") == "The name of the server can't be resolved. Check the network and x."
    assert told("429 Client Error: Too Many Requests", source="x").endswith("Wait and run again, or check x.")


def test_deno_names_the_server() -> None:
    """Its resolver's words are none."""
    text = (
        "error: Import 'https://deno.example/std/mod.ts' failed.\n    0: error sending request for url\n"
        "    2: dns error: failed to lookup address information: Name or service not known"
    )
    assert told(text, source="x").startswith("The name deno.example can't be resolved")


def test_a_disk_says_how_full_it_is() -> None:
    """In figures that people read."""
    assert fullness(0, 12_000_000_000) == "100.0% of 12.0 GB used, 0 MB free"


def test_a_log_comes_to_one_line(tmp_path: Path) -> None:
    """Without a known cause it is pip's first error."""
    log = tmp_path / "log"
    log.write_text("Collecting six\nERROR: THESE PACKAGES DO NOT MATCH THE HASHES\nERROR: more\n")
    assert (
        of_log(str(log))
        == "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES. Check pip's index (pip config list)."
    )
    log.write_text("No space left on device\n")
    assert of_log(str(log)).startswith("the disk is full (")
    assert of_log(os.devnull) == "no reason was given. Check pip's index (pip config list)."


def test_what_has_both_address_and_login_is_named_once() -> None:
    """As the index of pip has."""
    said = told("ERROR: 403 Client Error: Forbidden for url: https://i.example/", source="pip's index")
    assert said.endswith("Check the user's rights in pip's index.")
