"""Debounce as tasks and callers say it: what it is kept as, and what becomes of enqueues in quick succession."""

import json
from typing import Any

import anyio
import asyncpg
import pytest
from howdah import App, Debounce, Limit, Run, current_run
from howdah.definitions import Definition

pytestmark = pytest.mark.anyio

Db = asyncpg.Connection


async def index(page: int, text: str = "") -> str:
    return text


def parity(page: int, text: str = "") -> str:
    return "even" if page % 2 == 0 else "odd"


async def inputs(db: Db) -> list[Any]:
    """Of the runs that there are, in the order in which they were made."""
    return [json.loads(row[0]) for row in await db.fetch("select args from howdah.run order by id")]


def said(debounce: Any, **more: Any) -> Any:
    return Definition(index, debounce=debounce, **more).catalogue()["defaults"].get("debounce")


def test_the_catalogue_holds_what_a_task_says_in_short_or_in_full() -> None:
    assert said(None) is None
    assert said("30s") == said(Debounce(30)) == {"wait": 30}
    assert said(Debounce("30s", max_wait="5m", key="page")) == {"wait": 30, "max": 300, "path": ["page"]}
    assert said(Debounce("30s", key="text")) == {"wait": 30, "path": ["text"], "default": ""}
    assert said(Debounce("30s", key=parity)) == {"wait": 30, "asked": True}
    assert Definition(index, debounce="30s").hash != Definition(index).hash


def test_a_function_is_asked_beside_those_of_limits() -> None:
    definition = Definition(index, debounce=Debounce(1, key=parity), limits=[Limit("x", 1, key=lambda page, text: page)])
    assert json.loads(definition.keys_of('{"page": 3}') or "") == {"x": "3", "/debounce": "odd"}


async def test_of_enqueues_in_quick_succession_the_last_one_runs(jobs: App, db: Db) -> None:
    task = jobs.task(debounce=Debounce("100ms", max_wait="10s", key="page"))(index)
    async with jobs.work():
        runs = [await task.enqueue(1, text) for text in "abc"]
        other = await task.enqueue(2, "x")
        assert [(run.id, run.created) for run in runs] == [(runs[0].id, True), (runs[0].id, False), (runs[0].id, False)]
        assert other.created
        assert [await run.result("10s") for run in (*runs, other)] == ["c", "c", "c", "x"]
        again = await task.enqueue(1, "d")
        assert again.created
        assert await again.result("10s") == "d"
    assert await inputs(db) == [{"page": 1, "text": "c"}, {"page": 2, "text": "x"}, {"page": 1, "text": "d"}]


async def test_enqueues_that_are_under_way_at_once_are_one_run(jobs: App, db: Db) -> None:
    task = jobs.task(debounce="1h")(index)
    made: list[Run[str]] = []

    async def one(text: str) -> None:
        made.append(await task.enqueue(1, text))

    async with jobs, anyio.create_task_group() as group:
        for n in range(20):
            group.start_soon(one, str(n))
    assert len({run.id for run in made}) == 1
    assert [run.created for run in made].count(True) == 1
    assert len(await inputs(db)) == 1


@pytest.mark.parametrize("key", ["page", lambda page, text: page])
async def test_many_at_once_are_as_many_as_their_keys_and_each_takes_its_last_input(jobs: App, db: Db, key: Any) -> None:
    task = jobs.task(debounce=Debounce("1h", key=key))(index)
    async with jobs:
        runs = await task.enqueue_many(task.call(n % 2, str(n)) for n in range(5))
        assert [run.created for run in runs] == [True, True, False, False, False]
        assert [run.id for run in runs] == [runs[0].id, runs[1].id] * 2 + [runs[0].id]
    assert await inputs(db) == [{"page": 0, "text": "4"}, {"page": 1, "text": "3"}]


async def test_a_caller_says_it_of_a_task_that_does_not_or_otherwise_than_that_does(jobs: App, db: Db) -> None:
    plain = jobs.task(name="plain")(index)
    task = jobs.task(debounce=Debounce("1h", key="page"))(index)
    async with jobs:
        first = await plain.options(debounce="1h").enqueue(1)
        assert (await plain.options(debounce="2h").enqueue(2)).id == first.id
        assert (await plain.enqueue(3)).created
        one, two = await task.enqueue(1), await task.enqueue(2)
        assert one.id != two.id
        assert (await task.options(debounce="5m").enqueue(2)).id == two.id, "the key is still that of the task"
        by_parity = task.options(debounce=Debounce("5m", key=parity))
        three = await by_parity.enqueue(1)
        assert three.created
        assert [run.id for run in await by_parity.enqueue_many(task.call(page) for page in (3, 5))] == [three.id] * 2
        whole = await task.options(debounce=Debounce("5m")).enqueue(7)
        assert (await task.options(debounce=Debounce("5m")).enqueue(8)).id == whole.id
    waits = await db.fetch("select extract(epoch from due - howdah.clock()) / 60 from howdah.timer order by id")
    assert [round(row[0]) for row in waits] == [120, 60, 5, 5, 5]


async def test_it_happens_in_the_callers_transaction(jobs: App, db: Db, connect: Any) -> None:
    task = jobs.task(debounce="1h")(index)
    conn = await connect()
    await conn.execute("begin")
    assert (await task.options(conn=conn).enqueue(1, "gone")).created
    await conn.execute("rollback")
    await conn.execute("begin")
    run = await task.options(conn=conn).enqueue(1, "a")
    await conn.execute("commit")
    async with jobs:
        assert (await task.enqueue(2, "b")).id == run.id
    assert await inputs(db) == [{"page": 2, "text": "b"}]


async def test_a_program_that_does_not_know_of_it_is_answered_right_all_the_same(jobs: App, db: Db, dsn: str) -> None:
    """Its enqueues travel together, until Postgres says that these do not."""
    task = jobs.task(debounce="1h")(index)
    async with jobs:
        first = await task.enqueue(1)
    elsewhere = App(dsn)
    stub, other = elsewhere.stub(index), elsewhere.stub(name="other")(index)
    found: list[Run[str]] = []

    async def enqueue(one: Any, page: int) -> None:
        found.append(await one.enqueue(page))

    async with elsewhere, anyio.create_task_group() as group:
        for page in range(6):
            group.start_soon(enqueue, stub if page % 2 else other, page)
    assert [run.created for run in found if run.id == first.id] == [False] * 3
    assert [run.created for run in found if run.id != first.id] == [True] * 3


async def test_what_a_run_enqueues_is_debounced_too_and_belongs_to_the_last(jobs: App, db: Db) -> None:
    task = jobs.task(debounce="1h")(index)

    @jobs.task
    async def save(page: int) -> int:
        await task.enqueue(page)
        return current_run().id

    async with jobs.work():
        for page in (1, 2):
            last = await (await save.enqueue(page)).result("10s")
    assert await db.fetchval("select parent from howdah.run where args ->> 'text' is not null") == last
