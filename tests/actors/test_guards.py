"""The breakers of a tenure: what is asked of the rows, what is written there, and which keys are bounded."""

from collections.abc import Sequence
from time import monotonic

import pytest
from howdah.actors.guards import Guards
from howdah.core.breaker import Breaker, Guard
from howdah.core.keyed import Key

pytestmark = pytest.mark.anyio

STRIPE = {"stripe": Guard(1.0, 2, 60.0)}
ANN, CRM = ("stripe", "ann"), ("crm", "")


class Book:
    """Rows of breakers, and how attempts ended, by run."""

    def __init__(self, **known: Breaker) -> None:
        self.rows: dict[Key, Breaker] = {("stripe", key): state for key, state in known.items()}
        self.failed: dict[int, bool] = {}
        self.asked: list[tuple[list[int], list[int], list[int]]] = []
        self.noted: list[list[Key]] = []

    async def breakers(self) -> list[tuple[Key, Breaker]]:
        return list(self.rows.items())

    async def verdicts(self, runs: Sequence[int], leases: Sequence[int], tasks: Sequence[int]) -> list[tuple[int, bool]]:
        self.asked.append(([*runs], [*leases], [*tasks]))
        return [(run, self.failed[run]) for run in runs if run in self.failed]

    async def note_breakers(self, epoch: int, states: Sequence[tuple[Key, Breaker]]) -> None:
        assert epoch == 7
        self.noted.append([key for key, _ in states])
        self.rows.update(states)


async def read(book: Book) -> Guards:
    guards = Guards(book, 7)
    guards.guard(STRIPE)
    await guards.read()
    return guards


async def test_only_attempts_under_breakers_are_asked_about_and_once() -> None:
    book = Book()
    guards = await read(book)
    assert await guards.judge(0.0) == {}
    guards.freed(1, 10, 5, monotonic(), [CRM])
    assert await guards.judge(0.0) is None
    guards.freed(2, 20, 5, monotonic(), [CRM, ANN])
    assert [await guards.judge(0.0), await guards.judge(0.0)] == [None, None]
    assert book.asked == [([2], [20], [5])]


async def test_failures_are_written_down_before_the_key_is_bounded_and_successes_are_not() -> None:
    book = Book()
    guards = await read(book)
    await guards.judge(0.0)
    for run, failed in ((1, False), (2, True)):
        book.failed[run] = failed
        guards.freed(run, 10, 5, monotonic(), [ANN])
        await guards.judge(0.0)
    assert book.noted == [[ANN]]
    book.failed[3] = True
    guards.freed(3, 10, 5, monotonic(), [ANN])
    assert await guards.judge(0.0) == {ANN: 0}
    assert book.noted == [[ANN], [ANN]]
    due = guards.next_at()
    assert due is not None
    assert 50 < due - monotonic() <= 60


async def test_what_was_written_by_the_one_before_holds_and_a_probe_is_let_through_when_it_is_due() -> None:
    now = monotonic()
    guards = await read(Book(ann=Breaker("", now - 9, now + 0.01), bob=Breaker("f"), cid=Breaker("", now - 99, now - 1)))
    assert await guards.judge(0.0) == {ANN: 0, ("stripe", "cid"): 1}
    assert await guards.judge(0.02) == {ANN: 1, ("stripe", "cid"): 1}
    assert guards.next_at() is None


async def test_what_somebody_closed_by_hand_is_closed() -> None:
    now = monotonic()
    book = Book(ann=Breaker("", now - 9, now + 60))
    guards = await read(book)
    assert await guards.judge(0.0) == {ANN: 0}
    book.rows.clear()
    await guards.read()
    assert await guards.judge(0.0) == {}
