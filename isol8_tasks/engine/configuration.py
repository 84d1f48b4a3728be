"""Docker's own configuration: the context in use, and where the contexts' engines are."""

import binascii
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from isol8_tasks.errors import EngineUnreachableError
from isol8_tasks.safety.jsontext import loads


def config_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder of docker's configuration, be it there or not."""
    if folder := environ.get("DOCKER_CONFIG"):
        return Path(folder)
    return Path(environ.get("HOME") or Path.home()) / ".docker"


def active_context(environ: Mapping[str, str]) -> str:
    """Return the name of docker's context in use; empty for the one that every docker has."""
    name = environ.get("DOCKER_CONTEXT") or text_in(configuration(environ), "currentContext")
    return "" if name == "default" else name


def contexts(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the names of docker's contexts and the addresses of their engines."""
    for meta in sorted((folder / "contexts" / "meta").glob("*/meta.json")):
        value = read_json(meta)
        if name := text_in(value, "Name"):
            yield name, _host(value)


def context_host(folder: Path, name: str) -> str:
    """Return the address of a context's engine; empty where there is no such context."""
    return _host(read_json(_of_context(folder, "meta", name) / "meta.json"))


def context_tls(folder: Path, name: str) -> tuple[Path | None, bool]:
    """Return the folder of a context's certificates, None if it has none, and whether it trusts any server.

    They are where docker's own client keeps them (docker/cli, cli/context/store), named ca.pem, cert.pem and key.pem.
    """
    certificates = _of_context(folder, "tls", name) / "docker"
    endpoint = _endpoint(read_json(_of_context(folder, "meta", name) / "meta.json"))
    trusting = isinstance(endpoint, dict) and endpoint.get("SkipTLSVerify") is True
    return certificates if certificates.is_dir() else None, trusting


def _of_context(folder: Path, kind: str, name: str) -> Path:
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
    return folder / "contexts" / kind / digest


def _host(meta: object) -> str:
    return text_in(_endpoint(meta), "Host")


def _endpoint(meta: object) -> object:
    endpoints = meta.get("Endpoints") if isinstance(meta, dict) else None
    return endpoints.get("docker") if isinstance(endpoints, dict) else None


def text_in(value: object, key: str) -> str:
    """Return the string that an object of JSON has by a key; empty where there is none."""
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""


def configuration(environ: Mapping[str, str]) -> object:
    """Return docker's own configuration, None if there is none; EngineUnreachableError where it can't be read.

    It names the engine and how to log in to registries, so what it might have said can't be done without.
    """
    path = config_folder(environ) / "config.json"
    found, problem = _read(path)
    problem = problem or _misshapen(found)
    if problem:
        raise EngineUnreachableError(
            f"{path}: docker's configuration can't be read ({problem})\n"
            "Correct it, move it away, or name another folder by DOCKER_CONFIG."
        )
    return found


def _read(path: Path) -> tuple[object, str]:
    """Return what the file says, None without one; and why it can't be read."""
    try:
        if not path.is_dir() and path.exists() and not path.is_file():
            # A pipe would be waited for without end.
            return None, "it is not a regular file"
        # An empty file is none for docker's own client, too.
        return loads(path.read_bytes().decode("utf-8").strip() or "null"), ""
    except (FileNotFoundError, NotADirectoryError):
        return None, ""
    except OSError as error:
        return None, error.strerror or str(error)
    except ValueError as error:
        return None, f"it is not JSON in UTF-8: {error}"


def _misshapen(found: object) -> str:
    """Say what in docker's configuration has another shape than docker writes, which its client would stumble on."""
    if not isinstance(found, dict):
        return "it is not an object" if found is not None else ""
    for key, inner in _SHAPES.items():
        value = found.get(key)
        if value is not None and not isinstance(value, dict):
            return f"{key} is not an object"
        for name, each in (value or {}).items():
            if not isinstance(each, inner):
                return f"{key} {name} is not {'an object' if inner is dict else 'a string'}"
    odd = [f"{key} is not a string" for key in _STRINGS if not isinstance(found.get(key, ""), str)]
    for name, entry in (found.get("auths") or {}).items():
        if not _is_login(entry):
            odd.append(f"auths {name}: auth is not user:password in base64")
    return odd[0] if odd else ""


def _is_login(entry: Mapping[str, object]) -> bool:
    auth = entry.get("auth") or ""
    try:
        return isinstance(auth, str) and (not auth or b":" in binascii.a2b_base64(auth))
    except ValueError:
        return False


_STRINGS: Final = ("credsStore", "currentContext")
_SHAPES: Final[Mapping[str, type]] = {
    "auths": dict, "proxies": dict, "credHelpers": str, "HttpHeaders": str
}  # fmt: skip


def read_json(path: Path) -> object:
    """Return what a file says; None for what can't be read."""
    # What docker's own client can't read of a context counts for nothing here: it is not ours to complain about.
    try:
        return loads(path.read_bytes())
    except (OSError, ValueError):
        return None
