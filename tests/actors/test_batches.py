"""One call for many runs: what it answers is the end of each, and what it raises that of all."""

import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
from howdah import GiveUp, HowdahError, Snooze, current_batch, current_run, use
from howdah.codec import decode
from howdah.core.states import Kind

from .batch_stage import Place, item

pytestmark = pytest.mark.anyio


async def test_what_it_raises_ends_all_of_them_as_each_of_them_is_retried() -> None:
    async def fail(items: list[int]) -> list[int]:
        raise ValueError("no")

    place = Place(fail, retry=2)
    async with place.serving():
        place.room.offer([item(1), item(2, attempt=2), item(3, options='{"retry": {"attempts": 1, "base": 1, "factor": 2, "cap": 1}}')])
        found = {one.run: one for one in await place.outcomes(3)}
        assert [found[run].kind for run in (1, 2, 3)] == [Kind.RETRIED, Kind.FAILED, Kind.FAILED]
        assert {decode(one.data or "")["message"] for one in found.values()} == {"no"}


async def test_an_exception_among_the_answers_is_the_end_of_its_item() -> None:
    async def some(items: list[int]) -> list[int | Exception]:
        return [1, ValueError("two"), Snooze(60)]

    place = Place(some, retry=2)
    async with place.serving():
        place.offer(1, 2, 3)
        one, two, three = sorted(await place.outcomes(3), key=lambda outcome: outcome.run)
        assert (one.kind, two.kind, three.kind) == (Kind.SUCCEEDED, Kind.RETRIED, Kind.SNOOZED)
        assert decode(two.data or "")["type"] == "ValueError"
        assert three.delay is not None
        assert three.delay.total_seconds() == 60


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ([1, 2], "was given 3 items and returned 2 answers: there is one for each, in the order of the items"),
        ("abc", "returned str, and not a list with an answer for each item"),
        (None, "returned NoneType"),
    ],
)
async def test_answers_that_do_not_match_the_items_fail_all_of_them_for_good(answer: Any, text: str) -> None:
    async def wrong(items: list[int]) -> list[int]:
        return answer

    place = Place(wrong, retry=9)
    async with place.serving():
        place.offer(1, 2, 3)
        outcomes = await place.outcomes(3)
        assert {one.kind for one in outcomes} == {Kind.FAILED}
        assert all(text in decode(one.data or "")["message"] for one in outcomes)


async def test_an_answer_that_cannot_be_stored_and_an_item_that_does_not_fit_are_their_own_affair() -> None:
    async def odd(items: list[int]) -> list[Any]:
        return [object(), 5]

    place = Place(odd)
    async with place.serving():
        place.room.offer([item(1), item(2, '"x"'), item(3)])
        found = {one.run: one for one in await place.outcomes(3)}
        assert [found[run].kind for run in (1, 2, 3)] == [Kind.FAILED, Kind.MISFIT, Kind.SUCCEEDED]
        assert "cannot be stored as json" in decode(found[1].data or "")["message"]


async def test_the_runs_of_a_batch_are_reached_as_one_and_one_by_one() -> None:
    seen: list[Any] = []

    async def look(items: list[int]) -> list[int]:
        batch = current_batch()
        with pytest.raises(HowdahError, match="<batch of 3 runs of look>: current_batch"):
            current_run()
        seen.append([(run.id, run.attempt, run.idempotency_key) for run in batch.runs])
        seen.append((len(batch), batch.task, repr(batch), batch.cancelled))
        batch.extend("1h")
        return items

    with pytest.raises(HowdahError, match="outside of a run"):
        current_batch()
    place = Place(look)
    async with place.serving():
        place.offer(1, 2, 3)
        await place.outcomes(3)
        assert [run[:2] for run in seen[0]] == [(1, 1), (2, 1), (3, 1)]
        assert len({run[2] for run in seen[0]}) == 3
        assert seen[1] == (3, "look", "<batch of 3 runs of look>", False)


async def test_what_stands_around_an_attempt_stands_once_around_a_batch() -> None:
    order: list[str] = []

    async def around() -> AsyncIterator[None]:
        order.append(f"before {len(current_batch())}")
        try:
            yield
        finally:
            order.append("after")

    async def pool() -> AsyncIterator[str]:
        order.append("opened")
        yield "db"
        order.append("closed")

    async def save(items: list[int], db: str = use(pool)) -> list[str]:
        order.append("called")
        return [db] * len(items)

    place = Place(save, middlewares=(around,))
    async with place.serving():
        place.offer(1, 2, 3)
        assert {one.data for one in await place.outcomes(3)} == {'"db"'}
        assert order == ["before 3", "opened", "called", "closed", "after"]


async def test_what_stands_around_it_may_fail_behind_it() -> None:
    async def around() -> AsyncIterator[None]:
        yield
        raise GiveUp("too late")

    async def fine(items: list[int]) -> list[int | Exception]:
        return [1, ValueError("mine"), 3]

    place = Place(fine, middlewares=(around,))
    async with place.serving():
        place.offer(1, 2, 3)
        found = {one.run: decode(one.data or "")["message"] for one in await place.outcomes(3)}
        assert found == {1: "too late", 2: "mine", 3: "too late"}


async def test_a_plain_function_runs_in_a_thread() -> None:
    def where(items: list[int]) -> list[bool]:
        return [threading.current_thread() is threading.main_thread() or current_batch().cancelled] * len(items)

    place = Place(where, threads=True)
    async with place.serving():
        place.offer(1, 2, 3)
        assert {one.data for one in await place.outcomes(3)} == {"false"}
