"""Pairs of Dockerfiles that differ a little: what the builder does with the second counts, whichever is built first."""

import json
from collections.abc import Iterator, Mapping, Sequence

from attrs import Factory, frozen


@frozen(kw_only=True)
class Pair:
    """Two spellings of a Dockerfile; BASE stands for an upstream image with a shell and a file /etc/os-release."""

    name: str
    before: str
    after: str
    """Whole Dockerfiles, or steps of a stage that files are taken from."""
    of_files: bool = False
    args: Mapping[str, str] = Factory(dict)
    """What is passed to the second."""
    surplus: str = ""
    """Why it counts here though the builder reuses all; decision 6 has it."""
    needs: str = ""
    """What the frontend of the engine has to know."""


def pairs() -> tuple[Pair, ...]:
    """Return all of them."""
    return tuple(_pairs())


def side_by_side(stages: Sequence[str]) -> str:
    """Return a Dockerfile whose target takes a file from stages with these steps, none of which shares a step."""
    made = [f"FROM BASE AS s{n}\nCOPY a /pair-{n}\n{steps}" for n, steps in enumerate(stages)]
    taken = [f"COPY --from=s{n} /etc/os-release /{n}\n" for n in range(len(stages))]
    return "".join([*made, "FROM BASE\n", *taken])


def _pairs() -> Iterator[Pair]:
    for name, (before, after) in _OF_FILES.items():
        yield Pair(name=f"{name}, stage of files", before=before, after=after, of_files=True)
    for name, (before, after) in _WHOLE.items():
        yield Pair(name=name, before=before, after=after)
    for one, other in _MOUNTS:
        before, after = (f"RUN --mount={each} true\n" for each in (one, other))
        yield Pair(name=f"mount {one} {other}", before=before, after=after, of_files=True)
    for name, (reason, before, after) in _SURPLUS.items():
        yield Pair(name=f"{name}, stage of files", before=before, after=after, of_files=True, surplus=reason)
    text = "FROM BASE\nARG V\nCOPY a /a\n"
    yield Pair(name="unused value that is passed or not", before=text, after=text, args={"V": "2"})
    text = "FROM BASE\nARG V=1\nCOPY a /a\n"
    yield Pair(name="unused value in place of a default", before=text, after=text, args={"V": "2"})
    yield Pair(
        name="passed value that is the default",
        before="FROM BASE\nARG V\nCOPY a /a\n", after=text, args={"V": "1"},
    )  # fmt: skip
    for name, (before, after) in _NEEDS_PATTERNS.items():
        yield Pair(name=name, before=before, after=after, needs="${x#y}")


_PLATFORM = {
    "COPY": "COPY a /x_${TARGETARCH}\n",
    "ADD": "ADD a /x_$TARGETARCH\n",
    "WORKDIR": "WORKDIR /x_${TARGETOS}\n",
    "ENV": "ENV X=/x_$TARGETPLATFORM\nRUN true\n",
    "ENV and COPY": "ENV X=/x_$BUILDARCH\nCOPY a $X\n",
}
"""Steps that name the platform."""
_ONE_BY_ONE = "ARG TARGETARCH\nARG TARGETOS\nARG TARGETPLATFORM\nARG BUILDARCH\n"

_OF_FILES: Mapping[str, tuple[str, str]] = {
    **{f"platform argument declared, {name}": (step, f"{_ONE_BY_ONE}{step}") for name, step in _PLATFORM.items()},
    **{
        f"platform argument moved behind its use, {name}": (f"{_ONE_BY_ONE}{step}", f"{step}{_ONE_BY_ONE}")
        for name, step in _PLATFORM.items()
    },
    "platform argument that nothing uses": ("COPY a /x\n", "ARG TARGETARCH\nCOPY a /x\n"),
    "WORKDIR / at the end": ("RUN true\n", "RUN true\nWORKDIR /\n"),
    "WORKDIR / before RUN": ("WORKDIR /x\nRUN pwd\n", "WORKDIR /x\nWORKDIR /\nRUN pwd\n"),
    "WORKDIR / before COPY": ("WORKDIR /x\nCOPY a y\n", "WORKDIR /x\nWORKDIR /\nCOPY a y\n"),
    "WORKDIR / before COPY to a whole path": ("WORKDIR /x\nCOPY a /y\n", "WORKDIR /x\nWORKDIR /\nCOPY a /y\n"),
    "WORKDIR relative": ("WORKDIR /x\nWORKDIR y\n", "WORKDIR /x\nWORKDIR /x/y\n"),
    "WORKDIR relative to another": ("WORKDIR /x\nWORKDIR y\n", "WORKDIR /z\nWORKDIR y\n"),
    "WORKDIR twice before RUN": ("WORKDIR /x\nRUN pwd\n", "WORKDIR /x\nWORKDIR /x\nRUN pwd\n"),
    "destination relative": ("WORKDIR /x\nCOPY a y\n", "WORKDIR /x\nCOPY a /x/y\n"),
    "destination is the folder": ("WORKDIR /x\nCOPY a .\n", "WORKDIR /x\nCOPY a /x/\n"),
    "destination is below the folder": ("WORKDIR /x\nCOPY a ./y/\n", "WORKDIR /x\nCOPY a /x/y/\n"),
    "destination is no folder": ("WORKDIR /x\nCOPY a /x/y\n", "WORKDIR /x\nCOPY a /x/y/\n"),
    "destination with //": ("COPY a /y/z\n", "COPY a /y//z\n"),
    "destination with ..": ("ADD a /y/z\n", "ADD a /y/x/../z\n"),
}  # fmt: skip
_WHOLE: Mapping[str, tuple[str, str]] = {
    "unused value from before the first FROM": ("ARG V=1\nFROM BASE\nARG V\n", "ARG V=2\nFROM BASE\nARG V\n"),
    "value from before the first FROM or a default": ("ARG V=1\nFROM BASE\nARG V\n", "FROM BASE\nARG V=1\n"),
    "platform argument in the target": ("FROM BASE\nCOPY a /a\n", "FROM BASE\nARG TARGETARCH\nCOPY a /a\n"),
    "stage named by the platform": (
        "FROM BASE AS linux\nRUN true\nFROM ${TARGETOS} AS out\nRUN false || true\n",
        "FROM BASE AS linux\nRUN true\nFROM linux AS out\nRUN false || true\n",
    ),
    "stage named by an argument of the platform": (
        "ARG FLAVOR=${TARGETOS}\nFROM BASE AS linux\nFROM BASE AS other\nRUN true\nFROM ${FLAVOR}\n",
        "ARG FLAVOR=${TARGETOS}\nFROM BASE AS linux\nFROM BASE AS other\nRUN :\nFROM ${FLAVOR}\n",
    ),
    "stage whose name ends in the platform": (
        "FROM BASE AS name-linux\nRUN true\nFROM name-$TARGETOS\n",
        "FROM BASE AS name-linux\nRUN true\nFROM name-${TARGETOS}\n",
    ),
    "one upstream image under two spellings": (
        "ARG R=BASE\nFROM $R AS a\nRUN true\nFROM $R\nCOPY --from=a /etc/os-release /g\n",
        "ARG R=BASE\nFROM ${R} AS a\nRUN true\nFROM $R\nCOPY --from=a /etc/os-release /g\n",
    ),
    "quoted image, other use without quotes": (
        "FROM BASE AS a\nRUN true\nFROM BASE\nCOPY --from=a /etc/os-release /g\n",
        'FROM "BASE" AS a\nRUN true\nFROM BASE\nCOPY --from=a /etc/os-release /g\n',
    ),
    "default of a platform argument": (
        "FROM --platform=$BUILDPLATFORM BASE\nRUN true\n",
        "FROM --platform=${BUILDPLATFORM:-x} BASE\nRUN true\n",
    ),
    "mount in the target": (
        "FROM BASE\nRUN --mount=type=tmpfs,target=/l true\n", "FROM BASE\nRUN --mount=type=tmpfs,dst=/l true\n"
    ),
    "port's protocol": ("FROM BASE\nEXPOSE 80\n", "FROM BASE\nEXPOSE 80/tcp\n"),
    "port's protocol in upper case": ("FROM BASE\nEXPOSE 80\n", "FROM BASE\nEXPOSE 80/TCP\n"),
    "port's other protocol": ("FROM BASE\nEXPOSE 80\n", "FROM BASE\nEXPOSE 80/udp\n"),
}  # fmt: skip
_MOUNTS = [
    *(
        ("type=tmpfs,target=/l", other)
        for other in ("type=tmpfs,dst=/l", "type=tmpfs,destination=/l", "type=tmpfs,target=/m", "target=/l,type=tmpfs")
    ),
    *(
        ("source=docs,target=/c", other)
        for other in (
            "src=docs,dst=/c", "type=bind,source=docs,target=/c", "target=/c,source=docs", "source=docs,target=/c,ro",
            "source=./docs,target=/c", "source=docs,target=/c,rw", "source=docs,target=/c,readonly=true",
            "source=docs/one,target=/c", "source=/docs/,target=/c", "TYPE=Bind,source=docs,target=/c",
        )
    ),
    ("target=/c", "source=.,target=/c"),
    ("from=BASE,source=/,target=/c", "from=BASE,target=/c"),
    *(
        ("type=cache,target=/c", other)
        for other in (
            "type=cache,id=/c,target=/c", "type=cache,sharing=shared,target=/c", "type=cache,id=other,target=/c",
            "type=cache,sharing=locked,target=/c", "type=cache,target=/c,rw", "type=cache,target=/c,ro",
            "type=cache,target=/c,mode=0755",
        )
    ),
]  # fmt: skip
_NEEDS_PATTERNS: Mapping[str, tuple[str, str]] = {
    "pattern": ("FROM BASE\nARG X=docs/one\nCOPY ${X#docs/} /a\n", "FROM BASE\nARG X=docs/one\nCOPY ${X##*/} /a\n"),
    "replacement": ("FROM BASE\nARG X=b\nCOPY ${X/b/a} /a\n", "FROM BASE\nARG X=b\nCOPY ${X//?/a} /a\n"),
}  # fmt: skip
_SHELL = ["/bin/sh", "-c"]
_OF_ONE_NAME = "the reason names the argument"
_SHELL_UNKNOWN = "the upstream image may have another shell"
_SURPLUS: Mapping[str, tuple[str, str, str]] = {
    "shell spelled out": (
        _SHELL_UNKNOWN, "RUN true\n", f"SHELL {json.dumps(_SHELL)}\nRUN true\n"
    ),
    "shell as words of an array": (
        _SHELL_UNKNOWN, "RUN true\n", f"RUN {json.dumps([*_SHELL, 'true'])}\n"
    ),
    "ARG against ENV": (
        _OF_ONE_NAME, "ARG A=1\nRUN true\n", "ENV A=1\nRUN true\n"
    ),
    "value written out": (
        _OF_ONE_NAME,
        "ARG TARGETOS\nCOPY a* /$TARGETOS/\n",
        "ARG TARGETOS\nCOPY a* /linux/\n",
    ),
    "ENV that changes nothing": (
        "the upstream image's value is not known", "RUN true\n", "ENV PATH=$PATH\nRUN true\n"
    ),
    "WORKDIR / where that is the folder": (
        "the upstream image may have another folder", "RUN true\n", "WORKDIR /\nRUN true\n"
    ),
}  # fmt: skip
