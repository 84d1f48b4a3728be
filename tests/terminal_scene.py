"""A run as a terminal shows it: python -m tests.terminal_scene PIPE draws a scene more for each line of the pipe."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from isol8_tasks.cli import screen as screens
from isol8_tasks.cli.paint import wanted
from isol8_tasks.cli.screen import Row, Screen
from isol8_tasks.engine import BuildEvent
from isol8_tasks.errors import BuildFailedError
from isol8_tasks.lifecycle.build import Outcome
from isol8_tasks.safety.printing import CleanStream


def play(environ: dict[str, str], next_scene: Any) -> None:  # noqa: ANN401 - waits for the next one
    """Draw each scene, and wait."""
    now = [100.0]
    vars(screens)["time"] = SimpleNamespace(monotonic=lambda: now[0])
    stream = CleanStream(sys.stdout, lambda text: text)
    screen = Screen(
        stream=stream,  # type: ignore[arg-type] # as sys.stdout becomes
        live=True,
        width=18,
        repository="isol8",
        verbose=bool(environ.get("VERBOSE")),
        colour=wanted(sys.stdout, environ),
    )
    screen._ticker = SimpleNamespace()  # type: ignore[assignment]  # noqa: SLF001 - the scenes draw
    for name, why in (("python", "docker/Dockerfile:12 changed in stage python"), ("ml", "requests added")):
        screen.row(Row(f"isol8:{name}".ljust(18) + f"  {'stale':<10}  {why}", "plan", {}))
    screen.awaited = 4
    screen.building("python")
    screen.building("ml")
    screen.building("web")
    now[0] += 1
    screen.event(
        "python", BuildEvent(kind="step", step="RUN apk add --no-cache python3 py3-pip", number=2, total=5)
    )
    screen.event("python", BuildEvent(kind="log", step="RUN apk add", line="(1/9) Installing libbz2"))
    screen.event(
        "ml",
        BuildEvent(kind="pulled", step="pulling registry.example/isol8", transfer=(12_400_000, 48_000_000)),
    )
    screen.event("web", BuildEvent(kind="step", step="RUN echo 日本語の名前 日本語の名前 日本語の名前"))
    now[0] += 2.5
    screen._redraw()  # noqa: SLF001 - as its ticker would
    next_scene()
    screen.done(Outcome(image="python", result="built", image_id="", labels={}, tags=()), 3.4)
    screen.failed("web", BuildFailedError("RUN pip install nunpy: no such package \x1b[31mnunpy"))
    now[0] += 1
    screen._redraw()  # noqa: SLF001 - as above
    next_scene()
    screen._redraw()  # noqa: SLF001 - as above
    next_scene()
    screen.building("web")
    screen.event(
        "web", BuildEvent(kind="sent", step="pushing to registry.example/isol8", transfer=(9_000, 14_000_000))
    )
    with screen.work("node", "verifying"):
        now[0] += 1
        screen._redraw()  # noqa: SLF001 - as above
        next_scene()
    screen.close()
    screen.line("1 built · 1 failed · 2 up to date · 5.1 s · resolved-images.json: python changed")
    next_scene()


if __name__ == "__main__":
    import os

    pipe = Path(sys.argv[1])

    def wait() -> None:
        """Say that a scene is drawn, and wait for a word."""
        sys.stdout.flush()
        pipe.with_suffix(".drawn").touch()
        with pipe.open(encoding="utf-8") as words:
            words.read()

    play(dict(os.environ), wait)
