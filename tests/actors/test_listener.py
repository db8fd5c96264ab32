"""The listener: after every connection there is a full look, and a dead one is noticed."""

import anyio
import pytest
from howdah.actors.listener import listen

pytestmark = pytest.mark.anyio


class Bell:
    def __init__(self, answers: list[bool]) -> None:
        self.answers = answers
        self.connects = 0
        self.probes = 0

    async def connect(self) -> None:
        self.connects += 1

    async def probe(self) -> bool:
        self.probes += 1
        return self.answers.pop(0) if self.answers else True


async def test_it_connects_anew_and_looks_again_when_a_probe_stays_unanswered() -> None:
    bell, looks = Bell([True, False]), anyio.Event()
    count = 0

    def again() -> None:
        nonlocal count
        count += 1
        if count == 2:
            looks.set()

    async with anyio.create_task_group() as group:
        group.start_soon(listen, bell, again, anyio.Event, 0.005)
        with anyio.fail_after(30):
            await looks.wait()
        group.cancel_scope.cancel()
    assert bell.connects == 2


async def test_it_does_not_wait_for_the_probe_when_it_is_told_that_the_connection_has_gone() -> None:
    bell, gone = Bell([]), [anyio.Event(), anyio.Event()]
    events = iter(gone)
    looks: list[int] = []
    async with anyio.create_task_group() as group:
        group.start_soon(listen, bell, lambda: looks.append(1), lambda: next(events), 3600)
        await anyio.wait_all_tasks_blocked()
        assert len(looks) == 1
        gone[0].set()
        await anyio.wait_all_tasks_blocked()
        assert len(looks) == 2
        group.cancel_scope.cancel()
    assert (bell.connects, bell.probes) == (2, 0)
