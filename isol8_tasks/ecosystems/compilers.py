"""What installers print where something would have to be compiled, and there is nothing to compile with.

Also runs in containers, beside freshness/programs/wheels.py, for any Python 3.9 or newer.
"""

import re

LACKING = (
    r"command '[^']*(?:gcc|g\+\+|cc|c\+\+|clang|gfortran)' failed|[Nn]o such file.*'(?:gcc|cc|g\+\+|cmake|make)'"
    r"|\b(?:gcc|g\+\+|cc|clang|gfortran|cmake|make|rustc|cargo): (?:(?:not|Not) found|[Nn]o such file)"
    r"|Unknown compiler|No CMAKE_C(?:XX)?_COMPILER|Problem with the CMake installation|CMake must be installed"
    r"|[Cc]ompiler \S*(?:gcc|cc)\S* (?:cannot|not)|Rust (?:toolchain|compiler)|can't find Rust|Cargo, the Rust package"
    r"|(?:requires?|needs?) a C(?:\+\+)? compiler|(?:C|C\+\+|Fortran) compiler (?:is required|not found|cannot)"
    r"|pg_config executable not found|Python\.h: No such file|pkg-config\b.*not found"
    r"|Could not find `?(?:cmake|ninja|make)|(?:include|header) files\s+are missing|\w\.h(?:pp)?: No such file"
    r"|\b\w+-config\b.{0,9}: not found|Unable to run [\"']?\w+-config"
)


def is_lacking(output: str) -> bool:
    """Tell whether an installer's output says that a compiler, or what one needs, is not there."""
    return re.search(LACKING, output) is not None
