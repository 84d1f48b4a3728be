"""The command upgrade: exact versions in deps.toml become the newest, and then the plan is printed."""

from collections.abc import Mapping, Sequence
from typing import Any

from isol8_tasks.cli.command import OwnCommand, run_doit
from isol8_tasks.cli.commands.editing import show_plan, write_edited
from isol8_tasks.cli.commands.sources import say_next_steps
from isol8_tasks.cli.doit import SHOWN, WAIT
from isol8_tasks.cli.ending import ends_in_one_line
from isol8_tasks.cli.screen import Row, Screen
from isol8_tasks.cli.showing import show_work
from isol8_tasks.cli.tasks import session
from isol8_tasks.config.deps import Config, parse_config
from isol8_tasks.config.editing import Declared, with_packages
from isol8_tasks.config.strict import unknown
from isol8_tasks.ecosystems.runtimes import RUNTIMES, needs_no_system
from isol8_tasks.ecosystems.specs import Spec, SpecError, parse_spec, split_flag
from isol8_tasks.errors import COMMAND, ConfigError, Isol8Error
from isol8_tasks.freshness.upgrades import Upgrade
from isol8_tasks.report.upgrades import upgrade_data, upgrade_lines
from isol8_tasks.run.upgrading import ToRaise, upgrades


class UpgradeCommand(OwnCommand):
    """Raise the versions that deps.toml names."""

    name = "upgrade"
    doc_purpose = "raise exact versions in deps.toml to the newest, and print the plan"
    doc_usage = "[RUNTIME or IMAGE] [PACKAGE ...] [--major] [--dry-run] [--build]"
    doc_description = (
        "Only exact versions are raised (numpy==1.26.4, lodash@4.17.20, jq=1.7.1-r0), to what a build of the image "
        "would resolve; comments, order and layout of deps.toml are kept. Exit code 4 when a source did not answer."
    )
    cmd_options = (
        {
            "name": "major",
            "long": "major",
            "type": bool,
            "default": False,
            "help": "also to another major version",
        },
        {
            "name": "dry_run",
            "long": "dry-run",
            "type": bool,
            "default": False,
            "help": "print what would be raised, and write nothing",
        },
        {
            "name": "build",
            "long": "build",
            "type": bool,
            "default": False,
            "help": "build it instead of printing the plan, and bring deps.lock.toml up to date if there is one",
        },
        *SHOWN,
        WAIT,
    )

    @ends_in_one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:
        """Ask the sources, write deps.toml, and print what a run would do then, or do it."""
        current = session()
        view = current.view
        source, text = view.config.source, view.workspace.read_deps()
        wanted = _wanted(parse_config(text, source), [word for arg in args for word in split_flag(arg)])
        try:
            view.ping()
            with show_work(current, params) as screen:
                screen.awaited = len(wanted)
                found, problems = upgrades(wanted, view, major=params["major"], watch=screen.work)
        finally:
            current.close()
        edited = text
        for each in found:
            if each.new:
                edited = with_packages(edited, source, each.place, [each.instead]).text
        self._tell(screen, found, _summary(found, source, dry=params["dry_run"], complete=not problems))
        for tag, problem in problems.items():
            screen.row(
                Row(f"{tag}  undetermined  {problem}", "failed", {"subject": tag, "lines": [str(problem)]})
            )
        if problems:
            say_next_steps(map(str, problems.values()), view.config, screen.line)
        code = max((each.exit_code for each in problems.values()), default=0)
        if edited == text or params["dry_run"]:
            return code
        write_edited(view.workspace, source, text, edited)
        return _follow(params, screen) or code

    @staticmethod
    def _tell(screen: Screen, found: Sequence[Upgrade], summary: str) -> None:
        if screen.is_json:
            for each in found:
                screen.row(Row("", "upgrade", upgrade_data(each)))
        else:
            for line in upgrade_lines(found, news_only=screen.quiet):
                screen.line(line)
        if not screen.quiet or any(each.new for each in found):
            screen.line(summary)


def _summary(found: Sequence[Upgrade], source: str, *, dry: bool, complete: bool) -> str:
    count = sum(bool(each.new) for each in found)
    versions = f"{count} version{'' if count == 1 else 's'}"
    if count:
        return f"{source}: {versions} {'would be raised (--dry-run)' if dry else 'raised'}"
    if all(each.left for each in found) and complete:
        return f"{source}: no exact version to raise; nothing to write"
    return f"{source}: nothing newer{'' if complete else ' is known'}; nothing to write"


def _follow(params: Mapping[str, Any], screen: Screen) -> int:
    """Show the plan, or carry it out; say what is to be done about the lock."""
    view = session().view
    has_lock = view.read_lock() is not None
    session.cache_clear()
    if not params["build"]:
        code = 0
        if not screen.quiet and not screen.is_json:
            code = show_plan(view.config.source)
        if has_lock:
            screen.line(
                f"{view.lock_name} still has the versions before; build the new ones, then lock them: "
                f"{COMMAND} setup && {COMMAND} lock"
            )
        return code
    flags = [f"--{name}" for name in ("quiet", "verbose") if params[name]]
    flags += [f"--progress={params['progress']}", f"--wait={params['wait']}"]
    code = run_doit(["run", *flags, "setup"])
    if code or not has_lock:
        return code
    session.cache_clear()
    return run_doit(["lock", *flags[:-1]])


def _wanted(config: Config, words: Sequence[str]) -> tuple[ToRaise, ...]:
    """Return the packages that are meant, list by list; a ConfigError names a word that is none of them."""
    places = _places(config)
    names = {name: [each for each in places if each.name == name] for name in (*RUNTIMES, *config.images)}
    first = words[0].partition(":")[2] or words[0] if words else ""
    named = first if first in names else first.removesuffix("-custom")
    packages = words
    if named in names and words:
        places, packages = names[named], words[1:]
    lists = [ToRaise(place=each, packages=each.read(config)) for each in places]
    if not packages:
        return tuple(each for each in lists if each.packages)
    chosen: dict[Declared, list[str]] = {}
    for word in packages:
        found = [(each.place, text) for each in lists for text in _named(each, word, config)]
        if not found:
            raise _absent(config, word, lists, named if named in names else "", names)
        for place, text in found:
            chosen.setdefault(place, []).append(text)
    return tuple(
        ToRaise(place=place, packages=tuple(dict.fromkeys(texts))) for place, texts in chosen.items()
    )


def _places(config: Config) -> list[Declared]:
    """Return every list of packages that deps.toml may have."""
    runtimes = [
        Declared(name=name, is_system=system)
        for name in RUNTIMES
        for system in (False, True)
        if not (system and needs_no_system(name))
    ]
    images = [
        Declared(name=name, is_image=True, is_system=system)
        for name in config.images
        for system in (False, True)
    ]
    return [*runtimes, *images]


def _named(wanted: ToRaise, word: str, config: Config) -> list[str]:
    """Return the packages of a list that a word names."""
    ecosystem = wanted.place.ecosystem(config)
    try:
        meant = parse_spec(ecosystem, word)
    except SpecError:
        return []
    found = [text for text in wanted.packages if parse_spec(ecosystem, text).name == meant.name]
    if found and meant.constraint:
        raise ConfigError(_of_a_version(wanted.place, meant, word))
    return found


def _of_a_version(place: Declared, meant: Spec, word: str) -> str:
    where = f"--image {place.name}" if place.is_image else place.name
    system = " --system" if place.is_system else ""
    return (
        f"upgrade: {word}: expected a name without a version; to declare that one: {COMMAND} add {where}{system} "
        f"'{word}', and to raise it: {COMMAND} upgrade {meant.name}"
    )


def _absent(
    config: Config, word: str, lists: Sequence[ToRaise], named: str, names: Mapping[str, object]
) -> Isol8Error:
    there = [parse_spec(each.place.ecosystem(config), text).name for each in lists for text in each.packages]
    if named:
        what = f"{config.source}: {named} has no package {word}"
        return ConfigError(unknown(what, word, dict.fromkeys(there), "it has:") if there else what)
    what = f"{config.source}: {word} is no runtime, image or package in it"
    return ConfigError(unknown(what, word, dict.fromkeys([*there, *names]), "there are:"))
