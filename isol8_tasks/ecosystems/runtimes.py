"""The five runtimes and their ecosystems as data: python, node, bun, deno and bash."""

import datetime as dt
import importlib
from typing import TYPE_CHECKING, Final, cast

from isol8_tasks.ecosystems import grammar
from isol8_tasks.ecosystems.compilers import LACKING
from isol8_tasks.ecosystems.model import CACHE_FOLDER, DownloadCache, Ecosystem, Program, Runtime

if TYPE_CHECKING:
    from isol8_tasks.ecosystems.findings import PackageVerification

_PIP: Final = f"pip install --no-compile --cache-dir {CACHE_FOLDER}"

ECOSYSTEMS: Final[dict[str, Ecosystem]] = {
    ecosystem.name: ecosystem
    for ecosystem in (
        Ecosystem(
            name="pypi",
            module="isol8_tasks.ecosystems.pypi",
            source="index",
            secrets=r"\$PIP_\w+|netrc|pip\.conf",
            failures=(
                (r"Retrying \(|Max retries exceeded|Could not fetch URL", ""),
                (
                    r"\(from versions: none\)[\s\S]*No matching distribution found for (\S+)",
                    (
                        "The index has no {0}, or no build of it for Alpine (musl): "
                        "neither a musllinux wheel for this Python nor the source."
                    ),
                ),
                (
                    LACKING,
                    "There is no wheel for Alpine (musl), and the image has nothing to compile the source with.",
                ),
            ),
            spellings=True,
            read=grammar.read_pypi,
            forms="pip accepts name, name[extra], name>=1,<2 and name @ https://…, "
            "for example requests[socks]>=2,<3",
            inventory=("pypi",),
            one_version=True,
            locations=frozenset({"PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST"}),
        ),
        Ecosystem(
            name="npm",
            module="isol8_tasks.ecosystems.npm",
            source="registry",
            secrets=r"\$(?:(?:NPM|npm|BUN)_\w+|NODE_AUTH_TOKEN)|npmrc",
            failures=(
                (r"Valid libc: +glibc\b", "It is built for glibc, and Alpine has musl."),
                (
                    rf"gyp ERR! .*(?:find (?:any )?Python|not found)|{LACKING}",
                    "It has to be compiled (node-gyp).",
                ),
            ),
            read=grammar.read_npm,
            forms="npm and bun accept name, name@range, name@tag and name@npm:other, for example @scope/pkg@^1.2",
            inventory=("npm",),
            locations=frozenset({"NPM_CONFIG_REGISTRY"}),
        ),
        Ecosystem(
            name="deno",
            module="isol8_tasks.ecosystems.deno",
            source="registry",
            secrets=r"\$(?:NPM_\w+|NODE_AUTH_TOKEN|DENO_AUTH_TOKENS)|npmrc",
            read=grammar.read_deno,
            forms="deno accepts npm:name@1/path, jsr:@scope/name@1/path and https URLs, for example npm:zod@3",
            inventory=("npm", "deno"),
            locations=frozenset({"NPM_CONFIG_REGISTRY"}),
        ),
        Ecosystem(
            name="apk",
            module="isol8_tasks.ecosystems.apk",
            source="repository",
            secrets=r"\$HTTP_AUTH|netrc",
            read=grammar.read_apk,
            forms="apk accepts name, name=version, name>=version, name~version and name@tag, "
            "for example jq=1.7.1-r0",
            inventory=("apk",),
            one_version=True,
        ),
    )
}
"""By their names."""

RUNTIMES: Final[dict[str, Runtime]] = {
    runtime.name: runtime
    for runtime in (
        # Files and commands: engine/../runtime/adapters/{python,node,bun,deno,bash}.ts@v0.4.3, the same in every
        # release but for node's extension. Inline code: engine/docker.ts:985@v0.11.1, :952@v0.20.0.
        Runtime(
            name="python",
            packages="Python packages, installed with pip",
            file="/sandbox/main.py",
            command=("python3", "{file}"),
            inline=("python3", "-c", "{code}"),
            programs={"py": "print(40 + 2)"},
            probe=Program("isol8_tasks.ecosystems.probes", "python.py"),
            answers="json",
            lock="isol8_tasks.ecosystems.locks.requirements_txt",
            recipe=1,
            install=("pip", "install", "--no-cache-dir"),
            compiles=True,
            # What is kept of compiled modules has no hash that a lock knows.
            download_cache=DownloadCache(
                plain=(
                    "pip install --no-cache-dir",
                    f"python3 -I -c {{program}} {CACHE_FOLDER}/compiled {_PIP}",
                ),
                locked=("pip install --no-cache-dir", f"python3 -I -c {{program}} '' {_PIP}"),
                program=Program("isol8_tasks.lifecycle.programs", "compiling.py"),
                is_shared=True,
            ),
            # pip then compiles for the hash of a source, not for its time; zip archives know no time before 1980.
            patience=("PIP_RETRIES=2", "SOURCE_DATE_EPOCH=315532800"),
            ecosystem="pypi",
        ),
        Runtime(
            name="node",
            packages="Node.js packages, installed with npm",
            file="/sandbox/main.mjs",
            command=("node", "{file}"),
            inline=("node", "-e", "{code}"),
            before_words=("--",),
            programs={
                "js": 'require("node:fs"); console.log(40 + 2)',
                "mjs": 'import "node:fs"; console.log(40 + 2)',
            },
            probe=Program("isol8_tasks.ecosystems.probes", "node.cjs"),
            answers="json",
            asks="node",
            tool="npm",
            lock="isol8_tasks.ecosystems.locks.package_lock",
            recipe=1,
            install=("npm", "install", "-g"),
            compiles=True,
            download_cache=DownloadCache(
                plain=("install -g", f"install -g --cache {CACHE_FOLDER}"),
                locked=('--cache "$folder/cache"', f"--cache {CACHE_FOLDER}"),
                is_shared=True,
            ),
            patience=("NPM_CONFIG_FETCH_RETRIES=1", "NPM_CONFIG_FETCH_RETRY_MINTIMEOUT=1000"),
            leaves=("/root/.npm", "/tmp/node-compile-cache"),  # noqa: S108 - in the image
            ecosystem="npm",
        ),
        Runtime(
            name="bun",
            packages="Bun packages, installed with bun",
            file="/sandbox/main.ts",
            command=("bun", "run", "{file}"),
            inline=("bun", "-e", "{code}"),
            before_words=("--",),
            programs={"ts": 'import "node:fs"; console.log((40 as number) + 2)'},
            probe=Program("isol8_tasks.ecosystems.probes", "node.cjs"),
            answers="json",
            unpackaged=True,
            asks="bun --no-install",
            tool="bun",
            release=("BUN_VERSION", "BUN_SHA256"),
            lock="isol8_tasks.ecosystems.locks.bun_lock",
            recipe=1,
            install=("bun", "install", "-g"),
            compiles=True,
            # Bun runs the scripts of the packages on a list of its own; and where there are no others, it fails.
            compiled="cd /usr/local/lib && { said=$(bun pm trust --all 2>&1) || code=$?; printf '%s\\n' \"$said\"; "
            'case $said in *"0 scripts ran"*) ;; *) exit ${code:-0} ;; esac; }',
            # --no-cache is about what the registry has of a package.
            download_cache=DownloadCache(
                plain=("install -g", f"install -g --no-cache --cache-dir={CACHE_FOLDER}")
            ),
            leaves=("/root/.bun/install/cache/*.npm",),
            ecosystem="npm",
            locations=frozenset({"BUN_ARCHIVE_URL", "BUN_INSTALL_URL"}),
        ),
        Runtime(
            name="deno",
            packages="Deno modules, cached with deno",
            least_age=dt.timedelta(days=1),  # from 2.9 on
            file="/sandbox/main.mts",
            command=(
                *("deno", "run", "--allow-read=/sandbox,/tmp", "--allow-write=/sandbox,/tmp"),
                *("--allow-env", "--allow-net", "{file}"),
            ),
            programs={"mts": 'import "node:fs"; console.log((40 as number) + 2)'},
            probe=Program("isol8_tasks.ecosystems.probes", "deno.js"),
            answers="modules",
            unpackaged=True,
            asks="deno run --quiet --allow-all --no-lock --no-config",
            tool="deno",
            lock="isol8_tasks.ecosystems.locks.deno_lock",
            recipe=3,
            install=("deno", "cache"),
            one_by_one=True,
            ecosystem="deno",
            # It gives files the mode that they have in a package, and some let everybody write (express, mathjs).
            tidy='RUN find "$DENO_DIR" ! -type l -perm -0002 -exec chmod o-w {} +',
            # Databases of what it found in sources. Builders may write the value of a variable into the name of a step.
            leaves=("/deno-dir/*_analysis_cache_v*",),
            locations=frozenset({"DENO_IMAGE"}),
        ),
        Runtime(
            name="bash",
            packages="Alpine packages, installed with apk",
            file="/sandbox/main.sh",
            command=("bash", "{file}"),
            inline=("bash", "-c", "{code}"),
            before_words=("bash",),
            programs={"sh": "echo $((40 + 2))"},
            probe=Program("isol8_tasks.ecosystems.probes", "bash.sh"),
            answers="sections",
            recipe=1,
            install=("apk", "add", "--no-cache"),
            download_cache=DownloadCache(
                plain=("apk add --no-cache", f"ln -s {CACHE_FOLDER} /etc/apk/cache && apk add -U"),
                end=" && rm /etc/apk/cache",
            ),
            leaves=("/var/log/apk.log",),
            ecosystem="apk",
        ),
    )
}
"""In the order of the specification, which is also the order of every list that people see."""

PROXY_ARGS: Final = frozenset(
    f"{name}_proxy" if small else f"{name.upper()}_PROXY"
    for name in ("http", "https", "ftp", "no", "all")
    for small in (True, False)
)
"""Build arguments that every builder knows without a declaration (docs.docker.com/reference/dockerfile)."""


def ecosystem_of(runtime: str) -> Ecosystem:
    """Return the ecosystem of a runtime's packages."""
    return ECOSYSTEMS[RUNTIMES[runtime].ecosystem]


def needs_no_system(runtime: str) -> str:
    """Say why a runtime's images have no Alpine packages beside their own; empty where they may have."""
    own = RUNTIMES[runtime].ecosystem == "apk"
    return f"the packages of {runtime} are Alpine's" if own else ""


def release_args(ecosystem: str, name: str) -> tuple[str, str] | None:
    """Return the build arguments for one release and its SHA-256, of a package that is a runtime built by release."""
    return RUNTIMES[name].release if ecosystem == "generic" and name in RUNTIMES else None


def verification(runtime: str) -> "PackageVerification":
    """Return how packages on a runtime are looked for and judged, which few runs do."""
    return cast("PackageVerification", importlib.import_module(ecosystem_of(runtime).module))


def is_location(name: str) -> bool:
    """Tell whether a build argument says where something is fetched from: passed on, and never part of a key."""
    return (
        name in {"ALPINE_IMAGE", "APK_REPOSITORY"}
        or is_location_of_packages(name)
        or any(name in each.locations for each in RUNTIMES.values())
    )


def is_location_of_packages(name: str) -> bool:
    """Tell whether a build argument is one of these that custom images get, too."""
    return name in PROXY_ARGS or any(name in each.locations for each in ECOSYSTEMS.values())


def inventory_names() -> tuple[str, ...]:
    """Return what an inventory may name as the ecosystem of a package."""
    return tuple(sorted({"generic", *ECOSYSTEMS}))


def has_one_version(ecosystem: str) -> bool:
    """Tell whether an image has no package of an ecosystem, as inventories name it, in two versions."""
    return ecosystem in ECOSYSTEMS and ECOSYSTEMS[ecosystem].one_version
