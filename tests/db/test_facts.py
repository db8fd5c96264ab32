"""Handlers of failures and subscribers of facts: once per database per fact, as runs of their own."""

import json
from typing import Any

import pytest
from howdah.core.states import Kind
from howdah.db.files import query

from . import world
from .world import Session

pytestmark = pytest.mark.anyio


async def register(db: Session, name: str, **defaults: Any) -> None:
    await db.execute(query("register"), name, "default", 0, json.dumps(defaults), None, None, "h", None)


async def told(db: Session, task: str) -> list[dict[str, Any]]:
    rows = await db.fetch("select r.args from howdah.run r join howdah.task t on t.id = r.task where t.name = $1 order by r.id", task)
    return [json.loads(row[0]) for row in rows]


async def fail(db: Session, task: str = "work") -> world.Claimed:
    await world.enqueue(db, task=task)
    (run,) = await world.claim(db, await world.join(db), tasks=[task])
    await world.send(db, world.outcome(run, Kind.FAILED, data='{"type": "KeyError", "message": "lost"}'))
    await db.fetchval(query("settle"))
    return run


async def test_a_failure_starts_its_handler_once_with_what_happened(db: Session) -> None:
    await register(db, "charge", on_failure={"task": "refund", "parameter": "failed"})
    run = await fail(db, "charge")
    await db.fetchval(query("settle"))
    (args,) = await told(db, "refund")
    assert args == {
        "failed": {
            "run_id": run.id, "task": "charge", "state": "failed", "attempt": 1, "error_type": "KeyError", "message": "lost", "args": {}
        }
    }  # fmt: skip
    assert await db.fetchval("select r.parent from howdah.run r join howdah.task t on t.id = r.task where t.name = 'refund'") == run.id


@pytest.mark.parametrize("end", ["expired", "lost", "quarantined"])
async def test_every_end_that_is_a_failure_starts_the_handler(db: Session, end: str) -> None:
    delivery = {"delivery": "at_most_once"} if end == "lost" else {}
    await register(db, end, on_failure={"task": f"after {end}", "parameter": "failed"}, **delivery)
    await world.enqueue(db, task=end, expires=60)
    if end != "expired":
        await world.claim(db, await world.join(db))
        await db.execute("update howdah.job set crashes = 4") if end == "quarantined" else None
    await world.shift(db, "1 hour")
    await db.fetchrow(query("keep"), 10, 30.0, 3)
    await db.fetchval(query("settle"))
    (args,) = await told(db, f"after {end}")
    assert args["failed"]["state"] == end


async def test_subscribers_hear_of_failures_but_not_of_their_own(db: Session) -> None:
    await register(db, "alarm", alerts={"facts": ["run.failed"], "parameter": "alert"})
    run = await fail(db)
    (args,) = await told(db, "alarm")
    at = args["alert"].pop("at")
    assert isinstance(at, str)
    assert args["alert"] == {
        "fact": "run.failed", "run_id": run.id, "task": "work", "state": "failed", "attempt": 1, "error_type": "KeyError", "message": "lost"
    }  # fmt: skip
    (alarm,) = await world.claim(db, await world.join(db), tasks=["alarm"])
    await world.send(db, world.outcome(alarm, Kind.FAILED, data="{}"))
    await db.fetchval(query("settle"))
    assert len(await told(db, "alarm")) == 1, "an alarm that fails would raise the next"


async def test_a_stale_outcome_is_told_with_both_nodes_and_both_leases(db: Session) -> None:
    await register(db, "stale", alerts={"facts": ["run.stale"], "parameter": "alert"})
    (lost,) = await world.running(db)
    await world.shift(db, "1 hour")
    await db.fetchval("select howdah.reap(3)")
    await world.shift(db, "")
    (held,) = await world.claim(db, await world.join(db))
    assert (await world.send(db, world.outcome(lost))).unsettled
    await db.fetchval(query("settle"))
    ((alert,),) = [args.values() for args in await told(db, "stale")]
    assert {name: alert[name] for name in ("fact", "run_id", "node", "lease", "other_node", "other_lease")} == {
        "fact": "run.stale", "run_id": lost.id, "node": lost.node, "lease": lost.lease, "other_node": held.node, "other_lease": held.lease
    }  # fmt: skip


async def test_a_lost_node_and_a_quarantined_run_are_facts(db: Session) -> None:
    await register(db, "watch", alerts={"facts": ["node.lost", "run.quarantined"], "parameter": "alert"})
    (run,) = await world.running(db)
    await db.execute("update howdah.job set crashes = 4")
    await world.shift(db, "1 hour")
    await db.fetchrow(query("keep"), 10, 30.0, 3)
    await world.shift(db, "")
    await db.fetchval(query("settle"))
    alerts = {args["alert"]["fact"]: args["alert"] for args in await told(db, "watch")}
    assert alerts["node.lost"]["node"] == run.node
    assert (alerts["run.quarantined"]["run_id"], alerts["run.quarantined"]["task"]) == (run.id, "work")


async def test_arguments_that_jsonb_refuses_reach_the_handler_as_they_are(db: Session) -> None:
    await register(db, "charge nul", on_failure={"task": "refund nul", "parameter": "failed"})
    row = await db.fetchrow(query("submit"), "charge nul", ['{"name": "a\\u0000b"}'], None, False, None)
    (run,) = await world.claim(db, await world.join(db), tasks=["charge nul"])
    await world.send(db, world.outcome(run, Kind.FAILED, data='{"type": "KeyError", "message": "lost"}'))
    assert await db.fetchval(query("settle")) == 1
    (args,) = await told(db, "refund nul")
    assert args["failed"]["args"] == {"name": "a\0b"}
    assert row["ids"] == [run.id]
