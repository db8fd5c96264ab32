"""docs/guarantees.md: its blocks are one project and work as they stand, and what it says of result() is so."""

import re
import sys
from collections.abc import AsyncIterator, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from howdah import HowdahError, RunFailed, State

pytestmark = pytest.mark.anyio

Db = asyncpg.Connection

PAGE = (Path(__file__).parents[1] / "docs" / "guarantees.md").read_text()
FILES = dict(re.findall(r"^```python\n# (\w+)\.py\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
OUTSIDE = """
charged: dict[str, int] = {}
sent: dict[str, str] = {}
asked = 0

class bank:
    @staticmethod
    async def charge(cents, key):
        global asked
        asked += 1
        charged.setdefault(key, cents)
        if asked == 1:
            raise ConnectionError("the answer was lost")
        return f"receipt of {cents}"

class post:
    @staticmethod
    async def send(text, key):
        sent.setdefault(key, text)
"""


class Project:
    """The modules of the page, imported anew."""

    def __getattr__(self, name: str) -> Any:
        return import_module(name)


@pytest.fixture
def project(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    for name, code in {**FILES, "outside": OUTSIDE}.items():
        (tmp_path / f"{name}.py").write_text(code)
    monkeypatch.setenv("HOWDAH_DSN", dsn)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield Project()
    for name in (*FILES, "outside"):
        sys.modules.pop(name, None)


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator["asyncpg.Pool[asyncpg.Record]"]:
    async with asyncpg.create_pool(dsn, min_size=1, max_size=2) as pool:
        await pool.execute("create table orders (id bigint generated always as identity, cents int, receipt text)")
        yield pool


async def test_an_order_is_charged_and_confirmed_once_though_the_answer_of_the_bank_was_lost(project: Project, pool: Any) -> None:
    async with project.orders.jobs.work():
        run = await project.orders.order(pool, 500)
        assert await project.answers.tell(run) == "paid: receipt of 500"
        (mail,) = [one.id for one in await project.orders.jobs.runs.list(task="confirm")]
        await project.orders.confirm.attach(mail).result("10s")
    assert list(project.outside.charged.values()) == [500]
    assert list(project.outside.sent.values()) == ["order 1 is paid: receipt of 500"]
    assert await pool.fetchval("select receipt from orders") == "receipt of 500"


async def test_an_order_that_is_rolled_back_charges_nobody(project: Project, pool: Any) -> None:
    async with project.orders.jobs:
        with pytest.raises(asyncpg.DataError):
            await project.orders.order(pool, "five hundred")
    assert await pool.fetchval("select count(*) from orders") == 0
    assert await pool.fetchval("select count(*) from howdah.job") == 0


async def test_a_run_that_gives_up_says_so(project: Project, pool: Any) -> None:
    async with project.orders.jobs.work():
        run = await project.orders.order(pool, 0)
        assert await project.answers.tell(run) == "failed after 1 attempts: there is nothing to charge"


async def test_an_enqueue_under_the_same_key_finds_the_run_and_says_so(project: Project, pool: Any) -> None:
    async with project.orders.jobs:
        first, second = [await project.again.charge_once(17, 500) for _ in range(2)]
    assert (first.created, second.created) == (True, False)
    assert first.id == second.id


async def test_a_gate_opens(project: Project) -> None:
    async with project.gates.jobs.work():
        run = await project.gates.open_gate.enqueue(4)
        assert await run.result("10s") == "gate 4 is open"


async def test_a_timeout_and_a_cancel_are_told_apart(project: Project, pool: Any) -> None:
    async with project.orders.jobs:
        run = await project.orders.order(pool, 500)
        with pytest.raises(TimeoutError):
            await run.result(timeout=0.05)
        assert await run.status() == State.QUEUED, "the timeout is the caller's, and the run goes on"
        assert await run.cancel(reason="typo") == "cancelled"
        assert await project.answers.tell(run) == "cancelled: typo"


async def test_before_the_commit_a_run_does_not_exist(project: Project, pool: Any) -> None:
    async with project.orders.jobs, pool.acquire() as conn:
        async with conn.transaction():
            run = await project.orders.charge.options(conn=conn).enqueue(1, 500)
            with pytest.raises(HowdahError, match="its transaction has not committed"):
                await run.result("5s")
        assert await run.status() == State.QUEUED


async def test_after_a_retry_the_newest_end_counts(project: Project, pool: Any) -> None:
    async with project.orders.jobs.work():
        run = await project.orders.order(pool, 0)
        with pytest.raises(RunFailed):
            await run.result("10s")
    async with project.orders.jobs:
        assert await project.orders.jobs.runs.retry([run.id]) == {"reopened": 1}
        with pytest.raises(TimeoutError):
            await run.result(timeout=0.05)


def test_no_block_is_left_out() -> None:
    assert len(re.findall(r"^```python", PAGE, re.MULTILINE)) == len(FILES) == 4
    assert set(re.findall(r"^```(\w*)$", PAGE, re.MULTILINE)) == {"python", ""}
