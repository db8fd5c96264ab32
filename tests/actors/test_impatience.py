"""What is done about runs that find a limit full: who of them ends, who waits, and that nobody is asked about again and again."""

from collections.abc import Iterable, Sequence

import pytest
from howdah.actors.impatience import Impatience
from howdah.core.crowd import Head, head
from howdah.core.gate import Gate
from howdah.core.keyed import AtMost, Demand

pytestmark = pytest.mark.anyio

DEMANDS = (Demand(("one", "")),)


class Rows:
    """A database in which some runs cannot be ended: they came back, or somebody has locked them."""

    def __init__(self, *left: int) -> None:
        self.left = set(left)
        self.asked: list[list[int]] = []

    async def refuse(self, runs: Sequence[int], kinds: Sequence[int], reasons: Sequence[str]) -> list[int]:
        self.asked.append(sorted(runs))
        return [run for run in runs if run not in self.left]

    async def cancel(self, runs: Sequence[int], reason: str) -> None: ...


def full(mode: str, rows: Rows, heads: Iterable[Head], *, more: bool = False) -> Impatience:
    """A limit of one, under which somebody runs, where these come."""
    gate = Gate()
    gate.set_terms("one", AtMost(1))
    gate.hold(DEMANDS)
    impatience = Impatience(gate, rows)
    impatience.modes = {"one": mode}
    gate.offer(1, "t", DEMANDS, heads, more=more)
    gate.admit(Everywhere(), 0.0)
    return impatience


class Everywhere:
    """Room for all."""

    def has(self, task: object) -> bool:
        return True

    def left(self, task: object) -> int:
        return 1

    def take(self, task: object) -> int:
        return 1


async def test_what_is_left_where_it_was_is_asked_about_once_and_its_line_is_asked_for_once() -> None:
    rows = Rows(1, 2)
    impatience = full("reject", rows, [head(0, 1), head(0, 2)])

    assert await impatience.act([1]) == [1]
    assert await impatience.act([1]) == []
    assert rows.asked == [[1, 2]]


async def test_who_comes_behind_one_that_is_left_ends_still() -> None:
    rows = Rows(1)
    impatience = full("reject", rows, [head(0, 1), head(0, 2)])

    await impatience.act([1])
    rows.asked.clear()
    impatience._gate.offer(1, "t", DEMANDS, [head(0, 1), head(0, 3)], more=False)
    impatience._gate.admit(Everywhere(), 0.0)

    assert await impatience.act([1]) == [1]
    assert rows.asked == [[3]]


async def test_what_was_left_is_asked_about_again_after_a_while_since_it_may_have_been_locked() -> None:
    rows = Rows(1)
    impatience = full("reject", rows, [head(0, 1)])
    await impatience.act([1])

    impatience.sweep()
    rows.left.clear()

    assert await impatience.act([1]) == [1]
    assert rows.asked == [[1], [1]]


@pytest.mark.parametrize("more", [False, True])
async def test_the_newest_that_is_known_stays_whatever_its_priority_and_whoever_is_behind(more: bool) -> None:
    rows = Rows()
    impatience = full("keep_latest", rows, [head(-5, 90), head(0, 1), head(0, 2)], more=more)

    assert await impatience.act([1]) == [1]
    assert rows.asked == [[1, 2]]


async def test_the_newest_that_is_known_alone_while_others_are_behind_has_its_line_asked_for() -> None:
    rows = Rows()
    impatience = full("keep_latest", rows, [head(0, 1)], more=True)

    assert await impatience.act([1]) == [1]
    assert rows.asked == []


async def test_one_that_is_left_waits_beside_the_newest() -> None:
    rows = Rows(1)
    impatience = full("keep_latest", rows, [head(0, 1), head(0, 2), head(0, 3)])

    await impatience.act([1])
    impatience._gate.offer(1, "t", DEMANDS, [head(0, 1), head(0, 3)], more=False)
    impatience._gate.admit(Everywhere(), 0.0)

    assert await impatience.act([1]) == []
    assert rows.asked == [[1, 2]]
