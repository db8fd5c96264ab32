"""CONTRACT 1.11: metadata is indexed, inherited by children, and filterable everywhere."""

from typing import Any

import asyncpg
import pytest
from howdah import App, ConfigurationError

pytestmark = pytest.mark.anyio

Db = asyncpg.Connection


async def ship(order: int) -> None: ...


async def test_metadata_stands_beside_tags_and_is_filterable_everywhere(jobs: App, db: Db) -> None:
    task = jobs.task(ship)
    async with jobs:
        ours = await task.options(metadata={"customer": "7", "region": "eu"}, tags=["express"]).enqueue(1)
        await task.options(metadata={"customer": "8"}).enqueue(2)
        await task.enqueue(3)
        assert [run.id for run in await jobs.runs.list(metadata={"customer": "7"})] == [ours.id]
        assert [run.id for run in await jobs.runs.list(metadata={"customer": "7"}, tags="express", state="queued", task="ship")] == [
            ours.id
        ]
        assert await jobs.runs.cancel(metadata={"customer": "7"}) == {"cancelled": 1}
        assert await jobs.runs.retry(metadata={"customer": "7"}, state="cancelled") == {"reopened": 1}
        assert (await jobs.runs.get(ours.id)).metadata == {"customer": "7", "region": "eu"}
    assert await db.fetchval('select count(*) from howdah.runs where metadata @> \'{"customer": "7"}\'') == 1


async def test_metadata_is_inherited_by_children(jobs: App, db: Db) -> None:
    task = jobs.task(ship)
    async with jobs:
        parent = await task.options(metadata={"customer": "7", "region": "eu"}).enqueue(1)
        row = await db.fetchrow(
            "select * from howdah.submit('ship', array['{\"order\": 2}'], jsonb_build_object('parent', $1::bigint, 'metadata', "
            '\'{"region": "us"}\'::jsonb), false)',
            parent.id,
        )
        child = await jobs.runs.get(row["ids"][0])
        assert child.metadata == {"customer": "7", "region": "us"}
        assert {run.id for run in await jobs.runs.list(metadata={"customer": "7"})} == {parent.id, child.id}


async def test_metadata_is_indexed_and_runs_without_it_pay_nothing(db: Db) -> None:
    found = await db.fetch("select indexname, indexdef from pg_indexes where schemaname = 'howdah' and tablename = 'run'")
    rows = {row["indexname"]: row["indexdef"] for row in found}
    assert "gin (metadata jsonb_path_ops) WHERE (metadata IS NOT NULL)" in rows["run_metadata"]
    assert "gin (tags) WHERE (tags IS NOT NULL)" in rows["run_tags"]


async def test_payloads_are_json_so_that_psql_can_read_them(jobs: App, db: Db) -> None:
    task = jobs.task(ship)
    async with jobs:
        run = await task.enqueue(42)
    assert await db.fetchval("select args ->> 'order' from howdah.runs where id = $1", run.id) == "42"


async def test_priority_is_higher_first_and_default_0(jobs: App, db: Db) -> None:
    task = jobs.task(ship)
    async with jobs:
        plain, urgent = await task.enqueue(1), await task.options(priority=5).enqueue(2)
        assert [(await jobs.runs.get(run.id)).priority for run in (plain, urgent)] == [0, 5]
    assert await db.fetchval("select id from howdah.job order by priority, id limit 1") == urgent.id


@pytest.mark.parametrize("said", [{"customer": 7}, {7: "customer"}, {"a": ["b"]}, {"a": None}, "customer", [("customer", "7")]])
async def test_metadata_is_of_texts_alone(jobs: App, said: Any) -> None:
    with pytest.raises(ConfigurationError, match="metadata"):
        jobs.task(ship).options(metadata=said)


async def test_metadata_from_sql_is_of_texts_alone(db: Db) -> None:
    with pytest.raises(asyncpg.DataError, match="the metadata of ship must have texts as values"):
        await db.fetchval("select howdah.enqueue('ship', '{}', metadata => '{\"a\": [1]}')")
