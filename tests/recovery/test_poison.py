"""One outcome that Postgres refuses does not take its batch along."""

from datetime import UTC, datetime

import pytest
from howdah.config import configure
from howdah.core.states import Kind
from howdah.db.stores import Outcomes
from howdah.messages import Outcome

from .nodes import Session, enqueue

pytestmark = pytest.mark.anyio

POISON = {17: '{"cut short', 40: '"half a pair \ud800"', 41: '"\0"', 99: "NaN"}


async def test_poison_rows_are_bisected_out_of_a_batch_and_fail_with_a_text_that_says_so(dsn: str, effects: Session) -> None:
    runs = await enqueue(effects, "work", 100)
    await effects.execute("update howdah.job set node = 1, lease = 1, attempt = 1")
    now = datetime.now(UTC)
    batch = [Outcome(run, 1, 1, now, int(Kind.SUCCEEDED), None, POISON.get(place, '"fine"'), 1) for place, run in enumerate(runs)]
    outcomes = Outcomes(configure({"dsn": dsn}), "test")
    try:
        assert await outcomes.record(batch) == []
    finally:
        await outcomes.close()
    bad = {runs[place] for place in POISON}
    rows = await effects.fetch("select run, kind, data ->> 'message' as message from howdah.event")
    assert {row["run"] for row in rows if row["kind"] == Kind.FAILED} == bad
    assert {row["run"] for row in rows if row["kind"] == Kind.SUCCEEDED} == set(runs) - bad
    assert len(rows) == 100
    assert all("the outcome could not be stored" in row["message"] for row in rows if row["run"] in bad)
    assert await effects.fetchval("select count(*) from howdah.job") == 0
