"""docs/coming-from.md: its blocks work as they stand, and the releases that it speaks of are those that were measured."""

import re
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import anyio.to_thread
import asyncpg
import psycopg
import pytest

pytestmark = pytest.mark.anyio

Db = asyncpg.Connection

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "coming-from.md").read_text()
FILES: dict[str, str] = dict(re.findall(r"^```python\n# (\w+)\.py\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))


@pytest.fixture
def page(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Imports a module of the page, with an app on the test's database."""
    for name, code in FILES.items():
        (tmp_path / f"{name}.py").write_text(code)
    monkeypatch.setenv("HOWDAH_DSN", dsn)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{':'.join(sys.path)}")  # For children of isolation="process".
    monkeypatch.syspath_prepend(str(tmp_path))
    yield import_module
    for name in FILES:
        sys.modules.pop(name, None)


async def test_from_celery(page: Any, dsn: str, db: Db) -> None:
    module = page("from_celery")

    def views() -> tuple[int, int]:
        with psycopg.connect(dsn) as connection:
            run = module.view(connection, 1, "a@b.c")
            connection.rollback()
            return run, module.view(connection, 2, "b@b.c")

    run, kept = await anyio.to_thread.run_sync(views)
    async with module.jobs.work():
        await db.execute("update howdah.timer set due = howdah.clock()")
        assert await module.welcome.attach(kept).result("20s") == "to b@b.c"
    assert await db.fetchval("select howdah.state($1)", run) is None


async def test_from_procrastinate(page: Any) -> None:
    module = page("from_procrastinate")
    async with module.jobs.work():
        assert await module.twice() == (True, False)
    assert "from_celery" in sys.modules


async def test_from_hatchet(page: Any) -> None:
    module = page("from_hatchet")
    async with module.jobs.work():
        assert await module.run() == "to 1: hello"


async def test_from_chancy(page: Any) -> None:
    module = page("from_chancy")
    async with module.jobs.work():
        assert await module.push() is True
        (run,) = await module.jobs.runs.list(task="thumbnail")
        assert await module.thumbnail.attach(run.id).result("20s") == 1


async def test_from_pgqueuer(page: Any, db: Db) -> None:
    module = page("from_pgqueuer")
    async with module.jobs.work():
        assert await module.enqueue(db) == 1


async def test_from_dbos(page: Any, db: Db) -> None:
    module = page("from_dbos")
    async with module.jobs.work():
        assert [await module.enqueue(), await module.enqueue()] == ["order 42"] * 2
    assert await db.fetchval("select count(*) from orders") == 1


def test_no_block_is_left_out() -> None:
    tested = {name.removeprefix("test_") for name in globals() if name.startswith("test_from_")}
    assert set(FILES) == tested
    assert len(re.findall(r"^```", PAGE, re.MULTILINE)) == 2 * len(FILES)


@pytest.mark.parametrize("peer", ["Celery", "Procrastinate", "Chancy", "PgQueuer", "DBOS"])
def test_the_releases_are_those_that_were_measured(peer: str) -> None:
    pins = tomllib.loads((ROOT / "bench" / "peers" / "versions.toml").read_text())["python"]
    measured = re.search(r"==([\d.]+)", pins[peer.lower()][0])
    assert measured
    assert f"{peer} {measured[1]}" in " ".join(PAGE.split())
