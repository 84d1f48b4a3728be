"""The workspace: what is read from disk, what is written there."""

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from isol8_tasks.config.deps import Config
from isol8_tasks.engine import FileContent
from isol8_tasks.errors import ConfigError, Isol8Error, PlanError
from isol8_tasks.run.context import Digests
from isol8_tasks.run.workspace import Workspace

AnotherUser = Callable[[], contextlib.AbstractContextManager[None]]
NOBODY = 65534


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Return a checkout with a Dockerfile and nothing else."""
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "Dockerfile").write_text("FROM scratch\n")
    return Workspace.here(tmp_path, {})


@pytest.fixture
def another_user(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> AnotherUser:
    """Give what lets another user than root look at the checkout, from within."""
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    workspace.root.chmod(0o755)
    # The folders above let nobody else in.
    monkeypatch.chdir(workspace.root)

    @contextlib.contextmanager
    def become() -> Iterator[None]:
        os.seteuid(NOBODY)
        try:
            yield
        finally:
            os.seteuid(0)

    return become


class TestConfig:
    """deps.toml, wherever it lies."""

    def test_no_file_asks_for_nothing(self, workspace: Workspace) -> None:
        """A checkout without deps.toml has the defaults."""
        assert workspace.read_config() == Config()

    def test_another_file_is_read_instead(self, tmp_path: Path) -> None:
        """ISOL8_DEPS names the file, and the manifest stands beside it."""
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "deps.toml").write_text('[dependencies]\npython = ["numpy"]\n')
        workspace = Workspace.here(tmp_path, {"ISOL8_DEPS": "other/deps.toml"})
        assert workspace.read_config().dependencies["python"] == ("numpy",)
        assert workspace.manifest == tmp_path / "other" / "resolved-images.json"

    def test_another_file_that_is_not_there_is_an_error(self, tmp_path: Path) -> None:
        """A wrong ISOL8_DEPS is not taken for an empty file."""
        with pytest.raises(ConfigError) as caught:
            Workspace.here(tmp_path, {"ISOL8_DEPS": "no.toml"}).read_config()
        assert str(caught.value) == "no.toml: not found, though ISOL8_DEPS names it; correct or unset it"

    def test_a_name_that_is_empty_is_none(self, tmp_path: Path) -> None:
        """As scripts leave it that pass on what is not set."""
        assert Workspace.here(tmp_path, {"ISOL8_DEPS": ""}).deps == tmp_path / "deps.toml"

    def test_a_file_that_is_no_text_is_an_error(self, workspace: Workspace) -> None:
        """Bytes that are not UTF-8 are told of in a line."""
        workspace.deps.write_bytes(b"# a\n\xe9")
        with pytest.raises(ConfigError) as caught:
            workspace.read_config()
        assert str(caught.value) == "deps.toml: can't be read (line 2 is not UTF-8); save it as UTF-8"

    def test_one_user_may_not_read_it(self, workspace: Workspace, another_user: AnotherUser) -> None:
        """It is not taken for absent, and the line says who needs which right."""
        workspace.deps.touch(mode=0o600)
        lock = workspace.deps.with_name("deps.lock.toml")
        lock.touch(mode=0o600)
        with another_user(), pytest.raises(ConfigError) as caught:
            Workspace.here(Path(), {}).read_config()
        denied = "can't be read (Permission denied); user nobody needs the right to read it"
        assert str(caught.value) == f"deps.toml: {denied}"
        with another_user(), pytest.raises(ConfigError) as caught:
            Workspace.here(Path(), {}).read_lock()
        assert str(caught.value) == f"deps.lock.toml: {denied}"

    @pytest.mark.parametrize("name", ["deps.toml", "isol8.config.json"])
    @pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
    def test_what_is_no_regular_file_is_not_opened(self, workspace: Workspace, name: str, kind: str) -> None:
        """A pipe that nobody writes to would be waited for without end."""
        path = workspace.root / name
        match kind:
            case "pipe":
                os.mkfifo(path)
            case "folder":
                path.mkdir()
            case _:
                path.symlink_to("/dev/zero")
        with pytest.raises(ConfigError) as caught:
            workspace.read_config()
        assert str(caught.value) == f"{name}: can't be read (not a regular file); expected a UTF-8 text file"
        assert caught.value.exit_code == 3


def test_link_that_leads_nowhere_is_no_missing_file(tmp_path: Path) -> None:
    """Whoever made it wants what it should lead to to be read."""
    (tmp_path / "deps.toml").symlink_to("shared/deps.toml")
    with pytest.raises(ConfigError) as caught:
        Workspace.here(tmp_path, {}).read_config()
    assert str(caught.value) == (
        "deps.toml: a link to shared/deps.toml, which does not exist; correct it, or remove the link"
    )


class TestClientFile:
    """isol8's own file, where isol8 looks for it."""

    @pytest.fixture
    def home(self, tmp_path: Path) -> Path:
        """Give a home folder whose file asks for lodash."""
        (tmp_path / "home" / ".isol8").mkdir(parents=True)
        (tmp_path / "home" / ".isol8" / "config.json").write_text('{"dependencies": {"node": ["lodash"]}}')
        return tmp_path / "home"

    def node(self, root: Path, **environ: str) -> tuple[str, ...]:
        return Workspace.here(root, environ).read_config().dependencies["node"]

    def test_the_projects_file_hides_that_of_the_home_folder(self, tmp_path: Path, home: Path) -> None:
        """The first that is there counts, whatever it asks for."""
        assert self.node(tmp_path, HOME=str(home)) == ("lodash",)
        assert self.node(tmp_path) == ()
        (tmp_path / "isol8.config.json").write_text("{}")
        assert self.node(tmp_path, HOME=str(home)) == ()

    def test_it_lies_beside_deps_toml(self, tmp_path: Path) -> None:
        """ISOL8_DEPS moves both."""
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "deps.toml").write_text("")
        (tmp_path / "other" / "isol8.config.json").write_text('{"dependencies": {"node": ["zod"]}}')
        assert self.node(tmp_path, ISOL8_DEPS="other/deps.toml") == ("zod",)
        config = Workspace.here(tmp_path, {"ISOL8_DEPS": "other/deps.toml"}).read_config()
        assert config.declaration("node-custom") == "other/isol8.config.json:1"

    def test_the_environment_names_another_or_none(self, tmp_path: Path, home: Path) -> None:
        """ISOL8_CONFIG is the file to read; empty, none is read."""
        (tmp_path / "other.json").write_text('{"dependencies": {"node": ["zod"]}}')
        assert self.node(tmp_path, HOME=str(home), ISOL8_CONFIG="other.json") == ("zod",)
        assert self.node(tmp_path, HOME=str(home), ISOL8_CONFIG="") == ()
        with pytest.raises(
            ConfigError, match=r"^no\.json: not found, though ISOL8_CONFIG names it; correct or unset it$"
        ):
            self.node(tmp_path, ISOL8_CONFIG="no.json")

    def test_what_cannot_be_read(self, tmp_path: Path, home: Path) -> None:
        """A file that is there and no text is told of; a home that is none is not."""
        (home / ".isol8" / "config.json").write_bytes(b"\xff")
        with pytest.raises(ConfigError) as caught:
            self.node(tmp_path, HOME=str(home))
        assert (
            str(caught.value) == "~/.isol8/config.json: can't be read (line 1 is not UTF-8); save it as UTF-8"
        )
        assert self.node(tmp_path, HOME="/dev/null") == ()


class TestContext:
    """The files below docker/."""

    def test_files_come_with_content_and_executable_bit(self, workspace: Workspace) -> None:
        """Content and the executable bit are read, folders walked, and nothing else counts."""
        folder = workspace.root / "docker" / "a"
        folder.mkdir()
        (folder / "run").write_text("x")
        (folder / "run").chmod(0o755)
        assert workspace.read_context() == {
            "Dockerfile": FileContent(data=b"FROM scratch\n"),
            "a/run": FileContent(data=b"x", executable=True),
        }

    def test_what_cannot_be_read_has_its_problem(self, workspace: Workspace) -> None:
        """A link to nothing, in a circle or to a folder, and a pipe that nobody writes to stop nothing else."""
        folder = workspace.root / "docker"
        (folder / "a").mkdir()
        (folder / "a" / "nowhere").symlink_to("gone")
        (folder / "circle").symlink_to("circle")
        (folder / "folder").symlink_to("a")
        (folder / "file").symlink_to("Dockerfile")
        os.mkfifo(folder / "pipe")
        found = workspace.read_context()
        assert found["file"] == FileContent(data=b"FROM scratch\n")
        assert {path: file.problem for path, file in found.items() if file.problem} == {
            "a/nowhere": (
                "docker/a/nowhere: a link that leads nowhere (No such file or directory); fix it or remove it"
            ),
            "circle": (
                "docker/circle: a link that leads nowhere (Too many levels of symbolic links); "
                "fix it or remove it"
            ),
            "folder/": "docker/folder: a link to a folder, which is not followed; fix it or remove it",
            "pipe": "docker/pipe: neither a file nor a folder; fix it or remove it",
        }
        assert Digests(found)["pipe"].problem == found["pipe"].problem

    def test_what_may_not_be_read_has_its_problem(
        self, workspace: Workspace, another_user: AnotherUser
    ) -> None:
        """A file and a folder that this user may not open are told of, and the rest is read."""
        folder = workspace.root / "docker"
        (folder / "secret").write_text("x")
        (folder / "secret").chmod(0)
        (folder / "closed").mkdir(mode=0)
        (folder / "listed").mkdir()
        (folder / "listed" / "file").touch()
        (folder / "listed").chmod(0o744)
        with another_user():
            found = Workspace.here(Path(), {}).read_context()
            problems = {path: file.problem for path, file in found.items()}
        read = "can't be read (Permission denied); user nobody needs the right to read it"
        assert problems == {
            "Dockerfile": "",
            "closed/": f"docker/closed/: {read.replace('read', 'listed', 1)}",
            "listed/file": f"docker/listed/file: {read}",
            "secret": f"docker/secret: {read}",
        }

    @pytest.mark.parametrize("name", ["", "Dockerfile", ".dockerignore"])
    def test_one_user_may_not_read_what_all_depends_on(
        self, workspace: Workspace, another_user: AnotherUser, name: str
    ) -> None:
        """It is not taken for absent, and the line says who needs which right."""
        path = workspace.root / "docker" / name
        if name:
            path.touch()
        path.chmod(0)
        with another_user(), pytest.raises(PlanError) as caught:
            Workspace.here(Path(), {}).read_context()
        denied = "can't be read (Permission denied); user nobody needs the right to read it"
        assert str(caught.value) == f"docker/{name or 'Dockerfile'}: {denied}"

    def test_a_file_in_its_place_is_an_error(self, tmp_path: Path) -> None:
        """Which is another fault than a folder without a Dockerfile."""
        (tmp_path / "docker").touch()
        with pytest.raises(PlanError) as caught:
            Workspace.here(tmp_path, {}).read_context()
        assert str(caught.value) == "docker: not a folder; the base images are built from docker/Dockerfile"

    @pytest.mark.parametrize("name", ["Dockerfile", ".dockerignore"])
    def test_utf_16_is_an_error(self, workspace: Workspace, name: str) -> None:
        """BuildKit would take its first line for an unknown instruction, and its patterns for others."""
        (workspace.root / "docker" / name).write_text("FROM scratch\n", encoding="utf-16")
        with pytest.raises(PlanError) as caught:
            workspace.read_context()
        assert str(caught.value) == f"docker/{name}: can't be read (it is UTF-16); save it as UTF-8"

    @pytest.mark.parametrize("name", ["Dockerfile", ".dockerignore", "Dockerfile.dockerignore"])
    def test_what_all_images_depend_on_is_an_error(self, workspace: Workspace, name: str) -> None:
        """Without the Dockerfile, or knowing what is ignored, nothing can be said of any image."""
        path = workspace.root / "docker" / name
        path.unlink(missing_ok=True)
        path.symlink_to("gone")
        with pytest.raises(PlanError) as caught:
            workspace.read_context()
        assert str(caught.value) == (
            f"docker/{name}: a link that leads nowhere (No such file or directory); fix it or remove it"
        )

    def test_no_dockerfile_is_an_error(self, tmp_path: Path) -> None:
        """Without a Dockerfile there is nothing to build."""
        (tmp_path / "docker").mkdir()
        with pytest.raises(PlanError) as caught:
            Workspace.here(tmp_path, {}).read_context()
        assert str(caught.value) == "docker/Dockerfile: not found; the base images are built from it"

    @pytest.mark.parametrize(
        ("name", "meant"),
        [
            ("dockerfile", True),
            ("Dockerfile.txt", True),
            ("Containerfile", True),
            ("Dockerfile.dockerignore", False),
            ("proxy.sh", False),
        ],
    )
    def test_a_file_that_is_meant_is_named(self, tmp_path: Path, name: str, *, meant: bool) -> None:
        """A file of nearly that name beside it is told."""
        (tmp_path / "docker").mkdir()
        (tmp_path / "docker" / name).touch()
        with pytest.raises(PlanError) as caught:
            Workspace.here(tmp_path, {}).read_context()
        hint = (
            f"there is docker/{name}: rename it to docker/Dockerfile"
            if meant
            else "the base images are built from it"
        )
        assert str(caught.value) == f"docker/Dockerfile: not found; {hint}"

    def test_docker_folder_comes_with_the_package(self, workspace: Workspace, tmp_path: Path) -> None:
        """A folder without docker/ has the package's; one of its own takes precedence, whatever it is."""
        bare = tmp_path / "bare"
        bare.mkdir()
        assert "filter/main.go" in Workspace.here(bare, {}).read_context()
        (bare / "docker").symlink_to(workspace.root / "docker")
        assert Workspace.here(bare, {}).read_context() == workspace.read_context()

    def test_only_content_and_bit_make_a_digest(self) -> None:
        """The same content has the same digest, and the bit is beside it."""
        found = Digests({"a": FileContent(data=b"x"), "b": FileContent(data=b"x", executable=True)})
        assert found["a"].digest == found["b"].digest
        assert (found["a"].executable, found["b"].executable) == (False, True)


class TestManifest:
    """resolved-images.json on disk."""

    def test_what_stood_there_comes_back(self, workspace: Workspace) -> None:
        """Writing returns the old text, none at first."""
        assert workspace.write_manifest("1\n", "state") is None
        assert workspace.write_manifest("2\n", "state") == "1\n"
        assert workspace.manifest.read_text() == "2\n"

    def test_it_is_known_for_which_state_it_stands(self, workspace: Workspace) -> None:
        """A manifest shows the state that it was written for, as long as nobody touches it."""
        assert not workspace.manifest_shows("a")
        workspace.write_manifest("1\n", "a")
        assert workspace.manifest_shows("a")
        assert not workspace.manifest_shows("b")
        workspace.manifest.write_text("2\n")
        assert not workspace.manifest_shows("a")
        workspace.manifest.unlink()
        assert not workspace.manifest_shows("a")

    def test_the_same_text_is_not_written_again(self, workspace: Workspace) -> None:
        """A file that is right already is left untouched."""
        workspace.write_manifest("1\n", "state")
        before = workspace.manifest.stat()
        workspace.write_manifest("1\n", "state")
        after = workspace.manifest.stat()
        assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)

    def test_nothing_is_left_beside_it(self, workspace: Workspace) -> None:
        """It is replaced in one step, and the new file does not stay under its first name."""
        workspace.write_manifest("1\n", "state")
        assert sorted(path.name for path in workspace.root.iterdir()) == [
            ".isol8",
            "docker",
            "resolved-images.json",
        ]

    def test_a_folder_that_is_not_there_is_an_error(self, tmp_path: Path) -> None:
        """What can't be written is told of in a line."""
        workspace = Workspace.here(tmp_path, {"ISOL8_DEPS": "no/deps.toml"})
        with pytest.raises(Isol8Error, match=r"^resolved-images\.json: can't be written \(No such file"):
            workspace.write_manifest("1\n", "state")


class TestRevision:
    """The commit that is checked out."""

    def test_a_branch_a_detached_head_and_packed_refs(self, workspace: Workspace) -> None:
        """It is found without git, wherever git keeps it."""
        assert workspace.revision() == ""
        git = ["git", "-C", str(workspace.root), "-c", "user.name=t", "-c", "user.email=t@example.org"]
        for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "one"]):
            subprocess.run([*git, *words], check=True)
        head = subprocess.run(
            [*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True
        ).stdout.strip()
        assert workspace.revision() == head
        subprocess.run([*git, "pack-refs", "--all"], check=True)
        assert workspace.revision() == head
        subprocess.run([*git, "checkout", "-q", "--detach"], check=True)
        assert workspace.revision() == head
        tree = workspace.root / "tree"
        subprocess.run([*git, "worktree", "add", "-q", "-b", "side", str(tree)], check=True)
        assert Workspace.here(tree, {}).revision() == head

    @pytest.mark.parametrize("head", [b"\xff\xfe", b"ref: \x00", b"ref: refs/heads/none"])
    def test_a_head_that_is_none(self, workspace: Workspace, head: bytes) -> None:
        """What git does not write is no commit, and no bug."""
        (workspace.root / ".git").mkdir()
        (workspace.root / ".git" / "HEAD").write_bytes(head)
        (workspace.root / ".git" / "packed-refs").write_bytes(b"")
        assert workspace.revision() == ""


class TestCheckoutId:
    """The name of a checkout in labels."""

    def test_two_checkouts_of_one_name_differ(self, tmp_path: Path) -> None:
        """The folder's name comes with enough of a hash to tell two apart."""
        one, two = (Workspace.here(tmp_path / side / "isol8", {}).checkout_id for side in "ab")
        assert one != two
        assert one.startswith("isol8-")


def test_a_pipe_in_the_place_of_the_manifest(tmp_path: Path) -> None:
    """Nobody waits for what may never be written into it; a manifest takes its place."""
    os.mkfifo(tmp_path / "resolved-images.json")
    workspace = Workspace.here(tmp_path, {})
    assert workspace.read_manifest() is None
    assert not workspace.manifest_shows("state")
    workspace.write_manifest("{}", "state")
    assert workspace.read_manifest() == "{}"
    assert workspace.manifest_shows("state")
