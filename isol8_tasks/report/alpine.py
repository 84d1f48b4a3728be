"""What to write in deps.toml so that an image gets Alpine packages: those to be compiled with, and libraries."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

from isol8_tasks.config.deps import Config
from isol8_tasks.ecosystems.runtimes import RUNTIMES, needs_no_system
from isol8_tasks.errors import NotInstallableError
from isol8_tasks.freshness.answers import Lacking
from isol8_tasks.plan.model import ImageSpec


def line_to_write(
    spec: ImageSpec, config: Config, packages: Iterable[str], key: Literal["system", "build"] = "system"
) -> str:
    """Return what deps.toml is to have for an image, what it has there already included."""
    declared = spec.inputs.system if key == "system" else spec.inputs.build
    if key == "system" and needs_no_system(spec.runtime):
        declared = spec.inputs.packages
        table, name = (
            (f"images.{spec.name}", "packages") if spec.kind == "named" else ("dependencies", spec.runtime)
        )
    else:
        table, name = (f"images.{spec.name}", key) if spec.kind == "named" else (key, spec.runtime)
    listed = ", ".join(f'"{each}"' for each in dict.fromkeys((*declared, *packages)))
    return f"[{table}] {name} = [{listed}] in {config.source}"


def to_compile_with(spec: ImageSpec, config: Config, output: str = "") -> str:
    """Return what deps.toml is to have for an image whose packages have to be compiled; `output` is what failed."""
    needed = [package for package, pattern in _NEEDED.items() if re.search(pattern, output)]
    compilers = _COMPILERS[RUNTIMES[spec.runtime].ecosystem]
    return line_to_write(spec, config, (*compilers, *needed), "build")


def not_installable(lacking: Sequence[Lacking], spec: ImageSpec, config: Config) -> NotInstallableError:
    """Return the error of an image with Python packages that can't be installed on Alpine, each with what to do."""
    certain = sum(each.why != "undecided" for each in lacking)
    what = "1 package" if certain == 1 else f"{certain} packages"
    lines = [f"{what} can't be installed on Alpine (musl); nothing was built"]
    first = sorted(lacking, key=lambda found: (found.why not in _COMPILED, found.name))
    lines += [f"{each.name} {each.version} ({_place(each, spec, config)}) {_why(each)}" for each in first]
    ready = [each.alpine for each in lacking if each.alpine]
    if ready:
        lines.append(f"Take Alpine's: {line_to_write(spec, config, ready)}.")
    if any(each.why in _COMPILED and not each.alpine for each in lacking):
        lines.append(f"Compile in a stage of its own: {to_compile_with(spec, config)}.")
    if others := [each.asker for each in lacking if each.why not in _COMPILED and not each.alpine]:
        lines.append(f"Remove {', '.join(dict.fromkeys(others))}, or run it elsewhere than on Alpine.")
    return NotInstallableError("\n".join(lines))


def patterns(library: str) -> tuple[str, ...]:
    """Return what to search in apk for a library, the likeliest first; its version may not be known."""
    stem = re.sub(r"\.so(?:\.[0-9.]+)?$", "", library).removeprefix("lib")
    shorter = re.sub(r"(?:-[0-9.]+)+$", "", stem)
    exact = (f"so:{library}",) if re.search(r"\.so\.[0-9]", library) else ()
    stems = dict.fromkeys((stem, shorter))
    return (*exact, *(f"so:lib{each}.so.*" for each in stems), *(f"so:lib{each}[-.]*so.*" for each in stems))


def library_lines(
    names: Sequence[str], found: Mapping[str, str], spec: ImageSpec, config: Config
) -> tuple[str, ...]:
    """Say which Alpine packages have the libraries that are missing, and what to write; `found` is by pattern."""
    packages: dict[str, str] = {}
    for name in names:
        package = next((found[each] for each in patterns(name) if each in found), "")
        if package:
            packages.setdefault(package, name)
    if not packages:
        known = next(
            (package for start, package in _BRINGS.items() if names[0].startswith(f"{start}.so")), ""
        )
        line = f", and write {line_to_write(spec, config, [known])}" if known else ""
        owner = f", and Alpine's own have it in {known}" if known else ""
        return (f"No package of the image's repositories has {names[0]}{owner}; {_ANOTHER}{line}.",)
    told = "; ".join(f"{name} is in Alpine's {package}" for package, name in packages.items())
    return (f"{told}. Write {line_to_write(spec, config, packages)}.",)


def _place(each: Lacking, spec: ImageSpec, config: Config) -> str:
    place = config.place_of(spec.name, "packages", each.asker) or f"from --{spec.runtime}"
    name = re.split(r"[^A-Za-z0-9._-]", each.asker)[0]
    own = re.sub(r"[-_.]+", "-", name).lower() == each.name
    return place if own else f"needed by {name}, {place}"


def _why(each: Lacking) -> str:
    if each.alpine:
        return f"has no wheel for musl: Alpine has it as {each.alpine}"
    return _WHY[each.why] + (f"; {each.name}=={each.older} has one" if each.older else "")


_WHY: Final = {
    "source": "has no wheel for musl, and the image can't compile its source",
    "undecided": "has no wheel for musl, and may have to be compiled",
    "glibc": "is not available for musl: it has wheels for glibc only, and no source",
    "python": "has no wheel for this Python on musl, and no source",
    "other": "has no wheel for this Python and system, and no source",
}
_COMPILED: Final = frozenset({"source", "undecided"})
_COMPILERS: Final = {"pypi": ("build-base", "python3-dev"), "npm": ("build-base", "python3")}
"""By ecosystem, what most packages are compiled with."""
_NEEDED: Final = {
    "alsa-lib-dev": r"alsa/asoundlib\.h",
    "bluez-dev": r"bluetooth/bluetooth\.h",
    "cairo-dev": r"\bcairo\.h|Dependency \"cairo\" not found",
    "cargo": r"\bcargo\b.{0,40}not|can't find Rust|Rust (?:toolchain|compiler)",
    "cmake": r"\bcmake: not found|CMake must be installed|Could not find `?cmake|'cmake'",
    "cups-dev": r"cups/\w+\.h",
    "curl-dev": r"curl-config|curl/curl\.h",
    "cyrus-sasl-dev": r"sasl/?sasl\.h",
    "file-dev": r"\bmagic\.h",
    "freetype-dev": r"freetype-config|ft2build\.h",
    "gdal-dev": r"gdal-config|gdal\.h",
    "geos-dev": r"geos-config|geos_c\.h",
    "gfortran": r"gfortran|Fortran compiler|Unknown compiler\(s\): \[\['gfortran",
    "hdf5-dev": r"\bhdf5\.h",
    "jpeg-dev": r"jpeglib\.h",
    "krb5-dev": r"krb5-config|gssapi/gssapi\.h",
    "libffi-dev": r"\bffi\.h",
    "libpq-dev": r"pg_config|libpq-fe\.h",
    "libusb-dev": r"\b(?:lib)?usb\.h",
    "libxml2-dev": r"xml2-config|libxml/\w+\.h",
    "libxslt-dev": r"xslt-config|libxslt/\w+\.h",
    "linux-headers": r"linux/[\w-]+\.h|kernel header",
    "mariadb-dev": r"mysql_config|mariadb_config|\bmysql\.h|mysqlclient",
    "openldap-dev": r"\bl(?:ber|dap)\.h",
    "openssl-dev": r"openssl/\w+\.h",
    "pkgconf": r"pkg-config\b.*not found|pkg-config: not",
    "portaudio-dev": r"portaudio\.h",
    "sdl2-dev": r"sdl2?-config|SDL\.h",
    "snappy-dev": r"snappy(?:-c)?\.h",
    "sqlite-dev": r"sqlite3\.h",
    "zlib-dev": r"\bzlib\.h",
}
"""Alpine's packages that a compilation lacks, by the words of its output."""
_ANOTHER: Final = "name one that has, in APK_REPOSITORY under [build] args"
_BRINGS: Final = {
    "libGL": "mesa-gl",
    "libMagickWand": "imagemagick-libs",
    "libcairo": "cairo",
    "libfontconfig": "fontconfig",
    "libgeos_c": "geos",
    "libglib-2.0": "glib",
    "libgobject-2.0": "glib",
    "libgomp": "libgomp",
    "libgtk-3": "gtk+3.0",
    "libldap": "libldap",
    "libmagic": "libmagic",
    "libmariadb": "mariadb-connector-c",
    "libodbc": "unixodbc",
    "libpango-1.0": "pango",
    "libportaudio": "portaudio",
    "libpq": "libpq",
    "libproj": "proj",
    "libsndfile": "libsndfile",
    "libstdc++": "libstdc++",
    "libusb-1.0": "libusb",
    "libvips": "vips",
    "libxml2": "libxml2",
    "libxslt": "libxslt",
    "libzbar": "zbar",
}
"""Alpine's packages of libraries that are often missing, for who has none of its repositories."""
