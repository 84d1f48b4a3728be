"""How isol8's released clients run an image: one value for each generation, after upstream's sources.

Comments name upstream's file and line at a tag. `engine/` stands for src/engine/ up to v0.13.0 and for
packages/core/src/engine/ from v0.14.0; `managers/` is a folder in it. What a release does not change, it takes from
the one before.
"""

from collections.abc import Mapping
from typing import Final, Literal

from attrs import evolve, frozen


@frozen(kw_only=True)
class Filter:
    """How a client starts the network filter, and what it reads of it."""

    command: str
    """The program, in `sh -c "ISOL8_WHITELIST='…' ISOL8_BLACKLIST='…' PROGRAM &"`: detached, as the image's own user.

    Both lists are JSON, and absent if the caller gives none. The shell exits at once, so nobody reads its output.
    """
    rules: tuple[str, ...] = ()
    """Run next, joined by ` && `, as the image's own user; the client gives up unless they succeed."""
    capabilities: tuple[str, ...] = ()
    """Added to the container in filtered mode."""
    always_proxied: bool = False
    """The proxies' variables are set without lists, too."""
    logs: tuple[str, ...] = ()
    """Read with `cat`, as root, after a run."""


@frozen(kw_only=True)
class Generation:
    """What every release of a generation gives a container, and runs in it."""

    releases: tuple[str, ...]
    """The first one names the generation."""
    user: str = ""
    """Whose executions they are; empty: the image's own, which the container has in all generations."""
    environment: Mapping[str, str]
    """Of the container and of each execution, in this order; the lists and proxies of filtered mode follow."""
    tmpfs: Mapping[str, str]
    """Mount options, as the client writes them."""
    denied_system_calls: frozenset[str] = frozenset()
    """By the client's own seccomp profile, which allows all others and replaces the engine's; empty: none is sent."""
    files: Mapping[str, str]
    """Where the code of a runtime is, if elsewhere than newer clients have it."""
    inline: bool = False
    """Code that needs no file is a word of the command, where the runtime has one for it."""
    write: tuple[str, ...] = ("sh", "-c", "printf '%s' '{base64}' | base64 -d > {file}")
    """What writes a file, as `user`."""
    filter: Filter
    pool_clean: str
    """What is run by a shell, as the image's own user, before a container is used again."""
    chosen_by: Literal["tag", "hash", "label"] = "tag"
    """How a custom image is found; tests and `resolution` know the rules."""
    setup: tuple[str, ...] = ()
    """What runs a setup script, as `user`, with SETUP_PATH over the container's environment; empty: there are none."""
    any_command: tuple[str, ...] = ()
    """What runs a command of the caller's in any image; empty: there is no such mode."""


KEPT_ALIVE: Final = ("sleep", "infinity")
"""The container's Cmd, behind the image's entrypoint (engine/docker.ts:416@7eeb3af, :895@v0.20.0)."""
SANDBOX_FOLDER: Final = "/sandbox"
"""WorkingDir of the container and of each execution (engine/docker.ts:417@7eeb3af, :896@v0.20.0)."""
SECURITY: Final = ("no-new-privileges",)
"""SecurityOpt besides the profile; no generation drops capabilities (engine/docker.ts:758@7eeb3af, :1460@v0.20.0)."""
MEMORY: Final = 512 * 1024 * 1024
NANO_CPUS: Final = 1_000_000_000
PIDS: Final = 64
"""The limits (engine/docker.ts:290-292@7eeb3af, :138-140@v0.20.0)."""
FILTER_PORT: Final = 8118
FILTER_READY: Final = ("sh", "-c", f"nc -z 127.0.0.1 {FILTER_PORT} 2>/dev/null")
FILTER_SECONDS: Final = 5
"""How the client waits for the filter (engine/docker.ts:113,143@7eeb3af, managers/network-manager.ts:44@v0.20.0)."""
PROXY_VARIABLES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
"""Set to the filter's address (engine/docker.ts:792@7eeb3af, managers/execution-manager.ts:455@v0.20.0)."""

SETUP_PATH: Final = ":".join(
    (
        *("/sandbox/.local/bin", "/sandbox/.npm-global/bin", "/sandbox/.bun-global/bin"),
        *("/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"),
    )
)
"""PATH of setup scripts and installers (engine/docker.ts:208@v0.1.0, managers/execution-manager.ts:68,162@v0.20.0)."""

_DENIED = frozenset(
    (
        *("acct", "add_key", "bpf", "clock_adjtime", "clock_settime", "create_module", "delete_module"),
        *("finit_module", "get_mempolicy", "init_module", "ioperm", "iopl", "kcmp", "kexec_file_load"),
        *("kexec_load", "keyctl", "lookup_dcookie", "mbind", "mount", "move_pages", "name_to_handle_at"),
        *("open_by_handle_at", "perf_event_open", "pivot_root", "process_vm_readv", "process_vm_writev"),
        *("ptrace", "query_module", "quotactl", "reboot", "request_key", "set_mempolicy", "setns"),
        *("settimeofday", "stime", "swapon", "swapoff", "sysfs", "syslog", "umount", "umount2", "unshare"),
        *("uselib", "userfaultfd", "ustat", "vm86", "vm86old"),
    )
)
"""Answered with EPERM (docker/seccomp-profile.json@v0.7.0, the same in every release since)."""

_EMPTY_SANDBOX = "rm -rf /sandbox/* /sandbox/.[!.]* 2>/dev/null; true"

_FIRST = Generation(
    releases=("7eeb3af", "v0.1.0-alpha.2"),
    environment={  # engine/docker.ts:772-773@7eeb3af
        "PYTHONUNBUFFERED": "1",
        "NODE_PATH": "/usr/local/lib/node_modules:/sandbox/node_modules",
    },
    # engine/docker.ts:755-756@7eeb3af; the engine adds noexec, nosuid and nodev to the second.
    tmpfs={"/tmp": "rw,noexec,nosuid,size=64m", "/sandbox": "rw,size=64m"},  # noqa: S108 - inside the container
    files={"node": "/sandbox/main.js"},  # engine/../runtime/adapters/node.ts@7eeb3af
    filter=Filter(command="node /usr/local/bin/proxy.mjs"),  # engine/docker.ts:134@7eeb3af
    pool_clean=_EMPTY_SANDBOX,  # engine/pool.ts:82@7eeb3af
)
_0_1_0 = evolve(
    _FIRST,
    releases=("v0.1.0", "v0.2.0", "v0.3.0", "v0.3.1", "v0.4.0", "v0.4.1", "v0.4.2"),
    environment={  # engine/docker.ts:791-796@v0.1.0, managers/execution-manager.ts:430-437@v0.20.0
        "PYTHONUNBUFFERED": "1",
        "PYTHONUSERBASE": "/sandbox/.local",
        "NPM_CONFIG_PREFIX": "/sandbox/.npm-global",
        "DENO_DIR": "/sandbox/.deno",
        "PATH": SETUP_PATH.removesuffix(":/usr/local/sbin:/usr/sbin:/sbin"),
        "NODE_PATH": "/usr/local/lib/node_modules:/sandbox/.npm-global/lib/node_modules:/sandbox/node_modules",
    },
    tmpfs={  # engine/docker.ts:774-775@v0.1.0
        "/tmp": "rw,noexec,nosuid,nodev,size=256m",  # noqa: S108 - inside the container
        "/sandbox": "rw,exec,nosuid,nodev,size=512m",
    },
)
_0_4_3 = evolve(
    _0_1_0,
    releases=("v0.4.3", "v0.5.0", "v0.5.1", "v0.6.0", "v0.6.1", "v0.6.2"),
    files={},  # engine/../runtime/adapters/node.ts:16@v0.4.3
)
_0_7_0 = evolve(
    _0_4_3,
    releases=("v0.7.0", "v0.8.0"),
    user="sandbox",  # engine/docker.ts:54,506,612,712@v0.7.0
    # engine/docker.ts:809@v0.7.0, :1440@v0.20.0
    tmpfs={**_0_1_0.tmpfs, "/sandbox": "rw,exec,nosuid,nodev,size=512m,uid=100,gid=101"},
    denied_system_calls=_DENIED,  # engine/docker.ts:823@v0.7.0, :1459@v0.20.0
    pool_clean=f"pkill -9 -u sandbox 2>/dev/null; {_EMPTY_SANDBOX}",  # engine/pool.ts:87@v0.7.0
)
_0_8_1 = evolve(
    _0_7_0,
    releases=("v0.8.1",),
    filter=Filter(
        command="bash /usr/local/bin/proxy.sh",  # engine/docker.ts:139@v0.8.1, managers/network-manager.ts:36@v0.20.0
        rules=tuple(  # engine/docker.ts:187-193@v0.8.1, managers/network-manager.ts:69-72@v0.20.0
            f"/usr/sbin/iptables -A OUTPUT {rule}"
            for rule in (
                "-o lo -j ACCEPT",
                "-m state --state ESTABLISHED,RELATED -j ACCEPT",
                f"-p tcp -d 127.0.0.1 --dport {FILTER_PORT} -m owner --uid-owner 100 -j ACCEPT",
                "-m owner --uid-owner 100 -j DROP",
            )
        ),
        capabilities=("NET_ADMIN",),  # engine/docker.ts:872@v0.8.1
        always_proxied=True,  # engine/docker.ts:962@v0.8.1
    ),
    # engine/pool.ts:90@v0.8.1; neither the filter nor its files are removed
    pool_clean=f"pkill -9 -u sandbox 2>/dev/null; /usr/sbin/iptables -F OUTPUT 2>/dev/null; {_EMPTY_SANDBOX}",
)
_0_8_2 = evolve(
    _0_8_1,
    releases=("v0.8.2", "v0.8.3"),
    write=(
        "sh",
        "-c",
        "cat > {file}",
    ),  # engine/docker.ts:55@v0.8.2, by the docker program, on standard input
)
_0_9_0 = evolve(
    _0_8_2,
    releases=("v0.9.0",),
    filter=evolve(_0_8_1.filter, logs=("/tmp/isol8-proxy/security-events.jsonl",)),  # noqa: S108 - docker.ts:522@v0.9.0
)
_0_10_0 = evolve(
    _0_9_0,
    releases=("v0.10.0", "v0.10.1"),
    # engine/docker.ts:579@v0.10.0
    filter=evolve(_0_9_0.filter, logs=(*_0_9_0.filter.logs, "/tmp/isol8-proxy/network.jsonl")),  # noqa: S108
)
_0_10_2 = evolve(
    _0_10_0,
    releases=("v0.10.2", "v0.10.3", "v0.11.0"),
    write=_FIRST.write,  # engine/docker.ts:58@v0.10.2; what is long goes in parts, by way of /tmp
)
_0_11_1 = evolve(
    _0_10_2,
    releases=(
        *("v0.11.1", "v0.11.2", "v0.11.3", "v0.12.0", "v0.12.1", "v0.12.2", "v0.13.0"),
        *("v0.14.0", "v0.14.1", "v0.14.2", "v0.14.3", "v0.14.4", "v0.14.5", "v0.14.6", "v0.14.7"),
        *("v0.15.0", "v0.16.0", "v0.17.0"),
    ),
    inline=True,  # engine/docker.ts:985@v0.11.1, :952@v0.20.0
    chosen_by="hash",  # engine/docker.ts:903@v0.11.1
)
_0_18_0 = evolve(
    _0_11_1,
    releases=("v0.18.0", "v0.19.0"),
    chosen_by="label",  # engine/docker.ts:658@v0.18.0
    setup=("bash", "/sandbox/.isol8-setup.sh"),  # managers/execution-manager.ts:158@v0.20.0
)
_0_20_0 = evolve(
    _0_18_0,
    releases=("v0.20.0",),
    any_command=("bash", "-c", "{code}"),  # engine/docker.ts:950@v0.20.0
)

GENERATIONS: Final = (
    *(_FIRST, _0_1_0, _0_4_3, _0_7_0, _0_8_1, _0_8_2),
    *(_0_9_0, _0_10_0, _0_10_2, _0_11_1, _0_18_0, _0_20_0),
)
"""Oldest first; what differs within one is how packages are installed in a running container."""
