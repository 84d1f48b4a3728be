"""The command lock: writes deps.lock.toml of images that are up to date."""

from isol8_tasks.ecosystems.inventory import Package, encode
from tests.command_line import CommandLine, Ended


def test_lock_of_all_images_then_unchanged(built: CommandLine) -> None:
    """The line names the images that are in it in another way than before."""
    names = "python, node, bun, deno, bash, bash-custom"
    assert built("lock") == Ended(0, f"deps.lock.toml: {names} changed\n", "")
    assert "[images.bash-custom]" in (built.folder / "deps.lock.toml").read_text()
    assert built("lock") == Ended(0, "deps.lock.toml unchanged\n", "")


def test_lock_stands_beside_the_deps_toml_that_is_named(built: CommandLine) -> None:
    """With its name."""
    built.patch.setenv("ISOL8_DEPS", "deps.toml")
    (built.folder / "other").mkdir()
    (built.folder / "other" / "night.toml").write_text((built.folder / "deps.toml").read_text())
    built.patch.setenv("ISOL8_DEPS", "other/night.toml")
    assert built("lock").out.startswith("other/night.lock.toml: ")
    assert (built.folder / "other" / "night.lock.toml").exists()


def test_stale_image_is_not_locked(built: CommandLine) -> None:
    """The line says what builds it, and the old lock stays."""
    assert built("lock").code == 0
    before = (built.folder / "deps.lock.toml").read_text()
    built.declare('[dependencies]\nbash = ["jq", "zip"]\n')
    done = built("lock")
    said = "not up to date; a lock records images as they are built, so build them first: ./doitw setup"
    assert done == Ended(1, "", f"ERROR: isol8:bash-custom: {said}\n")
    assert (built.folder / "deps.lock.toml").read_text() == before


def test_missing_deps_toml_is_refused(built: CommandLine) -> None:
    """The lock would lose what it declared."""
    (built.folder / "deps.toml").unlink()
    done = built("lock")
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("ERROR: deps.toml is missing, so isol8:bash-custom ")


def test_packages_without_checksums_are_not_locked(cli: CommandLine) -> None:
    """As of images of an older version; the line says what to do."""
    cli.check = lambda *_: encode("3.21", [Package(ecosystem="apk", name="musl", version="1")])
    cli.build()
    done = cli("lock")
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        "ERROR: the images were built before checksums of their packages were recorded; rebuild them: "
        "./doitw setup --force\ndeps.lock.toml is unchanged\n"
    )
    assert not (cli.folder / "deps.lock.toml").exists()
