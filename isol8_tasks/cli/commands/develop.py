"""The commands for work on this project itself: test, lint, check, docs, bench and corpus."""

from collections.abc import Mapping
from typing import Any

from doit.exceptions import InvalidCommand

from isol8_tasks.cli.command import OwnCommand
from isol8_tasks.cli.ending import ends_in_one_line
from isol8_tasks.cli.program import INSTALLED
from isol8_tasks.errors import COMMAND


class _OfCheckout(OwnCommand):
    """A command that an installation has nothing to run it on."""

    def execute(self, params: Any, args: list[str]) -> int:  # noqa: ANN401 - doit's own values
        """Refuse it there; else run it."""
        if COMMAND == INSTALLED:
            raise InvalidCommand(f"{self.name}: it works on {INSTALLED} itself, and needs a checkout of it")
        return super().execute(params, args)


class LintCommand(_OfCheckout):
    """Run every check that needs no engine."""

    name = "lint"
    doc_purpose = "run every check that needs no engine: types, style, imports, spelling, words and the locks"
    doc_usage = ""

    @ends_in_one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:  # noqa: ARG002 - it has no options
        """Run them."""
        self.no_arguments(args)
        import subprocess  # noqa: PLC0415 - no other command needs it

        return 1 if subprocess.run([".ci/lint"], check=False).returncode else 0


class _OfParser(_OfCheckout):
    """A command whose words a parser of its own reads."""

    def parse_execute(self, in_args: list[str]) -> int:
        """Hand every word to it."""
        return self.execute({}, in_args)

    @ends_in_one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:  # noqa: ARG002 - it has no options
        """Run it."""
        try:
            return self.run_with(args)
        except SystemExit as error:
            # How argparse says that it printed its usage: asked for, or since it did not understand.
            return 3 if error.code else 0

    def run_with(self, words: list[str]) -> int:
        """Do what the words ask for."""
        raise NotImplementedError


class TestCommand(_OfParser):
    """Run every test."""

    name = "test"
    doc_purpose = (
        "run every test, those on a real engine included; with --engines on engines of Debian's suites"
    )
    doc_usage = "[pytest's arguments] | --engines all|NAMES [--smoke]"

    def run_with(self, words: list[str]) -> int:
        """Start the engine for the tests, and run them."""
        from tests.run import main  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415 - not installed for others

        return 1 if main(words) else 0


class CheckCommand(_OfCheckout):
    """Run what CI runs."""

    name = "check"
    doc_purpose = "run lint and test, as CI does"
    doc_usage = ""

    @ends_in_one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:
        """Run both, and fail if one does."""
        self.no_arguments(args)
        codes = [
            LintCommand(config=self.config).act(params, []),
            TestCommand(config=self.config).act(params, []),
        ]
        return max(codes)


class DocsCommand(_OfCheckout):
    """Build the documentation as a site."""

    name = "docs"
    doc_purpose = "build the documentation as a site, in .isol8/site; a link that leads nowhere is an error"
    doc_usage = "[FOLDER]"

    @ends_in_one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:  # noqa: ARG002 - it has no options
        """Build it."""
        from docs.site.build import main  # noqa: PLC0415 - not installed for others

        return main(args)


class BenchCommand(_OfParser):
    """Measure what is claimed to be fast."""

    name = "bench"
    doc_purpose = "measure what is claimed to be fast, as ratios in one run"
    doc_usage = "[bench/run.py's arguments]"

    def run_with(self, words: list[str]) -> int:
        """Run the benchmark."""
        from bench.run import main  # noqa: PLC0415 - not installed for others

        return 1 if main(words) else 0


class CorpusCommand(_OfParser):
    """Judge packages that people install."""

    name = "corpus"
    doc_purpose = "build and use the packages of tests/corpus_packages, and print wrong verdicts"
    doc_usage = "[PACKAGE ...] [--group NAME] [--tenth] [--json FILE]"

    def run_with(self, words: list[str]) -> int:
        """Judge them."""
        from tests.corpus_packages.run import main  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415 - as above

        return int(main(words))
