"""Mailboxes: bounded, closable, and a batch is what piled up."""

import anyio
import pytest
from howdah.mailbox import Mailbox

pytestmark = pytest.mark.anyio


async def test_a_batch_is_what_piled_up_in_order_and_no_more_than_asked() -> None:
    mailbox = Mailbox[int](10)
    for number in range(5):
        mailbox.put_nowait(number)
    assert await mailbox.take(3) == [0, 1, 2]
    assert len(mailbox) == 2
    assert await mailbox.take(3) == [3, 4]


async def test_a_reader_that_waits_is_woken_by_the_first_message() -> None:
    mailbox = Mailbox[str](1)
    got: list[str] = []

    async def read() -> None:
        got.extend(await mailbox.take(10))

    async with anyio.create_task_group() as group:
        group.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        mailbox.put_nowait("hello")
    assert got == ["hello"]


async def test_a_take_gives_up_when_its_time_is_over_and_does_not_wait_at_all_for_none() -> None:
    mailbox = Mailbox[int](1)
    assert await mailbox.take(1, 0) == []
    assert await mailbox.take(1, 0.001) == []
    mailbox.put_nowait(1)
    assert await mailbox.take(1, 0) == [1]


async def test_closing_wakes_the_reader_and_what_is_left_is_taken_before_the_end() -> None:
    mailbox = Mailbox[int](2)
    mailbox.put_nowait(1)
    mailbox.close()
    assert not mailbox.ended
    assert await mailbox.take(5) == [1]
    assert mailbox.ended
    assert await mailbox.take(5) == []
    waiting = Mailbox[int](1)
    async with anyio.create_task_group() as group:
        group.start_soon(waiting.take, 1)
        await anyio.wait_all_tasks_blocked()
        waiting.close()


async def test_a_full_or_closed_mailbox_is_a_bug_to_put_and_a_no_to_offer() -> None:
    mailbox = Mailbox[int](1)
    assert mailbox.offer(1)
    assert not mailbox.offer(2)
    with pytest.raises(RuntimeError, match="full with 1 messages"):
        mailbox.put_nowait(2)
    mailbox.close()
    assert not mailbox.offer(3)
    with pytest.raises(RuntimeError, match="closed"):
        mailbox.put_nowait(3)
    assert await mailbox.take(9) == [1]


async def test_a_cancelled_reader_leaves_every_message_to_the_next() -> None:
    mailbox = Mailbox[int](5)
    with anyio.move_on_after(0.001):
        await mailbox.take(1)
    mailbox.put_nowait(1)
    assert await mailbox.take(1) == [1]
