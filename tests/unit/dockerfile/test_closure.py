"""What a target is built of: exactly that, as BuildKit shows by what it takes from its cache."""

from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isol8_tasks.dockerfile.builder import USUAL, BuilderTraits, writes_values
from isol8_tasks.dockerfile.closure import Closure, closure, parse, upstream_images
from isol8_tasks.dockerfile.misnamed import frontend, mistyped_stage
from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.errors import PlanError
from isol8_tasks.plan.fingerprint import key
from isol8_tasks.plan.model import ContextFile, Inputs

DOCKERFILE = Path(__file__).parents[3] / "docker" / "Dockerfile"
FILTER = {"proxy.mjs": "1", "proxy.sh": "2", "filter/main.go": "3"}

OLDER = BuilderTraits(writes_values=False)

Files = Mapping[str, str]


def _closure(  # noqa: PLR0913, PLR0917 - as that which it calls
    text: str,
    target: str | None = None,
    args: Mapping[str, str] | None = None,
    context: Collection[str] = (),
    ignore: str = "",
    builder: BuilderTraits = USUAL,
) -> Closure:
    return closure(parse(text), target, args or {}, context, ignore=ignore, builder=builder)


def _key(
    text: str, target: str | None, args: Mapping[str, str], files: Files, builder: BuilderTraits = USUAL
) -> str:
    needs = _closure(text, target, args, files.keys(), builder=builder)
    return key(
        Inputs(
            recipe=1,
            runtime="any",
            stages=needs.stages,
            files=tuple((path, ContextFile(digest=files[path])) for path in needs.files),
            args=needs.args,
            upstream=tuple((reference, "id") for reference in needs.upstream),
        )
    )


def _texts(found: Closure) -> dict[str, list[str]]:
    return {stage.name: [step.text for step in stage.steps] for stage in found.stages}


ONE = 'FROM alpine AS base\nRUN echo 1\nCMD ["sh"]\n'
COPIES = (
    "ARG G=1\nFROM alpine AS b\nENV E=1\nARG G\nRUN echo $G >/o\nWORKDIR /w\nUSER root\n"
    'CMD ["x"]\nLABEL a=b\nENV T=1\nARG U=1\nFROM alpine AS t\nCOPY --from=b /o /o\nONBUILD RUN x\n'
)
CONFIGURATION = (
    'FROM alpine\nARG V=1\nENV A="x y" B=$V C=${D:-q}\nENV L old form\nEXPOSE 80 81\nVOLUME /v\n'
    'LABEL a="1" b=2\nHEALTHCHECK --interval=5s CMD true\nSTOPSIGNAL 9\nUSER root\nRUN echo 3\n'
)
FILES = {"a": "1", "d/b": "2", "d/c/e": "3", "d2/x1": "4", "README": "5", "[z]": "6"}
FROM_CONTEXT = (
    "FROM alpine\nARG N=a\nENV W=d2\nCOPY $N /n\nCOPY d /d/\nCOPY d?/x* ${W}/x1 /w/\nADD a* /aa/\n"
    'RUN --mount=source=d/c,target=/m ls /m\nCOPY ["a","/js"]\n'
)
MOUNTS = (
    "FROM alpine AS o\nRUN echo m>/m\nFROM alpine AS x\nRUN echo x>/x\nFROM alpine AS t\n"
    "RUN --mount=from=o,target=/o --mount=type=bind,from=x,source=/x,target=/x cat /o/m /x\n"
)
MOUNTS_SWAPPED = (
    "FROM alpine AS x\nRUN echo x>/x\nFROM alpine AS o\nRUN echo m>/m\nFROM alpine AS t\n"
    "RUN --mount=from=o,target=/o --mount=type=bind,from=x,source=/x,target=/x cat /o/m /x\n"
)
HELD_BACK = (
    "FROM alpine AS a\nRUN echo a\nONBUILD COPY f /f\nONBUILD RUN echo ob\nONBUILD LABEL q=1\nFROM a AS t\n"
    "RUN echo 1\nFROM t AS u\nRUN echo 9\nFROM scratch AS s\nCOPY --from=a /etc/os-release /\n"
)
TRIGGERS = "ONBUILD COPY f /f\nONBUILD RUN echo ob\nONBUILD LABEL q=1\n"
INLINE = HELD_BACK.replace(TRIGGERS, "").replace(
    "FROM a AS t\n", "FROM a AS t\nCOPY f /f\nRUN echo ob\nLABEL q=1\n"
)
F = {"f": "1", "g": "2"}


BESIDE = "FROM a AS x\nENV A=1\nRUN b\nFROM x AS y\nRUN s\nFROM x\nCOPY --from=y /d /d\n"


def _copied(steps: str, run: str = "RUN b\n") -> str:
    """Return a Dockerfile whose target takes a file from a stage with these steps."""
    return f"FROM a AS x\n{steps}{run}FROM c\nCOPY --from={'y' if 'AS y' in steps else 'x'} /d /d\n"


def _in_copied(
    where: str, cases: Iterable[tuple[str, str, str]], run: str = "RUN b\n"
) -> dict[str, tuple[str, str, None]]:
    """Return cases of the tables below: the name of each, and the steps of such a stage before and after an edit."""
    return {
        f"{name} {where}": (_copied(before, run), _copied(after, run), None) for name, before, after in cases
    }


SAME = {
    "trailing blanks": (ONE, ONE.replace("\nCMD", "  \t\nCMD"), None),
    "case": (ONE, ONE.replace("RUN", "  run").replace("AS", "as"), None),
    "comments and blank lines": (ONE, "# x\n" + ONE.replace("CMD", "\n\n# c\nCMD"), None),
    "an array spelled otherwise": (ONE, ONE.replace('["sh"]', '[ "sh" ]'), None),
    "a stage renamed": (ONE, ONE.replace("base", "other"), None),
    "a stage that is not needed": (ONE, "FROM alpine AS z\nRUN false\n" + ONE, None),
    "a line continued": (ONE, ONE.replace("echo ", "echo \\\n"), None),
    "CRLF": (ONE, ONE.replace("\n", "\r\n"), None),
    "escape directive": (ONE, "# escape=`\n" + ONE, None),
    "check directive": (ONE, "# check=skip=all\n" + ONE, None),
    "stage by another name": (COPIES, COPIES.replace("AS b", "AS zz").replace("=b /o", "=zz /o"), "t"),
    "stage by its number": (COPIES, COPIES.replace("--from=b", "--from=0"), "t"),
    "command of a stage copied from": (COPIES, COPIES.replace('"x"', '"y"'), "t"),
    "label of a stage copied from": (COPIES, COPIES.replace("a=b", "a=c"), "t"),
    "last ENV of a stage copied from": (COPIES, COPIES.replace("T=1", "T=2"), "t"),
    "a link that is declined": ("FROM a\nCOPY b c\n", "FROM a\nCOPY --link=false b c\n", None),
    "ARG without a value in a stage copied from": (
        "FROM a AS x\nRUN b\nFROM c\nCOPY --from=x /d /d\n",
        "FROM a AS x\nARG N\nRUN b\nFROM c\nCOPY --from=x /d /d\n",
        None,
    ),
    **_in_copied(
        "in a stage copied from",
        (
            ("ARG twice", "ARG A=1\n", "ARG A=1\nARG A=1\n"),
            ("ENV twice", "ENV A=1\n", "ENV A=1\nENV A=1\n"),
            ("USER twice", "USER root\n", "USER root\nUSER root\n"),
            ("SHELL twice", 'SHELL ["s"]\n', 'SHELL ["s"]\nSHELL ["s"]\n'),
            ("ARG that another hides", "ARG A=1\n", "ARG A=2\nARG A=1\n"),
            ("ARG that an ENV hides", "ENV B=1\nENV A=1\n", "ENV B=1\nARG A=2\nENV A=1\n"),
            ("ENV that another hides", "ENV A=1\n", "ENV A=2\nENV A=1\n"),
            ("ENV in one", "ENV A=1 B=2\n", "ENV A=1\nENV B=2\n"),
            ("ARG in one", "ARG A=1 B=2\n", "ARG A=1\nARG B=2\n"),
            ("USER before another", "USER 1\nWORKDIR /w\nUSER 2\n", "USER 1\nWORKDIR /w\nUSER 3\nUSER 2\n"),
        ),
    ),
    **_in_copied(
        "before a COPY in a stage copied from",
        (
            ("ENV", "COPY e f\n", "ENV A=1\nCOPY e f\n"),
            ("USER", "COPY e f\n", "USER 1\nCOPY e f\n"),
            ("SHELL", "WORKDIR /w\n", 'SHELL ["s"]\nWORKDIR /w\n'),
            ("order of ARG and ENV", "ARG A=1\nENV B=2\nCOPY e f\n", "ENV B=2\nARG A=1\nCOPY e f\n"),
            ("ARG of an ARG", "ARG A=1\nARG B=$A\nCOPY e f\n", "ARG A=2\nARG B=$A\nCOPY e f\n"),
        ),
        run="",
    ),
    **_in_copied(
        "before a COPY in a stage copied from ",
        (
            ("WORKDIR /", "COPY e /f\n", "WORKDIR /\nCOPY e /f\n"),
            ("a relative path", "WORKDIR /w\nCOPY e f\n", "WORKDIR /w\nCOPY e /w/f\n"),
            ("the folder itself", "WORKDIR /w\nCOPY e .\n", "WORKDIR /w\nCOPY e /w/\n"),
            ("the root", "WORKDIR /w\nWORKDIR /\nADD e .\n", "WORKDIR /w\nADD e /\n"),
            ("parents", "WORKDIR /w\nCOPY --parents e f/\n", "WORKDIR /w\nCOPY --parents e /w/f/\n"),
            ("a path with //", "COPY e /f/g\n", "COPY e /f//g\n"),
            ("a path with ..", "COPY e /f/g/\n", "COPY e /f/h/../g/\n"),
            ("a relative WORKDIR", "WORKDIR /w\nWORKDIR v\n", "WORKDIR /w\nWORKDIR /w/v\n"),
        ),
        run="",
    ),
    **_in_copied(
        "in a stage copied from ",
        (
            ("WORKDIR / at the end", "RUN b\n", "RUN b\nWORKDIR /\n"),
            ("WORKDIR / twice", "WORKDIR /\nRUN b\n", "WORKDIR /\nRUN b\nWORKDIR /\n"),
            ("a mount", "RUN --mount=target=/c b\n", "RUN --mount=dst=/c,ro b\n"),
        ),
        run="",
    ),
    "a port's protocol": (CONFIGURATION, CONFIGURATION.replace("80 81", "80/TCP 81 80"), None),
    "one upstream image in two spellings": (
        "ARG R=a\nFROM $R AS x\nRUN b\nFROM a\nCOPY --from=x c d\n",
        "ARG R=a\nFROM ${R} AS x\nRUN b\nFROM 'a'\nCOPY --from=x c d\n",
        None,
    ),
    "default of a platform argument": (
        "FROM --platform=$BUILDPLATFORM a\n",
        "FROM --platform=${BUILDPLATFORM:-x} a\n",
        None,
    ),
    "ENV of the target's stage in one copied from": (BESIDE, BESIDE.replace("RUN s", "ENV A=1\nRUN s"), None),
    "a quoted here-document of a stage copied from": (
        _copied("ARG A=1\nCOPY <<'E' f\n$A\nE\n", run=""),
        _copied("ARG A=2\nCOPY <<'E' f\n$A\nE\n", run=""),
        None,
    ),
    "last ARG of a stage copied from": (COPIES, COPIES.replace("U=1", "U=2"), "t"),
    "last USER of a stage copied from": (COPIES, COPIES.replace("USER root\n", ""), "t"),
    "ENV with an escape": (CONFIGURATION, CONFIGURATION.replace('"x y"', "x\\ y"), None),
    "ENV in its old form": (CONFIGURATION, CONFIGURATION.replace("L old form", 'L="old form"'), None),
    "ARG in quotes": (CONFIGURATION, CONFIGURATION.replace("V=1", 'V="1"'), None),
    "order of ports": (CONFIGURATION, CONFIGURATION.replace("80 81", "81   80"), None),
    "array of volumes": (CONFIGURATION, CONFIGURATION.replace("/v", '["/v"]'), None),
    "LABEL without quotes": (CONFIGURATION, CONFIGURATION.replace('a="1"', "a=1"), None),
    "case in HEALTHCHECK": (CONFIGURATION, CONFIGURATION.replace("CMD true", "cmd   true"), None),
    "blanks before an argument": (CONFIGURATION, CONFIGURATION.replace("USER root", "USER   root"), None),
    "source quoted": (FROM_CONTEXT, FROM_CONTEXT.replace("ADD a*", "ADD 'a'*"), None),
    "variable in braces": (FROM_CONTEXT, FROM_CONTEXT.replace("$N", "${N}"), None),
    "variable written out": (FROM_CONTEXT, FROM_CONTEXT.replace("${W}/x1", "d2/x1"), None),
    "variable of the upstream image in braces": (
        "FROM a\nENV PATH=/x:$PATH\n",
        "FROM a\nENV PATH=/x:${PATH}\n",
        None,
    ),
    "settings by variables": (
        "FROM a\nARG N=9\nEXPOSE $N\nVOLUME /$N\nWORKDIR /$N\nUSER $N\nSTOPSIGNAL $N\nCOPY --chown=$N --chmod=06 b c\n",
        "FROM a\nARG N=9\nEXPOSE 9\nVOLUME /9\nWORKDIR /${N}\nUSER '9'\nSTOPSIGNAL 9\nCOPY --chown=9 --chmod=6 b c\n",
        None,
    ),
    "where a child fetches from": (
        "FROM a\nONBUILD ARG X=1 PIP_INDEX_URL=b\n",
        "FROM a\nONBUILD ARG X=1 PIP_INDEX_URL=c\n",
        None,
    ),
    "source of a stage copied from": (
        "FROM a AS b\nADD c git@d:e <<f /x/\nf\nFROM b AS d\nFROM a\nCOPY --from=b /x /x\n",
        "FROM a AS b\nADD ./c/ git@d:e <<f /x/\nf\nFROM b AS d\nFROM a\nCOPY --from=b /x /x\n",
        None,
    ),
    "platform in braces": (
        "FROM --platform=$TARGETPLATFORM a\n",
        "FROM --platform=${TARGETPLATFORM} a\n",
        None,
    ),
    "stage renamed whose argument has two values": (
        "FROM a AS x\nARG V=1\nRUN b\nFROM x\nARG V=2\n",
        "FROM a AS z\nARG V=1\nRUN b\nFROM z\nARG V=2\n",
        None,
    ),
    "words for an array": (FROM_CONTEXT, FROM_CONTEXT.replace('["a","/js"]', "a   /js"), None),
    "mounted stage renamed": (MOUNTS, MOUNTS.replace("AS o", "AS oo").replace("from=o,", "from=oo,"), "t"),
    "order of other stages": (MOUNTS, MOUNTS_SWAPPED, "t"),
    "ONBUILD written out": (HELD_BACK, INLINE, "t"),
    "ONBUILD written out further down": (HELD_BACK, INLINE, "u"),
    "place of an ONBUILD": (
        COPIES,
        COPIES.replace("COPY", "ONBUILD RUN x\nCOPY").removesuffix("ONBUILD RUN x\n"),
        "t",
    ),
    "ONBUILD of a stage copied from": (HELD_BACK, HELD_BACK.replace("echo ob", "echo no"), "s"),
    "order of flags": (
        "FROM alpine\nCOPY --chown=1 --from=nginx /a /b\n",
        "FROM alpine\nCOPY --from=nginx   --chown=1 /a /b\n",
        None,
    ),
    "order of mounts": (
        "FROM alpine\nRUN --mount=source=a,target=/a --mount=source=b,target=/b ls\n",
        "FROM alpine\nRUN --mount=source=b,target=/b --mount=source=a,target=/a ls\n",
        None,
    ),
}


@pytest.mark.parametrize(("before", "after", "target"), SAME.values(), ids=SAME)
def test_edit_that_means_nothing(before: str, after: str, target: str | None) -> None:
    """What leaves BuildKit with everything in its cache and the same image leaves the key as it is."""
    files = {**FILES, **F, "b": "7"}
    assert before != after
    assert _key(before, target, {}, files) == _key(after, target, {}, files)


STALE = {
    "blanks within": (ONE, ONE.replace("echo ", "echo  "), None),
    "a continued line indented": (ONE, ONE.replace("echo ", "echo \\\n   "), None),
    "command": (ONE, ONE.replace('"sh"', '"ash"'), None),
    "command as text": (ONE, ONE.replace('["sh"]', "sh"), None),
    "one more step": (ONE, ONE + "LABEL a=b\n", None),
    **_in_copied(
        "in a stage copied from",
        (
            ("order of ARG", "ARG A=1\nARG B=2\n", "ARG A=1\nARG B=2\nARG A=1\n"),
            ("order of ENV", "ENV A=1\nENV B=2\n", "ENV A=1\nENV B=2\nENV A=1\n"),
            ("order of ARG and ENV", "ARG A=1\nENV B=2\n", "ENV B=2\nARG A=1\n"),
            ("ARG over ENV", "ENV A=2\n", "ENV A=2\nARG A=1\n"),
            ("empty ENV", "ENV A=\n", ""),
            ("ARG that changes later", "ARG A=1\nARG A=2\nRUN e\n", "ARG A=1\nRUN e\nARG A=2\n"),
            ("ENV that changes later", "ENV A=1\nENV A=2\nRUN e\n", "ENV A=1\nRUN e\nENV A=2\n"),
            ("USER of a WORKDIR", "USER 1\nWORKDIR /w\nUSER 2\n", "USER 2\nWORKDIR /w\n"),
            ("ENV of a stage that it is based on", "ENV A=1\nFROM x AS y\n", "ENV A=2\nFROM x AS y\n"),
        ),
    ),
    "default in a here-document of a stage copied from": (
        _copied("ARG A=1\nCOPY <<E f\n$A\nE\n", run=""),
        _copied("ARG A=2\nCOPY <<E f\n$A\nE\n", run=""),
        None,
    ),
    "ENV of the target's stage in one copied from": (BESIDE, BESIDE.replace("RUN s", "ENV A=2\nRUN s"), None),
    "ENV before a RUN": (COPIES, COPIES.replace("E=1", "E=2"), "t"),
    "default before the first FROM": (COPIES, COPIES.replace("G=1", "G=3"), "t"),
    "WORKDIR of a stage copied from": (COPIES, COPIES.replace("/w", "/ww"), "t"),
    "ONBUILD of the target": (COPIES, COPIES.replace("RUN x", "RUN y"), "t"),
    "owner": (COPIES, COPIES.replace("--from=b", "--chown=0:0 --from=b"), "t"),
    "ARG without its default": (CONFIGURATION, CONFIGURATION.replace("V=1", "V"), None),
    "order of labels": (CONFIGURATION, CONFIGURATION.replace('a="1" b=2', "b=2 a=1"), None),
    "interval": (CONFIGURATION, CONFIGURATION.replace("5s", "6s"), None),
    "signal": (CONFIGURATION, CONFIGURATION.replace("9", "15"), None),
    "default in an ENV": (CONFIGURATION, CONFIGURATION.replace(":-q", ":-r"), None),
    "source spelled otherwise": (FROM_CONTEXT, FROM_CONTEXT.replace("COPY d ", "COPY ./d/ "), None),
    "mounted stage": (MOUNTS, MOUNTS.replace("echo m", "echo mm"), "t"),
    "default in an ONBUILD of the target": ("FROM a\nONBUILD ARG X=1\n", "FROM a\nONBUILD ARG X=2\n", None),
    "spelling of an ONBUILD of the target": (COPIES, COPIES.replace("ONBUILD RUN x", "ONBUILD run x"), "t"),
    "blanks behind an ONBUILD of the target": (COPIES, COPIES.replace("RUN x", "RUN x "), "t"),
    "order of two values of an argument": (
        "FROM a AS x\nARG V=1\nRUN b\nFROM x\nARG V=2\n",
        "FROM a AS x\nARG V=2\nRUN b\nFROM x\nARG V=1\n",
        None,
    ),
    "mode": ("FROM a\nCOPY --chmod=0 b c\n", "FROM a\nCOPY --chmod=7 b c\n", None),
    "ONBUILD for the target": (HELD_BACK, HELD_BACK.replace("echo ob", "echo no"), "t"),
    "ONBUILD further up": (HELD_BACK, HELD_BACK.replace("q=1", "q=2"), "u"),
    "one of two upstream images": (
        "FROM a AS x\nFROM b\nCOPY --from=x /f /f\n",
        "FROM a AS x\nFROM a\nCOPY --from=x /f /f\n",
        None,
    ),
    "here-document": ("FROM a\nRUN <<E\nx\nE\n", "FROM a\nRUN <<E\n x\nE\n", None),
    "here-document for a shell": ("FROM a\nRUN cat <<-E\nx\nE\n", "FROM a\nRUN cat <<-E\n\tx\nE\n", None),
    "quotes of a here-document": ("FROM a\nCOPY <<E /x\n$x\nE\n", "FROM a\nCOPY <<'E' /x\n$x\nE\n", None),
    "what looks like a flag": ("FROM a\nRUN --network=none b\n", "FROM a\nRUN -- --network=none b\n", None),
    **_in_copied(
        "in a stage copied from ",
        (
            ("WORKDIR /", "WORKDIR /w\nRUN b\n", "WORKDIR /w\nWORKDIR /\nRUN b\n"),
            (
                "WORKDIR / after a folder that nobody knows",
                "WORKDIR $U\nRUN b\n",
                "WORKDIR $U\nWORKDIR /\nRUN b\n",
            ),
            (
                "WORKDIR / between folders that nobody knows",
                "WORKDIR /\nRUN b\nWORKDIR $U\nRUN b\n",
                "WORKDIR /\nRUN b\nWORKDIR $U\nWORKDIR /\nRUN b\n",
            ),
            ("a folder that nobody knows", "WORKDIR /w\nWORKDIR $U\nCOPY e f\n", "WORKDIR /w\nCOPY e f\n"),
            ("WORKDIR before a relative path", "WORKDIR /w\nCOPY e f\n", "WORKDIR /w\nWORKDIR /\nCOPY e f\n"),
            (
                "WORKDIR before what may be a folder",
                "WORKDIR /w\nCOPY e f/.\n",
                "WORKDIR /w\nWORKDIR /\nCOPY e f/.\n",
            ),
            ("a folder as destination", "COPY e /f\n", "COPY e /f/\n"),
            ("a relative path where nobody knows the folder", "COPY e f\n", "COPY e /f\n"),
            ("a mount that can be written to", "RUN --mount=target=/c b\n", "RUN --mount=dst=/c,rw b\n"),
        ),
        run="",
    ),
    "another protocol": (CONFIGURATION, CONFIGURATION.replace("80 81", "80/udp 81"), None),
    "a port that nobody knows": ("FROM a\nEXPOSE $P\n", "FROM a\nEXPOSE ${P:-80}\n", None),
    "syntax": (ONE, "# syntax=docker/dockerfile:1\n" + ONE, None),
    "platform": (ONE, ONE.replace("FROM", "FROM --platform=linux/arm64"), None),
}


@pytest.mark.parametrize(("before", "after", "target"), STALE.values(), ids=STALE)
def test_edit_that_counts(before: str, after: str, target: str | None) -> None:
    """What makes BuildKit run a step again, or gives another image, changes the key."""
    files = {**FILES, **F}
    assert _key(before, target, {}, files) != _key(after, target, {}, files)


def test_tabs_of_a_here_document_that_no_shell_reads() -> None:
    """BuildKit takes the tabs away itself, so they don't count."""
    one, other = ("FROM a\nRUN <<-E\n" + text + "E\n" for text in ("x\n", "\t\tx\n"))
    assert _key(one, None, {}, {}) == _key(other, None, {}, {})


class TestFiles:
    """Which files of the context count."""

    SOURCES: Mapping[str, tuple[str, tuple[str, ...]]] = {
        "file": ("COPY a /x", ("a",)),
        "folder": ("COPY d /x", ("d/b", "d/c/e")),
        "everything": ("COPY . /x", tuple(sorted(FILES))),
        "everything by ADD": ('ADD ["/","/x"]', tuple(sorted(FILES))),
        "above the context": ("COPY ../a d/../README /x/", ("README", "a")),
        "wildcard": ("COPY d*/?1 /x", ("d2/x1",)),
        "wildcard for folders": ("COPY d/? /x", ("d/b", "d/c/e")),
        "wildcard for nothing": ("COPY q* /x", ()),
        "class": ("COPY [[]z] /x", ("[z]",)),
        "literal after a wildcard": ("COPY */c/e /x", ("d/c/e",)),
        "nothing of the context": ("COPY --from=nginx a /x", ()),
        "address": ("ADD https://h/a git@h:a.git ${U:-ssh://h/a} /x/", ()),
        "file beside an address": ("ADD https://h/a a /x/", ("a",)),
        "here-document": ("COPY <<a d2 /x/\ntext\na", ("d2/x1",)),
        "parents": ("COPY --parents d/./c/e /x/", ("d/c/e",)),
        "parents with a wildcard": ("COPY --parents d/*/e /x/", ("d/b", "d/c/e")),
        "exclusions don't count": ("COPY --exclude=d/b d /x/", ("d/b", "d/c/e")),
        "bind mount": ("RUN --mount=target=/m,src=d/c ls", ("d/c/e",)),
        "bind mount of everything": ("RUN --mount=type=bind,target=/m ls", tuple(sorted(FILES))),
        "bind mount has no wildcards": ("RUN --mount=source=d*,target=/m ls", ()),
        "other mounts": ("RUN --mount=type=cache,target=/m --mount=type=secret,id=s --mount=type=tmpfs ls", ()),
        "ONBUILD": ("ONBUILD COPY a /x", ()),
        "argument": ("ARG N=d2\nCOPY ${N:-a}/x1 /x", ("d2/x1",)),
        "argument from before FROM": ("ARG P\nCOPY $P /x", ("README",)),
        "ENV over ARG": ("ARG N=a\nENV N=d2\nCOPY $N /x", ("d2/x1",)),
        "ARG over ENV": ("ENV N=d2\nARG N=a\nCOPY $N /x", ("a",)),
        "ARG left unset": ("ENV N=d2\nARG N\nCOPY $N /x", ("d2/x1",)),
        "nested default": ("ARG N=a\nCOPY ${NONE:-${N}} ${N:+README} /x/", ("README", "a")),
        "quotes": ("COPY 'a' /x", ("a",)),
    }  # fmt: skip

    @pytest.mark.parametrize(("step", "files"), SOURCES.values(), ids=SOURCES)
    def test_sources(self, step: str, files: tuple[str, ...]) -> None:
        """A step takes the files that BuildKit takes for it."""
        found = _closure(f"ARG P=README\nFROM scratch\n{step}\n", context=FILES)
        assert (found.files, found.warnings) == (files, ())

    def test_inherited_variable(self) -> None:
        """A stage knows what the stage that it is based on has set."""
        text = "FROM alpine AS a\nARG A=d2\nENV B=a\nFROM a\nCOPY $A $B /x/\n"
        assert _closure(text, context=FILES).files == ("a", "d2/x1")

    def test_variable_of_an_upstream_image(self) -> None:
        """What an upstream image may set is not guessed at: every file counts, and that is said."""
        found = _closure("FROM alpine\nENV N=$X/a\nCOPY $N /x\n", context=FILES)
        assert found.files == tuple(sorted(FILES))
        assert found.warnings == (
            "docker/Dockerfile:3: $N depends on the upstream image or the platform, so a change of any file counts",
        )

    def test_ignored_files(self) -> None:
        """What the ignore file leaves out can't be copied."""
        found = _closure("FROM scratch\nCOPY . /x\n", context=FILES, ignore="d*\n!d/c\n")
        assert found.files == ("README", "[z]", "a", "d/c/e")

    def test_ignored_dockerfile(self) -> None:
        """The Dockerfile is sent even where it is ignored, since that is how the builder gets it."""
        context = ("Dockerfile", "a")
        assert _closure("FROM scratch\nCOPY . /x\n", context=context, ignore="*\n").files == ("Dockerfile",)

    def test_bad_pattern(self) -> None:
        """A pattern that BuildKit refuses is an error."""
        with pytest.raises(PlanError) as caught:
            _closure("FROM scratch\nCOPY a[ /x\n", context=FILES)
        assert str(caught.value) == "docker/Dockerfile:2: a[: a [ is not closed, or nothing is in it"

    def test_other_files_of_the_context(self) -> None:
        """A file outside the closure changes nothing, and one inside does."""
        before = _key(FROM_CONTEXT, None, {}, FILES)
        assert _key(FROM_CONTEXT, None, {}, {**FILES, "README": "other", "new": "x", "d2/y": "x"}) == before
        for path in ("a", "d/b", "d/c/e", "d2/x1", "ab", "d/new", "d3/x9"):
            assert _key(FROM_CONTEXT, None, {}, {**FILES, path: "other"}) != before

    MISSING: Mapping[str, tuple[str, str]] = {
        "a file": ("COPY READM /x", "COPY READM: docker/ has no such file (did you mean README?); correct the line"),
        "in a folder": ("ADD d/xyz /x", "ADD d/xyz: docker/ has no such file; correct the line or add"),
        "a mount": ("RUN --mount=source=e,target=/e b", "RUN e: docker/ has no such file; correct the line or add"),
        "ignored": ("COPY a /x", "COPY a: the ignore file of docker/ excludes it; correct the line or"),
    }  # fmt: skip

    @pytest.mark.parametrize(("step", "message"), MISSING.values(), ids=MISSING)
    def test_missing(self, step: str, message: str) -> None:
        """What is copied and not sent fails a build, and is told with its line."""
        found = _closure(f"FROM a\n{step}\n", context=FILES, ignore="a\n")
        [missing] = found.missing
        assert missing.startswith(f"docker/Dockerfile:2: {message} ")

    @pytest.mark.parametrize(
        "step", ["COPY q* /x", "COPY . /x", "COPY $X /x", "COPY --parents q /x", "ADD https://a/b /x"]
    )
    def test_not_missing(self, step: str) -> None:
        """A pattern may be about nothing, and what is not known here may be there."""
        assert _closure(f"FROM a\n{step}\n", context=("Dockerfile",)).missing == ()

    def test_only_what_is_taken_is_looked_for(self) -> None:
        """Who tells what a source takes is asked for sources that the target has, and which folders don't matter."""
        asked = []

        def find(source: str, *, pattern: bool, skips: Callable[[str], bool]) -> Iterable[str]:
            asked.append((source, pattern, [each for each in ("out", "in") if skips(each)]))
            return [f"{source}/f", "Dockerfile"]

        text = "FROM a AS x\nCOPY d* /x\nFROM a AS y\nCOPY big /x\n"
        text += "FROM a\nCOPY --from=x /x /x\nRUN --mount=source=m b\n"
        found = closure(parse(text), None, {}, find, ignore="out\n")
        assert asked == [("d*", True, ["out"]), ("m", False, ["out"])]
        assert found.files == ("Dockerfile", "d*/f", "m/f")


class TestArguments:
    """Which build arguments count, and with which values."""

    VALUES: Mapping[str, tuple[str, Mapping[str, str], tuple[tuple[str, str], ...]]] = {
        "default": ("FROM a\nARG X=1", {}, (("X", "1"),)),
        "passed": ("FROM a\nARG X=1\nRUN b", {"X": "2"}, (("X", "2"),)),
        "default, passed": ("FROM a\nARG X=1\nRUN b", {"X": "1"}, (("X", "1"),)),
        "passed, and named by a step": ("FROM a\nARG X=1\nWORKDIR /${X}", {"X": "2"}, (("X", "2"),)),
        "passed, and used by nothing": (
            "FROM a\nRUN b\nARG X\nARG Y=1\nCOPY c d", {"X": "2", "Y": "2"}, (("X", "2"), ("Y", "2"))
        ),
        "passed, where files are taken from": (
            "FROM a AS x\nRUN b\nARG X\nFROM a\nCOPY --from=x c d", {"X": "2"}, ()
        ),
        "of the file, and used by nothing": ("ARG X=1\nFROM a\nARG X", {}, (("X", "1"),)),
        "passed, and used by what is based on it": (
            "FROM a AS x\nARG X\nFROM x AS y\nRUN b\nFROM x\nCOPY --from=y c d\nRUN e", {"X": "2"}, (("X", "2"),)
        ),
        "default where files are taken from": (
            "FROM a AS x\nARG X=1\nCOPY b c\nFROM scratch\nCOPY --from=x c d", {}, ()
        ),
        "not declared": ("FROM a\nARG X=1", {"Y": "2"}, (("X", "1"),)),
        "unset": ("FROM a\nARG X", {}, ()),
        "empty": ("FROM a\nARG X=", {}, (("X", ""),)),
        "several in one": ("FROM a\nARG X=1 Y=${X}2", {}, (("X", "1"), ("Y", "12"))),
        "of the file, declared again": ("ARG X=1\nFROM a\nARG X\nRUN b", {}, (("X", "1"),)),
        "of the file, with another default": ("ARG X=1\nFROM a\nARG X=2", {}, (("X", "2"),)),
        "of the file, not used": ("ARG X=1\nFROM a", {"X": "2"}, ()),
        "default in FROM": ("FROM a:${V:-1}", {"V": "2"}, ()),
        "in FROM": ("ARG V=1\nFROM a:$V", {}, (("V", "1"),)),
        "in FROM at one remove": ("ARG V=1\nARG I=a:${V}\nFROM $I", {}, (("I", "a:1"), ("V", "1"))),
        "in a platform": ("ARG P=linux/arm64\nFROM --platform=$P a", {}, (("P", "linux/arm64"),)),
        "of the builder in a platform": ("FROM --platform=$BUILDPLATFORM a", {}, ()),
        "of the builder, passed": ("FROM a\nARG TARGETARCH\nRUN b", {"TARGETARCH": "x"}, (("TARGETARCH", "x"),)),
        "of the builder": ("FROM a\nARG TARGETARCH", {}, (("TARGETARCH", "amd64"),)),
        "of the builder, and not known": ("FROM a\nARG TARGETSTAGE", {}, ()),
        "of the builder in the name of a stage": ("ARG P=$TARGETARCH\nFROM a AS x-amd64\nFROM x-$P", {}, ()),
        "location": ("ARG ALPINE_IMAGE=a\nFROM $ALPINE_IMAGE\nARG PIP_INDEX_URL=x", {"PIP_INDEX_URL": "y"}, ()),
        "proxy": ("FROM a\nARG HTTP_PROXY\nARG https_proxy=x", {"HTTP_PROXY": "y"}, ()),
        "version beside a location": (
            "ARG ALPINE_IMAGE=a\nARG V=1\nFROM ${ALPINE_IMAGE}:${V}", {"ALPINE_IMAGE": "b"}, (("V", "1"),)
        ),
        "made of a location": (
            "ARG BUN_INSTALL_URL=u\nARG V=1\nFROM a\nARG BUN_INSTALL_URL\nARG V\nARG W=$BUN_INSTALL_URL/$V",
            {"BUN_INSTALL_URL": "z"},
            (("V", "1"), ("W", "${BUN_INSTALL_URL}/${V} = ${BUN_INSTALL_URL}/1")),
        ),
        "made of a variable of the upstream image": ("FROM a\nARG W=${X}", {}, (("W", "${X}"),)),
        "two values": (
            "FROM a AS x\nARG V=1\nARG V=2\nFROM x\nARG V=1",
            {},
            (("V (stage x)", "1"), ("V (stage x, 2)", "2"), ("V (stage stage-1)", "1")),
        ),
        "two values, one in FROM": (
            "ARG V=1\nFROM a:$V AS x\nARG V=2", {}, (("V (FROM)", "1"), ("V (stage x)", "2"))
        ),
        "in a stage that is not needed": ("FROM a AS x\nARG V=1\nFROM b\n", {}, ()),
    }  # fmt: skip

    @pytest.mark.parametrize(("text", "args", "expected"), VALUES.values(), ids=VALUES)
    def test_values(self, text: str, args: Mapping[str, str], expected: tuple[tuple[str, str], ...]) -> None:
        """The effective value counts, unless it says only where to fetch."""
        assert _closure(text, args=args).args == expected

    @pytest.mark.parametrize(
        ("text", "args", "expected"),
        [
            ("ARG X=1\nFROM a\nARG X", {}, ()),
            ("FROM a\nARG X\nCOPY c d", {"X": "2"}, ()),
            ("FROM a\nARG TARGETARCH", {}, ()),
            ("FROM a\nARG X=1\nRUN b", {"X": "2"}, (("X (default)", "1"), ("X", "2"))),
            ("FROM a\nARG X=1\nRUN b", {"X": "1"}, (("X", "1"),)),
            (
                "FROM a AS x\nARG X\nFROM x AS y\nRUN b\nFROM x\nCOPY --from=y c d\nRUN e",
                {"X": "2"},
                (("X", "2"),),
            ),
            ("FROM a\nARG Y=1\nCOPY c d", {"Y": "2"}, (("Y (default)", "1"),)),
            ("FROM a\nARG Y=1\nCOPY c d", {}, (("Y", "1"),)),
            ("# syntax=docker/dockerfile:1\nFROM a\nARG X", {"X": "2"}, (("X", "2"),)),
        ],
    )
    def test_values_on_an_older_engine(
        self, text: str, args: Mapping[str, str], expected: tuple[tuple[str, str], ...]
    ) -> None:
        """The builder of an older engine writes defaults into the history alone; a frontend of the file is newer."""
        assert _closure(text, args=args, builder=OLDER).args == expected

    def test_value_and_default_are_one_to_a_newer_engine(self) -> None:
        """What it writes into the history is what an argument comes to, wherever that is from."""
        texts = ["FROM a\nARG X=1\n", "ARG X=1\nFROM a\nARG X\n"]
        assert len({_key(text, None, {}, {}) for text in texts}) == 1
        assert len({_key(text, None, {"X": "2"}, {}) for text in texts}) == 1
        assert len({_key(text, None, {"X": "2"}, {}, OLDER) for text in texts}) == 2

    @pytest.mark.parametrize(
        ("version", "writes"),
        [
            ("20.10.24+dfsg1", False),
            ("26.1.5", False),
            ("27.0.1", True),
            ("28.5.2", True),
            ("", True),
            ("dev", True),
        ],
    )
    def test_which_engine_writes_values(self, version: str, writes: bool) -> None:  # noqa: FBT001 - a parameter
        """BuildKit does since Engine 27."""
        assert writes_values(version) is writes

    def test_default_in_place_of_which_another_was_passed(self) -> None:
        """On an older engine it stays in the history; one that says where to fetch counts no more than a passed one."""
        text = "FROM a\nARG V=1 W=${V}0\nARG PIP_INDEX_URL=u\nRUN b\n"
        args = {"V": "5", "W": "6", "PIP_INDEX_URL": "v"}
        defaults = (("V (default)", "1"), ("V", "5"), ("W (default)", "50"), ("W", "6"))
        assert _closure(text, args=args, builder=OLDER).args == defaults
        edited = text.replace("V=1", "V=2")
        assert _key(text, None, args, {}, OLDER) != _key(edited, None, args, {}, OLDER)
        assert _key(text, None, args, {}) == _key(edited, None, args, {})
        unused = text.removesuffix("RUN b\n")
        assert _key(unused, None, {"V": "1", "W": "6"}, {}, OLDER) == _key(unused, None, {}, {}, OLDER)

    LOCATIONS = (
        "FROM alpine\nARG PIP_INDEX_URL=https://a/\nENV PIP_INDEX_URL=$PIP_INDEX_URL X=${PIP_INDEX_URL:-b}\n"
        'RUN pip install x\nLABEL from="$PIP_INDEX_URL"\n'
    )

    @pytest.mark.parametrize("args", [{}, {"PIP_INDEX_URL": ""}, {"PIP_INDEX_URL": "https://u:p@m/"}])
    def test_location_counts_nowhere(self, args: Mapping[str, str]) -> None:
        """Neither passed nor as a default nor in a variable made of it does a location count."""
        default = self.LOCATIONS.replace("https://a/", "https://other/")
        assert _key(self.LOCATIONS, None, args, {}) == _key(default, None, {}, {})

    def test_location_without_default(self) -> None:
        """An address that is passed or not makes no difference, and the default beside it does."""
        text = "FROM alpine\nENV APK_REPOSITORY=x\nARG APK_REPOSITORY\nENV A=${APK_REPOSITORY:-b}\n"
        assert _key(text, None, {}, {}) == _key(text, None, {"APK_REPOSITORY": "y"}, {})
        bare = text.replace("ENV APK_REPOSITORY=x\n", "")
        assert _key(bare, None, {}, {}) == _key(bare, None, {"APK_REPOSITORY": "y"}, {})
        assert _key(bare, None, {}, {}) != _key(bare.replace(":-b", ":-c"), None, {}, {})

    def test_upstream_location_counts_by_its_image(self) -> None:
        """The same upstream image from a mirror is the same."""
        text = "ARG ALPINE_IMAGE=alpine\nFROM ${ALPINE_IMAGE}:3\nRUN x\n"
        assert _key(text, None, {}, {}) == _key(text, None, {"ALPINE_IMAGE": "mirror/alpine"}, {})


class TestStages:
    """Which stages count, and which upstream images."""

    def test_order_and_canonical_steps(self) -> None:
        """Stages stand in the order of need, the target last, and each step in its canonical form."""
        text = (
            "FROM scratch AS unused\nFROM --platform=linux/amd64 Reg.io/up:1 as Base\nENV P=$PATH:/x Q=1\n"
            "FROM base\nRUN make\nFROM base AS target\n"
            "COPY --from=2 --chown=1 a b\nCOPY --from=nginx:1 'c' /d\nCOPY --from=scratch x y\n"
            "HEALTHCHECK none\nONBUILD ENV A='$b'\n"
            "RUN --mount=type=bind,FROM=base,target=/b --mount=type=secret,id=s \\\n"
            "  --mount=from=nginx:1,target='/a b' [ a ]\nFROM target AS later\n"
        )
        found = _closure(text, "TARGET")
        assert _texts(found) == {
            "base": [
                "FROM --platform=linux/amd64 upstream:1",
                'ENV [["P","${PATH}:/x",null],["Q","1"]]',
            ],
            "stage-2": ["FROM stage:1", "RUN make"],
            "target": [
                "FROM stage:1",
                'COPY --chown=1 --from=stage:2 -- ["a","b"]',
                'COPY --from=upstream:2 -- ["c","/d"]',
                'COPY --from=scratch -- ["x","y"]',
                "HEALTHCHECK NONE ",
                "ONBUILD ENV A='$b'",
                (
                    'RUN --mount=id=s,type=secret "--mount=from=upstream:2,target=/a b" '
                    "--mount=from=stage:1,target=/b -- [ a ]"
                ),
            ],
        }
        assert found.upstream == ("Reg.io/up:1", "nginx:1")
        assert [step.line for step in found.stages[-1].steps] == [6, 7, 8, 9, 10, 11, 12]

    def test_last_stage(self) -> None:
        """Without a target the last stage is built, as by docker build."""
        assert [stage.name for stage in _closure("FROM a AS x\nFROM b\n").stages] == ["stage-1"]

    def test_one_image_spelled_in_two_ways(self) -> None:
        """What goes without saying in the name of an image makes no other image of it."""
        names = ("docker.io/library/a", "library/a", "index.docker.io/library/a:latest", "a:latest")
        for name in names:
            text = f"FROM a AS x\nRUN b\nFROM {name}\nCOPY --from=x c d\n"
            assert len(_closure(text).upstream) == 1
        assert len(_closure("FROM a AS x\nFROM docker.io/b/a\nCOPY --from=x c d\n").upstream) == 2

    def test_syntax_line(self) -> None:
        """The frontend that reads the file is an input of its own."""
        text = "# syntax=docker/dockerfile:1\nFROM a AS x\nFROM x\n"
        assert _texts(_closure(text)) == {
            "x": ["FROM upstream:1"],
            "stage-1": ["# syntax=docker/dockerfile:1", "FROM stage:1"],
        }

    @pytest.mark.parametrize(
        ("line", "counts"),
        [
            ("mirror:5000/docker/dockerfile:1", "docker/dockerfile:1"),
            ("docker.io/docker/dockerfile:1", "docker/dockerfile:1"),
            ("docker/dockerfile-upstream:master", "docker/dockerfile-upstream:master"),
            ("ghcr.io/a/docker/dockerfile@sha256:1 x", "docker/dockerfile@sha256:1"),
            ("docker/dockerfile", "docker/dockerfile"),
        ],
    )
    def test_frontend(self, line: str, counts: str) -> None:
        """BuildKit's own is read, from wherever it is fetched, and that it is newer counts."""
        found = _closure(f"# syntax={line}\nFROM a\n")
        assert (found.stages[0].steps[0].text, found.warnings) == (f"# syntax={counts}", ())

    @pytest.mark.parametrize("line", ["acme/x", "docker/dockerfile2", "dockerfile", "acme/dockerfile:1"])
    def test_other_frontend(self, line: str) -> None:
        """What another one reads is not known."""
        assert _closure(f"# syntax={line}\nFROM a\n").warnings

    def test_choice_that_is_not_known(self) -> None:
        """Where the upstream image decides which value a word comes to, all of them count."""
        for word in ("${X:-$Y}", "${X#$Y}", "${X/$Y/}"):
            text = _copied("ENV Y=1\n", f"COPY a /{word}\n")
            assert _key(text, None, {}, {"a": "1"}) != _key(text.replace("Y=1", "Y=2"), None, {}, {"a": "1"})

    def test_name_given_twice(self) -> None:
        """FROM takes the stage before it, and --from the last one of a name."""
        text = "FROM a AS x\nFROM x AS x\nRUN 2\nFROM x\nCOPY --from=x a b\n"
        assert [stage.name for stage in _closure(text).stages] == ["x", "x", "stage-2"]

    def test_name_of_a_later_stage_is_an_image(self) -> None:
        """FROM never looks ahead."""
        found = _closure("FROM b AS a\nFROM c AS b\n", "a")
        assert found.upstream == ("b",)

    def test_stage_by_argument(self) -> None:
        """An argument may name the parent of a stage."""
        text = "ARG KIND=x\nFROM a AS x\nFROM b AS y\nFROM $KIND\n"
        assert _closure(text).upstream == ("a",)
        assert _closure(text, args={"KIND": "y"}).upstream == ("b",)

    def test_stage_taken_from_by_onbuild(self) -> None:
        """The ONBUILD triggers of a base are taken for the stage that is based on it."""
        text = "FROM a AS x\nFROM b AS y\nONBUILD COPY --from=x /f /f\nFROM y\n"
        found = _closure(text)
        assert [stage.name for stage in found.stages] == ["y", "x", "stage-2"]
        assert _texts(found)["stage-2"] == ["FROM stage:1", 'COPY --from=stage:2 -- ["/f","/f"]']
        assert [stage.name for stage in _closure(text, "y").stages] == ["y"]

    @pytest.mark.parametrize(
        ("text", "stages"),
        [
            ("FROM a AS linux\nRUN b\nFROM ${TARGETOS} AS out\n", ["linux", "out"]),
            ("ARG F=${TARGETARCH}\nFROM a AS amd64\nFROM b AS arm64\nFROM ${F}\n", ["amd64", "stage-2"]),
            ("FROM a AS n-linux\nFROM n-$TARGETOS\n", ["n-linux", "stage-1"]),
            ("FROM a AS n-amd64\nFROM n-${TARGETPLATFORM#*/}${TARGETVARIANT}\n", ["n-amd64", "stage-1"]),
        ],
    )
    def test_stage_named_by_the_platform(self, text: str, stages: list[str]) -> None:
        """The arguments that the builder sets are those of the engine's platform."""
        found = _closure(text)
        assert ([stage.name for stage in found.stages], found.warnings) == (stages, ())

    def test_other_platforms(self) -> None:
        """What the engine does not tell of its platform is not known, and what it is not asked costs nothing."""
        text = "ARG P\nFROM a AS x-arm64\nFROM b AS x-\nFROM x-$TARGETARCH$P\n"
        arm = BuilderTraits(platform=lambda: "linux/arm64")
        assert _closure(text, builder=arm).upstream == ("a",)
        variant = _closure(text, args={"P": "$TARGETVARIANT"}, builder=arm)
        assert variant.warnings == ()
        assert _closure(text.replace("$P", "$TARGETVARIANT"), builder=arm).warnings
        assert _closure(text, builder=BuilderTraits(platform=str)).warnings

        def asked() -> str:
            raise AssertionError

        assert _closure("ARG P=1\nFROM a:$P\n", builder=BuilderTraits(platform=asked)).upstream == ("a:1",)

    def test_platform_to_build_for(self) -> None:
        """It may be another than the builder's own, and nothing of it is unknown."""
        text = (
            "FROM a AS x-amd64-linux/arm64\nFROM b AS x-\nFROM x-$BUILDARCH-${TARGETPLATFORM}$TARGETVARIANT\n"
        )
        builder = BuilderTraits(target="linux/arm64")
        found = _closure(
            text.replace("/", "-").replace("${TARGETPLATFORM}", "$TARGETOS-$TARGETARCH"), builder=builder
        )
        assert (found.upstream, found.warnings) == (("a",), ())
        assert _closure(
            "FROM a\nARG TARGETPLATFORM\nCOPY $TARGETPLATFORM/b c\n",
            context=("linux/arm64/b",),
            builder=builder,
        ).files == ("linux/arm64/b",)

    PLATFORM_IN_A_STAGE_OF_FILES: Mapping[str, str] = {
        "COPY": "COPY a /x_${TARGETARCH}\n",
        "ADD": "ADD a /x_$TARGETARCH\n",
        "WORKDIR": "WORKDIR /x_${TARGETARCH}\n",
        "ENV": "ENV X=$TARGETARCH\nRUN b\n",
    }

    @pytest.mark.parametrize("step", PLATFORM_IN_A_STAGE_OF_FILES.values(), ids=PLATFORM_IN_A_STAGE_OF_FILES)
    def test_platform_in_a_stage_of_files(self, step: str) -> None:
        """Whether the builder's argument is declared before its use counts where files alone are taken from."""
        declared = _copied("ARG TARGETARCH\n", step)
        without = _copied("", step)
        behind = _copied("", f"{step}ARG TARGETARCH\n")
        assert _key(declared, None, {}, {"a": "1"}) != _key(without, None, {}, {"a": "1"})
        assert _key(declared, None, {}, {"a": "1"}) != _key(behind, None, {}, {"a": "1"})
        assert _key(without, None, {}, {"a": "1"}) == _key(behind, None, {}, {"a": "1"})

    def test_platform_in_a_source(self) -> None:
        """A file that is named by the platform is one file."""
        found = _closure("FROM a\nARG TARGETARCH\nCOPY b-$TARGETARCH c\n", context=("b-amd64", "b-arm64"))
        assert (found.files, found.warnings) == (("b-amd64",), ())

    REFUSED: Mapping[str, tuple[str, str]] = {
        "unknown target": ("FROM a AS y\nFROM b", "docker/Dockerfile: no stage x; it has y"),
        "no names": ("FROM a", "docker/Dockerfile: no stage x; it has none with a name"),
        "blank": (
            "ARG A\nFROM $A AS x",
            "docker/Dockerfile:2: FROM $A expands to nothing; set its argument, or give it a default",
        ),
        "bad substitution": ("FROM ${A:?unset} AS x", "docker/Dockerfile:1: ${A:?unset}: A: unset"),
        "bad default": ("FROM a AS x\nARG A=${}", "docker/Dockerfile:2: ${}: bad substitution"),
        "upper case": (
            "FROM a AS Base\nFROM Base AS x",
            "docker/Dockerfile:2: FROM Base: write the name of a stage in lower case here",
        ),
        "later stage": (
            "FROM a AS x\nCOPY --from=y a b\nFROM b AS y",
            "docker/Dockerfile:2: stage y must come before the stage that copies from it",
        ),
        "later mount": (
            "FROM a AS x\nRUN --mount=from=y,target=/y b\nFROM b AS y",
            "docker/Dockerfile:2: stage y must come before the stage that copies from it",
        ),
        "itself": (
            "FROM a AS x\nCOPY --from=0 a b",
            "docker/Dockerfile:2: --from=0: no stage before this one has that number",
        ),
        "negative": (
            "FROM a AS x\nCOPY --from=-1 a b",
            "docker/Dockerfile:2: --from=-1: no stage before this one has that number",
        ),
        "mode": (
            "FROM a AS x\nCOPY --chmod=888 b c",
            "docker/Dockerfile:2: --chmod=888: expected an octal number up to 7777, or letters, as u=rw,go=r",
        ),
        "mount": (
            "FROM a AS x\nRUN --mount=type=bid,target=/c b",
            (
                "docker/Dockerfile:2: --mount=type=bid,target=/c: type=bid: "
                "expected bind, cache, secret, ssh or tmpfs (did you mean bind?)"
            ),
        ),
        "variable in --from": (
            "FROM a AS x\nCOPY --from=$y a b",
            "docker/Dockerfile:2: --from=$y can't hold a variable; put it into a FROM … AS name, and name that",
        ),
        "variable in a mount": (
            "FROM a AS x\nRUN --mount=from=$y,target=/y b",
            "docker/Dockerfile:2: from=$y can't hold a variable; name a stage that is FROM it instead",
        ),
    }

    @pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
    def test_refused(self, text: str, message: str) -> None:
        """What BuildKit refuses is an error with its line."""
        with pytest.raises(PlanError) as caught:
            _closure(text, "x")
        assert str(caught.value) == message

    @pytest.mark.parametrize(
        "mode", ["0644", "7", "17777", "u=rw,go=r", "a+X", "+x", "g=u", "$M", "755x", "u=z", ""]
    )
    def test_modes(self, mode: str) -> None:
        """A mode is octal or in letters, and an older builder overlooks any other."""
        text = f"FROM a\nCOPY --chmod={mode} b c\n"
        assert _closure(text, builder=OLDER).missing
        if mode in {"17777", "755x", "u=z", ""}:
            with pytest.raises(PlanError):
                _closure(text)
        else:
            assert _closure(text).missing


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("bass", "docker/Dockerfile:3: no stage bass (did you mean base?)"),
        ("basse", "docker/Dockerfile:5: no stage basse (did you mean base?)"),
        ("BaseS", "docker/Dockerfile:6: no stage BaseS (did you mean base?)"),
        ("bash", "docker/Dockerfile:1: no stage bash before this line (it begins in line 4: move it above)"),
        ("Late", "docker/Dockerfile:6: no stage Late before this line (it begins in line 7: move it above)"),
        ("unrelated", ""),
        ("bass:1", ""),
        ("a/base", ""),
    ],
)
def test_mistyped_stage(reference: str, said: str) -> None:
    """A plain name that is nearly that of a stage before, or that of one after, is taken for it."""
    text = (
        "FROM a AS base\nCOPY --from=a/base b c\nFROM bass AS bush\nFROM base AS bash\n"
        "RUN --mount=target=/c,from=basse b\nCOPY --from=BaseS --from=Late b c\nFROM a AS late\n"
    )
    assert mistyped_stage(parse(text), reference) == said


@pytest.mark.parametrize(
    ("text", "place", "image"),
    [
        ("# escape=`\n# Syntax = my/docker/dockerfile:1 x\nFROM a", "docker/Dockerfile:2", "my/docker/dockerfile:1"),
        ("\ufeff# syntax=acme/f@sha256:0\nFROM a", "docker/Dockerfile:1", "acme/f@sha256:0"),
        ("# escape=`\nFROM a", "", ""),
    ],
)  # fmt: skip
def test_frontend(text: str, place: str, image: str) -> None:
    """The line that names the frontend is told, and the image as it stands there."""
    assert frontend(parse(text)) == (place, image)


class TestValues:
    """What BuildKit refuses once variables are replaced."""

    @pytest.mark.parametrize("word", ["80", "80/TCP", "8000-8010/udp", "127.0.0.1:80:8080", "$U", "80/", ""])
    def test_ports(self, word: str) -> None:
        """A port, a range and a protocol are read; what nobody knows is left to the builder."""
        assert _closure(f"FROM a\nARG P={word}\nEXPOSE 1 $P\n").base == "a"

    @pytest.mark.parametrize("word", ["abc", "80/http", "65536", "90-80", "80:", "-1"])
    def test_no_ports(self, word: str) -> None:
        """Anything else is told with its line."""
        with pytest.raises(PlanError) as caught:
            _closure(f"FROM a\nARG P={word}\nEXPOSE 1 $P\n")
        assert str(caught.value) == (
            f"docker/Dockerfile:3: EXPOSE {word}: expected a port up to 65535, or a range, as 80, 53/udp or 8000-8010"
        )

    @pytest.mark.parametrize("step", ["EXPOSE abc", "STOPSIGNAL SIGTREM", "ONBUILD EXPOSE abc"])
    def test_in_a_stage_of_files(self, step: str) -> None:
        """A stage that only files are taken from is refused as well, but for what it leaves to another build."""
        text = f"FROM a AS x\n{step}\nFROM b\nCOPY --from=x /c /c\n"
        if step.startswith("ONBUILD"):
            assert _closure(text).base == "b"
            return
        with pytest.raises(PlanError, match=f"^docker/Dockerfile:2: {step}: expected "):
            _closure(text)

    @pytest.mark.parametrize("word", ["SIGTERM", "int", "9", "SIGRTMIN+3", "rtmax-1", "$U"])
    def test_signals(self, word: str) -> None:
        """A signal has a name or a number."""
        assert _closure(f"FROM a\nSTOPSIGNAL {word}\n").base == "a"

    @pytest.mark.parametrize("word", ["SIGTREM", "0", "TERM1"])
    def test_no_signals(self, word: str) -> None:
        """Anything else is told with its line."""
        with pytest.raises(PlanError) as caught:
            _closure(f"FROM a\nSTOPSIGNAL {word}\n")
        assert str(caught.value) == (
            f"docker/Dockerfile:2: STOPSIGNAL {word}: expected the name or the number of a signal, as SIGTERM or 15"
        )


class TestUnreadable:
    """What can't be read makes everything count, and is said."""

    UNREADABLE: Mapping[str, tuple[str, str]] = {
        "later flag": ("FROM a AS x\nCOPY --new a b\nFROM b", "2: the flag --new of COPY is not known"),
        "substitution": ("FROM a AS x\nFROM b AS y\nENV A=${B//c/\\$}", "3: ${B//c/\\$} can't be evaluated"),
        "default": ("FROM a AS x\nFROM b AS y\nARG A=${B//c/\\$}", "3: ${B//c/\\$} can't be evaluated"),
        "platform": (
            "FROM a AS x\nFROM b-$TARGETSTAGE AS y",
            "2: FROM b-$TARGETSTAGE depends on the platform, which is not known",
        ),
        "mount": ("FROM a AS x\nFROM b AS y\nRUN --mount='\"a\"' b", '3: the quotes in --mount="a"'),
    }  # fmt: skip

    @pytest.mark.parametrize(("text", "problem"), UNREADABLE.values(), ids=UNREADABLE)
    def test_everything_counts(self, text: str, problem: str) -> None:
        """The whole text, every file, every upstream image and every argument count."""
        found = _closure(text, args={"Q": "1", "HTTP_PROXY": "2"}, context=("g", "f"))
        name = found.stages[-1].name
        consequence = f"so any change of the Dockerfile or of a file makes {name} stale"
        assert found.warnings == (f"docker/Dockerfile:{problem}; {consequence}",)
        assert found.files == ("f", "g")
        assert found.args == (("Q", "1"),)
        assert found.upstream[0] == "a"
        assert found.upstream[1].startswith("b")
        assert [step.text for stage in found.stages for step in stage.steps] == [f"1\n{text}"]

    def test_target_counts(self) -> None:
        """Two targets of an unreadable file differ, and a stage of ours is no upstream image."""
        text = "# syntax=acme/x\nFROM a AS x\nFROM x AS y\n"
        assert _closure(text, "x").upstream == ("a",)
        assert _key(text, "x", {}, {}) != _key(text, "y", {}, {})

    def test_other_stages_stay_readable(self) -> None:
        """A substitution in a stage that is not needed is nobody's concern."""
        assert _closure("FROM a AS x\nFROM b AS y\nENV A=${B//c/\\$}", "x").warnings == ()


def test_where_to_fetch_from_makes_no_difference_in_a_stage_copied_from() -> None:
    """Given or not, the step of an argument that only says where to fetch counts the same."""
    text = "FROM a AS x\nARG PIP_INDEX_URL\nRUN b\nFROM c\nCOPY --from=x /d /d\n"
    assert _key(text, None, {}, {}) == _key(text, None, {"PIP_INDEX_URL": "https://a/"}, {})


class TestUpstreamTriggers:
    """The ONBUILD triggers of an upstream image are carried out first, in each stage on it."""

    CONTEXT = ("Dockerfile", "a", "b", "c")

    def _found(self, *triggers: str, text: str = "FROM up AS x\nCOPY b /b\n") -> Closure:
        def known(reference: str) -> tuple[str, ...]:
            return triggers if reference == "up" else ()

        return closure(parse(text), None, {"V": "2"}, self.CONTEXT, triggers=known)

    def test_they_are_steps_of_the_stage(self) -> None:
        """They stand in the line of its FROM, before its own; what they copy and declare counts."""
        found = self._found("ARG V=1", "COPY a /$V", "RUN echo <<END\nEND\n")
        assert found.files == ("a", "b")
        assert found.args == (("V", "2"),)
        assert [(step.line, step.text.split()[0]) for step in found.stages[0].steps] == [
            (1, "FROM"),
            (1, "ARG"),
            (1, "COPY"),
            (1, "RUN"),
            (2, "COPY"),
        ]
        assert found.warnings == ()

    def test_they_can_ask_for_stages_and_images(self) -> None:
        """A stage that a trigger takes from is needed, and an image that it takes from is an upstream image."""
        text = "FROM one AS s\nCOPY c /c\nFROM up AS x\n"
        found = self._found("COPY --from=s /c /c", "RUN --mount=from=two true", text=text)
        assert [stage.name for stage in found.stages] == ["s", "x"]
        assert (found.files, found.upstream) == (("c",), ("one", "up", "two"))

    def test_they_are_not_handed_on(self) -> None:
        """A stage on that stage does not carry them out, nor does one that only takes from the image."""
        text = "FROM up AS x\nFROM x AS y\nCOPY --from=up /z /z\n"
        found = self._found("COPY a /a", text=text)
        assert [len(stage.steps) for stage in found.stages] == [2, 2]

    def test_each_value_of_an_argument_counts(self) -> None:
        """Two of one name in one image are told apart, though both stand in the line of the FROM."""
        found = self._found("ARG W=1", "RUN true", "ARG W=3", "RUN true")
        assert {value for _, value in found.args} == {"1", "3"}

    @pytest.mark.parametrize(
        ("trigger", "problem"),
        [
            ("COPY $UNKNOWN#* /a", None),
            ("COPY ${V//1/\\$} /a", "docker/Dockerfile:1: ${V//1/\\$} can't be evaluated"),
            ("NONSENSE", "docker/Dockerfile:1: ONBUILD:2: unknown instruction NONSENSE of up"),
            (
                "COPY --from=7 a /a",
                "docker/Dockerfile:1: --from=7: no stage before this one has that number",
            ),
            (
                "RUN true\nRUN true",
                "docker/Dockerfile:1: ONBUILD RUN true\nRUN true: expected one instruction of up",
            ),
        ],
    )
    def test_what_cannot_be_read_makes_everything_count(self, trigger: str, problem: str | None) -> None:
        """Nobody here wrote it, so it is no error; it is never too little."""
        found = self._found(trigger)
        assert found.files == self.CONTEXT
        if problem:
            assert found.warnings == (
                f"{problem}; so any change of the Dockerfile or of a file makes x stale",
            )

    def test_more_than_a_label_holds_makes_everything_count(self) -> None:
        """That there are some is known, and which is not."""
        found = closure(parse("FROM up\n"), None, {}, self.CONTEXT, triggers=lambda _: None)
        assert found.files == self.CONTEXT
        assert found.warnings[0].startswith("docker/Dockerfile:1: up has too many ONBUILD triggers; ")


class TestOwnDockerfile:
    """docker/Dockerfile itself."""

    @pytest.mark.parametrize("runtime", RUNTIMES)
    def test_runtime_is_a_stage(self, runtime: str) -> None:
        """Each runtime has a stage that is read without a warning, and takes the filter and a launcher of its own."""
        text = DOCKERFILE.read_text()
        context = ("Dockerfile", "deno", "filter/main.go", "proxy.mjs", "proxy.sh", "other")
        found = _closure(text, runtime, context=context)
        launcher = {"deno": ["deno"], "node": ["proxy.mjs"]}.get(runtime, [])
        expected = tuple(sorted([*launcher, "filter/main.go", "proxy.sh"]))
        assert (found.files, found.warnings, found.stages[-1].name) == (expected, (), runtime)

    def test_edit_in_one_stage(self) -> None:
        """An edit in stage bun counts for bun and nobody else."""
        text = DOCKERFILE.read_text()
        edited = text.replace("AS bun\n", "AS bun\nRUN true\n")
        assert [r for r in RUNTIMES if _key(text, r, {}, FILTER) != _key(edited, r, {}, FILTER)] == ["bun"]


@given(
    st.lists(st.sampled_from(["", "# c", "   ", "\t# d"]), min_size=6, max_size=6),
    st.lists(st.sampled_from(["", " ", "\t "]), min_size=6, max_size=6),
    st.booleans(),
)
def test_layout_never_counts(between: list[str], indentation: list[str], lower: bool) -> None:  # noqa: FBT001 - hypothesis gives it by place
    """Comments, blank lines, indentation before an instruction and the case of keywords mean nothing."""
    lines = ["FROM a AS x", "RUN b  c", "ENV A=1", "FROM x", "COPY --from=x  f g", 'CMD ["h"]']
    edited = ""
    for line, before, indent in zip(lines, between, indentation, strict=True):
        keyword, rest = line.split(" ", 1)
        edited += f"{before}\n{indent}{keyword.lower() if lower else keyword} {rest}\n"
    assert _key("\n".join(lines), None, {}, {}) == _key(edited, None, {}, {})


class TestUpstreamImages:
    """Which upstream images a target is built of, found without its steps."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("FROM a AS x\nFROM b AS y\n", ("b",)),
            ("ARG B=b\nFROM a AS x\nFROM ${B}:1 AS y\nCOPY --from=x /a /\nCOPY --from=c /c /\n", ("a", "b:1", "c")),
            ("FROM a AS x\nFROM b AS y\nENV A=${B//c/\\$}\n", ("b",)),
            ("FROM a AS x\nFROM b-$TARGETSTAGE AS y\n", ("a", "b-$TARGETSTAGE")),
            ("# syntax=example/frontend\nFROM a AS x\nFROM b AS y\n", ("a", "b")),
        ],
        ids=["others", "copied", "unreadable step", "unreadable source", "other frontend"],
    )  # fmt: skip
    def test_they_are_those_of_the_stages_that_it_needs(self, text: str, expected: tuple[str, ...]) -> None:
        """Or all of the file's, where that can't be found out."""
        assert tuple(sorted(upstream_images(parse(text), "y", {}))) == expected

    def test_they_are_those_of_the_closure(self) -> None:
        """Of our own Dockerfile for every runtime, in the same order."""
        dockerfile = parse(DOCKERFILE.read_text())
        for runtime in RUNTIMES:
            found = upstream_images(dockerfile, runtime, {})
            assert found == closure(dockerfile, runtime, {}, FILTER.keys()).upstream
