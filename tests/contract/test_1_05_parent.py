"""CONTRACT 1.5: a run that a run enqueues is its child."""

import anyio
import asyncpg
import pytest
from howdah import App, ConfigurationError, Retry, RunCancelled, current_run
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

pytestmark = pytest.mark.anyio

Session = asyncpg.Connection

SPAN = NonRecordingSpan(SpanContext(trace_id=0xABC, span_id=0xDEF, is_remote=False, trace_flags=TraceFlags(1)))
HEADER = f"00-{0xABC:032x}-{0xDEF:016x}-01"


async def test_an_enqueue_inside_a_run_records_parent_and_root(jobs: App, db: Session) -> None:
    @jobs.task
    async def leaf(way: str) -> int:
        return current_run().id

    @jobs.task
    async def middle() -> list[int]:
        connection = await asyncpg.connect(jobs.config.dsn)
        runs = [
            await leaf.enqueue("alone"),
            await leaf.options(conn=connection).enqueue("conn"),
            await leaf.options(unique="a").enqueue("unique"),
            *await leaf.enqueue_many([leaf.call("many"), leaf.call("many")]),
        ]
        await connection.close()
        return [run.id for run in runs]

    @jobs.task
    def top() -> list[int]:
        run = middle.enqueue_sync()
        return [run.id, *run.result_sync("10s")]

    async with jobs.work():
        run = await top.enqueue()
        inner, *leaves = await run.result("20s")
    rows = await db.fetch("select id, parent, root from howdah.run order by id")
    assert [tuple(row) for row in rows] == [(run.id, None, None), (inner, run.id, run.id), *((leaf, inner, run.id) for leaf in leaves)]


async def test_metadata_is_inherited_and_a_childs_own_goes_before(jobs: App, db: Session) -> None:
    @jobs.task
    async def child() -> dict[str, str]:
        return current_run().metadata

    @jobs.task
    async def parent() -> list[int]:
        return [(await child.enqueue()).id, (await child.options(metadata={"b": "3"}).enqueue()).id]

    async with jobs.work():
        first, second = await (await parent.options(metadata={"a": "1", "b": "2"}).enqueue()).result("10s")
        assert await child.attach(first).result("10s") == {"a": "1", "b": "2"}
        assert await child.attach(second).result("10s") == {"a": "1", "b": "3"}


async def test_the_trace_of_the_span_that_enqueues_goes_along_and_on_to_children(jobs: App, db: Session) -> None:
    @jobs.task
    async def child() -> None: ...

    @jobs.task
    async def parent() -> list[int]:
        with trace.use_span(SPAN):
            return [(await child.enqueue()).id]

    @jobs.task
    async def grandparent() -> list[int]:
        run = await parent.enqueue()
        return [run.id, *await run.result("10s")]

    async with jobs.work():
        with trace.use_span(NonRecordingSpan(SpanContext(1, 2, is_remote=False))):
            run = await grandparent.enqueue()
        middle, inner = await run.result("10s")
        plain = await child.enqueue()
    traces = await db.fetch("select id, trace from howdah.run order by id")
    first = f"00-{1:032x}-{2:016x}-00"
    assert [tuple(row) for row in traces] == [(run.id, first), (middle, first), (inner, HEADER), (plain.id, None)]


async def test_child_makes_it_happen_once_per_parent_however_often_the_parent_is_retried(jobs: App, db: Session) -> None:
    @jobs.task
    async def charge(order: int) -> None: ...

    made: list[tuple[int, bool]] = []

    @jobs.task(retry=Retry(3, base=0.001))
    async def order(number: int) -> None:
        for key in ("charge", "tip"):
            run = await charge.options(child=key).enqueue(number)
            made.append((run.id, run.created))
        if current_run().attempt < 3:
            raise ValueError

    async with jobs.work():
        for number in range(2):
            await (await order.enqueue(number)).result("10s")
    assert [created for _, created in made] == [True, True, False, False, False, False] * 2
    assert made[0][0] == made[2][0] == made[4][0]
    assert await db.fetchval("select count(*) from howdah.run r join howdah.task t on t.id = r.task where t.name = 'charge'") == 4


async def test_a_parent_that_is_cancelled_cancels_its_children_unless_told_to_keep_them(jobs: App) -> None:
    started = anyio.Event()

    @jobs.task(queue="other")
    async def child() -> int:
        return 1

    ids: list[int] = []

    @jobs.task
    async def parent() -> None:
        for said in (child, child.options(on_parent_cancel="cancel"), child.options(on_parent_cancel="keep")):
            ids.append((await said.enqueue()).id)
        started.set()
        await anyio.sleep_forever()

    async with jobs.work(queues=["default"]):
        run = await parent.enqueue()
        await started.wait()
        await run.cancel("why not")
        for number in ids[:2]:
            with pytest.raises(RunCancelled):
                await child.attach(number).result("10s")
        assert await child.attach(ids[2]).status() == "queued"


async def test_child_outside_of_a_run_is_refused(jobs: App) -> None:
    @jobs.task
    async def one() -> int:
        return 1

    async with jobs:
        with pytest.raises(ConfigurationError, match="outside of a run"):
            await one.options(child="x").enqueue()
        with pytest.raises(ConfigurationError, match="one by one, each with a key of its own"):
            await one.options(child="x").enqueue_many([one.call()])
        with pytest.raises(ConfigurationError, match="two keys for one run"):
            one.options(child="x", unique=True)


async def test_a_run_of_one_database_is_nobodys_parent_in_another(jobs: App, dsn: str, db: Session) -> None:
    elsewhere = App(f"{dsn}&application_name=elsewhere")

    @elsewhere.task
    async def far() -> int:
        return 1

    @jobs.task
    async def near() -> int:
        return (await far.enqueue()).id

    async with jobs.work(), elsewhere:
        number = await (await near.enqueue()).result("10s")
    assert await db.fetchval("select parent from howdah.run where id = $1", number) is None
