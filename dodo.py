"""The build graph of the isol8 images, for doit. What the tasks do is in isol8_tasks/cli/tasks.py."""

from isol8_tasks.cli.tasks import (
    DOIT_CONFIG,
    task_base,
    task_custom,
    task_image,
    task_ping,
    task_resolve,
    task_setup,
)

__all__ = ["DOIT_CONFIG", "task_base", "task_custom", "task_image", "task_ping", "task_resolve", "task_setup"]
