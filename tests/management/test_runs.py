"""jobs.runs: one run with all that is known of it, lists, counts, trees, and bulk commands."""

from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import asyncpg
import pytest
from howdah import App, ArgumentsInvalid, HowdahError, State
from howdah.db.files import query
from howdah.management import runs as module

from .stage import Shop

pytestmark = pytest.mark.anyio

Db = asyncpg.Connection


@pytest.fixture
def shop(dsn: str) -> Shop:
    return Shop(dsn)


async def drained(shop: Shop, db: Db) -> None:
    """Everything that is pending runs to its end."""
    async with shop.jobs.work():
        while await db.fetchval("select exists (select from howdah.job) or exists (select from howdah.inbox)"):
            await anyio.sleep(0.005)


async def child(db: Db, parent: int, customer: int) -> int:
    """What a run enqueues."""
    options = f'{{"parent": {parent}}}'
    return (await db.fetchval(query("submit"), "charge", [f'{{"customer": {customer}}}'], options, False, None))[0]


async def test_a_run_is_shown_with_everything_that_is_known_of_it(shop: Shop, db: Db) -> None:
    async with shop.jobs:
        run = await shop.charge.options(tags=["eu"], metadata={"customer": "7"}, priority=3).enqueue(7)
        queued = await shop.jobs.runs.get(run.id)
        assert (queued.state, queued.task, queued.queue, queued.priority) == (State.QUEUED, "charge", "default", 3)
        assert (queued.args, queued.tags, queued.metadata, queued.history) == ({"customer": 7}, ["eu"], {"customer": "7"}, [])
        await drained(shop, db)
        failed = await shop.jobs.runs.get(run.id)
    assert (failed.state, failed.attempts, failed.crashes, failed.result) == (State.FAILED, 1, 0, None)
    assert failed.error is not None
    assert (failed.error.type, failed.error.message) == ("ValueError", "no such customer: 7")
    assert failed.started_at is not None, "by the node's reckoning of the database's clock"
    (event,) = failed.history
    assert (event.kind, event.error, event.at) == ("failed", failed.error, failed.ended_at)


async def test_a_result_is_shown_as_a_value(shop: Shop, db: Db) -> None:
    async with shop.jobs:
        run = await shop.charge.enqueue(2)
        await drained(shop, db)
        done = await shop.jobs.runs.get(run.id)
    assert (done.state, done.result, done.error) == (State.SUCCEEDED, "charged 2", None)
    assert done.history[0].result == "charged 2"


async def test_lists_are_pages_with_a_cursor(shop: Shop, db: Db) -> None:
    async with shop.jobs:
        ids = [(await shop.charge.enqueue(n)).id for n in range(5)]
        page = await shop.jobs.runs.list(task="charge", limit=3)
        rest = await shop.jobs.runs.list(task="charge", limit=3, before=page.cursor)
        assert [run.id for run in page] == ids[:1:-1]
        assert [run.id for run in rest] == ids[1::-1]
        assert rest.cursor is None
        assert await shop.jobs.runs.ids(task="charge") == ids[::-1]


async def test_lists_take_every_filter(shop: Shop, db: Db) -> None:
    list_ = shop.jobs.runs.list
    async with shop.jobs:
        for n in range(4):
            await shop.charge.options(metadata={"n": str(n)}, tags=[f"t{n % 2}"]).enqueue(n)
        await shop.mail.enqueue("x")
        await drained(shop, db)
        fingerprint = (await list_(state="failed"))[0].error.fingerprint  # type: ignore[union-attr]
        cases: list[tuple[dict[str, Any], int]] = [
            ({}, 5),
            ({"state": State.FAILED}, 2),
            ({"state": ["failed", State.SUCCEEDED], "task": "charge"}, 4),
            ({"queue": "mail"}, 1),
            ({"task": ["charge", "mail"]}, 5),
            ({"tags": "t1"}, 2),
            ({"metadata": {"n": "2"}}, 1),
            ({"error": fingerprint}, 2),
            ({"error": "00000000"}, 0),
            ({"since": "1h"}, 5),
            ({"since": timedelta(hours=1), "state": "succeeded"}, 3),
            ({"since": datetime(2020, 1, 1, tzinfo=UTC)}, 5),
            ({"since": datetime(2100, 1, 1, tzinfo=UTC)}, 0),
        ]
        for which, count in cases:
            assert len(await list_(**which)) == count, which


async def test_counts_come_from_the_roll_up(shop: Shop, db: Db) -> None:
    count = shop.jobs.runs.count
    async with shop.jobs:
        for n in range(4):
            await shop.charge.enqueue(n)
        await shop.mail.options(delay="1h").enqueue("x")
        assert (await count(), await count(state="queued"), await count(state=["scheduled", "retrying"])) == (5, 4, 1)
        await drained(shop, db)
        assert await count(state="failed") == await count(state="failed", task="charge", since="10m") == 2
        assert (await count(state=["succeeded", "failed"]), await count(task="mail"), await count(queue="mail", state="failed")) == (
            4,
            1,
            0,
        )
        assert await count(since="10m") == 5
        assert await count(task="nobody") == 0


async def test_a_tree_holds_what_a_run_enqueued_in_order(shop: Shop, db: Db) -> None:
    async with shop.jobs:
        run = await shop.mail.enqueue("x")
        for n in (2, 3, 4):
            await child(db, run.id, n)
        tree = await shop.jobs.runs.tree(run.id)
        assert [(child.run.task, child.run.args) for child in tree.children] == [("charge", {"customer": n}) for n in (2, 3, 4)]
        grandchild = await child(db, tree.children[1].run.id, 5)
        below = await shop.jobs.runs.tree(tree.children[1].run.id)
        assert (below.run.parent, below.run.root, [one.run.id for one in below.children]) == (run.id, run.id, [grandchild])
        assert below.children[0].run.root == run.id


async def test_a_bulk_retry_makes_the_failed_start_again_and_says_how_many(shop: Shop, db: Db) -> None:
    async with shop.jobs:
        for n in range(6):
            await shop.charge.enqueue(n)
        await drained(shop, db)
        shop.mended = True
        assert await shop.jobs.runs.retry(task="charge") == {"reopened": 3}
        assert await shop.jobs.runs.count(state="queued") == 3
        assert await shop.jobs.runs.retry(task="charge") == {}
        await drained(shop, db)
        assert [run.state for run in await shop.jobs.runs.list(task="charge")] == [State.SUCCEEDED] * 6


async def test_a_bulk_command_goes_in_chunks_that_are_committed_one_by_one(shop: Shop, db: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 2)
    async with shop.jobs:
        for n in range(1, 14, 2):
            await shop.charge.enqueue(n)
        await drained(shop, db)
        ids = await shop.jobs.runs.ids(state="failed")
        await db.execute("create function stop() returns trigger language plpgsql as 'begin raise exception $$killed$$; end'")
        third = f"new.id = {ids[4]}"
        await db.execute(f"create trigger stop before insert on howdah.job for each row when ({third}) execute function stop()")
        with pytest.raises(asyncpg.RaiseError, match="killed"):
            await shop.jobs.runs.retry(state="failed")
        assert await shop.jobs.runs.count(state="queued") == 4
        await db.execute("drop trigger stop on howdah.job")

        assert await shop.jobs.runs.retry(state="failed") == {"reopened": 3}
    assert await db.fetchval("select count(*) from howdah.event where kind = 23") == len(ids) == 7
    assert await db.fetchval("select count(distinct run) from howdah.event where kind = 23") == 7


async def test_runs_are_retried_by_id_and_each_gets_its_answer(shop: Shop, db: Db) -> None:
    async with shop.jobs:
        failed, fine = [await shop.charge.enqueue(n) for n in (1, 2)]
        await drained(shop, db)
        waiting = await shop.charge.enqueue(4)
        assert await shop.jobs.runs.retry([failed.id, fine.id, waiting.id, 77]) == {
            "reopened": 1, "succeeded": 1, "pending": 1, "unknown": 1,
        }  # fmt: skip
        assert await shop.jobs.runs.retry(failed.id) == {"pending": 1}


async def test_a_bulk_cancel_takes_what_is_pending_with_a_reason(shop: Shop, db: Db) -> None:
    async with shop.jobs:
        for n in range(3):
            await shop.charge.options(delay=None if n else "1h").enqueue(n)
        await shop.mail.enqueue("x")
        assert await shop.jobs.runs.cancel(task="charge", reason="moved") == {"cancelled": 3}
        assert {run.reason for run in await shop.jobs.runs.list(state="cancelled")} == {"moved"}
        assert await shop.jobs.runs.cancel(task="charge") == {}
        assert await shop.jobs.runs.count(state="queued") == 1


async def test_what_makes_no_sense_is_refused(jobs: App) -> None:
    async with jobs:
        for refused, sentence in (
            (jobs.runs.list(state="done"), "'done' is no state of a run; the states are scheduled"),
            (jobs.runs.list(limit=0), "limit=0 must be from 1 to 1000"),
            (jobs.runs.list(since=datetime(2026, 1, 1)), "has no time zone"),
            (jobs.runs.list(since="soon"), "since= takes a time or how long ago"),
            (jobs.runs.list(colour="red"), "runs have no filter 'colour'"),  # type: ignore[call-arg]
            (jobs.runs.count(tags="x"), 'runs are not counted by "tags"'),
            (jobs.runs.count(state="retrying"), "counted together only"),
            (jobs.runs.count(state="queued", since="1h"), "counted as they are now"),
            (jobs.runs.retry(), "for all runs there are"),
            (jobs.runs.cancel([1], task="x"), "not both"),
        ):
            with pytest.raises(ArgumentsInvalid, match=sentence):
                await refused
        with pytest.raises(HowdahError, match="there is no run 5"):
            await jobs.runs.get(5)
