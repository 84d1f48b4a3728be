"""What the dynamic loader says, and what follows from it."""

import pytest

from isol8_tasks.ecosystems.findings import Asked, PackageUnusable, PartUnusable, Seen
from isol8_tasks.ecosystems.loading import judge_asked, library_in, read_asked

LACKS = "Error loading shared library libfoo.so.1: No such file or directory (needed by /x)"
MODULES = "/usr/local/lib/node_modules"


@pytest.mark.parametrize(
    ("text", "library"),
    [
        (LACKS, "libfoo.so.1"),
        ("Error loading shared library cairo-2: No such file", "libcairo.so.2"),
        ("libGL.so.1: cannot open shared object file: No such file or directory", "libGL.so.1"),
        ('OSError: no library called "cairo-2" was found', "libcairo.so.2"),
        ("cannot load library 'libgobject-2.0-0': Error", "libgobject-2.0.so.0"),
        ("ImportError: failed to find libmagic.  Check your installation", "libmagic.so"),
        ("OSError: sndfile library not found using ctypes.util.find_library", "libsndfile.so"),
        ("ImportError: Unable to find zbar shared library", "libzbar.so"),
        ("MagickWand shared library not found.", "libMagickWand.so"),
        ("OSError: PortAudio library not found", "libPortAudio.so"),
        ("- libpq library not found", "libpq.so"),
        ("You need to find the shared library", ""),
        ("No module named 'library'", ""),
        ("Error relocating /x: gnu_get_libc_version: symbol not found", ""),
        ("", ""),
    ],
)
def test_the_library_that_is_missing(text: str, library: str) -> None:
    """Its name is read out of the words of loaders, ctypes and packages."""
    assert library_in(text) == library


class TestRead:
    """The answer of the script."""

    def test_whole(self) -> None:
        """Each file with its interpreter and the loader's complaints, but for what the host program brings."""
        text = (
            f"file\t0\tprogram\t/usr/bin/a b\ninterpreter /lib64/ld-linux-x86-64.so.2\n"
            f"file\t1\tlibrary\t/x.node\n{LACKS}\n"
            "Error relocating /x.node: napi_wrap: symbol not found\n"
            "Error relocating /x.so: _Py_Dealloc: symbol not found\n"
            "Error relocating /x.node: napi: symbol not found\n"
            "file\t1\tprogram\t/y\ndone"
        )
        assert read_asked(text) == (
            Asked(item=0, kind="program", path="/usr/bin/a b", interpreter="/lib64/ld-linux-x86-64.so.2"),
            Asked(
                item=1,
                kind="library",
                path="/x.node",
                said=(LACKS, "Error relocating /x.node: napi: symbol not found"),
            ),
            Asked(item=1, kind="program", path="/y"),
        )

    @pytest.mark.parametrize("text", ["", "file\t0\tprogram\t/a\n", "bash: not found"])
    def test_no_end(self, text: str) -> None:
        """A script that ended before it was done has told nothing."""
        assert read_asked(text) is None


def _judge(*asked: Asked) -> list[object]:
    return list(judge_asked(("one", "two>1"), ("one", "two"), Seen(asked=asked)))


def _asked(path: str, *said: str, interpreter: str = "", item: int = 0, library: bool = False) -> Asked:
    return Asked(
        item=item, kind="library" if library else "program", path=path, interpreter=interpreter, said=said
    )


class TestJudge:
    """Whose part what is."""

    def test_fine(self) -> None:
        """Where nobody complains there is nothing to tell."""
        assert _judge(_asked("/bin/one"), _asked("/x.so", library=True)) == []

    def test_interpreter(self) -> None:
        """A command whose interpreter is missing can't be started, whatever its bits say."""
        assert _judge(_asked("/bin/two", interpreter="node", item=1)) == [
            PackageUnusable(package="two>1", use="its command /bin/two", output="there is no node")
        ]

    def test_library(self) -> None:
        """The library is named as a value."""
        assert _judge(_asked("/bin/x", LACKS)) == [
            PackageUnusable(package="one", use="its command /bin/x", output=LACKS, library="libfoo.so.1")
        ]

    def test_some(self) -> None:
        """Of several commands one may need what not everybody has, unless it is the package's namesake."""
        fine, bad = _asked("/bin/helper"), _asked("/bin/extra", interpreter="perl")
        assert _judge(fine, bad) == [
            PartUnusable(package="one", use="its command /bin/extra", output="there is no perl")
        ]
        own = _asked("/bin/one.cjs", interpreter="perl")
        assert _judge(fine, bad, own) == [
            PackageUnusable(package="one", use="its command /bin/one.cjs", output="there is no perl")
        ]

    def test_for_other_shells_and_systems(self) -> None:
        """What is meant for these is judged where a package has nothing else."""
        other = [
            _asked(f"/bin/one.{kind}", "is for another") for kind in ("bat", "exe", "ps1", "fish", "csh")
        ]
        assert _judge(_asked("/bin/helper"), *other) == []
        assert [type(each) for each in _judge(*other)] == [PackageUnusable]

    def test_builds_for_glibc(self) -> None:
        """One beside a build for musl is no news; alone it is what the package lacks."""
        fits = _asked(f"{MODULES}/one/linuxmusl-x64.node", library=True)
        lacks = "Error loading shared library ld-linux-x86-64.so.2: No such file or directory (needed by /x)"
        other = _asked(f"{MODULES}/one/linux-x64.node", lacks, library=True)
        assert _judge(fits, other) == []
        assert [type(each) for each in _judge(other)] == [PackageUnusable]

    def test_libraries_beside_one_another(self) -> None:
        """Those of a wheel's own folder find each other through the extension module, unless one is not there."""
        lacks = "Error loading shared library libgcc_s-0c.so.1: No such file or directory (needed by /s/one.libs/b)"
        lost = "Error relocating /s/one.libs/libstdc++-5d.so.6: _Unwind_Resume: symbol not found"
        needy = _asked("/s/one.libs/libstdc++-5d.so.6", lacks, lost, library=True)
        there = _asked("/s/one.libs/libgcc_s-0c.so.1", library=True)
        assert _judge(needy, there) == []
        elsewhere = _asked("/s/other/libgcc_s-0c.so.1", library=True)
        for others in ((), (elsewhere,)):
            (found,) = _judge(needy, *others)
            assert isinstance(found, PackageUnusable | PartUnusable)
            assert found.library == "libgcc_s-0c.so.1"
        plain = _asked("/s/one/b.so", lacks, library=True)
        (found,) = _judge(plain, _asked("/s/one/libgcc_s-0c.so.1", library=True))
        assert isinstance(found, PartUnusable)
        (found,) = _judge(_asked("/s/one.libs/c.so", lost, library=True), there)
        assert isinstance(found, PartUnusable)

    def test_builds_for_several_systems(self) -> None:
        """One package of npm brings them side by side, or each in a package of its own, by whose name it is told."""
        gnu = _asked(f"{MODULES}/one-linux-x64-gnu/x.node", LACKS, library=True)
        fits = _asked(f"{MODULES}/one/prebuilds/musl.node", library=True)
        other = _asked(f"{MODULES}/one/prebuilds/other.node", LACKS, library=True)
        assert _judge(gnu, fits) == []
        assert [type(each) for each in _judge(fits, other)] == [PartUnusable]
        assert [type(each) for each in _judge(other)] == [PackageUnusable]
