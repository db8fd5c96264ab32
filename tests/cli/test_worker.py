"""`howdah worker`: it finds the app, runs its tasks, and stops as it is told."""

import json
import re
import signal
from pathlib import Path

import anyio
import asyncpg
import pytest
from howdah import App

from .programs import begin, howdah
from .shop import WAIT, write_shop

pytestmark = pytest.mark.anyio

Db = asyncpg.Connection

SHOP = (
    """
    import asyncio
    import logging
    import os
    import time

    from howdah import App

    jobs = App(lease_s=60, heartbeat_s=0.3)

    @jobs.task
    async def stay() -> None:
        print("begun", flush=True)
        while not os.path.exists("leave"):
            await asyncio.sleep(0.01)
        print("ended", flush=True)
"""
    + WAIT
    + """
    @jobs.task
    async def block(s: float) -> None:
        print("begun", flush=True)
        time.sleep(s)

    @jobs.task
    async def talk() -> None:
        logging.getLogger("shop").debug("a whisper")
        print("talked", flush=True)

    @jobs.task(queue="mail")
    async def mail() -> None:
        print("mailed", flush=True)
"""
)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder with the module `shop`."""
    return write_shop(tmp_path, SHOP)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_first_signal_lets_what_runs_end(dsn: str, db: Db, shop: Path, number: signal.Signals) -> None:
    run = await db.fetchval("select howdah.enqueue('stay')")
    async with begin("worker", "shop:jobs", cwd=shop, HOWDAH_DSN=dsn) as worker:
        assert await worker.line() == "begun"

        worker.send(number)
        assert "Draining: 1 run may end within 30 s" in await worker.told("Draining")
        (shop / "leave").touch()
        code, out, _ = await worker.end()

    assert (code, out) == (0, "ended\n")
    assert await db.fetchval("select howdah.state($1)", run) == "succeeded"


async def test_the_second_signal_hands_what_runs_back_without_burning_an_attempt(dsn: str, db: Db, shop: Path) -> None:
    run = await db.fetchval("select howdah.enqueue('wait', '{\"s\": 60}')")
    async with begin("worker", "shop", cwd=shop, HOWDAH_DSN=dsn) as worker:
        assert await worker.line() == "begun"
        worker.send(signal.SIGINT)
        await worker.told("Draining")

        worker.send(signal.SIGTERM)
        code, out, _ = await worker.end()

    assert (code, out) == (0, "")
    assert await db.fetchval("select howdah.state($1)", run) == "queued"
    assert await db.fetchval("select attempt from howdah.job where id = $1", run) == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 1)])
async def test_the_third_signal_ends_even_a_blocked_process_at_once(
    dsn: str, db: Db, shop: Path, number: signal.Signals, code: int
) -> None:
    await db.fetchval("select howdah.enqueue('block', '{\"s\": 60}')")
    async with begin("worker", "shop", cwd=shop, HOWDAH_DSN=dsn) as worker:
        assert await worker.line() == "begun"

        await worker.insist(number)

        assert (await worker.end())[0] == code


async def test_a_signal_ends_a_worker_that_postgres_does_not_let_in(dsn: str, shop: Path) -> None:
    nowhere = {"HOWDAH_DIRECT_DSN": "postgresql://127.0.0.1:1/none", "HOWDAH_POOLER": "false"}
    async with begin("worker", "shop", cwd=shop, HOWDAH_DSN=dsn, **nowhere) as worker:
        assert "refused" in await worker.told("has no connection to Postgres, and goes on trying")

        worker.send(signal.SIGTERM)
        code, out, said = await worker.end()

    assert (code, out) == (0, "")
    assert "Stopped before it had started" in said
    assert "Ready" not in said


async def test_the_grace_ends_what_takes_longer(dsn: str, db: Db, shop: Path) -> None:
    run = await db.fetchval("select howdah.enqueue('wait', '{\"s\": 60}')")
    async with begin("worker", "shop", "--grace", "100ms", cwd=shop, HOWDAH_DSN=dsn) as worker:
        assert await worker.line() == "begun"

        worker.send(signal.SIGTERM)

        assert (await worker.end())[0] == 0
    assert await db.fetchval("select howdah.state($1)", run) == "queued"


async def test_it_serves_the_queues_that_it_is_given_and_says_what_it_does(dsn: str, db: Db, shop: Path) -> None:
    left = await db.fetchval("select howdah.enqueue('wait', '{\"s\": 0}')")
    await db.fetchval("select howdah.enqueue('mail', queue => 'mail')")
    async with begin("worker", "shop:jobs", "-q", "mail", "-c", "3", cwd=shop, HOWDAH_DSN=dsn) as worker:
        assert await worker.line() == "mailed"
        worker.send(signal.SIGTERM)
        code, out, said = await worker.end()

    assert (code, out) == (0, "")
    banner = said[: said.index("Ready")].splitlines()
    assert len(banner) < 6
    assert "shop:jobs: stay, wait, block, talk, mail" in said
    assert "queues: mail; at once: 3 async, 8 in threads" in said
    assert await db.fetchval("select howdah.state($1)", left) == "queued"


async def test_options_can_be_said_by_the_environment(dsn: str, db: Db, shop: Path) -> None:
    await db.fetchval("select howdah.enqueue('mail', queue => 'mail')")
    said = {"HOWDAH_DSN": dsn, "HOWDAH_WORKER_QUEUE": "mail other", "HOWDAH_CONCURRENCY": "2"}
    async with begin("worker", "shop:jobs", cwd=shop, **said) as worker:
        assert await worker.line() == "mailed"
        worker.send(signal.SIGTERM)
        assert "queues: mail, other; at once: 2 async" in (await worker.end())[2]


async def test_it_says_of_itself_what_it_is_told_to(dsn: str, db: Db, shop: Path) -> None:
    said = {"HOWDAH_DSN": dsn, "HOWDAH_LABELS": "zone=us,rack=7"}
    async with begin("worker", "shop:jobs", "--label", "zone=eu", "--label", 'tier="1"', "--label", "gpu", cwd=shop, **said) as worker:
        await worker.told("Ready")
        listed = howdah("nodes", "ls", HOWDAH_DSN=dsn, COLUMNS="300")
        (node,) = await db.fetch("select labels::text from howdah.nodes")
        worker.send(signal.SIGTERM)
        await worker.end()
    assert json.loads(node[0]) == {"zone": "eu", "rack": 7, "tier": "1", "gpu": True}
    assert 'gpu=true rack=7 tier="1" zone=eu' in " ".join(listed.stdout.split())


async def test_each_process_of_a_fleet_has_the_labels(dsn: str, db: Db, shop: Path) -> None:
    words = ("worker", "shop:jobs", "--processes", "2", "--label", "zone=eu", "--label", "rack=7")
    async with begin(*words, cwd=shop, HOWDAH_DSN=dsn) as worker:
        while len(found := await db.fetch("select labels::text from howdah.nodes")) < 2:
            await anyio.sleep(0.05)
        worker.send(signal.SIGTERM)
        await worker.end()
    assert [json.loads(row[0]) for row in found] == [{"zone": "eu", "rack": 7}] * 2


def test_a_label_that_is_none_is_wrong_usage(shop: Path) -> None:
    refused = howdah("worker", "shop", "--label", "=eu", cwd=shop)
    assert refused.returncode == 2
    assert "--label has a label ''" in refused.stderr


def test_a_database_that_is_away_or_not_migrated_is_one_sentence(shop: Path, server_dsn: str) -> None:
    away = howdah("worker", "shop", cwd=shop, HOWDAH_DSN="postgresql://nobody@127.0.0.1:1/none")
    empty = howdah("worker", "shop", cwd=shop, HOWDAH_DSN=server_dsn)

    assert (away.returncode, empty.returncode) == (1, 1)
    assert "Postgres does not answer" in away.stderr
    assert "run `howdah migrate`" in empty.stderr
    assert "Traceback" not in away.stderr + empty.stderr


def test_a_grace_that_is_no_duration_is_wrong_usage(shop: Path) -> None:
    refused = howdah("worker", "shop", "--grace", "soon", cwd=shop)
    assert refused.returncode == 2
    assert "'soon' is no duration" in refused.stderr


async def test_runs_of_a_worker_that_python_enqueues_come_back_with_their_result(dsn: str, shop: Path) -> None:
    jobs = App(dsn)

    @jobs.task
    async def wait(s: float) -> float:
        raise AssertionError("this process only enqueues")

    async with begin("worker", "shop", cwd=shop, HOWDAH_DSN=dsn), jobs:
        run = await wait.enqueue(0.01)
        assert await run.result("60s") == 0.01


async def test_a_worker_that_has_made_its_runs_drains_and_ends_for_its_supervisor(dsn: str, db: Db, shop: Path) -> None:
    for _ in range(3):
        await db.fetchval("select howdah.enqueue('wait', '{\"s\": 0}')")
    last = await db.fetchval("select howdah.enqueue('wait', '{\"s\": 0.8}')")
    async with begin("worker", "shop", "--max-runs", "3", cwd=shop, HOWDAH_DSN=dsn) as worker:
        code, _, said = await worker.end()

    assert code == 0
    assert "3 runs ended here (--max-runs 3)" in said
    assert "Stopped; every outcome is durable." in said
    assert await db.fetchval("select howdah.state($1)", last) == "succeeded"


async def test_a_worker_that_holds_too_much_memory_drains_and_ends_for_its_supervisor(dsn: str, shop: Path) -> None:
    async with begin("worker", "shop", cwd=shop, HOWDAH_DSN=dsn, HOWDAH_WORKER_MAX_MEMORY="20MB") as worker:
        code, _, said = await worker.end()

    assert code == 0
    assert re.search(r"this process holds \d+\S* MB \(--max-memory 20 MB\)", said)


def test_a_limit_that_is_no_size_is_wrong_usage(shop: Path) -> None:
    refused = howdah("worker", "shop", "--max-memory", "much", cwd=shop)
    assert refused.returncode == 2
    assert "'much' is no size" in refused.stderr


@pytest.mark.parametrize(
    ("said", "heard"), [({}, False), ({"HOWDAH_WORKER_LOG_LEVEL": "debug"}, True), ({"HOWDAH_LOG_LEVEL": "DEBUG"}, False)]
)
async def test_what_a_worker_prints_has_a_variable_of_its_own_beside_what_is_kept(
    dsn: str, db: Db, shop: Path, said: dict[str, str], *, heard: bool
) -> None:
    await db.fetchval("select howdah.enqueue('talk')")
    async with begin("worker", "shop", cwd=shop, HOWDAH_DSN=dsn, **said) as worker:
        assert await worker.line() == "talked"
        worker.send(signal.SIGTERM)
        _, _, told = await worker.end()
    assert ("a whisper" in told) is heard
