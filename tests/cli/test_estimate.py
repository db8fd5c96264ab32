"""`howdah estimate`, as a person starts it, reads it, and stops it."""

import asyncio
import re
import shlex
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import anyio.to_thread
import asyncpg
import msgspec
import pytest
from howdah.embedded import Embedded
from howdah.estimate.measuring import Estimate
from howdah.estimate.scratch import PREFIX
from howdah.estimate.verdict import MENDS

from .programs import begin, howdah

pytestmark = pytest.mark.anyio

Db = asyncpg.Connection

ROOT = Path(__file__).parents[2]
SHORT = ("--seconds", "3")


@pytest.fixture
async def admin(server: Embedded) -> AsyncIterator[Db]:
    connection = await asyncpg.connect(server.dsn("postgres"))
    yield connection
    await connection.close()


async def measured(*words: str, dsn: str) -> "subprocess.CompletedProcess[str]":
    """The command to its end, in a process of its own: signals are for a main thread."""
    return await anyio.to_thread.run_sync(lambda: howdah("estimate", *words, HOWDAH_DSN=dsn))


async def there(admin: Db) -> int:
    return await admin.fetchval("select count(*) from pg_database where starts_with(datname, $1)", PREFIX)


async def test_it_says_what_will_hold_what_a_run_costs_and_what_is_full_first(server_dsn: str, admin: Db) -> None:
    done = await measured(*SHORT, "--task-ms", "200", dsn=server_dsn)
    assert done.returncode == 0, done.stderr
    for word in ("holds", "runs/s", "us of Python", "WAL", "at half", "p99"):
        assert word in done.stdout
    # Which of them it is, the machine decides; how that follows from what was measured is test_verdict's.
    (told,) = re.findall(r"^  first +(\w+: .*)$", done.stdout, re.MULTILINE)
    assert told in {f"{name}: {mend}" for name, mend in MENDS.items()}
    assert await there(admin) == 0


async def test_json_has_everything(server_dsn: str) -> None:
    done = await measured(*SHORT, "--nodes", "2", "--json", dsn=server_dsn)
    assert done.returncode == 0, done.stderr
    told = msgspec.json.decode(done.stdout, type=Estimate)
    assert told.nodes == 2
    assert told.per_s == told.full.per_s > 0
    assert told.first == max(told.shares, key=lambda name: told.shares[name])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_it_and_leaves_nothing(server_dsn: str, admin: Db, number: signal.Signals) -> None:
    async with begin("estimate", "--task-ms", "10", HOWDAH_DSN=server_dsn) as program:
        async with asyncio.timeout(20):
            while not await admin.fetchval("select count(*) from pg_stat_activity where starts_with(datname, $1)", PREFIX):
                await asyncio.sleep(0.01)
        program.send(number)
        assert (await program.end())[0] == 130
    assert await there(admin) == 0


async def test_the_line_of_the_page_about_operating_measures(server_dsn: str) -> None:
    (line,) = re.findall(r"^(howdah estimate .*)$", (ROOT / "docs" / "operating.md").read_text(), re.MULTILINE)
    done = await measured(*shlex.split(line)[2:], *SHORT, dsn=server_dsn)
    assert "Runs of 10,000 bytes, 50 ms; 2 nodes" in done.stdout


async def test_a_payload_that_holds_no_arguments_is_wrong_usage(server_dsn: str) -> None:
    assert (await measured("--payload", "3", dsn=server_dsn)).returncode == 2
