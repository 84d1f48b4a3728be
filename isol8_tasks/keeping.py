"""The commands that look after images: rollback, release and prune."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from isol8_tasks import units
from isol8_tasks.commands import OwnCommand, say
from isol8_tasks.errors import COMMAND, ConfigError
from isol8_tasks.manifest import built_on
from isol8_tasks.plan.holds import hold_tags
from isol8_tasks.running import WAIT, one_line
from isol8_tasks.session import Session
from isol8_tasks.tasks import session
from isol8_tasks.workspace import now

if TYPE_CHECKING:
    from isol8_tasks.engine.upkeep import Disk
    from isol8_tasks.pruning import Removal


class _OfOneImage(OwnCommand):
    """A command about one image that is named."""

    cmd_options = (WAIT,)
    doc_usage = "NAME (for example python-custom)"

    @one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:
        """Do it, holding the engine's lock, and write the manifest of what is there then."""
        if len(args) != 1:
            raise ConfigError(
                f"{self.name}: expected one image, for example: {COMMAND} {self.name} python-custom"
            )
        current = session()
        current.wait = params["wait"]
        try:
            current.lock()
            _mend(current)
            self.keep(current, _name(current, args[0]))
            current.look_again()
            current.resolve()
        finally:
            current.close()
        return 0

    def keep(self, current: Session, name: str) -> None:
        """Do what the command is for."""
        raise NotImplementedError


class Rollback(_OfOneImage):
    """Let an image be what it was before its last build, and stay so."""

    doc_purpose = "restore the previous build of an image, and hold it"
    doc_description = f"The hold ends with {COMMAND} release, or after [hold] max_age of deps.toml."

    def keep(self, current: Session, name: str) -> None:
        """Roll it back."""
        from isol8_tasks.rollback import roll_back  # noqa: PLC0415 - most runs roll nothing back

        roll_back(name, current.observed, current.engine, now=now())
        current.look_again()
        image = current.observed.public(name)
        day = f"of {built_on(image)} " if image else ""
        until = (now() + current.config.hold.max_age).strftime("%Y-%m-%d %H:%M UTC")
        say(f"{current.repository}:{name}  rolled back: the build {day}is in use again; held until {until}")
        say(
            f"  The replaced build is {current.repository}:{name}-previous. End the hold: {COMMAND} release {name}"
        )


class Release(_OfOneImage):
    """Release an image that is held."""

    doc_purpose = "end the hold of an image that was rolled back; the next run updates it"

    def keep(self, current: Session, name: str) -> None:
        """Release it."""
        from isol8_tasks.rollback import release  # noqa: PLC0415 - most runs release nothing

        if not release(name, current.observed, current.engine):
            held = sorted(hold_tags(current.observed))
            more = f"held: {', '.join(held)}" if held else "no image is held"
            raise ConfigError(f"{current.repository}:{name} is not held ({more})")
        say(f"{current.repository}:{name}  released; {COMMAND} plan shows what a run would do")


class Prune(OwnCommand):
    """Remove what was made here and nothing uses any more."""

    doc_purpose = "remove superseded, rejected, undeclared and long replaced images, after confirmation"
    doc_usage = "[--yes]"
    doc_description = (
        "Images that a container uses, and images without this project's labels, are kept. [prune] in deps.toml sets "
        "how long -previous images are kept, and how large the build cache may be."
    )
    cmd_options = (
        {
            "name": "yes",
            "short": "y",
            "long": "yes",
            "type": bool,
            "default": False,
            "help": "do not ask",
        },
        WAIT,
    )

    @one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:
        """Show them, ask, and remove them."""
        self.no_arguments(args)
        current = session()
        current.wait = params["wait"]
        try:
            if current.graph.missing:
                say(f"warning: {current.graph.missing}; until then no image is removed as undeclared")
            # Without the lock, for which others would wait as long as the answer takes.
            found = _removals(current)
            for each in found:
                say(_line(each, current.repository))
            free = [each for each in found if not each.in_use]
            cache = self._cache_to_forget(current)
            if not free and not cache:
                say("nothing to remove")
                return 0
            if not params["yes"] and not _agreed(len(free), cache):
                say("nothing was removed")
                return 0
            current.lock()
            before = current.engine.disk()
            gone, left = _remove(current, free)
            # What an image leaves behind counts as the builder's from now on.
            if current.config.prune.keep is not None:
                current.engine.forget_builds(current.config.prune.keep)
            after = current.engine.disk()
            current.look_again()
            current.resolve()
        finally:
            current.close()
        say(f"{gone} image{'' if gone == 1 else 's'} removed · {_freed(before, after)}")
        return 1 if left else 0

    @staticmethod
    def _cache_to_forget(current: Session) -> int:
        """Return by how many bytes the build cache is larger than deps.toml says; 0 where it says nothing."""
        keep = current.config.prune.keep
        if keep is None:
            return 0
        over = max(current.engine.disk().cache - keep, 0)
        if over:
            say(f"the build cache  {units.size(over)} more than [prune] keep = {units.size(keep)}")
        return over


def _mend(current: Session) -> None:
    """Bring rollbacks that were cut off to their end, as the image that one goes back to is named by its hold alone."""
    from isol8_tasks.rollback import mend  # noqa: PLC0415 - most runs roll nothing back

    if mend(current.observed, current.engine, now=now(), longest=current.config.hold.max_age):
        current.look_again()


def _removals(current: Session) -> "tuple[Removal, ...]":
    from isol8_tasks.pruning import made_here, ours_without_a_name, removals  # noqa: PLC0415 - as above

    found = removals(
        current.observed,
        ours_without_a_name(current.engine),
        used=current.engine.used(),
        # Of a file that is missing nobody knows what it declared.
        undeclared=() if current.graph.missing else current.graph.undeclared,
        held=current.holds,
        now=now(),
        previous_age=current.config.prune.previous_age,
    )
    return tuple(each for each in found if not each.tags or made_here(current.engine, each.image))


def _remove(current: Session, shown: "Sequence[Removal]") -> tuple[int, int]:
    """Remove of what was shown all that is still to go; return how many are gone, and how many failed."""
    from isol8_tasks.pruning import remove  # noqa: PLC0415 - as above

    still = {(each.image.id, each.tags) for each in _removals(current) if not each.in_use}
    gone = left = 0
    for each in shown:
        if (each.image.id, each.tags) not in still:
            say(f"{_what(each, current.repository)}  changed in the meantime, so it is kept")
        elif problem := remove(current.engine, each):
            left += 1
            sys.stderr.write(f"ERROR: {_what(each, current.repository)}: {problem}\n")
        else:
            gone += 1
    return gone, left


def _line(removal: "Removal", repository: str) -> str:
    stays = "; in use by a container, so it is kept" if removal.in_use else ""
    return f"{_what(removal, repository)}  {removal.why}{stays}"


def _what(removal: "Removal", repository: str) -> str:
    short = removal.image.id.removeprefix("sha256:")[:12]
    return ", ".join(removal.tags) or f"{short} (once {repository}:{removal.name})"


def _agreed(count: int, cache: int) -> bool:
    if not sys.stdin.isatty():
        raise ConfigError(
            f"prune needs confirmation, and stdin is not a terminal; {COMMAND} prune --yes removes them"
        )
    more = " and shrink the build cache" if cache else ""
    images = f"Remove {count} image{'' if count == 1 else 's'}{more}" if count else "Shrink the build cache"
    return input(f"{images}? [y/N] ").strip().lower() in {"y", "yes"}


def _freed(before: "Disk", after: "Disk") -> str:
    """Say how much room there is more, and what of the images the build cache keeps."""
    freed = max(before.images + before.cache - after.images - after.cache, 0)
    kept = max(after.cache - before.cache, 0)
    more = f"; the build cache keeps {units.size(kept)} of it ([prune] keep in deps.toml)"
    return f"freed {units.size(freed)}{more if kept else ''}"


def _name(current: Session, word: str) -> str:
    """Return the name of the image that is meant: by its name, its tag or its task."""
    if word.startswith(f"{current.repository}:"):
        return word.removeprefix(f"{current.repository}:")
    kind, colon, rest = word.partition(":")
    if not colon:
        return word
    return f"{rest}-custom" if kind == "custom" else rest
