"""Debian's packages, downloaded and authenticated by apt, unpacked into folders of ours."""

import re
import shutil
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from attrs import frozen

from isol8_tasks.errors import LabError
from isol8_tasks.safety.troubles import PROXIES, fullness, trouble_in
from lab.progress import Progress
from lab.tools import Tools, run

PROGRAMS = {
    "dockerd": ("docker.io", "tini"),
    "containerd": ("containerd",),
    "runc": ("runc",),
    "ip": ("iproute2",),
    "iptables-nft": ("iptables",),
    "nft": ("nftables",),
    "docker-registry": ("docker-registry",),
    "debugfs": ("e2fsprogs",),
}
"""The programs that a private engine and stand-ins need, and the packages that have them."""

# Hooks of the machine's apt would act on its own caches; its sources, keys and preferences are what we want.
_CONFIGURATION = """\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear Acquire::IndexTargets::deb::DEP-11;
Acquire::Languages "none";
APT::Update::Error-Mode "any";
APT::Sandbox::User "root";
Dir::State::lists "{state}/lists";
Dir::Cache "{state}/cache";
Dir::Cache::pkgcache "pkgcache.bin";
Dir::Cache::srcpkgcache "srcpkgcache.bin";
"""
_OWN_SOURCES = """\
Dir::Etc::sourcelist "{state}/own.sources";
Dir::Etc::sourceparts "-";
"""
_NOTHING_INSTALLED = """\
Dir::State::status "{state}/status";
"""
_FRESH_SECONDS = 600


@frozen(kw_only=True)
class Apt:
    """The machine's apt with lists and caches of its own, so that nothing of the machine's changes."""

    state: Path
    sources: str = ""
    """Where packages come from, as a file of apt's `sources.list.d`; empty for the machine's sources."""
    whole: bool = False
    """With every library that they need, whatever the machine has."""

    def _get(self, *arguments: str, cwd: Path | None = None) -> str:
        command = ["apt-get", "-c", str(self.state / "apt.conf"), "-q", *arguments]
        return run(command, cwd=cwd, what=f"apt-get {arguments[0]}")

    def update(self) -> None:
        """Fetch the lists of packages, unless that was done minutes ago."""
        done = self.state / "updated"
        if done.exists() and 0 <= time.time() - done.stat().st_mtime < _FRESH_SECONDS:
            return
        for folder in ("lists/partial", "cache/archives/partial"):
            (self.state / folder).mkdir(parents=True, exist_ok=True)
        configuration = _CONFIGURATION.format(state=self.state)
        if self.sources:
            (self.state / "own.sources").write_text(self.sources, encoding="utf-8")
            configuration += _OWN_SOURCES.format(state=self.state)
        if self.whole:
            (self.state / "status").touch()
            configuration += _NOTHING_INSTALLED.format(state=self.state)
        (self.state / "apt.conf").write_text(configuration, encoding="utf-8")
        self._get("update")
        done.touch()

    def wanted(self, packages: Iterable[str]) -> list[str]:
        """Return which packages apt would install for these, their missing libraries included."""
        plan = self._get("install", "--simulate", "--no-install-recommends", *packages)
        return re.findall(r"^Inst (\S+)", plan, re.MULTILINE)

    def unpack(self, packages: Iterable[str], root: Path) -> None:
        """Download packages and unpack them under a folder, running none of their scripts."""
        debs = self.state / "debs"
        shutil.rmtree(debs, ignore_errors=True)
        debs.mkdir()
        self._get("download", *packages, cwd=debs)
        root.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor() as threads:
            # The largest first, so that no processor waits for it at the end.
            found = sorted(debs.glob("*.deb"), key=lambda deb: -deb.stat().st_size)
            list(threads.map(lambda deb: run(["dpkg-deb", "-x", str(deb), str(root)]), found))
        shutil.rmtree(debs)

    def fetch(self, packages: list[str], root: Path, *, with_libraries: bool) -> None:
        """Fetch packages again and unpack them; LabError says what apt said."""
        problem: LabError | None = None
        try:
            self.update()
        except LabError as trouble:
            problem = trouble  # another source's trouble, perhaps: what counts is whether the packages come
        try:
            self.unpack((self.wanted(packages) if with_libraries else None) or packages, root)
        except LabError as trouble:
            said = str(problem or trouble)
            known = trouble_in(said)
            if known and known.kind == "disk":
                space = shutil.disk_usage(self.state)
                said += f"; {fullness(space.free, space.total)} in {self.state}"
            step = (
                known.advice(
                    source="apt's sources (apt-get update)", proxy=f"{PROXIES}, or apt's own configuration"
                )
                if known
                else "Check the network and apt's sources (apt-get update), then try again."
            )
            raise LabError(
                f"Debian's packages {', '.join(packages)} could not be fetched: {said}. {step}"
            ) from trouble


def provide(tools: Tools, apt: Apt, progress: Progress) -> None:
    """Make sure that all programs are at hand, downloading only what the machine lacks."""
    missing = [program for program in PROGRAMS if tools.find(program) is None]
    if not missing:
        return
    packages = [package for program in missing for package in PROGRAMS[program]]
    with progress.step(f"downloading and unpacking Debian's packages {', '.join(packages)}", apt.state):
        apt.fetch(packages, tools.root, with_libraries=True)
    if absent := [program for program in missing if tools.find(program) is None]:
        raise LabError(
            f"{', '.join(absent)} was expected in Debian's packages {', '.join(packages)}, and is not there: "
            "install it, then try again."
        )
