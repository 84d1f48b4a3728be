"""Lines of a TOML text, found without tomli's help."""

import json

import pytest
import tomli
from hypothesis import given, settings
from hypothesis import strategies as st

from isol8_tasks.config.positions import KeyPath, line_of

TEXT = '''\
# [dependencies] is not here
top = """
[dependencies]
python = ["no"] \\"""
"""  # " [
[ dependencies ]   # here
python = ["numpy", # a ] in a comment
  "a]b", '"',

  """x
  y""", "last",
]
"quoted \\u006bey" = 'it\\'
node.deeper . still = [[1, [2,
  3]], {}, [], { a = [
  true], b.c = 1979-05-27 07:32:00 }]
[build]\r
jobs = 2\r
args = { A = "}", "B.b" = """"x"""", C = \'\'\'\'x\'\'\' }
[[hold]]
name = 1
[[hold]]
[hold.deep]
name = 2
[other.table]
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        pytest.param(("top",), 2, id="first-key"),
        pytest.param(("dependencies",), 6, id="table"),
        pytest.param(("dependencies", "python"), 7, id="key"),
        pytest.param(("dependencies", "python", 0), 7, id="element"),
        pytest.param(("dependencies", "python", 1), 8, id="element-with-bracket"),
        pytest.param(("dependencies", "python", 2), 8, id="literal-string"),
        pytest.param(("dependencies", "python", 3), 10, id="long-string"),
        pytest.param(("dependencies", "python", 4), 11, id="after-long-string"),
        pytest.param(("dependencies", "python", 5), None, id="no-such-element"),
        pytest.param(("dependencies", "quoted key"), 13, id="quoted-key"),
        pytest.param(("dependencies", "node"), 14, id="dotted-key-above"),
        pytest.param(("dependencies", "node", "deeper", "still", 0, 1, 1), 15, id="nested-arrays"),
        pytest.param(("dependencies", "node", "deeper", "still", 3, "a", 0), 16, id="array-in-table"),
        pytest.param(("dependencies", "node", "deeper", "still", 3, "b", "c"), 16, id="inline-dotted"),
        pytest.param(("build", "jobs"), 18, id="windows-line-ends"),
        pytest.param(("build", "args", "B.b"), 19, id="inline-table"),
        pytest.param(("build", "args", "C"), 19, id="after-quotes-at-the-end"),
        pytest.param(("hold", 0, "name"), 21, id="array-of-tables"),
        pytest.param(("hold", 1), 22, id="second-of-tables"),
        pytest.param(("hold", 1, "deep", "name"), 24, id="table-in-array-of-tables"),
        pytest.param(("other",), 25, id="table-above"),
        pytest.param(("missing",), None, id="missing"),
    ],
)
def test_line(path: KeyPath, line: int | None) -> None:
    """Strings, comments and brackets over several lines don't mislead the count."""
    tomli.loads(TEXT)

    assert line_of(TEXT, path) == line


VALUES = st.recursive(
    st.one_of(
        st.booleans(),
        st.integers(-9, 9),
        st.text(st.sampled_from("a[]{}#=,.'\"\\\n"), max_size=6),
    ),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=8,
)
KEYS = st.text(st.sampled_from("ab.#]\"' "), max_size=3)


@settings(deadline=None)
@given(tables=st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES, max_size=3), max_size=3))
def test_every_value_is_found_where_it_was_written(tables: dict[str, dict[str, object]]) -> None:
    """In any document each table, key and array element is found on the line on which it was written."""
    lines: list[str] = []
    places: dict[KeyPath, int] = {}
    for table, keys in tables.items():
        lines.append(f"[{json.dumps(table)}] # ]")
        places[table,] = len(lines)
        for key, value in keys.items():
            lines.append(f"{json.dumps(key)} =")
            places[table, key] = len(lines)
            _write(value, (table, key), lines, places)
    text = "\n".join(lines)

    assert tomli.loads(text) == tables
    assert {path: line_of(text, path) for path in places} == places


def _write(value: object, path: KeyPath, lines: list[str], places: dict[KeyPath, int]) -> None:
    """Write the value behind what is on the last line, each element of an array on a line of its own."""
    if not isinstance(value, list):
        lines[-1] += f" {json.dumps(value)}"
        return
    lines[-1] += " [ # ["
    for index, item in enumerate(value):
        lines.append("")
        places[*path, index] = len(lines)
        _write(item, (*path, index), lines, places)
        lines[-1] += ", # ,"
    lines.append("]")
