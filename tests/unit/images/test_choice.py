"""Which image a request gets."""

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from isol8_tasks.errors import ConfigError
from isol8_tasks.images import labels
from isol8_tasks.images.choice import Choice, Requests, choose, client_choices, preferred, requested
from isol8_tasks.images.labels import Record
from isol8_tasks.images.observed import Observed, ObservedImage


def image(
    name: str, *packages: str, runtime: str = "python", setup: str = "", tags: str = ""
) -> ObservedImage:
    record = Record(
        image=name, role="current", key="k", inputs="", build=name, checkout="c", packages=packages
    )
    clients = labels.for_clients(
        runtime,
        "k",
        packages=None if name == runtime else packages,
        dependencies=",".join(each for each in packages if "," not in each),
        setup=setup,
    )
    return ObservedImage(
        id=name,
        tags=(f"isol8:{name}", *tags.split(), f"isol8_build:{name}"),
        labels={**labels.write(record), **clients},
    )


def held(*images: ObservedImage) -> Observed:
    return Observed(repository="isol8", images=images)


BASE = image("python")
CUSTOM = image("python-custom", "numpy")
ML = image("ml", "numpy", "pandas", setup="true")
BIG = image("big", "numpy", "pandas", "scipy")
ALL = held(BIG, ML, CUSTOM, BASE)


def chosen(observed: Observed, *packages: str) -> tuple[str | None, str]:
    found = choose(observed, "python", packages)
    return found.image, found.why


class TestWithoutPackages:
    """isol8's resolveImage()."""

    def test_custom_is_preferred_where_it_exists(self) -> None:
        """A custom image wins over the base."""
        assert chosen(ALL) == ("isol8:python-custom", "custom")

    def test_base_without_custom(self) -> None:
        """Without a custom image it is the base, and named images are for those who ask for packages."""
        assert chosen(held(ML, BASE)) == ("isol8:python", "base")

    def test_nothing_is_no_image(self) -> None:
        """A runtime with no image resolves to none."""
        assert chosen(held(ML)) == (None, "none")

    def test_tags_decide_whoever_made_the_images(self) -> None:
        """As the specification has it, a foreign image under the tag is the runtime's."""
        foreign = Observed(repository="x", images=(ObservedImage(id="1", tags=("x:bun",)),))
        assert preferred(foreign, "bun") == "x:bun"


class TestWithPackages:
    """What has the packages."""

    def test_exactly_these(self) -> None:
        """An image with just these packages wins over one with more."""
        assert choose(ALL, "python", ("numpy", "pandas")) == Choice(
            runtime="python", packages=("numpy", "pandas"), image="isol8:ml", why="exact", setup=True
        )

    def test_the_fewest_more(self) -> None:
        """Where none has just these, it is the one with the fewest others, which are told."""
        assert choose(ALL, "python", ("pandas",)) == Choice(
            runtime="python",
            packages=("pandas",),
            image="isol8:ml",
            why="superset",
            more=("numpy",),
            setup=True,
        )

    @pytest.mark.parametrize("packages", [("numpy", "pandas"), ("pandas",)], ids=["exact", "superset"])
    def test_of_several_the_first_by_name(self, packages: tuple[str, ...]) -> None:
        """Images that fit alike are taken by name, in whatever order the engine lists them."""
        twin = image("lm", "numpy", "pandas")
        for images in ((ML, twin, BIG), (BIG, twin, ML)):
            assert chosen(held(*images), *packages)[0] == "isol8:lm"

    def test_nothing_has_them(self) -> None:
        """A package that no image has resolves to none, not to an image without it."""
        assert chosen(ALL, "numpy", "polars") == (None, "none")

    def test_other_runtimes_and_foreign_images_do_not_count(self) -> None:
        """Neither an image of another runtime fits, nor one that we did not promote, nor one that lost its tag."""
        bun = image("bun-custom", "numpy", runtime="bun")
        commit = ObservedImage(id="x", tags=("isol8:x",), labels=ML.labels)
        gone = ObservedImage(id="y", tags=("isol8_build:ml",), labels=ML.labels)
        assert chosen(held(bun, commit, gone, BASE), "numpy") == (None, "none")

    def test_what_clients_cannot_see_counts_all_the_same(self) -> None:
        """A package with a comma is in the image, though the label for clients leaves it out."""
        odd = image("odd", "numpy", "requests>=2,<3")
        assert chosen(held(odd), "numpy", "requests>=2,<3") == ("isol8:odd", "exact")
        assert chosen(held(odd), "numpy") == ("isol8:odd", "superset")


class TestRequested:
    """The packages of a request."""

    def test_sorted_and_unique(self) -> None:
        """Blanks, order and repetition don't count."""
        assert requested("python", ["pandas", " numpy", "pandas"]) == ("numpy", "pandas")

    def test_every_mistake_is_told(self) -> None:
        """All that are no packages are named at once."""
        with pytest.raises(ConfigError) as caught:
            requested("python", ["--pre", "numpy", "a b"])
        first, second = str(caught.value).splitlines()
        assert first.startswith("'--pre': an option, not a package; ")
        assert second.startswith("'a b': several packages in one text; ")

    def test_an_unknown_runtime(self) -> None:
        """A runtime that does not exist is told with what was meant."""
        with pytest.raises(ConfigError) as caught:
            requested("pyhton", [])
        assert str(caught.value) == (
            "'pyhton' is not a runtime (did you mean python? allowed: python, node, bun, deno, bash)"
        )


class TestClients:
    """What isol8's own clients take for the same request."""

    def choices(self, observed: Observed, *packages: str) -> list[tuple[str, bool, bool, bool]]:
        found = client_choices(observed, choose(observed, "python", packages))
        assert [each.client for each in found] == [
            "v0.1 to v0.11.0",
            "v0.11.1 to v0.17",
            "v0.18 and later",
        ]
        return [(each.image, each.same, each.lacks, each.by_order) for each in found]

    def test_without_packages_the_newest_take_the_base(self) -> None:
        """v0.18 looks for custom images by packages alone."""
        assert self.choices(ALL) == [
            ("isol8:python-custom", True, False, False),
            ("isol8:python-custom", True, False, False),
            ("isol8:python", False, False, False),
        ]

    def test_named_images_are_seen_by_the_newest_alone(self) -> None:
        """Older ones know one custom image, and install what it lacks."""
        assert self.choices(ALL, "numpy", "pandas") == [
            ("isol8:python-custom", False, True, False),
            ("isol8:python-custom", False, True, False),
            ("isol8:ml", True, False, False),
        ]

    def test_the_last_superset_in_the_engines_list(self) -> None:
        """v0.18 takes the last image that has more, so the order of the list decides."""
        assert self.choices(held(ML, BIG, BASE), "pandas")[2] == ("isol8:big", False, False, True)
        assert self.choices(held(BIG, ML, BASE), "pandas")[2] == ("isol8:ml", True, False, True)

    def test_the_first_exact_match(self) -> None:
        """Of several images with just these, v0.18 takes the first that it meets."""
        twin = image("zz", "numpy", "pandas")
        assert self.choices(held(BIG, twin, ML, BASE), "numpy", "pandas")[2] == (
            "isol8:zz",
            False,
            False,
            True,
        )

    def test_a_tag_by_hash(self) -> None:
        """v0.11.1 finds a custom image under the tag that it makes of the packages, which is the same image."""
        digits = labels.client_tag_suffix("python", ("numpy",))
        custom = image("python-custom", "numpy", tags=f"isol8:python-custom-{digits}")
        assert self.choices(held(custom, BASE), "numpy")[1] == (
            f"isol8:python-custom-{digits}",
            True,
            False,
            False,
        )

    def test_where_nothing_fits_they_install(self) -> None:
        """Each takes what it has, and none of it is what was asked for."""
        assert self.choices(held(BASE), "polars") == [("isol8:python", False, True, False)] * 3

    def test_where_there_is_nothing_at_all(self) -> None:
        """A base that is not here is what clients would ask for."""
        assert self.choices(held(), "polars") == [("isol8:python", False, True, False)] * 3


NAMES = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=4)


class TestManyRequests:
    """Images that are looked at once for all of them."""

    @given(st.lists(st.tuples(NAMES, st.sampled_from(["python", "node"])), max_size=6), NAMES)
    def test_the_same_as_looking_at_every_image_each_time(
        self, images: list[tuple[list[str], str]], asked: list[str]
    ) -> None:
        """For ours, and for labels, which may have a package twice."""
        found = []
        for number, (packages, runtime) in enumerate(images):
            made = image(f"i{number}", *dict.fromkeys(packages), runtime=runtime)
            found.append(evolve(made, labels={**made.labels, "org.isol8.dependencies": ",".join(packages)}))
        observed, wanted = held(*found), frozenset(asked)
        requests = Requests(observed)
        fitting = [
            (len(set(packages)), f"i{number}", frozenset(packages))
            for number, (packages, runtime) in enumerate(images)
            if runtime == "python" and packages and wanted <= set(packages)
        ]
        if wanted:
            assert requests.ours("python", wanted) == (min(fitting)[1:] if fitting else None)
        exact: list[str] = []
        supersets: list[str] = []
        for number, (packages, runtime) in enumerate(images):
            if wanted and runtime == "python" and wanted <= set(packages):
                (exact if len(packages) == len(wanted) else supersets).append(f"isol8:i{number}")
        listed = exact or supersets[::-1] or ["isol8:python"]
        assert requests.by_labels("python", wanted) == (listed[0], len(listed) > 1)
