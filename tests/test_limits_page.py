"""docs/limits.md: its blocks work as they stand, in their order, and what it says of keys is so."""

import json
import re
import shlex
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest
from howdah import App, ArgumentsInvalid, RateLimited
from msgspec.structs import replace

from .cli.programs import beside

pytestmark = pytest.mark.anyio

PAST = datetime(2026, 1, 1, tzinfo=UTC)

Db = asyncpg.Connection

PAGE = (Path(__file__).parents[1] / "docs" / "limits.md").read_text()


async def post(_path: str) -> SimpleNamespace:
    """The other side, which has had enough."""
    return SimpleNamespace(status=429, headers={"Retry-After": "30"})


@pytest.fixture
def page(jobs: App) -> dict[str, Any]:
    """What its blocks define, one after the other."""
    defined: dict[str, Any] = {"jobs": jobs, "crm": SimpleNamespace(post=post)}
    for code in re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL):
        exec(code, defined)
    return defined


async def demands(db: Db, run: int) -> Any:
    return json.loads(await db.fetchval("select demands::text from howdah.run where id = $1", run))


async def test_its_tasks_are_enqueued_under_the_keys_that_it_names(page: dict[str, Any], jobs: App, db: Db) -> None:
    async with jobs:
        run = await page["welcome"].enqueue(1, "a@b.c")
        assert await demands(db, run.id) == [["per-user", "1"], ["smtp", ""]]
        assert await run.status() == "gated"
        assert await db.fetchval("select state from howdah.runs where id = $1", run.id) == "gated"
        run = await page["export"].enqueue("gold", 1)
        assert await demands(db, run.id) == [["exports", "", 1, "gold", 3]]
        run = await page["print_out"].enqueue("hall", 12)
        assert await demands(db, run.id) == [["printer", "hall", 12]]
        first, second = [await page["crawl"].enqueue(f"https://a.b/{name}") for name in "cd"]
        assert await demands(db, first.id) == await demands(db, second.id) == [["per-host", page["host_of"]("https://a.b/e")]]
        from_elsewhere = await page["crawl_later"].options(conn=db).enqueue("https://a.b/e")
        assert await demands(db, from_elsewhere.id) == await demands(db, first.id)
        apart = await page["crawl_apart"].options(conn=db).enqueue("https://a.b/e")
        assert await demands(db, apart.id) == [["per-host", "apart"]]
        with pytest.raises(ArgumentsInvalid) as refusal:
            await page["crawl"].enqueue("nowhere")
    assert isinstance(refusal.value.__cause__, IndexError)


async def test_its_sql_works_and_is_refused_without_keys(page: dict[str, Any], jobs: App, db: Db) -> None:
    async with jobs:
        for name in ("welcome", "crawl"):
            await page[name].enqueue(*(("https://a.b/c",) if name == "crawl" else (1, "a@b.c")))
    block, _ = re.findall(r"^```sql\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    mail, crawl = [await db.fetchval(statement) for statement in block.split("\n") if statement]
    assert await demands(db, mail) == [["per-user", "1"], ["smtp", ""]]
    assert await demands(db, crawl) == [["per-host", "a.b"]]
    with pytest.raises(asyncpg.InvalidParameterValueError, match="limit per-host of crawl"):
        await db.fetchval("""select howdah.enqueue('crawl', '{"url": "https://a.b/c"}')""")


async def test_its_command_gives_the_key_that_only_python_can_work_out(page: dict[str, Any], jobs: App, dsn: str, db: Db) -> None:
    command, _ = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    async with jobs.work():
        done = await beside(*shlex.split(command)[1:], HOWDAH_DSN=dsn)
    assert done.exit_code == 0, done.stderr
    assert await demands(db, int(done.stdout)) == [["per-host", "a.b"]]


async def test_a_task_hears_of_the_limit_of_the_other_side(page: dict[str, Any]) -> None:
    with pytest.raises(RateLimited, match="crm asks for a pause of 30 s") as raised:
        await page["sync"](1)
    assert (raised.value.limit, raised.value.delay_s) == ("crm", 30.0)


async def test_what_it_changes_in_a_running_system_is_taken_back_in_the_end(page: dict[str, Any], jobs: App, dsn: str, db: Db) -> None:
    async with jobs.work(), jobs:
        _, block = re.findall(r"^```sql\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
        _, commands = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
        before = await jobs.limits.list()
        for statement in block.strip().split("\n"):
            await db.execute(statement)
        for line in commands.strip().split("\n"):
            done = await beside(*line.split()[1:], HOWDAH_DSN=dsn)
            assert done.exit_code == 0, f"{line}: {done.stderr}"
        after = await jobs.limits.list()
    assert [replace(one, changed_at=PAST) for one in after] == [replace(one, changed_at=PAST) for one in before]


async def test_its_first_task_runs_when_its_limits_have_room(page: dict[str, Any], jobs: App) -> None:
    welcome = page["welcome"]
    async with jobs.work():
        runs = await welcome.enqueue_many(welcome.call(number % 2, f"{number}@b.c") for number in range(8))
        assert [await run.result("20s") for run in runs] == [f"welcome, {number}@b.c" for number in range(8)]
