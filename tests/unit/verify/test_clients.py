"""The data about released clients: whole, and without a contradiction."""

from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.verify.clients import GENERATIONS, SANDBOX_FOLDER


def test_every_release_is_in_one_generation() -> None:
    releases = [release for generation in GENERATIONS for release in generation.releases]
    assert len(releases) == len(set(releases)) == 47  # the tags of upstream, and one commit


def test_releases_follow_one_another() -> None:
    tags = [release for generation in GENERATIONS for release in generation.releases][2:]
    assert tags == sorted(tags, key=lambda tag: [int(part) for part in tag.removeprefix("v").split(".")])


def test_each_runtime_has_a_file_and_a_command_that_names_it() -> None:
    files = {path for generation in GENERATIONS for path in generation.files.values()}
    assert all(
        path.startswith(f"{SANDBOX_FOLDER}/") for path in files | {each.file for each in RUNTIMES.values()}
    )
    assert all(each.command[-1] == "{file}" for each in RUNTIMES.values())


def test_inline_code_is_an_argument_of_its_own() -> None:
    lines = [each.inline for each in RUNTIMES.values() if each.inline]
    assert lines
    assert all(line[-1] == "{code}" for line in lines)


def test_rules_come_with_the_capability_that_they_need() -> None:
    for generation in GENERATIONS:
        assert bool(generation.filter.rules) == ("NET_ADMIN" in generation.filter.capabilities)
