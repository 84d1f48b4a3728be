"""How a run brings one image up to date: from what it is built on to its tag."""

import functools
from collections.abc import Callable, Collection, Iterable, Mapping

from attrs import evolve

from isol8_tasks.dockerfile.misnamed import mistyped_stage
from isol8_tasks.ecosystems.runtimes import ecosystem_of
from isol8_tasks.ecosystems.updates import Resolution
from isol8_tasks.engine import BuildEvent, OnEvent
from isol8_tasks.errors import OTHER_UPSTREAM, PlanError, RegistryError, UpstreamUnavailableError
from isol8_tasks.images import labels
from isol8_tasks.images.observed import Observed, marker_tag
from isol8_tasks.images.pushed import Listed, Pushed
from isol8_tasks.images.references import Reference
from isol8_tasks.lifecycle.build import Accept, Outcome, accept_candidate, build_image, relabel_image
from isol8_tasks.lifecycle.promotion import client_tags
from isol8_tasks.plan.decision import Decision
from isol8_tasks.plan.description import Provenance
from isol8_tasks.plan.model import ImageSpec
from isol8_tasks.run.alpine import ensure_installable
from isol8_tasks.run.policy import Policy
from isol8_tasks.run.view import View
from isol8_tasks.run.workspace import now
from isol8_tasks.verify.verifications import Verify


def make_image(  # noqa: PLR0913, PLR0917 - what it is made of
    decision: Decision,
    view: View,
    policy: Policy,
    verify: Verify,
    on_event: OnEvent,
    put: Accept = accept_candidate,
) -> Outcome:
    """Do what was decided about an image; what it is built on is pulled first where it is missing.

    `put` lets be in use what was built.
    """
    spec = with_upstream(decision.image, view, policy, on_event)
    if decision.relabel:
        return relabel_image(spec, view.observed, view.engine)

    def accept(spec: ImageSpec, image_id: str) -> str:
        inventory = verify(spec, image_id)
        if policy.demand:
            policy.demand(spec, inventory)
        return inventory

    refused: list[str] = []
    if taken := _taken(spec, view, accept, on_event, refused, put):
        return taken
    resolution = _resolution(spec, view, policy)
    if resolution is None:
        ensure_installable(spec, view)
    built = build_image(
        spec,
        view.observed,
        view.engine,
        provenance=provenance_of(view),
        context=view.context_of(spec),
        on_event=on_event,
        force=policy.no_cache or spec.name in view.forced,
        resolution=resolution,
        verify=accept,
        download_cache=view.config.build.download_cache,
        saves=saves(spec, view),
        accept=put,
    )
    return evolve(built, notes=(*refused, *built.notes))


def _taken(  # noqa: PLR0913, PLR0917 - as make_image
    spec: ImageSpec, view: View, verify: Verify, on_event: OnEvent, refused: list[str], put: Accept
) -> Outcome | None:
    """Promote the first candidate that can be the image; None where there is none, and `refused` gets the reasons."""
    for image in view.candidates(spec.name):
        from isol8_tasks.lifecycle.taking import take_candidate  # noqa: PLC0415 - few runs find one

        on_event(BuildEvent(kind="waiting", step="a candidate is verified, and not built again"))
        taken = take_candidate(
            spec,
            view.observed,
            view.engine,
            image,
            provenance=provenance_of(view),
            verify=verify,
            saves=saves(spec, view),
            accept=put,
        )
        if isinstance(taken, Outcome):
            return taken
        refused.append(f"a candidate was not promoted: {taken}")
    return None


def pulled(step: str, done: int, size: int) -> BuildEvent:
    """Return what there is to tell of a pull that has come so far, in bytes."""
    return BuildEvent(kind="pulled", step=step, transfer=(done, size))


def sent(repository: str, done: int, size: int) -> BuildEvent:
    """Return what there is to tell of a push that is so far, in bytes."""
    return BuildEvent(kind="sent", step=f"pushing to {repository}", transfer=(done, size))


def pull_instead(
    decision: Decision, view: View, accept: Callable[[str], object] | None, on_event: OnEvent
) -> tuple[Outcome, Pushed]:
    """Pull an image that is up to date in the registry, and promote it; return what came of it, and where it is.

    RegistryError says what is wrong with it, and so may `accept`, which gets its id; what is in use then stays.
    """
    from isol8_tasks.lifecycle.transfer import pull_image  # noqa: PLC0415 - for who has a registry

    name = decision.image
    there, where = view.remote.place_of(name, decision.pulled_by)
    record = labels.read_record(there.labels)
    listed = Listed(
        name=name,
        id="",
        kind="",
        key=record.key if record else "",
        standin=record.standin if record else "",
        # It may be other labels of what is in use there, which is where it stays to be found.
        pushed=Pushed(
            repository=where.repository, tag=where.tag, digest=decision.pulled_by.partition("@")[2]
        ),
    )
    image = pull_image(
        listed,
        view.observed,
        view.engine,
        accept,
        lambda done, size: on_event(pulled(f"pulling {where.repository}", done, size)),
    ) or view.observed.public(name)
    if image is None:
        raise RegistryError(f"{view.public_tag(name)} was removed during the run; run again")
    tags = (marker_tag(name, view.repository), *client_tags(view.repository, name, image.labels))
    return Outcome(image=name, result="pulled", image_id=image.id, labels=image.labels, tags=tags), where


def acceptance(name: str, view: View, verify: Verify) -> Callable[[str], object] | None:
    """Return what verifies an image by its id that was verified elsewhere; None where deps.toml trusts that."""
    if not view.config.verify.again:
        return None
    spec = next((each for each in view.graph.images if each.name == name), None)
    if spec is None:
        raise RegistryError(
            f"{view.public_tag(name)} is not declared here, so [verify] again = true can't verify it\n"
            "Declare it in deps.toml, or pull without that key"
        )
    return functools.partial(verify, spec)


def saves(spec: ImageSpec, view: View) -> bool:
    """Tell whether it saves a build or a push that an image stays which a rebuild came to."""
    return bool(view.config.registry.repository) or any(
        each.parent == spec.name for each in view.graph.images
    )


def any_age(built: Collection[str], view: View, policy: Policy) -> tuple[str, ...]:
    """Return which of the images built are of packages of which nobody can say that they have been out for min_age."""
    if policy.pin or not view.config.refresh.limits_every_build:
        return ()
    return tuple(
        spec.name
        for spec in view.graph.images
        if spec.name in built
        and (
            spec.parent is None
            or spec.inputs.setup
            or spec.inputs.system
            or (spec.inputs.packages and not ecosystem_of(spec.runtime).is_dated)
        )
    )


def with_upstream(name: str, view: View, policy: Policy, on_event: OnEvent) -> ImageSpec:
    """Pull what an image is built on where it is missing, and return the image as it then is specified."""

    def tell(references: str) -> None:
        on_event(BuildEvent(kind="waiting", step=f"pulling {references} …"))

    def on_bytes(done: int, size: int) -> None:
        on_event(pulled("pulling what it is based on", done, size))

    unknown = True
    while unknown:
        if lacking := _lacking(name, view, policy):
            # Without the mutex, so that nothing waits which can do without these.
            try:
                _free_digests(lacking, view)
                view.pulls.pull(lacking, tell, on_bytes)
            except UpstreamUnavailableError as error:
                raise _mistyped(name, view) or error from error
        with view.mutex:
            if lacking and _lacking(name, view, policy):
                view.look_again()
                _refuse_others(_lacking(name, view, policy), view)
            # ONBUILD triggers of an upstream image can ask for another one.
            unknown = view.learn(name)
    return view.graph.image(name)


def _lacking(name: str, view: View, policy: Policy) -> Mapping[str, str]:
    with view.mutex:
        spec = view.graph.image(name)
        return policy.lacking(spec, view.of_the_platform(view.observed, spec))


def _free_digests(lacking: Iterable[str], view: View) -> None:
    """Take the digests off upstream images for other platforms, since an engine leaves them there when it pulls ours.

    Without a digest, an image counts by its id, and nobody knows what its index has for others.
    """
    if not view.config.build.platform:
        return
    here = Observed(repository=view.repository, images=view.engine.images())
    found = ((reference, here.tagged(reference)) for reference in lacking)
    for reference, image in found:
        detail = view.engine.inspect(image.id) if image and image.digest(reference) else None
        if image and detail and detail.platform and detail.platform != view.engine.platform():
            view.engine.untag(str(Reference.parse(reference).at(image.digest(reference))))


def _refuse_others(lacking: Iterable[str], view: View) -> None:
    """Raise UpstreamUnavailableError for an upstream image that was pulled, and is for another platform still."""
    for reference in lacking:
        detail, wanted = view.engine.inspect(reference), view.engine.platform()
        if detail and detail.platform and detail.platform != wanted:
            raise UpstreamUnavailableError(
                f"{reference} is for {detail.platform} here and where it is pulled from, and {wanted} is wanted: "
                f"{OTHER_UPSTREAM}"
            )


def _mistyped(name: str, view: View) -> PlanError | None:
    """Return what to say of an image that can't be pulled where a stage of the Dockerfile is meant."""
    with view.mutex:
        spec = view.graph.image(name)
    missing = (reference for reference, _ in spec.inputs.upstream if view.observed.tagged(reference) is None)
    found = next(filter(None, (mistyped_stage(view.dockerfile, each) for each in missing)), "")
    return (
        PlanError(f"{found}, nor an image of that name that can be pulled; correct the line")
        if found
        else None
    )


def _resolution(spec: ImageSpec, view: View, policy: Policy) -> Resolution | None:
    if policy.pin:
        return policy.pin(spec)
    settings = view.config.refresh
    if not settings.limits_every_build:
        return None
    from isol8_tasks.freshness.news import aged_resolution  # noqa: PLC0415 - for who has a limit

    return aged_resolution(spec, view.observed, view.engine, settings=settings, now=now())


def provenance_of(view: View) -> Provenance:
    """Return where and when a build of this run is made."""
    return Provenance(
        checkout=view.workspace.checkout_id,
        revision=view.workspace.revision(),
        created=now().strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
