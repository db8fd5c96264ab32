"""CONTRACT 1.16: dependencies are default values, resolved on the node, once per attempt or once per node."""

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Annotated, Any

import anyio
import asyncpg
import pytest
from howdah import App, ArgumentsInvalid, ConfigurationError, Retry, RunFailed, current_run, transaction, use

pytestmark = pytest.mark.anyio

Session = asyncpg.Connection


class Told(list[str]):
    """What happened, in order."""


TOLD = Told()


@pytest.fixture(autouse=True)
def told() -> Told:
    TOLD.clear()
    return TOLD


async def opened() -> AsyncGenerator[str, None]:
    TOLD.append("open outer")
    try:
        yield "outer"
    except BaseException as error:
        TOLD.append(f"outer saw {type(error).__name__}")
        raise
    finally:
        TOLD.append("close outer")


def inner(outer: str = use(opened)) -> Generator[str, None, None]:
    TOLD.append("open inner")
    try:
        yield f"inner of {outer}"
    except BaseException as error:
        TOLD.append(f"inner saw {type(error).__name__}")
        raise
    finally:
        TOLD.append("close inner")


ALL = ["open outer", "open inner", "close inner", "close outer"]


async def test_a_dependency_is_a_default_value_that_enqueues_leave_out(jobs: App, db: Session) -> None:
    @jobs.task
    async def welcome(user_id: int, email: str, made: str = use(inner), *, loud: bool = False) -> str:
        return f"{user_id} {email} {made} {loud}"

    async with jobs.work():
        assert await (await welcome.enqueue(1, "a@b.c")).result("10s") == "1 a@b.c inner of outer False"
        assert await (await welcome.enqueue(1, email="x", loud=True)).result("10s") == "1 x inner of outer True"
        schema = str(await db.fetchval("select input from howdah.task"))
        assert "email" in schema
        assert "made" not in schema
    assert [*TOLD] == ALL * 2


async def test_what_stands_behind_a_dependency_is_given_by_name(jobs: App) -> None:
    @jobs.task
    async def odd(number: int, made: str = use(inner), times: int = 2) -> str:
        return made * number * times

    with pytest.raises(ArgumentsInvalid, match=r"'made' is filled on the node, by use\(inner\): leave it out"):
        odd.call(1, "mine")
    with pytest.raises(ArgumentsInvalid, match="'made' is filled on the node"):
        odd.call(1, made="mine")
    with pytest.raises(ArgumentsInvalid, match="'made' is filled on the node"):
        odd.call(1, "mine", 3)
    async with jobs.work():
        assert await (await odd.enqueue(1, times=1)).result("10s") == "inner of outer"


async def test_a_provider_is_called_once_per_attempt_however_many_need_it(jobs: App) -> None:
    def count() -> int:
        TOLD.append("count")
        return len(TOLD)

    def first(number: int = use(count)) -> int:
        return number

    async def second(number: int = use(count), other: int = use(first)) -> int:
        return number + other

    @jobs.task
    async def total(a: int = use(count), b: int = use(first), c: int = use(second)) -> list[int]:
        return [a, b, c]

    async with jobs.work():
        assert await (await total.enqueue()).result("10s") == [1, 1, 2]
        assert await (await total.enqueue()).result("10s") == [2, 2, 4]


async def test_generators_are_cleaned_up_in_reverse_order_and_see_the_exception_of_the_attempt(jobs: App) -> None:
    @jobs.task(retry=1)
    async def fail(made: str = use(inner)) -> None:
        raise KeyError(made)

    async with jobs.work():
        with pytest.raises(RunFailed, match="inner of outer") as caught:
            await (await fail.enqueue()).result("10s")
    assert caught.value.is_a(KeyError)
    assert "howdah/" not in caught.value.traceback
    assert [*TOLD] == ["open outer", "open inner", "inner saw KeyError", "close inner", "outer saw KeyError", "close outer"]


async def test_a_plain_function_in_a_thread_has_its_dependencies_made_in_the_event_loop(jobs: App) -> None:
    def where() -> int:
        asyncio.get_running_loop()
        return threading.get_ident()

    @jobs.task
    def plain(made: str = use(inner), thread: int = use(where)) -> bool:
        assert made == "inner of outer"
        return thread == threading.get_ident()

    async with jobs.work():
        assert await (await plain.enqueue()).result("10s") is False
    assert [*TOLD] == ALL


async def test_context_managers_of_contextlib_are_providers(jobs: App) -> None:
    @asynccontextmanager
    async def one() -> AsyncGenerator[int, None]:
        yield 1
        TOLD.append("one")

    @contextmanager
    def two() -> Generator[int, None, None]:
        yield 2
        TOLD.append("two")

    @jobs.task
    async def add(a: int = use(one), b: int = use(two)) -> int:
        return a + b

    async with jobs.work():
        assert await (await add.enqueue()).result("10s") == 3
    assert [*TOLD] == ["two", "one"]


async def test_a_provider_that_raises_fails_the_attempt_as_its_function_would_and_what_was_open_is_closed(jobs: App) -> None:
    def broken(outer: str = use(opened)) -> int:
        raise LookupError(f"no number beside {outer}")

    @jobs.task(retry=Retry(2, base="1ms"))
    async def never(number: int = use(broken)) -> None:
        raise AssertionError("it started")

    async with jobs.work():
        with pytest.raises(RunFailed, match="no number beside outer") as caught:
            await (await never.enqueue()).result("10s")
    assert caught.value.attempt == 2
    assert [*TOLD] == ["open outer", "outer saw LookupError", "close outer"] * 2


async def _raising_at_the_end() -> AsyncGenerator[int, None]:
    yield 1
    raise OSError("cannot close")


async def test_a_clean_up_that_raises_fails_the_attempt(jobs: App) -> None:
    @jobs.task(retry=1)
    async def fine(number: int = use(_raising_at_the_end)) -> int:
        return number

    async with jobs.work():
        with pytest.raises(RunFailed, match="cannot close"):
            await (await fine.enqueue()).result("10s")


async def test_a_clean_up_that_raises_does_not_undo_what_a_transaction_has_ended(jobs: App, caplog: pytest.LogCaptureFixture) -> None:
    @jobs.task(retry=1)
    async def ended(number: int = use(_raising_at_the_end)) -> int:
        async with transaction():
            current_run().set_result(number)
        return number

    async with jobs.work():
        assert await (await ended.options(tags=["x"]).enqueue()).result("10s") == 1
    assert "raised after transaction() had ended it" in caplog.text


async def test_a_transaction_may_be_a_dependency_and_ends_the_run_with_what_the_function_returned(jobs: App, db: Session) -> None:
    async def connection() -> AsyncGenerator[Any, None]:
        async with transaction() as conn:
            yield conn

    await db.execute("create table effect (number int)")

    @jobs.task(retry=1)
    async def store(number: int, conn: Any = use(connection)) -> int:
        await conn.execute("insert into effect values ($1)", number)
        return 10 // number

    async with jobs.work():
        assert await (await store.enqueue(5)).result("10s") == 2
        with pytest.raises(RunFailed, match="by zero"):
            await (await store.enqueue(0)).result("10s")
    assert [row[0] for row in await db.fetch("select number from effect")] == [5]


async def test_an_error_that_a_dependency_swallows_fails_the_attempt_all_the_same(jobs: App) -> None:
    async def quiet() -> AsyncGenerator[None, None]:
        try:
            yield
        except ValueError:
            TOLD.append("swallowed")

    @jobs.task(retry=1)
    async def fail(nothing: None = use(quiet)) -> None:
        raise ValueError("passes through")

    async with jobs.work():
        with pytest.raises(RunFailed, match="passes through"):
            await (await fail.enqueue()).result("10s")
    assert [*TOLD] == ["swallowed"]


async def test_a_timeout_is_seen_by_the_dependencies_and_their_clean_up_may_await(jobs: App) -> None:
    async def slow_to_close() -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            await anyio.sleep(0.01)
            TOLD.append("closed")

    @jobs.task(retry=1, timeout=1)
    async def hang(made: str = use(opened), nothing: None = use(slow_to_close)) -> None:
        await anyio.sleep_forever()

    async with jobs.work():
        with pytest.raises(RunFailed, match=r"longer than its timeout of 1 s"):
            await (await hang.enqueue()).result("10s")
    assert [*TOLD] == ["open outer", "closed", "outer saw CancelledError", "close outer"]


async def test_a_resource_of_the_node_is_made_once_at_its_first_use_and_closed_in_reverse_order_when_the_node_stops(jobs: App) -> None:
    async def pool() -> AsyncGenerator[str, None]:
        TOLD.append("open pool")
        await anyio.sleep(0.01)
        async with anyio.create_task_group() as group:  # Entered and left by one task, as it must be.
            yield "pool"
            group.cancel_scope.cancel()
        TOLD.append("close pool")

    def client(pool: str = use(pool, per="node")) -> Generator[str, None, None]:
        TOLD.append("open client")
        yield f"client of {pool}"
        TOLD.append("close client")

    def per_run(client: str = use(client, per="node")) -> str:
        return f"run's {client}"

    @jobs.task
    async def work(client: str = use(client, per="node"), own: str = use(per_run)) -> str:
        return own

    @jobs.task
    def threaded(pool: str = use(pool, per="node")) -> str:
        return pool

    async with jobs.work():
        runs = [*await work.enqueue_many(work.call() for _ in range(20)), await threaded.enqueue()]
        assert {await run.result("10s") for run in runs} == {"run's client of pool", "pool"}
        assert [*TOLD] == ["open pool", "open client"]
    assert [*TOLD] == ["open pool", "open client", "close client", "close pool"]
    async with jobs.work():
        await (await threaded.enqueue()).result("10s")
    assert [*TOLD][4:] == ["open pool", "close pool"]


async def test_a_resource_of_the_node_that_cannot_be_made_fails_the_attempts_that_wait_and_is_tried_again(jobs: App) -> None:
    def pool() -> str:
        TOLD.append("tried")
        if len(TOLD) == 1:
            raise OSError("not yet")
        return "pool"

    @jobs.task(retry=Retry(2, base="1ms"))
    async def work(pool: str = use(pool, per="node")) -> str:
        return f"{pool} at attempt {current_run().attempt}"

    async with jobs.work():
        assert await (await work.enqueue()).result("10s") == "pool at attempt 2"


async def test_the_timeout_of_an_attempt_does_not_end_the_making_of_a_resource(jobs: App) -> None:
    async def pool() -> str:
        TOLD.append("making")
        await anyio.sleep(0.3)
        return "pool"

    @jobs.task(retry=Retry(20, base="100ms", factor=1), timeout=0.1)
    async def work(pool: str = use(pool, per="node")) -> str:
        return pool

    async with jobs.work():
        assert await (await work.enqueue()).result("10s") == "pool"
    assert [*TOLD] == ["making"]


async def test_a_resource_that_raises_while_it_is_closed_is_logged_and_the_others_are_closed(
    jobs: App, caplog: pytest.LogCaptureFixture
) -> None:
    async def first() -> AsyncGenerator[int, None]:
        yield 1
        TOLD.append("closed")

    @jobs.task
    async def work(a: int = use(first, per="node"), b: int = use(_raising_at_the_end, per="node")) -> int:
        return a + b

    with caplog.at_level(logging.ERROR):
        async with jobs.work():
            assert await (await work.enqueue()).result("10s") == 2
    assert [*TOLD] == ["closed"]
    assert "_raising_at_the_end' raised while its resource was closed" in caplog.text
    assert "cannot close" in caplog.text


async def test_a_resource_of_the_node_does_not_see_the_run_that_needed_it_first(jobs: App) -> None:
    def pool() -> str:
        try:
            return repr(current_run())
        except Exception as error:
            return str(error)

    @jobs.task
    async def work(pool: str = use(pool, per="node")) -> str:
        return pool

    async with jobs.work():
        assert "outside of a run" in await (await work.enqueue()).result("10s")


async def test_a_direct_call_takes_its_dependencies_from_the_caller(jobs: App) -> None:
    @jobs.task
    async def work(number: int, made: str = use(inner)) -> str:
        return f"{number} {made}"

    assert await work(1, "mine") == "1 mine"
    assert await work(1, made="mine") == "1 mine"
    with pytest.raises(ArgumentsInvalid, match=r"pass it, as in work\(\.\.\., made=\.\.\.\)"):
        await work(1)


def test_what_cannot_be_a_dependency_is_refused_at_the_definition() -> None:
    jobs = App()

    def around(other: Any = None) -> int:
        return 1

    def about(other: int = use(around)) -> int:
        return 1

    around.__defaults__ = (use(about),)

    def needy(name: str) -> str:
        return name

    def short(made: str = use(opened)) -> str:
        return made

    async def circle(a: int = use(around)) -> None: ...
    async def unfilled(a: str = use(needy)) -> None: ...
    async def shorter(a: str = use(short, per="node")) -> None: ...
    async def hidden(a: Annotated[str, use(opened)]) -> None: ...

    for task, said in (
        (circle, "go round in a circle: .*around' needs .*about' needs .*around'"),
        (unfilled, "cannot fill its parameter 'name'"),
        (shorter, "its parameter 'made' only as long as an attempt"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            jobs.task(task)
    with pytest.raises(ConfigurationError, match="has its `use` in Annotated"):
        jobs.task(hidden).call("a")
