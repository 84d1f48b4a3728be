"""Packages that need more when they are used."""

from isol8_tasks.ecosystems.findings import PackageNeeds, Seen
from isol8_tasks.ecosystems.needs import needs

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
