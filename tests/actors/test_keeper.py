"""Upkeep: at its deadline, sooner when reminded, and settling when asked."""

import math
from collections.abc import Mapping

import anyio
import msgspec
import pytest
from howdah.actors.keeper import keep_house
from howdah.mailbox import Mailbox
from howdah.messages import Fact
from howdah.progress import Board, Reporter

from .stage import CONFIG, Place, claimed

pytestmark = pytest.mark.anyio


class House:
    def __init__(self, next_s: float = 60) -> None:
        self.next_s = next_s
        self.kept = self.tended = self.settled = 0
        self.tending = True
        self.trimmed, self.trims = 0, 1
        self.noted: list[str] = []
        self.aged, self.ages = 0, 1

    async def keep(self) -> tuple[float, list[Fact]]:
        self.kept += 1
        return self.next_s, []

    async def age(self) -> bool:
        self.aged += 1
        return self.aged < self.ages

    async def tend(self) -> bool:
        self.tended += 1
        return self.tending

    async def trim(self) -> bool:
        self.trimmed += 1
        return self.trimmed < self.trims

    async def settle(self) -> None:
        self.settled += 1

    async def asked(self, runs: list[int], leases: list[int]) -> list[tuple[int, int]]:
        return list(zip(runs, leases, strict=True))

    async def note_progress(self, latest: Mapping[Reporter, str]) -> None:
        self.noted += latest.values()


BOARD = Board(lambda: None)


async def never() -> None: ...


async def keep(house: House, reminders: Mailbox[float]) -> None:
    await keep_house(reminders, house, [], lambda run, lease: None, BOARD, CONFIG)


async def test_it_keeps_at_its_start_and_sooner_when_reminded_and_ends_with_the_reminders() -> None:
    house, reminders = House(), Mailbox[float](10)
    async with anyio.create_task_group() as group:
        group.start_soon(keep, house, reminders)
        await anyio.wait_all_tasks_blocked()
        assert (house.kept, house.tended, house.settled) == (1, 1, 0)
        reminders.put_nowait(0.0)
        await anyio.wait_all_tasks_blocked()
        assert (house.kept, house.settled) == (2, 0)
        reminders.put_nowait(-1.0)
        await anyio.wait_all_tasks_blocked()
        assert (house.kept, house.settled) == (3, 1)
        reminders.close()


async def test_it_tends_again_soon_when_something_was_in_the_way() -> None:
    house, reminders = House(), Mailbox[float](10)
    house.tending = False
    async with anyio.create_task_group() as group:
        group.start_soon(keep, house, reminders)
        with anyio.fail_after(30):
            while house.tended < 3:
                await anyio.sleep(0.005)
        reminders.close()


async def test_runs_age_each_tenth_of_a_step_and_sooner_while_there_are_more_but_only_where_that_is_wanted() -> None:
    house, reminders = House(), Mailbox[float](10)
    house.ages = 4
    config = msgspec.structs.replace(CONFIG, ageing_s=0.1, trim_pause_s=0.001)
    async with anyio.create_task_group() as group:
        group.start_soon(keep_house, reminders, house, [], lambda run, lease: None, BOARD, config)
        with anyio.fail_after(30):
            while house.aged < 6:
                await anyio.sleep(0.005)
        reminders.close()
    house, reminders = House(), Mailbox[float](10)
    async with anyio.create_task_group() as group:
        group.start_soon(keep, house, reminders)
        with anyio.fail_after(30):
            while house.kept < 3:
                reminders.put_nowait(0.0)
                await anyio.sleep(0.005)
        reminders.close()
    assert house.aged == 0


async def test_it_stores_the_latest_progress_at_once_and_then_only_now_and_then() -> None:
    house, reminders = House(), Mailbox[float](10)
    board = Board(lambda: reminders.put_nowait(math.inf))
    config = msgspec.structs.replace(CONFIG, progress_s=1, keep_longest_s=60.0, idle_look_s=60.0)
    mine = Reporter(1, 2, 3)
    async with anyio.create_task_group() as group:
        group.start_soon(keep_house, reminders, house, [], lambda run, lease: None, board, config)
        await anyio.wait_all_tasks_blocked()
        kept = house.kept
        board.post(mine, "1")
        board.post(mine, "2")
        await anyio.wait_all_tasks_blocked()
        assert house.noted == ["2"]
        board.post(mine, "3")
        await anyio.wait_all_tasks_blocked()
        assert house.noted == ["2"]
        board.post(mine, "4")
        with anyio.fail_after(30):
            while len(house.noted) < 2:
                await anyio.sleep(0.01)
        assert house.noted == ["2", "4"]
        assert house.kept == kept, "progress is no reason for a round of upkeep"
        reminders.close()


async def test_it_passes_on_cancels_that_nobody_heard_of() -> None:
    begun, told = anyio.Event(), anyio.Event()
    cancelled: list[tuple[int, int]] = []

    async def hang() -> None:
        begun.set()
        await anyio.sleep_forever()

    def cancel(run: int, lease: int) -> None:
        cancelled.append((run, lease))
        told.set()

    place, reminders = Place(hang), Mailbox[float](10)
    async with anyio.create_task_group() as group:
        group.start_soon(place.room.serve, place.room.slots[0], group)
        place.room.offer([claimed(4, lease=9)])
        await begun.wait()
        group.start_soon(keep_house, reminders, House(), [place.room], cancel, BOARD, CONFIG)
        with anyio.fail_after(30):
            await told.wait()
        group.cancel_scope.cancel()
    assert cancelled[0] == (4, 9)
