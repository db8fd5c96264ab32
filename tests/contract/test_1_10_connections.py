"""CONTRACT 1.10: the budget of a node and of a client, and which connections go past a pooler."""

import importlib
import sys
import textwrap
from collections import Counter
from pathlib import Path

import anyio
import asyncpg
import howdah
import pytest
from howdah import App, Retry

from ..recovery.nodes import END, HELD_OPEN, Session, forgiven, happens

pytestmark = pytest.mark.anyio

POOL = 5


class Census:
    """Counts our connections for as long as it is open, as fast as Postgres answers."""

    def __init__(self, db: Session) -> None:
        self.db = db
        self.most = 0
        self.names: Counter[str] = Counter()
        self.rounds = 0

    async def take(self) -> None:
        while True:
            rows = await self.db.fetch(HELD_OPEN)
            self.most = max(self.most, len(rows))
            self.names.update({row[0].removeprefix("howdah ").split()[0] for row in rows})
            self.rounds += 1


async def test_a_node_holds_at_most_6_connections_plus_its_handler_pool(dsn: str, db: Session) -> None:
    jobs = App(dsn, grace_s=2, hard_grace_s=2, heartbeat_s=0.1, lease_s=60, keep_longest_s=0.05)
    assert jobs.config.pool_size == POOL

    @jobs.task
    async def child() -> None: ...

    @jobs.task(retry=Retry(2, base=0.001))
    async def work() -> None:
        run = howdah.current_run()
        if run.attempt == 1:
            raise KeyError("again")
        await child.enqueue()
        async with howdah.transaction() as connection:
            await connection.fetchval("select 1")

    census = Census(db)
    async with anyio.create_task_group() as group, jobs.work():
        group.start_soon(census.take)
        runs = await work.enqueue_many(work.call() for _ in range(1500))
        async with anyio.create_task_group() as waiters:
            for run in runs:
                waiters.start_soon(run.result)
        group.cancel_scope.cancel()
    assert census.most <= 6 + POOL
    assert set(census.names) == {"claim", "write", "keep", "heart", "listen", "pool"}
    assert census.rounds > 10


async def test_the_same_while_every_connection_is_lost_and_made_again(dsn: str, db: Session) -> None:
    jobs = App(dsn, grace_s=2, hard_grace_s=2, backoff_s=0.01, backoff_max_s=0.05, lease_s=60, heartbeat_s=0.05, keep_longest_s=0.05)
    ended: Counter[int] = Counter()

    @jobs.task
    async def work() -> None:
        ended[howdah.current_run().id] += 1

    census = Census(db)
    killer = await asyncpg.connect(dsn)
    async with forgiven(), anyio.create_task_group() as group, jobs.work():
        group.start_soon(census.take)
        for number in range(1, 16):
            await killer.fetch("select howdah.enqueue('work') from generate_series(1, 100)")
            await killer.fetchval(END, "howdah %")
            await happens(lambda number=number: len(ended) == 100 * number)
        group.cancel_scope.cancel()
    killer.terminate()
    assert census.most <= 6 + POOL
    assert census.rounds > 10


async def test_a_client_holds_its_pool_plus_one_however_many_results_it_awaits(dsn: str, db: Session) -> None:
    jobs, node = App(dsn, pool_size=2), App(dsn, grace_s=2, hard_grace_s=2)
    leave = anyio.Event()

    async def work() -> int:
        await leave.wait()
        return 1

    task = jobs.task(work)
    node.task(work)
    census = Census(db)
    async with jobs:
        runs = await task.enqueue_many(task.call() for _ in range(1000))
        got: list[int] = []
        alone = 0

        async def wait(run: howdah.Run[int]) -> None:
            got.append(await run.result("30s"))

        async with anyio.create_task_group() as counting, anyio.create_task_group() as waiters:
            counting.start_soon(census.take)
            for run in runs:
                waiters.start_soon(wait, run)
            for _ in range(50):
                waiters.start_soon(task.enqueue)
            await happens(lambda: "listen" in census.names)
            await happens(lambda: not jobs.client.results._unmarked)
            alone = census.most
            leave.set()
            async with node.work():
                await happens(lambda: len(got) == 1000)
            counting.cancel_scope.cancel()
        assert alone <= 2 + 1
    assert await db.fetch(HELD_OPEN) == [] or await _gone(db)


async def _gone(db: Session) -> bool:
    with anyio.fail_after(30):
        while await db.fetch(HELD_OPEN):
            pass
    return True


async def test_howdah_direct_dsn_is_used_for_listen_and_the_heart(dsn: str, db: Session) -> None:
    if not await db.fetchval("select exists (select from pg_roles where rolname = 'howdah_direct')"):
        await db.execute("create role howdah_direct login superuser")
    # As if HOWDAH_DSN went through a pooler: then the others have a server connection only while they work.
    jobs = App(dsn, direct_dsn=dsn.replace("//postgres@", "//howdah_direct@"), pooler=True, grace_s=2, hard_grace_s=2)

    @jobs.task
    async def one() -> int:
        return 1

    async with jobs.work():
        assert await (await one.enqueue()).result("10s") == 1
        rows = await db.fetch(
            "select split_part(application_name, ' ', 2), usename from pg_stat_activity where application_name like 'howdah %'"
        )
        assert {row[0] for row in rows if row[1] == "howdah_direct"} == {"listen", "heart"}
        assert {row[0] for row in rows if row[1] != "howdah_direct"} == {"claim", "write", "keep", "pool"}


def test_the_core_of_the_suite_runs_through_pgbouncer_in_ci() -> None:
    root = Path(__file__).parents[2]
    assert (root / "tests/pooler/test_core.py").exists()
    assert "export HOWDAH_TESTS_NEED_PGBOUNCER=1" in (root / ".ci/run").read_text()


BRANCHES = """
    import os
    from howdah import App

    jobs = App(os.environ["BRANCHES_DSN"], processes=3, grace_s=2, hard_grace_s=2)

    @jobs.task
    async def leaf() -> int:
        return 1

    @jobs.task(isolation="process")
    async def branch() -> int:
        return await (await leaf.enqueue()).result("20s")
"""


async def test_a_child_process_that_enqueues_and_awaits_holds_two_connections_at_most(
    dsn: str, db: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "branches.py").write_text(textwrap.dedent(BRANCHES))
    monkeypatch.setenv("BRANCHES_DSN", dsn)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    monkeypatch.syspath_prepend(str(tmp_path))
    branches = importlib.import_module("branches")
    monkeypatch.delitem(sys.modules, "branches")
    census = Census(db)
    async with anyio.create_task_group() as group, branches.jobs.work():
        group.start_soon(census.take)
        async with anyio.create_task_group() as waiters:
            for run in await branches.branch.enqueue_many(branches.branch.call() for _ in range(20)):
                waiters.start_soon(run.result)
        group.cancel_scope.cancel()
    assert census.most <= 6 + POOL + 2 * 3
