"""The writer: batches are what piled up, room is free when they are durable, and drops free room too."""

import logging
from collections.abc import Sequence
from datetime import timedelta

import anyio
import pytest
from howdah.actors.lane import DROPPED
from howdah.actors.writer import write
from howdah.core.states import Kind
from howdah.mailbox import Mailbox
from howdah.messages import Closing, Freed, Outcome, Rejection, ToDispatcher

from .stage import Gatehouse

pytestmark = pytest.mark.anyio


class Records:
    def __init__(self, rejected: Sequence[Rejection] = (), *, unsettled: bool = False) -> None:
        self.batches: list[list[int]] = []
        self.rejected = list(rejected)
        self.unsettled = unsettled
        self.settled = 0
        self.said: list[str] = []
        self.closed: list[tuple[list[int], int]] = []
        self.go = anyio.Event()

    async def ready(self) -> None:
        pass

    async def record(self, batch: Sequence[Outcome]) -> list[Rejection]:
        self.batches.append([outcome.run for outcome in batch])
        await self.go.wait()
        return self.rejected

    async def close_buckets(self, closings: Sequence[Closing]) -> None:
        self.closed.append(([one.run for one in closings], len(self.batches)))

    async def tell_gate(self, said: Sequence[str]) -> None:
        self.said += said

    async def settle(self) -> None:
        self.unsettled = False
        self.settled += 1


def outcome(run: int, kind: int = Kind.SUCCEEDED, lease: int = 1, delay_s: float | None = None) -> Outcome:
    return Outcome(run, lease, 77, None, kind, None if delay_s is None else timedelta(seconds=delay_s), None, 5)


async def test_what_piles_up_during_a_commit_is_the_next_batch_and_room_is_free_only_after_it() -> None:
    ledger, desk, records = Mailbox[Outcome](100), Mailbox[ToDispatcher](100), Records()
    reminders: list[float] = []
    async with anyio.create_task_group() as group:
        group.start_soon(write, ledger, records, desk, reminders.append, Gatehouse(), 3)
        ledger.put_nowait(outcome(1))
        await anyio.wait_all_tasks_blocked()
        for run in (2, 3, 4, 5):
            ledger.put_nowait(outcome(run, lease=2))
        ledger.close()
        assert len(desk) == 0
        records.go.set()
    assert records.batches == [[1], [2, 3, 4], [5]]
    assert await desk.take(10) == [Freed({1: 1}), Freed({2: 3}), Freed({2: 1})]
    assert reminders == []


async def test_drops_are_not_written_but_free_their_room_and_the_soonest_delay_is_announced() -> None:
    ledger, desk, records = Mailbox[Outcome](100), Mailbox[ToDispatcher](100), Records(unsettled=True)
    reminders: list[float] = []
    records.go.set()
    for row in (outcome(1, DROPPED), outcome(2, Kind.RETRIED, delay_s=3), outcome(3, Kind.SNOOZED, delay_s=0.5)):
        ledger.put_nowait(row)
    ledger.close()
    await write(ledger, records, desk, reminders.append, Gatehouse(), 100)
    assert records.batches == [[2, 3]]
    assert await desk.take(10) == [Freed({1: 3})]
    assert reminders == [0.5]
    assert records.settled == 1


async def test_a_stale_outcome_is_warned_of_with_its_node_and_a_duplicate_is_not(caplog: pytest.LogCaptureFixture) -> None:
    ledger, desk = Mailbox[Outcome](100), Mailbox[ToDispatcher](100)
    records = Records([Rejection(1, 1, "stale", 77, 2, 88), Rejection(2, 1, "duplicate", 77)])
    records.go.set()
    ledger.put_nowait(outcome(1))
    ledger.put_nowait(outcome(2))
    ledger.close()
    with caplog.at_level(logging.WARNING, "howdah.writer"):
        await write(ledger, records, desk, lambda _: None, Gatehouse(), 100)
    (warning,) = [record.getMessage() for record in caplog.records if "run 1:" in record.getMessage()]
    assert "node 77 under lease 1" in warning
    assert "node 88 under lease 2" in warning
    assert "run 2:" not in caplog.text


async def test_a_run_that_failed_for_the_last_time_is_a_warning_and_a_refused_one_is_not(caplog: pytest.LogCaptureFixture) -> None:
    ledger, desk = Mailbox[Outcome](100), Mailbox[ToDispatcher](100)
    records = Records([Rejection(2, 1, "stale", 77, 2, 88)])
    records.go.set()
    for run, kind in ((1, Kind.FAILED), (2, Kind.FAILED), (3, Kind.SUCCEEDED)):
        ledger.put_nowait(outcome(run, kind))
    ledger.close()
    with caplog.at_level(logging.WARNING, "howdah.writer"):
        await write(ledger, records, desk, lambda _: None, Gatehouse(), 100)
    (said,) = [record.getMessage() for record in caplog.records if "failed for the last time" in record.getMessage()]
    assert "run 1 " in said
    assert "node 77 under lease 1" in said


async def test_rates_are_closed_before_the_outcomes_that_ask_for_it_are_written() -> None:
    ledger, desk, records, house = Mailbox[Outcome](100), Mailbox[ToDispatcher](100), Records(), Gatehouse()
    records.go.set()
    house.permits.closings = {(2, 1): "crm", (3, 1): "crm", (9, 1): "crm"}
    for row in (outcome(1), outcome(2, Kind.SNOOZED, delay_s=30), outcome(3, Kind.FAILED)):
        ledger.put_nowait(row)
    ledger.close()
    await write(ledger, records, desk, lambda _: None, house, 10)
    assert records.closed == [([2], 0)], "what does not go on later closes nothing"
    assert records.batches == [[1, 2, 3]]
    assert house.permits.closings == {(9, 1): "crm"}, "its outcome is yet to come"
