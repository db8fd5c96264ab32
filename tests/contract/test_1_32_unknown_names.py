"""CONTRACT 1.32: names that somebody does not know yet."""

import asyncpg
import pytest
from howdah import App, ArgumentsInvalid

pytestmark = pytest.mark.anyio

Session = asyncpg.Connection


async def greet(name: str) -> str:
    return f"hello {name}"


async def test_python_refuses_a_name_that_its_registry_does_not_hold(jobs: App, dsn: str) -> None:
    task = jobs.task(greet)
    other = App(dsn).task(name="other")(greet)
    assert jobs.registry.get("other") is None
    async with jobs:
        with pytest.raises(ArgumentsInvalid, match="was given a call of 'other'"):
            await task.enqueue_many([other.call("ada")])


async def test_sql_accepts_it_and_the_run_waits_and_is_listed(db: Session) -> None:
    run = await db.fetchval("""select howdah.enqueue('nobody', '{"name": "ada"}')""")
    assert await db.fetchval("select howdah.state($1)", run) == "queued"
    assert [(row["task"], row["first_run"]) for row in await db.fetch("select * from howdah.unimplemented")] == [("nobody", run)]


async def test_a_clients_first_enqueue_inserts_a_missing_row_so_enqueue_before_any_worker_works(jobs: App, dsn: str, db: Session) -> None:
    task = jobs.task(queue="early")(greet)
    async with jobs:
        run = await task.enqueue("ada")
    row = await db.fetchrow("select q.name, t.implemented from howdah.task t join howdah.queue q on q.id = t.queue where t.name = 'greet'")
    assert row is not None
    assert tuple(row) == ("early", False)
    worker = App(dsn, grace_s=2, hard_grace_s=2)
    same = worker.task(queue="early")(greet)
    async with worker.work():
        assert await same.attach(run.id).result("10s") == "hello ada"


async def test_a_run_of_a_task_unknown_to_sql_takes_its_definition_when_a_node_registers_it(jobs: App, db: Session) -> None:
    run = await db.fetchval("""select howdah.enqueue('greet', '{"name": "ada"}')""")
    task = jobs.task(queue="greetings", priority=4)(greet)
    async with jobs.work(queues=["greetings"]):
        assert await task.attach(run).result("10s") == "hello ada"
