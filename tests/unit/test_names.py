"""One name, one meaning: no two modules define the same public name."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

import isol8_tasks

PACKAGE = Path(isol8_tasks.__file__).parent
ALIKE = {
    "FILE",
    "MAY_BE_EMPTY",
    "build",
    "contents",
    "files",
    "installed",
    "judge",
    "judge_once",
    "main",
    "query",
    "script",
}
"""Of modules that stand for one another: builders, kinds of packages, lock files, programs."""
ALONE = ("probes", "programs")
"""Folders of programs that run in images, and know no module of ours."""


def _names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield node.name
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (each.id for each in targets if isinstance(each, ast.Name))


def test_public_name_has_one_meaning() -> None:
    """A class, function or constant is what its name says, wherever one reads it."""
    homes: dict[str, list[str]] = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        home = path.relative_to(PACKAGE)
        if not set(ALONE) & set(home.parts):
            for name in set(_names(ast.parse(path.read_text(encoding="utf-8")))):
                homes[name].append(str(home))
    assert len(homes) > 500
    public = {name: found for name, found in homes.items() if not name.startswith("_") and name not in ALIKE}
    assert {name: found for name, found in public.items() if len(found) > 1} == {}


@pytest.mark.parametrize(
    "package", sorted({"", *(each.name for each in PACKAGE.iterdir() if (each / "__init__.py").exists())})
)
def test_a_package_says_what_each_module_is_for(package: str) -> None:
    """Whoever sees the project for the first time finds a line on every module and folder."""
    folder = PACKAGE / package
    docstring = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""
    listed = docstring.partition("\n")[2]
    modules = [
        each.stem for each in folder.iterdir() if each.suffix == ".py" or (each / "__init__.py").exists()
    ]
    assert [
        name for name in modules if not name.startswith("__") and not re.search(rf"\b{name}\b", listed)
    ] == []
