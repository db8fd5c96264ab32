"""Sizes, as people write them."""

import pytest
from howdah.size import LARGEST, in_bytes, said


@pytest.mark.parametrize(
    ("size", "number"),
    [(1, 1), ("1B", 1), ("512MB", 512_000_000), ("512 mb", 512_000_000), ("1.5GB", 1_500_000_000), ("64MiB", 2**26), ("2kB", 2000)],
)
def test_a_size_is_a_number_of_bytes(size: str | int, number: int) -> None:
    assert in_bytes(size) == number


@pytest.mark.parametrize("size", [0, -1, "", "512", "MB", "0MB", "1 MB 2", "1.MB", "10 apples", LARGEST + 1, "9999TB"])
def test_what_is_no_size_is_refused(size: str | int) -> None:
    with pytest.raises(ValueError, match="is no size"):
        in_bytes(size)


@pytest.mark.parametrize(
    ("size", "text"), [(5, "5 B"), (2048, "2.05 kB"), (512_000_000, "512 MB"), (1_500_000_000, "1.5 GB"), (10**12, "1 TB")]
)
def test_a_size_is_said_in_three_digits(size: int, text: str) -> None:
    assert said(size) == text
