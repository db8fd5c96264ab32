"""CONTRACT 3.2: a field path is a key for every producer; a function is asked once for each run, on every way in."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from enum import Enum
from typing import Any
from uuid import UUID

import anyio
import anyio.to_thread
import asyncpg
import psycopg
import pytest
from howdah import App, ArgumentsInvalid, Call, ConfigurationError, Limit, Rate, Task, transaction

from ..conftest import Connect

pytestmark = pytest.mark.anyio

Session = asyncpg.Connection


async def demands(db: Session) -> list[Any]:
    """Of all runs that have some, in the order in which they were made."""
    rows = await db.fetch("select demands::text from howdah.run where demands is not null order by id")
    return [json.loads(row[0]) for row in rows]


Send = Task[[int, str], None]


class Asking:
    """Two tasks: the key of one is a path, that of the other a function, whose calls are counted."""

    def __init__(self, jobs: App) -> None:
        self.calls: list[str] = []

        def key(number: int, name: str) -> str:
            self.calls.append(name)
            return name.lower()

        async def send(number: int, name: str = "Nobody") -> None: ...

        self.pathed: Send = jobs.task(name="pathed", limits=[Limit("path", 1, key="number"), Rate("smtp", 9, per="1m")])(send)
        self.asked: Send = jobs.task(name="asked", limits=[Limit("function", 1, key=key)])(send)


@pytest.fixture
def asking(jobs: App) -> Asking:
    return Asking(jobs)


def several(task: Send, count: int) -> Iterator[Call]:
    return (task.call(number, f"N{number}") for number in range(count))


async def one_by_one(task: Send) -> None:
    for number in range(3):
        await task.enqueue(number, f"N{number}")


async def together(task: Send) -> None:
    async with anyio.create_task_group() as group:
        for number in range(3):
            group.start_soon(task.enqueue, number, f"N{number}")


async def under_keys_of_their_own(task: Send) -> None:
    for number in range(3):
        await task.options(unique=f"n{number}").enqueue(number, f"N{number}")


async def in_a_thread(task: Send) -> None:
    for number in range(3):
        await anyio.to_thread.run_sync(task.enqueue_sync, number, f"N{number}")


async def of_a_list(task: Send) -> None:
    await task.enqueue_many([*several(task, 3)])


async def of_a_generator(task: Send) -> None:
    await task.enqueue_many(several(task, 3))


async def as_they_come(task: Send) -> None:
    async def later() -> AsyncIterator[Call]:
        for call in several(task, 3):
            await anyio.sleep(0)
            yield call

    await task.enqueue_many(later())


async def by_arguments_in_canonical_form(task: Send) -> None:
    await task.options(unique=True).enqueue_many(several(task, 3))


Way = Callable[[Send], Awaitable[None]]

WAYS: list[Way] = [
    one_by_one, together, under_keys_of_their_own, in_a_thread, of_a_list, of_a_generator, as_they_come, by_arguments_in_canonical_form,
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_every_way_in_gives_each_run_its_own_key(
    jobs: App, db: Session, asking: Asking, way: Callable[[Send], Awaitable[None]]
) -> None:
    async with jobs:
        await way(asking.asked)
        await way(asking.pathed)
    found = await demands(db)
    assert sorted(found[:3]) == [[["function", f"n{number}"]] for number in range(3)]
    assert sorted(found[3:]) == [[["path", str(number)], ["smtp", ""]] for number in range(3)]
    assert sorted(asking.calls) == ["N0", "N1", "N2"], "once for each run"
    stored = await db.fetch("select demands #>> '{0,1}', args ->> 'name' from howdah.run where demands #>> '{0,0}' = 'function'")
    assert [row[0] for row in stored] == [row[1].lower() for row in stored], "the key of its own arguments"


async def test_chunks_of_many_calls_keep_keys_and_arguments_together(dsn: str, db: Session) -> None:
    jobs = App(dsn, enqueue_chunk=4)
    asking = Asking(jobs)
    async with jobs:
        await asking.asked.enqueue_many(several(asking.asked, 10))
    assert await demands(db) == [[["function", f"n{number}"]] for number in range(10)]


@pytest.mark.parametrize("is_open", [True, False])
async def test_a_connection_of_ones_own_carries_keys_and_introduces_limits(
    jobs: App, db: Session, asking: Asking, connect: Connect, is_open: bool
) -> None:
    conn = await connect()
    async with jobs if is_open else anyio.create_task_group(), conn.transaction():
        await asking.asked.options(conn=conn).enqueue(1, "Ann")
        await asking.asked.options(conn=conn).enqueue_many(several(asking.asked, 2))
        await asking.pathed.options(conn=conn).enqueue(7, "Ann")
    assert await demands(db) == [[["function", "ann"]], [["function", "n0"]], [["function", "n1"]], [["path", "7"], ["smtp", ""]]]
    assert await db.fetchval("select count(*) from howdah.limit_terms") == 3


async def test_a_connection_of_sync_code_carries_them_too(dsn: str, db: Session, asking: Asking) -> None:
    def sync() -> None:
        with psycopg.connect(dsn) as conn:
            asking.asked.options(conn=conn).enqueue_sync(1, "Ann")

    await anyio.to_thread.run_sync(sync)
    assert await demands(db) == [[["function", "ann"]]]


async def test_what_a_run_enqueues_has_its_key_in_its_transaction_and_beside_it(jobs: App, db: Session, asking: Asking) -> None:
    @jobs.task
    async def parent() -> None:
        await asking.asked.enqueue(1, "Ann")
        await asking.asked.options(child="k").enqueue(2, "Bob")
        async with transaction() as conn:
            await asking.asked.options(conn=conn).enqueue(3, "Cid")

    async with jobs.work(queues=["default"]):
        await (await parent.enqueue()).result("10s")
    assert await demands(db) == [[["function", "ann"]], [["function", "bob"]], [["function", "cid"]]]


async def test_sql_gives_the_key_that_only_python_can_work_out_or_is_refused(jobs: App, db: Session, asking: Asking) -> None:
    async with jobs:
        await asking.asked.enqueue(1, "Ann")
        await asking.pathed.enqueue(1, "Ann")
    await db.fetchval("""select howdah.enqueue('pathed', '{"number": 2}')""")
    await db.fetchval("""select howdah.enqueue('asked', '{"number": 2}', keys => '{"function": "bob"}')""")
    with pytest.raises(asyncpg.DataError, match="limit function of asked") as refusal:
        await db.fetchval("""select howdah.enqueue('asked', '{"number": 2}')""")
    assert "keys =>" in str(refusal.value.hint)
    with pytest.raises(asyncpg.DataError, match="limit path of pathed has no key here: the arguments have no number"):
        await db.fetchval("""select howdah.enqueue('pathed', '{}')""")
    assert (await demands(db))[2:] == [[["path", "2"], ["smtp", ""]], [["function", "bob"]]]


async def test_a_key_that_fails_is_its_callers_own_and_nothing_is_enqueued(jobs: App, db: Session) -> None:
    def key(name: str | None) -> Any:
        return None if name is None else {"long": "x" * 201, "none": None}.get(name, name)

    @jobs.task(limits=[Limit("by-name", 1, key=key)])
    async def asked(name: str | None) -> None: ...

    @jobs.task(limits=[Limit("path", 1, key="name")])
    async def pathed(name: str | None = None) -> None: ...

    refused: dict[str, str] = {}

    async def attempt(task: Task[[str | None], None], name: str | None) -> None:
        try:
            await task.enqueue(name)
        except ArgumentsInvalid as error:
            refused[f"{task.name} {name}"[:12]] = str(error)

    async with jobs:
        async with anyio.create_task_group() as group:
            for name in ("long", "none", "a", "b"):
                group.start_soon(attempt, asked, name)
            for name in ("x" * 201, None, "c"):
                group.start_soon(attempt, pathed, name)
        with pytest.raises(ArgumentsInvalid, match="a key is text"):
            await asked.enqueue_many(asked.call(name) for name in ("a", "none"))
    assert {name: "by-name" in said or "path" in said for name, said in refused.items()} == dict.fromkeys(
        ["asked long", "asked none", "pathed xxxxx", "pathed None"], True
    )
    assert sorted(await demands(db)) == [[["by-name", "a"]], [["by-name", "b"]], [["path", "c"]]]


async def test_costs_groups_and_weights_are_asked_and_found_alike(jobs: App, db: Session) -> None:
    @jobs.task(limits=[Limit("slots", 2, fair_by="tenant", weights={"gold": 3}), Rate("pages", 9, per=1, cost="pages")])
    async def pathed(tenant: str, pages: float) -> None: ...

    def first(tenant: str, pages: float) -> str:
        return tenant[0]

    def twice(tenant: str, pages: float) -> float:
        return 2 * pages

    @jobs.task(limits=[Limit("asked", 2, key=first, fair_by=first, weights={"g": 3}), Rate("weighed", 9, per=1, key=first, cost=twice)])
    async def asked(tenant: str, pages: float) -> None: ...

    async with jobs:
        await pathed.enqueue("gold", 2.5)
        await pathed.enqueue("lead", 1)
        await asked.enqueue("gold", 2.5)
    assert await demands(db) == [
        [["slots", "", 1, "gold", 3], ["pages", "", 2.5]],
        [["slots", "", 1, "lead"], ["pages", ""]],
        [["asked", "g", 1, "g", 3], ["weighed", "g", 5]],
    ]


async def test_a_nodes_registration_states_the_limits_and_takes_them_back(dsn: str, db: Session) -> None:
    async def catalogue(*limits: Limit | Rate) -> Any:
        jobs = App(dsn, grace_s=2, hard_grace_s=2)

        @jobs.task(limits=limits)
        async def work(number: int = 4) -> None: ...

        async with jobs.work():
            said = await db.fetchval("select limits::text from howdah.task where name = 'work'")
        return said and json.loads(said)

    assert await catalogue(Limit("x", 2, key="number")) == [
        {"limit": "x", "kind": "limit", "terms": {"number": 2}, "path": ["number"], "default": "4"}
    ]
    assert await catalogue(Limit("x", 3)) == [{"limit": "x", "kind": "limit", "terms": {"number": 3}}]
    assert await catalogue() is None


async def test_a_name_that_another_program_uses_for_the_other_kind_is_refused(jobs: App, dsn: str, db: Session) -> None:
    theirs = App(dsn)

    @theirs.task(limits=[Rate("x", 2, per=1)])
    async def before() -> None: ...

    @jobs.task(limits=[Limit("x", 2)])
    async def work() -> None: ...

    async with theirs:
        await before.enqueue()
    async with jobs:
        with pytest.raises(ConfigurationError, match=r"refused the definition of task 'work' .*x is a rate already") as refusal:
            await work.enqueue()
    assert "Give the new one another name" in str(refusal.value)
    with pytest.raises(ConfigurationError, match="refused the definition of task 'work'"):
        async with jobs.work():
            pass
    assert await db.fetchval("select count(*) from howdah.run") == 1


class Plan(Enum):
    GOLD = "gold"


async def test_a_function_and_a_path_to_the_same_value_are_one_key(jobs: App, db: Session) -> None:
    def take(value: Any) -> Any:
        return value

    kinds: dict[type, Any] = {int: 7, str: 'seven ünd "7" \'', bool: True, UUID: UUID(int=7), Plan: Plan.GOLD}
    async with jobs:
        for kind, value in kinds.items():

            def work(value: Any) -> None: ...

            work.__annotations__["value"] = kind
            name = f"takes {kind.__name__}"
            shared = Limit("asked", 1, key=take), Limit("path", 1, key="value", fair_by="value")
            await jobs.task(name=name, limits=shared)(work).enqueue(value)
    for asked, path in await demands(db):
        assert path == ["path", asked[1], 1, asked[1]]
