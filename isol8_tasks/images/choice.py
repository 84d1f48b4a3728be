"""Which image a request gets: by runtime and packages, from what the engine holds."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Generic, Literal, TypeVar

from attrs import frozen

from isol8_tasks.config.strict import unknown
from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.ecosystems.specs import SpecError, parse_spec
from isol8_tasks.errors import ConfigError
from isol8_tasks.images import labels
from isol8_tasks.images.observed import Observed, ObservedImage
from isol8_tasks.values import ByValue

Fit = Literal["custom", "base", "exact", "superset", "none"]
"""The specification's custom image or base for a request without packages; else what fits, or that nothing does."""

_T = TypeVar("_T")
_OLDEST: Final = "v0.1 to v0.11.0"
_TAGGED: Final = "v0.11.1 to v0.17"
_LABELLED: Final = "v0.18 and later"


@frozen(kw_only=True, eq=False, repr=False)
class Choice(ByValue):
    """The image that a request gets, and why."""

    runtime: str
    packages: tuple[str, ...]
    """What was asked for; sorted and unique."""
    image: str | None
    """With its repository; None where nothing fits."""
    why: Fit
    more: tuple[str, ...] = ()
    """Packages of the image that were not asked for."""
    setup: bool = False
    """Clients from v0.18 on run the image's setup script before each execution."""


@frozen(kw_only=True, eq=False, repr=False)
class ClientChoice(ByValue):
    """What isol8's own clients of one generation take for the same request."""

    client: str
    image: str
    """With its repository, whether it is on the engine or not."""
    same: bool
    """It is the image that the request gets here."""
    lacks: bool
    """The image does not have every package of the request."""
    by_order: bool
    """Several images fit, and which one is taken depends on the order in which the engine lists them."""


def preferred(observed: Observed, runtime: str) -> str | None:
    """Return the reference of the image that a runtime runs: the custom one where it exists, else the base.

    This is isol8's resolveImage() as specified: tags decide, whoever made the images.
    """
    for name in (f"{runtime}-custom", runtime):
        if observed.public(name) is not None:
            return observed.public_tag(name)
    return None


def requested(runtime: str, packages: Iterable[str]) -> tuple[str, ...]:
    """Return the packages of a request, sorted and unique; a ConfigError names every one that is not a package."""
    if runtime not in RUNTIMES:
        raise ConfigError(unknown(f"{runtime!r} is not a runtime", runtime, RUNTIMES))
    found, problems = set(), []
    for text in packages:
        try:
            found.add(parse_spec(RUNTIMES[runtime].ecosystem, text).text)
        except SpecError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError("\n".join(problems))
    return tuple(sorted(found))


def choose(
    observed: Observed, runtime: str, packages: tuple[str, ...] = (), *, among: "Requests | None" = None
) -> Choice:
    """Decide which image a request gets.

    With packages it is an image of ours that has exactly these, else the one with the fewest more, and of several
    the first by name. Who has many requests looks at the images once, and hands in what is `among` them.
    """
    if not packages:
        image = preferred(observed, runtime)
        why: Fit = "none" if image is None else "custom" if image.endswith("-custom") else "base"
        found = observed.tagged(image) if image else None
        return Choice(
            runtime=runtime, packages=(), image=image, why=why, setup=found is not None and _has_setup(found)
        )
    wanted = frozenset(packages)
    ours = (among or Requests(observed)).ours(runtime, wanted)
    if ours is None:
        return Choice(runtime=runtime, packages=packages, image=None, why="none")
    name, has = ours
    held = observed.public(name)
    return Choice(
        runtime=runtime,
        packages=packages,
        image=observed.public_tag(name),
        why="superset" if has - wanted else "exact",
        more=tuple(sorted(has - wanted)),
        setup=held is not None and _has_setup(held),
    )


def client_choices(
    observed: Observed, choice: Choice, *, among: "Requests | None" = None
) -> tuple[ClientChoice, ...]:
    """Say what isol8's own clients take for the same request, oldest first, if they look in this repository.

    `among` as for `choose`.
    """
    runtime, packages = choice.runtime, choice.packages
    by_tag = preferred(observed, runtime) or observed.public_tag(runtime)
    hashed = f"{observed.public_tag(runtime)}-custom-{labels.client_tag_suffix(runtime, packages)}"
    by_hash = hashed if packages and observed.tagged(hashed) else by_tag
    by_label, by_order = (among or Requests(observed)).by_labels(runtime, frozenset(packages))
    return tuple(
        ClientChoice(
            client=client,
            image=image,
            same=choice.image is not None and observed.tagged(image) == observed.tagged(choice.image),
            lacks=not set(packages) <= _packages(observed, image),
            by_order=by_order and image == by_label,
        )
        for client, image in ((_OLDEST, by_tag), (_TAGGED, by_hash), (_LABELLED, by_label))
    )


def _has_setup(image: ObservedImage) -> bool:
    return bool(image.labels.get("org.isol8.setup"))


def _packages(observed: Observed, reference: str) -> set[str]:
    image = observed.tagged(reference)
    record = observed.read(image) if image else None
    return set(record.packages) if record else set()


class Requests:
    """What images have, looked at once for any number of requests."""

    def __init__(self, observed: Observed) -> None:
        ours = []
        for name in observed.promoted:
            image, record = observed.public(name), observed.record(name)
            if image and record and record.packages:
                has = frozenset(record.packages)
                ours.append((len(has), name, image.labels.get("org.isol8.runtime", ""), has))
        self._observed = observed
        self._ours: _Having[str] = _Having()
        """Names of our images with packages; those with the fewest first, then by name."""
        for _, name, runtime, has in sorted(ours):
            self._ours.add(runtime, has, name)
        self._labelled: _Having[ObservedImage] = _Having()
        """Every image with labels for isol8's clients, in the engine's order."""
        for image in observed.images:
            listed = image.labels.get("org.isol8.dependencies", "").split(",")
            has = frozenset(listed)
            runtime = image.labels.get("org.isol8.runtime", "")
            self._labelled.add(runtime, has, image, is_exact=len(has) == len(listed))

    def ours(self, runtime: str, wanted: frozenset[str]) -> tuple[str, frozenset[str]] | None:
        """Return the image of ours with exactly these packages, else with the fewest more, and what it has."""
        exact = self._ours.exact(runtime, wanted)
        return (exact[0], wanted) if exact else next(self._ours.more(runtime, wanted), None)

    def by_labels(self, runtime: str, wanted: frozenset[str]) -> tuple[str, bool]:
        """Choose as v0.18 does (packages/core/src/engine/docker.ts): the first exact match, else the last superset.

        And tell whether the engine's order decided.
        """
        fitting: Sequence[ObservedImage] = ()
        if wanted:
            fitting = (
                self._labelled.exact(runtime, wanted)
                or [each for each, _ in self._labelled.more(runtime, wanted)][::-1]
            )
        first = fitting[0].tags[0] if fitting else self._observed.public_tag(runtime)
        return first, len(fitting) > 1


class _Having(Generic[_T]):
    """Things by runtime and the packages that they have, in the order in which they were added."""

    def __init__(self) -> None:
        self._exact: dict[tuple[str, frozenset[str]], list[_T]] = {}
        self._by_package: dict[tuple[str, str], list[tuple[_T, frozenset[str]]]] = {}

    def add(self, runtime: str, has: frozenset[str], thing: _T, *, is_exact: bool = True) -> None:
        if is_exact:
            self._exact.setdefault((runtime, has), []).append(thing)
        for package in has:
            self._by_package.setdefault((runtime, package), []).append((thing, has))

    def exact(self, runtime: str, wanted: frozenset[str]) -> Sequence[_T]:
        return self._exact.get((runtime, wanted), ())

    def more(self, runtime: str, wanted: frozenset[str]) -> Iterator[tuple[_T, frozenset[str]]]:
        """Yield what has these and maybe more; only what has the rarest of them is looked at."""
        having = min((self._by_package.get((runtime, each), []) for each in wanted), key=len)
        return (each for each in having if wanted <= each[1])
