"""Slots: they start what waits, in order, as long as the node's lease holds, and end when the room ends."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import msgspec
import pytest
from howdah.actors.lane import DROPPED
from howdah.context import current_run
from howdah.core.states import Kind
from howdah.core.verdict import Cause
from howdah.messages import Standing

from .stage import NODE, Place, claimed

pytestmark = pytest.mark.anyio


async def test_runs_start_in_order_and_slots_end_with_the_room() -> None:
    started: list[int] = []

    async def note() -> None:
        started.append(current_run().id)
        await anyio.sleep(0)

    place = Place(note, slots=1)
    async with anyio.create_task_group() as slots:
        slots.start_soon(place.room.serve, place.room.slots[0], slots)
        place.room.offer([claimed(number) for number in range(1, 6)])
        place.room.offer([claimed(6)])
        outcomes = await place.outcomes(6)
        place.room.end()
        assert started == [1, 2, 3, 4, 5, 6] == [outcome.run for outcome in outcomes]
        assert {outcome.kind for outcome in outcomes} == {Kind.SUCCEEDED}


async def test_all_slots_together_keep_the_loop_for_one_slice_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    passed_ms = 0

    async def compute() -> None:
        nonlocal passed_ms
        passed_ms += 1

    monkeypatch.setattr("howdah.actors.room.monotonic", lambda: passed_ms / 1000)
    place = Place(compute, slots=64)
    place.standing = Standing(NODE, 60.0, 0.0)
    kept_ms: list[int] = []
    async with anyio.create_task_group() as slots:
        for slot in place.room.slots:
            slots.start_soon(place.room.serve, slot, slots)
        place.room.offer([claimed(number) for number in range(1, 641)])
        while passed_ms < 640:
            before = passed_ms
            await asyncio.sleep(0)
            kept_ms.append(passed_ms - before)
        place.room.end()
    assert max(kept_ms) <= 6, "slice_s is 5 ms, and the run that is over it ends"


async def test_nothing_starts_without_a_lease_that_holds_or_under_another_identity() -> None:
    async def never() -> None:
        raise AssertionError("it started")

    place = Place(never)
    assert place.standing is not None
    mine = place.standing
    async with anyio.create_task_group() as slots:
        slots.start_soon(place.room.serve, place.room.slots[0], slots)
        for standing in (None, msgspec.structs.replace(mine, until=0.0), msgspec.structs.replace(mine, node=NODE + 1)):
            place.standing = standing
            place.room.offer([claimed(1)])
            assert [outcome.kind for outcome in await place.outcomes(1)] == [DROPPED]
        place.room.end()


async def test_a_fenced_room_drops_what_waits_and_interrupts_what_runs_and_writes_neither() -> None:
    begun = anyio.Event()

    async def hang() -> None:
        begun.set()
        await anyio.sleep_forever()

    place = Place(hang)
    async with anyio.create_task_group() as slots:
        slots.start_soon(place.room.serve, place.room.slots[0], slots)
        place.room.offer([claimed(1), claimed(2)])
        await begun.wait()
        place.room.fence(NODE)
        outcomes = await place.outcomes(2)
        place.room.end()
        assert sorted((outcome.run, outcome.kind) for outcome in outcomes) == [(1, DROPPED), (2, DROPPED)]


async def test_a_run_that_is_cancelled_while_it_waits_for_a_slot_ends_unstarted() -> None:
    begun = anyio.Event()

    async def hang() -> None:
        assert current_run().id == 1
        begun.set()
        await anyio.sleep_forever()

    place = Place(hang)
    async with anyio.create_task_group() as slots:
        slots.start_soon(place.room.serve, place.room.slots[0], slots)
        place.room.offer([claimed(1), claimed(2), claimed(3)])
        await begun.wait()
        place.room.interrupt(Cause.CANCEL, run=2, lease=99)
        assert [one.id for one in place.room.held] == [2, 3, 1]
        place.room.interrupt(Cause.CANCEL, run=2, lease=100)
        [outcome] = await place.outcomes(1)
        assert (outcome.run, outcome.kind, outcome.started) == (2, Kind.STOPPED, None)
        assert [one.id for one in place.room.held] == [3, 1]
        place.room.drain()
        place.room.interrupt(Cause.CANCEL)
        place.room.end()


async def test_an_interruption_hits_one_attempt_once_and_only_under_its_lease() -> None:
    begun = anyio.Event()
    hits: list[int] = []

    async def hang() -> None:
        begun.set()
        try:
            await anyio.sleep_forever()
        finally:
            hits.append(1)
            await anyio.sleep(0.01)

    place = Place(hang)
    async with anyio.create_task_group() as slots:
        slots.start_soon(place.room.serve, place.room.slots[0], slots)
        place.room.offer([claimed(1, lease=5)])
        await begun.wait()
        place.room.interrupt(Cause.CANCEL, run=1, lease=4)
        place.room.interrupt(Cause.CANCEL, run=2, lease=5)
        assert [run.cause for run in place.room.running] == [None]
        for cause in (Cause.CANCEL, Cause.SHUTDOWN, Cause.TIMEOUT):
            place.room.interrupt(cause, run=1, lease=5)
        outcomes = await place.outcomes(1)
        place.room.end()
        assert [outcome.kind for outcome in outcomes] == [Kind.STOPPED]
        assert hits == [1]


async def test_the_watch_ends_attempts_whose_time_is_over() -> None:
    async def hang() -> None:
        await anyio.sleep_forever()

    place = Place(hang, timeout_s=0.02)
    async with anyio.create_task_group() as group:
        group.start_soon(place.room.watch, 0.01)
        group.start_soon(place.room.serve, place.room.slots[0], group)
        place.room.offer([claimed(1)])
        (outcome,) = await place.outcomes(1)
        group.cancel_scope.cancel()
        assert outcome.kind == Kind.FAILED
        assert "longer than its timeout" in (outcome.data or "")


async def test_a_slot_whose_group_is_cancelled_ends_and_writes_nothing() -> None:
    begun = anyio.Event()

    async def hang() -> None:
        begun.set()
        await anyio.sleep_forever()

    place = Place(hang)
    async with anyio.create_task_group() as group:
        group.start_soon(place.room.serve, place.room.slots[0], group)
        place.room.offer([claimed(1)])
        await begun.wait()
        group.cancel_scope.cancel()
    assert len(place.ledger) == 0


async def test_what_is_drained_never_starts() -> None:
    async def fine() -> None: ...

    place = Place(fine)
    place.room.offer([claimed(1), claimed(2)])
    assert [run.id for run in place.room.drain()] == [1, 2]
    assert not place.room.drain()


async def test_what_was_claimed_aside_starts_before_what_waits_and_wakes_a_slot() -> None:
    ended: list[int] = []

    async def work() -> None:
        ended.append(current_run().id)

    place = Place(work)
    async with anyio.create_task_group() as group:
        group.start_soon(place.room.serve, place.room.slots[0], group)
        await anyio.wait_all_tasks_blocked()
        place.room.offer([claimed(1, aside=True)])
        await place.outcomes(1)
        place.room.waiting.extend([claimed(2)])
        place.room.offer([claimed(3, aside=True), claimed(4)])
        await place.outcomes(3)
        place.room.end()
    assert ended == [1, 3, 2, 4]


NARROW, WIDE, WIDER = 5, 6, 7


class Crew:
    """A room whose runs go on until they are let go; who runs, and who waits."""

    def __init__(self, slots: int, **wide: int) -> None:
        self.gates: dict[int, anyio.Event] = {}
        self.place = Place(self._hold, slots, wide=wide)
        self.room = self.place.room

    async def _hold(self) -> None:
        await self.gates.setdefault(current_run().id, anyio.Event()).wait()

    @property
    def running(self) -> set[int]:
        return {run.id for run in self.room.running}

    async def settle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    async def offer(self, *runs: tuple[int, int]) -> None:
        """Runs, each with its task."""
        self.room.offer([claimed(run, task=task) for run, task in runs])
        await self.settle()

    async def end(self, *runs: int) -> None:
        for run in runs:
            self.gates.setdefault(run, anyio.Event()).set()
            await self.settle()


@asynccontextmanager
async def crew(slots: int, **wide: int) -> AsyncGenerator[Crew]:
    made = Crew(slots, **wide)
    async with anyio.create_task_group() as group:
        for slot in made.room.slots:
            group.start_soon(made.room.serve, slot, group)
        await made.settle()
        yield made
        with anyio.fail_after(5):
            while made.running:
                await made.end(*made.running)
        made.room.end()


async def test_a_run_takes_as_many_slots_as_its_task_says() -> None:
    async with crew(8, wide=4) as it:
        await it.offer((1, WIDE), (2, WIDE), (3, WIDE), (4, NARROW))
        assert it.running == {1, 2}
        assert (it.room.at_work, it.room.unfinished) == (8, 13)
        await it.end(1)
        assert it.running == {2, 3}
        await it.end(2, 3)
        assert it.running == {4}
        assert (it.room.at_work, it.room.unfinished) == (1, 1)


async def test_a_wide_run_is_not_overtaken_by_narrow_ones_that_would_fit() -> None:
    async with crew(4, wide=4) as it:
        await it.offer((1, NARROW), (2, NARROW), (3, WIDE), *((run, NARROW) for run in range(10, 20)))
        assert it.running == {1, 2}
        await it.end(1)
        assert it.running == {2}, "what ends makes way for it"
        await it.end(2)
        assert it.running == {3}
        await it.end(3)
        assert it.running == {10, 11, 12, 13}, "all of its slots are used again"


async def test_slots_that_a_wide_run_leaves_over_are_used() -> None:
    async with crew(8, wide=3, wider=6) as it:
        await it.offer((1, WIDER), (2, WIDE), (3, NARROW), (4, NARROW), (5, WIDE))
        assert it.running == {1}
        await it.end(1)
        assert it.running == {2, 3, 4, 5}
        assert it.room.at_work == 8


async def test_a_run_that_needs_more_than_there_is_runs_alone() -> None:
    async with crew(3, wide=100) as it:
        await it.offer((1, NARROW), (2, WIDE), (3, NARROW))
        assert it.running == {1}
        await it.end(1)
        assert it.running == {2}
        await it.end(2)
        assert it.running == {3}


@pytest.mark.parametrize("how", ["late", "cancelled", "paused"])
async def test_those_behind_a_wide_run_that_goes_back_start(how: str) -> None:
    async with crew(4, wide=4) as it:
        await it.offer((1, NARROW), (2, WIDE), (3, NARROW), (4, NARROW))
        assert it.running == {1}
        match how:
            case "late":
                assert [run.id for run in it.room.take_back({2}, it.room.tasks)] == [2]
            case "cancelled":
                it.room.interrupt(Cause.CANCEL, run=2, lease=100)
            case _:
                assert [run.id for run in it.room.drain({(None, WIDE)})] == [2]
        await it.settle()
        assert it.running == {1, 3, 4}


async def test_a_room_without_wide_tasks_keeps_no_account_of_widths() -> None:
    async with crew(2) as it:
        assert it.room.wide == {}
        await it.offer((1, NARROW), (2, NARROW), (3, NARROW))
        assert (it.running, it.room.surplus) == ({1, 2}, 0)
