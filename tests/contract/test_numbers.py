"""Each number of CONTRACT 1 is named by a test, so that whoever reads the one finds the other."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
NUMBERS = range(1, 34)


def test_each_number_of_the_contract_is_named_by_a_test() -> None:
    named: set[int] = set()
    for file in TESTS.rglob("test_*.py"):
        named.update(int(number) for number in re.findall(r"CONTRACT 1\.(\d+)", file.read_text()))
    assert [f"1.{number}" for number in NUMBERS if number not in named] == []
    assert max(named) == NUMBERS[-1]
