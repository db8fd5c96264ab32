"""What the dispatcher claims for runs that are gathered: as many as its slots take, and never none beside others without end."""

from collections.abc import Mapping, Sequence

import anyio
import msgspec
import pytest
from howdah.actors.dispatcher import dispatch
from howdah.core.lines import Hints, Key, Line
from howdah.mailbox import Mailbox
from howdah.messages import Claimed, Freed, Looked, Stop, ToDispatcher

from . import stage
from .batch_stage import OTHER, Calls, Place, item

pytestmark = pytest.mark.anyio

BATCHED = stage.RUN.task


class Claims:
    """So many items of a batch task, numbered from 1, and runs of another task without end, from 1,000 on."""

    def __init__(self, items: int, *, others: bool) -> None:
        self.left = {BATCHED: [item(number) for number in range(1, items + 1)]}
        self.left[OTHER] = [stage.claimed(number, task=OTHER) for number in range(1000, 3000)] if others else []
        self.lease = 0
        self.asked: list[tuple[int, int]] = []
        """Task, and how many."""

    async def ready(self) -> None: ...

    async def look(self, node: int, tasks: list[int]) -> Looked:
        return Looked([((stage.RUN.queue, task), (0, runs[0].id - 1)) for task, runs in self.left.items() if runs])

    async def claim(
        self, node: int, room: int, lines: Sequence[tuple[Line, Key]], leases: list[int], *, aside: bool, durable: bool
    ) -> list[Claimed]:
        ((_, task), _), *more = lines
        assert not more, "a claim is for batches or for others"
        assert room > 0
        self.asked.append((task, room))
        self.lease += 1
        got, self.left[task] = self.left[task][:room], self.left[task][room:]
        return [stage.claimed(run.id, self.lease, task=task, args=run.args) for run in got]

    async def fetch_admitted(self, node: int, admitted: Mapping[int, int]) -> list[Claimed]:
        raise AssertionError("nothing is gated")

    async def tell_gate(self, said: Sequence[str]) -> None: ...


async def dispatching(place: Place, claims: Claims, desk: Mailbox[ToDispatcher]) -> None:
    config = msgspec.structs.replace(stage.CONFIG, prefetch_max=0)  # What is held in advance goes by the clock.
    await dispatch(desk, Hints(), [place.room], claims, place.ledger, lambda: place.standing, config, lambda: False, stage.Gatehouse())


async def test_a_batch_task_is_given_what_its_slots_take() -> None:
    calls = Calls()
    place, claims, desk = Place(calls.wait, slots=2, size=3), Claims(20, others=False), Mailbox[ToDispatcher](1000)
    async with place.serving() as group:
        group.start_soon(dispatching, place, claims, desk)
        await calls.began.wait()
        await anyio.wait_all_tasks_blocked()
        assert claims.asked == [(BATCHED, 6)], "two slots, three items each"
        assert place.room.at_work == 2
        calls.go.set()
        ended = await place.outcomes(6)
        desk.put_nowait(Freed({ended[0].lease: 6}))
        await anyio.wait_all_tasks_blocked()
        assert claims.asked[1] == (BATCHED, 6)
        desk.put_nowait(Stop())
        desk.close()
    assert calls.items[:4] == [[1, 2, 3], [4, 5, 6], [7, 8, 9], [10, 11, 12]]


async def test_what_is_gathered_counts_for_what_is_asked_next() -> None:
    calls = Calls()
    place, claims, desk = Place(calls.double, slots=1, size=5), Claims(3, others=False), Mailbox[ToDispatcher](1000)
    async with place.serving() as group:
        group.start_soon(dispatching, place, claims, desk)
        await anyio.wait_all_tasks_blocked()
        claims.left[BATCHED] = [item(number) for number in range(4, 20)]
        with anyio.fail_after(5):
            while not calls.items:
                await anyio.sleep(0.001)
        assert next(room for _, room in claims.asked[1:] if room != 5) == 2, "three of five are gathered"
        desk.put_nowait(Stop())
        desk.close()
    assert calls.items[0] == [1, 2, 3, 4, 5]


async def test_while_others_are_held_in_advance_so_is_one_batch() -> None:
    calls = Calls()
    place, claims, desk = Place(calls.double, slots=1, size=3), Claims(9, others=True), Mailbox[ToDispatcher](1000)
    place.room.offer([stage.claimed(number, 99, task=OTHER) for number in range(500, 510)])
    group_scope = anyio.CancelScope()
    with group_scope:
        async with anyio.create_task_group() as group:  # Nobody serves its slots: the others wait.
            group.start_soon(dispatching, place, claims, desk)
            await anyio.wait_all_tasks_blocked()
            assert claims.asked == [(BATCHED, 3)]
            assert place.room.unstarted(frozenset({BATCHED})) == 3
            group_scope.cancel()
