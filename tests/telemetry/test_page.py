"""Every block of docs/tracing.md runs as it stands there, and what it is to send arrives."""

import json
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio.to_thread
import asyncpg
import pytest

from ..cli.programs import begin, environment
from .stage import received, receiving

pytestmark = pytest.mark.anyio

PAGE = (Path(__file__).parents[2] / "docs/tracing.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
COMMAND, WEB, STATEMENT, LOGS, STRUCTURED = (text for _, text in BLOCKS)

SHOP = """
import logging

from howdah import App

jobs = App()

@jobs.task
async def welcome(user_id: int) -> None:
    logging.getLogger("shop").info("welcome")
"""

ASKED = """
from fastapi.testclient import TestClient
from shop import welcome

@app.post("/users")
async def users() -> None:
    await (await welcome.enqueue(1)).result("20s")

with TestClient(app) as client:
    client.post("/users").raise_for_status()
provider.shutdown()
"""

STRUCTLOG = """
import json

_chain = []

class processors:
    class JSONRenderer:
        def __call__(self, logger, method, event):
            return json.dumps(event)

def configure(processors):
    _chain[:] = processors

def info(event):
    said = {"event": event}
    for processor in _chain:
        said = processor(None, "info", said)
    print(said)
"""
"""As much of structlog as the block needs: a chain of processors, each called with a logger, a method and what the last one gave."""

LOGGED = """
import asyncio

import structlog
from shop import jobs

@jobs.task
async def tell(user_id: int) -> None:
    logging.getLogger("shop").info("told")
    structlog.info("told")

async def main() -> None:
    async with jobs.work():
        await tell.attach(int(input())).result("20s")
    logging.getLogger("shop").info("outside")

asyncio.run(main())
"""

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(SHOP)
    return tmp_path


async def run(folder: Path, program: str, told: str = "", **said: str) -> "subprocess.CompletedProcess[str]":
    """A program, told a line on stdin."""
    words, env = [sys.executable, "-W", "ignore", "-c", program], environment(said)
    done = await anyio.to_thread.run_sync(
        lambda: subprocess.run(words, cwd=folder, env=env, input=told, capture_output=True, text=True, timeout=60, check=False)
    )
    assert done.returncode == 0, done.stderr
    return done


def names(got: list[dict[str, Any]], trace: str) -> set[str]:
    return {one["name"] for one in got if one["what"] == "span" and one["trace"] == trace}


async def test_the_command_sends_what_a_producer_in_sql_has_begun(dsn: str, db: asyncpg.Connection, shop: Path) -> None:
    *variables, program, word, target, option = shlex.split(COMMAND)
    assert (variables, program) == (["OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318"], "howdah")
    async with receiving() as (url, receiver):
        async with begin(word, target, option, cwd=shop, HOWDAH_DSN=dsn, OTEL_EXPORTER_OTLP_ENDPOINT=url) as worker:
            await worker.told("Ready")
            await db.fetchval(STATEMENT)
            await worker.told("welcome")
            worker.send(signal.SIGTERM)
            assert (await worker.end())[0] == 0
        got = await received(receiver)
    assert names(got, TRACE) == {"process welcome"}
    assert [one["trace"] for one in got if one["what"] == "log" and one["logger"] == "shop"] == [TRACE]


async def test_a_web_server_that_sets_opentelemetry_up_itself_has_a_request_and_its_run_in_one_trace(dsn: str, shop: Path) -> None:
    async with receiving() as (url, receiver):
        await run(shop, WEB + ASKED, HOWDAH_DSN=dsn, OTEL_EXPORTER_OTLP_ENDPOINT=url)
        got = await received(receiver)
    (trace,) = {one["trace"] for one in got}
    assert {"POST /users", "send welcome", "process welcome"} <= names(got, trace)


async def test_records_of_logging_and_of_structlog_name_their_run(dsn: str, db: asyncpg.Connection, shop: Path) -> None:
    (shop / "structlog.py").write_text(STRUCTLOG)
    number = await db.fetchval(STATEMENT.replace("welcome", "tell"))
    done = await run(shop, LOGS + STRUCTURED + LOGGED, str(number), HOWDAH_DSN=dsn)
    said = done.stderr.splitlines()
    assert f"told run={number} trace={TRACE}" in said
    assert "outside run=- trace=-" in said
    fields = json.loads(done.stdout)
    assert (fields["event"], fields["run"], fields["task"], fields["attempt"], fields["trace_id"]) == ("told", number, "tell", 1, TRACE)


def test_no_block_is_left_out() -> None:
    assert [language for language, _ in BLOCKS] == ["", "python", "sql", "python", "python"]
