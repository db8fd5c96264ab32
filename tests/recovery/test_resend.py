"""A commit whose answer is lost: what was sent is sent again, and counts once."""

import logging
from collections import Counter
from datetime import UTC, datetime

import howdah
import pytest
from howdah import App, Retry
from howdah.config import configure
from howdah.core.states import Kind
from howdah.db.stores import Outcomes
from howdah.messages import Outcome

from .nodes import Session, drained, enqueue, happens
from .proxy import Proxy

pytestmark = pytest.mark.anyio


async def test_outcomes_whose_commit_was_not_answered_are_sent_again_and_count_once(
    proxy: Proxy, effects: Session, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = App(proxy.dsn)
    executed: Counter[int] = Counter()

    @jobs.task
    async def work() -> None:
        executed[howdah.current_run().id] += 1

    async with jobs.work():
        proxy.lose_answer("COPY", "write")
        proxy.lose_answer("COPY", "write")
        runs = await enqueue(effects, "work", 200)
        await drained(effects)
        await happens(lambda: proxy.losses_ahead == 0)
        refused = "select coalesce(array_agg(distinct verdict), '{}') from howdah.stale_event"
        await happens(lambda: executed == Counter(runs))
    assert await effects.fetchval(refused) == ["duplicate"]
    assert await effects.fetchval("select count(*) from howdah.event where kind = 1") == 200
    assert await effects.fetchval("select count(distinct run) from howdah.event where kind = 1") == 200
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_retry_whose_commit_was_not_answered_is_one_retry(proxy: Proxy, effects: Session) -> None:
    jobs = App(proxy.dsn)
    attempts: list[int] = []

    @jobs.task(retry=Retry(3, base=0.01))
    async def fails_once() -> None:
        attempts.append(howdah.current_run().attempt)
        if len(attempts) == 1:
            proxy.lose_answer("COPY", "write")
            raise ValueError("once")

    async with jobs.work():
        run = await fails_once.enqueue()
        await run.result("10s")
    assert attempts == [1, 2]
    kinds = "select array_agg(kind::int order by at) from howdah.event where run = $1"
    assert await effects.fetchval(kinds, run.id) == [Kind.RETRIED, Kind.SUCCEEDED]


async def test_two_outcomes_of_one_run_under_two_leases_in_one_batch_are_told_apart(dsn: str, effects: Session) -> None:
    jobs = App(dsn)

    @jobs.task
    async def work() -> None: ...

    (run,) = await enqueue(effects, "work")
    await effects.execute("update howdah.job set node = 1, lease = 8")
    outcomes = Outcomes(configure({"dsn": dsn}), "test")
    late = Outcome(run, 7, 2, datetime.now(UTC), int(Kind.FAILED), None, None, 1)
    ours = Outcome(run, 8, 1, datetime.now(UTC), int(Kind.SUCCEEDED), None, None, 1)
    try:
        rejected = await outcomes.record([late, ours])
    finally:
        await outcomes.close()
    assert [(rejection.lease, rejection.verdict) for rejection in rejected] == [(7, "stale")]
    assert await effects.fetchval("select howdah.state($1)", run) == "succeeded"
