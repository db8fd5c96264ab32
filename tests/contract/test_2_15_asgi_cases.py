"""CONTRACT 2.15: reload, N server workers, TestClient, a fork after the start, a mounted sub-app; each error names the mend."""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import anyio.to_thread
import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from howdah import App, AppNotOpen, HowdahError
from starlette.applications import Starlette
from starlette.routing import Mount

from ..asgi.client import TestClient
from ..asgi.protocol import served
from ..asgi.servers import ENDED, KINDS, Servers
from ..asgi.shapes import FASTAPI, WORK
from ..recovery.nodes import Session, drained, enqueue, until

pytestmark = pytest.mark.anyio

PIDS = "select array_agg(distinct pid) from howdah.nodes where alive"


@pytest.fixture
def servers(dsn: str, db: Session, tmp_path: Path) -> Iterator[Servers]:
    started = Servers(dsn, tmp_path)
    started.write("work", WORK)
    started.write("web", FASTAPI)
    yield started
    started.close()


async def test_reload_works_and_what_ran_is_handed_back_at_once_and_goes_on(servers: Servers, effects: Session) -> None:
    words = ("--reload", "--reload-dir", str(servers.folder))
    await servers.start("uvicorn", "web:app", *words, lifespan_grace_s=0, hand_back_s=20).answers()
    (before,) = await effects.fetchval(PIDS)
    run = await effects.fetchval("select howdah.enqueue('effect', '{\"seconds\": 60}')")
    await until(effects, "select exists (select from effect where run = $1 and what = 'begun')", run)
    servers.write("web", FASTAPI + "\n# changed\n")
    await until(effects, f"select ({PIDS}) <> array[$1::int]", before)  # What runs there would go on for a minute.
    await until(effects, "select exists (select from effect where run = $1 and what = 'cancelled')", run)
    await until(effects, "select exists (select from howdah.job where lease is not null)")  # It has begun anew.
    assert await effects.fetchval("select count(*) from howdah.event where kind = 19") == 0, "it was reaped instead of handed back"
    await effects.fetch("select * from howdah.cancel(array[$1::bigint], null)", run)
    await drained(effects)


@pytest.mark.parametrize("kind", KINDS)
async def test_each_of_n_server_workers_is_a_node_and_they_share_the_work(kind: str, servers: Servers, effects: Session) -> None:
    server = await servers.start(kind, "web:app", "--workers", "2", lifespan_grace_s=1, hand_back_s=20, concurrency=4).answers()
    await until(effects, f"select cardinality(({PIDS})) = 2")
    long_ones = await enqueue(effects, "effect", 8, seconds=60)
    await until(effects, "select count(*) = 8 from effect where what = 'begun'")  # Neither has room for more than half of them.
    assert await effects.fetchval("select count(distinct pid) from effect") == 2
    await effects.fetch("select * from howdah.cancel($1::bigint[], null)", long_ones)
    async with httpx.AsyncClient(base_url=server.url) as http:
        for _ in range(5):
            (await http.get("/work", params={"seconds": 0.1})).raise_for_status()
    await effects.execute("select howdah.enqueue('effect', '{\"seconds\": 0.05}') from generate_series(1, 300)")
    await drained(effects)
    assert await effects.fetchval("select count(*) from effect where what = 'effect'") == 305
    server.send(signal.SIGTERM)
    assert await server.end() in ENDED, server.log
    await until(effects, "select count(*) = 0 from howdah.node")


async def test_a_testclient_works_as_often_as_it_is_entered(dsn: str) -> None:
    jobs = App(dsn, lifespan_grace_s=2)

    @jobs.task
    async def double(number: int) -> int:
        return 2 * number

    app = FastAPI(lifespan=jobs.lifespan)

    @app.get("/{number}")
    async def there(number: int) -> int:
        return await (await double.enqueue(number)).result("10s")

    @app.get("/sync/{number}")
    def in_a_thread(number: int) -> int:
        return double.enqueue_sync(number).result_sync("10s")

    for number in range(3):
        with TestClient(app) as client:
            assert client.get(f"/{number}").json() == 2 * number
            assert client.get(f"/sync/{number}").json() == 2 * number


async def test_a_test_that_awaits_on_another_loop_than_its_testclients_is_told_so(dsn: str) -> None:
    jobs = App(dsn, lifespan_grace_s=2)

    @jobs.task
    async def one() -> int:
        return 1

    with TestClient(jobs.asgi(Starlette())):
        for attempt in (one.enqueue, jobs.__aenter__, jobs.runs.list):
            with pytest.raises(HowdahError, match=r"open on another event loop, that of a TestClient.*call enqueue_sync and result_sync"):
                await attempt()
        mend: Callable[[], int] = lambda: one.enqueue_sync().result_sync("10s")  # noqa: E731
        assert await anyio.to_thread.run_sync(mend) == 1


UNRUN = (
    r"the app is not open: .*Servers run that of the outermost app alone.*mounted.*give lifespan=jobs\.lifespan to that one, or wrap it in"
    r" jobs\.asgi\(\).*`with TestClient\(app\) as client:`"
)


async def test_a_testclient_that_is_not_entered_is_told_so(dsn: str) -> None:
    jobs = App(dsn)

    @jobs.task
    async def one() -> int:
        return 1

    app = FastAPI(lifespan=jobs.lifespan)

    @app.get("/")
    async def there() -> int:
        return (await one.enqueue()).id

    with pytest.raises(AppNotOpen, match=UNRUN):
        TestClient(app).get("/")


async def test_a_lifespan_on_a_mounted_app_is_an_error_at_its_first_use_and_the_mend_works(dsn: str) -> None:
    jobs = App(dsn, lifespan_grace_s=2)

    @jobs.task
    async def one() -> int:
        return 1

    inner = FastAPI(lifespan=jobs.lifespan)

    @inner.get("/")
    async def there() -> int:
        return await (await one.enqueue()).result("10s")

    outer = FastAPI()
    outer.mount("/api", inner)
    with TestClient(outer) as client, pytest.raises(AppNotOpen, match=UNRUN):
        client.get("/api/")
    mended = FastAPI(lifespan=jobs.lifespan)
    mended.mount("/api", inner)
    with TestClient(mended) as client:
        assert client.get("/api/").json() == 1


async def test_an_app_in_jobs_asgi_that_is_mounted_is_an_error_at_any_request_even_one_that_needs_nothing(dsn: str) -> None:
    jobs = App(dsn)

    @jobs.task
    async def one() -> int:
        return 1

    outer = Starlette(routes=[Mount("/api", app=jobs.asgi(FastAPI()))])
    with TestClient(outer) as client, pytest.raises(AppNotOpen, match=UNRUN):
        client.get("/api/")


async def test_an_enqueue_on_ones_own_connection_in_a_mounted_app_warns_once_that_nothing_works_here(
    dsn: str, db: Session, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = App(dsn, lifespan_grace_s=2)

    @jobs.task
    async def one() -> int:
        return 1

    Starlette(lifespan=jobs.lifespan_with(work=False))
    await one.options(conn=db).enqueue()
    assert caplog.records == [], "it was not meant to work here"
    inner = Starlette(lifespan=jobs.lifespan)
    for _ in range(2):
        await one.options(conn=db).enqueue()
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "nothing in this process works on it: jobs.lifespan was given to an ASGI app, and no server has run it" in record.message
    caplog.clear()
    async with served(inner):  # What has been run once is not said of any more.
        await one.options(conn=db).enqueue()
    await one.options(conn=db).enqueue()
    assert [record for record in caplog.records if record.name == "howdah.client"] == []


FORKS = """
import asyncio, os, sys
from howdah import App

jobs = App(sys.argv[1])

@jobs.task
async def one() -> int:
    return 1

async def use() -> str:
    try:
        await one.enqueue()
        return "enqueued"
    except Exception as error:
        return f"{type(error).__name__} {error}"

async def serve() -> str:
    try:
        async with jobs.lifespan():
            return "served"
    except Exception as error:
        return f"{type(error).__name__} {error}"

def child() -> None:
    for what in (use, serve):
        os.write(1, (asyncio.run(what()) + "\\n").encode())
    os._exit(0)

async def main() -> None:
    async with jobs.lifespan():
        await one.enqueue()
        pid = os.fork()
        if pid == 0:
            asyncio._set_running_loop(None)
            child()
        os.waitpid(pid, 0)
        os.write(1, (await use() + " by the parent\\n").encode())

if sys.argv[2] == "early":  # As a server that forks its workers before they start.
    if os.fork() == 0:
        child()
    os.wait()
else:
    asyncio.run(main())
"""


async def forked(dsn: str, when: str) -> list[str]:
    program = [sys.executable, "-W", "ignore", "-c", FORKS, dsn, when]
    done = await anyio.to_thread.run_sync(lambda: subprocess.run(program, capture_output=True, text=True, check=False, timeout=60))
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


async def test_a_fork_after_the_start_is_an_error_that_names_the_mend_and_the_mend_works(dsn: str) -> None:
    *inside, outside = await forked(dsn, "late")
    assert outside == "enqueued by the parent"
    assert len(inside) == 2
    for line in inside:
        assert line.startswith("HowdahError this process was forked from ")
        assert line.endswith("open it after the fork (a server that forks its workers runs their lifespans after it), or start processes with `spawn`")  # noqa: E501  # fmt: skip
    refused, served_after_it = await forked(dsn, "early")
    assert refused.startswith("AppNotOpen")
    assert served_after_it == "served"


async def test_an_own_connection_serves_in_a_forked_process_too(dsn: str, db: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = App(dsn)

    @jobs.task
    async def one() -> int:
        return 1

    async with jobs:
        monkeypatch.setattr("howdah.client.os.getpid", lambda: -os.getppid())
        own = await asyncpg.connect(dsn)
        assert (await one.options(conn=own).enqueue()).created
        await own.close()
        monkeypatch.undo()


async def test_a_start_that_fails_keeps_the_server_from_starting_and_its_log_names_the_mend(servers: Servers, db: Session) -> None:
    await db.execute("alter table howdah.migration rename to hidden")
    for kind in KINDS:
        server = servers.start(kind, "web:app")
        await server.end()  # Hypercorn's exit status is 0 all the same.
        assert "run `howdah migrate`" in server.log
