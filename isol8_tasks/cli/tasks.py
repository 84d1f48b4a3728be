"""The graph for doit: ping, base:*, custom:*, image:*, resolve, and setup, which is all of them."""

import inspect
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from doit import task_params
from doit.exceptions import InvalidDodoFile, TaskFailed

from isol8_tasks.config.strict import InvalidError, unknown
from isol8_tasks.config.values import buildx_name
from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.ecosystems.specs import SpecError, parse_spec, split_flag
from isol8_tasks.errors import COMMAND, ConfigError, Isol8Error
from isol8_tasks.plan import model  # doit takes each name here that begins with task_ for a task
from isol8_tasks.plan.model import FlagRequest, ImageSpec
from isol8_tasks.report.plan import reasons_in_words
from isol8_tasks.run.session import Session, open_session
from isol8_tasks.run.workspace import list_loader
from isol8_tasks.safety.crash import as_error

DOIT_CONFIG: Final = {"default_tasks": ["setup"], "action_string_formatting": "new"}

FORCE: Final = {
    "name": "force",
    "long": "force",
    "type": bool,
    "default": False,
    "help": "rebuild without cache, stale or not",
}

SETUP_FLAGS: Final[list[dict[str, Any]]] = [
    *(
        {
            "name": runtime.name,
            "long": runtime.name,
            "type": list,
            "default": [],
            "help": f"{runtime.packages}; comma-separated; remembered for later runs",
        }
        for runtime in RUNTIMES.values()
    ),
    {
        "name": "only_file",
        "long": "only-file",
        "type": bool,
        "default": False,
        "help": "drop the packages that were given as flags in earlier runs",
    },
    {
        "name": "only",
        "long": "only",
        "type": list,
        "default": [],
        "help": "only the images of these runtimes; comma-separated; default: all",
    },
    {
        "name": "locked",
        "long": "locked",
        "type": bool,
        "default": False,
        "help": "build exactly the versions in deps.lock.toml",
    },
    {
        "name": "no_registry",
        "long": "no-registry",
        "type": bool,
        "default": False,
        "help": "build what is stale, whatever the registry of [registry] has",
    },
    {
        "name": "builder",
        "long": "builder",
        "type": str,
        "default": "",
        "help": "build by this builder of docker buildx, wherever it is; default: [build] buildx, else the engine",
    },
    FORCE,
]


@cache
def session() -> Session:
    """Return the session of this process, for the checkout that doit works in."""
    found = open_session(Path.cwd(), os.environ)
    found.on_wait = _tell_of_waiting
    found.publication.on_problem = _warn
    return found


def _tell_of_waiting(holder: str) -> None:
    # What is printed may be JSON.
    sys.stderr.write(f"waiting for another run on this engine: {holder}\n")
    sys.stderr.flush()


def _warn(problem: str) -> None:
    sys.stderr.write(f"warning: {problem}\n")
    sys.stderr.flush()


def heed_flags(current: Session, flags: Mapping[str, Any]) -> None:
    """Let a session do what the flags of `setup` ask for; a ConfigError names each that can't be understood."""
    view = current.view
    view.request = flag_request(flags)
    # What the registry has of the same inputs may have other versions than the lock.
    view.use_registry = not (flags["no_registry"] or flags["locked"])
    current.brings_others = not flags["no_registry"]
    view.buildx = flags["builder"]
    if flags["locked"]:
        from isol8_tasks.run.lock import lock_policy  # noqa: PLC0415 - most runs hold to no lock

        current.follow(lock_policy(view))
    if flags["force"]:
        view.force(*(spec.name for spec in view.graph.images))


def flag_request(flags: Mapping[str, Any]) -> FlagRequest:
    """Return what the flags of `setup` ask for; a ConfigError names each that can't be understood.

    `@requirements.txt` stands for the packages in that file.
    """
    only, problems = _only(flags["only"])
    problems += _of_builder(flags["builder"])
    packages = []
    for runtime in RUNTIMES.values():
        words = [word for text in flags[runtime.name] for word in split_flag(text)]
        specs: list[str] = []
        for word in words:
            try:
                if word.startswith("@") and (listed := _listed(runtime.name, word)) is not None:
                    specs.extend(listed)
                else:
                    specs.append(parse_spec(runtime.ecosystem, word).text)
            except SpecError as error:
                meant = shlex.quote(f"--{runtime.name}={','.join(error.words)}")
                told = f"{error.what}; write {meant}" if error.words else str(error)
                problems.append(f"--{runtime.name}: {told}")
            except ConfigError as error:
                problems.append(str(error))
        if flags[runtime.name] and not words:
            problems.append(f"--{runtime.name}: no package is named; omit the flag for none")
        if words and only and runtime.name not in only:
            problems.append(
                f"--{runtime.name}: --only does not name {runtime.name}; add it, or drop the packages"
            )
        packages.append((runtime.name, tuple(specs)))
    if problems:
        raise ConfigError("\n".join(problems))
    return FlagRequest(packages=tuple(packages), only_file=flags["only_file"], only=only)


def _listed(runtime: str, word: str) -> tuple[str, ...] | None:
    """Return the packages of the file in `@requirements.txt`; None where the word is a package."""
    from isol8_tasks.config.listed import file_of, read_list  # noqa: PLC0415 - few flags name a file

    path = file_of(runtime, word)
    if not path:
        return None
    try:
        found = read_list(runtime, path, list_loader(Path.cwd()))
    except ConfigError as error:
        # By its own lines, unless there is no such file at all.
        raise ConfigError(
            f"--{runtime}: {error}" if str(error).startswith(f"{path}: ") else str(error)
        ) from None
    if found.hashes:
        raise ConfigError(
            f"--{runtime}: {path} has hashes, and a flag is remembered without them; "
            f'write {runtime}_file = "{path}" under [dependencies] in deps.toml'
        )
    return (*found.packages,)


def _only(texts: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
    """Return the runtimes of --only, and what is wrong with it."""
    names = [name for text in texts for name in split_flag(text)]
    wrong = [name for name in names if name not in RUNTIMES]
    problems = [f"--only: {_no_runtime(name)}" for name in wrong]
    if texts and not names:
        problems.append(f"--only: no runtime is named; there are {', '.join(RUNTIMES)}")
    return tuple(dict.fromkeys(names)) if not problems else (), problems


def _of_builder(name: str) -> list[str]:
    try:
        if name:
            buildx_name(name)
    except InvalidError as error:
        return [f"--builder: {what}" for _, what in error.problems]
    return []


def _no_runtime(name: str) -> str:
    if re.fullmatch(r"(?:base|custom|image):.+", name):
        return f"{name!r} names tasks, and --only runtimes; to build them, write {COMMAND} {name!r}"
    return unknown(f"{name!r} is not a runtime", name, RUNTIMES)


@task_params(SETUP_FLAGS)  # type: ignore[untyped-decorator,unused-ignore]  # doit has no types
def task_setup(**flags: Any) -> dict[str, Any]:  # noqa: ANN401 - doit's own values
    """Bring every image up to date, and write resolved-images.json."""
    # doit makes the tasks in the order of these functions, so this one hands the flags to those below.
    with _one_line_errors():
        heed_flags(session(), flags)
    return {"actions": None, "task_dep": ["resolve"]}


def task_ping() -> dict[str, Any]:
    """Verify that a Docker Engine answers."""
    return {"actions": [_action("ping", session().view.ping)], **_PLAIN}


def task_base() -> Iterator[dict[str, Any]]:
    """Build the image of a runtime from docker/Dockerfile."""
    yield _group("Build the base images from docker/Dockerfile.")
    yield from _image_tasks("base", "Base image of {runtime}")


def task_custom() -> Iterator[dict[str, Any]]:
    """Build the image of a runtime with the packages declared in deps.toml and flags."""
    yield _group("Build the custom images: packages from deps.toml and flags.")
    yield from _image_tasks("custom", "{runtime} with {packages}")


def task_image() -> Iterator[dict[str, Any]]:
    """Build the named images, [images.NAME] in deps.toml."""
    yield _group("Build the named images, [images.NAME] in deps.toml.")
    yield from _image_tasks("named", "{runtime} with {packages}")


def task_resolve() -> dict[str, Any]:
    """Write resolved-images.json: which image each runtime runs."""
    with _one_line_errors():
        images = [spec.task for spec in session().view.graph.images]
    return {
        "actions": [_action("resolve", lambda: session().resolve(others=None))],
        "task_dep": ["ping", *images],
        **_PLAIN,
    }


_PLAIN: Final[Mapping[str, Any]] = {"io": {"capture": False}, "verbosity": 2}


def _group(doc: str) -> dict[str, Any]:
    return {"name": None, "doc": doc, "params": [FORCE]}


def _image_tasks(kind: str, doc: str) -> Iterator[dict[str, Any]]:
    with _one_line_errors():
        images = [spec for spec in session().view.graph.images if spec.kind == kind]
    for spec in images:
        yield {
            "name": spec.task.partition(":")[2],
            "doc": doc.format(
                runtime=spec.runtime,
                packages=" ".join(spec.packages) or " ".join(spec.system) or "a setup script",
            ),
            "actions": [_action(spec.task, _maker(spec), spec.name)],
            "task_dep": ["ping", *([model.task_of(spec.parent)] if spec.parent else [])],
            "uptodate": [_UpToDate(spec.name)],
            "params": [FORCE],
            **_PLAIN,
        }


def _maker(spec: ImageSpec) -> Callable[..., None]:
    def make() -> None:
        session().make(spec.name)

    return make


class _UpToDate:
    """What doit asks whether an image is up to date; reads as the reasons when it is not."""

    # doit looks for the names of the arguments, of each image again; found here it costs a twentieth.
    __signature__ = inspect.Signature(
        [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in ("task", "values")]
    )

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, task: Any, values: Any) -> bool:  # noqa: ANN401, ARG002 - doit's own values, by name
        """Tell whether nothing is to be done."""
        try:
            if (task.options or {}).get("force"):
                session().force(self.name)
            return session().view.is_current(self.name)
        except Exception as error:  # noqa: BLE001 - one that gets out of here ends the whole run, other images' work too
            session().failed(task.name, as_error(task.name, error), image=self.name)
            return False

    def __repr__(self) -> str:
        try:
            decision = session().view.decisions[self.name]
        except Isol8Error as error:
            return str(error)
        return "; ".join(reasons_in_words(decision, session().view.config)) or decision.state


def _action(
    task: str, work: Callable[[], object], image: str = ""
) -> tuple[Callable[[], TaskFailed | None], list[object]]:
    """Return a doit action that reports whatever goes wrong in a line; it is a failure of the task, or its image."""

    def act() -> TaskFailed | None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - doit would take a bug for a task without an image
            problem = as_error(task, error)
            if not any(failure.error is problem for failure in session().failures):
                session().failed(task, problem, image=image)
            return TaskFailed(str(problem), report=False)
        return None

    return act, []


class _one_line_errors:  # noqa: N801 - reads as the statement that it is used for
    """Turns an error of ours into the one that doit reports in a line when it comes while the tasks are made."""

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, Isol8Error):
            raise InvalidDodoFile(str(error)) from None
