"""Looks for the Alpine packages that an image of another runtime than bash has beside its own packages."""

import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from importlib.resources import files
from typing import Final

from isol8_tasks.ecosystems.findings import PackageFinding, PackageNote, PackageUnusable, Seen
from isol8_tasks.ecosystems.inventory import Package
from isol8_tasks.ecosystems.loading import read_asked
from isol8_tasks.ecosystems.runtimes import RUNTIMES, verification
from isol8_tasks.ecosystems.specs import parse_spec
from isol8_tasks.engine.containers import Finished, RunRequest
from isol8_tasks.safety.jsontext import loads
from isol8_tasks.verify import probe
from isol8_tasks.verify.conditions import Conditions, profile
from isol8_tasks.verify.probe import Look


def judge_system(
    image: str, system: tuple[str, ...], look: Look, kind: Conditions, run: Callable[[RunRequest], Finished]
) -> Iterator[PackageFinding | PackageNote]:
    """Tell what is wrong with Alpine packages, as bash's own are judged; `look` is what was seen of the rest."""
    mark = secrets.token_hex(8)
    alpine = verification(_BASH)
    request = RunRequest(
        image=image,
        command=("bash", "-c", _script(), "bash", mark, *map(alpine.query, system)),
        user=kind.user,
        environment=kind.environment,
        tmpfs=kind.tmpfs,
        seccomp=profile(kind.denied_system_calls),
        capabilities=(),
        seconds=probe.LOOK_SECONDS,
        clock=probe.LOOK_SECONDS * probe.SLOWEST,
    )
    finished = run(request)
    answer = probe.read_look(finished.stdout.decode("utf-8", "replace"), mark)
    asked = read_asked(answer.loader or "")
    if len(answer.items) != len(system) or asked is None:
        printed = finished.stderr.decode("utf-8", "replace")
        yield from (PackageUnusable(package=each, use="apk info", output=printed) for each in system)
        return
    seen = Seen(items=answer.items, apk=look.apk, asked=asked)
    yield from alpine.judge(system, seen)
    yield from alpine.judge_once(system, seen)
    yield from _of_another_python(system, look)


def without_apks(packages: tuple[Package, ...], look: Look, below: frozenset[Package]) -> tuple[Package, ...]:
    """Leave out the Python packages that came with Alpine's, which are listed as Alpine's.

    Those of the parent are left in where it lists them.
    """
    owned = {
        re.sub(r"[-_.]+", "-", found["name"]).lower()
        for paths in _files(look.apk).values()
        for file in paths
        if (found := re.search(_METADATA, file))
    }
    known = {each.name for each in below if each.ecosystem == "pypi"}
    return tuple(
        each for each in packages if each.ecosystem != "pypi" or each.name not in owned or each.name in known
    )


def _script() -> str:
    """Return what looks for packages, and then asks the dynamic loader about their programs."""
    loader = (files("isol8_tasks.verify.probes") / "loader.sh").read_text(encoding="utf-8")
    asked = "/sandbox/asked"
    return "\n".join(
        (
            f"whole=yes; : >{asked}",
            RUNTIMES[_BASH].probe.text(),
            'printf "\\n%s loader\\n" "$mark"',
            f"exec <{asked}",
            loader,
        )
    )


def _of_another_python(system: tuple[str, ...], look: Look) -> Iterator[PackageUnusable]:
    """Tell of packages with modules for another Python than the image has."""
    try:
        version = str(loads(look.runtime.splitlines()[-1])["version"])
    except (ValueError, IndexError, KeyError, TypeError):
        return
    there = ".".join(version.split(".")[:2])
    known = _files(look.apk)
    for spec in system:
        names = (file for file in known.get(parse_spec("apk", spec).name, ()))
        pythons = {found[1] for file in names if (found := re.search(_MODULES, file))}
        if pythons and there not in pythons:
            yield PackageUnusable(
                package=spec,
                use="its Python modules",
                output=f"they are for Python {', '.join(sorted(pythons))}, and the image has Python {there}",
            )


def _files(database: str) -> Mapping[str, tuple[str, ...]]:
    """Return the files and folders of each package, by apk's database."""
    found: dict[str, tuple[str, ...]] = {}
    for entry in re.split(r"\n{2,}", database):
        name, folder, paths = "", "", []
        for line in entry.splitlines():
            kind, _, text = line.partition(":")
            if kind == "P":
                name = text
            elif kind == "F":
                folder = text
                paths.append(text)
            elif kind == "R":
                paths.append(f"{folder}/{text}")
        found[name] = tuple(paths)
    return found


_BASH: Final = "bash"
_MODULES: Final = r"^usr/lib/python([0-9]+\.[0-9]+)/site-packages/"
_METADATA: Final = (
    _MODULES.replace("([0-9]+", "(?:[0-9]+") + r"(?P<name>[^/]+?)-[0-9][^/]*\.(?:dist|egg)-info$"
)
