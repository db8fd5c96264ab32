"""Our statements are not seen by what instruments asyncpg; those of users are."""

from collections.abc import Iterator

import asyncpg
import pytest
from howdah import App, transaction
from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor  # pyright: ignore[reportMissingTypeStubs] - it has none
from opentelemetry.sdk.trace import TracerProvider

from .conftest import Spans

pytestmark = pytest.mark.anyio


@pytest.fixture
def instrumented(provider: TracerProvider) -> Iterator[None]:
    """The real instrumentation, put on after howdah was imported."""
    instrumentor = AsyncPGInstrumentor()
    instrumentor.instrument(tracer_provider=provider)
    yield
    instrumentor.uninstrument()


async def test_a_node_and_a_client_at_work_make_no_spans_of_queries(jobs: App, spans: Spans, instrumented: None) -> None:
    @jobs.task
    async def task(number: int) -> None: ...

    async with jobs.work():
        runs = [await task.enqueue(0), *await task.enqueue_many(task.call(number) for number in range(3))]
        await task.options(delay="1h").enqueue(9)
        for run in runs:
            await run.result("10s")
            await run.status()
        await runs[0].cancel()
    assert {span.name for span in spans.all()} == {"send task", "process task"}


async def test_queries_of_the_user_in_a_task_are_children_of_its_span(jobs: App, spans: Spans, instrumented: None) -> None:
    @jobs.task
    async def task() -> None:
        async with transaction() as conn:
            await conn.fetchval("select 1")
            statement = await conn.prepare("select 2")
            await statement.fetchval()
            async for _ in conn.cursor("select 3"):
                pass
        connection = await asyncpg.connect(jobs.config.dsn)
        await connection.execute("select 4")
        await connection.close()

    async with jobs.work():
        await (await task.enqueue()).result("10s")
    process = spans.one("process task").get_span_context()
    assert process is not None
    queries = [span for span in spans.all() if span.name not in ("send task", "process task")]
    said = {str(dict(span.attributes or {}).get("db.statement")) for span in queries}
    assert said == {"select 1", "select 2", "select 3", "select 4"}
    assert {span.parent.span_id for span in queries if span.parent} == {process.span_id}
    assert all(span.parent for span in queries)


async def test_an_enqueue_on_the_users_connection_is_its_send_span_alone(jobs: App, spans: Spans, instrumented: None) -> None:
    @jobs.task
    async def task(number: int) -> None: ...

    connection = await asyncpg.connect(jobs.config.dsn)
    async with jobs:
        await task.options(conn=connection).enqueue(1)
        await connection.fetchval("select 1")
    await connection.close()
    assert [span.name for span in spans.all()] == ["send task", "select"]
