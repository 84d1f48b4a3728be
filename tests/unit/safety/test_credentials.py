"""The credentials of a run, known by value: none of them gets out, and nothing else is touched."""

import base64
import json
import secrets
import time
from urllib.parse import quote

import pytest

from isol8_tasks.safety.credentials import SHORTEST, Redactor, credentials, exposed, hidden_argument

KINDS = {
    "password": ("PIP_INDEX_URL", "https://me:{}@index.example/simple", "s3cret-word"),
    "percent-encoded password": ("PIP_INDEX_URL", "https://me:{}@index.example/simple", "p%40ss%2Fw0rd"),
    "password with a slash": ("PIP_INDEX_URL", "https://me:{}@index.example/simple", "pass/w0rd"),
    "extra index": ("PIP_EXTRA_INDEX_URL", "https://a.example/ https://me:{}@b.example/simple", "extr4-word"),
    "token as user": ("NPM_CONFIG_REGISTRY", "https://{}@npm.example/", "tok3nAsUser"),
    "token in a path": ("APK_REPOSITORY", "https://dl.example/{}/v3.21/main", "Ab3dEf6hIj9kLm2nOp"),
    "uuid in a path": ("MIRROR", "https://dl.example/{}/simple", "0a1b2c3d-1111-2222-3333-444455556666"),
    "token in a query": ("MIRROR", "https://dl.example/a?x=1&access_token={}&y=2", "qu3ry-word"),
    "npm token": ("NPMRC", "//npm.example/:_authToken={}", "npm-w0rd-1234"),
    "quoted npm token": ("NPMRC", '//npm.example/:_authToken="{}"', "npm-w0rd-5678"),
    "header": ("HEADER", "X-Api-Key: {}", "h3ader-word"),
    "bearer": ("HEADER", "Authorization: Bearer {}", "b3arer.word"),
    "variable whose name says so": ("AWS_SECRET_ACCESS_KEY", "{}", "wJalr/K7MDENG+bPx"),
}
"""Of each kind a build argument, its value around the secret, and the secret."""


SECRET_TEXTS = {
    "a URL": ("https://me:{}@index.example/simple/", "s3cret-word"),
    "a token": ("{}\n", "abc123-token"),
    "netrc": ("machine index.example\n  login me\n  password {}\n", "n3trc-word"),
    "netrc in a line": ("machine index.example login me password {}", "n3trc-word"),
    "npmrc": ("registry=https://npm.example/\n//npm.example/:_authToken={}\n", "npm-t0ken"),
    "pip.conf": ("[global]\nindex-url = https://me:{}@index.example/simple\n", "c0nf-word"),
    "a key": ("-----BEGIN KEY-----\n{}\n-----END KEY-----\n", "MIIEvQIBADANBgkq"),
    "lines of Windows": ("machine index.example\r\nlogin me\r\npassword {}\r\n", "n3trc-word"),
    "settings": ('user: me\nDB_PASSWORD = "{}"\n', "s3ttings-word"),
    "JSON": ('{"auths": {"r.example": {"auth": "{}"}}}', "bWU6aDFkZGVuLXdvcmQ="),
    "HTTP_AUTH": ("basic:*:me:{}", "4pk-word"),
    "DENO_AUTH_TOKENS": ("me:{}@a.example;other-t0ken@b.example:80", "d3no-word"),
    "a password that begins like a variable": ("machine h login me password {}", "$tr0ng-word"),
    "no text": ("{}", "na\ufffdve-word"),
}
"""Of each kind the text of a secret, and what has to be hidden of it."""


@pytest.mark.parametrize(("text", "secret"), SECRET_TEXTS.values(), ids=SECRET_TEXTS)
def test_secrets_of_a_build(text: str, secret: str) -> None:
    """Whole, by line and in parts, however it is written; what is around it in other lines stays."""
    whole = text.replace("{}", secret)
    redactor = Redactor.of((), {}, [whole])
    shown = "".join(map(redactor, (*_places(secret, whole), f"ERROR: 401 for {whole} at x", f"a {secret} b")))
    assert secret not in shown
    assert quote(secret, safe="") not in shown
    assert redactor("Collecting numpy from index.example") == "Collecting numpy from index.example"


LOGINS = (
    ("{}", "abc123-token"),
    ("https://me:{}@index.example/simple/", "s3cret-word"),
    ("machine h login someone password {}\n", "n3trc-word"),
    ("//npm.example/:_auth={}", base64.b64encode(b"me:npm-w0rd-12").decode()),
    ("basic:*:me:{}", "4pk-secret-word"),
    ("me:{}@a.example", "d3no-word-123"),
)


@pytest.mark.parametrize(("text", "secret"), LOGINS)
def test_logins_in_base_64(text: str, secret: str) -> None:
    """What a tool makes of a secret for a header is hidden but for a sign at each end, and so is what it is made of."""
    redactor = Redactor.of((), {}, [text.replace("{}", secret)])
    plain = base64.b64decode(secret).decode() if "_auth" in text else f"someone:{secret}"
    assert plain.partition(":")[2] not in redactor(f"login {plain}")
    for before in ("", "x", "xy", "a longer name:"):
        encoded = base64.b64encode(f"{before}{plain.partition(':')[2]} more".encode()).decode()
        left = redactor(f"got {encoded}").removeprefix("got ")
        assert len(left) < len(encoded) - len(secret) // 2, left


LONG = {
    "lines": "\n".join(secrets.token_hex(35) for _ in range(7000)),
    "one line": secrets.token_hex(250_000),
    "settings": "\n".join(f"KEY_{number}={secrets.token_hex(20)}" for number in range(9000)),
    "signs": "x-" * 250_000,
}


@pytest.mark.parametrize("kind", LONG)
def test_a_secret_of_half_a_megabyte(kind: str) -> None:
    """It takes no time that people notice, be it many lines or one; minutes once."""
    text = LONG[kind]
    began = time.process_time()
    hide = Redactor.of((), {}, [text])
    assert hide("Collecting numpy from index.example\n" * 10_000).count("numpy") == 10_000
    assert not set(hide(text)) - {*"*\n"}
    assert hide("ab" * 250_000) == "ab" * 250_000
    assert time.process_time() - began < 15


def test_a_line_that_was_cut() -> None:
    """Of a long line a piece is hidden, too: builders cut what steps print."""
    text = secrets.token_hex(2000)
    assert Redactor.of((), {}, [text])(f"a {text[:2500]}") == f"a ***{text[2000:2500]}"


def test_values_side_by_side() -> None:
    """Values that overlap are hidden whole."""
    hide = Redactor.of([("A_TOKEN", "first-word"), ("B_TOKEN", "word-second"), ("C_TOKEN", "third-word")])
    assert hide("a first-word-second b first-wordthird-word c") == "a *** b *** c"


def _places(secret: str, value: str) -> tuple[str, ...]:
    """Return what a run may come to print or keep with a secret in it, in all the ways that it is written."""
    forms = {value, secret, quote(secret, safe=""), json.dumps(secret)[1:-1]}
    if "%" in secret:
        forms |= {"p@ss/w0rd", "p%40ss%2fw0rd"}
    texts = [
        "ERROR: 401 for {}",
        '"{}"',
        "|1 PIP_INDEX_URL={} /bin/sh -c pip install",
        "https://other.example/{}/x",
        "X-Other: {}",
        "'{}'",
        '{{"a": "{}"}}',
        "x={}&y=1",
        "build argument A {} → b",
        "ONBUILD RUN curl {}",
        "[{}]({})",
        "a\n{}\nb",
    ]
    return tuple(text.replace("{}", form) for form in forms for text in texts)


@pytest.mark.parametrize(("name", "around", "secret"), KINDS.values(), ids=KINDS.keys())
class TestKinds:
    """Every kind of credential, in every place."""

    def test_it_is_nowhere(self, name: str, around: str, secret: str) -> None:
        """The value of a credential is hidden however a text has it."""
        value = around.format(secret)
        hide = Redactor.of([(name, value)])
        for text in _places(secret, value):
            clean = hide(text)
            assert secret not in clean
            assert "p@ss/w0rd" not in clean
            assert "p%40ss%2fw0rd" not in clean

    def test_no_label_has_it(self, name: str, around: str, secret: str) -> None:
        """What is remembered of the argument does not hold it, and what surrounds it stays."""
        hidden = hidden_argument(name, around.format(secret))
        assert secret not in hidden
        assert "***" in hidden

    def test_an_image_with_it_is_found(self, name: str, around: str, secret: str) -> None:
        """A history with the value is told, and by which argument."""
        value = around.format(secret)
        history = [f"|1 {name}={value} /bin/sh -c true", "COPY a b"]
        assert exposed(history, {name: value, "OTHER": "x"}, Redactor.of([(name, value)])) == (name,)


class TestRedactor:
    """What the values of a run hide, and what they leave."""

    def test_a_login_as_a_header_has_it(self) -> None:
        """User and password come back encoded in a header."""
        hide = Redactor.of([("A", "https://me:p%40ssword@h/")])
        assert hide("got " + base64.b64encode(b"me:p@ssword").decode()) == "got ***"

    def test_short_values_hide_nothing(self) -> None:
        """A password of a few letters must not blank these wherever they stand."""
        short = "a" * (SHORTEST - 1)
        hide = Redactor.of([("A", f"https://me:{short}@h/")])
        assert hide(f"b{short}n and {short}") == f"b{short}n and {short}"
        assert hide(f"https://me:{short}@h/") == "https://***@h/"

    def test_words_stay_whole(self) -> None:
        """A value that reads like a word is hidden where it stands alone."""
        hide = Redactor.of([("A", "https://me:secret@h/")])
        assert hide("secretary, secret, x%3Asecret%40h") == "secretary, ***, x%3A***%40h"

    @pytest.mark.parametrize(
        "value",
        [
            "https://h/deno-x86_64-unknown-linux-gnu/v1.2.3/bun.zip",
            "https://mirror.example/v3.21/main https://mirror.example/v3.21/community",
            "file:///opt/lab/bun-install.sh",
            "1.2.3",
        ],
    )
    def test_ordinary_arguments_have_none(self, value: str) -> None:
        """Versions and addresses of mirrors hold no credential."""
        assert not [*credentials("A", value)]
        assert hidden_argument("A", value) == value

    def test_the_environment(self) -> None:
        """Variables count whose name says so, and proxies; a path does not."""
        environ = {
            "GITHUB_TOKEN": "t0ken-of-ci",
            "https_proxy": "http://me:pr0xy-word@p:3128",
            "SOME_AUTH": "/run/agent.socket",
            "HOME": "/home/someone",
        }
        hide = Redactor.of((), environ)
        text = "t0ken-of-ci pr0xy-word /run/agent.socket /home/someone"
        assert hide(text) == "*** *** /run/agent.socket /home/someone"

    def test_bytes_that_are_no_text(self) -> None:
        """Variables may have them, as Python reads these."""
        environ = {"MY_TOKEN": "t0ken-\udcff", "http_proxy": "http://me:p\udcffword@h"}
        assert Redactor.of((), environ)("a t0ken-\udcff t0ken-%FF b") == "a *** *** b"

    def test_what_stands_for_a_value(self) -> None:
        """The name of a variable is none."""
        hide = Redactor.of((), {"MY_TOKEN": "${OTHER_TOKEN}"}, ["//h/:_authToken=${NPM_TOKEN}"])
        assert hide("npm reads ${NPM_TOKEN}, $OTHER_TOKEN, ${OTHER_TOKEN}").count("***") == 0

    def test_json_stays_json(self) -> None:
        """A password with a quote is hidden as JSON writes it."""
        hide = Redactor.of([("MY_TOKEN", 'quo"te\\d-word')])
        assert json.loads(hide(json.dumps({"a": 'quo"te\\d-word'}))) == {"a": "***"}


class TestExposed:
    """Whether somebody who pulls an image could read a credential."""

    def test_a_credential_of_nobody_here(self) -> None:
        """One that deps.toml does not have any more counts, without a name."""
        assert exposed(["RUN pip -i https://me:gone-word@h/"], {}, Redactor()) == ()

    @pytest.mark.parametrize(
        "step",
        [
            "RUN curl -H 'Authorization: Bearer $TOKEN' https://$USER:${PASS}@h/",
            "RUN git clone ssh://git@host/x https://h/a",
            "ADD file:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef in / ",
        ],
    )
    def test_no_credential(self, step: str) -> None:
        """What names a variable, or the user that everyone has, is none."""
        assert exposed([step], {"A": "https://h/"}, Redactor.of([("A", "https://h/")])) is None
