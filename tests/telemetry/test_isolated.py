"""`howdah worker --otel`, and what its tasks do in processes of their own: their spans, records and metrics arrive, in the same trace."""

import signal
import textwrap
from pathlib import Path
from typing import Any

import anyio
import asyncpg
import pytest

from ..cli.programs import begin
from ..recovery.nodes import until
from .stage import received, receiving

pytestmark = pytest.mark.anyio

TRACEPARENT = "00-0000000000000000000000000000abcd-0000000000000def-01"

SHOP = """
    import logging
    import time

    from howdah import App
    from opentelemetry import metrics, trace

    jobs = App()
    tracer = trace.get_tracer("shop")
    worked = metrics.get_meter("shop").create_counter("shop.worked")

    def work(what: str) -> None:
        with tracer.start_as_current_span(what):
            worked.add(1)
            logging.getLogger("shop").info(what)
        print(what, flush=True)

    @jobs.task(isolation="process", max_runs=1)
    def once(what: str) -> None:
        work(what)

    @jobs.task(isolation="process")
    async def often(what: str) -> None:
        work(what)

    @jobs.task(isolation="process", retry=1, timeout=1)
    def hangs(what: str) -> None:
        work(what)
        time.sleep(60)
"""

FAILED = "select count(*) = 1 from howdah.runs where state = 'failed'"


def of(got: list[dict[str, Any]], what: str) -> list[dict[str, Any]]:
    return [one for one in got if one["what"] == what]


async def test_spans_records_and_metrics_of_a_process_arrive_also_when_it_makes_way_for_another(
    dsn: str, db: asyncpg.Connection, tmp_path: Path
) -> None:
    (tmp_path / "shop.py").write_text(textwrap.dedent(SHOP))
    async with receiving() as (url, receiver):
        said = {"HOWDAH_DSN": dsn, "OTEL_EXPORTER_OTLP_ENDPOINT": url}
        async with begin("worker", "shop", "--otel", cwd=tmp_path, **said) as worker:
            await worker.told("Ready")
            for task, what in (("once", "first"), ("once", "second"), ("often", "third")):
                await db.fetchval("select howdah.enqueue($1, $2, traceparent => $3)", task, f'{{"what": "{what}"}}', TRACEPARENT)
                assert await worker.line() == what
            worker.send(signal.SIGTERM)
            code, _, told = await worker.end()
        got = await received(receiver)
    assert code == 0
    assert "INFO shop: third" in told, "the log of a process is said on stderr as well"
    spans = {span["name"]: span for span in of(got, "span")}
    attempts = {span["id"]: span for span in of(got, "span") if span["name"].startswith("process ")}
    records = {record["body"]: record for record in of(got, "log") if record["logger"] == "shop"}
    assert len(attempts) == 3
    for what, task in (("first", "once"), ("second", "once"), ("third", "often")):
        span, record = spans[what], records[what]
        attempt = attempts[span["parent"]]
        assert (attempt["name"], attempt["parent"]) == (f"process {task}", "0000000000000def")
        assert (span["trace"], span["service"]) == ("0000000000000000000000000000abcd", "shop")
        assert (record["trace"], record["span"]) == (span["trace"], span["id"])
        assert (record["attributes"]["task"], str(record["attributes"]["run"])) == (task, attempt["attributes"]["messaging.message.id"])
    assert sum("shop.worked" in told["names"] for told in of(got, "metrics")) == 3, "one of each process"


async def test_what_ended_before_a_process_was_killed_with_its_attempt_has_arrived(
    dsn: str, db: asyncpg.Connection, tmp_path: Path
) -> None:
    (tmp_path / "shop.py").write_text(textwrap.dedent(SHOP))
    async with receiving() as (url, receiver):
        said = {"HOWDAH_DSN": dsn, "OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_BSP_SCHEDULE_DELAY": "50", "OTEL_BLRP_SCHEDULE_DELAY": "50"}
        async with begin("worker", "shop", "--otel", cwd=tmp_path, **said) as worker:
            await worker.told("Ready")
            await db.fetchval("select howdah.enqueue('hangs', '{\"what\": \"first\"}')")
            await until(db, FAILED)
            worker.send(signal.SIGTERM)
            assert (await worker.end())[0] == 0
        got = await received(receiver)
    inner, attempt = (next(span for span in of(got, "span") if span["name"] == name) for name in ("first", "process hangs"))
    assert inner["parent"] == attempt["id"]
    assert attempt["attributes"]["error.type"] == "TimeoutError"
    assert [record["span"] for record in of(got, "log") if record["body"] == "first"] == [inner["id"]]


async def test_a_collector_that_is_away_keeps_neither_a_process_nor_its_worker_from_ending(
    dsn: str, db: asyncpg.Connection, tmp_path: Path
) -> None:
    (tmp_path / "shop.py").write_text(textwrap.dedent(SHOP))
    async with begin("worker", "shop", "--otel", cwd=tmp_path, HOWDAH_DSN=dsn, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1") as worker:
        await worker.told("Ready")
        await db.fetchval("select howdah.enqueue('often', '{\"what\": \"first\"}')")
        assert await worker.line() == "first"
        worker.send(signal.SIGTERM)
        with anyio.fail_after(30):  # What is tried again in vain is tried for a minute.
            code, _, told = await worker.end()
    assert (code, "did not clean up" in told) == (0, False)
