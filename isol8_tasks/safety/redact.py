"""Foreign text without the credentials in it, fit for a label, a reason, a log or a message."""

import re
from functools import cache
from typing import Final

HIDDEN: Final = "***"
"""What stands in a credential's place."""

QUERY_KEY: Final = (
    r"(?:[\w.-]*(?:token|secret|password|passwd|signature|credential)|(?:x-)?api[_-]?key|auth|sig|pwd)"
)
"""A name in a URL's query whose value is a credential."""

_OPEN: Final = r"\\?[\"']?"
"""What a value may be quoted by, in JSON within JSON too."""
_WORD: Final = r"[^\s\"'\\]+"
_HEADER: Final = r"(?:x-[\w-]{0,64}(?:api-?key|token|secret)|private-token|job-token|x-jfrog-art-api)"
_TOKENS: Final = (
    r"(?:AKIA|ASIA)[0-9A-Z]{16}",
    r"gh[pousr]_[0-9a-z]{30,}",
    r"github_pat_\w{40,}",
    r"glpat-[\w-]{20,}",
    r"npm_[0-9a-z]{36}",
    r"pypi-AgE[\w-]{40,}",
)

_RULES: Final = (
    # A password with `/`, `?` or `#` in it; what follows a colon and isn't a port is no host's.
    # The lengths are bounded so that no long line takes quadratic time.
    (("@",), r'://[^\s"/?#:@]*:(?!\d*(?:[/?#\s"]|$))[^\s"@]{0,4096}@', f"://{HIDDEN}@"),
    (("@",), r'://[^\s"/?#]{0,4096}@', f"://{HIDDEN}@"),
    # A URL as a part of another one.
    (("%40",), r"%3A%2F%2F(?:(?!%2F|%3F|%23|%40)[^\s\"'/?#&]){1,4096}%40", f"%3A%2F%2F{HIDDEN}%40"),
    # A proxy may be written without a scheme.
    (("@",), r'(_proxy["\']?[=:]\s*["\']?)(?!\w+://)[^\s"\'/]+@', rf"\g<1>{HIDDEN}@"),
    (("=",), rf"([?&;]{QUERY_KEY}=)[^\s\"'&#;]+", rf"\g<1>{HIDDEN}"),
    (("=",), rf"(\b_(?:authToken|auth|password)\s*=\s*{_OPEN}){_WORD}", rf"\g<1>{HIDDEN}"),
    (
        ("=", ":"),
        rf"(\b(?:proxy-)?authorization{_OPEN}\s*[:=]\s*{_OPEN}(?:basic|bearer|token)\s+){_WORD}",
        rf"\g<1>{HIDDEN}",
    ),
    (("bearer",), r"(\bbearer\s+)(?=[a-z._~+/=-]*\d)[\w.~+/=-]{16,}", rf"\g<1>{HIDDEN}"),
    (("=", ":"), rf"(\b{_HEADER}{_OPEN}\s*[:=]\s*{_OPEN}){_WORD}", rf"\g<1>{HIDDEN}"),
    (
        ("=", ":"),
        rf"(\baws_(?:secret_access_key|session_token){_OPEN}\s*[:=]\s*{_OPEN}){_WORD}",
        rf"\g<1>{HIDDEN}",
    ),
    # Docker's and npm's own files.
    (
        ('"',),
        r'(\\?"(?:auth|identitytoken|registrytoken|_authToken|password)\\?"\s*:\s*\\?")[^"\\]+',
        rf"\g<1>{HIDDEN}",
    ),
    # Tokens that say by themselves what they are.
    (("akia", "asia", "_", "glpat-", "pypi-"), rf"\b(?:{'|'.join(_TOKENS)})\b", HIDDEN),
    (
        ("-----begin",),
        r"(-----BEGIN [A-Z ]*PRIVATE KEY-----)[\s\S]*?(?=-----END|\Z)",
        rf"\g<1>{HIDDEN}",
    ),
)
"""What a text has one of, in small letters, where there is something to hide; its pattern; what takes its place.

To compile all of these patterns takes longer than a run with nothing to do needs to find that out.
"""


def redact(text: str) -> str:
    """Return the text with every user name, password and token of a URL, a proxy or a header hidden."""
    small = text.lower()
    for signs, pattern, replacement in _RULES:
        if any(sign in small for sign in signs):
            text = _compiled(pattern).sub(replacement, text)
    return text


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)
