"""jobs.lifespan, jobs.lifespan_with and jobs.asgi on a real database, without a server: order, state, grace, failures."""

import asyncio
import logging
import signal
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

import anyio
import msgspec
import pytest
from howdah import App, AppNotOpen, ConfigurationError, DatabaseAway, SchemaMismatch
from howdah.node import Node
from starlette.applications import Starlette

from ..conftest import Connect
from ..recovery.nodes import LONG, PATIENCE_S, Session, bury, drained, happens, until
from .protocol import served

pytestmark = pytest.mark.anyio


@pytest.fixture
def begun() -> asyncio.Event:
    """Set once a run of `stay` has begun: one that is only held goes back at once."""
    return asyncio.Event()


@pytest.fixture
def own(dsn: str, begun: asyncio.Event) -> App:
    """An app with one task that counts, and one that stays."""
    jobs = App(dsn, hand_back_s=20, **LONG)

    @jobs.task
    async def one() -> int:
        return 1

    @jobs.task
    async def stay() -> None:
        begun.set()
        await anyio.sleep(60)

    return jobs


async def test_a_lifespan_enqueues_and_works_and_gives_the_app_to_requests(dsn: str, db: Session) -> None:
    jobs = App(dsn)

    @jobs.task
    async def one() -> int:
        return 1

    async with jobs.lifespan() as state:
        assert state == {"howdah": jobs}
        assert await (await one.enqueue()).result("10s") == 1
    assert await db.fetchval("select count(*) from howdah.node") == 0
    with pytest.raises(AppNotOpen):
        await one.enqueue()


async def test_without_work_it_is_a_client_alone(dsn: str, db: Session) -> None:
    jobs = App(dsn)

    @jobs.task
    async def one() -> int:
        return 1

    async with jobs.lifespan_with(work=False)(None):
        await one.enqueue()
        assert await db.fetchval("select count(*) from howdah.node") == 0
    async with served(jobs.asgi(Starlette(), work=False)):
        await one.enqueue()
        assert await db.fetchval("select count(*) from howdah.node") == 0


async def test_a_lifespan_of_ones_own_is_within_the_client_and_around_the_work(dsn: str, db: Session) -> None:
    jobs = App(dsn, grace_s=2)
    opened: list[str] = []
    seen: list[list[str]] = []
    leave = anyio.Event()

    @jobs.task
    async def look() -> None:
        seen.append([*opened])
        await leave.wait()
        await anyio.sleep(0.1)
        seen.append([*opened])

    @asynccontextmanager
    async def mine(app: str) -> AsyncGenerator[dict[str, int], None]:
        await look.enqueue()  # The client is open.
        assert await db.fetchval("select count(*) from howdah.node") == 0
        opened.append(app)
        yield {"pool": 7}
        assert await db.fetchval("select count(*) from howdah.node") == 0, "it was closed while the node was there"
        opened.clear()

    async with jobs.lifespan_with(mine)("the app") as state:
        assert state == {"howdah": jobs, "pool": 7}
        await happens(lambda: seen)
        leave.set()
    assert seen == [["the app"], ["the app"]], "a task saw what it uses before it was open, or after it was closed"


async def test_states_of_several_apps_are_joined(dsn: str) -> None:
    jobs, others = App(dsn), App(dsn)

    @asynccontextmanager
    async def mine(app: object) -> AsyncGenerator[None, None]:
        yield

    async with jobs.lifespan_with(others.lifespan_with(mine, work=False), work=False)(None) as state:
        assert state == {"howdah": others}


async def test_no_signal_handler_and_no_loop_policy_is_set(own: App) -> None:
    def setting() -> list[Any]:
        policy = asyncio.get_event_loop_policy()  # pyright: ignore[reportDeprecated]
        return [policy, *map(signal.getsignal, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))]

    before = setting()
    async with own.lifespan():
        assert setting() == before
    assert setting() == before


@pytest.mark.parametrize(("grace", "least_s"), [(0, 0.0), ("20500ms", 0.5)])
async def test_the_grace_bounds_the_whole_end_and_what_runs_is_handed_back(
    own: App, begun: asyncio.Event, db: Session, grace: Any, least_s: float
) -> None:
    """What runs would take a minute, and handing it back has most of the grace."""
    lifespan = own.lifespan_with(grace=grace)
    async with lifespan():
        run = await db.fetchval("select howdah.enqueue('stay')")
        await begun.wait()
        began = time.monotonic()
    assert least_s <= time.monotonic() - began
    assert await db.fetchval("select lease is null and attempt = 0 from howdah.job where id = $1", run), "it was not handed back"
    assert await db.fetchval("select count(*) from howdah.node") == 0


async def test_the_default_grace_is_eight_seconds_and_a_setting(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert App(dsn).config.lifespan_grace_s == 8
    monkeypatch.setenv("HOWDAH_LIFESPAN_GRACE_S", "0")
    assert App(dsn).config.lifespan_grace_s == 0


async def test_outcomes_that_cannot_be_written_do_not_hold_the_server_longer_than_the_grace(
    own: App, db: Session, connect: Connect
) -> None:
    own.config = msgspec.structs.replace(own.config, hand_back_s=1.0)
    other = await connect()
    async with other.transaction():
        async with own.lifespan_with(grace="1s")():
            await other.execute("lock table howdah.event in access exclusive mode")
            await db.execute("select howdah.enqueue('one')")
            await until(db, "select exists (select from pg_locks where relation = 'howdah.event'::regclass and not granted)")
            began = time.monotonic()
        assert time.monotonic() - began > 0.9  # And it has ended, although the table is locked.
        assert await db.fetchval("select count(*) from howdah.job where lease is not null") == 1
    await bury(db)
    async with own.work():
        await drained(db)


async def test_a_lifespan_that_is_cancelled_by_its_server_loses_nothing(own: App, begun: asyncio.Event, db: Session) -> None:
    entered = asyncio.Event()

    async def serve() -> None:
        async with own.lifespan_with(grace="60s")():
            entered.set()
            await asyncio.sleep(60)

    async with asyncio.TaskGroup() as group:
        serving = group.create_task(serve())
        await entered.wait()
        run = await db.fetchval("select howdah.enqueue('stay')")
        await begun.wait()
        serving.cancel()  # It drains.
        assert await asyncio.wait([serving], timeout=0.1) == (set(), {serving})
        serving.cancel()  # And now it does not.
        assert await asyncio.wait([serving], timeout=PATIENCE_S) == ({serving}, set())
    await bury(db)
    async with own.work():  # The run comes back.
        await until(db, "select count(*) = 1 from howdah.event where kind = 19")
        await own.runs.cancel(run)
        await drained(db)


async def test_what_keeps_it_from_starting_is_raised_bare(dsn: str, db: Session) -> None:
    away = App("postgresql://127.0.0.1:1/x")
    with pytest.raises(DatabaseAway):
        await away.lifespan().__aenter__()
    with pytest.raises(ConfigurationError, match="this app has no tasks to work on"):
        await App(dsn).lifespan().__aenter__()
    with pytest.raises(ConfigurationError, match=r"there is no module 'shop_of_tasks'"):
        await App(dsn, imports=["shop_of_tasks"]).lifespan().__aenter__()
    await db.execute("alter table howdah.migration rename to hidden")
    with pytest.raises(SchemaMismatch, match="run `howdah migrate`"):
        await App(dsn).lifespan().__aenter__()


async def test_an_error_of_ones_own_lifespan_comes_out_as_it_is(own: App, db: Session) -> None:
    @asynccontextmanager
    async def mine(app: object) -> AsyncGenerator[None, None]:
        raise ZeroDivisionError
        yield

    with pytest.raises(ZeroDivisionError):
        await own.lifespan_with(mine)().__aenter__()
    with pytest.raises(KeyError, match="in a request"):
        async with own.lifespan():
            raise KeyError("in a request")
    assert await db.fetchval("select count(*) from howdah.node") == 0


async def test_a_node_that_a_bug_takes_down_is_followed_by_another_while_the_client_stays_open(
    own: App, db: Session, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("howdah.asgi.RESTART_S", 0.01)
    bugs = iter([True])
    look = Node._standing

    def breaks(node: Node) -> Any:
        if node.started and next(bugs, False):
            raise IndexError("a bug of ours")
        return look(node)

    monkeypatch.setattr(Node, "_standing", breaks)
    async with own.lifespan_with(grace="1s")():
        run = await db.fetchval("select howdah.enqueue('one')")
        await drained(db)
        assert await own.runs.count(state="succeeded") == 1
        assert run
        assert next(bugs, "used") == "used"
    (record,) = [record for record in caplog.records if record.name == "howdah.asgi"]
    assert record.levelno == logging.ERROR
    assert "another one takes its place" in record.message


async def test_a_node_in_a_server_that_is_told_to_drain_stays_away_and_the_server_goes_on_enqueuing(own: App, db: Session) -> None:
    async with own.lifespan_with(grace="1s")():
        (node,) = await own.nodes.list()
        await own.nodes.drain(node.name)
        await until(db, "select count(*) = 0 from howdah.node")
        await db.execute("select howdah.enqueue('one')")
        assert await own.runs.count(state="queued") == 1
    async with own.work():
        await drained(db)


SEEN: ContextVar[str] = ContextVar("SEEN", default="unset")


async def test_the_app_is_found_though_requests_do_not_see_the_context_of_the_lifespan(own: App) -> None:
    async with anyio.create_task_group() as group:
        entered, leave = anyio.Event(), anyio.Event()

        async def serve() -> None:
            SEEN.set("in the lifespan")
            async with own.lifespan():
                entered.set()
                await leave.wait()

        group.start_soon(serve)
        await entered.wait()
        assert SEEN.get() == "unset"
        assert await own.runs.count() == 0
        leave.set()


async def test_an_app_may_be_served_again_and_again(own: App, db: Session) -> None:
    app = own.asgi(Starlette(lifespan=own.lifespan_with(work=False)))
    for number in (1, 2):
        async with served(app) as talk:
            assert talk.last == "startup.complete"
            await db.execute("select howdah.enqueue('one')")
            await until(db, "select count(*) = $1 from howdah.event where kind = 1", number)
        assert talk.last == "shutdown.complete"
