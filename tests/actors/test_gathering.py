"""A room that gathers: what starts together and when, and what becomes of what waits, runs, or is asked to end."""

from time import monotonic
from typing import Any

import anyio
import pytest
from howdah import CurrentRun, LeaseLost, current_batch
from howdah.actors.lane import DROPPED
from howdah.actors.permits import Permits
from howdah.codec import decode
from howdah.core.states import Kind
from howdah.core.verdict import Cause

from . import stage
from .batch_stage import OTHER, Calls, Place, ends, item

pytestmark = pytest.mark.anyio


async def test_so_many_start_at_once_in_one_slot_and_each_has_its_own_end() -> None:
    calls = Calls()
    place = Place(calls.double)
    async with place.serving():
        place.offer(1, 2)
        await anyio.wait_all_tasks_blocked()
        assert (calls.items, place.room.at_work, place.room.unfinished) == ([], 0, 0)
        place.offer(3, 4)
        outcomes = await place.outcomes(3)
        assert calls.items == [[1, 2, 3]]
        assert sorted(ends(outcomes)) == [(1, Kind.SUCCEEDED, "2"), (2, Kind.SUCCEEDED, "4"), (3, Kind.SUCCEEDED, "6")]
        assert {one.lease for one in outcomes} == {100}
        assert [one.id for one in place.room.held] == [4]
        assert place.room.ended == 3


async def test_fewer_start_when_the_first_has_waited_for_long_enough() -> None:
    calls = Calls()
    place = Place(calls.double, within=0.02)
    async with place.serving():
        began = monotonic()
        place.offer(1)
        place.offer(2)
        await place.outcomes(2)
        assert calls.items == [[1, 2]]
        assert monotonic() - began >= 0.019


async def test_without_any_waiting_what_is_claimed_together_starts_together() -> None:
    calls = Calls()
    place = Place(calls.double, within=0)
    async with place.serving():
        place.offer(1, 2)
        await place.outcomes(2)
        assert calls.items == [[1, 2]]


@pytest.mark.parametrize("key", ["item.user", lambda one: one["user"]])
async def test_items_of_one_key_start_together(key: Any) -> None:
    calls: list[list[int]] = []

    async def note(items: list[dict[str, int]]) -> list[None]:
        calls.append([one["n"] for one in items])
        return [None] * len(items)

    place = Place(note, size=2, key=key)
    async with place.serving():
        users = [1, 2, 1, 2, 1]
        place.room.offer([item(n, f'{{"user": {user}, "n": {n}}}') for n, user in enumerate(users, 1)])
        await place.outcomes(4)
        assert calls == [[1, 3], [2, 4]]


async def test_those_of_other_queues_and_other_timeouts_start_apart() -> None:
    calls = Calls()
    place = Place(calls.double, size=2)
    async with place.serving():
        place.room.offer(
            [item(1), item(2, queue=8), item(3, options='{"timeout": 5}'), item(4, options='{"timeout": 5}'), item(5, queue=8)]
        )
        await place.outcomes(4)
        assert calls.items == [[3, 4], [2, 5]]


async def test_a_suspect_and_a_run_that_fitted_nobody_before_start_alone_and_at_once() -> None:
    calls = Calls()
    place = Place(calls.double)
    async with place.serving():
        place.room.offer([item(1, aside=True), item(2)])
        assert ends(await place.outcomes(1)) == [(1, Kind.SUCCEEDED, "2")]


async def test_others_in_the_room_start_as_ever_and_a_batch_stands_in_line_with_them() -> None:
    calls = Calls()
    place = Place(calls.double)
    async with place.serving():
        place.room.offer([stage.claimed(7, task=OTHER)])
        place.offer(1, 2, 3)
        place.room.offer([stage.claimed(8, task=OTHER)])
        assert [one.run for one in await place.outcomes(5)] == [7, 1, 2, 3, 8]


async def test_the_cancel_of_one_that_waits_ends_it_and_the_others_go_on_without() -> None:
    calls = Calls()
    place = Place(calls.wait, size=2)
    async with place.serving():
        place.offer(1)
        place.room.interrupt(Cause.CANCEL, run=1, lease=99)
        place.room.interrupt(Cause.CANCEL, run=1, lease=100)
        assert ends(await place.outcomes(1)) == [(1, Kind.STOPPED, None)]
        place.offer(2, 3)
        await calls.began.wait()
        place.offer(4, 5, 6, 7)
        place.room.interrupt(Cause.CANCEL, run=5, lease=100)
        place.room.interrupt(Cause.CANCEL, run=6, lease=100)
        place.room.interrupt(Cause.CANCEL, run=7, lease=100)
        assert [one[:2] for one in ends(await place.outcomes(3))] == [(5, Kind.STOPPED), (6, Kind.STOPPED), (7, Kind.STOPPED)]
        assert [one.id for one in place.room.held] == [4, 2, 3]
        assert place.room.unstarted(frozenset({stage.RUN.task})) == 1
        calls.go.set()
        await place.outcomes(3)
        assert calls.items == [[2, 3], [4]]
        assert place.room.unstarted(frozenset({stage.RUN.task})) == 0


async def test_the_cancel_of_one_that_has_begun_is_a_flag_and_its_answer_counts_for_nothing() -> None:
    flags: list[bool] = []

    async def look(items: list[int]) -> list[int]:
        await calls.wait(items)
        flags.extend(run.cancelled for run in current_batch().runs)
        return items

    calls = Calls()
    place = Place(look)
    async with place.serving():
        place.offer(1, 2, 3)
        await calls.began.wait()
        place.room.interrupt(Cause.CANCEL, run=2, lease=99)
        place.room.interrupt(Cause.CANCEL, run=2, lease=100)
        calls.go.set()
        assert sorted(ends(await place.outcomes(3))) == [(1, Kind.SUCCEEDED, "1"), (2, Kind.STOPPED, None), (3, Kind.SUCCEEDED, "3")]
        assert flags == [False, True, False]


async def test_a_batch_of_which_every_run_is_cancelled_is_interrupted() -> None:
    calls = Calls()
    place = Place(calls.wait)
    async with place.serving():
        place.offer(1, 2, 3)
        await calls.began.wait()
        for run in (1, 2, 3):
            place.room.interrupt(Cause.CANCEL, run=run, lease=100)
        assert {one.kind for one in await place.outcomes(3)} == {Kind.STOPPED}


async def test_a_timeout_ends_all_of_them() -> None:
    calls = Calls()
    place = Place(calls.wait, timeout_s=0.01)
    async with place.serving() as group:
        group.start_soon(place.room.watch, 0.001)
        place.offer(1, 2, 3)
        outcomes = await place.outcomes(3)
        assert {decode(one.data or "")["type"] for one in outcomes} == {"TimeoutError"}
        assert "took longer than its timeout of 0.01 s" in decode(outcomes[0].data or "")["message"]
        group.cancel_scope.cancel()


async def test_a_shutdown_hands_back_what_had_not_started_and_releases_what_had() -> None:
    calls = Calls()
    place = Place(calls.wait)
    async with place.serving():
        place.offer(1, 2, 3)
        await calls.began.wait()
        place.offer(4, 5, 6, 7)
        assert sorted(one.id for one in place.room.drain()) == [4, 5, 6, 7]
        assert place.room.unstarted(frozenset({stage.RUN.task})) == 0
        place.room.interrupt(Cause.SHUTDOWN)
        assert {one.kind for one in await place.outcomes(3)} == {Kind.RELEASED}


async def test_what_is_paused_goes_back() -> None:
    place = Place(Calls().double)
    async with place.serving():
        place.room.offer([item(1), item(2, queue=8)])
        assert [one.id for one in place.room.drain({(8, None)})] == [2]
        assert [one.id for one in place.room.held] == [1]


async def test_a_lost_lease_drops_what_waits_and_interrupts_what_runs() -> None:
    runs: list[CurrentRun] = []

    async def hold(items: list[int]) -> list[int]:
        runs.extend(current_batch().runs)
        return await calls.wait(items)  # type: ignore[return-value] # it does not come to that

    calls = Calls()
    place = Place(hold)
    async with place.serving():
        place.offer(1, 2, 3)
        await calls.began.wait()
        place.offer(4, 5, 6, 7)
        place.room.fence(stage.NODE)
        assert sorted(one[:2] for one in ends(await place.outcomes(7))) == [(run, DROPPED) for run in range(1, 8)]
        with pytest.raises(LeaseLost):
            runs[0].check_held()


async def test_nothing_of_a_batch_starts_without_a_lease_that_holds() -> None:
    calls = Calls()
    place = Place(calls.double)
    place.standing = None
    async with place.serving():
        place.offer(1, 2, 3)
        assert {one.kind for one in await place.outcomes(3)} == {DROPPED}
        assert calls.items == []


async def test_a_run_with_limits_spends_its_permit_when_it_is_gathered() -> None:
    permits = Permits(0.0)
    calls = Calls()
    place = Place(calls.double, permits=permits)
    async with place.serving():
        runs = [item(run, lane="x:1") for run in (1, 2, 3, 4)]
        permits.grant(runs[:3], monotonic())
        place.room.offer([runs[0], runs[3], *runs[1:3]])
        assert permits.late_at() is None, "what is gathered is used"
        assert sorted(one[:2] for one in ends(await place.outcomes(4))) == [(1, 1), (2, 1), (3, 1), (4, DROPPED)]
        assert calls.items == [[1, 2, 3]]


async def test_a_key_that_cannot_be_told_is_the_failure_of_its_run_alone() -> None:
    def picky(one: int) -> int:
        if one == 2:
            raise ValueError("not two")
        return 7

    calls = Calls()
    place = Place(calls.double, key=picky, size=2)
    async with place.serving():
        place.offer(1, 2, 3)
        found = {one.run: one for one in await place.outcomes(3)}
        assert [found[run].kind for run in (1, 2, 3)] == [Kind.SUCCEEDED, Kind.FAILED, Kind.SUCCEEDED]
        assert decode(found[2].data or "")["message"] == "not two"
        assert calls.items == [[1, 3]]
