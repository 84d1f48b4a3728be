"""Edits that people make to a Dockerfile and its context, each at a place that chance picks."""

import itertools
import os
import re
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from attrs import define

from isol8_tasks.dockerfile.syntax import Instruction, parse

Edit = Callable[["Project"], bool]
"""Changes a project; False where there is nothing that it could change."""


@define
class Project:
    """A folder with `docker/`, the arguments that are passed to its builds, and chance."""

    folder: Path
    args: dict[str, str]
    chance: Random

    @property
    def context(self) -> Path:
        return self.folder / "docker"

    @property
    def text(self) -> str:
        return (self.context / "Dockerfile").read_bytes().decode()

    @text.setter
    def text(self, text: str) -> None:
        (self.context / "Dockerfile").write_bytes(text.encode())

    @property
    def instructions(self) -> Sequence[Instruction]:
        return parse(self.text).instructions

    def some(self, *keywords: str, line: str = "") -> Instruction | None:
        """Return an instruction of these kinds (none: of any) whose first line has what is asked for."""
        lines = self.text.split("\n")
        found = [
            each
            for each in self.instructions
            if (not keywords or each.keyword in keywords) and re.search(line, lines[each.line - 1])
        ]
        return self.chance.choice(found) if found else None

    def replace(self, instruction: Instruction, pattern: str, new: str) -> bool:
        """Replace what is first found in the first line of an instruction."""
        lines = self.text.split("\n")
        before = lines[instruction.line - 1]
        lines[instruction.line - 1] = re.sub(pattern, lambda found: found.expand(new), before, count=1)
        self.text = "\n".join(lines)
        return lines[instruction.line - 1] != before

    def insert(self, number: int, *new: str) -> bool:
        """Put lines before a line, counted from 0."""
        lines = self.text.split("\n")
        lines[number:number] = new
        self.text = "\n".join(lines)
        return True

    def between(self) -> int:
        """Return the number of a line, from 0, before which an instruction of a stage can stand."""
        first = next(each for each in self.instructions if each.keyword == "FROM")
        return self.chance.choice([each.end for each in self.instructions if each.line >= first.line])

    def file(self) -> Path | None:
        found = sorted(each for each in self.context.rglob("*") if each.is_file())
        found = [each for each in found if "ocker" not in each.name]
        return self.chance.choice(found) if found else None

    def ignore_file(self) -> Path | None:
        names = ("Dockerfile.dockerignore", ".dockerignore")
        return next((path for name in names if (path := self.context / name).exists()), None)


def fresh() -> str:
    """Return a word that no build has seen."""
    return f"x{secrets.token_hex(4)}"


def comment(project: Project) -> bool:
    each = project.some()
    return each is not None and project.insert(each.line - 1, f"# {fresh()}")


def comment_at_the_top(project: Project) -> bool:
    return project.insert(0, f"# {fresh()}")


def blank_line(project: Project) -> bool:
    each = project.some()
    return each is not None and project.insert(each.line - 1, project.chance.choice(["", "  ", "\t"]))


def anything_within(project: Project) -> bool:
    """Put a comment or a blank line into an instruction of several lines."""
    long = [each for each in project.instructions if each.end > each.line and not each.heredocs]
    if not long:
        return False
    each = project.chance.choice(long)
    return project.insert(
        project.chance.randrange(each.line, each.end), project.chance.choice(["", f"  # {fresh()}"])
    )


def indentation(project: Project) -> bool:
    each = project.some(line=r"^\s*\w")
    return each is not None and project.replace(each, r"^", project.chance.choice([" ", "\t", "    "]))


def trailing_blanks(project: Project) -> bool:
    each = project.some()
    return each is not None and project.replace(each, r"(?=\r?$)", project.chance.choice([" ", " \t"]))


def case_of_an_instruction(project: Project) -> bool:
    each = project.some()
    if each is None:
        return False
    change = project.chance.choice([str.lower, str.upper, str.capitalize])
    lines = project.text.split("\n")
    before = lines[each.line - 1]
    lines[each.line - 1] = re.sub(r"[A-Za-z]+", lambda found: change(found[0]), before, count=1)
    project.text = "\n".join(lines)
    return lines[each.line - 1] != before


def blank_within(project: Project) -> bool:
    each = project.some(line=r"\S +\S")
    if each is None:
        return False
    lines = project.text.split("\n")
    places = [found.end() for found in re.finditer(r"\S +(?=\S)", lines[each.line - 1])]
    place = project.chance.choice(places)
    lines[each.line - 1] = lines[each.line - 1][:place] + " " + lines[each.line - 1][place:]
    project.text = "\n".join(lines)
    return True


def line_continued(project: Project) -> bool:
    each = project.some("RUN", "COPY", "ENV", "LABEL", "ARG", "CMD", line=r"^[^<\\`]*\S [^\\`]+$")
    indent = project.chance.choice(["", "    "])
    escape = parse(project.text).escape.replace("\\", "\\\\")
    return each is not None and project.replace(each, r"(?<=\S) (?=\S)", f" {escape}\\n{indent}")


def windows_lines(project: Project) -> bool:
    text = project.text
    project.text = text.replace("\r\n", "\n") if "\r" in text else text.replace("\n", "\r\n")
    return not any(each.heredocs for each in project.instructions)


def order_of_stages(project: Project) -> bool:
    starts = [each.line - 1 for each in project.instructions if each.keyword == "FROM"]
    if len(starts) < 2:
        return False
    number = project.chance.randrange(len(starts) - 1)
    lines = project.text.split("\n")
    begin, middle, end = [*starts, len(lines)][number : number + 3]
    project.text = "\n".join([*lines[:begin], *lines[middle:end], *lines[begin:middle], *lines[end:]])
    return True


def order_of_instructions(project: Project) -> bool:
    found = project.instructions
    pairs = [
        (one, other) for one, other in itertools.pairwise(found) if "FROM" not in {one.keyword, other.keyword}
    ]
    if not pairs:
        return False
    one, other = project.chance.choice(pairs)
    lines = project.text.split("\n")
    first, second = lines[one.line - 1 : one.end], lines[other.line - 1 : other.end]
    project.text = "\n".join(
        [*lines[: one.line - 1], *second, *lines[one.end : other.line - 1], *first, *lines[other.end :]]
    )
    return True


def stage_renamed(project: Project) -> bool:
    each = project.some("FROM", line=r"(?i) as ")
    if each is None:
        return False
    name, new = each.words[-1], fresh()
    project.text = re.sub(rf"(?i)(?<=[\s=]){re.escape(name)}(?=[\s,])", lambda _: new, project.text)
    return True


def unrelated_stage(project: Project) -> bool:
    first = next(each for each in project.instructions if each.keyword == "FROM")
    image = project.chance.choice(["scratch", first.words[0]])
    return project.insert(first.line - 1, f"FROM {image} AS {fresh()}", f"LABEL a={fresh()}", "COPY b /b")


def upstream_image(project: Project) -> bool:
    each = project.some("FROM", "ARG", "COPY", line=r"3\.21")
    return each is not None and project.replace(each, r"3\.21", "3.20")


def upstream_spelled_out(project: Project) -> bool:
    each = project.some("FROM", line=r"FROM\s+isol8")
    return each is not None and project.replace(each, r"isol8", "docker.io/library/isol8")


def instruction_gone(project: Project) -> bool:
    each = project.some()
    if each is None or each.keyword == "FROM":
        return False
    lines = project.text.split("\n")
    project.text = "\n".join([*lines[: each.line - 1], *lines[each.end :]])
    return True


NEW = (
    "RUN echo {} >/{}", "RUN true", 'RUN ["/bin/true", "{}"]', "ENV {}={}", "ENV VALUE={}", "ENV FILE=a", "LABEL a={}",
    "ARG VERSION={}", "ARG {}", "ARG VALUE", "ARG FILE=b", 'CMD ["{}"]', "CMD {}", "ENTRYPOINT {}", "EXPOSE 8{}",
    "EXPOSE 81", "USER root", "WORKDIR /{}", "WORKDIR /", "VOLUME /{}", "HEALTHCHECK CMD {}", "STOPSIGNAL SIGINT",
    'SHELL ["/bin/sh", "-c"]', 'SHELL ["/bin/sh", "-e", "-c"]', "ONBUILD RUN echo {}", "ONBUILD LABEL {}=1",
    "COPY a /{}", "COPY docs /{}/", "COPY a* /{}/", "ADD b /{}", "MAINTAINER {}",
    "RUN --mount=source=docs,target=/m ls /m # {}", "COPY $FILE b /{}/", "ENV PATH=/{}:$PATH",
    "COPY --link a /{}", "RUN --network=none echo {}", "COPY <<{} /x\n$FILE\n{}", "RUN <<{}\ntrue\n{}",
)  # fmt: skip


def new_instruction(project: Project) -> bool:
    return project.insert(project.between(), project.chance.choice(NEW).replace("{}", fresh()))


def instruction_twice(project: Project) -> bool:
    each = project.some("RUN", "COPY", "ENV", "LABEL", "CMD", "EXPOSE", "USER", "ARG", "ONBUILD")
    if each is None:
        return False
    return project.insert(each.end, *project.text.split("\n")[each.line - 1 : each.end])


def command_text(project: Project) -> bool:
    each = project.some("RUN", "CMD", "ENTRYPOINT", line=r"^[^<\[]*\w[^\\`\[]*$")
    return each is not None and project.replace(each, r"(?=\s*$)", f" {fresh()}")


def array_item(project: Project) -> bool:
    each = project.some("RUN", "CMD", "ENTRYPOINT", line=r'"\s*\]')
    return each is not None and project.replace(each, r'"\s*\]', f'", "{fresh()}"]')


def array_spelled_otherwise(project: Project) -> bool:
    each = project.some(line=r'\[\s*"')
    return each is not None and project.replace(each, r'\[\s*"', project.chance.choice(['[ "', '["', '[  "']))


def value(project: Project) -> bool:
    each = project.some("ENV", "LABEL", "ARG", line=r"=\w*$")
    return each is not None and project.replace(each, r"=\w*$", f"={fresh()}")


def value_gone(project: Project) -> bool:
    each = project.some("ARG", line=r"=\w*$")
    return each is not None and project.replace(each, r"=\w*$", project.chance.choice(["", "="]))


def value_quoted(project: Project) -> bool:
    each = project.some("ENV", "LABEL", "ARG", line=r"=\w+$")
    quote = project.chance.choice("'\"")
    return each is not None and project.replace(each, r"=(\w+)$", rf"={quote}\1{quote}")


def variable_braced(project: Project) -> bool:
    # A default for PATH is one of the respellings that are known to count.
    each = project.some(line=r"^[^$]*\$(?!PATH)[A-Z]+")
    new = project.chance.choice([r"${\1}", r"${\1:-}", r"${\1:-b}", r"${\1:+a}", r"${\1-b}", r"${\1+a}"])
    return each is not None and project.replace(each, r"\$([A-Z]+)", new)


def copy_source(project: Project) -> bool:
    each = project.some("COPY", "ADD", line=r"^[^=\[<]* /\S*$")
    new = project.chance.choice(
        ["a", "docs", "docs/", "./docs", "a?", "app/*", "run.sh", ".", "*", "docs/../b"]
    )
    return each is not None and project.replace(each, r"^(\s*\w+\s+)\S+", rf"\g<1>{new}")


def copy_destination(project: Project) -> bool:
    each = project.some("COPY", "ADD", line=r" /\w*/?$")
    return each is not None and project.replace(each, r" /\w*(/?)$", rf" /{fresh()}\1")


def copy_flag(project: Project) -> bool:
    each = project.some("COPY", "ADD")
    new = project.chance.choice(
        ["--chown=1:2", "--chmod=600", "--chown=0:0", "--link", "--link=false", "--chmod=u+x"]
    )
    return each is not None and project.replace(each, r"^(\s*\w+)\s", rf"\1 {new} ")


def passed_argument(project: Project) -> bool:
    declared = sorted(parse(project.text).declared_args | {"STRANGER"})
    name = project.chance.choice(declared)
    if name in project.args and project.chance.random() < 0.3:
        del project.args[name]
    else:
        project.args[name] = project.chance.choice([fresh(), "", "a"])
    return True


def content(project: Project) -> bool:
    file = project.file()
    if file is not None:
        file.write_text(file.read_text() + fresh())
    return file is not None


def executable_bit(project: Project) -> bool:
    file = project.file()
    if file is not None:
        file.chmod(file.stat().st_mode ^ 0o111)
    return file is not None


def other_permissions(project: Project) -> bool:
    """Change what others may do, which means nothing: the executable bit is the owner's."""
    file = project.file()
    if file is not None:
        file.chmod(file.stat().st_mode ^ 0o026)
    return file is not None


def time_and_owner(project: Project) -> bool:
    file = project.file()
    if file is not None:
        os.utime(file, (project.chance.randrange(10**9),) * 2)
        if os.geteuid() == 0:
            os.chown(file, project.chance.randrange(1000), 7)
    return file is not None


def new_file(project: Project) -> bool:
    folder = project.chance.choice(["", "docs/", "docs/deep/", "app/", "app/lib/", "elsewhere/", "doc/"])
    name = project.chance.choice(["{}", "a{}", "{}.md", "{}.mjs", ".{}", "a3", "two", "{}.txt"])
    file = project.context / folder / name.replace("{}", fresh())
    file.parent.mkdir(exist_ok=True)
    file.write_text(fresh())
    return True


def file_gone(project: Project) -> bool:
    file = project.file()
    if file is not None:
        file.unlink()
    return file is not None


def file_renamed(project: Project) -> bool:
    file = project.file()
    if file is not None:
        file.rename(file.with_name(f"{file.name}{fresh()}"))
    return file is not None


def link(project: Project) -> bool:
    """Make a link: it stands for the file that it leads to, and for nothing where it leads to a folder or nowhere."""
    file = project.file()
    target = project.chance.choice(["docs", "nowhere", "a", "run.sh"])
    path = (file.parent if file else project.context) / f"{project.chance.choice('ab')}{fresh()}"
    path.symlink_to(project.context / target)
    return True


def empty_folder(project: Project) -> bool:
    (project.context / project.chance.choice([fresh(), f"docs/{fresh()}", f"a{fresh()}"])).mkdir(
        exist_ok=True, parents=True
    )
    return True


def ignore_line(project: Project) -> bool:
    file = project.ignore_file()
    if file is None:
        file = project.context / ".dockerignore"
        file.touch()
    lines = file.read_text().splitlines()
    new = project.chance.choice(
        ["a", "docs", "!docs", "**/*.mjs", "!a", "*.md", "app/*", f"# {fresh()}", "", "!docs/one", "/b ", fresh(), "a*",
         "docs/**", "!docs/deep/three", ".dockerignore", "run.sh", "[a-b]", "**/lib", "*/?.mjs"]
    )  # fmt: skip
    lines.insert(project.chance.randint(0, len(lines)), new)
    file.write_text("\n".join(lines) + "\n")
    return True


def ignore_line_gone(project: Project) -> bool:
    file = project.ignore_file()
    if file is None:
        return False
    lines = file.read_text().splitlines()
    if lines:
        del lines[project.chance.randrange(len(lines))]
    file.write_text("\n".join(lines) + "\n")
    return True


EDITS: tuple[Edit, ...] = (
    comment, comment_at_the_top, blank_line, anything_within, indentation, trailing_blanks, case_of_an_instruction,
    blank_within, line_continued, windows_lines, order_of_stages, order_of_instructions, stage_renamed,
    unrelated_stage, upstream_image, upstream_spelled_out, instruction_gone, new_instruction, new_instruction,
    instruction_twice, command_text, array_item, array_spelled_otherwise, value, value_gone, value_quoted,
    variable_braced, copy_source, copy_destination, copy_flag, passed_argument, content, content, executable_bit,
    other_permissions, time_and_owner, new_file, new_file, file_gone, file_renamed, link, empty_folder, ignore_line,
    ignore_line_gone,
)  # fmt: skip
