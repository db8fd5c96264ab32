"""Lists of runs: every filter finds what looking at each run would find, newest first, page by page."""

import itertools
import json
import random
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from howdah.core.states import Kind, State
from howdah.db.files import query

from . import world
from .contracts import VIEWS
from .world import Session

pytestmark = pytest.mark.anyio

ALL = 1000
MARKS = [("nightly", "c1"), ("nightly", "c2"), (None, "c1"), ("odd", None), (None, None)]
ENDS = [Kind.SUCCEEDED, Kind.FAILED, Kind.STOPPED]


async def find(db: Session, limit: int = ALL, **which: Any) -> tuple[list[int], int | None]:
    row = await db.fetchrow(query("find_runs"), json.dumps(which), limit)
    return row["runs"], row["cursor"]


async def show(db: Session, *runs: int) -> list[dict[str, Any]]:
    return [dict(row) for row in await db.fetch(query("show_runs"), list(runs))]


def failure(error: str) -> str:
    return json.dumps({"type": "ValueError", "message": f"no {error}", "fingerprint": error})


async def marked(db: Session, number: int) -> int:
    """A run of one of three tasks, in one of two queues, with one of the marks; some have a parent."""
    tag, customer = MARKS[number % len(MARKS)]
    options: dict[str, Any] = {} if number % 3 else {"queue": "far"}
    options |= {"tags": [tag]} if tag else {}
    options |= {"metadata": {"customer": customer, "region": "eu"}} if customer else {}
    (run,) = await world.enqueue(db, 1, f"task_{number % 3}", **options)
    return run


async def fill(db: Session) -> list[int]:
    """Runs in every state that there is."""
    runs: list[int] = []
    for number in range(30):
        runs.append(await marked(db, number))
        runs += await world.enqueue(db, 1, "child", parent=runs[-1])
    claimed = await world.claim(db, await world.join(db))
    for number, run in enumerate(claimed[:40]):
        kind = ENDS[number % 3]
        await world.send(db, world.outcome(run, kind, data=failure(f"0000000{number % 2}") if kind is Kind.FAILED else None))
    for run in claimed[40:44]:
        await world.send(db, world.outcome(run, Kind.RETRIED, 3600, failure("00000009")))
    for run in claimed[44:46]:
        await world.send(db, world.outcome(run, Kind.MISFIT, data='{"message": "no such field", "hash": "h"}'))
    await world.cancel(db, claimed[46].id, reason="enough")
    failed = (await find(db, state="failed"))[0]
    await db.fetch(query("retry"), failed[:3])
    runs += await world.enqueue(db, 3, "task_1", delay=600)
    runs += await world.enqueue(db, 2, "task_2", expires=1)
    await world.shift(db, "5 seconds")
    await db.fetchval("select howdah.expire(100)")
    await world.shift(db, "")
    await world.cancel(db, *await world.enqueue(db, 2, "task_1"), reason="no more")
    await world.enqueue(db, 4, "task_0", priority=5)
    return runs


@pytest.fixture(scope="module")
async def full(dsn: str) -> AsyncIterator[Session]:
    db = await asyncpg.connect(dsn)
    await world.tidy(db)
    await fill(db)
    yield db
    await db.close()


async def brute(db: Session, which: dict[str, Any]) -> list[int]:
    """The same by looking at every run."""

    def names(key: str) -> list[str] | None:
        said = which.get(key)
        return [said] if isinstance(said, str) else said

    rows = await db.fetch(
        """select id from howdah.runs r
           where ($1::text[] is null or state = any($1)) and ($2::text[] is null or task = any($2))
             and ($3::text[] is null or queue = any($3))
             and ($4::text[] is null or tags @> $4) and ($5::text::jsonb is null or metadata @> $5::text::jsonb)
             and ($6::bigint is null or parent = $6) and ($7::bigint is null or root = $7 or id = $7)
             and ($8::text is null or (error ->> 'fingerprint' = $8 and state in ('failed', 'quarantined', 'lost')))
             and ($9::bigint is null or id < $9)
           order by id desc""",
        *(names(key) for key in ("state", "task", "queue", "tags")),
        json.dumps(which["metadata"]) if "metadata" in which else None,
        *(which.get(key) for key in ("parent", "root", "error", "before")),
    )
    return [row[0] for row in rows]


async def test_every_state_is_there(full: Session) -> None:
    there = {row[0] for row in await full.fetch("select distinct state from howdah.runs")}
    assert there == {"queued", "running", "scheduled", "retrying", "succeeded", "failed", "cancelled", "expired"}


@pytest.mark.parametrize("state", [None, *State])
async def test_a_state_is_found_with_and_without_a_task_and_a_queue(full: Session, state: str | None) -> None:
    for task, queue in itertools.product([None, "task_1", ["task_0", "child"], "nobody"], [None, "far", ["default"]]):
        which: dict[str, Any] = {key: value for key, value in (("state", state), ("task", task), ("queue", queue)) if value is not None}
        assert await find(full, **which) == (await brute(full, which), None), which


@pytest.mark.parametrize("seed", range(10))
async def test_filters_together_find_what_passes_all_of_them(full: Session, seed: int) -> None:
    chance = random.Random(seed)
    roots = [row[0] for row in await full.fetch("select distinct root from howdah.run where root is not null")]
    newest = await full.fetchval("select max(id) from howdah.run")
    choices: dict[str, list[Any]] = {
        "state": [str(state) for state in State] + [["failed", "queued"], ["succeeded", "cancelled"]],
        "task": ["task_0", "child", ["task_1", "task_2"]],
        "queue": ["far", "default"],
        "tags": [["nightly"], ["odd"], ["nightly", "odd"]],
        "metadata": [{"customer": "c1"}, {"customer": "c1", "region": "eu"}, {"customer": "c9"}],
        "parent": roots,
        "root": roots,
        "error": ["00000000", "00000001", "00000009"],
        "before": [newest - 20, newest - 60],
    }
    for _ in range(20):
        which = {key: chance.choice(choices[key]) for key in chance.sample(sorted(choices), chance.randint(1, 3))}
        assert (await find(full, **which))[0] == await brute(full, which), which


@pytest.mark.parametrize(
    "which", [{}, {"state": "succeeded"}, {"task": "task_1"}, {"tags": ["nightly"]}, {"state": ["queued", "failed"]}, {"queue": "far"}]
)
@pytest.mark.parametrize("limit", [1, 4, 7])
async def test_pages_follow_each_other_without_a_gap_or_a_repeat(full: Session, which: dict[str, Any], limit: int) -> None:
    seen: list[int] = []
    cursor = None
    while True:
        page, cursor = await find(full, limit, **which, **({} if cursor is None else {"before": cursor}))
        assert len(page) <= limit
        seen += page
        if cursor is None:
            break
    assert seen == await brute(full, which)


async def test_list_runs_is_the_same_for_people_with_psql(full: Session) -> None:
    rows = await full.fetch('select * from howdah.list_runs(\'{"state": "failed"}\', 5)')
    assert [row["id"] for row in rows] == (await find(full, 5, state="failed"))[0]
    assert [*rows[0].keys()] == [name for name, _ in VIEWS["runs"]]
    assert len(await full.fetch("select * from howdah.list_runs()")) == 50


async def test_rows_are_those_of_the_view_and_their_state_is_the_state(full: Session) -> None:
    ids = await brute(full, {})
    rows = await show(full, *ids)
    assert rows == [dict(row) for row in await full.fetch("select * from howdah.runs order by id desc")]
    for row in rows:
        assert row["state"] == await world.state(full, row["id"])
        assert (row["ended_at"] is not None) == (row["state"] in ("succeeded", "failed", "cancelled", "expired"))
