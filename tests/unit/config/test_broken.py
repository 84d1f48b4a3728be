"""What makes a text no TOML, or no JSON, where that is a slip that people make."""

import json

import pytest

from isol8_tasks.config.broken import slip_in_json
from isol8_tasks.config.deps import parse_config
from isol8_tasks.errors import ConfigError

MERGE = "a merge conflict is left, line {} is {}; keep one side, and remove the markers"
TYPOGRAPHIC = "{} is a typographic quote; TOML's is \""
NO_KEY = 'no key with a value; packages are elements of a list: python = ["numpy", "pandas==2.2.3"]'
YAML = 'it is YAML; in TOML it is [dependencies], and below it python = ["numpy", "pandas"]'
SLIPS = {
    "python = [“numpy”]": ":1:11: not TOML: " + TYPOGRAPHIC.format("“"),
    'python = ["numpy”]': ":1:19: not TOML: " + TYPOGRAPHIC.format("”"),
    "a = \u2018x\u2019": ":1:5: not TOML: " + TYPOGRAPHIC.format("\u2018"),
    "[a]\n“python” = []": ":2:1: not TOML: " + TYPOGRAPHIC.format("“"),
    "python = [numpy]": ':1:11: not TOML: numpy has no quotes; write "numpy"',
    'python = ["a", pandas>=2, b]': ':1:16: not TOML: pandas>=2 has no quotes; write "pandas>=2"',
    'node = [@scope/x, "a"]': ':1:9: not TOML: @scope/x has no quotes; write "@scope/x"',
    "max_age = 7d": ':1:12: not TOML: the value of max_age has no quotes; write max_age = "…"',
    "A = 3.10.1 # a": ':1:9: not TOML: the value of A has no quotes; write A = "…"',
    "TOKEN = hunter2": ':1:9: not TOML: the value of TOKEN has no quotes; write TOKEN = "…"',
    "python = [\n'a',\n\"b]\"\n[build]": ":4:1: not TOML: the [ in line 1 is not closed; write ] behind its last value",
    "a = [[1], # ]\n[2]\nb = 1": ":3:1: not TOML: the [ in line 1 is not closed; write ] behind its last value",
    'a = ["x]\nb = 1': ":1:9: not TOML: a string is not closed; write its quote again at its end, in this line",
    "a = 1\n\u00a0b = 1": (
        ":2:1: not TOML: column 1 is an invisible character (U+00A0); remove it, or write a blank"
    ),
    '{"a": 1}': ':1:1: not TOML: it is JSON; in TOML it is [dependencies], and below it python = ["numpy", "pandas"]',
    'python = ["six" "toml"]': ":1:17: not TOML: a comma is missing before this value",
    'python : ["six"]': ":1:8: not TOML: TOML has = between a key and its value, and no colon; write key = value",
    "numpy==1.26\npandas": f":1:7: not TOML: {NO_KEY}",
    "[dependencies]\nnumpy\npandas==2": f":2:6: not TOML: {NO_KEY}",
    "[dependencies]\nnumpy>=1\npandas": f":2:6: not TOML: {NO_KEY}",
    "[dependencies]\nrequests[socks]": f":2:9: not TOML: {NO_KEY}",
    "dependencies:\n  python:\n    - numpy": f":1:13: not TOML: {YAML}",
    "[x]\ny = '''\na:\n  - b\n'''\nz = True": ":6:5: not TOML: true and false are written in lower-case letters",
    "packages: # all\n\n- numpy": f":1:9: not TOML: {YAML}",
    '"numpy",\n"pandas"': f":1:8: not TOML: {NO_KEY}",
    "[a\nb = 1": ":1:3: not TOML: the ] behind the table's name is missing",
    "[a]]": ":1:4: not TOML: a ] too many; remove it",
    "a = ['x']]": ":1:10: not TOML: a ] too many; remove it",
    "a = ('x')": ":1:5: not TOML: a list of TOML is written in [ ], not in ( )",
    "// all": ":1:1: not TOML: a comment of TOML begins with #",
    "a = ['x\"]": ":1:10: not TOML: a string is not closed; it ends with the quote that it begins with",
    "strict = True": ":1:10: not TOML: true and false are written in lower-case letters",
    "a = 1\n<<<<<<< HEAD\nb = 1": f":2:1: not TOML: {MERGE.format(2, '<' * 7)}",
    "a = [\n'x',\n=======\n'y',\n>>>>>>> b\n]": f":3:1: not TOML: {MERGE.format(3, '=' * 7)}",
}
OTHERS = ["a = '“'\nb 1", "a = 1 2", "a = {", "\r", "a = '======='\nb 1"]


def problem(text: str) -> str:
    """Return what is said of the text."""
    with pytest.raises(ConfigError) as error:
        parse_config(text, "deps.toml")
    return str(error.value)


@pytest.mark.parametrize("text", SLIPS)
def test_slips(text: str) -> None:
    """Each is named, with its remedy; the value of a key, which may be a credential, is not shown."""
    assert problem(text) == f"deps.toml{SLIPS[text]}"


@pytest.mark.parametrize("text", OTHERS)
def test_what_is_no_slip(text: str) -> None:
    """It is what the parser says, and what the file looks like."""
    assert problem(text).endswith(
        '; tables, keys and values look like [dependencies], python = ["numpy", "pandas"]'
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1,}', "a comma stands before the closing bracket; remove it"),
        ('{"a": [1, ]}', "a comma stands before the closing bracket; remove it"),
        ('{"a": 1} // x', "JSON has no comments; remove it"),
        ('{"a": 1,\n/* x */ "b": 2}', "JSON has no comments; remove it"),
        ("{'a': 1}", "JSON's quotes are \", not '"),
        ("{a: 1}", 'a key has no quotes; write it in "'),
        ('{"a": True}', "JSON has true, false and null, in lower-case letters"),
        ('{"a": 1 "b": 2}', "a comma is missing before this value"),
        ('{"a": 1', "it ends before its last bracket is closed"),
        ("\n", "it is empty"),
        ('{\n<<<<<<< HEAD\n"a": 1}', "a merge conflict is left; keep one side, and remove the markers"),
        ("lodash\n", "it does not begin with {"),
        ('{"a" 1}', "Expecting ':' delimiter"),
        ('{"a": "x', "Unterminated string starting at"),
    ],
)
def test_slips_in_json(text: str, said: str) -> None:
    """Each is named with its remedy; what is not known is what the parser says."""
    with pytest.raises(json.JSONDecodeError) as error:
        json.loads(text)
    assert slip_in_json(text, error.value.pos, error.value.msg) == said
