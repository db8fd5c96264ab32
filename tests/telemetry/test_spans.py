"""The spans of enqueues and attempts: names, attributes, and how they hang together."""

import anyio
import asyncpg
import msgspec
import pytest
from howdah import App, ArgumentsInvalid, FailedRun, GiveUp, Retry, RunCancelled, RunFailed, Snooze, current_run
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, SpanKind, StatusCode

from .conftest import Spans

pytestmark = pytest.mark.anyio

Session = asyncpg.Connection

TRACEPARENT = f"00-{0xABC:032x}-{0xDEF:016x}-01"


def ids(span: ReadableSpan) -> SpanContext:
    found = span.get_span_context()
    assert found is not None
    return found


def is_child(span: ReadableSpan, of: ReadableSpan) -> bool:
    return span.parent is not None and span.parent.span_id == ids(of).span_id and ids(span).trace_id == ids(of).trace_id


def is_linked(span: ReadableSpan, to: ReadableSpan) -> bool:
    return [link.context.span_id for link in span.links] == [ids(to).span_id]


def begins(span: ReadableSpan, beside: ReadableSpan) -> bool:
    """Whether it begins a trace of its own, which is linked with the other one's."""
    return span.parent is None and ids(span).trace_id != ids(beside).trace_id and is_linked(span, beside)


async def test_an_enqueue_is_a_send_span_and_an_attempt_a_process_span_under_it(jobs: App, spans: Spans) -> None:
    @jobs.task
    async def welcome(email: str) -> str:
        return email

    async with jobs.work():
        run = await welcome.options(queue="mail").enqueue("a@b.c")
        await run.result("10s")
    send, process = spans.one("send welcome"), spans.one("process welcome")
    assert (send.kind, process.kind) == (SpanKind.PRODUCER, SpanKind.CONSUMER)
    assert is_child(process, of=send)
    assert is_linked(process, to=send)
    shared = {"messaging.system": "howdah", "messaging.destination.name": "mail", "messaging.destination.template": "welcome"}
    about = {**shared, "messaging.message.id": str(run.id)}
    assert dict(send.attributes or {}) == {**about, "messaging.operation.name": "send", "messaging.operation.type": "send"}
    told = dict(process.attributes or {})
    assert 0 <= int(str(told.pop("howdah.queue.wait_ms"))) < 10_000
    assert told == {
        **about,
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
    }
    assert {span.status.status_code for span in (send, process)} == {StatusCode.UNSET}


async def test_no_argument_and_no_result_is_in_a_span(jobs: App, spans: Spans) -> None:
    @jobs.task
    async def whisper(secret: str) -> str:
        return secret

    async with jobs.work():
        await (await whisper.enqueue("hush")).result("10s")
    assert "hush" not in "".join(span.to_json() for span in spans.all())


async def test_spans_of_the_function_and_of_what_it_enqueues_are_under_its_own(jobs: App, spans: Spans) -> None:
    tracer = trace.get_tracer("shop")

    @jobs.task
    async def child() -> None: ...

    @jobs.task
    async def parent() -> int:
        with tracer.start_as_current_span("work"):
            return (await child.enqueue()).id

    @jobs.task
    def in_thread() -> int:
        with tracer.start_as_current_span("work in a thread"):
            return child.enqueue_sync().id

    async with jobs.work():
        for task in (parent, in_thread):
            await child.attach(await (await task.enqueue()).result("10s")).result("10s")
    for top, work in (("parent", "work"), ("in_thread", "work in a thread")):
        inner = spans.one(work)
        (sent,) = [span for span in spans.named("send child") if is_child(span, of=inner)]
        assert is_child(inner, of=spans.one(f"process {top}"))
        assert [span for span in spans.named("process child") if is_child(span, of=sent)]


async def test_an_attempt_is_not_under_what_was_going_on_where_the_node_was_started(jobs: App, spans: Spans) -> None:
    @jobs.task
    async def task() -> None: ...

    with trace.get_tracer("shop").start_as_current_span("start-up"):
        async with jobs.work():
            pass
        async with jobs.work():
            number = await _by_sql(jobs, "select howdah.enqueue('task')")
            await task.attach(number).result("10s")
    assert spans.one("process task").parent is None


async def test_each_retry_is_a_trace_of_its_own_and_linked_with_the_enqueue(jobs: App, spans: Spans) -> None:
    @jobs.task(retry=Retry(3, base=0.001))
    async def flaky() -> None:
        if current_run().attempt < 3:
            raise ValueError("not yet")

    async with jobs.work():
        await (await flaky.enqueue()).result("10s")
    send, (first, second, third) = spans.one("send flaky"), spans.named("process flaky")
    assert is_child(first, of=send)
    assert all(begins(later, beside=send) for later in (second, third))
    assert ids(second).trace_id != ids(third).trace_id
    told = [dict(span.attributes or {}) for span in (first, second, third)]
    assert [said.get("howdah.outcome") for said in told] == ["retried", "retried", None]
    assert [said.get("howdah.attempt") for said in told] == [None, 2, 3]


async def test_delayed_and_batched_runs_are_traces_of_their_own_and_linked(jobs: App, spans: Spans) -> None:
    @jobs.task
    async def later() -> None: ...

    @jobs.task
    async def many(number: int) -> None: ...

    async with jobs.work():
        await (await later.options(delay=0.01).enqueue()).result("10s")
        for run in await many.enqueue_many(many.call(number) for number in range(3)):
            await run.result("10s")
    assert begins(spans.one("process later"), beside=spans.one("send later"))
    batch = spans.one("send many")
    assert dict(batch.attributes or {})["messaging.batch.message_count"] == 3
    assert [begins(span, beside=batch) for span in spans.named("process many")] == [True] * 3


async def test_a_run_that_waited_for_long_is_a_trace_of_its_own(jobs: App, spans: Spans) -> None:
    jobs.config = msgspec.structs.replace(jobs.config, trace_prompt_s=0.0)

    @jobs.task
    async def task() -> None: ...

    async with jobs:
        run = await task.enqueue()
    async with jobs.work():
        await run.result("10s")
    assert begins(spans.one("process task"), beside=spans.one("send task"))


async def test_trace_parenting_can_be_switched_to_links_alone(jobs: App, spans: Spans) -> None:
    jobs.config = msgspec.structs.replace(jobs.config, trace_parenting="link")

    @jobs.task
    async def task() -> None: ...

    async with jobs.work():
        await (await task.enqueue()).result("10s")
    assert begins(spans.one("process task"), beside=spans.one("send task"))


async def test_a_batch_is_one_span_that_is_linked_with_each_of_its_items(jobs: App, spans: Spans) -> None:
    @jobs.batch_task(size=3, within="1h", retry=1)
    async def send(items: list[int]) -> list[int | Exception]:
        return [*items[:-1], ValueError("no")]

    async with jobs.work():
        runs = [await send.enqueue(number) for number in range(3)]
        await runs[0].result("10s")
        with pytest.raises(RunFailed):
            await runs[2].result("10s")
    process = spans.one("process send")
    assert process.parent is None
    assert process.attributes is not None
    assert process.attributes["messaging.batch.message_count"] == 3
    assert "messaging.message.id" not in process.attributes
    sent = {ids(span).span_id for span in spans.named("send send")}
    assert {link.context.span_id for link in process.links} == sent
    assert len(sent) == 3


async def test_a_producer_in_sql_may_pass_a_traceparent(jobs: App, spans: Spans, db: Session) -> None:
    @jobs.task
    async def task() -> dict[str, str] | None:
        return current_run().trace

    async with jobs.work():
        one = await db.fetchval("select howdah.enqueue('task', traceparent => $1)", TRACEPARENT)
        two = await db.fetchval("insert into howdah.enqueue_view (task, traceparent) values ('task', $1) returning id", TRACEPARENT)
        three = await db.fetchval("select howdah.enqueue('task', delay => '10ms', traceparent => $1)", TRACEPARENT)
        four = await db.fetchval("select howdah.enqueue('task', traceparent => 'nonsense')")
        five = await db.fetchval("select howdah.enqueue('task')")
        told = [await task.attach(number).result("10s") for number in (one, two, three, four, five)]
    assert told == [{"traceparent": TRACEPARENT}] * 3 + [None] * 2
    made = {int(str(dict(span.attributes or {})["messaging.message.id"])): span for span in spans.named("process task")}
    parents = [made[number].parent for number in (one, two)]
    assert [parent.span_id for parent in parents if parent] == [0xDEF, 0xDEF]
    assert [made[number].parent for number in (three, four, five)] == [None] * 3
    assert [link.context.span_id for link in made[three].links] == [0xDEF]
    assert [list(made[number].links) for number in (four, five)] == [[], []]


async def test_a_run_without_a_span_of_its_own_hands_the_trace_on(jobs: App, db: Session) -> None:
    @jobs.task
    async def child() -> None: ...

    @jobs.task
    async def parent() -> int:
        return (await child.enqueue()).id

    async with jobs.work():
        number = await db.fetchval("select howdah.enqueue('parent', traceparent => $1)", TRACEPARENT)
        inner = await parent.attach(number).result("10s")
    assert await db.fetchval("select trace from howdah.run where id = $1", inner) == TRACEPARENT


async def test_what_a_handler_of_failures_does_belongs_to_the_trace(jobs: App, spans: Spans) -> None:
    done = anyio.Event()

    @jobs.task
    async def tell(failed: FailedRun) -> None:
        done.set()

    @jobs.task(retry=1, on_failure=tell)
    async def broken() -> None:
        raise ValueError

    async with jobs.work():
        await broken.enqueue()
        with anyio.fail_after(10):
            await done.wait()
    assert is_child(spans.one("process tell"), of=spans.one("send broken"))


async def test_an_error_is_recorded_as_it_is_stored(jobs: App, spans: Spans) -> None:
    class CardDeclined(Exception): ...

    @jobs.task(retry=1)
    async def charge() -> None:
        raise CardDeclined("no money")

    async with jobs.work():
        with pytest.raises(RunFailed) as caught:
            await (await charge.enqueue()).result("10s")
    span = spans.one("process charge")
    (event,) = span.events
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "no money")
    assert dict(span.attributes or {})["error.type"] == caught.value.error_type
    assert dict(event.attributes or {}) == {
        "exception.type": caught.value.error_type,
        "exception.message": "no money",
        "exception.stacktrace": caught.value.traceback,
    }


async def test_what_is_no_error_is_none_in_the_span(jobs: App, spans: Spans) -> None:
    began = anyio.Event()
    snoozed: list[int] = []

    @jobs.task
    async def naps() -> None:
        if not snoozed:
            snoozed.append(1)
            raise Snooze(0.01)

    @jobs.task
    async def endless() -> None:
        began.set()
        await anyio.sleep_forever()

    async with jobs.work():
        await (await naps.enqueue()).result("10s")
        run = await endless.enqueue()
        await began.wait()
        await run.cancel()
        with pytest.raises(RunCancelled):
            await run.result("10s")
    outcomes = [dict(span.attributes or {}).get("howdah.outcome") for span in (*spans.named("process naps"), spans.one("process endless"))]
    assert outcomes == ["snoozed", None, "stopped"]
    assert {span.status.status_code for span in spans.all()} == {StatusCode.UNSET}


async def test_giving_up_and_a_timeout_are_errors(jobs: App, spans: Spans) -> None:
    @jobs.task
    async def gives_up() -> None:
        raise GiveUp("withdrawn")

    @jobs.task(retry=1, timeout=0.05)
    async def slow() -> None:
        await anyio.sleep_forever()

    async with jobs.work():
        for task in (gives_up, slow):
            with pytest.raises(RunFailed):
                await (await task.enqueue()).result("10s")
    errors = {span.name: dict(span.attributes or {}).get("error.type") for span in spans.all() if span.kind is SpanKind.CONSUMER}
    assert errors == {"process gives_up": "howdah.errors.GiveUp", "process slow": "TimeoutError"}


async def test_an_enqueue_that_is_refused_is_an_error_and_one_that_finds_its_run_says_so(jobs: App, spans: Spans) -> None:
    @jobs.task
    async def task() -> None: ...

    async with jobs:
        first = await task.options(unique="a").enqueue()
        again = await task.options(unique="a").enqueue()
        with pytest.raises(ArgumentsInvalid):
            await task.options(metadata={"a": "\0"}).enqueue()
    made, found, refused = spans.named("send task")
    assert first.id == again.id
    assert [dict(span.attributes or {}).get("howdah.created") for span in (made, found)] == [None, False]
    assert refused.status.status_code is StatusCode.ERROR
    assert dict(refused.attributes or {})["error.type"] == "howdah.errors.ArgumentsInvalid"
    assert [event.name for event in refused.events] == ["exception"]


async def test_with_tracing_off_there_are_no_spans(dsn: str, spans: Spans) -> None:
    jobs = App(dsn, tracing=False)

    @jobs.task
    async def task() -> None: ...

    async with jobs.work():
        await (await task.enqueue()).result("10s")
    assert spans.all() == ()


async def _by_sql(jobs: App, statement: str) -> int:
    connection = await asyncpg.connect(jobs.config.dsn)
    try:
        return int(await connection.fetchval(statement))
    finally:
        await connection.close()
