"""Staleness: what has to be done for an image, and why."""

import datetime as dt

import pytest
from attrs import evolve

from isol8_tasks.dockerfile.inputs import StageInputs, Step
from isol8_tasks.errors import PlanError
from isol8_tasks.images import labels
from isol8_tasks.images.labels import Record
from isol8_tasks.images.observed import Observed, ObservedImage
from isol8_tasks.plan import current, reasons
from isol8_tasks.plan.decision import Circumstances, Decision
from isol8_tasks.plan.fingerprint import encode_inputs, key
from isol8_tasks.plan.graph import Graph
from isol8_tasks.plan.model import ContextFile, ImageSpec, Inputs
from isol8_tasks.plan.staleness import decide, decide_again, decide_all

INPUTS = Inputs(
    recipe=1,
    runtime="bash",
    stages=(
        StageInputs(name="bash", steps=(Step(line=1, text="FROM upstream:1"), Step(line=2, text="RUN true"))),
    ),
    files=(("proxy.mjs", ContextFile(digest="a" * 64)),),
    upstream=(("alpine:3.21", "0123456789ab"),),
)
BASE = ImageSpec(
    name="bash",
    task="base:bash",
    kind="base",
    runtime="bash",
    parent=None,
    inputs=INPUTS,
    dockerfile="",
    target="bash",
)
CUSTOM = ImageSpec(
    name="bash-custom",
    task="custom:bash",
    kind="custom",
    runtime="bash",
    parent="bash",
    inputs=Inputs(recipe=1, runtime="bash", packages=("jq",)),
    dockerfile="",
    target=None,
)
CURRENT = Decision(image="bash", task="base:bash", state="up-to-date")


def image(spec: ImageSpec, *, number: int = 1, **more: object) -> ObservedImage:
    record = Record(
        image=spec.name,
        role="current",
        key=key(spec.inputs),
        inputs=encode_inputs(spec.inputs),
        build=f"b{number}",
        parent="b1" if spec.parent else "",
        checkout="here",
        packages=spec.inputs.packages,
        flags=spec.flags,
        recipe=spec.inputs.recipe,
    )
    return ObservedImage(
        id=f"sha256:{spec.name}{number}",
        tags=(f"isol8:{spec.name}", f"isol8_build:{spec.name}"),
        labels=labels.write(evolve(record, **more)),  # type: ignore[arg-type]  # each test knows its field
    )


def held(*images: ObservedImage) -> Observed:
    return Observed(repository="isol8", images=images)


def why(
    spec: ImageSpec, observed: Observed, parent: Decision | None = None, *, forced: bool = False
) -> Decision:
    return decide(
        spec, observed, parent, Circumstances(checkout="here", forced={spec.name} if forced else ())
    )


class TestBase:
    """Decisions about an image that is based on an upstream one."""

    def test_the_same_inputs_are_up_to_date(self) -> None:
        """An image with the key of today's inputs needs nothing."""
        assert why(BASE, held(image(BASE))) == CURRENT

    def test_nothing_under_the_tag_is_missing(self) -> None:
        """An image that does not exist is missing."""
        found = why(BASE, held())
        never = reasons.Missing(image="bash", built_before=False)
        assert (found.state, found.reasons) == ("not-built", (never,))

    def test_another_step_is_named_with_its_line(self) -> None:
        """A changed step makes it stale, and the reason carries stage and line."""
        step = Step(line=9, text="RUN false")
        stage = evolve(INPUTS.stages[0], steps=(INPUTS.stages[0].steps[0], step))
        spec = evolve(BASE, inputs=evolve(INPUTS, stages=(stage,)))
        assert why(spec, held(image(BASE))).reasons == (reasons.StepChanged(stage="bash", line=9),)

    def test_a_moved_upstream_image(self) -> None:
        """Another id under the upstream reference makes it stale."""
        spec = evolve(BASE, inputs=evolve(INPUTS, upstream=(("alpine:3.21", "ffffffffffff"),)))
        assert why(spec, held(image(BASE))).reasons == (reasons.UpstreamMoved(reference="alpine:3.21"),)

    def test_news_of_its_sources(self) -> None:
        """An image whose sources have something newer is stale for that alone, and a held one waits."""
        old = reasons.GrownOld(age=dt.timedelta(days=9), max_age=dt.timedelta(days=7))
        circumstances = Circumstances(checkout="here", behind={"bash": (old,)})
        found = decide(BASE, held(image(BASE)), None, circumstances)
        assert (found.state, found.reasons) == ("stale", (old,))
        waits = evolve(circumstances, held={"bash": dt.timedelta(days=2)})
        found = decide(BASE, held(image(BASE)), None, waits)
        assert (found.state, found.reasons) == ("held", (old,))

    def test_an_upstream_image_that_is_not_here_has_not_moved(self) -> None:
        """What was removed here is taken to be what it was, under another reference too."""
        for reference in ("alpine:3.21", "mirror.example/alpine:3.21"):
            spec = evolve(BASE, inputs=evolve(INPUTS, upstream=((reference, None),)))
            assert why(spec, held(image(BASE))).state == "up-to-date"

    @pytest.mark.parametrize(
        ("digests", "recorded", "state"),
        [
            (("alpine@sha256:d",), "sha256:d", "up-to-date"),
            (("alpine@sha256:e",), "sha256:d", "stale"),
            ((), "sha256:d", "stale"),
            ((), "", "stale"),
        ],
    )
    def test_an_upstream_image_of_the_same_digest_has_not_moved(
        self, digests: tuple[str, ...], recorded: str, state: str
    ) -> None:
        """An engine with another kind of store calls it by another id; what has no digest is told by its id alone."""
        upstream = ObservedImage(id="sha256:ba9876543210", tags=("alpine:3.21",), labels={}, digests=digests)
        spec = evolve(BASE, inputs=evolve(INPUTS, upstream=(("alpine:3.21", upstream.mark("alpine:3.21")),)))
        promoted = image(BASE, upstream="alpine:3.21", upstream_digest=recorded)
        assert why(spec, held(promoted, upstream)).state == state

    def test_digest_that_moved_to_the_same_image(self) -> None:
        """As when one of the same tag for another processor was rebuilt: what is here did not move."""
        before, now = (("alpine:3.21", f"{digest}.0123456789ab") for digest in ("d" * 12, "e" * 12))
        built = evolve(BASE, inputs=evolve(INPUTS, upstream=(before,)))
        assert why(evolve(BASE, inputs=evolve(INPUTS, upstream=(now,))), held(image(built))) == CURRENT

    @pytest.mark.parametrize(
        ("mark", "digest"),
        [
            ("0123456789ab", ""),
            ("d" * 12 + ".0123456789ab", ""),
            ("d" * 12, "sha256:" + "d" * 64),
            (None, ""),
        ],
        ids=["by its id", "by its id, with a digest by now", "by its digest", "not here"],
    )
    def test_labels_of_the_first_schema_are_replaced_without_a_build(
        self, mark: str | None, digest: str
    ) -> None:
        """They told upstream images by the id alone; where that is the same image, nothing else is new."""
        spec = evolve(BASE, inputs=evolve(INPUTS, upstream=(("alpine:3.21", mark),)))
        observed = held(image(BASE, schema=1, upstream="alpine:3.21", upstream_digest=digest))
        found = why(spec, observed)
        assert (found.state, found.relabel) == ("stale", True)
        assert found.reasons == (reasons.SchemaChanged(old=1, new=labels.LABELS_SCHEMA),)

    def test_labels_of_the_first_schema_on_another_upstream_image(self) -> None:
        """What is stale for another reason is built."""
        spec = evolve(BASE, inputs=evolve(INPUTS, upstream=(("alpine:3.21", "e" * 12),)))
        found = why(spec, held(image(BASE, schema=1, upstream="alpine:3.21")))
        assert (found.state, found.relabel) == ("stale", False)
        assert found.reasons[0] == reasons.UpstreamMoved(reference="alpine:3.21")

    @pytest.mark.parametrize(
        ("here", "digest", "mark"),
        [
            ("a" * 12 + ".0123456789ab", "", "a" * 12 + ".0123456789ab"),
            (None, "sha256:" + "a" * 64, "a" * 12 + ".0123456789ab"),
            (None, "", "0123456789ab"),
        ],
        ids=["as it is here", "not here, as recorded", "not here, by its id alone"],
    )
    def test_what_the_first_schema_becomes(self, here: str | None, digest: str, mark: str) -> None:
        """Its upstream image is written down by its registry digest, as far as that is known."""
        observed = held(image(BASE, schema=1, upstream="alpine:3.21", upstream_digest=digest))
        record = observed.record("bash")
        assert record is not None
        inputs = evolve(INPUTS, upstream=(("alpine:3.21", here),))
        found = current.relabelled_inputs(inputs, record)
        assert found == evolve(INPUTS, upstream=(("alpine:3.21", mark),))

    def test_one_more_upstream_image_that_is_not_here(self) -> None:
        """An upstream image that was not built on before can't be taken for known."""
        spec = evolve(BASE, inputs=evolve(INPUTS, upstream=(*INPUTS.upstream, ("other:1", None))))
        assert why(spec, held(image(BASE))).state == "stale"

    def test_somebody_elses_image(self) -> None:
        """A public tag without the marker is not ours."""
        foreign = ObservedImage(id="x", tags=("isol8:bash",), labels=image(BASE).labels)
        assert why(BASE, held(foreign)).reasons == (reasons.NotOurs(image="bash"),)

    def test_a_commit_of_ours_with_the_marker_elsewhere(self) -> None:
        """A commit of the promoted image has its build id, and is somebody else's."""
        commit = ObservedImage(id="x", tags=("isol8:bash",), labels=image(BASE).labels)
        ours = evolve(image(BASE), tags=("isol8_build:bash",))
        assert why(BASE, held(commit, ours)).reasons == (reasons.NotOurs(image="bash"),)

    def test_a_promotion_that_was_cut_short(self) -> None:
        """A marker on a newer build than the public tag's is told apart from a foreign image."""
        old = evolve(image(BASE), tags=("isol8:bash",))
        new = evolve(image(BASE, number=2), tags=("isol8_build:bash",))
        assert why(BASE, held(old, new)).reasons == (reasons.PromotionCutShort(image="bash"),)

    def test_another_schema(self) -> None:
        """Labels of another form make the image stale once, and say so."""
        assert why(BASE, held(image(BASE, schema=0))).reasons == (reasons.SchemaChanged(old=0, new=2),)

    def test_another_recipe(self) -> None:
        """A new release that builds in another way announces it."""
        spec = evolve(BASE, inputs=evolve(INPUTS, recipe=2))
        assert why(spec, held(image(BASE))).reasons == (reasons.RecipeChanged(old=1, new=2),)

    def test_a_key_that_nothing_explains(self) -> None:
        """When no input differs and the key does, that is what is said."""
        assert why(BASE, held(image(BASE, key="0" * 64))).reasons == (reasons.Unexplained(),)

    def test_inputs_that_cannot_be_read(self) -> None:
        """A key that differs beside inputs that can't be read is said to be unexplained."""
        assert why(BASE, held(image(BASE, key="0" * 64, inputs="?"))).reasons == (reasons.Unexplained(),)

    def test_another_checkout_is_named(self) -> None:
        """Images of other inputs that another checkout built are said to be that; of the same inputs, not."""
        assert why(BASE, held(image(BASE, checkout="there"))).state == "up-to-date"
        spec = evolve(BASE, inputs=evolve(INPUTS, recipe=2))
        assert why(spec, held(image(BASE, checkout="there"))).reasons == (
            reasons.RecipeChanged(old=1, new=2),
            reasons.OtherCheckout(name="there"),
        )

    def test_forced(self) -> None:
        """What is asked for by force is stale, whatever else it is."""
        assert why(BASE, held(image(BASE)), forced=True).reasons == (reasons.Forced(),)


class TestCustom:
    """Decisions about an image that is based on one of ours."""

    def test_the_build_of_the_parent_counts(self) -> None:
        """A parent with another build id makes it stale."""
        observed = held(image(BASE), image(CUSTOM))
        assert why(CUSTOM, observed, CURRENT).state == "up-to-date"
        observed = held(image(BASE, number=2), image(CUSTOM))
        assert why(CUSTOM, observed, CURRENT).reasons == (reasons.ParentRebuilt(parent="bash"),)

    def test_a_parent_that_will_be_rebuilt(self) -> None:
        """A stale parent makes it stale before the parent is built."""
        observed = held(image(BASE), image(CUSTOM))
        stale = evolve(CURRENT, state="stale")
        assert why(CUSTOM, observed, stale).reasons == (reasons.ParentStale(parent="bash"),)

    def test_without_a_decision_on_the_parent_its_own_inputs_decide(self) -> None:
        """Nothing is said about a parent that nothing is known of."""
        assert why(CUSTOM, held(image(CUSTOM))).state == "up-to-date"

    def test_a_parent_that_is_not_ours_any_more(self) -> None:
        """A parent without a record is not the one that was built on."""
        assert why(CUSTOM, held(image(CUSTOM)), CURRENT).reasons == (reasons.ParentRebuilt(parent="bash"),)

    def test_a_package_more_and_one_less(self) -> None:
        """Packages that came and went are named."""
        spec = evolve(CUSTOM, inputs=evolve(CUSTOM.inputs, packages=("curl",)))
        observed = held(image(BASE), image(CUSTOM))
        assert why(spec, observed, CURRENT).reasons == (
            reasons.PackagesChanged(added=("curl",), removed=("jq",)),
        )

    def test_flags_to_remember_need_no_build(self) -> None:
        """When only what is remembered differs, labels are enough."""
        spec = evolve(CUSTOM, flags=(("jq", "2026-11-22"),))
        found = why(spec, held(image(BASE), image(CUSTOM)), CURRENT)
        assert found.relabel
        assert found.reasons == (reasons.FlagsChanged(added=("jq",), removed=()),)

    def test_flags_and_a_new_package_need_a_build(self) -> None:
        """A build writes the labels again anyway, and no package is reported twice."""
        spec = evolve(
            CUSTOM, flags=(("curl", "2026-11-22"),), inputs=evolve(CUSTOM.inputs, packages=("curl", "jq"))
        )
        found = why(spec, held(image(BASE), image(CUSTOM)), CURRENT)
        assert not found.relabel
        assert found.reasons == (reasons.PackagesChanged(added=("curl",), removed=()),)

    def test_flags_for_other_packages_than_the_new_ones_are_reported(self) -> None:
        """What only the labels have to remember is a reason of its own."""
        spec = evolve(
            CUSTOM, flags=(("jq", "2026-11-22"),), inputs=evolve(CUSTOM.inputs, packages=("curl", "jq"))
        )
        found = why(spec, held(image(BASE), image(CUSTOM)), CURRENT)
        assert found.reasons == (
            reasons.PackagesChanged(added=("curl",), removed=()),
            reasons.FlagsChanged(added=("jq",), removed=()),
        )

    def test_a_withdrawn_image_forgets_its_flags_and_is_not_rebuilt(self) -> None:
        """Dropped flags change labels only, even when the base was rebuilt, forced or not."""
        flagged = evolve(CUSTOM, flags=(("jq", "2026-01-01"),))
        spec = evolve(CUSTOM, withdrawn=True)
        found = why(spec, held(image(BASE, number=2), image(flagged)), CURRENT, forced=True)
        assert found.relabel
        assert found.reasons == (reasons.FlagsChanged(added=(), removed=("jq",)),)

    def test_a_base_for_another_client_is_not_rebuilt(self) -> None:
        """Its label alone is another, so what is based on it stays, and there is nothing to do afterwards."""
        base = evolve(BASE, build_hash="new")
        before, after = (
            evolve(image(base), labels={**image(base).labels, labels.BUILD_HASH: value})
            for value in ("old", "new")
        )
        found = why(base, held(before))
        assert (found.state, found.relabel) == ("stale", True)
        assert found.reasons == (reasons.BuildHashChanged(old="old", new="new"),)
        assert why(CUSTOM, held(before, image(CUSTOM)), found).state == "up-to-date"
        assert why(base, held(after)).state == "up-to-date"


NAMED = ImageSpec(
    name="tools",
    task="image:tools",
    kind="named",
    runtime="bash",
    parent="bash",
    inputs=Inputs(recipe=1, runtime="bash", packages=("jq",), setup="true"),
    dockerfile="",
    target=None,
)
CHILD = evolve(
    NAMED,
    name="more",
    task="image:more",
    parent="tools",
    inputs=Inputs(recipe=1, runtime="bash", packages=("curl",)),
)


class TestNamed:
    """Decisions along a chain."""

    CHAIN = Graph(images=(BASE, NAMED, CHILD))
    HELD = held(image(BASE), image(NAMED), image(CHILD))

    def test_a_chain_that_is_as_it_was(self) -> None:
        """Nothing is to be done for images whose inputs and parents are what they were."""
        found = decide_all(self.CHAIN, self.HELD, Circumstances(checkout="here"))
        assert {decision.state for decision in found.values()} == {"up-to-date"}

    def test_what_changes_in_the_middle_goes_down_the_chain(self) -> None:
        """Packages and script of an image make it stale by their names, and what is based on it by its own."""
        changed = evolve(NAMED, inputs=evolve(NAMED.inputs, packages=("yq",), setup=""))
        found = decide_all(Graph(images=(BASE, changed, CHILD)), self.HELD, Circumstances(checkout="here"))
        assert found["bash"].state == "up-to-date"
        assert found["tools"].reasons == (
            reasons.PackagesChanged(added=("yq",), removed=("jq",)),
            reasons.SetupChanged(),
        )
        assert found["more"].reasons == (reasons.ParentStale(parent="tools"),)

    def test_a_parent_that_was_rebuilt(self) -> None:
        """The build of a named parent counts as that of a base does."""
        observed = held(image(BASE), image(NAMED, number=2), image(CHILD))
        found = decide_all(self.CHAIN, observed, Circumstances(checkout="here"))
        assert found["more"].reasons == (reasons.ParentRebuilt(parent="tools"),)

    def test_another_parent(self) -> None:
        """An image whose parent is another one than it was built on says so, in whatever state that one is."""
        base, tools = image(BASE, number=2), image(NAMED)
        child = image(CHILD)
        child = evolve(child, labels={**child.labels, labels.BASE_NAME: "isol8:tools"})
        moved = evolve(CHILD, parent="bash")
        found = decide_all(
            Graph(images=(BASE, NAMED, moved)), held(base, tools, child), Circumstances(checkout="here")
        )
        assert found["more"].reasons == (reasons.ParentReplaced(old="tools", new="bash"),)

    @pytest.mark.parametrize(
        "foreign", ["localhost:5000/team/tools", f"tools@sha256:{'ab' * 32}", "a b:tools"]
    )
    def test_label_without_a_tag_names_no_parent(self, foreign: str) -> None:
        """Anybody's label may name an image without a tag, or none: a port is no name, nor is a digest."""
        child = image(CHILD)
        child = evolve(child, labels={**child.labels, labels.BASE_NAME: foreign})
        observed = held(image(BASE), image(NAMED, number=2), child)
        found = decide_all(self.CHAIN, observed, Circumstances(checkout="here"))
        assert found["more"].reasons == (reasons.ParentRebuilt(parent="tools"),)

    def test_an_image_that_was_built_before_is_only_missing(self) -> None:
        """An image whose tag went away was built before, and one without a marker never was."""
        gone = evolve(image(CHILD), tags=("isol8_build:more",))
        for images, before in (((gone,), True), ((), False)):
            found = decide_all(
                self.CHAIN, held(image(BASE), image(NAMED), *images), Circumstances(checkout="here")
            )
            assert found["more"].reasons == (reasons.Missing(image="more", built_before=before),)

    def test_deciding_again_is_deciding_all(self) -> None:
        """After one image changed, what is decided again for it and its children is what a fresh look gives."""
        for built in ((), (image(BASE),), (image(BASE), image(NAMED)), self.HELD.images):
            before = decide_all(self.CHAIN, held(*built), Circumstances(checkout="here"))
            after = held(image(BASE), image(NAMED, number=2), image(CHILD))
            again = decide_again(
                "bash", before, self.CHAIN, after, Circumstances(checkout="here", forced={"more"})
            )
            assert again == decide_all(self.CHAIN, after, Circumstances(checkout="here", forced={"more"}))

    def test_deciding_again_leaves_the_rest(self) -> None:
        """What is not based on the image keeps its decision."""
        graph = Graph(images=(BASE, CUSTOM, NAMED, CHILD))
        before = decide_all(graph, held(image(BASE)), Circumstances(checkout="here"))
        again = decide_again(
            "tools", before, graph, held(image(BASE), image(NAMED)), Circumstances(checkout="here")
        )
        assert [name for name in before if before[name] is not again[name]] == ["tools", "more"]
        assert (again["tools"].state, again["more"].state) == ("up-to-date", "not-built")


class TestAll:
    """Decisions about a whole graph."""

    def test_parents_are_decided_first(self) -> None:
        """A stale base makes its custom image stale, forced by name alone."""
        graph = Graph(images=(BASE, CUSTOM))
        observed = held(image(BASE), image(CUSTOM))
        found = decide_all(graph, observed, Circumstances(checkout="here", forced={"bash"}))
        assert [decision.state for decision in found.values()] == ["stale", "stale"]
        assert not any(
            each.pending for each in decide_all(graph, observed, Circumstances(checkout="here")).values()
        )

    def test_undeclared_images_are_reported(self) -> None:
        """What is undeclared has a state of its own and no task, unless it is being withdrawn."""
        found = decide_all(
            Graph(images=(BASE,), undeclared=("bash-custom",)),
            held(image(BASE)),
            Circumstances(checkout="here"),
        )
        assert found["bash-custom"] == Decision(image="bash-custom", task="", state="undeclared")
        spec = evolve(CUSTOM, withdrawn=True)
        graph = Graph(images=(BASE, spec), undeclared=("bash-custom",))
        found = decide_all(graph, held(image(BASE), image(CUSTOM)), Circumstances(checkout="here"))
        assert found["bash-custom"].task == "custom:bash"

    def test_an_error_is_about_one_image(self) -> None:
        """What goes wrong while one image is decided leaves the others decided."""

        class Broken(Observed):
            def public(self, name: str) -> ObservedImage | None:
                if name == "bash":
                    raise PlanError("it can't be told")
                return super().public(name)

        broken = Broken(repository="isol8", images=(image(BASE), image(CUSTOM)))
        found = decide_all(Graph(images=(BASE, CUSTOM)), broken, Circumstances(checkout="here"))
        assert (found["bash"].state, found["bash"].problem) == ("undetermined", "it can't be told")
        assert found["bash"].pending
        assert (found["bash-custom"].state, found["bash-custom"].problem) == (
            "undetermined",
            "parent isol8:bash is undetermined",
        )

    def test_a_problem_with_the_inputs_is_about_the_image_and_what_stands_on_it(self) -> None:
        """Nobody knows what it would be made of; what is undeclared stays as it is, all the same."""
        base = evolve(BASE, problem="docker/x: can't be read")
        observed = held(image(BASE), image(CUSTOM))
        here = Circumstances(checkout="here", forced={"bash"})
        found = decide_all(Graph(images=(base, CUSTOM)), observed, here)
        assert found["bash"] == Decision(
            image="bash", task="base:bash", state="undetermined", problem="docker/x: can't be read"
        )
        assert found["bash-custom"].problem == "parent isol8:bash is undetermined"
        withdrawn = decide_all(Graph(images=(base, evolve(CUSTOM, withdrawn=True))), observed, here)
        assert withdrawn["bash-custom"].state == "up-to-date"

    def test_a_held_image_with_a_problem_stays_held(self) -> None:
        """It is left alone either way, and so is what is based on it; the problem is told."""
        base = evolve(BASE, problem="docker/x: can't be read")
        found = decide_all(
            Graph(images=(base, CUSTOM)),
            held(image(BASE), image(CUSTOM)),
            Circumstances(checkout="here", held={"bash": dt.timedelta(days=1)}),
        )
        assert found["bash"].problem == "docker/x: can't be read"
        assert [decision.state for decision in found.values()] == ["held", "up-to-date"]


def test_effective_inputs_of_an_unreadable_record_are_the_inputs() -> None:
    """Without a memory of what was built on, an upstream image that is not here stays unknown."""
    record = Record(image="bash", role="current", key="k", inputs="?", build="b", checkout="c")
    inputs = evolve(INPUTS, upstream=(("alpine:3.21", None),))
    assert current.effective_inputs(inputs, record) == inputs


class TestRegistry:
    """Images that a registry has, up to date or not."""

    GRAPH = Graph(images=(BASE, CUSTOM))
    HERE = Circumstances(checkout="here")

    @staticmethod
    def there(spec: ImageSpec, *, number: int = 1, key_there: str = "") -> tuple[ObservedImage, ...]:
        found = image(spec, number=number, **({"key": key_there} if key_there else {}))
        return (evolve(found, tags=(), digests=(f"registry.example/isol8@sha256:{spec.name}",)),)

    def test_image_that_is_up_to_date_there_is_pulled_by_its_digest(self) -> None:
        """So is what is based on it, and what is not there is built."""
        remote = {"bash": self.there(BASE), "bash-custom": self.there(CUSTOM)}
        found = decide_all(self.GRAPH, held(), self.HERE, remote)
        assert {each.state for each in found.values()} == {"in-registry"}
        assert found["bash"].pulled_by == "registry.example/isol8@sha256:bash"
        assert all(each.pending for each in found.values())
        alone = decide_all(self.GRAPH, held(), self.HERE, {"bash": self.there(BASE)})
        assert [each.state for each in alone.values()] == ["in-registry", "not-built"]

    def test_image_on_another_build_of_its_parent_is_built(self) -> None:
        remote = {"bash": self.there(BASE, number=2), "bash-custom": self.there(CUSTOM)}
        found = decide_all(self.GRAPH, held(), self.HERE, remote)
        assert [each.state for each in found.values()] == ["in-registry", "not-built"]
        assert found["bash-custom"].reasons == (reasons.ParentRebuilt(parent="bash"),)

    def test_second_one_is_taken_where_the_first_is_of_other_inputs(self) -> None:
        remote = {"bash": (*self.there(BASE, key_there="f" * 64), *self.there(BASE))}
        assert decide_all(self.GRAPH, held(), self.HERE, remote)["bash"].state == "in-registry"

    @pytest.mark.parametrize("role", ["candidate", "previous"])
    def test_image_that_is_not_in_use_there_is_built(self, role: str) -> None:
        """Nobody says that it was verified, and a pull would refuse it."""
        (there,) = self.there(BASE)
        remote = {"bash": (evolve(there, labels={**there.labels, labels.ROLE_LABEL: role}),)}
        assert decide_all(self.GRAPH, held(), self.HERE, remote)["bash"].state == "not-built"

    def test_image_that_is_up_to_date_here_stays(self) -> None:
        remote = {"bash": self.there(BASE, number=2)}
        assert decide_all(self.GRAPH, held(image(BASE)), self.HERE, remote)["bash"].state == "up-to-date"

    def test_forced_image_is_built(self) -> None:
        circumstances = Circumstances(checkout="here", forced={"bash"})
        found = decide_all(self.GRAPH, held(image(BASE)), circumstances, {"bash": self.there(BASE)})
        assert found["bash"].state == "stale"

    def test_child_is_decided_again_once_its_parent_was_pulled(self) -> None:
        remote = {"bash": self.there(BASE), "bash-custom": self.there(CUSTOM)}
        found = decide_all(self.GRAPH, held(), self.HERE, remote)
        again = decide_again("bash", found, self.GRAPH, held(image(BASE)), self.HERE, remote)
        assert [each.state for each in again.values()] == ["up-to-date", "in-registry"]


class TestCandidates:
    """Images that were built and not promoted."""

    GRAPH = Graph(images=(BASE, CUSTOM))
    NOW = dt.datetime(2026, 11, 30, tzinfo=dt.UTC)
    HERE = Circumstances(checkout="here", now=NOW, candidate_age=dt.timedelta(days=7))

    def candidate(self, spec: ImageSpec, **more: object) -> ObservedImage:
        build = ("c" if spec.parent else "b") * 16
        fields = {"role": "candidate", "build": build, "parent": "b" * 16, **more}
        found = image(spec, number=1, **fields)
        return evolve(
            found,
            id=f"{found.id}-candidate",
            tags=(f"isol8_build:{spec.name}-20261129T230000Z-{build}-candidate",),
        )

    def test_whole_chain_is_promoted(self) -> None:
        """What is based on a candidate is decided as if that was promoted; the states say what is in use."""
        base, child = self.candidate(BASE), self.candidate(CUSTOM)
        found = decide_all(self.GRAPH, held(child, base), self.HERE)
        assert [each.state for each in found.values()] == ["not-built", "not-built"]
        assert [each.candidates for each in found.values()] == [(base,), (child,)]
        assert not any(each.is_rebuilt for each in found.values())

    def test_reasons_stay(self) -> None:
        """An image in use is stale all the same, and what is based on it."""
        old = image(BASE, key="0" * 64)
        found = decide_all(self.GRAPH, held(old, image(CUSTOM), self.candidate(BASE)), self.HERE)
        assert found["bash"].reasons == (reasons.Unexplained(),)
        assert found["bash-custom"].reasons == (reasons.ParentRebuilt(parent="bash"),)
        assert found["bash-custom"].is_rebuilt

    @pytest.mark.parametrize("other", [{"key": "0" * 64}, {"parent": "e" * 16}], ids=str)
    def test_other_key_or_parent(self, other: dict[str, object]) -> None:
        """It is another image, whatever else it is."""
        base = image(BASE, build="b" * 16)
        found = decide_all(self.GRAPH, held(base, self.candidate(CUSTOM, **other)), self.HERE)
        assert found["bash-custom"].candidates == ()
        found = decide_all(self.GRAPH, held(base, self.candidate(CUSTOM)), self.HERE)
        assert len(found["bash-custom"].candidates) == 1

    @pytest.mark.parametrize(
        "circumstances",
        [
            evolve(HERE, candidate_age=dt.timedelta(0)),
            evolve(HERE, candidate_age=dt.timedelta(minutes=59)),
            evolve(HERE, forced={"bash"}),
            evolve(HERE, behind={"bash": (reasons.Forced(),)}),
            evolve(HERE, held={"bash": dt.timedelta(days=1)}),
        ],
        ids=["none is taken", "too old", "forced", "behind", "held"],
    )
    def test_what_demands_more_than_the_inputs(self, circumstances: Circumstances) -> None:
        """Then the image is built, or left alone."""
        images = held(image(BASE, key="0" * 64), self.candidate(BASE))
        assert decide_all(self.GRAPH, images, circumstances)["bash"].candidates == ()

    def test_list_with_hashes(self) -> None:
        """A builder that takes the Dockerfile as it is compares no file with its hash."""
        hashed = evolve(CUSTOM, hashes={"jq": ("sha256:" + "a" * 64,)})
        base = image(BASE, build="b" * 16)
        found = decide_all(Graph(images=(BASE, hashed)), held(base, self.candidate(CUSTOM)), self.HERE)
        assert found["bash-custom"].candidates == ()

    def test_verified_one_of_the_registry_comes_first(self) -> None:
        """It is what others have in use."""
        remote = {"bash": TestRegistry.there(BASE)}
        found = decide_all(self.GRAPH, held(self.candidate(BASE)), self.HERE, remote)["bash"]
        assert (found.state, found.candidates) == ("in-registry", ())

    def test_other_flags_are_remembered_at_its_promotion(self) -> None:
        """They are labels alone."""
        base = image(BASE, build="b" * 16)
        flagged = evolve(CUSTOM, flags=(("jq", "2026-11-29"),))
        found = decide_all(Graph(images=(BASE, flagged)), held(base, self.candidate(CUSTOM)), self.HERE)
        assert len(found["bash-custom"].candidates) == 1


class TestUntried:
    """Packages of which an index is asked whether they can be installed."""

    @pytest.mark.parametrize(
        ("packages", "asked"),
        [
            (("jq", "yq"), ("yq",)),
            (("jq",), ("jq",)),
            (("jq>=1.7",), ("jq>=1.7",)),
        ],
        ids=["one more", "none is new", "another version"],
    )
    def test_what_the_image_in_use_has(self, packages: tuple[str, ...], asked: tuple[str, ...]) -> None:
        """Only what it does not have is asked for; where it has all, a rebuild may bring newer versions of all."""
        spec = evolve(CUSTOM, inputs=evolve(CUSTOM.inputs, packages=packages))
        assert current.untried_packages(spec, held(image(BASE), image(CUSTOM))) == asked

    @pytest.mark.parametrize(
        "images",
        [(image(BASE),), (image(CUSTOM),), (image(BASE, number=2), image(CUSTOM))],
        ids=["no image yet", "no parent", "another parent"],
    )
    def test_nothing_is_known(self, images: tuple[ObservedImage, ...]) -> None:
        """Another parent may have another Python, for which nothing is known."""
        spec = evolve(CUSTOM, inputs=evolve(CUSTOM.inputs, packages=("jq", "yq")))
        assert current.untried_packages(spec, held(*images)) == ("jq", "yq")

    def test_without_a_parent(self) -> None:
        """An image on an upstream one is asked for as a whole."""
        spec = evolve(BASE, inputs=evolve(INPUTS, packages=("jq",)))
        assert current.untried_packages(spec, held(image(BASE))) == ("jq",)
