"""The words for what an image does not hold."""

import pytest

from isol8_tasks.ecosystems.findings import (
    ExtraMissing,
    PackageHidden,
    PackageMissing,
    PackageUnusable,
    WrongVersion,
)
from isol8_tasks.verify.conditions import RELEASES, Releases
from isol8_tasks.verify.findings import (
    EVERY,
    AnyFinding,
    CommandExit,
    CommandHung,
    CommandNotRun,
    CommandOutput,
    FilterBroken,
    Finding,
    InSome,
    LookBroken,
    LookHung,
    NotStarted,
    OtherFirstProcess,
    PatternSlow,
    PrivilegedFile,
    RuntimeBroken,
    SignalsLost,
    WritableByAll,
    merged,
    output,
    plain,
    render_finding,
)

COMMAND = ("bash", "-c", "jq --version")
WORDS: list[tuple[Finding, str]] = [
    (NotStarted(reason="no user sandbox"), "the container can't be started: no user sandbox"),
    (RuntimeBroken(runtime="node", output=""), "node does not start"),
    (
        LookHung(seconds=60, output=""),
        "its inspection did not end within 60 s of CPU time, or ten times as long by the clock",
    ),
    (
        CommandNotRun(output="sleep: invalid number", entrypoint=("/bin/sleep",)),
        (
            "its ENTRYPOINT /bin/sleep does not run the command that it is given: clients start containers with one; "
            'remove it, or let it end with exec "$@"'
        ),
    ),
    (
        CommandNotRun(output="", entrypoint=("/bin/sleep", "9"), seconds=60),
        (
            "its ENTRYPOINT /bin/sleep 9 does not run the command that it is given, and did not end within 60 s: "
            'clients start containers with one; remove it, or let it end with exec "$@"'
        ),
    ),
    (LookBroken(exit=127, output=""), "its inspection aborted (exit code 127)"),
    (OtherFirstProcess(name="sh"), "process 1 is sh, not tini"),
    (
        FilterBroken(command="bash proxy.sh", fault="does not listen", output=""),
        "the network filter is broken: `bash proxy.sh` does not listen",
    ),
    (SignalsLost(), "a signal to process 1 does not reach the program"),
    (PackageMissing(package="numpy"), "numpy is not installed"),
    (
        PackageHidden(package="zod", path="/usr/local/lib/node_modules/zod"),
        "zod is installed, but user sandbox can't read /usr/local/lib/node_modules/zod",
    ),
    (WrongVersion(package="zod@^4", version="3.0.0"), "zod@^4 was requested, but version 3.0.0 is installed"),
    (
        ExtraMissing(package="requests[socks]", needed="PySocks!=1.5.7,>=1.5.6"),
        "requests[socks] needs PySocks!=1.5.7,>=1.5.6, which is not installed",
    ),
    (
        PackageUnusable(package="numpy", use="import numpy", output=""),
        "numpy is installed, but `import numpy` fails",
    ),
    (
        PrivilegedFile(path="/usr/bin/su", mode=0o4755),
        "/usr/bin/su is setuid or setgid (mode 4755), unlike in the upstream image",
    ),
    (
        WritableByAll(path="/etc/passwd", mode=0o666),
        "/etc/passwd is writable by everyone (mode 0666), unlike in the upstream image",
    ),
    (
        CommandExit(command=COMMAND, expected=0, exit=2, output=""),
        "check bash -c 'jq --version' ended with exit code 2, not 0",
    ),
    (
        PatternSlow(pattern="(a+)+b", seconds=5),
        "output = '(a+)+b' took longer than 5 s to look for; write it without nested repeats",
    ),
    (
        CommandOutput(command=COMMAND, pattern="jq-2", output=""),
        "check bash -c 'jq --version' printed nothing that matches 'jq-2'",
    ),
    (
        CommandHung(command=COMMAND, seconds=0.5, output=""),
        "check bash -c 'jq --version' did not end within 0.5 s",
    ),
]


@pytest.mark.parametrize(("finding", "words"), WORDS, ids=[type(each).__name__ for each, _ in WORDS])
def test_words(finding: Finding, words: str) -> None:
    """Each kind has a line of its own."""
    assert render_finding(finding) == words


def test_words_are_clean() -> None:
    """What an image says of itself can't write to the terminal, nor show a password."""
    found = NotStarted(reason="\x1b[2Jhttps://me:secret@registry.example/ failed")
    assert render_finding(found) == "the container can't be started: https://***@registry.example/ failed"


def test_a_long_command_is_cut() -> None:
    """A check written as a whole script does not fill the screen."""
    words = render_finding(CommandHung(command=("sh", "-c", "x" * 200), seconds=1, output=""))
    assert words == f"check sh -c {'x' * 94}… did not end within 1 s"


class TestOutput:
    """What was printed, for people."""

    def test_the_last_lines(self) -> None:
        """Of a long output the end is kept, without empty lines and control characters."""
        text = "\n".join(f"\x1b[31mline {number}\x1b[0m\n" for number in range(30))
        kept = output(RuntimeBroken(runtime="bun", output=text))
        assert kept == tuple(f"line {number}" for number in range(18, 30))

    def test_none(self) -> None:
        """Where nothing was run there is nothing."""
        assert output(PackageMissing(package="numpy")) == ()


class TestSomeReleases:
    """What holds for some releases only."""

    MISSING = PackageMissing(package="numpy")
    ALL = frozenset(RELEASES)
    NEW = frozenset(RELEASES[RELEASES.index("v0.7.0") :])

    def test_all_that_meet_a_finding_are_one(self) -> None:
        """What was printed is the first one's, and where all meet it nothing is said of releases."""
        found: list[tuple[AnyFinding, Releases]] = [
            (RuntimeBroken(runtime="node", output="one"), self.NEW),
            (RuntimeBroken(runtime="node", output="two"), self.ALL - self.NEW),
            (self.MISSING, self.NEW),
        ]
        assert merged(found, self.ALL) == (
            RuntimeBroken(runtime="node", output="one"),
            InSome(finding=self.MISSING, releases=self.NEW, others=self.ALL - self.NEW),
        )

    def test_what_is_not_asked_for_each_client(self) -> None:
        """Nothing is said of releases then."""
        assert merged([(self.MISSING, EVERY)], self.ALL) == (self.MISSING,)

    def test_words(self) -> None:
        """One line, and what was printed is still told."""
        finding = PackageUnusable(package="requests", use="import requests", output="a\nb\n")
        (found,) = merged([(finding, self.NEW)], self.ALL)
        assert render_finding(found) == (
            "requests is installed, but `import requests` fails with isol8 v0.7.0 and later "
            "(not with v0.6.2 and before)"
        )
        assert output(found) == ("a", "b")
        assert plain(found) == finding

    def test_words_with_a_reason(self) -> None:
        """The engine's own words come last."""
        (found,) = merged([(NotStarted(reason="no user: sandbox"), self.NEW)], self.ALL)
        assert render_finding(found) == (
            "the container can't be started with isol8 v0.7.0 and later (not with v0.6.2 and before): no user: sandbox"
        )

    def test_colon_in_a_command_is_no_reason(self) -> None:
        """The releases stand behind all of it, whatever is in its words."""
        finding = PackageUnusable(package="a", use='require("a: b")', output="")
        (found,) = merged([(finding, self.NEW)], self.ALL)
        assert render_finding(found) == (
            'a is installed, but `require("a: b")` fails with isol8 v0.7.0 and later (not with v0.6.2 and before)'
        )

    def test_a_filter_is_started_by_some_alone(self) -> None:
        """Others don't start it, so nothing is said of them."""
        broken = FilterBroken(command="bash proxy.sh", fault="does not listen", output="")
        (found,) = merged([(broken, self.NEW)], self.ALL)
        assert render_finding(found) == (
            "the network filter is broken with isol8 v0.7.0 and later: `bash proxy.sh` does not listen"
        )


@pytest.mark.parametrize(
    ("use", "words"),
    [
        ("import x ended the process (7)", "x is installed, but import x ended the process (7)"),
        ("import x did not end", "x is installed, but import x did not end"),
        ("its command /usr/bin/x", "x is installed, but its command /usr/bin/x can't be used"),
        ('require("x")', 'x is installed, but `require("x")` fails'),
    ],
)
def test_words_of_uses(use: str, words: str) -> None:
    """Each kind of use has a sentence."""
    assert render_finding(PackageUnusable(package="x", use=use, output="")) == words
