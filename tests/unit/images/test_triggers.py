"""The ONBUILD triggers of upstream images: remembered in a label, and found again by the image or by its reference."""

import pytest

from isol8_tasks.images.triggers import (
    Triggers,
    decode_triggers,
    encode_triggers,
    rememberable,
    triggers_of,
)

ALPINE = Triggers(reference="alpine:3.21", image="a" * 12, steps=("COPY a /a", "RUN true"))
OTHER = Triggers(reference="other", image="b" * 12, steps=("RUN false",))


class TestLabel:
    """The text of the label."""

    def test_it_is_read_as_it_was_written(self) -> None:
        """All of it comes back, and nothing is written for nothing."""
        lost = Triggers(reference="lost", image="c" * 12, steps=None)
        assert decode_triggers(encode_triggers([ALPINE, lost])) == (ALPINE, lost)
        assert encode_triggers([]) == ""
        assert decode_triggers("") == ()

    def test_it_is_compact(self) -> None:
        """The label holds reference, id and steps, and no more."""
        text = '[["alpine:3.21","aaaaaaaaaaaa",["COPY a /a","RUN true"]]]'
        assert encode_triggers([ALPINE]) == text

    @pytest.mark.parametrize("text", ["{", "7", '[["a"]]', '[["a","b",7]]'])
    def test_what_cannot_be_read_says_nothing(self, text: str) -> None:
        """A label of another version, or one that somebody else wrote, is no error."""
        assert decode_triggers(text) == ()

    def test_what_is_too_long_is_remembered_as_there(self) -> None:
        """Past two kilobytes the label says that there is something, and not what."""
        long = Triggers(reference="long", image="d" * 12, steps=("RUN " + "x" * 2048,))
        assert rememberable((ALPINE, OTHER)) == (ALPINE, OTHER)
        assert [each.steps for each in rememberable((ALPINE, long))] == [None, None]


class TestTriggersOf:
    """The ONBUILD triggers of one upstream image."""

    KNOWN = (ALPINE, OTHER)

    @pytest.mark.parametrize(
        ("reference", "image", "steps"),
        [
            ("docker.io/library/alpine:3.21", "a" * 12, ALPINE.steps),
            ("other", "a" * 12, ALPINE.steps),
            ("alpine:3.21", None, ALPINE.steps),
            ("alpine:3.21", "f" * 12, ALPINE.steps),
            ("stranger", "f" * 12, ()),
            ("stranger", None, ()),
        ],
        ids=["the image", "the image elsewhere", "gone here", "moved", "unknown", "unknown and gone"],
    )
    def test_it_is_found(self, reference: str, image: str | None, steps: tuple[str, ...]) -> None:
        """The image itself tells, else what was under its reference; of others nothing is known."""
        assert triggers_of(self.KNOWN, reference, image) == steps

    def test_a_secret_in_the_reference_is_not_needed(self) -> None:
        """The label has none, and is found all the same."""
        known = Triggers(reference="https://***@host/x", image="a" * 12, steps=("RUN true",))
        assert triggers_of((known,), "https://user:token@host/x", None) == ("RUN true",)
