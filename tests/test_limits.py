"""Limits as they are said: what is refused where they are written, and what those who share a name must say alike."""

import math
from datetime import timedelta
from typing import Any

import pytest
from howdah import ConfigurationError, Limit, Rate
from howdah.limits import NUMBER_MAX


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Limit("x", 0), r"n=0 of Limit\('x', 0\) must be a whole number from 1 to 2,147,483,647"),
        (lambda: Limit("x", -1), "n=-1"),
        (lambda: Limit("x", NUMBER_MAX + 1), "must be a whole number"),
        (lambda: Limit("x", 1.5), "must be a whole number"),  # pyright: ignore[reportArgumentType]
        (lambda: Limit("x", True), "n=True"),
        (lambda: Limit("", 1), "limit='' cannot be a name: it has 0 characters of 1 to 200"),
        (lambda: Limit("x" * 201, 1), "cannot be a name"),
        (lambda: Limit("a\0b", 1), "cannot be a name"),
        (lambda: Limit(7, 1), "7 is no name of a limit"),  # pyright: ignore[reportArgumentType]
        (lambda: Limit("users/group", 1), "what ends in '/group' or '/cost' belongs to another limit"),
        (lambda: Rate("users/cost", 1, per=1), "cannot be a name"),
        (lambda: Limit("*", 1), "and '.' to all"),
        (lambda: Limit("/debounce", 1), "and '/debounce' to none"),
        (lambda: Limit("x", 1, key=7), "neither a field path, as in key='user.id', nor a function"),  # pyright: ignore[reportArgumentType]
        (lambda: Limit("x", 1, fair_by=("a",)), "neither a field path, as in fair_by='user.id'"),  # pyright: ignore[reportArgumentType]
        (lambda: Limit("x", 1, hold="end"), "hold='end' is not one of 'active', 'run'"),  # pyright: ignore[reportArgumentType]
        (lambda: Limit("x", 1, weights={"gold": 3}), "are about groups: say which, with fair_by="),
        (lambda: Limit("x", 1, fair_by="a", weights=["gold"]), "is no mapping: pass groups and numbers"),  # pyright: ignore[reportArgumentType]
        (lambda: Limit("x", 1, fair_by="a", weights={7: 1}), "names the group 7, and groups are text: pass '7'"),  # pyright: ignore[reportArgumentType]
        (lambda: Limit("x", 1, fair_by="a", weights={"gold": 0}), "the weight of group 'gold' of .* is 0: it is a positive number"),
        (lambda: Limit("x", 1, fair_by="a", weights={"gold": math.inf}), "positive number"),
        (lambda: Limit("x", 1, fair_by="a", weights={"gold": math.nan}), "positive number"),
        (lambda: Rate("x", 0, per=1), "n=0"),
        (lambda: Rate("x", 5, per=0), "per=0 of .* is no period: say how long it takes until 5 tokens are back"),
        (lambda: Rate("x", 5, per=1, burst=0), "burst=0"),
        (lambda: Rate("x", 5, per=1, cost=0), "cost=0 of .* is neither a positive number nor the field path of one"),
        (lambda: Rate("x", 5, per=1, cost=math.nan), "neither a positive number"),
        (lambda: Rate("x", 5, per=1, cost=None), "neither a positive number"),  # pyright: ignore[reportArgumentType]
    ],
)
def test_a_limit_that_cannot_work_is_refused_where_it_is_written(make: Any, text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        make()


@pytest.mark.parametrize("per", ["soon", -1, math.inf])
def test_a_period_is_a_duration(per: Any) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        Rate("x", 5, per=per)


def test_terms_are_the_numbers_and_neither_keys_nor_ways_of_writing() -> None:
    assert Limit("x", 2, key="a").terms() == Limit("x", 2, key=str, fair_by="b", hold="run").terms() == {"number": 2}
    assert (
        Rate("x", 60, per="1m").terms() == Rate("x", 60, per=timedelta(minutes=1), key="a", cost=3).terms() == {"per_s": 1.0, "burst": 60}
    )
    assert Rate("x", 60, per="1m", burst=5).terms() == {"per_s": 1.0, "burst": 5}


def test_the_edges_are_allowed() -> None:
    assert Limit("x" * 200, NUMBER_MAX).n == NUMBER_MAX
    assert Rate("x", 1, per="1ms", cost=2).cost == 2  # One run each two milliseconds.


def test_a_limit_says_its_terms_in_a_sentence() -> None:
    assert str(Limit("per-user", 2, key="a")) == "Limit('per-user', 2)"
    assert str(Rate("smtp", 100, per="1m")) == "Rate('smtp', 100, per='1m')"
    assert str(Rate("smtp", 100, per="1m", burst=5)) == "Rate('smtp', 100, per='1m', burst=5)"
