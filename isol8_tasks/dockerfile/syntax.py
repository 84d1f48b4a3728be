"""A Dockerfile's text as instructions, read as BuildKit reads it.

Values that nothing compares or prints carry no code for it: that halves what they cost every run at import.
"""

import re
from collections.abc import Iterator
from typing import Final, NoReturn

from attrs import frozen

from isol8_tasks.dockerfile.flags import flag_problem, is_known
from isol8_tasks.dockerfile.heredocs import Heredoc, heredoc
from isol8_tasks.dockerfile.lexer import LexError, flags, raw_words, split, words
from isol8_tasks.errors import PlanError
from isol8_tasks.safety.jsontext import loads

_JSON: Final = {"ADD", "CMD", "COPY", "ENTRYPOINT", "HEALTHCHECK", "RUN", "SHELL", "VOLUME"}
_WORDS: Final = {"ADD", "COPY", "EXPOSE", "FROM", "VOLUME"}
_PAIRS: Final = {"ENV", "LABEL"}
_HEREDOCS: Final = {"ADD", "COPY", "RUN"}
_MAY_BE_EMPTY: Final = {"CMD", "ENTRYPOINT", "RUN"}
_KEYWORDS: Final = frozenset(
    {*_JSON, *_WORDS, *_PAIRS, "ARG", "MAINTAINER", "ONBUILD", "STOPSIGNAL", "USER", "WORKDIR"}
)
_DIRECTIVE: Final = re.compile(r"#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$")
_DIRECTIVES: Final = {"syntax", "escape", "check"}
_FRONTEND: Final = re.compile(r"(?:[^\s/@]+/)*(docker/dockerfile(?:-upstream)?(?:[:@]\S+)?)")
"""BuildKit's own, from wherever it is mirrored."""
_CONFLICT: Final = ("<<<<<<< ", ">>>>>>> ")
"""What a merge writes around the two sides of a conflict."""
_STAGE_NAME: Final = re.compile(r"[a-z][a-z0-9_.-]*\Z")


@frozen(kw_only=True, eq=False, repr=False)
class Instruction:
    """One instruction, its continued lines joined."""

    keyword: str
    flags: tuple[str, ...]
    """`--chown=1:1`, …, without quotes."""
    rest: str
    """What follows the flags, as it stands."""
    array: tuple[str, ...] | None = None
    """The strings of its JSON form; None in its shell form."""
    words: tuple[str, ...] = ()
    """The arguments of an instruction that takes a list of them."""
    pairs: tuple[tuple[str, str], ...] = ()
    """Names and values of an ENV or LABEL, quotes and all."""
    heredocs: tuple[Heredoc, ...] = ()
    trigger: "Instruction | None" = None
    """The ONBUILD trigger."""
    line: int
    end: int

    def flag(self, name: str) -> str | None:
        """Return the value of a flag, empty for one without a value; None where it isn't given."""
        return next((value for key, value in self.options if key == name), None)

    @property
    def options(self) -> Iterator[tuple[str, str]]:
        """The flags as names and values."""
        for each in self.flags:
            name, _, value = each.removeprefix("--").partition("=")
            yield name, value


@frozen(kw_only=True, eq=False, repr=False)
class Dockerfile:
    """A Dockerfile that BuildKit would read too."""

    name: str
    text: str
    escape: str
    syntax: str
    """The frontend image that it asks for, without its registry; empty for the builder's own."""
    instructions: tuple[Instruction, ...]
    unreadable: tuple[str, ...] = ()
    """What this project can't read in it, as warnings."""

    @property
    def declared_args(self) -> frozenset[str]:
        """The names of all build arguments that it declares, for its own stages or by ONBUILD for their children."""
        return frozenset(
            word.partition("=")[0]
            for instruction in self.instructions
            for each in (instruction, instruction.trigger)
            if each is not None and each.keyword == "ARG"
            for word in each.words
        )


def parse(text: str, *, name: str = "docker/Dockerfile") -> Dockerfile:
    """Return the instructions of a Dockerfile; raise PlanError for what BuildKit refuses."""
    return _Parser(text, name).parse()


class _Parser:
    def __init__(self, text: str, name: str) -> None:
        self._name = name
        self._text = text
        self._lines = text.removeprefix("\ufeff").split("\n")
        self._position = 0
        self._directives: dict[str, str] = {}
        self._unreadable: list[str] = []
        self._set_escape("\\")

    def parse(self) -> Dockerfile:
        instructions = tuple(self._instructions())
        if not instructions:
            self._refuse(1, "no instruction in it; a Dockerfile begins with FROM")
        if all(each.keyword == "ARG" for each in instructions):
            self._refuse(instructions[-1].line, "no FROM in it, so there is no stage to build")
        syntax = self._directives.get("syntax", "")
        frontend = _FRONTEND.fullmatch(syntax.partition(" ")[0])
        if syntax and not frontend:
            self._cannot_read(1, f"its syntax line selects another frontend, {syntax}")
        return Dockerfile(
            name=self._name,
            text=self._text,
            escape=self._escape,
            # Where it is fetched from doesn't count.
            syntax=frontend[1] if frontend else syntax,
            instructions=instructions,
            unreadable=tuple(self._unreadable),
        )

    def _refuse(self, line: int, problem: str) -> NoReturn:
        raise PlanError(f"{self._name}:{line}: {problem}")

    def _cannot_read(self, line: int, what: str) -> None:
        self._unreadable.append(f"{self._name}:{line}: {what}")

    def _set_escape(self, char: str) -> None:
        self._escape = char
        self._continued = re.compile(rf"(?:(?<=[^{re.escape(char)}])|^){re.escape(char)}[ \t]*\Z")

    def _instructions(self) -> Iterator[Instruction]:
        in_stage = False
        heading = True
        while self._position < len(self._lines):
            line = self._next().lstrip()
            heading = heading and self._directive(line)
            if not line or line.startswith("#"):
                continue
            first = self._position
            instruction = self._instruction(self._join(line), first)
            in_stage = in_stage or instruction.keyword == "FROM"
            if not in_stage and instruction.keyword != "ARG":
                self._refuse(first, f"{instruction.keyword} comes before the first FROM; only ARG may")
            yield instruction

    def _next(self) -> str:
        self._position += 1
        return self._lines[self._position - 1].rstrip("\r")

    def _directive(self, line: str) -> bool:
        match = _DIRECTIVE.match(line)
        if match is None or (key := match[1].lower()) not in _DIRECTIVES:
            return False
        if key in self._directives:
            self._refuse(self._position, f"the parser directive {key} is given twice")
        self._directives[key] = match[2]
        if key == "escape":
            if match[2] not in {"\\", "`"}:
                self._refuse(self._position, f"escape={match[2]}: only \\ and ` can escape")
            self._set_escape(match[2])
        return True

    def _join(self, line: str) -> str:
        """Return the line with those that continue it; comments and blank lines among them vanish."""
        self._check_merged(line)
        joined = self._continued.sub("", line)
        continued = joined != line
        while continued and self._position < len(self._lines):
            line = self._next()
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            self._check_merged(line)
            piece = self._continued.sub("", line)
            continued = piece != line
            joined += piece
        return joined

    def _check_merged(self, line: str) -> None:
        if line.startswith(_CONFLICT):
            said = f"a merge conflict is left, {line.rstrip()}; keep one side, and remove the markers"
            self._refuse(self._position, said)

    def _instruction(self, text: str, first: int, within: str = "") -> Instruction:
        written, *tail = re.split(r"[\t\v\f\r ]+", text.strip(), maxsplit=1)
        keyword = written.upper()
        if keyword not in _KEYWORDS:
            self._refuse(first, f"unknown instruction {written}{_did_you_mean(keyword)}")
        if within and keyword in {"ONBUILD", "FROM", "MAINTAINER"}:
            self._refuse(first, f"{keyword} is not allowed in ONBUILD")
        given, rest = flags(tail[0] if tail else "", self._escape)
        self._check_flags(keyword, given, first)
        if keyword == "ONBUILD" and rest:
            # BuildKit keeps it to the last blank.
            rest += text[len(text.rstrip()) :]
        array = self._array(keyword, rest, first)
        pairs = self._pairs(keyword, rest, first) if keyword in _PAIRS else ()
        trigger = self._instruction(rest, first, keyword) if keyword == "ONBUILD" and rest else None
        takes_heredocs = keyword in _HEREDOCS and array is None
        heredocs = tuple(self._heredocs(text, first)) if takes_heredocs else ()
        instruction = Instruction(
            keyword=keyword,
            flags=given,
            rest=rest,
            array=array,
            words=self._words(keyword, rest, array),
            pairs=pairs,
            heredocs=heredocs,
            trigger=trigger,
            line=first,
            end=self._position,
        )
        self._check(instruction)
        return instruction

    def _check_flags(self, keyword: str, given: tuple[str, ...], line: int) -> None:
        for each in given if keyword != "ARG" else ():
            if problem := flag_problem(keyword, each):
                self._refuse(line, problem)
            flag = each.partition("=")[0]
            if not is_known(keyword, flag.removeprefix("--")):
                self._cannot_read(line, f"the flag {flag} of {keyword} is not known")

    def _array(self, keyword: str, rest: str, line: int) -> tuple[str, ...] | None:
        text = " ".join(rest.split(None, 1)[1:]) if keyword == "HEALTHCHECK" else rest
        if keyword not in _JSON or not text.startswith("["):
            return None
        try:
            found = loads(text)
        except ValueError:
            return None
        if not all(isinstance(each, str) for each in found):
            self._refuse(line, f"{keyword} takes an array of strings only, in double quotes")
        return tuple(found)

    def _words(self, keyword: str, rest: str, array: tuple[str, ...] | None) -> tuple[str, ...]:
        if keyword == "ARG":
            return tuple(words(rest, self._escape))
        if keyword not in _WORDS:
            return ()
        return tuple(split(rest)) if array is None else array

    def _pairs(self, keyword: str, rest: str, line: int) -> tuple[tuple[str, str], ...]:
        found = words(rest, self._escape)
        if found and "=" not in found[0]:
            name, *value = re.split(r"[\t\v\f\r ]+", rest, maxsplit=1)
            if not value:
                self._refuse(line, f"{keyword} {name} has no value; expected {keyword} {name}=value")
            return ((name, value[0]),)
        pairs = []
        for word in found:
            name, equals, text = word.partition("=")
            if not equals or not name:
                self._refuse(line, f"{keyword} {word}: expected name=value")
            pairs.append((name, text))
        return tuple(pairs)

    def _heredocs(self, text: str, first: int) -> Iterator[Heredoc]:
        try:
            candidates = raw_words(text) if "<<" in text else []
        except LexError:
            candidates = []
        for found in filter(None, map(heredoc, candidates)):
            name, chomp, expand = found
            content = ""
            while self._position < len(self._lines):
                line = self._next()
                if (line.lstrip("\t") if chomp else line) == name:
                    break
                content += self._lines[self._position - 1] + "\n"
            else:
                self._refuse(first, f"the here-document {name} has no end; expected a line {name}")
            yield Heredoc(name=name, content=content, chomp=chomp, expand=expand)

    def _check(self, instruction: Instruction) -> None:
        keyword, line = instruction.keyword, instruction.line
        if not instruction.rest and keyword not in _MAY_BE_EMPTY:
            self._refuse(line, f"{keyword} has no argument")
        match keyword:
            case "COPY" | "ADD" if len(instruction.words) < 2:  # noqa: PLR2004 - a source and a destination
                self._refuse(line, f"{keyword} needs a source and a destination")
            case "SHELL" if not instruction.array:
                self._refuse(line, 'SHELL takes an array of strings, as ["/bin/sh", "-c"]')
            case "ARG" if any(word.startswith("=") for word in instruction.words):
                self._refuse(line, f"ARG {instruction.rest}: expected name or name=value")
            case "HEALTHCHECK" | "RUN" if keyword == "HEALTHCHECK" or instruction.flags:
                self._check_form(instruction)
            case "FROM":
                self._check_from(instruction)

    def _check_form(self, instruction: Instruction) -> None:
        from isol8_tasks.dockerfile.checks import healthcheck_problem, run_problem  # noqa: PLC0415 - few have either

        problem = (
            run_problem(instruction.options)
            if instruction.keyword == "RUN"
            else healthcheck_problem(instruction.rest, instruction.array, instruction.options)
        )
        if problem:
            self._refuse(instruction.line, problem)

    def _check_from(self, instruction: Instruction) -> None:
        match instruction.words:
            case (_,):
                return
            case (_, keyword, name) if keyword.upper() == "AS":
                if not _STAGE_NAME.match(name.lower()):
                    self._refuse(
                        instruction.line,
                        f"{name} can't name a stage; expected a letter, then letters, digits, -, _ and .",
                    )
            case _:
                self._refuse(
                    instruction.line, f"FROM {instruction.rest}: expected FROM image or FROM image AS name"
                )


def _did_you_mean(keyword: str) -> str:
    import difflib  # noqa: PLC0415 - only a typing error needs it

    near = difflib.get_close_matches(keyword, sorted(_KEYWORDS), n=1)
    return f" (did you mean {near[0]}?)" if near else ""
