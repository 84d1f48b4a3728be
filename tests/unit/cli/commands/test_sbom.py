"""The command sbom: a bill of materials for each image."""

import json

from tests.command_line import DIGEST, CommandLine
from tests.fake_engine import FakeImage


def test_file_for_each_image(built: CommandLine) -> None:
    """In CycloneDX, with the packages."""
    done = built("sbom")
    assert (done.code, done.err) == (0, "")
    names = ["python", "node", "bun", "deno", "bash", "bash-custom"]
    assert done.out.splitlines() == [f"sbom/{name}.cdx.json" for name in names]
    bill = json.loads((built.folder / "sbom" / "bash-custom.cdx.json").read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert {"jq", "musl"} <= {each["name"] for each in bill["components"]}


def test_folder_is_made_and_files_are_replaced(built: CommandLine) -> None:
    """Where it was asked for."""
    folder = built.folder / "bills" / "today"
    folder.mkdir(parents=True)
    (folder / "bun.cdx.json").write_text("old")
    done = built("sbom", "-o", "bills/today", "bun")
    assert (done.code, done.out) == (0, "bills/today/bun.cdx.json\n")
    assert json.loads((folder / "bun.cdx.json").read_text())["metadata"]
    assert not (built.folder / "sbom").exists()


def test_folder_that_cannot_be_made_is_3(built: CommandLine) -> None:
    """In one line, which names it."""
    (built.folder / "file").write_text("")
    done = built("sbom", "-o", "file/folder")
    assert (done.code, done.out) == (3, "")
    why = "no folder can be made there (Not a directory); name another one"
    assert done.err == f"ERROR: --output: file/folder: {why}\n"


def test_image_without_an_inventory_is_1(built: CommandLine) -> None:
    """There is nothing to write about it."""
    built.engine.put("isol8:bun", FakeImage(id=DIGEST))
    done = built("sbom", "bun")
    assert done.code == 1
    assert done.err.startswith("ERROR: isol8:bun: no inventory; ")
    assert not (built.folder / "sbom" / "bun.cdx.json").exists()
