"""The commands that share images by a registry: push and pull."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from isol8_tasks import report
from isol8_tasks.commands import OwnCommand, say
from isol8_tasks.errors import COMMAND, ConfigError, Isol8Error, RegistryError, ReplacedError
from isol8_tasks.pushed import Listed, Pushed, in_use, read_manifest
from isol8_tasks.running import WAIT, one_line
from isol8_tasks.session import Session
from isol8_tasks.tasks import session
from isol8_tasks.workspace import MANIFEST


class Push(OwnCommand):
    """Bring the images in use into the registry of deps.toml."""

    doc_purpose = "push the images in use that [push] repository does not have yet"
    doc_usage = ""
    doc_description = (
        "A run pushes at its end what resolved-images.json does not list as pushed; this command asks the registry "
        "about every image."
    )
    cmd_options = (WAIT,)

    @one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:
        """Push them, one after the other, and write the manifest of where they are."""
        self.no_arguments(args)
        current = session()
        settings = current.config.push
        if not settings.repository:
            raise ConfigError(
                f"push: {current.config.source} names no registry to push to; write under [push] "
                'repository = "registry.example/isol8"'
            )
        current.wait = params["wait"]
        began = time.monotonic()
        try:
            current.lock()
            names = in_use(current.observed, standins=settings.standins)
            teller = _Teller(current, names)
            left = current.left_out
            for name in left:
                teller.line(
                    name, "left out", "based on a stand-in of the lab; [push] standins = true pushes it"
                )
            known = current.in_registry
            try:
                there = sum(not self._push(current, name, known.get(name), teller) for name in names)
            finally:
                current.write_manifest()
        finally:
            current.close()
        counts = {"pushed": len(names) - there, "already there": there, "left out": len(left)}
        say(teller.summary(counts, began))
        return 0

    @staticmethod
    def _push(current: Session, name: str, known: tuple[str, Pushed] | None, teller: "_Teller") -> bool:
        """Push an image, and tell whether that was needed."""
        began = time.monotonic()
        new = current.push(name, known=_still(current, name, known))
        if new:
            teller.pushed(name, current.pushed[name][1], time.monotonic() - began)
        return new


class Pull(OwnCommand):
    """Have the images that another machine pushed."""

    doc_purpose = "pull the images of a manifest by digest, and promote them"
    doc_usage = "[FILE] (default: resolved-images.json)"
    doc_description = (
        "A pulled image is promoted like one that was built here; the replaced one is kept as -previous. Held images "
        "are left untouched. Exit code 1 when an image could not be pulled."
    )
    cmd_options = (WAIT,)

    @one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:
        """Pull them, one after the other, and write the manifest of what is here then."""
        if len(args) > 1:
            raise ConfigError(f"pull: expected one manifest, for example: {COMMAND} pull {MANIFEST}")
        current = session()
        file = Path(args[0]) if args else current.workspace.manifest
        images = read_manifest(_text(file), str(args[0] if args else MANIFEST))
        current.wait = params["wait"]
        began = time.monotonic()
        try:
            current.lock()
            counts = self._pull(current, images)
            current.look_again()
            if not counts["failed"]:
                # Else it would no longer say what is missing.
                current.write_manifest()
        finally:
            current.close()
        say(_Teller(current, ()).summary(counts, began))
        return 1 if counts["failed"] else 0

    @staticmethod
    def _pull(current: Session, images: Sequence[Listed]) -> dict[str, int]:
        from isol8_tasks.exchange import forget_strays, pull  # noqa: PLC0415 - most runs pull nothing

        held, observed = current.holds, current.observed
        teller = _Teller(current, [listed.name for listed in images])
        counts = dict.fromkeys(("pulled", "failed", "held", "up to date"), 0)
        forget_strays({each.pushed.repository for each in images if each.pushed}, observed, current.engine)
        for listed in images:
            began = time.monotonic()
            if listed.name in held:
                teller.line(
                    listed.name, "held", f"left untouched; end the hold: {COMMAND} release {listed.name}"
                )
                counts["held"] += 1
                continue
            try:
                image = pull(listed, observed, current.engine)
            except (RegistryError, ReplacedError) as error:
                teller.failed(listed.name, error)
                counts["failed"] += 1
                continue
            here = image or observed.public(listed.name)
            if listed.pushed and here:
                current.pushed[listed.name] = (here.id, listed.pushed)
            counts["pulled" if image else "up to date"] += 1
            if image:
                teller.pulled(listed, time.monotonic() - began)
        return counts


class _Teller:
    """Says what came of each image."""

    def __init__(self, current: Session, names: Sequence[str]) -> None:
        self._repository = current.repository
        self._current = current
        self._width = report.name_width(current.repository, names)

    def line(self, name: str, what: str, more: str) -> None:
        """Say a line about an image."""
        say(f"{f'{self._repository}:{name}'.ljust(self._width)}  {what:<10}  {more}")

    def pushed(self, name: str, where: Pushed, seconds: float) -> None:
        """Say where an image is now."""
        say(report.pushed_line(f"{self._repository}:{name}".ljust(self._width), where, seconds))

    def pulled(self, listed: Listed, seconds: float) -> None:
        """Say where an image came from, and its parent if that is not what one would think."""
        where = listed.pushed
        standin = "; based on a stand-in of the lab" if listed.standin else ""
        self.line(
            listed.name,
            "pulled",
            f"{where.repository}:{where.tag}  {seconds:.1f} s{standin}" if where else "",
        )

    def failed(self, name: str, error: Isol8Error) -> None:
        """Say why an image could not be had."""
        first, *more = str(error).splitlines()
        say(f"{f'{self._repository}:{name}'.ljust(self._width)}  {'failed':<10}  {first}")
        for line in (*more, *_KEPT):
            say(f"  {line}")

    def summary(self, counts: Mapping[str, int], began: float) -> str:
        """Return the last line."""
        return report.summary(
            counts,
            engine="",
            manifest=report.manifest_phrase(self._current.changed, name=MANIFEST),
            seconds=time.monotonic() - began,
        )


def _still(current: Session, name: str, known: tuple[str, Pushed] | None) -> Pushed | None:
    """Return where the image in use is in the current registry, as far as that is known."""
    image = current.observed.public(name)
    if known is None or image is None or known[0] != image.id:
        return None
    return known[1] if known[1].repository == current.config.push.repository else None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(
            f"{file}: can't be read as a manifest ({reason}); copy resolved-images.json from the machine that "
            f"pushed, or name it: {COMMAND} pull FILE"
        ) from error


_KEPT: Final = ("Images in use on this engine are untouched.",)
