"""A file to which several processes add lines."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from isol8_tasks.errors import Isol8Error
from isol8_tasks.safety.appended import append, read_end, rewrite

ROOT = Path(__file__).parents[3]
ADD = """
import sys
from pathlib import Path
from isol8_tasks.safety.appended import append, rewrite
path, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
for number in range(count):
    append(path, f"{name} {number} {'x' * 5000}\\n")
    if number % 10 == 0:
        rewrite(path, lambda text: "".join(sorted(text.splitlines(keepends=True))))
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give the place of a file that is not there yet."""
    return tmp_path / "lines"


class TestAppend:
    """Lines at the end."""

    def test_file_is_made_and_grows(self, file: Path) -> None:
        """Each time in one write."""
        append(file, "one\n")
        append(file, "two\nthree\n")
        assert file.read_text() == "one\ntwo\nthree\n"

    def test_torn_line_stays_a_line_of_its_own(self, file: Path) -> None:
        """As a write that was cut off leaves it."""
        file.write_text("one\ntw")
        append(file, "three\n")
        assert file.read_text() == "one\ntw\nthree\n"

    def test_processes_side_by_side_lose_nothing(self, file: Path) -> None:
        """Even while one of them replaces the file."""
        command = (sys.executable, "-c", ADD, str(file))
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        running = [subprocess.Popen((*command, name, "60"), env=environ) for name in "abc"]
        assert [each.wait(60) for each in running] == [0, 0, 0]
        lines = file.read_text().splitlines()
        assert len(lines) == 180
        assert {len(line.split()) for line in lines} == {3}
        assert len(set(lines)) == 180

    def test_half_a_write_is_an_error_and_no_other_line_suffers(self, file: Path) -> None:
        """As on a full disk."""
        program = f"""
import resource
from pathlib import Path
from isol8_tasks.safety.appended import append
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    append(Path({str(file)!r}), "x" * 5000 + chr(10))
except OSError as error:
    print(error.strerror)
"""
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            (sys.executable, "-c", program), env=environ, capture_output=True, text=True, check=True
        )
        assert done.stdout == "No space left on device\n"
        append(file, "two\n")
        assert file.read_text() == f"{'x' * 4096}\ntwo\n"

    @pytest.mark.parametrize("kind", ["folder", "pipe", "gone"])
    def test_what_is_no_file_is_an_error(self, file: Path, kind: str) -> None:
        """A pipe is not waited for; a folder that is missing is not made."""
        if kind == "folder":
            file.mkdir()
        elif kind == "pipe":
            os.mkfifo(file)
        with pytest.raises((OSError, Isol8Error)):
            append(file / "x" if kind == "gone" else file, "one\n")

    def test_own_link_is_followed(self, file: Path, tmp_path: Path) -> None:
        """And stays one when the file is replaced."""
        (tmp_path / "there").write_text("one\n")
        file.symlink_to("there")
        append(file, "two\n")
        assert rewrite(file, str.upper)
        assert file.is_symlink()
        assert (tmp_path / "there").read_text() == "ONE\nTWO\n"


class TestRewrite:
    """The whole file."""

    def test_it_is_left_while_another_process_adds(self, file: Path) -> None:
        """Whose lines would be lost."""
        append(file, "one\n")
        with file.open() as other:
            fcntl.flock(other, fcntl.LOCK_SH)
            assert not rewrite(file, str.upper)
        assert file.read_text() == "one\n"


class TestReadEnd:
    """The text."""

    def test_absent_file_is_empty(self, file: Path) -> None:
        """As before the first line."""
        assert not read_end(file)

    def test_bytes_that_are_no_text_do_not_matter(self, file: Path) -> None:
        """The other lines can still be read."""
        file.write_bytes(b"\xff\xfe\nline\n")
        assert read_end(file).splitlines()[1] == "line"

    def test_what_is_no_file_is_an_error(self, file: Path) -> None:
        """A pipe is not waited for."""
        os.mkfifo(file)
        with pytest.raises(Isol8Error, match="not a regular file"):
            read_end(file)
