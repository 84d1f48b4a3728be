"""The text of deps.lock.toml from the images in use, and the policy that holds a run to it."""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from attrs import define, frozen

from isol8_tasks.config.lockfile import Lock, LockedImage, lacks_checksums, parse_lock, refusal, render_lock
from isol8_tasks.ecosystems.inventory import Package, decode
from isol8_tasks.ecosystems.updates import Pin, Resolution, Update
from isol8_tasks.errors import COMMAND, ConfigError, Isol8Error, VerifyFailedError
from isol8_tasks.freshness.news import installed_resolution, package_updates, recorded_packages
from isol8_tasks.freshness.survey import AT_ONCE
from isol8_tasks.images.observed import Observed
from isol8_tasks.images.references import Reference, short_names
from isol8_tasks.lifecycle.promotion import has_layers
from isol8_tasks.plan.model import ImageSpec
from isol8_tasks.plan.reasons import NotAsLocked
from isol8_tasks.run.events import Watching, unwatched
from isol8_tasks.run.policy import Policy
from isol8_tasks.run.view import View


@frozen(kw_only=True)
class WholeLock:
    """A lock that can be written."""

    platform: str
    """Whose file it is; empty where there is one lock."""
    text: str
    changed: tuple[str, ...]
    """Names of the images that are in it in another way than before."""


def whole_lock(view: View, watch: Watching = unwatched) -> WholeLock:
    """Return the lock of all images of a view, for its platform.

    What is in an image as it was keeps what the lock says of it, and nobody is asked for it.

    Raises:
        Isol8Error: an image is not there or not up to date, or what is in it can't be had again.
        ConfigError: deps.toml is missing, and the lock would lose what it declared.

    """
    if view.graph.missing:
        raise ConfigError(view.graph.missing)
    old = _read_if_there(view)
    specs = view.graph.images
    waiting = [spec.name for spec in specs if view.decisions[spec.name].state not in _SETTLED]
    if waiting:
        raise Isol8Error(
            f"{', '.join(view.public_tag(name) for name in waiting)}: not up to date; a lock "
            "records images as "
            f"they are built, so build them first: {COMMAND} setup"
        )
    with ThreadPoolExecutor(AT_ONCE) as pool:
        images = dict(
            zip(
                (spec.name for spec in specs),
                pool.map(lambda spec: _watched(spec, view, old, watch), specs),
                strict=True,
            )
        )
    text = render_lock(images)
    if view.redactor(text) != text:
        raise Isol8Error(
            f"{view.lock_name}: not written: it would contain a credential from an address that a "
            "package source returned; name a source in [build] args without credentials in its addresses"
        )
    if problem := _unhashed(images) or refusal(text):
        raise Isol8Error(f"{problem}\n{view.lock_name} is unchanged")
    changed = tuple(name for name, image in images.items() if old is None or old.images.get(name) != image)
    return WholeLock(platform=view.lock_platform, text=text, changed=changed)


def lock_policy(view: View) -> Policy:
    """Return the policy to build exactly what the lock has, and to take an image for current only if it is that.

    Raises:
        ConfigError: there is no lock, it can't be read, or it is of other images than deps.toml has.

    """
    keeper = Keeper(required_lock(view), view)
    keeper.check()
    return Policy(
        lacking=keeper.lacking,
        pin=keeper.pin,
        demand=keeper.demand,
        no_cache=True,
        behind=dict(keeper.behind()),
    )


def required_lock(view: View) -> Lock:
    """Return the lock; ConfigError says that there is none, or that it can't be read."""
    text, name = view.read_lock(), view.lock_name
    if text is None:
        raise ConfigError(f"{name}: not found, but --locked needs it; write it: {COMMAND} lock")
    return parse_lock(text, name)


@define(eq=False)
class Keeper:
    """What a lock asks of a run."""

    lock: Lock
    view: View

    def check(self) -> None:
        """Raise ConfigError for every image of the run that the lock does not have as it is asked for."""
        problems = [problem for spec in self.view.graph.images if (problem := self._problem(spec))]
        if problems:
            raise ConfigError("\n".join([*problems, f"Rewrite the lock: {COMMAND} lock"]))

    def _problem(self, spec: ImageSpec) -> str:
        image = self.lock.images.get(spec.name)
        if image is None:
            asked = self.view.config.declaration(spec.name)
            return (
                f"{self.lock.source}: images.{spec.name}: not in the "
                f"lock{f', but declared in {asked}' if asked else ''}"
            )
        place = f"{self.lock.place(spec.name)}: images.{spec.name}"
        for what, locked, declared in _asked(image, spec):
            if locked != declared:
                return f"{place}: locked with {what}{_listed(locked)}, but declared with {what}{_listed(declared)}"
        if image.parent != (spec.parent or ""):
            return (
                f"{place}: its locked parent is {image.parent or 'none'}, its declared parent "
                f"{spec.parent or 'none'}"
            )
        if set(image.upstream) != set(_upstream(spec)):
            return (
                f"{place}: its locked upstream image is {_listed(image.upstream)}, the Dockerfile has "
                f"{_listed(_upstream(spec))}"
            )
        return ""

    def pin(self, spec: ImageSpec) -> Resolution:
        """Return what the lock has of an image's own."""
        return self.lock.images[spec.name].resolution

    def lacking(self, spec: ImageSpec, observed: Observed) -> dict[str, str]:
        """Return the upstream images of a base that are not here as locked, and each by its digest."""
        digests = {
            reference: self.lock.images[spec.name].upstream[short]
            for short, reference in _upstream(spec).items()
        }
        return {
            reference: str(Reference.parse(reference).at(digest))
            for reference, digest in digests.items()
            if (here := observed.tagged(reference)) is None or here.digest(reference) != digest
        }

    def demand(self, spec: ImageSpec, inventory: str) -> None:
        """Raise VerifyFailedError for a build that has something else than the lock."""
        found = decode(inventory)
        there = found[1] if found else ()
        other = package_updates(self.lock.there(spec.name), there)
        lines = [f"{each.ecosystem} {each.words}" for each in other]
        lines += [
            f"{each.ecosystem} {each.name} {each.version} has the checksum {each.checksum}, but {wanted} is locked"
            for each, wanted in self._otherwise(spec, there)
        ]
        if lines:
            image = self.view.public_tag(spec.name)
            first = f"{image} does not match {self.lock.place(spec.name)}"
            raise VerifyFailedError(
                "\n".join([first, *(f"  {line}" for line in lines), _advice(lines)]), findings=tuple(lines)
            )

    def _otherwise(self, spec: ImageSpec, there: Iterable[Package]) -> Iterator[tuple[Package, str]]:
        """Give the packages of apk that are there in the version of the lock and with another content."""
        wanted = self.lock.checksums(spec.name)
        for each in there:
            if each in wanted and each.checksum != wanted[each]:
                yield each, wanted[each]

    def behind(self) -> Iterator[tuple[str, tuple[NotAsLocked, ...]]]:
        """Tell which images there are of something else than the lock has."""
        seen: dict[str, frozenset[Update]] = {}
        for spec in self.view.graph.images:
            record = self.view.observed.record(spec.name)
            found = self.view.observed.inventory(spec.name)
            if record is None or found is None:
                continue
            other = frozenset(package_updates(found[1], self.lock.there(spec.name)))
            other |= {
                Update(
                    ecosystem=each.ecosystem, name=each.name, old=each.checksum or "no checksum", new=wanted
                )
                for each, wanted in self._otherwise(spec, found[1])
            }
            seen[spec.name] = other
            own = tuple(sorted(other - seen.get(spec.parent or "", frozenset())))
            names = {reference: short for short, reference in _upstream(spec).items()}
            wanted = self.lock.images[spec.name].upstream.get(names.get(spec.upstream, ""))
            moved = (spec.upstream,) if spec.parent is None and wanted != record.upstream_digest else ()
            if own or moved:
                yield spec.name, (NotAsLocked(upstream=moved, updates=own),)


def _watched(spec: ImageSpec, view: View, old: Lock | None, watch: Watching) -> LockedImage:
    with watch(spec.name, "asking for hashes"):
        return _locked(spec, view, old)


def _locked(spec: ImageSpec, view: View, old: Lock | None) -> LockedImage:
    observed = view.observed
    image, record = observed.public(spec.name), observed.record(spec.name)
    if image is None or record is None or not has_layers(view.engine, image.id, record.layers):
        raise Isol8Error(
            f"{observed.public_tag(spec.name)}: its layers are not those that its labels record, so what is in it "
            f"is undetermined; rebuild it: {COMMAND} {spec.task} --force"
        )
    there, below = recorded_packages(spec.name, observed), frozenset[Package]()
    if spec.parent is not None:
        below = recorded_packages(spec.parent, observed)
    known = old.images.get(spec.name) if old else None
    own, gone = there - below, below - there
    if known and _is_same(known, spec, own):
        pins, lockfile = known.packages, known.lockfile
    else:
        resolution = installed_resolution(spec, observed, view.engine)
        hashes = {pin.package: pin.integrity for pin in resolution.pins}
        pins = tuple(
            sorted(
                Pin(
                    ecosystem=each.ecosystem,
                    name=each.name,
                    version=each.version,
                    integrity=each.checksum or hashes.get(each, ""),
                )
                for each in own
            )
        )
        lockfile = resolution.lockfile
    return LockedImage(
        parent=spec.parent or "",
        upstream={
            short: _digest(spec, short, reference, observed) for short, reference in _upstream(spec).items()
        },
        asked=spec.inputs.packages,
        system=spec.inputs.system,
        build=spec.inputs.build,
        packages=pins,
        gone=tuple(sorted(gone)),
        platform=spec.inputs.platform,
        lockfile=lockfile,
    )


def _asked(image: LockedImage, spec: ImageSpec) -> tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]:
    """Return what a lock has of the packages asked for beside what is declared now, by what they are called."""
    return (
        ("", image.asked, spec.inputs.packages),
        ("system packages ", image.system, spec.inputs.system),
        ("build packages ", image.build, spec.inputs.build),
        ("platform ", _one(image.platform), _one(spec.inputs.platform)),
    )


def _one(word: str) -> tuple[str, ...]:
    return (word,) if word else ()


def _is_same(known: LockedImage, spec: ImageSpec, own: frozenset[Package]) -> bool:
    """Tell whether what a lock has of an image is still what is in it, so that nobody has to be asked for hashes."""
    checksums = {(each, each.checksum) for each in own if each.checksum}
    return (
        all(locked == declared for _, locked, declared in _asked(known, spec))
        and {pin.package for pin in known.packages} == own
        and {(pin.package, pin.integrity) for pin in known.packages} >= checksums
    )


def _unhashed(images: Mapping[str, LockedImage]) -> str:
    if not lacks_checksums(images.values()):
        return ""
    return (
        "the images were built before checksums of their packages were recorded; rebuild them: "
        f"{COMMAND} setup --force"
    )


def _digest(spec: ImageSpec, short: str, reference: str, observed: Observed) -> str:
    image = observed.tagged(reference)
    record = observed.record(spec.name)
    digest = image.digest(reference) if image else ""
    if not digest and record is not None and record.upstream == reference:
        digest = record.upstream_digest
    if not digest:
        raise Isol8Error(
            f"{observed.public_tag(spec.name)}: {short} has no registry digest, so "
            "it cannot be locked; pull it and rebuild"
        )
    return digest


def _upstream(spec: ImageSpec) -> Mapping[str, str]:
    """Return the references of a base's upstream images, by what is left of each without where it is fetched from."""
    return short_names(reference for reference, _ in spec.inputs.upstream)


def _advice(lines: Iterable[str]) -> str:
    """Say what can be done about packages of which a repository has only one version."""
    if any(each.startswith("apk ") for each in lines):
        return (
            "A repository of Alpine has one version of a package: name one that has the locked versions in "
            f"APK_REPOSITORY, or rewrite the lock: {COMMAND} lock"
        )
    return f"Rewrite the lock: {COMMAND} lock"


def _listed(words: Iterable[str]) -> str:
    return " ".join(words) or "nothing"


def _read_if_there(view: View) -> Lock | None:
    text = view.read_lock()
    try:
        return parse_lock(text, view.lock_name) if text is not None else None
    except ConfigError:
        # It is written again, which is what everybody else is told to do about it.
        return None


_SETTLED: Final = frozenset({"up-to-date", "held"})
