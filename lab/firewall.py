"""The firewall rules of one engine: added beside those of others, and removed without a trace.

An engine without rules of its own is cut off once another Docker sets the policy of FORWARD to DROP; one that
manages them itself wipes those of the other.
"""

import re
import shlex
from collections.abc import Iterable
from ipaddress import IPv4Network
from pathlib import Path

from attrs import field, frozen

from isol8_tasks.errors import LabError
from lab.tools import Tools

TABLES = ("filter", "nat")
"""The tables that our rules are in."""


def rules(*, tag: str, bridge: str, subnet: IPv4Network) -> dict[str, tuple[list[str], ...]]:
    """Return, for each table, the tagged rules that give an engine's containers the network."""
    tagged = ["-m", "comment", "--comment", tag]
    back = ["-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED"]
    return {
        "filter": (
            ["-I", "FORWARD", "-i", bridge, *tagged, "-j", "ACCEPT"],
            ["-I", "FORWARD", "-o", bridge, *back, *tagged, "-j", "ACCEPT"],
        ),
        "nat": (["-A", "POSTROUTING", "-s", str(subnet), "!", "-o", bridge, *tagged, "-j", "MASQUERADE"],),
    }


def tagged_rules(saved: str, tag: str) -> list[tuple[str, list[str]]]:
    """Return the tagged rules in what iptables-save printed, as (table, arguments that delete it)."""
    found, table = [], ""
    for line in saved.splitlines():
        if line.startswith("*"):
            table = line[1:].strip()
        elif line.startswith("-A "):
            words = shlex.split(line)
            if "--comment" in words and words[words.index("--comment") + 1] == tag:
                found.append((table, ["-D", *words[1:]]))
    return found


def tables(saved: str) -> set[str]:
    """Return the names of the tables in what iptables-save printed."""
    return set(re.findall(r"^\*(\S+)", saved, re.MULTILINE))


def is_empty(saved: str, table: str) -> bool:
    """Say whether a table holds nothing but built-in chains that let everything through."""
    lines = saved.partition(f"*{table}\n")[2].partition("COMMIT")[0].splitlines()
    return all(re.match(r":\S+ ACCEPT ", line) for line in lines)


@frozen(kw_only=True)
class Firewall:
    """The kernel's two sets of tables: nf_tables, and the older ones where in use or nothing else works."""

    tools: Tools
    legacy_names: Path = field(default=Path("/proc/net/ip_tables_names"))
    """Where the kernel lists the older tables in use: listing them in any other way would make them."""

    def _nft(self) -> str | None:
        try:
            return self.tools.run("iptables-nft-save")
        except LabError:
            return None

    def _legacy(self) -> set[str]:
        try:
            return set(self.legacy_names.read_text(encoding="utf-8").split())
        except OSError:
            return set()

    def nft_tables(self) -> set[str]:
        """Return the tables of ours that exist in nf_tables, whoever made them."""
        return tables(self._nft() or "") & set(TABLES)

    def ensure(self, *, tag: str, bridge: str, subnet: IPv4Network) -> None:
        """Put up those rules of an engine that aren't there."""
        ours = rules(tag=tag, bridge=bridge, subnet=subnet)
        nft = self._nft() is not None
        self._add("iptables-nft" if nft else "iptables-legacy", ours, TABLES)
        if nft and "filter" in self._legacy():
            # Either set can drop a packet, so both must accept it; translating addresses once is enough.
            self._add("iptables-legacy", ours, ("filter",))

    def _add(self, program: str, ours: dict[str, tuple[list[str], ...]], names: Iterable[str]) -> None:
        for table in names:
            for rule in ours[table]:
                try:
                    self.tools.run(program, "-w", "-t", table, "-C", *rule[1:])
                except LabError:
                    self.tools.run(program, "-w", "-t", table, *rule)

    def remove(self, tag: str) -> None:
        """Remove every rule with this tag, wherever it is."""
        saves = {"iptables-nft": self._nft() or ""}
        if self._legacy():
            saves["iptables-legacy"] = self.tools.run("iptables-legacy-save")
        for program, saved in saves.items():
            for table, delete in tagged_rules(saved, tag):
                self.tools.run(program, "-w", "-t", table, *delete)

    def drop_empty(self, names: Iterable[str]) -> None:
        """Remove those of these nf_tables that nobody has put anything in."""
        saved = self._nft() or ""
        for table in sorted(tables(saved) & set(names)):
            if is_empty(saved, table):
                self.tools.run("nft", "delete", "table", "ip", table)
