"""What a step finds set in a stage that only files are taken from."""

from typing import NamedTuple

from isol8_tasks.dockerfile.inputs import Step


class _Variable(NamedTuple):
    name: str
    text: str
    value: str
    line: int


class Surroundings:
    """The variables, the user, the shell and the folder that ENV, ARG, USER, SHELL and WORKDIR have set so far.

    In such a stage these instructions leave no history, and BuildKit looks at what they come to: a RUN gets the
    variables in the order in which they were last set, the user and the shell, a WORKDIR the user. So these steps count
    just before the first that finds them set, and not at all where they set what was set already.
    """

    def __init__(self) -> None:
        self._variables: dict[str, _Variable] = {}
        self._settings: dict[str, Step] = {}
        self._told: tuple[_Variable, ...] = ()
        self._settings_told: dict[str, str] = {}
        self.folder: str | None = None
        """Where steps work; None where an upstream image or a variable decides."""

    def copy(self) -> "Surroundings":
        """Return the same, for a stage that goes on from here."""
        other = Surroundings()
        other._variables = dict(self._variables)
        other._settings = dict(self._settings)
        other._told = self._told
        other._settings_told = dict(self._settings_told)
        other.folder = self.folder
        return other

    def set_variable(self, name: str, value: str, step: Step) -> None:
        """Set a variable; a step of the same text may give it another value."""
        self._variables.pop(name, None)
        self._variables[name] = _Variable(name, step.text, value, step.line)

    def set_other(self, keyword: str, step: Step) -> None:
        """Set the user or the shell."""
        self._settings[keyword] = step

    def enter(self, folder: str | None, line: int) -> Step | None:
        """Work in another folder, and return the step that makes it; None for the root, which is there.

        A RUN finds where it works as it finds the user. What else has a path has it from where the folder is known.
        """
        self.folder = folder
        if folder is None:
            # The step itself counts, and whatever comes next is another folder.
            self._settings.pop("WORKDIR", None)
            self._settings_told.pop("WORKDIR", None)
            return None
        step = Step(line=line, text=f"WORKDIR {folder}")
        self.set_other("WORKDIR", step)
        if folder == "/":
            return None
        self._settings_told["WORKDIR"] = step.text
        return step

    def tell_all(self) -> None:
        """Take all that is set for told, as it is by a stage whose every step counts."""
        self._tell()

    def before(self, keyword: str) -> list[Step]:
        """Return the steps that lead from what was told last to what an instruction finds set."""
        if keyword == "RUN":
            return self._tell()
        return self._other("USER") if keyword == "WORKDIR" else []

    def _tell(self) -> list[Step]:
        now = tuple(self._variables.values())
        same = 0
        while same < min(len(now), len(self._told)) and now[same][:3] == self._told[same][:3]:
            same += 1
        self._told = now
        found = [Step(line=each.line, text=each.text) for each in now[same:]]
        return found + [step for keyword in sorted(self._settings) for step in self._other(keyword)]

    def _other(self, keyword: str) -> list[Step]:
        step = self._settings.get(keyword)
        if step is None or self._settings_told.get(keyword) == step.text:
            return []
        self._settings_told[keyword] = step.text
        return [step]
