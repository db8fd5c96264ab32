"""Which errors count as one."""

import pytest
from howdah.core.fingerprint import FRAMES, fingerprint

BASE = ("shop.Declined", ["charge", "post"], "card 4242 of 'Ann' was declined")


@pytest.mark.parametrize(
    "message",
    [
        "card 17 of 'Bob' was declined",
        'card 4,242.50 of "Bob" was declined',
        "card 0xdeadbeef of 'Ann' was declined",
        "card 3f2a1b4c5d6e of 'Ann' was declined",
        "card 123e4567-e89b-12d3-a456-426614174000 of 'Ann' was declined",
        "card 4242 of 'Ann' was declined\nsecond line that differs",
    ],
)
def test_numbers_ids_and_quoted_values_make_no_other_error(message: str) -> None:
    assert fingerprint(BASE[0], BASE[1], message) == fingerprint(*BASE)


@pytest.mark.parametrize(
    "other",
    [
        ("shop.Refused", BASE[1], BASE[2]),
        (BASE[0], ["charge", "get"], BASE[2]),
        (BASE[0], BASE[1], "card 4242 of 'Ann' was stolen"),
    ],
)
def test_another_class_function_or_sentence_makes_another_error(other: tuple[str, list[str], str]) -> None:
    assert fingerprint(*other) != fingerprint(*BASE)


def test_only_the_innermost_functions_count() -> None:
    deep = [f"outer_{n}" for n in range(20)] + ["a", "b", "c"]
    assert len(["a", "b", "c"]) == FRAMES
    assert fingerprint("E", deep, "m") == fingerprint("E", ["x", "a", "b", "c"], "m")


def test_it_is_eight_hex_digits_whatever_the_text() -> None:
    for message in ("", "\ud800 lone", "\0", "x" * 100_000):
        assert len(bytes.fromhex(fingerprint("E", [], message))) == 4


def test_words_are_no_digests() -> None:
    assert fingerprint("E", [], "a defaced facade") != fingerprint("E", [], "a decade ago")
