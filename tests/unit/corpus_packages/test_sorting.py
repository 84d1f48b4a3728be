"""Which packages of a refused image are to blame."""

import pytest

from isol8_tasks.errors import BuildFailedError, EngineError, NotInstallableError, VerifyFailedError
from tests.corpus_packages.sorting import sort
from tests.corpus_packages.table import Kind, Row


def _row(package: str, kind: Kind = "works") -> Row:
    return Row(runtime="python", package=package, kind=kind)


ONE, TWO, THREE, BAD = _row("one"), _row("two"), _row("two-more"), _row("bad", "broken")
GROUP = (ONE, TWO, THREE, BAD)


def test_what_verification_names_is_refused_with_what_was_said() -> None:
    """The expected one has its verdict, the others another image."""
    error = VerifyFailedError(
        "x failed verification\n  bad is installed, but `import bad` fails:\n      Traceback"
    )
    found = sort(GROUP, error, "")
    assert found.refused == {BAD: "  bad is installed, but `import bad` fails:\n      Traceback"}
    assert found.again == [[ONE, TWO, THREE]]


def test_what_is_refused_unexpectedly_has_an_image_to_itself() -> None:
    """It may have been disturbed by another; a longer name that contains its name is not it."""
    error = VerifyFailedError(
        "x failed verification\n  two-more is installed, but `import two` fails:\n      one"
    )
    found = sort(GROUP, error, "")
    assert found.refused == {}
    assert found.again == [[ONE, TWO, BAD], [THREE]]


def test_where_all_are_named_nothing_is_built_again() -> None:
    """But for what is refused unexpectedly."""
    said = "x failed\n  bad is installed, but `import bad` fails\n  one is installed, but `import one` fails"
    found = sort((ONE, BAD), VerifyFailedError(said), "")
    assert (list(found.refused), found.again) == ([BAD], [[ONE]])


def test_a_build_blames_those_that_its_errors_name() -> None:
    """A line that is no error blames nobody."""
    error = BuildFailedError("no", output=("Collecting one", "ERROR: Failed building wheel for bad"))
    assert sort(GROUP, error, "").again == [[ONE, TWO, THREE], [BAD]]


def test_an_image_in_which_nobody_is_named_is_halved() -> None:
    """So that each package gets a verdict in the end."""
    assert sort(GROUP, BuildFailedError("no"), "").again == [[ONE, TWO], [THREE, BAD]]
    assert sort(GROUP, VerifyFailedError("x"), "").again == [[ONE, TWO], [THREE, BAD]]


def test_a_package_alone_is_refused_with_the_hint() -> None:
    """Whatever the error names."""
    assert sort([ONE], BuildFailedError("no"), "do this").refused == {ONE: "no\ndo this"}


def test_what_cannot_be_installed_is_refused_with_what_needs_it() -> None:
    """At once, as nothing was built; the others have an image without it."""
    error = NotInstallableError(
        "1 package can't be installed on Alpine (musl); nothing was built\n"
        "deep 1.0 (needed by two, deps.toml:3) has no wheel for musl, and the image can't compile its source\n"
        "Take Alpine's: one."
    )
    found = sort(GROUP, error, "")
    assert list(found.refused) == [TWO]
    assert found.again == [[ONE, THREE, BAD]]


def test_what_may_have_to_be_compiled_has_an_image_to_itself() -> None:
    """It is no verdict yet."""
    error = NotInstallableError(
        "1 package can't be installed on Alpine (musl); nothing was built\n"
        "bad 1.0 (deps.toml:3) has no wheel for musl, and the image can't compile its source\n"
        "one 1.0 (deps.toml:3) has no wheel for musl, and may have to be compiled; one==0.9 has one"
    )
    found = sort(GROUP, error, "")
    assert list(found.refused) == [BAD]
    assert found.again == [[TWO, THREE], [ONE]]


def test_other_errors_are_nobodys() -> None:
    """An engine that fails says nothing of a package."""
    with pytest.raises(EngineError, match="gone"):
        sort(GROUP, EngineError("gone"), "")
