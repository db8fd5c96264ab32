"""Real servers, asked over HTTP, stopped and killed while they work: nothing is lost, and they end within the grace."""

import signal

import anyio
import httpx
import pytest

from ..recovery.nodes import Session, bury, doubles, drained, until
from .servers import ENDED, KINDS, Server, Servers
from .shapes import SHAPES, WORK

pytestmark = pytest.mark.anyio

LONG_RUNS = 4
ENOUGH = 50
HELD = "select count(*) from howdah.job where lease is not null"
REAPED = "select count(*) from howdah.event where kind = 19"


@pytest.fixture
def served(servers: Servers) -> Servers:
    servers.write("work", WORK)
    for name, text in SHAPES.items():
        servers.write(f"by_{name}", text)
    return servers


class Load:
    """Asks a server for as long as it answers: for a few long runs, then for short ones."""

    def __init__(self) -> None:
        self.accepted: set[int] = set()

    async def ask(self, server: Server) -> None:
        async with httpx.AsyncClient(base_url=server.url) as http:
            for number in range(1_000_000):
                try:
                    answer = await http.get("/work", params={"seconds": 60 if number < LONG_RUNS else 0.05})
                except httpx.TransportError:
                    return
                if answer.is_success:
                    self.accepted.add(answer.json())


@pytest.mark.parametrize("kind", KINDS)
async def test_a_server_stopped_twice_and_killed_once_under_load_loses_nothing_and_ends_within_its_grace(
    kind: str, served: Servers, effects: Session
) -> None:
    load = Load()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
        server = await served.start(kind, "by_fastapi:app", lifespan_grace_s=20.3, hand_back_s=20, concurrency=32).answers()
        before = await effects.fetchval("select count(*) from effect")
        async with anyio.create_task_group() as group:
            group.start_soon(load.ask, server)
            await until(effects, "select count(*) >= $1 from effect", before + ENOUGH)
            if number == signal.SIGKILL:
                server.kill()
                await bury(effects)
                continue
            server.send(number)
            assert await server.end() in ENDED, server.log  # The long ones would go on for a minute.
        assert await effects.fetchval("select count(*) from howdah.node") == 0, server.log
        assert await effects.fetchval(HELD) == 0
        assert await effects.fetchval(REAPED) == 0, "something was reaped instead of handed back"
    assert await effects.fetchval("select count(*) from effect where what = 'cancelled'") >= LONG_RUNS, "nothing was interrupted"
    long_ones = await effects.fetchval("select array_agg(id) from howdah.runs where (args->>'seconds')::float = 60")
    assert len(long_ones) == 3 * LONG_RUNS
    await served.start(kind, "by_fastapi:app").answers()
    await effects.execute("select * from howdah.cancel($1, null)", long_ones)
    await drained(effects)
    done = {row["run"] for row in await effects.fetch("select run from effect where what = 'effect'")}
    assert done == load.accepted - {*long_ones} | (done - load.accepted)
    assert len(done) == await effects.fetchval("select count(*) from howdah.event where kind = 1")
    assert await doubles(effects, "effect") <= 32, "more ran twice than a killed node held"


PAIRS = [*((shape, "uvicorn") for shape in SHAPES if shape != "fastapi"), ("django", "hypercorn"), ("django", "granian")]


async def test_one_process_enqueues_and_works_whatever_the_framework(served: Servers, effects: Session) -> None:
    for number, (shape, kind) in enumerate(PAIRS, 1):
        server = await served.start(kind, f"by_{shape}:app", lifespan_grace_s=1, hand_back_s=20).answers()
        async with httpx.AsyncClient(base_url=server.url) as http:
            (await http.get("/sync" if kind == "granian" else "/work")).raise_for_status()
        await drained(effects)
        assert await effects.fetchval("select count(*) from effect") == number, f"{shape} with {kind}"
        server.send(signal.SIGTERM)
        assert await server.end() in ENDED, server.log
        assert await effects.fetchval("select count(*) from howdah.node") == 0, server.log
        assert "Traceback" not in server.log
