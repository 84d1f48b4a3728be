"""What the private engines on a machine share: what to put back when the last one is gone."""

import json
from collections.abc import Callable
from pathlib import Path

from attrs import define, frozen

FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")


@frozen(kw_only=True)
class Before:
    """What the machine was like before the first private engine."""

    forwarding: str
    tables_made: tuple[str, ...]
    """Firewall tables that did not exist, and do now because of us."""


@define(kw_only=True)
class SharedState:
    """Kept in a file as long as there is a private engine; the caller holds the machine's lock."""

    run: Path = Path("/run")
    forwarding: Path = FORWARDING

    @property
    def file(self) -> Path:
        """Where it is kept: memory of this boot, as is what it tells of."""
        return self.run / "isol8-before.json"

    def read(self) -> Before | None:
        """Return what was kept, or None if there is no private engine."""
        if not self.file.exists():
            return None
        kept = json.loads(self.file.read_text(encoding="utf-8"))
        return Before(forwarding=kept["forwarding"], tables_made=tuple(kept["tables_made"]))

    def prepare(self, *, existing: set[str], needed: tuple[str, ...]) -> None:
        """Note what the machine is like, unless another engine of ours did, and let it forward packets."""
        before = self.read()
        now = self.forwarding.read_text(encoding="utf-8").strip()
        made = {*(before.tables_made if before else ()), *(set(needed) - existing)}
        kept = {"forwarding": before.forwarding if before else now, "tables_made": sorted(made)}
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps(kept), encoding="utf-8")
        new.replace(self.file)
        if now != "1":
            self.forwarding.write_text("1", encoding="utf-8")

    def others(self, own: Path) -> bool:
        """Say whether another checkout has an engine, running or to be taken down."""
        return any(record.parent != own for record in self.run.glob("isol8-*/lab.json"))

    def put_back(
        self, *, other_docker: Callable[[], bool], drop_tables: Callable[[tuple[str, ...]], None]
    ) -> None:
        """Make the machine as it was; forwarding stays on while a Docker that isn't ours may need it."""
        before = self.read()
        if before is None:
            return
        drop_tables(before.tables_made)
        if before.forwarding != "1" and not other_docker():
            self.forwarding.write_text(before.forwarding, encoding="utf-8")
        self.file.unlink()
