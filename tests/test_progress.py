"""Progress: stored now and then, by whoever holds the run, and told to whoever watches."""

import json

import anyio
import asyncpg
import pytest
from howdah import App, current_run
from howdah.db.files import query
from howdah.progress import Board, Reporter

from .db import world

pytestmark = pytest.mark.anyio

Session = asyncpg.Connection


async def test_the_latest_progress_of_a_run_is_stored_while_it_runs_and_its_id_is_notified(jobs: App, db: Session) -> None:
    seen: dict[str, anyio.Event] = {"async": anyio.Event(), "thread": anyio.Event()}
    told: list[str] = []
    await db.add_listener("howdah_progress", lambda *said: told.append(said[3]))

    @jobs.task
    async def work() -> None:
        for done in range(100):
            current_run().progress(done, total=100, message="ü\0")
        await seen["async"].wait()

    @jobs.task
    def thread() -> None:
        current_run().progress(0.5)
        anyio.from_thread.run(seen["thread"].wait)

    async with jobs.work():
        for task, value in ((work, {"done": 99, "total": 100, "message": "ü␀"}), (thread, {"done": 0.5, "total": None, "message": None})):
            run = await task.enqueue()
            with anyio.fail_after(30):  # It may have been stored in the middle of the loop.
                while json.loads(await db.fetchval("select value from howdah.progress where run = $1", run.id) or "null") != value:
                    await anyio.sleep(0.01)
            seen["async" if task is work else "thread"].set()
            await run.result("10s")
            assert str(run.id) in told


async def test_progress_of_an_attempt_that_lost_its_run_is_not_heard(db: Session) -> None:
    mine, lost, ended = await world.running(db, 3)
    await db.execute("update howdah.job set lease = lease + 1 where id = $1", lost.id)
    await world.send(db, world.outcome(ended))
    runs = [mine, lost, ended]

    async def note(value: str) -> int:
        return await db.fetchval(query("note_progress"), [r.id for r in runs], [r.lease for r in runs], [value] * 3, [r.node for r in runs])

    assert await note('{"done": 1}') == 1
    assert await note('{"done": 2}') == 1
    assert [tuple(row) for row in await db.fetch("select run, value::text from howdah.progress")] == [(mine.id, '{"done": 2}')]


def test_a_board_stirs_once_until_it_is_read_and_forgets_what_was_overtaken() -> None:
    stirred: list[int] = []
    board = Board(lambda: stirred.append(1))
    for value in ("1", "2"):
        board.post(Reporter(1, 1, 1), value)
    board.post(Reporter(2, 2, 1), "3")
    assert stirred == [1]
    assert board.take() == {Reporter(1, 1, 1): "2", Reporter(2, 2, 1): "3"}
    assert not board
    board.post(Reporter(1, 1, 1), "4")
    assert stirred == [1, 1]
