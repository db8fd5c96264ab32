"""jobs.tasks, jobs.queues and jobs.nodes, and what is to do."""

from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from howdah import App, ArgumentsInvalid, State

from .stage import Shop
from .test_runs import drained

pytestmark = pytest.mark.anyio

Db = asyncpg.Connection


async def test_queues_say_what_they_hold_and_how_they_move(dsn: str, db: Db) -> None:
    shop = Shop(dsn)
    async with shop.jobs:
        for n in range(4):
            await shop.charge.enqueue(n)
        await drained(shop, db)
        await db.fetchval("select howdah.roll_up()")
        await shop.mail.enqueue("x")
        await shop.mail.options(delay="1h").enqueue("x")
        queues = {queue.queue: queue for queue in await shop.jobs.queues.list()}
    mail, default = queues["mail"], queues["default"]
    assert (mail.ready, mail.running, mail.later, default.ready) == (1, 0, 1, 0)
    assert mail.oldest_waiting_s is not None
    assert 0 <= mail.oldest_waiting_s < 60
    assert default.oldest_waiting_s is None
    assert default.enqueued_per_minute == pytest.approx(2 * default.failed_per_minute) == pytest.approx(2 * default.succeeded_per_minute)
    assert 4 / 6 <= default.enqueued_per_minute <= 4 / 5


async def test_tasks_say_how_their_runs_ended(dsn: str, db: Db) -> None:
    shop = Shop(dsn)
    async with shop.jobs:
        for n in range(5):
            await shop.charge.enqueue(n)
        await drained(shop, db)
        tasks = {task.task: task for task in await shop.jobs.tasks.list()}
    assert (tasks["charge"].succeeded, tasks["charge"].failed, tasks["charge"].ready, tasks["charge"].implemented) == (3, 2, 0, True)
    assert (tasks["mail"].queue, tasks["mail"].succeeded) == ("mail", 0)


async def test_nodes_say_what_they_serve_while_they_live(dsn: str) -> None:
    shop = Shop(dsn)
    async with shop.jobs:
        assert await shop.jobs.nodes.list() == []
        async with shop.jobs.work(queues=["mail"]):
            (node,) = await shop.jobs.nodes.list()
        assert (node.alive, node.queues, node.tasks) == (True, ["mail"], ["charge", "mail"])
        assert await shop.jobs.nodes.list() == []


async def test_a_queue_keeps_its_history_as_long_as_it_is_told(jobs: App) -> None:
    async with jobs:
        for said, days in (("7d", 7), (timedelta(days=2), 2), (86400, 1), (None, None)):
            await jobs.queues.set("mail", retention=said)
            (mail,) = [queue for queue in await jobs.queues.list() if queue.queue == "mail"]
            assert mail.retention_days == days


@pytest.mark.parametrize(
    ("retention", "sentence"),
    [("12h", "not a number of whole days"), (0, "at least one"), ("soon", "takes a duration"), (-1, "takes a duration")],
)
async def test_a_retention_that_is_no_number_of_days_is_refused(jobs: App, retention: Any, sentence: str) -> None:
    async with jobs:
        with pytest.raises(ArgumentsInvalid, match=sentence):
            await jobs.queues.set("mail", retention=retention)


async def test_what_is_to_do_is_grouped_by_task_and_error(dsn: str, db: Db) -> None:
    shop = Shop(dsn)
    async with shop.jobs:
        for n in range(1, 8):
            await shop.charge.enqueue(n)
        await drained(shop, db)
        orphan = await db.fetchval("select howdah.enqueue('orphan')")
        todo = await shop.jobs.tasks.todo()
        (one,) = todo.unimplemented
        (group,) = todo.trouble
        assert (one.task, one.first_run, todo.misfits) == ("orphan", orphan, [])
        assert (group.task, group.state, group.runs, group.error_type, group.truncated) == ("charge", State.FAILED, 4, "ValueError", False)
        assert group.message == "no such customer: 7"
        shop.mended = True
        assert await shop.jobs.runs.retry(task="charge", error=group.fingerprint) == {"reopened": 4}
        assert (await shop.jobs.tasks.todo()).trouble == []


async def test_a_refusal_of_postgres_says_its_hint_once(jobs: App) -> None:
    async with jobs:
        with pytest.raises(ArgumentsInvalid) as caught:
            await jobs.runs.count(tags="x")
    assert str(caught.value).count("list the runs to see the others") == 1
