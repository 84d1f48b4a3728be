"""The mounts of a RUN: what BuildKit takes for the same, and what it refuses."""

import pytest

from isol8_tasks.dockerfile.mounts import BadMountError, canonical_mount, mounted_secrets, read_mount

SAME = [
    ("target=/c", "dst=/c", "destination=/c", "TARGET=/c", "type=bind,target=/c", "target=/c,type=Bind"),
    ("target=/c", "target=/c,ro", "target=/c,readonly", "target=/c,readonly=true", "target=/c,rw=false"),
    ("target=/c", "source=.,target=/c", "source=/,target=/c", "src=./,target=/c", "from=,target=/c"),
    ("source=a/b,target=/c", "src=./a//b/,target=/c", "target=/c,source=/a/b"),
    ("target=/c,rw", "target=/c,readwrite=1", "target=/c,ro=false"),
    (
        "type=cache,target=/c",
        "type=cache,id=/c,target=/c",
        "type=cache,sharing=Shared,dst=/c",
        "type=cache,target=/c,rw",
    ),
    ("type=tmpfs,target=/c", "type=tmpfs,target=/c,rw=true"),
    ("type=cache,target=/$T", "type=cache,target=/$T,id=/$T"),
]
OTHERS = (
    "target=/c", "target=/d", "target=/c,rw", "type=cache,target=/c", "type=cache,target=/c,ro", "source=a,target=/c",
    "type=cache,target=/c,id=/d", "type=cache,target=/c,sharing=locked", "type=cache,target=/c,sharing=$S",
    "type=tmpfs,target=/c", "type=tmpfs,target=/c,size=9", "type=secret,id=s", "type=secret,id=s,required",
    "type=ssh", "type=ssh,mode=0600", "type=cache,target=/c,uid=1,gid=$G", "type=$T,target=/c", "target=/c,ro=$R",
    "from=x,target=/c", "source=$A/./b,target=/c", "source=$A/b,target=/c",
)  # fmt: skip


@pytest.mark.parametrize("spellings", SAME, ids=[each[0] for each in SAME])
def test_same_mount(spellings: tuple[str, ...]) -> None:
    """Names of settings, their order, and what goes without saying make no other mount."""
    assert len({canonical_mount(each, {}) for each in spellings}) == 1


def test_other_mounts() -> None:
    """All else does."""
    assert len({canonical_mount(each, {}) for each in OTHERS}) == len(OTHERS)


def test_what_it_is_taken_from() -> None:
    """What `from=` refers to stands in its place, and where the mount goes is told apart from it."""
    assert canonical_mount("from=x,source=/,target=/c", {"x": "stage:1"}) == ("/c", "from=stage:1,target=/c")
    assert read_mount("from=x,src=/a") == {"type": "bind", "from": "x", "source": "/a"}


def test_secrets_of_a_step() -> None:
    """By their ids, or what stands for one; an instruction that is no RUN mounts nothing."""
    step = "RUN --mount=type=secret,id=a --mount=source=b,type=secret --mount=target=/x/c,type=secret -- --mount=id=d"
    assert mounted_secrets(step) == ("a", "b", "c")
    assert mounted_secrets("RUN --mount=target=/c -- x") == ()
    assert mounted_secrets("COPY --from=a --mount=type=secret,id=a") == ()


REFUSED = {
    "type=bnd,target=/c": "type=bnd: expected bind, cache, secret, ssh or tmpfs (did you mean bind?)",
    "type=zzz": "type=zzz: expected bind, cache, secret, ssh or tmpfs",
    "type=cache,sharing=lock": ("sharing=lock: expected locked, private or shared (did you mean locked?)"),
    "targe=/c": "targe is not an option of --mount (did you mean target?)",
    "target=/c,": "an empty word is not an option of --mount",
    "target": "target has no value; expected target=…",
    "target=/c,ro=maybe": "readonly=maybe: expected true or false",
    "type=cache,mode=888": "mode=888: expected an octal number, as 0755",
    "type=cache,uid=root": "uid=root: expected a number",
    "target=/c,mode=0700": "mode can't be set for a mount of type bind",
    "target=/c,required": "required can't be set for a mount of type bind",
    "type=cache,size=1": "size can't be set for a mount of type cache",
    "sharing=locked,target=/c": "sharing can't be set for a mount of type bind",
    "type=secret,from=x,id=s": "from can't be set for a mount of type secret",
    "type=secret": "a mount of type secret needs an id or a target",
    "type=secret,id=s,source=t": "a mount of type secret takes either id or source",
}


@pytest.mark.parametrize(("text", "message"), REFUSED.items(), ids=REFUSED)
def test_refused(text: str, message: str) -> None:
    """BuildKit refuses it; what is wrong is said, and what was expected."""
    with pytest.raises(BadMountError) as caught:
        read_mount(text)
    assert str(caught.value) == message
