"""The flags of setup, and what they ask for."""

from pathlib import Path
from typing import Any

import pytest

from isol8_tasks.cli.tasks import SETUP_FLAGS, flag_request
from isol8_tasks.errors import ConfigError
from isol8_tasks.plan.model import FlagRequest

NONE = tuple((name, ()) for name in ("python", "node", "bun", "deno", "bash"))


def flags(**given: object) -> dict[str, Any]:
    return {**{flag["name"]: flag["default"] for flag in SETUP_FLAGS}, **given}


class TestOnly:
    """`--only`, which leaves runtimes out."""

    def test_runtimes_of_several_words(self) -> None:
        """Lists and repeated flags come to one list, each runtime once."""
        assert flag_request(flags(only=["python,node", "python, bash"])) == FlagRequest(
            packages=NONE, only=("python", "node", "bash")
        )
        assert flag_request(flags()) == FlagRequest(packages=NONE)

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            pytest.param(
                {"only": ["pyton,node"]},
                "--only: 'pyton' is not a runtime (did you mean python? allowed: python, node, bun, deno, bash)",
                id="near-miss",
            ),
            pytest.param(
                {"only": [","]},
                "--only: no runtime is named; there are python, node, bun, deno, bash",
                id="empty",
            ),
            pytest.param(
                {"python": [","]}, "--python: no package is named; omit the flag for none", id="no-package"
            ),
            pytest.param(
                {"only": ["node"], "bash": ["jq"]},
                "--bash: --only does not name bash; add it, or drop the packages",
                id="packages-of-another",
            ),
        ],
    )
    def test_what_cannot_be_meant(self, given: dict[str, object], message: str) -> None:
        """A runtime that is none, and packages for one that is left out, are told in a line."""
        with pytest.raises(ConfigError) as caught:
            flag_request(flags(**given))
        assert str(caught.value) == message


class TestLists:
    """Flags that name a file: `--python @requirements.txt`."""

    @pytest.fixture(autouse=True)
    def _in_a_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "package.json").write_text('{"dependencies": {"zod": "^3"}}')

    def asked(self, **given: object) -> dict[str, tuple[str, ...]]:
        """Return the packages that flags ask for, by runtime."""
        return {name: found for name, found in flag_request(flags(**given)).packages if found}

    def test_packages_of_a_file_stand_in_its_place(self) -> None:
        """Among others; a scope of npm's stays a package."""
        Path("r.txt").write_bytes(b"\xef\xbb\xbfnumpy>=1,<2  # x\r\npandas\r\n")
        assert self.asked(
            python=["six,@r.txt"], node=["@types/node,@package.json"], bun=["@package.json"]
        ) == {
            "python": ("six", "numpy>=1,<2", "pandas"),
            "node": ("@types/node", "zod@^3"),
            "bun": ("zod@^3",),
        }

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (None, "--python: r.txt: not found; correct the name"),
            (b"six\n\xff\n", "--python: r.txt: can't be read (line 2 is not UTF-8); save it as UTF-8"),
            (b"six\n-e .\nnumpy=1.2.3\n", "r.txt:2: -e names what"),
            (b"six==1 --hash=sha256:%b\n" % (b"a" * 64), "--python: r.txt has hashes, and a flag is remembered"),
        ],
    )  # fmt: skip
    def test_what_is_wrong_is_told_by_file_and_line(self, content: bytes | None, said: str) -> None:
        """Whatever is wrong with it."""
        if content is not None:
            Path("r.txt").write_bytes(content)
        with pytest.raises(ConfigError) as caught:
            self.asked(python=["@r.txt"])
        assert str(caught.value).startswith(said)

    def test_what_was_meant_is_written_for_a_shell(self) -> None:
        """With quotes where one would read it otherwise."""
        with pytest.raises(ConfigError) as caught:
            self.asked(python=["numpy pandas>=1"])
        assert str(caught.value).endswith("several packages in one text; write '--python=numpy,pandas>=1'")
