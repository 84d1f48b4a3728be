"""The command init."""

from isol8_tasks.config.shipped import BEGINNING, FOLDER
from tests.command_line import CommandLine, Ended
from tests.deps_schema import FILE


def test_a_deps_toml_to_begin_with(cli: CommandLine) -> None:
    """It is written once, declares nothing, and one that is there is left untouched."""
    file = cli.folder / "deps.toml"
    refused = "ERROR: deps.toml: exists already, and was left untouched; edit it, or remove it first\n"
    before = file.read_bytes()
    assert cli("init") == Ended(3, "", refused)
    assert file.read_bytes() == before
    file.unlink()
    assert cli("init") == Ended(
        0, "deps.toml written; declare packages in it, then build them: ./doitw up\n", ""
    )
    begun = BEGINNING.read_text("utf-8")
    assert file.read_text("utf-8") == begun.replace("#:schema docs/schemas/", "#:schema ")
    assert (cli.folder / "deps.schema.json").read_bytes() == FILE.read_bytes()
    assert cli("init") == Ended(3, "", refused)
    file.unlink()
    file.symlink_to("gone")
    assert cli("init") == Ended(3, "", refused)
    assert not (cli.folder / "gone").exists()


def test_a_checkout_whose_deps_toml_was_deleted(cli: CommandLine) -> None:
    """It gets the one that is shipped, and nothing else: its schema is there."""
    assert BEGINNING.read_bytes() == (FOLDER / "deps.toml").read_bytes()
    cli.patch.setattr("isol8_tasks.cli.commands.init.FOLDER", cli.folder)
    (cli.folder / "deps.toml").unlink()
    before = {*cli.folder.iterdir()}
    assert cli("init").code == 0
    assert (cli.folder / "deps.toml").read_bytes() == BEGINNING.read_bytes()
    assert {*cli.folder.iterdir()} - before == {cli.folder / "deps.toml"}
