"""The command prune: removes what nothing uses any more."""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from isol8_tasks.cli.command import OwnCommand, say
from isol8_tasks.cli.doit import SHOWN, WAIT
from isol8_tasks.cli.ending import ends_in_one_line
from isol8_tasks.cli.screen import Screen
from isol8_tasks.cli.showing import show_work
from isol8_tasks.cli.tasks import session
from isol8_tasks.config import units
from isol8_tasks.errors import COMMAND, ConfigError, RegistryError, SourceUnavailableError
from isol8_tasks.images.references import Reference
from isol8_tasks.run.session import Session
from isol8_tasks.run.view import View
from isol8_tasks.run.workspace import now

if TYPE_CHECKING:
    from isol8_tasks.engine.upkeep import Disk
    from isol8_tasks.lifecycle.expiry import Expired
    from isol8_tasks.lifecycle.prune import Removal


class PruneCommand(OwnCommand):
    """Remove what was made here and nothing uses any more."""

    name = "prune"
    doc_purpose = "remove superseded, rejected, undeclared and long replaced images, after confirmation"
    doc_usage = "[--registry] [--yes]"
    doc_description = (
        "Images that a container uses, and images without this project's labels, are kept. [prune] in deps.toml sets "
        "how long -previous images are kept, and how large the build cache may be. --registry removes images from "
        "[registry] repository instead: those that no name points to and that are older than [registry] keep."
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
        {
            "name": "registry",
            "short": "",
            "long": "registry",
            "type": bool,
            "default": False,
            "help": "remove images from [registry] repository, not from the engine",
        },
        *SHOWN,
        WAIT,
    )

    @ends_in_one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:
        """Show them, ask, and remove them."""
        self.no_arguments(args)
        if params.get("progress") == "json" and not params["yes"]:
            raise ConfigError(
                f"prune --progress=json asks no question; {COMMAND} prune --yes --progress=json"
            )
        current = session()
        current.wait = params["wait"]
        try:
            with show_work(current, params) as screen:
                if params["registry"]:
                    return _prune_registry(current.view, screen, agreed=params["yes"])
                return _prune(current, screen, agreed=params["yes"])
        finally:
            current.close()


def _prune(current: Session, screen: Screen, *, agreed: bool) -> int:
    """Show what nothing uses here, ask, and remove it; return the exit code."""
    view = current.view
    # What is asked about is always shown.
    tell = _silent if screen.quiet and agreed else screen.line
    if view.graph.missing:
        screen.line(f"warning: {view.graph.missing}; until then no image is removed as undeclared")
    # Without the lock, for which others would wait as long as the answer takes.
    found = _removals(view)
    for each in found:
        tell(_line(each, view.repository))
    free = [each for each in found if not each.in_use]
    cache = _cache_to_forget(view, tell)
    if not free and not cache:
        tell("nothing to remove")
        return 0
    if not agreed and not _agreed(_question(len(free), cache)):
        screen.line("nothing was removed")
        return 0
    current.lock()
    before = view.engine.disk()
    gone, left = _remove(current, free, screen)
    # What an image leaves behind counts as the builder's from now on.
    if view.config.prune.keep is not None:
        if cache:
            tell("shrinking the build cache …")
        view.engine.forget_builds(view.config.prune.keep)
    after = view.engine.disk()
    view.look_again()
    current.resolve()
    screen.line(f"{gone} image{'' if gone == 1 else 's'} removed · {_freed(before, after)}")
    return 1 if left else 0


def _silent(_text: str) -> None:
    """Say nothing."""


def _cache_to_forget(view: View, tell: Callable[[str], None]) -> int:
    """Return by how many bytes the build cache is larger than deps.toml says; 0 where it says nothing."""
    keep = view.config.prune.keep
    if keep is None:
        return 0
    over = max(view.engine.disk().cache - keep, 0)
    if over:
        tell(f"the build cache  {units.size(over)} more than [prune] keep = {units.size(keep)}")
    return over


def _removals(view: View) -> "tuple[Removal, ...]":
    from isol8_tasks.lifecycle.prune import made_here, ours_without_a_name, removals  # noqa: PLC0415 - as above

    found = removals(
        view.observed,
        ours_without_a_name(view.engine),
        used=view.engine.used(),
        # Of a file that is missing nobody knows what it declared.
        undeclared=() if view.graph.missing else view.graph.undeclared,
        held=view.holds,
        now=now(),
        previous_age=view.config.prune.previous_age,
    )
    return tuple(each for each in found if not each.tags or made_here(view.engine, each.image))


def _remove(current: Session, free: "Sequence[Removal]", screen: Screen) -> tuple[int, int]:
    """Remove of what was shown all that is still to go; return how many are gone, and how many failed."""
    from isol8_tasks.lifecycle.prune import remove  # noqa: PLC0415 - as above

    still = {(each.image.id, each.tags) for each in _removals(current.view) if not each.in_use}
    gone = left = 0
    for each in free:
        if (each.image.id, each.tags) not in still:
            screen.line(f"{_what(each, current.view.repository)}  changed in the meantime, so it is kept")
            continue
        with screen.work(each.name, "removing"):
            problem = remove(current.view.engine, each)
        if problem:
            left += 1
            sys.stderr.write(f"ERROR: {_what(each, current.view.repository)}: {problem}\n")
        else:
            gone += 1
            if current.view.observed.public_tag(each.name) in each.tags:
                current.publication.history.add(each.name, "removed", current.view.observed, None)
    return gone, left


def _line(removal: "Removal", repository: str) -> str:
    stays = "; in use by a container, so it is kept" if removal.in_use else ""
    return f"{_what(removal, repository)}  {removal.why}{stays}"


def _what(removal: "Removal", repository: str) -> str:
    short = removal.image.id.removeprefix("sha256:")[:12]
    return ", ".join(removal.tags) or f"{short} (was {Reference(repository, removal.name)})"


def _agreed(question: str, command: str = "prune") -> bool:
    if not sys.stdin.isatty():
        raise ConfigError(
            f"prune needs confirmation, and stdin is not a terminal; {COMMAND} {command} --yes removes them"
        )
    try:
        return input(f"{question}? [y/N] ").strip().lower() in {"y", "yes"}
    except EOFError:
        # Ctrl-D, which ends no line.
        say("")
        return False


def _question(count: int, cache: int) -> str:
    more = " and shrink the build cache" if cache else ""
    return f"Remove {_images(count)}{more}" if count else "Shrink the build cache"


def _images(count: int) -> str:
    return f"{count} image{'' if count == 1 else 's'}"


def _prune_registry(view: View, screen: Screen, *, agreed: bool) -> int:
    """Show what nothing needs in the registry, ask, and remove it there; return the exit code."""
    repository = view.config.registry.repository
    if not repository:
        raise ConfigError(
            f"prune --registry: {view.config.source} names no registry; write under [registry] "
            'repository = "registry.example/isol8"'
        )
    if len(view.config.build.platforms) > 1:
        from isol8_tasks.run.other_view import OtherView  # noqa: PLC0415 - few files name several

        OtherView.beside_view(view)
    tell = _silent if screen.quiet and agreed else screen.line
    found = _expired(view)
    for each in found:
        tell(f"{repository}  {', '.join(each.tags)}  built {each.built:%Y-%m-%d}")
    if not found:
        tell("nothing to remove")
        return 0
    if not agreed and not _agreed(f"Remove {_images(len(found))} from {repository}", "prune --registry"):
        screen.line("nothing was removed")
        return 0
    # Another machine may have moved a name back to one of them since.
    still = {each.digest for each in _expired(view)}
    for each in found:
        if each.digest not in still:
            screen.line(f"{each.tags[0]}  changed in the meantime, so it is kept")
    gone, left = _delete(view, screen, [each for each in found if each.digest in still])
    for problem, tags in left.items():
        more = f" and {len(tags) - 1} more" if len(tags) > 1 else ""
        sys.stderr.write(f"ERROR: {tags[0]}{more}: {problem}; {_images(len(tags))} left\n")
    if gone or not left:
        screen.line(
            f"{_images(gone)} removed from {repository}; its own garbage collection frees their layers"
        )
    return 1 if left else 0


def _delete(view: View, screen: Screen, expired: "Sequence[Expired]") -> tuple[int, dict[str, list[str]]]:
    """Delete images in the registry; return how many are gone, and a tag of each that is left, by the reason."""
    repository = view.config.registry.repository
    gone = 0
    left: dict[str, list[str]] = {}
    silent = ""
    for each in expired:
        problem = silent
        if not silent:
            try:
                with screen.work(each.tags[0], f"removing from {repository}"):
                    view.engine.remote_delete(repository, each.digest)
                gone += 1
                continue
            except RegistryError as error:
                problem = str(error)
            except SourceUnavailableError as error:
                # Who does not answer is not asked again for each.
                problem = silent = str(error)
        left.setdefault(problem, []).append(each.tags[0])
    return gone, left


def _expired(view: View) -> "tuple[Expired, ...]":
    """Return what nothing needs there; SourceUnavailableError with the next step where it can't be asked."""
    try:
        return _ask_expired(view)
    except SourceUnavailableError as error:
        where = view.config.setting("registry.repository")
        raise SourceUnavailableError(
            f"{error}\nNothing was removed. Check the network and {where} repository, and run again."
        ) from error


def _ask_expired(view: View) -> "tuple[Expired, ...]":
    from isol8_tasks.images.pushed import recorded_pushes  # noqa: PLC0415 - as above
    from isol8_tasks.lifecycle.expiry import expired, likely_ours  # noqa: PLC0415 - as above

    settings = view.config.registry
    tags = view.engine.remote_tags(settings.repository)
    recorded = [each for _, each in recorded_pushes(view.workspace.read_manifest()).values()]
    kept = {
        *(each.digest for each in recorded),
        *(digest for each in recorded for _, digest, _ in each.others),
    }
    builds = [record.build for name in view.holds if (record := view.observed.record(name))]
    found: list[Expired] = []
    for each in (view, *view.beside):
        # An index is read for one platform at a time.
        there = each.engine.remote_images(settings.repository, likely_ours(tags))
        images = {digest: remote.image for digest, remote in there.items()}
        found += expired(tags, images, kept=kept, builds=builds, since=now() - settings.keep)
    return tuple(found)


def _freed(before: "Disk", after: "Disk") -> str:
    """Say how much room there is more, and what of the images the build cache keeps."""
    freed = max(before.images + before.cache - after.images - after.cache, 0)
    kept = max(after.cache - before.cache, 0)
    more = f"; the build cache keeps {units.size(kept)} of it ([prune] keep in deps.toml)"
    return f"freed {units.size(freed)}{more if kept else ''}"
