"""What stays on the disk with what a builder remembers, by its own records."""

import pytest

from isol8_tasks.engine.upkeep import stranded

LAYER = {"Description": "from local ", "Size": 0, "Shared": False}
STEP = {"Description": "mount / from exec /bin/sh -c true", "Size": 7, "Shared": False}


class TestStranded:
    """Records that are based on an image that is gone."""

    @pytest.mark.parametrize("key", ["Parents", " Parents"], ids=["its name", "its name with a blank"])
    def test_all_that_stands_on_it_goes_before_it(self, key: str) -> None:
        """The layers of the image, and what was built on them, are named from the outermost on."""
        records = [
            {"ID": "step", key: ["upper"], **STEP},
            {"ID": "lower", key: ["kept"], **LAYER},
            {"ID": "upper", key: ["lower"], **LAYER},
            {"ID": "kept", **LAYER, "Shared": True},
        ]
        assert stranded(records) == ("step", "upper", "lower")

    def test_engines_that_name_one_parent(self) -> None:
        """Engines before API 1.42 have another key for it."""
        records = [{"ID": "lower", "Parent": "", **LAYER}, {"ID": "step", "Parent": "lower", **STEP}]
        assert stranded(records) == ("step", "lower")

    def test_what_counts_its_size_stays(self) -> None:
        """What was built, downloaded or copied is counted, and left to the engine."""
        records = [
            {"ID": "step", **STEP},
            {"ID": "empty", "Parents": ["step"], **STEP, "Size": 0},
            {"ID": "sized", **LAYER, "Size": 9},
        ]
        assert stranded(records) == ()

    def test_what_images_have_stays(self) -> None:
        """Of what is based on a layer that is gone, what an image has is none of it."""
        records = [
            {"ID": "lower", **LAYER},
            {"ID": "step", "Parents": ["lower"], **STEP, "Shared": True},
            {"ID": "above", "Parents": ["step"], **STEP},
        ]
        assert stranded(records) == ("lower",)

    def test_what_has_two_parents_is_named_once(self) -> None:
        """It goes before both."""
        records = [
            {"ID": "lower", **LAYER},
            {"ID": "upper", "Parents": ["lower"], **STEP},
            {"ID": "merged", "Parents": ["lower", "upper"], **STEP},
        ]
        assert stranded(records) == ("merged", "upper", "lower")
