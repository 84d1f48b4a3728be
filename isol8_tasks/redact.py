"""Foreign text without the credentials in it, fit for a label, a reason, a log or a message."""

import re
from typing import Final

HIDDEN: Final = "***"
"""What stands in a credential's place."""

_QUERY_KEY: Final = (
    r"(?:[\w.-]*(?:token|secret|password|passwd|signature|credential)|(?:x-)?api[_-]?key|auth|sig|pwd)"
)

_RULES: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        # A password with `/`, `?` or `#` in it; what follows a colon and isn't a port is no host's.
        # The lengths are bounded so that no long line takes quadratic time.
        (r'://[^\s"/?#:@]*:(?!\d*(?:[/?#\s"]|$))[^\s"@]{0,4096}@', f"://{HIDDEN}@"),
        (r'://[^\s"/?#]{0,4096}@', f"://{HIDDEN}@"),
        # A proxy may be written without a scheme.
        (r'(_proxy["\']?[=:]\s*["\']?)(?!\w+://)[^\s"\'/]+@', rf"\g<1>{HIDDEN}@"),
        (rf"([?&;]{_QUERY_KEY}=)[^\s\"'&#;]+", rf"\g<1>{HIDDEN}"),
        (r"(\b_(?:authToken|auth|password)\s*=\s*)[^\s\"']+", rf"\g<1>{HIDDEN}"),
        (r"(\bauthorization:\s*(?:basic|bearer|token)\s+)[^\s\"']+", rf"\g<1>{HIDDEN}"),
    )
)


def redact(text: str) -> str:
    """Return the text with every user name, password and token of a URL, a proxy or a header hidden."""
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text
