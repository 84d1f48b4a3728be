"""What to do about an image that could not be made, or whose sources could not be asked."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from isol8_tasks.config.deps import Config
from isol8_tasks.dockerfile.misnamed import frontend
from isol8_tasks.dockerfile.syntax import Dockerfile
from isol8_tasks.ecosystems.mistaken import hints
from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.errors import (
    BuildFailedError,
    EngineUnreachableError,
    Isol8Error,
    NotInstallableError,
    PlanError,
    RegistryError,
    UpstreamUnavailableError,
    VerifyFailedError,
)
from isol8_tasks.images.references import Reference
from isol8_tasks.plan.model import ImageSpec
from isol8_tasks.report.alpine import to_compile_with
from isol8_tasks.report.plan import no_build_for_alpine, where_to_look
from isol8_tasks.safety import troubles
from isol8_tasks.safety.causes import built, cause_lines

_LONGEST: Final = 300
_NEWS: Final = 120
"""Characters of a failure on one line."""
_LACKING: Final = re.compile(r"^\s*(\S+) \(no such package\)", re.MULTILINE)
_TOLD: Final = (
    EngineUnreachableError,
    NotInstallableError,
    PlanError,
    RegistryError,
    UpstreamUnavailableError,
)
"""What says itself what to do."""
_OF_PULL: Final = re.compile(r"^(\S+) could not be pulled")
_NOT_BUILT: Final = "could not be built: "
_OF_PLAN: Final = re.compile(
    r"(?=failed to create|dockerfile parse)(?:failed to create LLB definition: )?"
    r"(?:dockerfile parse error(?: (?:on )?line (\d+))?: )?"
)
_TOO_MANY: Final = "dockerfile line greater than max allowed size"


def clearer(error: Isol8Error, spec: ImageSpec, dockerfile: Dockerfile) -> Isol8Error:
    """Return an error in the words of its cause, where these tell more than the engine's own."""
    if isinstance(error, BuildFailedError) and spec.kind == "base" and not error.step:
        error = _of_plan(str(error), dockerfile) or error
    if _TOO_MANY in str(error):
        return PlanError(
            f"{len(spec.inputs.packages)} packages are too many for one image: the line that installs them is longer "
            "than the 65535 characters that a builder reads\nSplit them: named images, [images.NAME], can extend one "
            "another."
        )
    return error


def _of_plan(text: str, dockerfile: Dockerfile) -> Isol8Error | None:
    """Return the error of a build that ended before its first step, in which a builder names the private tag."""
    reason = text.partition(_NOT_BUILT)[2]
    place, image = frontend(dockerfile)
    # Without its registry, for which a mirror may stand.
    if image and f"/{re.split('[:@]', image.rpartition('/')[2])[0]}" in reason:
        return UpstreamUnavailableError(
            f"{place}: {image}, which the # syntax line names, can't be pulled: {reason}\n"
            "Remove the line, or name an image in it that can be pulled."
        )
    refused = _OF_PLAN.match(reason)
    if refused is None or troubles.trouble_in(reason):
        return None
    line = f":{refused[1]}" if refused[1] else ""
    return PlanError(f"{dockerfile.name}{line}: the builder refuses it: {reason[refused.end() :]}")


def with_cause_only(error: Isol8Error) -> Isol8Error:
    """Return a failed build's error with the lines of its output that tell the cause."""
    if not isinstance(error, BuildFailedError) or not error.output:
        return error
    trouble = _trouble(error)
    lines = (trouble.line,) if trouble and trouble.kind != "missing" else cause_lines(error.output)
    output = tuple(troubles.shortest(line, _LONGEST) for line in lines)
    return BuildFailedError(str(error), step=error.step, output=output)


def cause_of(error: Isol8Error) -> str:
    """Return a failure on one line: what an installer or a check says of it, else the error's own first line."""
    told = with_cause_only(error)
    findings: Sequence[str] = told.findings if isinstance(told, VerifyFailedError) else ()
    output: Sequence[str] = told.output if isinstance(told, BuildFailedError) else ()
    errors = (line for line in output if re.search(r"\b(?:ERROR|[Ee]rror)\b", line))
    found = (
        next(iter(findings), "") or next(errors, "") or next(iter(output), "") or str(told).partition("\n")[0]
    )
    if found.endswith(":") and found in output:
        # apk says what it is about on the line below.
        found = " ".join((found, *map(str.strip, output[output.index(found) + 1 :][:1])))
    return troubles.shortest(found.strip(), _NEWS)


def hint(error: Isol8Error, spec: ImageSpec, config: Config, *, standin: bool, room: str) -> str:
    """Return the next step after a failure; `room` says how full the engine's disk is, if that is known."""
    if isinstance(error, VerifyFailedError):
        kept = Reference(config.build.repository, f"{spec.name}-rejected")
        return f"The failed build is kept as {kept} for inspection."
    if isinstance(error, UpstreamUnavailableError) and (pulled := _OF_PULL.match(str(error))):
        names = [name for name, value in config.build.args.items() if value and value in pulled[1]]
        return (
            f"It is named by {_arguments(names, config)}."
            if names
            else "It is named by FROM in docker/Dockerfile."
        )
    trouble = None if isinstance(error, _TOLD) else _trouble(error)
    if trouble and trouble.is_of_network and (package := built(_output(error), trouble.line)):
        return (
            f"{trouble.sentence} The installation of {package} downloads from there itself, and not from a package "
            "source: let the build reach it, or take a package that brings its files."
        )
    if trouble and (trouble.is_of_network or trouble.kind in {"disk", "read-only", "store"}):
        full = f" ({room})" if room and trouble.kind == "disk" else ""
        return f"{trouble.sentence[:-1]}{full}. {next_step(trouble, _text(error), config)}"
    if not isinstance(error, BuildFailedError):
        return ""
    return _of_platform(error, spec) or "\n".join(
        filter(None, (_of_build(error, spec, config, standin=standin), where_to_look(spec, config)))
    )


def lacking_lines(names: Sequence[str], output: Sequence[str]) -> tuple[str, ...]:
    """Name packages that npm's registry does not have, with what to write for those that `output` does not name."""
    others = [name for name in names if not any(name in line for line in output)]
    if not others:
        return ()
    known = hints("npm", "\n".join(f"No versions available for {name}" for name in others))
    return (f"The registry does not have {', '.join(names)}.", *known)


def _of_platform(error: BuildFailedError, spec: ImageSpec) -> str:
    """Say that a builder can't run what it builds for another platform; nothing where that is not what failed."""
    if not spec.inputs.platform or _NO_PROGRAM not in _text(error):
        return ""
    return (
        f"The builder can't run programs for {spec.inputs.platform}. Install Debian's qemu-user-static on its machine, "
        "or name a builder that can by --builder."
    )


def _of_build(error: BuildFailedError, spec: ImageSpec, config: Config, *, standin: bool) -> str:
    """Say what an installer's last lines come to."""
    text, ecosystem = "\n".join(error.output), RUNTIMES[spec.runtime].ecosystem
    meant = hints(ecosystem, text)
    if ecosystem != _ALPINE:
        meant += hints(_ALPINE, text)
    lacking = [name for name in _LACKING.findall(text) if not hints(_ALPINE, f"{name} (no such package)")]
    if meant or lacking:
        return "\n".join((*meant, *([_lacks(lacking, standin=standin)] if lacking else [])))
    words = no_build_for_alpine(ecosystem, error.output)
    if words.endswith(_UNCOMPILED) and spec.inputs.packages and RUNTIMES[spec.runtime].compiles:
        return f"{words} Compile it in a stage of its own: {to_compile_with(spec, config, _text(error))}."
    index = [
        name
        for name in _INDEXES
        if name in config.build.args and "No matching distribution" in words + _text(error)
    ]
    if index:
        words = f"{words} Or {_arguments(index, config)} is no package index."
    return words


def next_step(trouble: troubles.Trouble, text: str, config: Config) -> str:
    """Return what to do about a trouble on the way to where packages and images come from."""
    args = [
        (name, value)
        for name, value in config.build.args.items()
        if "://" in value or "_PROXY" in name.upper()
    ]
    proxies = [name for name, _ in args if name.upper().endswith("_PROXY")]
    named = [name for name in troubles.named_in(text, args) if name not in proxies]
    source = _arguments(named or [name for name, _ in args], config) if args else "[build] args in deps.toml"
    proxy = (
        _arguments(proxies, config) if proxies else "[build] args in deps.toml, or docker's own config.json"
    )
    secrets = ", ".join(config.build.secrets)
    login = f"{secrets} under [build.secrets] in deps.toml" if secrets else ""
    return trouble.advice(source=source, proxy=proxy, login=login)


def next_steps(problems: Iterable[str], config: Config) -> tuple[str, ...]:
    """Return what to do about sources that could not be asked, each step once."""
    found = ((troubles.trouble_in(problem), problem) for problem in problems)
    return tuple(dict.fromkeys(next_step(trouble, text, config) for trouble, text in found if trouble))


def _trouble(error: Isol8Error) -> troubles.Trouble | None:
    return troubles.trouble_in(_text(error))


def _output(error: Isol8Error) -> Sequence[str]:
    return error.output if isinstance(error, BuildFailedError) else ()


def _text(error: Isol8Error) -> str:
    return "\n".join((*_output(error), str(error)))


def _arguments(names: Iterable[str], config: Config) -> str:
    return " and ".join(_argument(names, config))


def _argument(names: Iterable[str], config: Config) -> Iterator[str]:
    for name in names:
        yield f"{name} under [build] args ({config.setting(f'build.args.{name}')})"


def _lacks(names: Sequence[str], *, standin: bool) -> str:
    what = ", ".join(names)
    if standin:
        return (
            f"The stand-ins' own repository is small and has no {what}; Alpine's may have it. Name one that can be "
            'reached: args = { APK_REPOSITORY = "https://…/v3.21/main" } under [build] in deps.toml.'
        )
    return f"The repositories have no {what}: check the name, or add a repository by APK_REPOSITORY under [build] args."


_ALPINE: Final = "apk"
_NO_PROGRAM: Final = "exec format error"
_UNCOMPILED: Final = ("to compile the source with.", "compiled (node-gyp).")
_INDEXES: Final = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL")
