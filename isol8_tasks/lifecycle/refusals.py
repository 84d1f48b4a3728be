"""What is not pushed: what was not verified as it is, and what shows a credential."""

from collections.abc import Mapping

from isol8_tasks.engine.registry import RegistryEngine
from isol8_tasks.errors import COMMAND, RegistryError
from isol8_tasks.lifecycle.promotion import has_layers
from isol8_tasks.lifecycle.transfer import Push
from isol8_tasks.plan.model import task_of
from isol8_tasks.safety.credentials import Redactor, exposed


def refuse_other_layers(work: Push, engine: RegistryEngine) -> None:
    """Raise a RegistryError for an image that carries our labels and tags, and not the layers that were verified."""
    if not has_layers(engine, work.image.id, work.record.layers):
        raise RegistryError(
            f"{work.public} is not pushed: its layers are not those that its labels record, so it was not verified\n"
            f"Rebuild it: {COMMAND} {task_of(work.name)} --force",
            lasting=True,
        )


def refuse_credentials(
    work: Push, engine: RegistryEngine, arguments: Mapping[str, str], redactor: Redactor
) -> None:
    """Raise a RegistryError where everyone who may pull the image could read a credential in it."""
    detail = engine.inspect(work.image.id)
    texts = [*engine.steps(work.image.id), *work.image.labels.values()]
    found = exposed([*texts, *detail.onbuild, *detail.environment] if detail else texts, arguments, redactor)
    if found is None:
        return
    what = f"the credentials of the build argument{'s' * (len(found) > 1)} {', '.join(found)}"
    raise RegistryError(
        f"{work.public} is not pushed: whoever pulls it could read {what if found else 'a credential'} in its history, "
        "labels or environment\n"
        "Declare it under [build.secrets] in its place, which no image keeps, or push it anyway: "
        "[registry] credentials = true",
        lasting=True,
    )
