"""What a target is built of where something can't be read: everything."""

from isol8_tasks.dockerfile.context_files import Taking
from isol8_tasks.dockerfile.inputs import Closure, StageInputs, Step
from isol8_tasks.dockerfile.lexer import UnreadableError
from isol8_tasks.dockerfile.stages import Origin, Stage, StageResolver, Upstream
from isol8_tasks.ecosystems.runtimes import is_location


def everything(resolver: StageResolver, target: Stage, taking: Taking, problems: tuple[str, ...]) -> Closure:
    """Return the whole text, every file, argument and upstream image, with what can't be read as warnings."""
    taking.take_all()
    dockerfile = resolver.dockerfile
    bases: dict[int, Origin] = {}
    for stage in resolver.stages:
        try:
            bases[stage.index] = resolver.base(stage)
        except UnreadableError:
            bases[stage.index] = Upstream(reference=stage.start.words[0], counts=stage.start.words[0])
    base: Origin = target
    while isinstance(base, Stage):
        base = bases[base.index]
    step = Step(line=1, text=f"{target.index}\n{dockerfile.text}")
    return Closure(
        stages=(StageInputs(name=target.name, steps=(step,)),),
        files=tuple(sorted(taking.files)),
        args=tuple(sorted((name, value) for name, value in resolver.given.items() if not is_location(name))),
        upstream=tuple(
            dict.fromkeys(each.reference for each in bases.values() if isinstance(each, Upstream))
        ),
        base=base.reference if isinstance(base, Upstream) else "",
        warnings=tuple(
            f"{each}; so any change of the Dockerfile or of a file makes {target.name} stale"
            for each in problems
        ),
    )
