"""What lists read of a long history: a bounded number of pages, however long it is, in plans that a session keeps."""

import importlib.util
import json
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import asyncpg
import pytest
from howdah.db.files import query

from .world import Session

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

RUNS = 300_000
DAYS = 10
TASKS = 6
BLOCKS_MAX = 25_000
"""Pages of 8 kB, most of them read again and again: measured up to 14,000. The history has 30,000; a scan of it reads each."""

LISTS: list[dict[str, Any]] = [
    {},
    {"state": "failed"},
    {"state": "failed", "task": "task_1"},
    {"state": "quarantined"},
    {"state": "lost"},
    {"state": "succeeded", "task": "task_3"},
    {"task": "task_3"},
    {"queue": "default"},
    {"state": "queued"},
    {"state": "running"},
    {"state": ["scheduled", "retrying"]},
    {"tags": ["nightly"]},
    {"tags": ["odd"]},
    {"metadata": {"customer": "c77"}},
    {"metadata": {"customer": "nobody"}},
    {"tags": ["nightly"], "state": "failed"},
    {"error": "ffffffff"},
    {"since": 86400 * 3, "state": "failed"},
]


def sections() -> dict[str, str]:
    path = Path(__file__).parents[2] / "bench" / "sql.py"
    spec = importlib.util.spec_from_file_location("bench_sql", path)
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.sections("history")


@pytest.fixture(scope="module")
async def history(dsn: str) -> AsyncIterator[Session]:
    """Ended runs of ten days. The plans were made while there were none."""
    db = await asyncpg.connect(dsn)
    for _ in range(7):
        for which in LISTS:
            await db.fetch(query("find_runs"), json.dumps(which), 50)
    sql = sections()
    await db.fetch(sql["tasks"], TASKS)
    today = await db.fetchval(sql["today"])
    count = RUNS // DAYS
    for ago in reversed(range(DAYS)):
        await db.fetchval(sql["add_day"], today - ago, 4)
        said = {"day": today - ago, "first": (DAYS - ago) * count, "count": count, "tasks": TASKS}
        for name in ("runs", "events", "retried", "counted"):
            await db.execute(sql[name].format(**said), timeout=120)
    yield db
    await db.close()


async def blocks(db: Session, statement: str, *arguments: object) -> int:
    """Pages that it looked at, those of the functions that it calls included."""
    plan = json.loads(await db.fetchval(f"explain (analyze, buffers, costs off, timing off, format json) {statement}", *arguments))[0][
        "Plan"
    ]
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


@pytest.mark.parametrize("which", LISTS, ids=json.dumps)
async def test_a_list_reads_a_bounded_part_of_the_history(history: Session, which: dict[str, Any]) -> None:
    find = "select * from howdah.find_runs($1::text::jsonb, 50)".replace("$1", f"'{json.dumps(which)}'")
    assert min([await blocks(history, find) for _ in range(2)]) < BLOCKS_MAX


async def test_a_page_is_shown_by_index(history: Session) -> None:
    page = (await history.fetchrow(query("find_runs"), "{}", 50))["runs"]
    assert min([await blocks(history, f"select * from howdah.show_runs('{{{','.join(map(str, page))}}}')") for _ in range(2)]) < 3_000
    one = f"select * from howdah.runs where id = {page[0]}"
    assert min([await blocks(history, one) for _ in range(2)]) < 500
    newest = "select * from howdah.runs order by id desc limit 50"
    assert min([await blocks(history, newest) for _ in range(2)]) < 3_000


@pytest.mark.parametrize(
    "statement",
    [
        "select * from howdah.queue_stats",
        "select * from howdah.task_stats",
        "select howdah.count_runs('{}')",
        'select howdah.count_runs(\'{"state": "failed", "since": 86400}\')',
    ],
)
async def test_no_count_reads_the_history(history: Session, statement: str) -> None:
    assert min([await blocks(history, statement) for _ in range(2)]) < 500


async def test_what_is_to_do_reads_a_bounded_part(history: Session) -> None:
    assert min([await blocks(history, "select * from howdah.trouble(500)") for _ in range(2)]) < 10_000
