"""CONTRACT 1.1: what the catalogue knows of a task, and that SQL enqueues by it."""

import json
from dataclasses import dataclass
from decimal import Decimal

import asyncpg
import pydantic
import pytest
from howdah import App, FailedRun, Retry

pytestmark = pytest.mark.anyio

Session = asyncpg.Connection

CATALOGUE = "select t.*, q.name as queue_name from howdah.task t join howdah.queue q on q.id = t.queue where t.name = $1"
HOT = """select j.queue, j.task, j.priority, j.flags, r.args::jsonb, r.options
    from howdah.job j join howdah.run r using (id) where id = $1"""


@dataclass
class Order:
    id: int
    price: Decimal


class Receipt(pydantic.BaseModel):
    number: str
    total: float


async def charge(order: Order, *, note: str = "") -> Receipt:
    return Receipt(number=note, total=float(order.price))


async def report(failed: FailedRun) -> None: ...


async def catalogued(db: Session, name: str) -> asyncpg.Record:
    row = await db.fetchrow(CATALOGUE, name)
    assert row is not None
    return row


async def test_nodes_register_name_queue_defaults_schemas_and_hash(jobs: App, db: Session) -> None:
    handler = jobs.task(report)
    task = jobs.task(queue="money", priority=3, retry=Retry(5), timeout="1m", delivery="at_most_once", on_failure=handler)(charge)
    async with jobs.work():
        row = await catalogued(db, "charge")
    assert (row["queue_name"], row["priority"], row["implemented"], row["hash"]) == ("money", -3, True, task.definition.hash)
    assert json.loads(row["defaults"]) == {
        "timeout": 60,
        "retry": Retry(5).stored(),
        "delivery": "at_most_once",
        "on_failure": {"task": "report", "parameter": "failed"},
    }
    given, returned = json.loads(row["input"]), json.loads(row["output"])
    (arguments,) = [part for name, part in given["$defs"].items() if name != "Order"]
    assert set(arguments["properties"]) == {"order", "note"}
    assert arguments["required"] == ["order"]
    assert given["$defs"]["Order"]["properties"]["price"] == {"type": "string", "format": "decimal"}
    text = json.dumps(returned)
    assert '"number"' in text
    assert '"total"' in text


async def test_sql_reads_the_defaults_so_that_a_run_means_the_same_whoever_asked_for_it(jobs: App, db: Session) -> None:
    task = jobs.task(queue="money", priority=3, delivery="at_most_once")(charge)
    async with jobs.work(queues=["other"]):
        by_python = (await task.enqueue(Order(1, Decimal("1.5")), note="a")).id
        by_sql = await db.fetchval("""select howdah.enqueue('charge', '{"order": {"id": 1, "price": "1.5"}, "note": "a"}')""")
        rows = [await db.fetchrow(HOT, run) for run in (by_python, by_sql)]
    assert rows[0] == rows[1]
