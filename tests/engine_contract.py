"""What every ImageEngine promises: the real one on each of its builders, and the fake."""

import re
import threading
import time

import pytest
from attrs import evolve

from isol8_tasks.engine import BuildEvent, BuildRequest, FileContent, ImageEngine, ObservedImage
from isol8_tasks.engine.upkeep import UpkeepEngine
from isol8_tasks.errors import BuildFailedError, EngineError, ReplacedError, UpstreamUnavailableError

BASE = "alpine:3.21"
REPOSITORY = "isol8contract"


def reference(name: str) -> str:
    """Return a tag that is the tests' own."""
    return f"{REPOSITORY}:{name}"


def ignore(_event: BuildEvent) -> None:
    """Hear of an event, and forget it."""


def listed(engine: ImageEngine, tag: str) -> ObservedImage | None:
    """Return the image that the list has under a tag."""
    return next((image for image in engine.images() if tag in image.tags), None)


def request(
    name: str, *lines: str, labels: dict[str, str] | None = None, no_cache: bool = False
) -> BuildRequest:
    """Return a build on the upstream image."""
    text = "\n".join((f"FROM {BASE}", *lines)) + "\n"
    return BuildRequest(tag=reference(name), dockerfile=text, labels=labels or {}, no_cache=no_cache)


class EngineContract:
    """The promises; a subclass gives the fixture `engine`, which holds the upstream image."""

    def test_it_answers(self, engine: ImageEngine) -> None:
        """A running engine answers a ping, and from then on its version is known."""
        engine.close()
        assert engine.version() == ""
        engine.ping()
        assert engine.version() != ""

    def test_it_is_the_same_engine_each_time(self, engine: ImageEngine) -> None:
        """The id, by which runs lock one another out, does not change."""
        first = engine.info()
        engine.close()
        assert engine.info() == first
        assert first.id

    def test_it_tells_its_platform(self, engine: ImageEngine) -> None:
        """It is what a build finds in the arguments that the builder sets."""
        assert re.fullmatch(r"linux/[a-z0-9]+", engine.platform())

    def test_a_build_ends_in_the_list(self, engine: ImageEngine) -> None:
        """The image is listed under its tag, with the id that the build returned and the labels it was given."""
        image_id = engine.build(request("a", labels={"one": "1", "empty": ""}), ignore)
        image = listed(engine, reference("a"))
        assert image is not None
        assert image.id == image_id
        assert dict(image.labels).items() >= {"one": "1", "empty": ""}.items()
        assert image.size > 0
        assert image.created > 0

    def test_only_images_with_a_tag_are_listed(self, engine: ImageEngine) -> None:
        """An image that lost its tag to another is gone from the list."""
        old = engine.build(request("a", labels={"n": "1"}), ignore)
        new = engine.build(request("a", labels={"n": "2"}), ignore)
        ids = {image.id for image in engine.images()}
        assert new in ids
        assert old not in ids
        assert all(image.tags and image.tags == tuple(sorted(image.tags)) for image in engine.images())

    def test_labels_are_inherited_and_overridden(self, engine: ImageEngine) -> None:
        """A child has its parent's labels, but for those that it is given itself."""
        engine.build(request("a", labels={"kept": "1", "new": "1"}), ignore)
        child = BuildRequest(
            tag=reference("b"), dockerfile=f"FROM {reference('a')}\n", labels={"new": "2", "own": "3"}
        )
        engine.build(child, ignore)
        image = listed(engine, reference("b"))
        assert image is not None
        assert dict(image.labels).items() >= {"kept": "1", "new": "2", "own": "3"}.items()

    def test_a_failing_step_is_named_and_the_tag_stays(self, engine: ImageEngine) -> None:
        """The error carries the step and its last lines; what was built before stays under its tag."""
        before = engine.build(request("a"), ignore)
        with pytest.raises(BuildFailedError) as caught:
            engine.build(request("a", "RUN echo first; echo last; false"), ignore)
        assert str(caught.value) == (
            f"{reference('a')} could not be built: [2/2] RUN echo first; echo last; false: exit code 1"
        )
        assert caught.value.step == "[2/2] RUN echo first; echo last; false"
        assert caught.value.output == ("first", "last")
        image = listed(engine, reference("a"))
        assert image is not None
        assert image.id == before

    @pytest.mark.parametrize(
        "dockerfile",
        ["FROM isol8-contract.invalid/nothing:1\n", f"FROM {BASE}\nCOPY nothing /\n"],
        ids=["no such parent", "no such file"],
    )
    def test_what_is_missing_fails_the_build(self, engine: ImageEngine, dockerfile: str) -> None:
        """A parent or a file that isn't there is a failed build, and no tag is set."""
        with pytest.raises(BuildFailedError, match=r"^isol8contract:c could not be built: "):
            engine.build(BuildRequest(tag=reference("c"), dockerfile=dockerfile), ignore)
        assert listed(engine, reference("c")) is None

    def test_only_the_target_and_what_it_stands_on_is_built(self, engine: ImageEngine) -> None:
        """A stage that the target does not need may fail as it likes."""
        text = (
            f"FROM {BASE} AS base\nRUN echo base\nFROM base AS other\nRUN false\n"
            "FROM base AS wanted\nRUN echo wanted\n"
        )
        lines: list[str] = []
        engine.build(
            BuildRequest(tag=reference("a"), dockerfile=text, target="wanted", no_cache=True),
            lambda event: lines.append(event.line),
        )
        assert [line for line in lines if line] == ["base", "wanted"]

    def test_files_and_arguments_reach_the_build(self, engine: ImageEngine) -> None:
        """The context's files can be copied, and a build argument chooses the parent."""
        build = BuildRequest(
            tag=reference("a"),
            dockerfile="ARG PARENT=nothing\nFROM ${PARENT}\nCOPY file /file\n",
            context={"file": FileContent(data=b"content", executable=True)},
            args={"PARENT": BASE},
        )
        assert engine.build(build, ignore)

    def test_events_tell_of_steps_and_lines(self, engine: ImageEngine) -> None:
        """A step is told with its place, and each line with its step; no credentials are in either."""
        events: list[BuildEvent] = []
        step = "RUN echo https://me:secret@host/"
        engine.build(request("a", step, no_cache=True), events.append)
        hidden = "RUN echo https://***@host/"
        assert BuildEvent(kind="step", step=hidden, number=2, total=2) in events
        line = BuildEvent(kind="log", step=hidden, number=2, total=2, line="https://***@host/")
        assert line in events
        assert "secret" not in repr(events)

    def test_the_cache_is_used_unless_told_otherwise(self, engine: ImageEngine) -> None:
        """What was built once comes from the cache, and says so; `no_cache` runs it again."""

        def kinds(*, no_cache: bool) -> set[str]:
            found: list[BuildEvent] = []
            engine.build(request("a", "RUN echo cached", no_cache=no_cache), found.append)
            return {event.kind for event in found if event.step == "RUN echo cached"}

        engine.build(request("a", "RUN echo cached"), ignore)
        assert "cached" in kinds(no_cache=False)
        assert kinds(no_cache=True) == {"step", "log"}

    def test_triggers_are_told_and_end_with_the_child(self, engine: ImageEngine) -> None:
        """A child has the ONBUILD triggers that its own Dockerfile says, and none of its parent's."""
        engine.build(request("a", "ONBUILD ARG ONE", "ONBUILD ARG TWO"), ignore)
        parent = engine.inspect(reference("a"))
        assert parent is not None
        assert parent.onbuild == ("ARG ONE", "ARG TWO")
        engine.build(BuildRequest(tag=reference("b"), dockerfile=f"FROM {reference('a')}\n"), ignore)
        child = engine.inspect(reference("b"))
        assert child is not None
        assert child.onbuild == ()
        assert child.layers == parent.layers
        again = f"FROM {reference('a')}\nONBUILD ARG ONE\n"
        engine.build(BuildRequest(tag=reference("b"), dockerfile=again), ignore)
        child = engine.inspect(reference("b"))
        assert child is not None
        assert child.onbuild == ("ARG ONE",)

    def test_the_steps_of_an_image(self, engine: ImageEngine) -> None:
        """A child has its parent's steps and its own; labels that a build is given are none."""
        engine.build(request("parent", "RUN echo one"), ignore)
        parent = engine.steps(reference("parent"))
        child = BuildRequest(tag=reference("child"), dockerfile=f"FROM {reference('parent')}\nENV A=1\n")
        engine.build(evolve(child, labels={"org.isol8.x": "1"}), ignore)
        assert "echo one" in parent[-1]
        more = engine.steps(reference("child"))[len(parent) :]
        assert [step for step in more if "LABEL org.isol8.x=" not in step] == [more[0]]
        assert "ENV A=1" in more[0]
        assert engine.steps(reference("nothing")) == ()

    def test_the_files_of_an_image(self, engine: ImageEngine) -> None:
        """They have one digest, whatever labels it has; an image that is not here has none."""
        engine.build(request("one", "RUN echo one > /x"), ignore)
        engine.build(request("again", "RUN echo one > /x", labels={"a": "b"}), ignore)
        engine.build(request("two", "RUN echo two > /x"), ignore)
        one, again, two = (engine.files(reference(name)) for name in ("one", "again", "two"))
        assert one == again != two
        assert engine.files(reference("never")) == ""

    def test_an_image_that_is_not_here_has_no_details(self, engine: ImageEngine) -> None:
        """Asking for what does not exist is no error."""
        assert engine.inspect(reference("never")) is None

    def test_a_tag_moves(self, engine: ImageEngine) -> None:
        """Tagging takes a tag or an id, and removes the tag from what had it."""
        first = engine.build(request("a", labels={"n": "1"}), ignore)
        second = engine.build(request("b", labels={"n": "2"}), ignore)
        engine.tag(reference("a"), reference("moving"))
        engine.tag(second, reference("moving"))
        image = listed(engine, reference("moving"))
        assert image is not None
        assert image.id == second != first
        assert image.tags == (reference("b"), reference("moving"))

    def test_nothing_can_not_be_tagged(self, engine: ImageEngine) -> None:
        """A source that does not exist was removed by somebody else."""
        with pytest.raises(ReplacedError, match=r"isol8contract:never was removed by another run"):
            engine.tag(reference("never"), reference("a"))

    def test_the_last_tag_takes_the_image_along(self, engine: ImageEngine) -> None:
        """An image stays while it has a tag, and goes with its last; a tag that is gone is no error."""
        image_id = engine.build(request("a", labels={"n": "3"}), ignore)
        engine.tag(reference("a"), reference("b"))
        engine.untag(reference("a"))
        assert engine.inspect(image_id) is not None
        engine.untag(reference("b"))
        assert engine.inspect(image_id) is None
        engine.untag(reference("b"))
        engine.untag(image_id)

    def test_an_image_without_a_tag_is_removed_by_its_id(self, engine: ImageEngine) -> None:
        """What lost its tag to another can still be named by its id."""
        old = engine.build(request("a", "RUN echo old", labels={"n": "4"}), ignore)
        engine.build(request("a", "RUN echo new", labels={"n": "5"}), ignore)
        engine.untag(old)
        assert engine.inspect(old) is None

    def test_an_image_with_several_tags_is_not_removed_by_its_id(self, engine: ImageEngine) -> None:
        """Nobody's tag is taken away along with an id."""
        image_id = engine.build(request("a", labels={"n": "6"}), ignore)
        engine.tag(reference("a"), reference("b"))
        with pytest.raises(EngineError, match=rf"^the engine did not remove {image_id}: "):
            engine.untag(image_id)
        assert listed(engine, reference("a")) is not None

    def test_a_pull_that_fails_leaves_what_is_there(self, engine: ImageEngine) -> None:
        """A registry that can't be reached is told as that."""
        name = "isol8-contract.invalid/image:1"
        engine.tag(BASE, name)
        try:
            with pytest.raises(UpstreamUnavailableError, match=rf"^{name} could not be pulled: "):
                engine.pull(name)
            assert engine.inspect(name) is not None
        finally:
            engine.untag(name)

    def test_cancelling_ends_a_build(self, engine: ImageEngine) -> None:
        """A build that is aborted raises soon, and sets no tag; the engine goes on to serve others."""
        begun = threading.Event()
        raised: list[Exception] = []

        def listen(event: BuildEvent) -> None:
            if event.kind == "log":
                begun.set()

        def build() -> None:
            try:
                engine.build(request("slow", "RUN echo begun; sleep 60", no_cache=True), listen)
            except EngineError as error:
                raised.append(error)

        thread = threading.Thread(target=build)
        thread.start()
        assert begun.wait(30)
        start = time.monotonic()
        engine.cancel()
        thread.join(20)
        assert not thread.is_alive()
        assert time.monotonic() - start < 10
        assert [str(error) for error in raised] == [f"the build of {reference('slow')} was aborted"]
        assert listed(engine, reference("slow")) is None
        assert engine.build(request("a"), ignore)

    def test_builds_run_side_by_side(self, engine: ImageEngine) -> None:
        """Several threads may build at once."""
        ids: list[str] = []
        threads = [
            threading.Thread(
                target=lambda n=number: ids.append(
                    engine.build(request(f"n{n}", f"RUN echo {n}", labels={"n": f"{n}"}), ignore)
                )
            )
            for number in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(set(ids)) == len(threads)

    def test_what_lost_its_tag_is_listed_apart(self, engine: UpkeepEngine) -> None:
        """An image with our labels and no tag is told by its id and labels, and no other is."""
        ours = {"org.isol8.tasks.schema": "1", "n": "7"}
        old = engine.build(request("a", "RUN echo lost", labels=ours), ignore)
        foreign = engine.build(request("b", "RUN echo foreign"), ignore)
        assert old not in {image.id for image in engine.nameless()}
        engine.build(request("a", labels={"n": "8"}), ignore)
        engine.build(request("b", labels={"n": "9"}), ignore)
        found = {image.id: image for image in engine.nameless()}
        if engine.info().store.startswith("containerd"):
            assert old not in found
            return
        assert foreign not in found
        assert found[old].tags == ()
        assert found[old].labels["n"] == "7"
        engine.untag(old)
        assert old not in {image.id for image in engine.nameless()}

    def test_the_cache_of_builds_can_be_bounded(self, engine: UpkeepEngine) -> None:
        """What is forgotten of builds takes no room any more, and images stay."""
        kept = engine.build(request("a", "RUN echo kept"), ignore)
        before = engine.disk()
        assert before.images > 0
        engine.build(request("b", "RUN dd if=/dev/zero of=/room bs=1M count=64", no_cache=True), ignore)
        engine.untag(reference("b"))
        engine.forget_builds(before.cache)
        assert engine.disk().cache < before.cache + 32_000_000
        assert engine.inspect(kept) is not None
