"""What programs import: the packages that bring modules of other names, and the modules that come with a runtime."""

import re
import sys
from collections.abc import Sequence
from typing import Final


def imported_names(text: str) -> Sequence[str]:
    """Return the outermost modules that a statement of Python imports; none of what is no such statement."""
    found = re.fullmatch(
        r"from ([A-Za-z_]\w*)[\w.]* import \S.*|import ([A-Za-z_][\w., ]*)",
        re.sub(r"\s*;\s*import\s", ", ", text),
    )
    if not found:
        return ()
    return (
        [found[1]]
        if found[1]
        else [each.split()[0].split(".")[0] for each in found[2].split(",") if each.strip()]
    )


def imported(text: str) -> Sequence[str]:
    """Return the packages of the modules that a statement of Python imports, as far as they have other names."""
    return [PACKAGES.get(name, name) for name in imported_names(text) if name not in sys.stdlib_module_names]


PACKAGES: Final = {
    "bs4": "beautifulsoup4",
    "Crypto": "pycryptodome",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "fitz": "PyMuPDF",
    "git": "GitPython",
    "jwt": "PyJWT",
    "magic": "python-magic",
    "MySQLdb": "mysqlclient",
    "OpenSSL": "pyOpenSSL",
    "PIL": "pillow",
    "pptx": "python-pptx",
    "psycopg2": "psycopg2-binary",
    "serial": "pyserial",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "usb": "pyusb",
    "yaml": "PyYAML",
}
"""By the name that is imported."""
OF_NODE: Final = (
    "assert|async_hooks|buffer|child_process|cluster|console|constants|crypto|dgram|diagnostics_channel|dns|domain|events"
    "|fs|http|http2|https|inspector|module|net|os|path|perf_hooks|process|punycode|querystring|readline|repl|stream"
    "|string_decoder|sys|timers|tls|trace_events|tty|url|util|v8|vm|wasi|worker_threads|zlib"
)
"""Modules of Node.js."""
