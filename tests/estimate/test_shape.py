"""The measured task's arguments are as long as asked for."""

import zlib

import msgspec
import pytest
from howdah.estimate.shape import Shape, Used


@pytest.mark.parametrize("size", [11, 100, 10_000, 1_000_000])
def test_the_arguments_are_as_long_as_asked_for(size: int) -> None:
    assert len(msgspec.json.encode({"data": Shape(size).data()})) == size


def test_they_cannot_be_made_much_shorter() -> None:
    data = Shape(10_000).data().encode()
    assert len(zlib.compress(data)) > 0.7 * len(data)


def test_what_was_used_in_between_is_a_difference() -> None:
    assert Used(3.0, 10, 5.0, 2.0, 1.0).since(Used(1.0, 4, 2.0, 1.0, 1.0)) == Used(2.0, 6, 3.0, 1.0, 0.0)
