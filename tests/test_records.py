"""Log records within a run carry run, task, attempt and trace ids, whatever writes them."""

import io
import logging

import asyncpg
import pytest
from howdah import App, RunFilter, current_run, run_fields

pytestmark = pytest.mark.anyio

TRACE, SPAN = f"{0xABC:032x}", f"{0xDEF:016x}"


def speaking(stream: io.StringIO, form: str) -> logging.Logger:
    """A logger of its own that writes into the stream."""
    log = logging.getLogger("test.records")
    log.handlers, log.propagate = [logging.StreamHandler(stream)], False
    log.handlers[0].addFilter(RunFilter())
    names = ("run", "task", "attempt", "trace_id", "span_id")
    log.handlers[0].setFormatter(logging.Formatter(form, defaults=dict.fromkeys(names, "-")))
    log.setLevel(logging.INFO)
    return log


async def test_a_record_within_a_run_carries_the_run_and_one_outside_carries_nothing(
    jobs: App, db: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    said = io.StringIO()
    log = speaking(said, "%(message)s %(run)s %(task)s %(attempt)s %(trace_id)s %(span_id)s")

    @jobs.task
    async def waits() -> None:
        log.info("async")

    @jobs.task
    def blocks() -> None:
        log.info("thread")

    log.info("outside")
    async with jobs.work():
        ids = [
            await db.fetchval("select howdah.enqueue($1, traceparent => $2)", name, f"00-{TRACE}-{SPAN}-01") for name in ("waits", "blocks")
        ]
        for task, number in zip((waits, blocks), ids, strict=True):
            await task.attach(number).result("10s")
        plain = await waits.enqueue()
        await plain.result("10s")
    lines = said.getvalue().splitlines()
    assert lines[0] == "outside - - - - -"
    assert sorted(lines[1:]) == sorted(
        [
            f"async {ids[0]} waits 1 {TRACE} {SPAN}",
            f"thread {ids[1]} blocks 1 {TRACE} {SPAN}",
            f"async {plain.id} waits 1 - -",
        ]
    )


async def test_what_a_record_says_already_stays(jobs: App) -> None:
    said = io.StringIO()
    log = speaking(said, "%(task)s %(run)s")

    @jobs.task
    async def speaks() -> dict[str, str | int]:
        log.info("", extra={"task": "mine"})
        return run_fields()

    async with jobs.work():
        run = await speaks.enqueue()
        fields = await run.result("10s")
    assert said.getvalue() == f"mine {run.id}\n"
    assert fields == {"run": run.id, "task": "speaks", "attempt": 1}


async def test_outside_of_a_run_there_are_no_fields(jobs: App) -> None:
    assert run_fields() == {}

    @jobs.task
    async def task() -> int:
        return current_run().id

    async with jobs.work():
        await (await task.enqueue()).result("10s")
    assert run_fields() == {}
