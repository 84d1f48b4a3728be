"""Lines that people paste: each is refused with what it is, and with what to write."""

import pytest

from isol8_tasks.ecosystems.specs import SpecError, parse_spec

OPTION = "has an option behind it; an index is set by PIP_INDEX_URL or NPM_CONFIG_REGISTRY in [build] args"
ANY = "has another sign for any version than .*"
OF_FILE = "the file of one package, where only names can be written"
MEANT: dict[str, dict[str, tuple[str, tuple[str, ...]]]] = {
    "pypi": {
        "numpy==1.26.4  # pinned": ("has a comment behind it", ("numpy==1.26.4",)),
        "numpy pandas": ("several packages in one text", ("numpy", "pandas")),
        "numpy=1.26": ("written as for conda", ("numpy==1.26.*",)),
        "numpy=1.26.4": ("written as for conda", ("numpy==1.26.4",)),
        "numpy=1.26.4=py311h64a7726_0": ("written as for conda", ("numpy==1.26.4",)),
        "conda-forge::numpy": ("written as for conda", ("numpy",)),
        "numpy^1.26": ("written as for poetry, uv or npm", ("numpy>=1.26,<2",)),
        "numpy@^0.3.1": ("written as for poetry, uv or npm", ("numpy>=0.3.1,<0.4",)),
        "numpy~1.26": ("written as for poetry, uv or npm", ("numpy>=1.26,<1.27",)),
        "numpy@1.26.4": ("written as for poetry, uv or npm", ("numpy==1.26.4",)),
        "numpy@latest": ("asks for the newest, as a name alone does", ("numpy",)),
        'numpy = "^1.26"': ("an entry of another file", ("numpy>=1.26,<2",)),
        'numpy = "*"': ("an entry of another file", ("numpy",)),
        'numpy = "1.26"': ("an entry of another file", ("numpy==1.26",)),
        "pip install numpy": ("a command", ("numpy",)),
        'pip install -U "numpy>=1" pandas': ("a command", ("numpy>=1", "pandas")),
        "poetry add numpy": ("a command", ("numpy",)),
        "uv add numpy@latest": ("a command", ("numpy",)),
        "conda install -c conda-forge numpy=1.26": ("a command", ("numpy==1.26.*",)),
        "!pip install numpy": ("a command", ("numpy",)),
        "import numpy": ("a statement of a program", ("numpy",)),
        "import numpy as np": ("a statement of a program", ("numpy",)),
        "from sklearn.cluster import KMeans": ("a statement of a program", ("scikit-learn",)),
        "import cv2": ("a statement of a program", ("opencv-python-headless",)),
        "import os, numpy as np, yaml": ("a statement of a program", ("numpy", "PyYAML")),
        '"numpy"': ("has quotes in it", ("numpy",)),
        "numpy,": ("ends with what separates packages in another file", ("numpy",)),
        "numpy==1.26.4 \\": ("ends with what separates packages in another file", ("numpy==1.26.4",)),
        "- numpy=1.26": ("an entry of a YAML file", ("numpy==1.26.*",)),
        "numpy==1\npandas": ("several lines in one text", ("numpy==1", "pandas")),
        "numpy>=1 pandas<2": ("several packages in one text", ("numpy>=1", "pandas<2")),
        "numpy, pandas": ("several packages in one text", ("numpy", "pandas")),
        "“numpy”": ("has quotes in it", ("numpy",)),
        "numpy 1.26": ("has no sign between name and version", ("numpy==1.26",)),
        "numpy>=1.0<2": ("has no comma between its comparisons", ("numpy>=1.0,<2",)),
        "torch --index-url https://a.example/cpu": (OPTION, ("torch",)),
        "numpy==latest": ("asks for the newest, as a name alone does", ("numpy",)),
        "numpy*": ("asks for any version, as a name alone does", ("numpy",)),
        "numpy=>1": ("has its comparison turned around", ("numpy>=1",)),
        "numpy==1.x": (ANY, ("numpy==1.*",)),
        "numpy==1.*.*": (ANY, ("numpy==1.*",)),
        "numpy = 'latest'": ("an entry of another file", ("numpy",)),
        "numpy; python_version = \"3.12\" and os_name == 'posix'": (
            "has one = in its marker, where two are needed",
            ("numpy; python_version == '3.12' and os_name == 'posix'",),
        ),
        "requests:2.31": ("has another sign between name and version", ("requests==2.31",)),
        "requests/2.31": ("has another sign between name and version", ("requests==2.31",)),
        "Pillow ; python_version > 3": (
            "has no quotes around the version of its marker",
            ("Pillow ; python_version > '3'",),
        ),
        "RUN pip install numpy && pip install pandas": ("a command", ("numpy", "pandas")),
        "conda install -n base -c conda-forge numpy=1.26": ("a command", ("numpy==1.26.*",)),
        "uvx ruff check": ("a command", ("ruff",)),
        "poetry add -G dev pytest": ("a command", ("pytest",)),
        "numpy @ file:///croot/numpy_1/build": (
            "names a file of the machine on which the list was made",
            ("numpy",),
        ),
        "dist/a_b-1.0-cp311-cp311-linux_x86_64.whl": (OF_FILE, ("a_b==1.0",)),
        "typing-extensions-4.9.tar.gz": (OF_FILE, ("typing-extensions==4.9",)),
        "https://index.example/project/numpy/1.26.4/": ("the address of a web page", ("numpy",)),
        'numpy = {version = "^1.26", extras = ["x"]}': ("an entry of another file", ("numpy>=1.26,<2",)),
        "name: x\nchannels:\n- forge\ndependencies:\n- python=3.11\n- numpy=1\n- pip:\n  - six": (
            "several lines in one text",
            ("numpy==1.*", "six"),
        ),
        "install numpy": ("a command", ("numpy",)),
        'dependencies = ["numpy>=1", "pandas"]': ("a list in a text", ("numpy>=1", "pandas")),
        "numpy|pandas": ("several packages in one text", ("numpy", "pandas")),
        "numpy;pandas": ("several packages in one text", ("numpy", "pandas")),
        "numpy >= 1.26 and < 2": ("has no comma between its comparisons", ("numpy>=1.26,<2",)),
        "numpy 1.26.*": ("has no sign between name and version", ("numpy==1.26.*",)),
        "numpy: ^1.26": ("an entry of another file", ("numpy>=1.26,<2",)),
        "numpy = 1.26.4": ("an entry of another file", ("numpy==1.26.4",)),
        "numpy~>1.26": ("has its comparison written in another way", ("numpy~=1.26",)),
        "numpy@1.26.x": (ANY, ("numpy==1.26.*",)),
        "numpy>=1.26.*": ("has a * behind a comparison that takes none", ("numpy>=1.26",)),
        "requests[socks": ("has an extra without the closing ]", ("requests[socks]",)),
        "a; sys_platform = 'linux'": (
            "has one = in its marker, where two are needed",
            ("a; sys_platform == 'linux'",),
        ),
        "https://a.example/a_b-1.0.zip": (
            "has no name before the address",
            ("a_b @ https://a.example/a_b-1.0.zip",),
        ),
        "import numpy; import yaml": ("a statement of a program", ("numpy", "PyYAML")),
        "numpy>1.26 <2": ("has no comma between its comparisons", ("numpy>1.26,<2",)),
    },
    "npm": {
        "npm i lodash": ("a command", ("lodash",)),
        "npm install -g lodash@4 zod": ("a command", ("lodash@4", "zod")),
        "yarn add lodash": ("a command", ("lodash",)),
        "npx prettier": ("a command", ("prettier",)),
        "lodash==4.17.21": ("has no @ between name and version", ("lodash@4.17.21",)),
        "lodash=4": ("has no @ between name and version", ("lodash@4",)),
        "lodash>=4": ("has no @ between name and version", ("lodash@>=4",)),
        "lodash^4": ("has no @ between name and version", ("lodash@^4",)),
        "@scope/pkg^1.2": ("has no @ between name and version", ("@scope/pkg@^1.2",)),
        '"lodash": "^4.17.21"': ("an entry of another file", ("lodash@^4.17.21",)),
        '"lodash": "^4.17.21",': ("an entry of another file", ("lodash@^4.17.21",)),
        '"@types/node": "*"': ("an entry of another file", ("@types/node@*",)),
        '{"dependencies": {"lodash": "^4"}}': ("entries of package.json or deno.json", ("lodash@^4",)),
        '"dependencies": {\n  "lodash": "^4",\n "zod": "3"\n}': (
            "several lines in one text",
            ("lodash@^4", "zod@3"),
        ),
        "npm:lodash@4": ("written as for deno", ("lodash@4",)),
        'const x = require("lodash")': ("a statement of a program", ("lodash",)),
        'import _ from "lodash"': ("a statement of a program", ("lodash",)),
        'import {a} from "@scope/a/b"': ("a statement of a program", ("@scope/a",)),
        "lodash zod": ("several packages in one text", ("lodash", "zod")),
        "lodash, zod": ("several packages in one text", ("lodash", "zod")),
        "lodash // x": ("has a comment behind it", ("lodash",)),
        "lodash # x": ("has a comment behind it", ("lodash",)),
        "lodash --save-dev": (OPTION, ("lodash",)),
        "lodash@'^4'": ("has quotes in it", ("lodash@^4",)),
        "lodash: ^4": ("an entry of a YAML file", ("lodash@^4",)),
        "lodash=>4": ("has its comparison turned around", ("lodash@>=4",)),
        "bun add lodash": ("a command", ("lodash",)),
        "lodash @4": ("has blanks in it", ("lodash@4",)),
        "lodash:4": ("an entry of a YAML file", ("lodash@4",)),
        "lodash@": ("ends with what separates packages in another file", ("lodash",)),
        "./node_modules/@a/b/c.js": ("a folder that npm makes", ("@a/b",)),
        "react | react-dom": ("several packages in one text", ("react", "react-dom")),
        "npx create-x my-app": ("a command", ("create-x",)),
        "lodash-4.17.21.tgz": (OF_FILE, ("lodash@4.17.21",)),
        "https://registry.example/package/@types/node/v/1": ("the address of a web page", ("@types/node",)),
        "@scope/a/b.js": ("a file inside of a package, which is installed whole", ("@scope/a",)),
        "lodash@^4 zod": ("several packages in one text", ("lodash@^4", "zod")),
    },
    "deno": {
        "lodash": ("has no npm: or jsr: before the name", ("npm:lodash",)),
        "zod@3": ("has no npm: or jsr: before the name", ("npm:zod@3",)),
        "@std/path": ("has no npm: or jsr: before the name", ("jsr:@std/path",)),
        "@types/node": ("has no npm: or jsr: before the name", ("npm:@types/node",)),
        '"zod": "npm:zod@3"': ("an entry of another file", ("npm:zod@3",)),
        '"zod": "^3"': ("an entry of another file", ("npm:zod@^3",)),
        'import { z } from "npm:zod"': ("a statement of a program", ("npm:zod",)),
        'import x from "https://a.example/x.ts"': ("a statement of a program", ("https://a.example/x.ts",)),
        "deno add npm:zod": ("a command", ("npm:zod",)),
        "npm install zod": ("a command", ("npm:zod",)),
        "npm:zod npm:lodash": ("several packages in one text", ("npm:zod", "npm:lodash")),
        "esm.sh/lodash": ("has no https:// before the address", ("https://esm.sh/lodash",)),
        "jsr:std/path": ("has no jsr:@ before the scope", ("jsr:@std/path",)),
        "jsr:@std/path@latest": ("asks for the newest, as a name alone does", ("jsr:@std/path",)),
        "std/path": ("has no jsr:@ before the scope", ("jsr:@std/path",)),
    },
    "apk": {
        "apk add jq": ("a command", ("jq",)),
        "apt-get install -y jq": ("a command", ("jq",)),
        "apt install jq curl": ("a command", ("jq", "curl")),
        "jq curl": ("several packages in one text", ("jq", "curl")),
        "jq # x": ("has a comment behind it", ("jq",)),
        "jq,": ("ends with what separates packages in another file", ("jq",)),
        '"jq"': ("has quotes in it", ("jq",)),
        "RUN apk add --no-cache jq": ("a command", ("jq",)),
        "jq=1.7.*": ("written with a * in its version", ("jq~1.7",)),
        "jq=*": ("asks for any version, as a name alone does", ("jq",)),
        "brew install jq": ("a command", ("jq",)),
        "apk update && apk add --no-cache jq curl && rm -rf /x": ("a command", ("jq", "curl")),
        "apk --no-cache add --virtual .deps gcc": ("a command", ("gcc",)),
        "pacman -Syu jq": ("a command", ("jq",)),
        "jq >= 1.7": ("has blanks in it", ("jq>=1.7",)),
        "jq^1.7": ("has its comparison written in another way", ("jq~1.7",)),
        "jq=latest": ("asks for the newest, as a name alone does", ("jq",)),
        "jq 1.7.1-r0": ("has no sign between name and version", ("jq=1.7.1-r0",)),
        "jq-1.7.1-r0 x86_64 {jq} (MIT) [installed]": ("has its version behind a -", ("jq=1.7.1-r0",)),
        "ii  jq:amd64  1.6-2.1 amd64 a tool": ("a line of a list of installed packages", ("jq",)),
        "jq/stable 1.6-2.1 amd64": ("a line of a list of installed packages", ("jq",)),
        "jq && curl": ("several packages in one text", ("jq", "curl")),
        "jq-1.7.1-r0": ("has its version behind a -", ("jq=1.7.1-r0",)),
        "jq-1.7.1-r0.apk": ("has its version behind a -", ("jq=1.7.1-r0",)),
        "jq=1.7.1-r0 curl": ("several packages in one text", ("jq=1.7.1-r0", "curl")),
        "jq-1.7.1-r0 curl-8.1-r2": ("several packages in one text", ("jq=1.7.1-r0", "curl=8.1-r2")),
        "jq-1.7.1-r0 - A tool": ("has its version behind a -", ("jq=1.7.1-r0",)),
        "jq:amd64": ("has Debian's suffix for an architecture", ("jq",)),
        "jq=1:1.6-2.1+deb12u1": ("written as Debian writes versions", ("jq~1.6",)),
        "jq 1.7": ("has no sign between name and version", ("jq~1.7",)),
        "https://packages.example/package/edge/main/x86_64/jq": ("the address of a web page", ("jq",)),
    },
}


@pytest.mark.parametrize(
    ("ecosystem", "text"), [(ecosystem, text) for ecosystem, texts in MEANT.items() for text in texts]
)
def test_what_was_meant_can_be_written(ecosystem: str, text: str) -> None:
    """The message says what it is; what it says to write is accepted."""
    what, words = MEANT[ecosystem][text]
    with pytest.raises(SpecError) as caught:
        parse_spec(ecosystem, text)
    assert caught.value.words == words
    assert caught.value.what.endswith(f": {what}")
    assert str(caught.value).endswith(f"; write {', '.join(f'{chr(34)}{word}{chr(34)}' for word in words)}")
    for word in words:
        assert parse_spec(ecosystem, word).text == word


OTHERWISE = [
    ("pypi", "requirements.txt", '= "requirements.txt" under [dependencies], or --python @requirements.txt'),
    ("pypi", "./r/dev.txt", 'write python_file = "./r/dev.txt" under [dependencies], or --python @./r/dev.txt'),
    ("pypi", "requirements.lock", 'write python_file = "requirements.lock" under [dependencies], or --python @req'),
    ("pypi", "-r requirements.txt", 'write python_file = "requirements.txt" under [dependencies], or --python @'),
    ("pypi", "pip install -r requirements.txt", 'write python_file = "requirements.txt" under [dependencies]'),
    ("pypi", "@requirements.txt", 'python_file = "requirements.txt" under [dependencies]'),
    ("pypi", "numpy==1\n-r other.txt", 'or the lines into a file, and python_file = "requirements.txt"'),
    ("pypi", "numpy==1 --hash=sha256:abc", "has hashes, which only a requirements file can have"),
    ("pypi", "pyproject.toml", "a file that is not read; write requirements.txt with"),
    ("pypi", "Pipfile", "a file that is not read"),
    ("npm", "package.json", 'write node_file (for bun, bun_file) = "package.json" under [dependencies], or --node @'),
    ("npm", "package-lock.json", 'a file that is not read; write node_file (for bun, bun_file) = "package.json"'),
    ("npm", "jsr:@std/path", "a package of JSR, which only deno can install"),
    ("npm", "node:fs", "comes with the runtime; there is nothing to install"),
    ("npm", "import numpy", "npm and bun accept name"),
    ("pypi", "apk add py3-numpy", "a command for packages of a Linux distribution; write"),
    ("pypi", "sudo apt-get install python3-numpy", "write Alpine's name of each under [system]"),
    ("pypi", "import os, sys", "imports what comes with Python; there is nothing to install"),
    ("pypi", "from os.path import join", "imports what comes with Python"),
    ("pypi", 'python = "^3.11"', "says which Python is needed, and the image has one of its own; remove it"),
    ("pypi", 'requires-python = ">=3.9"', "says which Python is needed"),
    ("pypi", "npm:lodash", "a package of npm or JSR; write it under node, bun or deno"),
    ("pypi", "git+https://git.example/x", "a git repository; only packages of an index can be installed"),
    ("pypi", "x @ git+https://git.example/x", "a git repository; only packages of an index can be installed"),
    ("pypi", "https://github.com/psf/requests", "a git repository; only packages of an index can be installed"),
    ("pypi", "python>=3.12", "says which Python is needed, and the image has one of its own; remove it"),
    ("pypi", "Python", "says which Python is needed"),
    ("pypi", "npm install lodash", "a command for packages of npm; write them under node or bun"),
    ("pypi", "apt-get update && apt-get install -y jq", "a command for packages of a Linux distribution"),
    ("apk", "RUN pip install numpy", "a command for packages of PyPI; write them under python"),
    ("apk", "cargo install ripgrep", "a command for packages that nothing here installs; remove it"),
    ("npm", "lodash/fp", "a file inside of a package, or a repository of GitHub; write the name of the package alone"),
    ("deno", "fs/promises", "a module that comes with the runtime; there is nothing to install"),
    ("pypi", "@scope/pkg", "a package of npm or JSR; write it under node, bun or deno"),
    ("pypi", "pip install .", "a file or folder; only packages"),
    ("pypi", "poetry install", "a command that installs no package by its name; write the packages"),
    ("pypi", "--index-url https://a.example/simple", "write args = { PIP_INDEX_URL = "),
    ("npm", "npm run build", "a command that installs no package by its name; write the packages"),
    ("npm", '"node": ">=18"', "no package, but something else that a package.json says; remove it"),
    ("npm", "require('fs')", "comes with the runtime; there is nothing to install"),
    ("npm", "git@git.example:x/y.git", "a git repository or an address; only packages of a registry can be"),
    ("deno", "./mod.ts", "a file or folder; only packages of a package source"),
    ("apk", "apk update", "a command that installs no package by its name; write the packages"),
    ("apk", "https://a.example/jq.apk", "a file or folder; only packages of a package source"),
    ("pypi", "${PKG}", "a variable, and nothing is filled in here"),
    ("npm", "lodash@workspace:*", "names a place in a workspace; write the version that is wanted"),
    ("npm", "react@catalog:", "names a place in a workspace"),
    ("deno", "deno.json", "none is read for this runtime"),
    ("apk", "requirements.txt", "none is read for this runtime"),
    ("pypi", "-e .", "a file or folder; only packages of a package source can be installed"),
    ("pypi", "Successfully installed numpy-1.26.4 six-1.16", "not a requirement "),
    ("pypi", "numpy = 'v1.26'", "not a requirement "),
    ("pypi", "- " * 2000 + "numpy", "4005 characters; at most 512 are allowed"),
    ("pypi", "numpy:1.*.*1", "not a requirement "),
    ("pypi", "--pre", "an option, not a package; pip accepts name"),
    ("pypi", "numpy https://user:secret@x.example/", "contains a user name, password or token"),
]  # fmt: skip


@pytest.mark.parametrize(("ecosystem", "text", "said"), OTHERWISE)
def test_the_rest_says_what_to_do(ecosystem: str, text: str, said: str) -> None:
    """Files, modules of the runtime and what is not known."""
    with pytest.raises(SpecError) as caught:
        parse_spec(ecosystem, text)
    assert said in str(caught.value)
    assert not caught.value.words
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("ecosystem", "text"),
    [
        ("pypi", "web.py"),
        ("pypi", "numpy (>=1.26)"),
        ("npm", "highlight.js"),
        ("apk", "jq:1.7"),
        ("apk", "webkit2gtk-4.1"),
        ("apk", "py3.12:requests"),
        ("apk", "cmd:all"),
        ("pypi", "python-dateutil"),
        ("npm", "fs"),
    ],
)
def test_packages_that_look_like_files_stay(ecosystem: str, text: str) -> None:
    """Some have names with dots."""
    assert parse_spec(ecosystem, text).text == text
