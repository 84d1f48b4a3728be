"""No credential gets through, and nothing else is touched."""

import re
from collections.abc import Callable

import pytest

from isol8_tasks.safety.redact import _RULES, redact

HIDDEN = {
    "user and password": ("https://me:s3cret@host/simple", "https://***@host/simple"),
    "token as user": ("https://ghp_abc@host/x.git", "https://***@host/x.git"),
    "in the middle of a line": (
        "E: https://me:pw@h:8080/a failed, trying http://you:pw2@i",
        "E: https://***@h:8080/a failed, trying http://***@i",
    ),
    "at sign in the password": ("http://me:p@ss@host/", "http://***@host/"),
    "slash in the password": ("http://me:p/s@host/", "http://***@host/"),
    "slash and at sign in the password": ("http://me:p/s@t@host/", "http://***@host/"),
    "hash in the password": ("http://me:p#s?t@host/", "http://***@host/"),
    "empty user": ("https://:pw@host/", "https://***@host/"),
    "password of digits": ("https://me:1234@host/", "https://***@host/"),
    "other schemes": ("socks5h://me:pw@host git+https://t@h", "socks5h://***@host git+https://***@h"),
    "in quotes": ('["https://me:pw@host","b"]', '["https://***@host","b"]'),
    "proxy without scheme": ("HTTPS_PROXY=me:pw@proxy:3128", "HTTPS_PROXY=***@proxy:3128"),
    "query": (
        "https://h/a?x=1&access_token=abc&y=2 https://h/?X-Amz-Signature=ff",
        "https://h/a?x=1&access_token=***&y=2 https://h/?X-Amz-Signature=***",
    ),
    "npm token": ("//host/:_authToken=npm_abc", "//host/:_authToken=***"),
    "quoted npm token": ('//host/:_authToken="npm abc"', '//host/:_authToken="*** abc"'),
    "npm token in JSON": ('"x=_authToken=\\"tok\\""', '"x=_authToken=\\"***\\""'),
    "key header": ("> X-Api-Key: abc, -H 'PRIVATE-TOKEN: def'", "> X-Api-Key: *** -H 'PRIVATE-TOKEN: ***'"),
    "encoded URL": ("?u=https%3A%2F%2Fme%3Apw%40host%2Fa", "?u=https%3A%2F%2F***%40host%2Fa"),
    "bearer alone": ("sent Bearer abcdefghijkl.1234", "sent Bearer ***"),
    "keys of AWS": (
        "AKIAABCDEFGHIJKLMNOP aws_secret_access_key = wJalr/K7",
        "*** aws_secret_access_key = ***",
    ),
    "docker's own file": ('{"auths": {"h": {"auth": "bWU6cHc="}}}', '{"auths": {"h": {"auth": "***"}}}'),
    "private key": (
        "a\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----\nb",
        "a\n-----BEGIN RSA PRIVATE KEY-----***-----END RSA PRIVATE KEY-----\nb",
    ),
    "header": ("< Authorization: Bearer abc.def", "< Authorization: Bearer ***"),
}

KEPT = (
    "",
    "https://host/simple",
    "https://host:8080/@scope/pkg",
    "https://deno.land/std@0.224.0/path/mod.ts",
    "https://host:8443?x=a@b",
    "npm:zod@3 jsr:@std/path@1 @scope/pkg@^1.2",
    "RUN pip install --no-cache-dir 'requests[socks]>=2,<3'",
    "HTTP_PROXY=http://proxy:3128",
    "file:///opt/lab/bun-install.sh",
    "isol8@sha256:00ff",
    "https://h/?author=me&key=1",
    "npm_config_fetch_retries=0 the bearer of news",
    '"author": "me", "authors": 2',
)


@pytest.mark.parametrize(("text", "expected"), HIDDEN.values(), ids=HIDDEN.keys())
def test_credentials_are_hidden(text: str, expected: str) -> None:
    """A credential is replaced, whatever its shape."""
    assert redact(text) == expected


@pytest.mark.parametrize(("text", "expected"), HIDDEN.values(), ids=HIDDEN.keys())
def test_redacting_twice_changes_nothing(text: str, expected: str) -> None:
    """Text that is clean already stays as it is."""
    assert redact(redact(text)) == expected


@pytest.mark.parametrize("text", KEPT)
def test_other_text_is_left_alone(text: str) -> None:
    """Package specs, versions, ports and plain URLs hold no credential."""
    assert redact(text) == text


def test_long_lines_are_no_trap() -> None:
    """A megabyte without a space is done in no time."""
    text = "a://b:" * 2_000 + "x" * 1_000_000
    assert redact(text) == text


@pytest.mark.parametrize("text", [text for text, _ in HIDDEN.values()], ids=HIDDEN.keys())
@pytest.mark.parametrize("change", [str, str.upper, str.lower])
def test_a_pattern_is_tried_wherever_it_finds_something(text: str, change: Callable[[str], str]) -> None:
    """What is looked for before a pattern is compiled is in whatever it finds."""
    text = change(text)
    for signs, pattern, _ in _RULES:
        if re.search(pattern, text, re.IGNORECASE):
            assert any(sign in text.lower() for sign in signs)
