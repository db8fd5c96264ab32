"""CONTRACT 1.1: two definitions of a task alive at once, as in a rolling deploy."""

from typing import Any

import asyncpg
import pytest
from howdah import App, Limit, Task

pytestmark = pytest.mark.anyio


def app(dsn: str, function: Any) -> tuple[App, Task[..., str]]:
    jobs = App(dsn, busy_look_s=0.2, idle_look_s=0.3, grace_s=2, hard_grace_s=2)
    return jobs, jobs.task(name="greet")(function)


async def short(name: str) -> str:
    return f"short {name}"


async def long(name: str, title: str = "") -> str:
    return f"long {title}{name}"


async def other(name: str, amount: int) -> str:
    return f"other {name} {amount}"


async def enqueue(db: "asyncpg.Connection[asyncpg.Record]", args: str) -> int:
    return await db.fetchval("select howdah.enqueue('greet', $1::json)", args)


async def test_added_optional_parameters_run_on_both_definitions(dsn: str, db: "asyncpg.Connection[asyncpg.Record]") -> None:
    (old, greet), (new, greet_long) = app(dsn, short), app(dsn, long)
    async with old.work():
        assert await greet.attach(await enqueue(db, '{"name": "a", "title": "Dr "}')).result("10s") == "short a"
    async with new.work():
        assert await greet_long.attach(await enqueue(db, '{"name": "a"}')).result("10s") == "long a"
        assert await greet_long.attach(await enqueue(db, '{"name": "a", "title": "Dr "}')).result("10s") == "long Dr a"


async def test_a_payload_that_no_longer_fits_waits_for_a_node_that_fits_it_and_is_listed_with_the_mismatch(
    dsn: str, db: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    (old, greet), (new, greet_other) = app(dsn, short), app(dsn, other)
    async with new.work():
        run = await enqueue(db, '{"name": "a"}')
        fits = await enqueue(db, '{"name": "a", "amount": 3}')
        assert await greet_other.attach(fits).result("10s") == "other a 3"
        while not await db.fetchval("select exists (select from howdah.misfit where id = $1)", run):
            pass
        assert await db.fetchval("select howdah.state($1)", run) == "queued"
        message = await db.fetchval("select mismatch from howdah.misfits where run = $1", run)
        assert "missing required field `amount`" in message
        async with old.work():
            assert await greet.attach(run).result("10s") == "short a"
        assert await db.fetchval("select count(*) from howdah.misfit") == 0


async def test_under_a_limit_it_goes_to_the_node_that_fits_it_however_much_room_others_have(
    dsn: str, db: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    def limited(function: Any, concurrency: int) -> tuple[App, Task[..., str]]:
        jobs = App(dsn, busy_look_s=0.2, idle_look_s=0.3, grace_s=2, hard_grace_s=2, concurrency=concurrency)
        return jobs, jobs.task(name="greet", limits=[Limit("greetings", 3)])(function)

    (old, greet), (new, greet_other) = limited(short, 5), limited(other, 100)
    async with new.work():
        fits = await enqueue(db, '{"name": "a", "amount": 3}')
        assert await greet_other.attach(fits).result("10s") == "other a 3"
        run = await enqueue(db, '{"name": "a"}')
        while not await db.fetchval("select exists (select from howdah.misfit where id = $1)", run):
            pass
        async with old.work():
            assert await greet.attach(run).result("10s") == "short a"
            assert await greet_other.attach(await enqueue(db, '{"name": "b", "amount": 3}')).result("10s") in ("other b 3", "short b")
