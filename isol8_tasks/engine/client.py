"""Docker's Python client for an endpoint, where its exceptions end, and what docker's own configuration says of it."""

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import docker
from docker import auth, constants, errors
from docker.tls import TLSConfig
from docker.utils import config, kwargs_from_env
from docker.utils.proxy import ProxyConfig
from urllib3.exceptions import InsecureRequestWarning

from isol8_tasks.engine.configuration import config_folder, configuration, context_tls
from isol8_tasks.engine.endpoint import Endpoint, diagnose, is_listening, malformed
from isol8_tasks.engine.pool import OnePool
from isol8_tasks.engine.wire import repository_and_tag
from isol8_tasks.errors import EngineUnreachableError, UpstreamUnavailableError
from isol8_tasks.safety.redact import redact

_CERTIFICATES: Final = ("ca.pem", "cert.pem", "key.pem")


def connect(endpoint: Endpoint, environ: Mapping[str, str]) -> docker.APIClient:
    """Return docker's client for an endpoint; EngineUnreachableError for one that can't be spoken to."""
    url = endpoint.url
    if not url or malformed(url):
        raise EngineUnreachableError(diagnose(endpoint, environ))
    # Docker's client reads it, too, and stumbles on what docker would not write.
    configuration(environ)
    if url.startswith("ssh://"):
        raise EngineUnreachableError(
            f"no Docker Engine: {redact(url)} (from {endpoint.why}) has an ssh address, "
            "which is not supported\n"
            "Forward its socket, ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock HOST, "
            "and export DOCKER_HOST=unix:///tmp/docker.sock"
        )
    if url.startswith("unix:") and not is_listening(url):
        # Docker's client would leave a socket open.
        raise EngineUnreachableError(diagnose(endpoint, environ))
    try:
        # A version that is given costs no question here; the requests themselves name the real one.
        version = constants.MINIMUM_DOCKER_API_VERSION
        client = docker.APIClient(base_url=url, version=version, tls=_tls(endpoint, environ))
    except errors.TLSParameterError as error:
        raise EngineUnreachableError(
            f"no Docker Engine: {redact(url)} (from {endpoint.why}) is to be asked by TLS, and certificates for it "
            f"can't be read{_lacking(endpoint, environ)}\n"
            "Put ca.pem, cert.pem and key.pem into ~/.docker, name their folder by DOCKER_CERT_PATH, or unset "
            "DOCKER_TLS_VERIFY."
        ) from error
    except (errors.DockerException, ValueError) as error:
        raise EngineUnreachableError(
            f"no Docker Engine: {redact(url)} (from {endpoint.why}) can't be used: "
            f"{redact(str(error))}\n"
            "An engine's address looks like unix:///var/run/docker.sock or tcp://host:2375."
        ) from error
    if client.verify is False:
        # Asked for by who made the context or the variables; every request would print that it is so.
        warnings.simplefilter("ignore", InsecureRequestWarning)
    client.headers.update(config.load_general_config().get("HttpHeaders") or {})
    if url.startswith("unix:"):
        client.mount("http+docker://", OnePool(url.replace("unix:", "http+unix:", 1), client.timeout))
    return client


def _lacking(endpoint: Endpoint, environ: Mapping[str, str]) -> str:
    """Return what the folder lacks that DOCKER_CERT_PATH names, as the end of a sentence; empty if nothing."""
    folder = environ.get("DOCKER_CERT_PATH")
    if not folder or endpoint.why != "DOCKER_HOST":
        return ""
    names = [name for name in _CERTIFICATES if not Path(folder, name).is_file()]
    listed = " or ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
    return f": DOCKER_CERT_PATH={folder} has no {listed}" if listed else ""


def _tls(endpoint: Endpoint, environ: Mapping[str, str]) -> TLSConfig | bool:
    if endpoint.context:
        return _context_config(*context_tls(config_folder(environ), endpoint.context))
    if endpoint.why == "DOCKER_HOST":
        found: TLSConfig | bool = kwargs_from_env(environment=dict(environ)).get("tls", False)
        return found
    return False


def _context_config(folder: Path | None, trusting: bool) -> TLSConfig | bool:  # noqa: FBT001 - as context_tls has it
    """Return what a context's certificates ask for; docker's own class finds them only beside a config.json."""
    if folder is None and not trusting:
        return False
    authority, certificate, key = (
        str(folder / name) if folder and (folder / name).is_file() else None for name in _CERTIFICATES
    )
    pair = (certificate, key) if certificate and key else None
    return TLSConfig(client_cert=pair, ca_cert=authority, verify=not trusting)


def registry_login(client: docker.APIClient, reference: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the header that lets the engine pull an image, from docker's own configuration."""
    # Docker's client takes one that can't be read for none.
    configuration(environ)
    registry = ""
    try:
        registry, _ = auth.resolve_repository_name(repository_and_tag(reference)[0])
        with warnings.catch_warnings():
            # Docker's client would print where in it the helper is missed.
            warnings.simplefilter("ignore")
            header = auth.get_config_header(client, registry)
    except errors.DockerException as error:
        said = re.sub(r"^.*StoreError\(['\"](.*)['\"]\)$", r"\1", redact(str(error)), flags=re.DOTALL)
        raise UpstreamUnavailableError(
            f"docker's login for {registry or reference} can't be read: {said}\n"
            "Install the helper that credsStore or credHelpers in docker's config.json names, or remove the line."
        ) from error
    return {"X-Registry-Auth": header.decode()} if header else {}


def proxy_args(endpoint: Endpoint) -> dict[str, str]:
    """Return the build arguments that docker's configuration asks for, as `docker build` adds them."""
    known = config.load_general_config().get("proxies") or {}
    proxies: Any = known.get(endpoint.url) or known.get("default") or {}
    environment = ProxyConfig.from_dict(proxies).get_environment()
    return {name: str(value) for name, value in environment.items()}
