"""Which folder, socket and name belong to the private engine of a checkout."""

from pathlib import Path

from attrs import frozen

from isol8_tasks.engine.endpoint import private_note, private_run_dir


@frozen(kw_only=True)
class Places:
    """Where everything of one checkout's lab lies; nothing is made by asking."""

    lab: Path
    """What lasts: images, logs, downloads."""
    run: Path
    """What lives as long as the engine: sockets, pid files, the record. Short, as socket paths must be."""
    fetched: Path
    """Downloads, unpacked programs and finished stand-ins; several checkouts may share it."""
    note: Path
    """There from the first start until `down`: this checkout's runs are meant for this engine, even if it has died."""
    containerd_store: bool = False
    """The engine is told to keep images in containerd's store; else it keeps them as it likes."""

    @classmethod
    def of(cls, checkout: Path, cache: str | None) -> "Places":
        """Say where the lab of this checkout lies, with downloads in the folder `cache` if one is given."""
        lab = checkout.resolve() / ".isol8" / "lab"
        return cls(
            lab=lab,
            run=private_run_dir(checkout),
            note=private_note(checkout),
            fetched=Path(cache).absolute() if cache else lab / "fetched",
        )

    @property
    def name(self) -> str:
        """The name that everything of this engine carries: processes, firewall rules, control group."""
        return self.run.name

    @property
    def bridge(self) -> str:
        """The name of its network interface, for which the kernel has 15 bytes."""
        return f"i8-{self.name.rpartition('-')[2]}"

    @property
    def socket(self) -> Path:
        """Where the engine listens."""
        return self.run / "docker.sock"

    @property
    def host(self) -> str:
        """The engine's address, as DOCKER_HOST has it."""
        return f"unix://{self.socket}"

    @property
    def record(self) -> Path:
        """What was chosen for the engine; its presence says that there is something to take down."""
        return self.run / "lab.json"

    @property
    def standins(self) -> Path:
        """Present once this engine was found unable to pull: from then on it lives on stand-ins."""
        return self.lab / "uses-stand-ins"

    def log(self, program: str) -> Path:
        """Where a daemon's output goes."""
        return self.lab / f"{program}.log"
