"""Imports what packages bring as a program in /sandbox would, and lists all packages; for any Python 3.9 or newer.

The answer goes to file descriptor 3, since packages print what they like. Each package is imported in a child of its
own, where it can crash or hang.

What Python does not import at its own start is imported where it is needed: an image has no compiled files of the
library, and each module costs a check as much as the rest of it.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NOT_MEANT = {
    "test",
    "tests",
    "testing",
    "doc",
    "docs",
    "example",
    "examples",
    "benchmark",
    "benchmarks",
    "scripts",
}

Fields = dict[str, list[str]]
"""The header of METADATA, each field with its values."""


def folders(places: "Iterable[str]") -> "Iterator[tuple[str, Fields]]":
    """Give the metadata of installed packages, each package once, and the one first that is imported."""
    seen = set()
    for place in places:
        for name in listed(place or "."):
            if name.endswith((".dist-info", ".egg-info")):
                folder = os.path.join(place, name)
                fields = metadata(folder)
                known = canonical(fields.get("Name", [""])[0])
                if known and known not in seen:
                    seen.add(known)
                    yield folder, fields


def listed(folder: str) -> list[str]:
    """Return the names in a folder, sorted; none where there is no such folder."""
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def metadata(folder: str) -> Fields:
    """Read the header of a package's metadata; there is nothing in it where it can't be read."""
    fields: Fields = {}
    for file in (os.path.join(folder, "METADATA"), os.path.join(folder, "PKG-INFO"), folder):
        try:
            with open(file, encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    if not line.strip():
                        break
                    key, colon, value = line.partition(": ")
                    if colon and not line[0].isspace():
                        fields.setdefault(key, []).append(value.strip())
            break
        except OSError:
            continue
    return fields


def canonical(name: str) -> str:
    """Return a name as PEP 503 has it."""
    return "-".join(part for part in name.lower().replace("_", "-").replace(".", "-").split("-") if part)


def recorded(folder: str) -> list[str]:
    """Return the files of a wheel, relative to the folder that its metadata lies in."""
    return [path for path, _ in hashed(folder)]


def hashed(folder: str) -> list[tuple[str, str]]:
    """Return the same with their hashes."""
    import csv

    try:
        with open(os.path.join(folder, "RECORD"), encoding="utf-8", newline="") as file:
            return [(row[0], row[1] if row[1:] else "") for row in csv.reader(file) if row]
    except OSError:
        return []


def modules(folder: str, name: str) -> list[str]:
    """Return the names under which a package is meant to be imported."""
    names = of_files(recorded(folder))
    if not names:
        try:
            with open(os.path.join(folder, "top_level.txt"), encoding="utf-8") as file:
                names = set(file.read().split())
        except OSError:
            names = set()
    names = {each for each in names if all(part.isidentifier() for part in each.split("."))}
    public = {
        each for each in names if not each.startswith("_") and each.split(".")[0].lower() not in NOT_MEANT
    }
    same = {each for each in public if canonical(each) == name}
    return sorted(same or public or names)


def of_files(paths: "Iterable[str]") -> set[str]:
    """Return the modules and outermost packages among the files of a wheel."""
    packages, single = set(), set()
    for path in paths:
        parts = tuple(path.split("/"))
        stem, _, ending = parts[-1].partition(".")
        if parts[0].endswith((".dist-info", ".egg-info", ".data")) or parts[0] in {"", "..", "__pycache__"}:
            continue
        if ending != "py" and not ending.endswith("so"):
            continue
        if stem == "__init__":
            packages.add(parts[:-1])
        else:
            single.add((*parts[:-1], stem))
    outer = {
        each for each in packages | single if not any(each[:end] in packages for end in range(1, len(each)))
    }
    # In a folder without __init__.py, modules beside packages are inner parts of something.
    least = min(map(len, outer), default=0)
    return {".".join(each) for each in outer if each in packages or len(each) == least}


def imported(names: list[str]) -> dict[str, object]:
    """Import in a child, and return what went wrong, with that of the modules below where these are tried."""
    import select
    import signal
    import time

    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        in_child(names, writer)
    os.close(writer)
    # CPU time is limited by the kernel; the clock ends what sleeps.
    end = time.monotonic() + float(os.environ["ISOL8_CHECK_CLOCK"])
    text, late = b"", False
    while not late:
        ready, _, _ = select.select([reader], [], [], max(0.0, end - time.monotonic()))
        late = not ready
        data = os.read(reader, 65536) if ready else b""
        if not data:
            break
        text += data
    os.close(reader)
    if late:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    records = text.decode("utf-8", "replace").split(END)[:-1]
    if not records:
        over = late or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU)
        ended = "did not end" if over else f"ended the process ({os.waitstatus_to_exitcode(status)})"
        fault = {"use": f"import {', '.join(names)} {ended}", "kinds": [], "raised": 0, "text": ""}
        return {"fault": fault, "parts": [], "tried": 0}
    first, *parts = map(read_fault, records[: DEEPER + 1])
    return {"fault": first, "parts": [each for each in parts if each], "tried": len(parts)}


def in_child(names: list[str], writer: int) -> None:
    """Import, and write what went wrong, a record for each thing that was tried; ends the process."""
    import importlib

    limited(int(os.environ["ISOL8_CHECK_SECONDS"]))
    problems: list[str] = []
    # Of a folder of other packages' modules (google), some may need what an extra brings.
    spared = len(names) // 2 if all("." in name for name in names) else 0
    for name in names:
        try:
            importlib.import_module(name)
        except BaseException as error:  # noqa: BLE001 - whatever it raises, SystemExit too, is the answer
            problems.append(fault_record(name, error))
            if len(problems) > spared or not isinstance(error, ModuleNotFoundError):
                spared = 0
                break
    problem = problems[-1] if len(problems) > spared else ""
    os.write(writer, (problem + END).encode("utf-8", "replace"))
    if not problem and os.environ.get("ISOL8_WHOLE"):
        for name in below(names):
            problem = ""
            try:
                if name:
                    importlib.import_module(name)
            except BaseException as error:  # noqa: BLE001 - as above
                problem = fault_record(name, error)
            os.write(writer, (problem + END).encode("utf-8", "replace"))
    os._exit(0)


def limited(seconds: int) -> None:
    """Let the kernel end this process when it has used so many more seconds of CPU time."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(sum(os.times()[:2])) + seconds, hard))


def below(names: list[str]) -> "Iterator[str]":
    """Give the modules one level below packages that import few of them, as far as that takes little time.

    An empty name stands for each that is imported already.
    """
    import time

    limited(DEEPER_SECONDS + 2)
    end = time.process_time() + DEEPER_SECONDS
    for name in names:
        places = getattr(sys.modules.get(name), "__path__", ())
        stems = {
            each.partition(".")[0] for place in places for each in listed(place) if is_module(place, each)
        }
        found = [f"{name}.{stem}" for stem in sorted(stems) if stem.isidentifier() and is_meant(stem)][
            :DEEPER
        ]
        loaded = [each for each in found if each in sys.modules]
        if 2 * len(loaded) > len(found):
            continue
        yield from [""] * len(loaded)
        for each in found:
            if time.process_time() > end:
                return
            if each not in sys.modules:
                yield each


def is_module(place: str, name: str) -> bool:
    """Tell whether a name in a package's folder is a module of it."""
    return name.endswith((".py", ".so")) or os.path.exists(os.path.join(place, name, "__init__.py"))


def is_meant(stem: str) -> bool:
    """Tell whether a module is there to be imported by programs."""
    return (
        not stem.startswith("_") and stem not in NOT_MEANT and stem not in PROGRAMS and stem not in VERSIONS
    )


def fault_record(name: str, error: BaseException) -> str:
    """Return what was imported, of which classes the error and those behind it are, who raised it, and its words."""
    import opcode

    kinds: set[str] = set()
    links: list[BaseException] = [error]
    for link in links:
        kinds |= {kind.__name__ for kind in type(link).__mro__}
        links += [each for each in (link.__cause__, link.__context__) if each and each not in links]
    raised, frame = type(error).__module__ != "builtins", error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    if frame is not None:
        code = frame.tb_frame.f_code.co_code
        raised = raised or code[frame.tb_lasti] == opcode.opmap["RAISE_VARARGS"]
    parts = (f"import {name}", " ".join(sorted(kinds)), str(int(raised)), told(error))
    return BETWEEN.join(part.replace(BETWEEN, " ").replace(END, " ") for part in parts)


def read_fault(text: str) -> "dict[str, object] | None":
    """Read what `fault_record` wrote; None where nothing went wrong."""
    if not text:
        return None
    use, kinds, raised, said = text.split(BETWEEN)
    return {"use": use, "kinds": kinds.split(), "raised": int(raised), "text": said}


def told(error: BaseException) -> str:
    """Return an error as Python prints it, without the steps that every import takes."""
    import traceback

    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)[1:]
        if not frame.filename.startswith("<frozen ") and not frame.filename.endswith("/importlib/__init__.py")
    ]
    lines = traceback.format_list(frames) + traceback.format_exception_only(type(error), error)
    return "".join(lines)[-4000:]


def looked(number: int, name: str, known: dict[str, tuple[str, Fields]]) -> "dict[str, object] | None":
    """Return what there is to say of one package; None if it is not there."""
    if name not in known:
        return None
    folder, _ = known[name]
    names = modules(folder, name)
    # Stubs and programs have nothing to import, and then it counts that their files are there.
    place = os.path.dirname(folder)
    files = [] if names else recorded(folder)
    gone = [path for path in files if not os.access(os.path.join(place, path), os.R_OK)]
    result = imported(names) if names else {"fault": None, "parts": [], "tried": 0}
    wheel = recorded(folder) if names and (result["fault"] or os.environ.get("ISOL8_WHOLE")) else files
    paths = [os.path.normpath(os.path.join(place, path)) for path in wheel]
    lost = [
        path
        for path in paths
        if result["fault"] and path.endswith((".py", ".so")) and not os.path.exists(path)
    ]
    commands = [path for path in paths if os.path.dirname(path) in os.environ.get("PATH", "").split(":")]
    # What runs one of its own programs does it its own way, so only those for the loader are of interest.
    inner = [
        path for path in paths if path.endswith(f"/bin/{os.path.basename(path)}") and path not in commands
    ]
    programs = commands + [path for path in inner if is_native(path)]
    libraries = [path for path in paths if ".so" in os.path.basename(path)]
    ask(number, "program", programs)
    ask(number, "library", libraries)
    own = [os.path.basename(path) for path in commands]
    return {**result, "gone": gone[:1], "lost": lost[:1], "commands": own}


def is_native(path: str) -> bool:
    """Tell whether a file is a program for the dynamic loader."""
    try:
        with open(path, "rb") as file:
            return file.read(4) == b"\x7fELF"
    except OSError:
        return False


def overwritten(known: dict[str, tuple[str, Fields]], wanted: "Iterable[str]") -> "list[list[str]]":
    """Return the modules that several packages install, one of them wanted, in different ways.

    Each with the package whose file is there, which may be another one yet, and those whose file is not.
    """
    owners: dict[str, list[tuple[str, str]]] = {}
    for name, (folder, _) in known.items():
        place = os.path.dirname(folder)
        for path, digest in hashed(folder):
            if path.endswith((".py", ".so")) and digest:
                owners.setdefault(os.path.normpath(os.path.join(place, path)), []).append((name, digest))
    asked = set(wanted)
    found: dict[tuple[str, ...], list[str]] = {}
    for path, theirs in owners.items():
        names = [name for name, _ in theirs]
        if len({digest for _, digest in theirs}) > 1 and not asked.isdisjoint(names):
            there = digest_of(path)
            winners = [name for name, digest in theirs if digest == there]
            losers = [name for name, digest in theirs if digest != there]
            found.setdefault(tuple(names), [path, (winners or [""])[0], *losers])
    return list(found.values())


def digest_of(path: str) -> str:
    """Return what RECORD has of a file that is as it was installed; empty where it can't be read."""
    import base64
    import hashlib

    try:
        with open(path, "rb") as file:
            found = hashlib.sha256(file.read()).digest()
    except OSError:
        return ""
    return "sha256=" + base64.urlsafe_b64encode(found).decode().rstrip("=")


def ask(number: int, kind: str, paths: list[str]) -> None:
    """Leave files for the dynamic loader to be asked about, once an image."""
    if paths and os.environ.get("ISOL8_WHOLE"):
        with open("/sandbox/asked", "a", encoding="utf-8", errors="surrogateescape") as file:
            file.writelines(f"{number}\t{kind}\t{path}\n" for path in paths if "\n" not in path)


def environment() -> dict[str, str]:
    """Return what the markers of requirements are about (PEP 508)."""
    import platform

    version = sys.implementation.version
    return {
        "implementation_name": sys.implementation.name,
        "implementation_version": ".".join(map(str, version[:3])),
        "os_name": os.name,
        "platform_machine": platform.machine(),
        "platform_python_implementation": platform.python_implementation(),
        "platform_release": platform.release(),
        "platform_system": platform.system(),
        "platform_version": platform.version(),
        "python_full_version": platform.python_version(),
        "python_version": ".".join(platform.python_version_tuple()[:2]),
        "sys_platform": sys.platform,
    }


def as_json(value: object) -> str:
    """Write as JSON what an answer is made of: texts, whole numbers and None, in lists and mappings."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{as_json(key)}:{as_json(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(as_json, value)) + "]"
    if isinstance(value, str):
        return '"' + "".join(map(escaped, value)) + '"'
    return "null" if value is None else str(value)


def escaped(character: str) -> str:
    """Return a character as it stands in a string of JSON."""
    if character in {'"', "\\"}:
        return f"\\{character}"
    code = ord(character)
    # What can't be written as UTF-8 is half a pair, of which JSON knows each half.
    return f"\\u{code:04x}" if code < FIRST_PRINTED or SURROGATES[0] <= code <= SURROGATES[1] else character


def main() -> None:
    """Answer for the packages that are named."""
    wanted = sys.argv[1:]
    known = {canonical(fields["Name"][0]): (folder, fields) for folder, fields in folders(sys.path)}
    answer = {
        "answer": 40 + 2,
        "version": sys.version.split()[0],
        "environment": environment() if wanted else {},
        "packages": [
            [fields["Name"][0], fields.get("Version", [""])[0], fields.get("Requires-Dist", [])]
            for _, fields in known.values()
        ],
        "items": [looked(number, name, known) for number, name in enumerate(wanted)],
        "overwritten": overwritten(known, wanted) if wanted and os.environ.get("ISOL8_WHOLE") else [],
    }
    with open(3, "w", encoding="utf-8") as file:
        file.write(as_json(answer))


FIRST_PRINTED = 0x20
SURROGATES = (0xD800, 0xDFFF)
BETWEEN, END = "\x1f", "\x1e"
# What a package has in its outermost module besides nothing.
VERSIONS = {"version", "about", "meta", "metadata", "info"}
PROGRAMS = {"main", "cli", "gui", "conftest", "setup", "pytest_plugin", "wsgi", "asgi"}
DEEPER = 25
DEEPER_SECONDS = 1

if __name__ == "__main__":
    main()
