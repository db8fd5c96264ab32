"""CONTRACT 2.5 and 2.8: what is measured, by names of the conventions; queues once for a database; nothing where nobody wants it;
what docs/operating.md gives to Grafana, Prometheus and KEDA."""

import asyncio
import json
import re
import time
import tomllib
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import asyncpg
import pytest
import yaml
from howdah import App, Retry, transaction
from howdah.instruments import Instruments
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from ..db.roles import READ, as_role

pytestmark = pytest.mark.anyio

Db = asyncpg.Connection
ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operating.md").read_text()


class Told:
    """What a reader sees."""

    def __init__(self, reader: InMemoryMetricReader, instruments: Instruments) -> None:
        self.reader = reader
        self.gauges = instruments._gauges
        self.points: list[tuple[str, dict[str, Any], Any]] = []

    def look(self) -> "Told":
        data = self.reader.get_metrics_data()
        self.points = [
            (metric.name, dict(point.attributes or {}), point)
            for resource in (data.resource_metrics if data is not None else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            for point in metric.data.data_points
        ]
        return self

    def of(self, name: str, **attributes: str) -> list[Any]:
        wanted = {word.replace("__", "."): value for word, value in attributes.items()}
        return [point for found, said, point in self.points if found == name and wanted.items() <= said.items()]

    def total(self, name: str, **attributes: str) -> float:
        return sum(point.value if hasattr(point, "value") else point.count for point in self.of(name, **attributes))


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    """A provider for what is opened in this test: the process has none, and could have only one."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    made = Instruments(provider)
    for place in ("howdah.db.pool.instruments", "howdah.submission.instruments"):
        monkeypatch.setattr(place, lambda: made)
    yield Told(reader, made)
    provider.shutdown()


@pytest.fixture
async def reading(db: Db) -> str:
    """A role of `howdah grant ROLE --as read`."""
    if not await db.fetchval("select exists (select from pg_roles where rolname = $1)", READ):
        await db.execute(f"create role {READ} login")
    await db.fetchval("select howdah.permit($1, 'read')", READ)
    return READ


async def happens(condition: Callable[[], Awaitable[bool]]) -> None:
    with anyio.fail_after(20):
        while not await condition():
            await anyio.sleep(0.02)


async def test_durations_and_counters_have_the_names_and_attributes_of_the_conventions(dsn: str, told: Told) -> None:
    jobs = App(dsn, report_s=0.05)

    @jobs.task
    async def fine() -> None: ...

    @jobs.task(retry=Retry(2, base=0.01))
    async def fails() -> None:
        raise KeyError("no")

    @jobs.task
    async def ends_itself() -> None:
        async with transaction():
            pass

    async with jobs.work():
        for _ in range(5):
            await (await fine.options(queue="mail").enqueue()).result("10s")
        with pytest.raises(Exception, match="no"):
            await (await fails.enqueue()).result("10s")
        await (await ends_itself.enqueue()).result("10s")
    told.look()

    process = {"messaging__system": "howdah", "messaging__operation__name": "process"}
    mail = {**process, "messaging__destination__name": "mail", "howdah__task": "fine", "howdah__outcome": "succeeded"}
    assert told.total("messaging.client.consumed.messages", **mail) == 5
    assert told.total("messaging.process.duration", **mail) == 5
    failed = {**process, "messaging__destination__name": "default", "howdah__task": "fails", "error__type": "KeyError"}
    assert told.total("messaging.client.consumed.messages", **failed, howdah__outcome="retried") == 1
    assert told.total("messaging.client.consumed.messages", **failed, howdah__outcome="failed") == 1
    assert told.total("howdah.run.retries", howdah__task="fails") == 1
    assert told.total("messaging.client.consumed.messages", howdah__task="ends_itself", howdah__outcome="succeeded") == 1
    sent = {"messaging__system": "howdah", "messaging__operation__name": "enqueue", "messaging__operation__type": "send"}
    assert told.total("messaging.client.sent.messages", **sent, messaging__destination__name="mail") == 5
    assert told.total("messaging.client.operation.duration", **sent, messaging__destination__name="mail") == 5
    for name, kind in (("claim", "receive"), ("write", "settle")):
        said = {"messaging__operation__name": name, "messaging__operation__type": kind}
        assert told.total("messaging.client.operation.duration", **said) > 0
        assert told.total("howdah.batch.size", **said) > 0
    assert told.of("messaging.process.duration")[0].explicit_bounds[:14] == (
        0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
    )  # fmt: skip
    assert told.total("db.client.connection.wait_time") > 0
    assert told.total("howdah.outcome.stale") == 0
    assert told.total("howdah.run.wait.duration", howdah__task="fine") == 5


async def test_the_wait_of_a_run_begins_when_it_is_due_or_comes_back(dsn: str, told: Told) -> None:
    jobs = App(dsn, report_s=0.05)

    @jobs.task(retry=Retry(2, base=0.01))
    async def work() -> int:
        begun.append(time.time())
        if len(begun) == 1:
            await asyncio.sleep(1)  # What an attempt takes is no wait of the next one.
            ended.append(time.time())
            raise KeyError("once")
        return 1

    begun: list[float] = []
    ended: list[float] = []
    due = time.time() + 1
    async with jobs.work():
        await (await work.options(delay=1).enqueue()).result("10s")
    told.look()
    (wait,) = told.of("howdah.run.wait.duration")
    assert wait.count == 2
    most = begun[0] - due + begun[1] - ended[0]  # As long as the machine made them wait. Either mistake would count a second more.
    assert wait.sum < most + 0.5


async def test_queues_are_told_by_one_node_of_a_database_and_by_another_when_that_goes(dsn: str, told: Told) -> None:
    first_jobs, second_jobs = (App(dsn, report_s=0.05, queue_report_s=0.1) for _ in range(2))

    @first_jobs.task
    async def work() -> None: ...

    second_jobs.task(name="work")(work.definition.function)

    async def is_told() -> bool:
        points = told.look().of("howdah.queue.depth", messaging__destination__name="mail", howdah__state="later")
        return [point.value for point in points] == [1]

    async with first_jobs.work() as first, second_jobs.work() as second:
        await work.options(queue="mail", delay=3600).enqueue()
        await happens(is_told)
        (gauges,) = [one for one in told.gauges if one.queues()]
        (first if gauges is told.gauges[0] else second).stop()

        async def is_told_by_the_other() -> bool:
            return await is_told() and gauges not in told.gauges

        await happens(is_told_by_the_other)


async def test_each_node_looks_at_the_queues_but_one_alone_is_answered(jobs: App, db: Db) -> None:
    for node in (1, 2):
        await db.fetchval("select howdah.join_node($1, $2, 'here', 42, '1.0', '{}', '{}', null, 60)", node, f"n{node}")
    asked = "select count(*) from howdah.report_queues($1, 10)"
    assert [await db.fetchval(asked, node) for node in (2, 1, 2, 3)] == [1, 0, 1, 0]
    await db.execute("update howdah.node set until = howdah.clock() - interval '1 second' where id = 2")
    assert [await db.fetchval(asked, node) for node in (2, 1, 2)] == [0, 1, 0]


async def test_slots_are_told_and_no_more_when_the_node_is_gone(dsn: str, told: Told) -> None:
    jobs = App(dsn, concurrency=3)
    begun, goes_on = asyncio.Event(), asyncio.Event()

    @jobs.task
    async def hold() -> None:
        begun.set()
        await goes_on.wait()

    async with jobs.work():
        run = await hold.enqueue()
        await begun.wait()
        told.look()
        slots = {state: told.total("howdah.node.slots", howdah__room="async", howdah__slot__state=state) for state in ("used", "free")}
        goes_on.set()
        await run.result("10s")
    assert slots == {"used": 1, "free": 2}
    assert told.look().of("howdah.node.slots") == []


async def test_a_loop_that_is_late_and_an_outcome_that_is_stale_are_told(dsn: str, db: Db, told: Told) -> None:
    jobs = App(dsn, report_s=0.05, heartbeat_s=0.2, lease_s=60, block_warning_s=0.2)
    begun, goes_on = asyncio.Event(), asyncio.Event()

    @jobs.task
    async def hold() -> None:
        begun.set()
        await goes_on.wait()

    async with jobs.work() as node:
        await hold.enqueue()
        await begun.wait()
        await db.execute("update howdah.job set lease = lease + 1000000")

        async def is_late() -> bool:
            return told.look().total("howdah.loop.lag") > 0

        await happens(is_late)
        goes_on.set()

        async def is_stale() -> bool:
            return told.look().total("howdah.outcome.stale") == 1

        await happens(is_stale)
        await db.execute("delete from howdah.node where name = $1", node.name)

        async def is_lost() -> bool:
            return told.look().total("howdah.lease.lost") == 1

        await happens(is_lost)
        await db.execute("delete from howdah.job")


async def test_without_a_provider_nothing_is_collected(jobs: App) -> None:
    @jobs.task
    async def work() -> None: ...

    async with jobs.work() as node:
        await (await work.enqueue()).result("10s")
        assert jobs.client.pool.instruments is None
        assert node._tally is None
        assert [room.tally for room in node._rooms] == [None]


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


async def test_the_scaler_for_keda_asks_for_a_number_that_the_reading_role_may_know(dsn: str, db: Db, reading: str) -> None:
    (scaler,) = [
        found for text in blocks("yaml") if isinstance(found := yaml.safe_load(text), dict) and found.get("kind") == "ScaledObject"
    ]
    (trigger,) = scaler["spec"]["triggers"]
    assert trigger["type"] == "postgresql"
    assert float(trigger["metadata"]["targetQueryValue"]) > 0
    await db.execute("select howdah.enqueue('work', '{}') from generate_series(1, 3)")
    async with as_role(dsn, reading) as session:
        assert await session.fetchval(trigger["metadata"]["query"]) == 3


def dashboard() -> list[dict[str, Any]]:
    return json.loads((ROOT / "docs" / "grafana.json").read_text())["panels"]


async def test_the_dashboard_asks_postgres_what_the_reading_role_may_know(dsn: str, db: Db, reading: str) -> None:
    asked = {panel["title"]: target["rawSql"] for panel in dashboard() for target in panel["targets"] if "rawSql" in target}
    assert len(asked) > 5
    assert any("howdah.queue_stats" in text for text in asked.values())
    await db.execute("select howdah.enqueue('work', '{}') from generate_series(1, 3)")
    async with as_role(dsn, reading) as session:
        answers = {title: await session.fetch(text) for title, text in asked.items()}
    assert answers["Ready"][0][0] == 3
    assert all(answers.values())


def exported() -> set[str]:
    """Every name that Prometheus gets, of instruments each told once."""
    from howdah.cli.sdk import exposition

    made = exposition()
    assert made is not None
    meters = Instruments(MeterProvider([made.reader]))
    for record in (meters.process_s, meters.operation_s, meters.wait_s, meters.loop_lag_s, meters.pool_wait_s, meters.batch):
        record(1.0, {})
    for add in (meters.sent, meters.consumed, meters.retries, meters.stale, meters.lost_leases):
        add(1, {})
    return set(re.findall(r"^(\w+)", made._make().decode(), re.MULTILINE)) | {
        "howdah_queue_depth", "howdah_queue_oldest_age_seconds", "howdah_node_slots",
    }  # fmt: skip


def test_what_dashboard_and_alerts_ask_prometheus_for_is_exported() -> None:
    expressions = [target["expr"] for panel in dashboard() for target in panel["targets"] if "expr" in target]
    (rules,) = [found["groups"] for text in blocks("yaml") if isinstance(found := yaml.safe_load(text), dict) and "groups" in found]
    expressions += [rule["expr"] for group in rules for rule in group["rules"]]
    asked = {
        name
        for text in expressions
        for name in re.findall(r"\b(?:howdah|messaging|db)_\w+(?=[\[{)]| )", re.sub(r"\([a-z_, ]*\) \(", "((", text))
    }
    assert len(asked) > 8
    assert asked - exported() == set()


def test_every_metric_stands_in_the_table_of_the_page_and_nothing_else() -> None:
    text = (ROOT / "runtime" / "howdah" / "instruments.py").read_text()
    made = set(re.findall(r'"((?:messaging\.(?:client|process)|howdah|db)\.[a-z_.]+)", "', text))
    listed = set(re.findall(r"^\| `((?:messaging|howdah|db)\.[a-z_.]+)` \|", PAGE, re.MULTILINE))
    assert made == listed


def test_the_readme_says_that_there_is_no_dashboard_yet_and_no_empty_extra_is_shipped() -> None:
    assert "There is no dashboard yet" in " ".join((ROOT / "README.md").read_text().split())
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert [name for name, packages in extras.items() if not packages or name == "dashboard"] == []


def test_every_yaml_block_of_the_page_is_yaml() -> None:
    assert len([yaml.safe_load(text) for text in blocks("yaml")]) >= 4
