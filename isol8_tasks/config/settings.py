"""The tables of deps.toml from [clients] to [verify]: what is about images, and not in them."""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

from attrs import Factory, evolve, field, frozen

from isol8_tasks.config.releases import BUILD_HASH_BY_RELEASE, NEWEST
from isol8_tasks.config.strict import NO_KEY, array, flag, gather, structured, table
from isol8_tasks.config.values import (
    Age,
    Ages,
    ClientRelease,
    Command,
    Duration,
    ExitCode,
    FileName,
    Networks,
    Notification,
    Pattern,
    Ports,
    RemoteRepository,
    Size,
    Timeout,
    oldest_client,
    skipped,
    timeout,
)
from isol8_tasks.values import ByValue

_DAY: Final = dt.timedelta(days=1)
LOAD_TIMEOUT: Final = 30.0


@frozen(kw_only=True, eq=False, repr=False)
class ClientSettings(ByValue):
    """The table [clients]: which of isol8's clients the images are for."""

    release: ClientRelease = NEWEST
    """The release whose `setup` leaves the bases alone, or the 64 hex digits that it writes on its own."""

    @property
    def build_hash(self) -> str:
        """What that release's `setup` looks for in the label of a base."""
        return BUILD_HASH_BY_RELEASE.get(self.release, self.release)


@frozen(kw_only=True, eq=False, repr=False)
class FilterSettings(ByValue):
    """The table [filter]: what the network filter of every image allows beyond its defaults."""

    allow_nets: Networks = ()
    """Networks that are not public and may be reached all the same; sorted and unique."""
    allow_ports: Ports = ()
    """Ports beside 80 and 443, which are none of these; sorted and unique."""
    strict: bool = False
    """A pattern has to match the whole host."""

    @property
    def values(self) -> Mapping[str, str]:
        """The keys that say something else than the defaults, each with its value as text."""
        found = {
            "allow_nets": ",".join(self.allow_nets),
            "allow_ports": ",".join(map(str, self.allow_ports)),
            "strict": "1" if self.strict else "",
        }
        return {key: text for key, text in found.items() if text}

    @property
    def environment(self) -> Mapping[str, str]:
        """The same as variables of the network filter."""
        return {FILTER_VARIABLES[key]: text for key, text in self.values.items()}


FILTER_VARIABLES: Final = {
    "allow_nets": "ISOL8_ALLOW_NETS",
    "allow_ports": "ISOL8_ALLOW_PORTS",
    "strict": "ISOL8_PROXY_STRICT",
}
"""By the keys of [filter]; docker/filter/settings.go reads them."""


@frozen(kw_only=True, eq=False, repr=False)
class HistorySettings(ByValue):
    """The table [history]: what runs changed."""

    keep: Duration = 90 * _DAY
    """How long a change stays in the history; the last one of each image stays as long as that image."""


@frozen(kw_only=True, eq=False, repr=False)
class HoldSettings(ByValue):
    """The table [hold]: images that were rolled back."""

    max_age: Duration = 7 * _DAY
    """How long a hold lasts by itself."""


@frozen(kw_only=True, eq=False, repr=False)
class PageSettings(ByValue):
    """The table [page]: the HTML file that shows all images."""

    file: FileName = ""
    """Where each refresh writes it, relative to deps.toml; empty for nowhere."""


@frozen(kw_only=True, eq=False, repr=False)
class PruneSettings(ByValue):
    """The table [prune]: what doit prune leaves."""

    previous_age: Duration = 7 * _DAY
    """How long an image that was replaced stays as `-previous`."""
    keep: Size | None = None
    """How many bytes the build cache may take; None for as many as it likes."""


@frozen(kw_only=True, eq=False, repr=False)
class RefreshSettings(ByValue):
    """The table [refresh]: what a nightly refresh takes for news."""

    max_age: Duration | None = None
    """How old an image may get before it is rebuilt, news or not; None for any age."""
    min_age: Age = _DAY
    """How long a version has to be out before it is accepted."""
    min_ages: Ages = Factory(dict)
    """The same for single packages, by their names."""
    is_written: bool = field(default=False, metadata=NO_KEY)
    """deps.toml says one of both itself."""
    notify: Notification = ()
    """A command that gets the report on its standard input; none unless there are words."""

    @property
    def limits_every_build(self) -> bool:
        """Tell whether builds keep to the ages as well, which costs each of them a look at its package source."""
        return self.is_written and any((self.min_age, *self.min_ages.values()))


@frozen(kw_only=True, eq=False, repr=False)
class RegistrySettings(ByValue):
    """The table [registry]: what is asked before anything is built, and where promoted images go."""

    PLACE: ClassVar = "a setting of [registry]"
    repository: RemoteRepository = ""
    """With its registry, as `registry.example/isol8`; empty for none."""
    keep: Duration = 30 * _DAY
    """How long an image stays there that is no longer in use; `prune --registry` deletes it later."""
    push: bool = True
    """Push what was promoted here; false only asks it."""
    standins: bool = False
    """Push images on a stand-in as well."""
    credentials: bool = False
    """Push images with credentials in them as well, for everyone who may pull them to read."""


@frozen(kw_only=True, eq=False, repr=False)
class UserCheck(ByValue):
    """A table [verify.<name>]: a command that runs in the sandbox, and what has to come of it."""

    command: Command
    exit: ExitCode = 0
    """The exit code that it has to end with."""
    output: Pattern = ""
    """A regular expression that has to be found in what it prints, to either stream; empty finds itself anywhere."""
    timeout: Timeout = 10
    """Seconds."""


Checks = Mapping[str, tuple[UserCheck, ...]]
"""A user's own checks, by the name of the image."""


@frozen(kw_only=True, eq=False, repr=False)
class VerifySettings(ByValue):
    """The table [verify]: what an image has to pass before it is promoted."""

    checks: Checks = Factory(dict)
    oldest_client: str = ""
    """The oldest release of isol8 that images have to work in, as `0.7.0`; empty for all."""
    load_timeout: float = LOAD_TIMEOUT
    """Seconds of CPU time that a package may take until it is loaded."""
    skip: tuple[str, ...] = ()
    """Names of packages that are not verified."""
    again: bool = False
    """Verify here, too, what a registry has and was verified elsewhere."""
    unchecked_platforms: bool = False
    """Promote images for a platform that the engine can't run, without verification."""


def read_refresh(value: object) -> RefreshSettings:
    """Read the table [refresh], and whether it says of ages what every build has to keep to."""
    found = structured(value, RefreshSettings)
    return evolve(found, is_written=not {"min_age", "min_ages"}.isdisjoint(table(value)))


def read_verify(value: object) -> VerifySettings:
    """Read the table [verify]: keys of its own, and under each image's name one check, or an array of them."""

    def read(name: str, entry: object) -> tuple[UserCheck, ...] | str | float | tuple[str, ...]:
        if is_of_verify(name, entry):
            return OF_VERIFY[name](entry)
        if isinstance(entry, list):
            return array(entry, lambda each: structured(each, UserCheck))
        return (structured(entry, UserCheck),)

    found = gather(table(value, "; write [verify.python], and command = … below it").items(), read)
    entries = table(value)
    own: dict[str, Any] = {name: each for name, each in found.items() if is_of_verify(name, entries[name])}
    checks: dict[str, Any] = {name: each for name, each in found.items() if name not in own}
    return VerifySettings(checks=checks, **own)


def is_of_verify(name: str, value: object) -> bool:
    """Tell whether a key of [verify] is one of its own, and not an image of that name with its checks."""
    return name in OF_VERIFY and not is_checks(value)


def is_checks(value: object) -> bool:
    """Tell whether a value of [verify] is a check, or an array of them."""
    return isinstance(value, dict) or (
        isinstance(value, list) and any(isinstance(each, dict) for each in value)
    )


OF_VERIFY: Final[Mapping[str, Callable[[object], str | float | tuple[str, ...]]]] = {
    "again": flag,
    "oldest_client": oldest_client,
    "load_timeout": timeout,
    "skip": skipped,
    "unchecked_platforms": flag,
}
"""The keys of [verify] beside the names of images, with what reads them."""
