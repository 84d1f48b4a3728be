"""A Python whose new environments have pip in no time: as itself puts it there, made once."""

import atexit
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

_VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
_ENSUREPIP = """\
import pathlib
import sysconfig

for part in pathlib.Path({packages!r}).iterdir():
    (pathlib.Path(sysconfig.get_path("purelib")) / part.name).symlink_to(part)
"""


@cache
def folder_of_quick_python() -> Path:
    """Return the folder of a Python that ./doitw finds first; all but its ensurepip is this one's."""
    base = Path(sys._base_executable).resolve()  # type: ignore[attr-defined]  # noqa: SLF001 - as venv itself does
    place = Path(mkdtemp(prefix="first-hour-python-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    place.chmod(0o755)
    made = place / "made"
    subprocess.run([base, "-m", "venv", made], check=True)
    library = place / "lib" / _VERSION
    library.mkdir(parents=True)
    whole = Path(sys.base_prefix) / "lib"
    for part in [*whole.glob("libpython*"), *(whole / _VERSION).iterdir()]:
        if part.name != "ensurepip":
            (place / "lib" / part.relative_to(whole)).symlink_to(part)
    (library / "ensurepip").mkdir()
    (library / "ensurepip" / "__init__.py").touch()
    packages = made / "lib" / _VERSION / "site-packages"
    (library / "ensurepip" / "__main__.py").write_text(_ENSUREPIP.format(packages=str(packages)))
    (place / "bin").mkdir()
    # The first name that is looked for, whatever its version is.
    shutil.copy(base, place / "bin" / "python3.14")
    return place / "bin"
