"""Versions of one package in one list that exclude each other, and those that may not."""

import pytest

from isol8_tasks.ecosystems.conflicts import excluding

EXCLUDING = [
    ("pypi", "numpy<2", "numpy>=2.1"),
    ("pypi", "a==1", "a==2"),
    ("pypi", "a==1.*", "A>=2"),
    ("pypi", "a!=1", "a==1"),
    ("pypi", "a!=2", "a>=2,<=2"),
    ("pypi", "a!=1.*", "a>=1,<2"),
    ("pypi", "a~=1.4", "a[x]<1.4"),
    ("npm", "lodash@3", "lodash@^4"),
    ("npm", "@a/b@1.x", "@a/b@2.0.1"),
    ("apk", "jq=1.6-r0", "jq=1.7-r0"),
]
AGREEING = [
    ("pypi", "a", "a[x]"),
    ("pypi", "a>=1", "a<2"),
    ("pypi", "a>1", "a<1.0.1"),
    ("pypi", "a==1.26.*", "a>=1.26.4"),
    ("pypi", "a~=1.4.2", "a==1.4.*"),
    ("pypi", "a!=1.*", "a>=1,<=2"),
    ("pypi", "a!=1", "a>=1"),
    ("pypi", "a!=0", "a<1"),
    ("pypi", "a<1", "a>=1; python_version < '3'"),
    ("pypi", "a @ https://a.example/a-1.zip", "a>=2"),
    ("pypi", "a>1.0rc1", "a<1.0rc3"),
    ("pypi", "a==1.0+cpu", "a==1.0"),
    ("pypi", "a===1.0", "a==1"),
    ("npm", "lodash@^4.1", "lodash@~4.17.2"),
    ("npm", "lodash", "lodash@3"),
    ("npm", "lodash@latest", "lodash@3"),
    ("npm", "x@npm:lodash@3", "x@npm:lodash@4"),
    ("pypi", "a===1.", "a>1"),
    ("apk", "jq>=1", "jq=1.7-r0"),
    ("apk", "jq=1.7-r0", "jq==1.7-r0"),
    ("apk", "jq=1.7-r0", "jq@edge=1.7-r0"),
    ("apk", "jq~=1.6", "jq=1.7-r0"),
    ("apk", "cmd:jq=1.6-r0", "cmd:jq=1.7-r0"),
    ("deno", "npm:zod@3", "npm:zod@4"),
]


@pytest.mark.parametrize(("ecosystem", "one", "other"), EXCLUDING)
def test_no_version_is_both(ecosystem: str, one: str, other: str) -> None:
    """They are returned, in whichever order, whatever else is listed."""
    assert excluding(ecosystem, [one, other]) == (one, other)
    assert excluding(ecosystem, [other, one]) == (other, one)


@pytest.mark.parametrize(("ecosystem", "one", "other"), AGREEING)
def test_some_version_may_be_both(ecosystem: str, one: str, other: str) -> None:
    """Nothing is said where a version may satisfy both, nor where it can't be told."""
    assert excluding(ecosystem, [one, other]) == excluding(ecosystem, [other, one]) == ()


def test_two_of_many() -> None:
    """Those two are named, and where it takes three all of them."""
    assert excluding("pypi", ["six", "numpy<2", "pandas", "numpy", "numpy>=2.1"]) == ("numpy<2", "numpy>=2.1")
    three = ("a>=1,<3", "a!=1.*", "a!=2.*")
    assert excluding("pypi", three) == three
