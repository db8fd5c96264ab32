"""Captured logs: what an attempt says is kept with its outcome, up to a limit, and logging never disturbs it."""

import asyncio
import json
import logging
import sys
import threading
from typing import Any

import anyio
import asyncpg
import pytest
from howdah import App, Retry, RunFailed, current_run, transaction
from howdah.logs import Capture, Logbook, captured

pytestmark = pytest.mark.anyio

Session = asyncpg.Connection

log = logging.getLogger("shop.mail")


@pytest.fixture(autouse=True)
def loud() -> Any:
    log.setLevel(logging.DEBUG)
    yield
    log.setLevel(logging.NOTSET)


async def stored(db: Session, run: int) -> list[Any]:
    rows = await db.fetch("select logs from howdah.event where run = $1 and kind < 16 order by at", run)
    return [None if row[0] is None else [line[1:] for line in json.loads(row[0])] for row in rows]


async def test_what_an_attempt_logs_is_kept_with_its_outcome_also_by_its_tasks_and_threads(jobs: App, db: Session) -> None:
    @jobs.task(retry=Retry(2, base="1ms"))
    async def send() -> None:
        log.info("attempt %d", current_run().attempt)
        log.debug("details")
        async with asyncio.TaskGroup() as group:
            group.create_task(child())
        await asyncio.to_thread(log.warning, "of a thread")
        if current_run().attempt == 1:
            raise ValueError("not yet")

    async def child() -> None:
        log.info("of a child")

    @jobs.task
    def plain() -> None:
        log.error("plain")

    async with jobs.work():
        log.warning("outside of a run")
        runs = [await send.enqueue(), await plain.enqueue()]
        for run in runs:
            await run.result("10s")
    lines = [["INFO", "shop.mail", "of a child"], ["WARNING", "shop.mail", "of a thread"]]
    assert await stored(db, runs[0].id) == [[["INFO", "shop.mail", f"attempt {attempt}"], *lines] for attempt in (1, 2)]
    assert await stored(db, runs[1].id) == [[["ERROR", "shop.mail", "plain"]]]
    (first, *_) = json.loads(await db.fetchval("select logs from howdah.event where kind = 4"))
    assert 0 <= first[0] < 60


async def test_no_logs_are_null_and_the_end_of_a_transaction_carries_what_was_logged_until_then(jobs: App, db: Session) -> None:
    @jobs.task
    async def silent() -> None: ...

    @jobs.task
    async def ends() -> None:
        log.info("before")
        async with transaction():
            log.info("inside")
        log.info("after")

    async with jobs.work():
        runs = [await silent.enqueue(), await ends.enqueue()]
        for run in runs:
            await run.result("10s")
    assert await stored(db, runs[0].id) == [None]
    assert await stored(db, runs[1].id) == [[["INFO", "shop.mail", "before"], ["INFO", "shop.mail", "inside"]]]


async def test_logs_have_a_size_and_what_is_left_out_is_counted(dsn: str, db: Session) -> None:
    jobs = App(dsn, log_max=100, log_level="WARNING", grace_s=2, hard_grace_s=2)

    @jobs.task
    async def chatty() -> None:
        log.info("too low")
        for number in range(50):
            log.warning("%s %d", "x" * 30, number)

    async with jobs.work():
        run = await chatty.enqueue()
        await run.result("10s")
    ((*lines, last),) = await stored(db, run.id)
    assert len(lines) == 3
    assert lines[2][2].startswith("x" * 18)
    assert lines[2][2].endswith(" characters left out")
    assert last == ["WARNING", "howdah", "47 later records were left out: see log_max"]
    assert len(str(lines)) < 300


async def test_logs_may_be_switched_off(dsn: str, db: Session) -> None:
    jobs = App(dsn, log_max=0, grace_s=2, hard_grace_s=2)

    @jobs.task
    async def chatty() -> None:
        log.warning("hello")

    async with jobs.work():
        assert not [one for one in logging.getLogger().handlers if isinstance(one, Capture)]
        run = await chatty.enqueue()
        await run.result("10s")
    assert await stored(db, run.id) == [None]


class Loud:
    """Logs while it is made into text."""

    def __str__(self) -> str:
        log.warning("%s", self)
        return "loud"


class Broken:
    def __str__(self) -> str:
        raise RuntimeError("no words")


async def test_logging_never_recurses_and_never_raises_into_the_function(jobs: App, db: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "lastResort", None)
    # Other handlers, such as those of pytest, would go round in circles with this one.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])

    @jobs.task(retry=1)
    async def odd() -> None:
        log.warning("%s", Loud())
        log.warning("%s", Broken())
        log.warning("%d", "no number")
        log.warning("\0 \ud800 ü")
        try:
            raise KeyError("lost")
        except KeyError:
            log.exception("it failed")

    async with jobs.work():
        run = await odd.enqueue()
        await run.result("10s")
    ((loud, broken, number, text, failed),) = await stored(db, run.id)
    assert loud[2] == "loud"
    assert broken[2].endswith("test_logs.py that cannot be made: RuntimeError>")
    assert number[2].endswith("cannot be made: TypeError>")
    assert text[2] == "\N{SYMBOL FOR NULL} ? ü"
    assert failed[2].startswith("it failed\nTraceback")
    assert failed[2].endswith("KeyError: 'lost'")


async def test_each_of_two_nodes_in_a_process_keeps_its_own_logs_and_leaves_no_handler_behind(dsn: str, db: Session) -> None:
    before = list(logging.getLogger().handlers)
    mine, other = App(dsn, grace_s=2, hard_grace_s=2), App(dsn, grace_s=2, hard_grace_s=2)

    @mine.task
    async def say() -> None:
        log.info("once")

    @other.task
    async def nothing() -> None: ...

    async with mine.work(), other.work():
        assert len([one for one in logging.getLogger().handlers if isinstance(one, Capture)]) == 2
        run = await say.enqueue()
        await run.result("10s")
    assert await stored(db, run.id) == [[["INFO", "shop.mail", "once"]]]
    assert logging.getLogger().handlers == before


def test_a_program_without_logging_still_sees_its_warnings_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    monkeypatch.setattr(logging, "lastResort", logging.StreamHandler(sys.stderr))
    logging.lastResort.setLevel(logging.WARNING)  # type: ignore[union-attr]
    with captured(lambda: None, "ERROR", 10), captured(lambda: None, "INFO", 10):
        log.warning("careful")
        log.info("by the way")
        assert capsys.readouterr().err == "careful\n"
        other = logging.StreamHandler(sys.stderr)
        log.addHandler(other)
        log.warning("handled")
        log.removeHandler(other)
        assert capsys.readouterr().err == "handled\n"


async def test_what_a_thread_says_after_the_end_of_its_attempt_is_not_kept(jobs: App, db: Session) -> None:
    gate, done = threading.Event(), threading.Event()

    def stray() -> None:
        gate.wait(30)
        log.warning("too late")
        done.set()

    @jobs.task(retry=1)
    async def leaves() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: anyio.to_thread.run_sync(stray, abandon_on_cancel=True))
            await anyio.sleep(0.05)
            group.cancel_scope.cancel()
        raise ValueError("ended")

    async with jobs.work():
        run = await leaves.enqueue()
        with pytest.raises(RunFailed):
            await run.result("10s")
        gate.set()
        assert await anyio.to_thread.run_sync(done.wait, 30)
    assert await stored(db, run.id) == [None]


def test_a_logbook_counts_characters() -> None:
    book = Logbook(10)
    for text in ("12345", "6789", "x", "y"):
        book.add(0.5, "INFO", "", text)
    assert json.loads(book.encoded()) == [
        [0.5, "INFO", "", "12345"],
        [0.5, "INFO", "", "6789"],
        [0.5, "INFO", "", "x"],
        [0.5, "WARNING", "howdah", "1 later records were left out: see log_max"],
    ]
