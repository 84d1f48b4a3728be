"""The engine's own part of a run with nothing to do: its list of images, asked for and read."""

import os

from isol8_tasks.engine.listing import list_directly

found = list_directly(os.environ["DOCKER_HOST"])
if found is None:
    raise SystemExit(1)
