"""The corpus: Dockerfiles, each about one construct, on a build context that they share."""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

FOLDER = Path(__file__).parent
NOWHERE: Mapping[str, str] = {}
_IGNORE_FILES = (".dockerignore", "Dockerfile.dockerignore")


@frozen(kw_only=True)
class Case:
    """A Dockerfile of the corpus."""

    name: str
    text: str
    ignore_files: Mapping[str, str]
    """Its ignore files, by the name that they have in the build context."""

    @property
    def args(self) -> dict[str, str]:
        """The build arguments that are passed: `# builds with: NAME=value`, a line for each."""
        found = re.findall(r"^# builds with: (\w+)=(.*)$", self.text, re.MULTILINE)
        return dict(found)

    @property
    def needs(self) -> str:
        """What the built-in frontend of an engine has to know: `# needs: here-documents`; empty for any."""
        found = re.search(r"^# needs: (.+)$", self.text, re.MULTILINE)
        return found[1] if found else ""

    @property
    def warns(self) -> bool:
        """Whether something in it can't be read here, for at least one of its stages: `# warns`."""
        return re.search(r"^# warns$", self.text, re.MULTILINE) is not None

    @property
    def counts_more(self) -> bool:
        """Whether more counts here than has to, as decision 6 says: `# counts more: why`."""
        return re.search(r"^# counts more: .+$", self.text, re.MULTILINE) is not None

    def write(self, folder: Path, upstream: str, addresses: Mapping[str, str] = NOWHERE) -> None:
        """Make `docker/` in a new folder; `alpine` is another repository there, whose name is in every file.

        `addresses` is where a server answers, for what has to come from one, by its protocol, with `{}` for that name:
        a builder fetches once what builds side by side want from one address, and says so in the trace of either. It
        does so with what comes out the same, too.
        """
        context = folder / "docker"
        shutil.copytree(FOLDER / "context", context)
        for path in context.rglob("*"):
            if path.is_file():
                path.write_text(f"{path.read_text()}# {upstream}\n")
        text = self.text.replace("alpine", upstream)
        for protocol, address in addresses.items():
            text = text.replace(f"{protocol}://address", f"{protocol}://{address.format(upstream)}")
        (context / "Dockerfile").write_bytes(text.encode())
        for name, text in self.ignore_files.items():
            (context / name).write_text(text)


def cases() -> tuple[Case, ...]:
    """Return the whole corpus, in the order of names."""
    return tuple(_read(path) for path in sorted(FOLDER.glob("*.Dockerfile")))


def _read(path: Path) -> Case:
    name = path.name.removesuffix(".Dockerfile")
    ignore_files = {}
    for each in _IGNORE_FILES:
        file = FOLDER / f"{name}.{each.removeprefix('.')}"
        if file.exists():
            ignore_files[each] = file.read_text()
    return Case(name=name, text=path.read_bytes().decode(), ignore_files=ignore_files)
