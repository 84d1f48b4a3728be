"""The command prune: it asks without keeping anybody out, and removes what it showed and still may."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from attrs import frozen

from isol8_tasks.cli.commands import prune
from isol8_tasks.cli.commands.prune import PruneCommand
from isol8_tasks.errors import ConfigError, EngineError, RegistryError, SourceUnavailableError
from isol8_tasks.run.engine_lock import engine_lock
from isol8_tasks.run.locking import write_lock
from isol8_tasks.run.session import Session, open_session
from tests.command_line import CommandLine, Ended
from tests.fake_engine import DOCKERFILE, FakeEngine, accept

CUSTOMS = ("bash-custom", "node-custom")
RESTORE = (
    "deps.toml is missing, so isol8:node-custom, isol8:bash-custom count as undeclared; restore it, or make an empty "
    "one if that is meant"
)


@frozen
class Run:
    """A checkout whose custom images are built, and its next run."""

    folder: Path
    engine: FakeEngine
    patch: pytest.MonkeyPatch

    def session(self) -> Session:
        return open_session(self.folder, {}, engine=self.engine, verify=accept)

    def prune(self, answer: Callable[[], bool] | None = None, *, registry: bool = False) -> int:
        """Run the command, which asks where an answer is given."""
        current = self.session()
        self.patch.setattr(prune, "session", lambda: current)
        if answer:
            self.patch.setattr(prune, "_agreed", lambda *_: answer())
        return int(
            PruneCommand.act(
                PruneCommand.__new__(PruneCommand),
                {"wait": 0, "yes": answer is None, "registry": registry},
                [],
            )
        )

    def left(self) -> Sequence[str]:
        observed = self.session().view.observed
        return [name for name in CUSTOMS if observed.public(name)]


@pytest.fixture(name="run")
def make_run(tmp_path: Path, fake_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Give a checkout that no longer asks for two custom images."""
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "deps.toml").write_text('[dependencies]\nbash = ["jq"]\nnode = ["lodash"]\n')
    run = Run(tmp_path, fake_engine, monkeypatch)
    session = run.session()
    for spec in session.view.graph.images:
        session.make(spec.name)
    session.close()
    (tmp_path / "deps.toml").write_text("")
    return run


def test_nobody_waits_for_the_answer(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """While it asks, another run has the engine; then it takes the lock, and removes what it showed."""
    heard = []

    def answer() -> bool:
        with engine_lock(run.engine.info().id, holder="another", since="now", wait=0):
            heard.append(capsys.readouterr().out)
        return True

    assert run.prune(answer) == 0
    assert all(f"isol8:{name}" in heard[0] for name in CUSTOMS)
    assert run.left() == []


def test_it_removes_under_the_lock(run: Run) -> None:
    """Another run that began while it asked keeps it from removing anything."""
    with engine_lock(run.engine.info().id, holder="another", since="now", wait=0):
        assert run.prune(lambda: True) == 1
    assert len(run.left()) == len(CUSTOMS)


def test_what_changed_during_the_question_stays(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """What is declared again meanwhile, or used by a container, is left; the rest goes, and nothing else."""

    def answer() -> bool:
        image = run.session().view.observed.public("bash-custom")
        assert image is not None
        run.engine.containers.add(image.id)
        return True

    assert run.prune(answer) == 0
    assert run.left() == ["bash-custom"]
    out = capsys.readouterr().out
    assert "  changed in the meantime, so it is kept\n1 image removed" in out


def test_why_a_removal_failed(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """The engine's own words, the other images gone, and 1."""
    whole = FakeEngine.untag

    def untag(engine: FakeEngine, reference: str) -> None:
        if "bash-custom" in reference:
            raise EngineError(f"the engine did not remove {reference}: the disk is full")
        whole(engine, reference)

    run.patch.setattr(FakeEngine, "untag", untag)
    assert run.prune() == 1
    assert run.left() == ["bash-custom"]
    captured = capsys.readouterr()
    assert captured.err.startswith("ERROR: isol8:bash-custom")
    assert captured.err.endswith(": the disk is full\n")
    assert captured.out.splitlines()[-1].startswith("1 image removed")


class TestRegistry:
    """What nothing needs in the registry, of images that were pushed and replaced since."""

    REPOSITORY = "registry.example/isol8"

    @pytest.fixture
    def pushed(self, run: Run) -> Run:
        """Give a checkout that has pushed two custom images, and others in their place."""
        for bash, node in (("jq", "lodash"), ("curl", "zod")):
            (run.folder / "deps.toml").write_text(
                f'[dependencies]\nbash = ["{bash}"]\nnode = ["{node}"]\n'
                f'[registry]\nrepository = "{self.REPOSITORY}"\nkeep = "1ms"\n'
            )
            session = run.session()
            for spec in session.view.graph.images:
                session.make(spec.name)
            session.resolve()
            session.close()
        return run

    def tags(self, run: Run) -> dict[str, str]:
        return run.engine.remote_tags(self.REPOSITORY)

    def old(self, run: Run) -> list[str]:
        tags = self.tags(run)
        used = {digest for tag, digest in tags.items() if tag in {*CUSTOMS, "bash", "node"}}
        return [tag for tag, digest in tags.items() if digest not in used and "-custom" in tag]

    def test_what_was_replaced_is_shown_and_removed(
        self, pushed: Run, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Each with all its tags; on the engine nothing is."""
        old, images = self.old(pushed), pushed.engine.images()
        assert len(old) == 4
        assert pushed.prune(lambda: False, registry=True) == 0
        shown = capsys.readouterr().out
        assert all(tag in shown for tag in old)
        assert shown.endswith("nothing was removed\n")
        assert pushed.prune(registry=True) == 0
        assert self.old(pushed) == []
        assert "2 images removed from registry.example/isol8" in capsys.readouterr().out
        assert pushed.engine.images() == images

    def test_name_that_moved_back_during_the_question(
        self, pushed: Run, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The image is kept."""
        tag = next(tag for tag in self.old(pushed) if tag.startswith("bash-custom-2"))

        def answer() -> bool:
            there = pushed.engine.registry[f"{self.REPOSITORY}:{tag}"]
            pushed.engine.registry[f"{self.REPOSITORY}:stable"] = there
            return True

        assert pushed.prune(answer, registry=True) == 0
        assert tag in self.tags(pushed)
        out = capsys.readouterr().out
        assert "  changed in the meantime, so it is kept\n1 image removed" in out

    def test_registry_that_does_not_answer(self, pushed: Run, capsys: pytest.CaptureFixture[str]) -> None:
        """Nothing is removed, and the next step is told."""

        def fail(_engine: FakeEngine, _repository: str) -> Mapping[str, str]:
            raise SourceUnavailableError("registry.example: connection refused")

        pushed.patch.setattr(FakeEngine, "remote_tags", fail)
        assert pushed.prune(registry=True) == 4
        said = capsys.readouterr().err
        assert said.startswith("ERROR: registry.example: connection refused\nNothing was removed. Check ")
        assert "deps.toml:5 repository, and run again.\n" in said

    def test_registry_that_deletes_nothing(self, pushed: Run, capsys: pytest.CaptureFixture[str]) -> None:
        """It is told once, with how many images are left."""
        before = self.tags(pushed)

        def refuse(_engine: FakeEngine, _repository: str, _digest: str) -> None:
            raise RegistryError("registry.example does not delete it: 405 Method Not Allowed", lasting=True)

        pushed.patch.setattr(FakeEngine, "remote_delete", refuse)
        assert pushed.prune(registry=True) == 1
        error = capsys.readouterr().err
        assert error.count("ERROR: ") == 1
        assert error.endswith(
            " and 1 more: registry.example does not delete it: 405 Method Not Allowed; 2 images left\n"
        )
        assert self.tags(pushed) == before

    def test_one_that_can_t_be_deleted(self, pushed: Run, capsys: pytest.CaptureFixture[str]) -> None:
        """It is named; the others go all the same."""
        kept = next(tag for tag in self.old(pushed) if tag.startswith("bash-custom-2"))
        digest, whole = self.tags(pushed)[kept], FakeEngine.remote_delete

        def refuse(engine: FakeEngine, repository: str, wanted: str) -> None:
            if wanted == digest:
                raise RegistryError("registry.example does not delete it: 403 Forbidden", lasting=True)
            whole(engine, repository, wanted)

        pushed.patch.setattr(FakeEngine, "remote_delete", refuse)
        assert pushed.prune(registry=True) == 1
        captured = capsys.readouterr()
        assert captured.err == (
            f"ERROR: {kept}: registry.example does not delete it: 403 Forbidden; 1 image left\n"
        )
        assert captured.out.splitlines()[-1].startswith("1 image removed from ")
        assert {self.tags(pushed)[tag] for tag in self.old(pushed)} == {digest}

    def test_registry_that_goes_away(self, pushed: Run, capsys: pytest.CaptureFixture[str]) -> None:
        """It is asked once, and nothing is said to be removed."""
        asked = []

        def silence(_engine: FakeEngine, _repository: str, digest: str) -> None:
            asked.append(digest)
            raise SourceUnavailableError("registry.example: it did not answer within 10 s")

        pushed.patch.setattr(FakeEngine, "remote_delete", silence)
        assert pushed.prune(registry=True) == 1
        captured = capsys.readouterr()
        assert captured.err.endswith(
            " and 1 more: registry.example: it did not answer within 10 s; 2 images left\n"
        )
        assert "removed" not in captured.out
        assert len(asked) == 1


class TestMissing:
    """deps.toml that is gone, and so declares nothing."""

    def test_prune_removes_no_custom_image(self, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
        """It says why; an empty file is another matter."""
        (run.folder / "deps.toml").unlink()
        assert run.prune() == 0
        assert len(run.left()) == len(CUSTOMS)
        assert capsys.readouterr().out == (
            f"warning: {RESTORE}; until then no image is removed as undeclared\nnothing to remove\n"
        )
        (run.folder / "deps.toml").write_text("")
        assert run.prune() == 0
        assert run.left() == []

    def test_plan_and_runs_warn(self, run: Run) -> None:
        """As of everything else that is told of the graph."""
        (run.folder / "deps.toml").unlink()
        assert run.session().view.graph.warnings == (RESTORE,)

    def test_a_lock_is_not_written(self, run: Run) -> None:
        """It would lose what the file declared."""
        (run.folder / "deps.toml").unlink()
        with pytest.raises(ConfigError) as caught:
            write_lock(run.session())
        assert str(caught.value) == RESTORE

    def test_isol8s_own_file_will_do(self, run: Run) -> None:
        """Who declares everything there never had a deps.toml, and hears nothing of it."""
        (run.folder / "deps.toml").unlink()
        (run.folder / "isol8.config.json").write_text(
            '{"dependencies": {"bash": ["jq"], "node": ["lodash"]}}'
        )
        assert run.session().view.graph.warnings == ()


class TestQuestion:
    """What it asks on a terminal, and what it does without one."""

    @pytest.fixture
    def undeclared(self, built: CommandLine) -> CommandLine:
        """Give the command line of a checkout that no longer asks for its custom image."""
        built.declare("")
        return built

    @pytest.mark.parametrize("answer", ["y", "Y", "yes", " YES "])
    def test_yes_removes(self, undeclared: CommandLine, answer: str) -> None:
        """What is shown before, and nothing else; the manifest is of what is left."""
        before = undeclared.tags()
        done = undeclared("prune", answer=answer)
        assert (done.code, done.err) == (0, "")
        assert done.out.startswith("isol8:bash-custom")
        assert "Remove 1 image? [y/N] 1 image removed · freed " in done.out
        assert before - undeclared.tags() >= {"bash-custom"}
        assert {"bash", "bun"} <= undeclared.tags()
        assert "bash-custom" not in (undeclared.folder / "resolved-images.json").read_text()

    @pytest.mark.parametrize("answer", ["", "n", "no", "yess", "all"])
    def test_anything_else_removes_nothing(self, undeclared: CommandLine, answer: str) -> None:
        """It is no failure."""
        before = undeclared.tags()
        done = undeclared("prune", answer=answer)
        assert (done.code, done.err) == (0, "")
        assert done.out.endswith("Remove 1 image? [y/N] nothing was removed\n")
        assert undeclared.tags() == before

    def test_end_of_input_removes_nothing(self, undeclared: CommandLine) -> None:
        """As Ctrl-D on a terminal does."""
        before = undeclared.tags()
        done = undeclared("prune", at_terminal=True)
        assert (done.code, done.err) == (0, "")
        assert done.out.endswith("Remove 1 image? [y/N] \nnothing was removed\n")
        assert undeclared.tags() == before

    def test_without_a_terminal_it_is_refused(self, undeclared: CommandLine) -> None:
        """The line says how to do without the question."""
        before = undeclared.tags()
        done = undeclared("prune")
        assert done.code == 3
        assert done.err == (
            "ERROR: prune needs confirmation, and stdin is not a terminal; ./doitw prune --yes removes them\n"
        )
        assert undeclared.tags() == before

    @pytest.mark.parametrize("flag", ["--yes", "-y"])
    def test_yes_as_a_flag_asks_nothing(self, undeclared: CommandLine, flag: str) -> None:
        """With a terminal or without."""
        done = undeclared("prune", flag)
        assert (done.code, done.err) == (0, "")
        assert "[y/N]" not in done.out
        assert "bash-custom" not in undeclared.tags()

    def test_nothing_to_remove_asks_nothing(self, built: CommandLine) -> None:
        """Nor does an image that a container uses, which stays anyway."""
        assert built("prune") == Ended(0, "nothing to remove\n", "")
        image = built.open().view.observed.public("bash-custom")
        assert image is not None
        built.declare("")
        built.engine.containers.add(image.id)
        done = built("prune")
        assert (done.code, done.err) == (0, "")
        assert done.out.endswith("; in use by a container, so it is kept\nnothing to remove\n")

    def test_build_cache_that_is_too_large_is_shrunk(self, built: CommandLine) -> None:
        """To what deps.toml says, after the question."""
        built.declare('[dependencies]\nbash = ["jq"]\n[prune]\nkeep = "2 kB"\n')
        built.engine.cache_bytes = 7000
        assert built("prune", answer="n").out == (
            "the build cache  5 kB more than [prune] keep = 2 kB\nShrink the build cache? [y/N] nothing was removed\n"
        )
        assert built.engine.cache_bytes == 7000
        done = built("prune", answer="y")
        assert (done.code, done.err) == (0, "")
        assert built.engine.cache_bytes == 2000
        assert done.out.endswith("0 images removed · freed 5 kB\n")
        assert built("prune") == Ended(0, "nothing to remove\n", "")
        built.declare('[prune]\nkeep = "1 kB"\n')
        assert "Remove 1 image and shrink the build cache? [y/N] " in built("prune", answer="n").out
