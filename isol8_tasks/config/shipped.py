"""What comes with the package besides its modules: docker/, the lab, doit's settings, and a deps.toml to begin with.

They lie at the top level of a checkout, where deps.toml is its user's own; a wheel has a copy in the package, which its
build makes.
"""

from pathlib import Path
from typing import Final

_PACKAGE: Final = Path(__file__).parents[1]
_COPY: Final = _PACKAGE / "checkout"

FOLDER: Final = _COPY if _COPY.is_dir() else _PACKAGE.parent
"""Where they lie, all but the deps.toml."""
BEGINNING: Final = Path(__file__).with_name("deps.toml")
"""A deps.toml to begin with."""
