"""The build context, packed."""

import io
import tarfile

from isol8_tasks.engine import BuildRequest, FileContent
from isol8_tasks.engine.builders.archive import Archive, pack


def request(context: dict[str, bytes], dockerfile: str = "FROM a\n") -> BuildRequest:
    """Return a build with some files."""
    files = {path: FileContent(data=data, executable=path.endswith(".sh")) for path, data in context.items()}
    return BuildRequest(tag="a:b", dockerfile=dockerfile, context=files)


def members(archive: Archive) -> dict[str, bytes]:
    """Return what is in an archive."""
    with tarfile.open(fileobj=io.BytesIO(archive.data)) as tar:
        return {each.name: tar.extractfile(each).read() for each in tar}  # type: ignore[union-attr]  # files only


class TestPack:
    """Packing a context."""

    def test_nothing_of_this_machine_is_in_it(self) -> None:
        """Order, owner, time and mode are the same wherever it is packed."""
        one = pack(request({"b.sh": b"1", "a": b"2"}), "FROM a\n")
        assert one == pack(request({"a": b"2", "b.sh": b"1"}), "FROM a\n")
        with tarfile.open(fileobj=io.BytesIO(one.data)) as tar:
            found = [(each.name, each.mode, each.mtime, each.uid, each.gid, each.uname) for each in tar]
        assert found == [
            (".isol8.Dockerfile", 0o644, 0, 0, 0, ""),
            ("a", 0o644, 0, 0, 0, ""),
            ("b.sh", 0o755, 0, 0, 0, ""),
        ]

    def test_the_context_s_own_dockerfile_keeps_its_name(self) -> None:
        """What is built is what lies there: nothing is added that `COPY . .` would see."""
        archive = pack(request({"Dockerfile": b"FROM a\n"}), "FROM a\n")
        assert archive.dockerfile == "Dockerfile"
        assert members(archive) == {"Dockerfile": b"FROM a\n"}

    def test_another_dockerfile_clashes_with_nothing(self) -> None:
        """A Dockerfile that was cut lies beside the whole one."""
        archive = pack(request({"Dockerfile": b"FROM a\nRUN b\n"}), "FROM a\n")
        assert archive.dockerfile == ".isol8.Dockerfile"
        assert members(archive) == {"Dockerfile": b"FROM a\nRUN b\n", ".isol8.Dockerfile": b"FROM a\n"}

    def test_what_could_not_be_read_is_left_out(self) -> None:
        """A file without content is not sent as an empty one."""
        files = {"a": FileContent(data=b"1"), "b": FileContent(data=b"", problem="no")}
        archive = pack(BuildRequest(tag="a:b", dockerfile="FROM a\n", context=files), "FROM a\n")
        assert members(archive) == {".isol8.Dockerfile": b"FROM a\n", "a": b"1"}

    def test_ignored_files_are_left_out(self) -> None:
        """The ignore file counts as it does for `docker build`; one for the Dockerfile comes first."""
        files = {".dockerignore": b"*.txt\n!keep.txt\n", "a.txt": b"", "keep.txt": b"", "b": b""}
        assert sorted(members(pack(request(files), "FROM a\n"))) == [
            ".dockerignore",
            ".isol8.Dockerfile",
            "b",
            "keep.txt",
        ]
        files["Dockerfile.dockerignore"] = b"*\n"
        assert sorted(members(pack(request(files), "FROM a\n"))) == [".isol8.Dockerfile"]

    def test_an_ignored_dockerfile_keeps_its_name(self) -> None:
        """It has to be sent, and a plan that counts it for `COPY . .` is right."""
        files = {".dockerignore": b"*\n", "Dockerfile": b"FROM a\n", "b": b""}
        archive = pack(request(files), "FROM a\n")
        assert archive.dockerfile == "Dockerfile"
        assert members(archive) == {"Dockerfile": b"FROM a\n"}

    def test_the_classic_builder_is_told_to_hide_what_was_added(self) -> None:
        """It takes away what its ignore file names, before the first COPY."""
        hidden = members(pack(request({"a": b""}), "FROM a\n", hide=True))
        assert hidden[".dockerignore"] == b".dockerignore\n.isol8.Dockerfile\n"
        kept = members(pack(request({".dockerignore": b"x"}), "FROM a\n", hide=True))
        assert kept[".dockerignore"] == b"x\n.isol8.Dockerfile\n"
        assert ".dockerignore" not in members(
            pack(request({"Dockerfile": b"FROM a\n"}), "FROM a\n", hide=True)
        )
