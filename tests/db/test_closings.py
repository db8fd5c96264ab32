"""Rates that are closed for a while: who may close which, that no admission opens them again, and what a gate that takes over reads."""

import asyncio
from typing import Any

import pytest
from howdah.db.files import query
from howdah.messages import Claimed

from . import world
from .test_gate import PER_USER, SMTP, admit, ask, define, enter
from .world import Connect, Session

pytestmark = pytest.mark.anyio

CRM: dict[str, Any] = {"limit": "crm", "kind": "rate", "terms": {"per_s": 1000, "burst": 10}, "path": ["user_id"]}


@pytest.fixture(autouse=True)
async def alone(db: Session) -> None:
    await world.tidy(db)
    await db.execute("truncate howdah.bucket")


async def running(db: Session, *users: Any) -> tuple[int, int, list[Claimed]]:
    """Runs that a node holds under crm and per-user, the node, and its epoch as the gate."""
    await define(db, CRM, PER_USER, task="sync")
    runs = await ask(db, *({"user_id": user} for user in users), task="sync")
    node = await world.join(db)
    epoch = await enter(db, node)
    return node, epoch, await admit(db, epoch, node, *runs)


async def close(db: Session, run: Claimed, limit: str = "crm", seconds: float = 30.0, lease: int | None = None) -> None:
    await db.execute(query("close_buckets"), [run.id], [run.lease if lease is None else lease], [run.node], [limit], [seconds])


async def take_note(db: Session, key: str, level: float) -> None:
    """So much is left, as an admission wrote it."""
    await db.execute("insert into howdah.bucket (name, key, level, at) values ('crm', $1, $2, howdah.clock())", key, level)


async def closed(db: Session) -> dict[str, float]:
    """For how many seconds more, by key."""
    rows = await db.fetch("select key, extract(epoch from closed - howdah.clock())::float8 from howdah.bucket where name = 'crm'")
    return {row[0]: row[1] for row in rows}


async def now(db: Session) -> float:
    return await db.fetchval("select extract(epoch from howdah.clock())::float8")


async def test_a_run_closes_the_key_that_it_has_and_no_other(db: Session) -> None:
    *_, (first, _) = await running(db, 1, 2)
    await db.execute(
        "insert into howdah.bucket (name, key, level, at) values ('crm', '1', 3.5, howdah.clock()), ('crm', '2', 4.5, howdah.clock())"
    )
    await close(db, first)
    left = await closed(db)
    assert 29 < left["1"] <= 30
    assert left["2"] is None
    assert await db.fetchval("select level from howdah.bucket where key = '1'") == 3.5, "what it holds stays"


async def test_a_bucket_that_nobody_has_taken_from_is_closed_and_full(db: Session) -> None:
    *_, (run,) = await running(db, 1)
    await close(db, run)
    assert await db.fetchval("select level from howdah.bucket where key = '1'") == float("inf")


async def test_one_that_is_closed_for_longer_stays_so(db: Session) -> None:
    *_, (first, second) = await running(db, 1, 1)
    await close(db, first, seconds=60)
    await close(db, second, seconds=5)
    assert (await closed(db))["1"] > 59


@pytest.mark.parametrize("wrong", ["lease", "node", "limit", "other limit", "ended"])
async def test_nothing_is_closed_by_who_has_lost_its_run_or_does_not_demand_it(db: Session, wrong: str) -> None:
    *_, (run,) = await running(db, 1)
    match wrong:
        case "lease":
            await close(db, run, lease=run.lease + 1)
        case "node":
            await db.execute(query("close_buckets"), [run.id], [run.lease], [run.node + 1], ["crm"], [30.0])
        case "ended":
            await world.send(db, world.outcome(run))
            await close(db, run)
        case _:
            await close(db, run, limit="smtp" if wrong == "limit" else "per-user")
    assert await db.fetchval("select count(*) from howdah.bucket") == 0


async def test_the_gate_is_told_which_key_it_is(db: Session, connect: Connect) -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    ears = await connect()
    *_, (run,) = await running(db, 'a "b"')
    await ears.add_listener("howdah_gate", lambda *said: told.put_nowait(str(said[3])))
    await close(db, run)
    assert await asyncio.wait_for(told.get(), 10) == r'closed ["crm", "a \"b\""]'


async def take(db: Session, epoch: int, node: int, run: int, key: str, level: float, at: float) -> int:
    """An admission that takes from crm; how many there were."""
    return len(await db.fetch(query("gate_admit"), epoch, node, [run], [node], ["crm"], [key], [level], [at]))


async def written(db: Session) -> tuple[Any, ...]:
    """What the only bucket has left, and as of when."""
    (row,) = await db.fetch("select level, at from howdah.bucket")
    return tuple(row)


async def test_no_admission_passes_over_a_closing_that_its_gate_has_not_heard_of(db: Session) -> None:
    node, epoch, (run,) = await running(db, 1)
    (other,) = await ask(db, {"user_id": 1}, task="sync")
    await take_note(db, "1", 3.5)
    await close(db, run)
    at = await db.fetchval("select at from howdah.bucket")
    assert await take(db, epoch, node, other, "1", 2.5, await now(db)) == 0
    assert await written(db) == (2.5, at), "the lower level, and closed still"
    assert await take(db, epoch, node, other, "1", 9.5, await now(db)) == 0
    assert await written(db) == (2.5, at)
    (row,) = await db.fetch(query("gate_closed"), ["crm", "crm"], ["1", "2"])
    assert (row["name"], row["key"]) == ("crm", "1")
    assert 29 < row["left_s"] <= 30
    assert await take(db, epoch, node, other, "1", 4.5, at.timestamp()) == 0, "whose clock is ahead is refused as well"


async def test_a_bucket_opens_when_its_time_is_over_and_takes_what_the_gate_says(db: Session) -> None:
    node, epoch, (run,) = await running(db, 1)
    (other,) = await ask(db, {"user_id": 1}, task="sync")
    await close(db, run)
    at = await db.fetchval("update howdah.bucket set closed = howdah.clock() returning at")
    assert await db.fetch(query("gate_closed"), ["crm"], ["1"]) == []
    assert await take(db, epoch, node, other, "1", 4.5, at.timestamp()) == 1
    assert await written(db) == (4.5, at)


async def test_a_closing_waits_for_an_admission_under_way_and_the_next_one_sees_it(db: Session, connect: Connect) -> None:
    node, epoch, (run,) = await running(db, 1)
    first, second = await ask(db, {"user_id": 1}, {"user_id": 1}, task="sync")
    gate, writer = await connect(), await connect()
    async with world.transaction(gate):
        assert await take(gate, epoch, node, first, "1", 5.0, await now(db)) == 1
        closing = await world.while_held(writer, close(writer, run), db)
    await closing
    assert (await closed(db))["1"] > 29
    assert await take(gate, epoch, node, second, "1", 4.0, await now(db)) == 0


async def test_a_gate_that_takes_over_reads_until_when_it_is_closed(db: Session) -> None:
    *_, (run,) = await running(db, 1)
    await close(db, run)
    rows = {row["key"]: row["at"] for row in await db.fetch(query("gate_buckets")) if row["name"] == "crm"}
    assert rows["1"] - await now(db) > 29, "nothing flows in until then"


async def test_a_task_with_two_rates_closes_the_one_that_is_named(db: Session) -> None:
    await define(db, CRM, SMTP, task="both")
    (run,) = await ask(db, {"user_id": 1}, task="both")
    node = await world.join(db)
    (held,) = await admit(db, await enter(db, node), node, run)
    await close(db, held, limit="smtp")
    assert [tuple(row) for row in await db.fetch("select name, key from howdah.bucket")] == [("smtp", "")]


async def test_buckets_that_are_full_again_are_swept_and_no_others(db: Session) -> None:
    await define(db, CRM, PER_USER, task="sync")
    rows = [("full", 10.0, "-2 hours"), ("filled", -500.0, "-2 hours"), ("in debt", -1e9, "-2 hours"), ("fresh", 10.0, "-1 minute")]
    for key, level, ago in rows:
        await db.execute("insert into howdah.bucket values ('crm', $1, $2, howdah.clock() + $3::text::interval)", key, level, ago)
    later = "howdah.clock() + interval '1 day'"
    await db.execute(f"insert into howdah.bucket values ('crm', 'closed', 10, {later}, {later})")
    assert await db.fetchval(query("sweep"), 100) == 2
    assert await db.fetchval("select array_agg(key order by key) from howdah.bucket") == ["closed", "fresh", "in debt"]


async def test_keys_of_limits_that_have_nothing_of_their_own_any_more_are_swept(db: Session) -> None:
    await db.execute("truncate howdah.limit_key")
    await db.execute(
        """insert into howdah.limit_key (name, key, terms, paused, blocked) values
           ('per-user', 'a', null, false, null), ('per-user', 'b', null, true, null), ('per-user', 'c', null, false, 7),
           ('per-user', 'd', '{"number": 3}', false, null)"""
    )
    assert await db.fetchval(query("sweep"), 100) == 1
    assert await db.fetchval("select array_agg(key order by key) from howdah.limit_key") == ["b", "c", "d"]
    await db.execute("truncate howdah.limit_key")
