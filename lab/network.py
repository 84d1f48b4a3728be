"""The network of one engine: a bridge with a free subnet, and packets forwarded from it."""

import json
import re
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path

from isol8_tasks.errors import LabError
from lab.tools import Tools

_POOL = IPv4Network("10.192.0.0/11")


def choose_subnet(taken: Iterable[IPv4Network], name: str) -> IPv4Network:
    """Return a subnet that overlaps none of those taken, the same for the same engine if that is free."""
    taken = tuple(taken)
    candidates = list(_POOL.subnets(new_prefix=24))
    first = int(name.rpartition("-")[2], 16) % len(candidates)
    for subnet in (*candidates[first:], *candidates[:first]):
        if not any(subnet.overlaps(other) for other in taken):
            return subnet
    raise LabError(f"The private engine found no free /24 in {_POOL}: this machine's routes take all of it.")


def taken_networks(addresses: str, routes: str) -> list[IPv4Network]:
    """Return the networks that the machine has addresses in or routes to, from what `ip -j` printed."""
    taken = [
        IPv4Interface(f"{address['local']}/{address['prefixlen']}").network
        for link in json.loads(addresses or "[]")
        for address in link.get("addr_info", [])
    ]
    destinations = [route["dst"] for route in json.loads(routes or "[]")]
    # A default route, written either way, takes nothing.
    return taken + [
        IPv4Network(dst, strict=False) for dst in destinations if dst not in {"default", "0.0.0.0/0"}
    ]


def hardware_address(name: str) -> str:
    """Return the address that an engine's bridge has on its wire: one of those that anybody may choose.

    A bridge without one of its own takes that of a container, and another one when that container ends; whoever
    remembers it is cut off until he asks again.
    """
    digits = name.rpartition("-")[2]
    octets = [int(digits[at : at + 2], 16) for at in range(0, len(digits), 2)]
    return ":".join(f"{octet:02x}" for octet in (octets[0] & 0xFC | 0x02, *octets[1:]))


def make_bridge(tools: Tools, *, bridge: str, name: str) -> IPv4Network:
    """Make the bridge of an engine with a subnet that is free, and return the subnet."""
    remove_bridge(tools, bridge)
    subnet = choose_subnet(
        taken_networks(
            tools.run("ip", "-j", "-4", "address", "show"),
            tools.run("ip", "-j", "-4", "route", "show", "table", "all"),
        ),
        name,
    )
    tools.run("ip", "link", "add", bridge, "address", hardware_address(name), "type", "bridge")
    tools.run("ip", "address", "add", f"{subnet[1]}/{subnet.prefixlen}", "dev", bridge)
    tools.run("ip", "link", "set", bridge, "up")
    return subnet


def _interfaces(tools: Tools, *selection: str) -> list[str]:
    # Not /sys/class/net, which may show another network namespace's.
    return sorted(
        link["ifname"] for link in json.loads(tools.run("ip", "-j", "link", "show", *selection) or "[]")
    )


def remove_bridge(tools: Tools, bridge: str) -> None:
    """Remove a bridge with what is still plugged into it; nothing happens if there is none."""
    if bridge not in _interfaces(tools):
        return
    for port in _interfaces(tools, "master", bridge):
        # The other end may have gone, and taken this one along, since we looked.
        with suppress(LabError):
            tools.run("ip", "link", "delete", port)
    tools.run("ip", "link", "delete", bridge)


def made_by_engine(interfaces: Iterable[str], networks: bytes) -> list[str]:
    """Return those interfaces that belong to networks in the engine's own database."""
    return [
        interface
        for interface in interfaces
        if (match := re.fullmatch("br-([0-9a-f]{12})", interface)) and match[1].encode() in networks
    ]


def remove_bridges(tools: Tools, bridge: str, data: Path) -> None:
    """Remove the bridge of an engine, and those that it made for networks of its users."""
    database = data / "network/files/local-kv.db"
    networks = database.read_bytes() if database.exists() else b""
    for interface in (bridge, *made_by_engine(_interfaces(tools), networks)):
        remove_bridge(tools, interface)
