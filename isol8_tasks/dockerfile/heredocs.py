"""Here-documents: what an instruction takes from the lines after it."""

import re

from attrs import frozen

from isol8_tasks.dockerfile.lexer import unquoted_words


@frozen(kw_only=True, eq=False, repr=False)
class Heredoc:
    """A here-document of an instruction."""

    name: str
    content: str
    chomp: bool
    """`<<-`: tabs at the beginning of lines don't count."""
    expand: bool
    """Its name is not quoted, so variables in it are replaced."""

    @property
    def text(self) -> str:
        """The content as it counts."""
        return re.sub(r"^\t+", "", self.content, flags=re.MULTILINE) if self.chomp else self.content


def heredoc_name(word: str) -> str | None:
    """Return the name of the here-document that a word asks for; None for any other word."""
    found = heredoc(word)
    return found[0] if found else None


def heredoc(word: str) -> tuple[str, bool, bool] | None:
    """Return that name, whether tabs at the beginning of lines don't count, and whether variables are replaced."""
    match = re.match(r"\d*<<(-?)\s*([^<]*)\Z", word)
    if match is None:
        return None
    names = unquoted_words(match[2])
    if len(names) != 1:
        return None
    return names[0], match[1] == "-", not any(quote in match[2] for quote in "'\"")
