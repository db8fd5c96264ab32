"""What servers do that a lifespan must live with: timeouts that do not bound it, one that cuts it, a loop that is blocked."""

import signal
import time

import anyio
import httpx
import pytest

from ..recovery.nodes import LONG, Session, bury, drained, happens, is_alive, until
from .servers import ENDED, Server, Servers
from .shapes import FASTAPI, WORK

pytestmark = pytest.mark.anyio

BEGUN = "select exists (select from effect where what = 'begun')"
REAPED = "select count(*) from howdah.event where kind = 19"
SPENT = "update howdah.node set renewed = renewed - make_interval(secs => $1), until = until - make_interval(secs => $1)"


@pytest.fixture
def served(servers: Servers) -> Servers:
    servers.write("work", WORK)
    servers.write("web", FASTAPI)
    return servers


async def busy(server: Server, effects: Session) -> int:
    """A run that takes a minute is under way."""
    async with httpx.AsyncClient(base_url=server.url) as http:
        run = (await http.get("/work", params={"seconds": 60})).json()
    await until(effects, BEGUN)  # Held is not enough: what was claimed and has not begun goes back at once.
    return run


@pytest.mark.parametrize(("kind", "word"), [("uvicorn", "--timeout-graceful-shutdown"), ("hypercorn", "--graceful-timeout")])
async def test_the_servers_own_timeout_does_not_cut_the_drain_nor_does_a_second_signal_and_our_grace_bounds_it(
    kind: str, word: str, served: Servers, effects: Session
) -> None:
    server = await served.start(kind, "web:app", word, "1", lifespan_grace_s=22.5, hand_back_s=20).answers()
    await busy(server, effects)
    began = time.monotonic()
    server.send(signal.SIGTERM)
    with anyio.move_on_after(1.5):
        await server.end()
    server.send(signal.SIGTERM)
    assert await server.end() in ENDED, server.log
    assert time.monotonic() - began >= 2  # And for less than the minute that the run takes.
    assert await effects.fetchval("select count(*) from effect where what = 'cancelled'") == 1
    assert await effects.fetchval("select count(*) from howdah.job where lease is null") == 1, "it was not handed back"
    assert await effects.fetchval("select count(*) from howdah.node") == 0


async def test_a_server_that_kills_in_the_middle_of_the_drain_loses_nothing(served: Servers, effects: Session) -> None:
    words = ("--workers-kill-timeout", "1")
    server = await served.start("granian", "web:app", *words, lifespan_grace_s=300).answers()
    run = await busy(server, effects)
    server.send(signal.SIGTERM)
    await server.end()
    assert await effects.fetchval("select count(*) from howdah.node") == 1, f"it has drained after all: {server.log}"
    await bury(effects)
    await served.start("uvicorn", "web:app").answers()
    await until(effects, REAPED)  # The run comes back.
    await effects.fetch("select * from howdah.cancel(array[$1::bigint], null)", run)
    await drained(effects)


async def test_a_task_with_a_process_of_its_own_has_one_below_the_server_which_ends_with_it(served: Servers, effects: Session) -> None:
    server = await served.start("uvicorn", "web:app", lifespan_grace_s=1).answers()
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as http:
        child = (await http.get("/apart")).raise_for_status().json()
    assert child != server.pid
    assert is_alive(child)
    server.send(signal.SIGTERM)
    assert await server.end() in ENDED, server.log
    await happens(lambda: not is_alive(child))


async def test_a_plain_function_that_cannot_be_interrupted_holds_up_no_server_and_its_run_comes_back(
    served: Servers, effects: Session
) -> None:
    server = await served.start("uvicorn", "web:app", lifespan_grace_s=1, hand_back_s=0.5).answers()
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as http:
        (await http.get("/stubborn", params={"seconds": 300})).raise_for_status()
    await happens((served.folder / "begun").exists)
    server.send(signal.SIGTERM)
    assert await server.end() in ENDED, server.log
    await bury(effects)
    await served.start("uvicorn", "web:app").answers()
    await until(effects, REAPED)


async def test_a_request_that_blocks_the_loop_for_longer_than_the_lease_costs_no_run(served: Servers, effects: Session) -> None:
    server = await served.start("uvicorn", "web:app", heartbeat_s=0.2).answers()
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as http:
        (await http.get("/work", params={"seconds": 60})).raise_for_status()
        await until(effects, BEGUN)
        async with anyio.create_task_group() as group:
            group.start_soon(http.get, "/block")
            await happens((served.folder / "blocks").exists)
            for _ in range(3):  # Each time half of its lease is over at once, and it renews what is left.
                await effects.execute(SPENT, LONG["lease_s"] / 2)
                await until(effects, "select until > howdah.clock() + make_interval(secs => $1) from howdah.node", LONG["lease_s"] * 0.75)
            await happens(lambda: "blocked" in server.log)
            (served.folder / "leave").touch()
    assert await effects.fetchval(REAPED) == 0
    assert await effects.fetchval("select count(*) from howdah.job where lease is not null") == 1, "the run was lost"
