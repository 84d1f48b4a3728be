"""Packages that need more when they are used."""

from isol8_tasks.ecosystems.findings import PackageNeeds, Seen
from isol8_tasks.ecosystems.needs import needs, of_runtime

SPECS, NAMES = ("tiktoken>=0.5", "pydub", "numpy"), ("tiktoken", "pydub", "numpy")


def test_data_and_programs() -> None:
    """They are named; packages that need nothing are not."""
    assert list(needs("pypi", SPECS, NAMES, Seen())) == [
        PackageNeeds(
            package="tiktoken>=0.5",
            need="downloads its encodings when it is used, unless they are in the image",
        ),
        PackageNeeds(package="pydub", need="runs the program ffmpeg, which is not in the image"),
    ]


def test_a_program_that_is_there() -> None:
    """Alpine's packages tell, by the files that they brought."""
    found = Seen(apk="P:ffmpeg\nF:usr/bin\nR:ffmpeg\na:0:0:755\n")
    assert [each.package for each in needs("pypi", SPECS, NAMES, found)] == ["tiktoken>=0.5"]
    other = Seen(apk="P:ffmpeg-libs\nR:libffmpeg.so\nR:ffmpeg-x\n")
    assert len(list(needs("pypi", SPECS, NAMES, other))) == 2


def test_modules_that_come_with_the_runtime() -> None:
    """A package of npm's with such a name is never loaded."""
    names = ("fs", "lodash", "@types/fs")
    (found,) = of_runtime(names, names)
    assert found == PackageNeeds(
        package="fs",
        need="is not what import fs loads, as Node.js and Bun have a module of that name; remove it",
    )


def test_playwright_has_to_be_told_of_node() -> None:
    """One in the image is not found by itself."""
    of_alpine = Seen(apk="P:nodejs\nR:node\n")
    said = [each.need for each in needs("pypi", ["playwright"], ["playwright"], of_alpine)]
    assert [each for each in said if "PLAYWRIGHT_NODEJS_PATH=/usr/bin/node" in each]
