"""A FastAPI app whose only change is `lifespan=`, its server killed and rolled while it is asked: every 2xx answer has exactly
one committed effect, every other answer at most one. By hand with more: HOWDAH_TESTS_REQUESTS=2000."""

import os
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from itertools import count

import anyio
import httpx
import pytest

from ..recovery.nodes import Session, bury, drained
from .servers import ENDED, Server, Servers, listening

pytestmark = pytest.mark.anyio

REQUESTS = int(os.environ.get("HOWDAH_TESTS_REQUESTS", "2000"))
AT_ONCE = 16
KILLS = 3


class Client:
    """Asks once for each number, and keeps what was answered: None where no answer came."""

    def __init__(self, http: httpx.AsyncClient, answers: dict[str, int | None]) -> None:
        self.answers = answers
        self._http = http
        self._numbers = iter(range(REQUESTS))

    async def ask(self) -> None:
        for number in self._numbers:
            try:
                answer = await self._http.post(f"/orders/{number}")
                self.answers[str(number)] = answer.status_code
            except httpx.TransportError:
                self.answers[str(number)] = None

    async def has(self, answers: int) -> None:
        while len(self.answers) < answers:
            await anyio.sleep(0.005)


@pytest.fixture
def door() -> Iterator[socket.socket]:
    """A socket that outlives servers: who knocks while none is there waits for the next one."""
    with listening() as door:
        yield door


async def test_every_2xx_has_one_effect_and_no_answer_has_two_whatever_befalls_the_server(
    servers: Servers, effects: Session, door: socket.socket
) -> None:
    numbers = count()

    async def started() -> Server:
        next(numbers)
        return await servers.start("uvicorn", "shop:app", door=door).ready()

    server = await started()
    limits = httpx.Limits(max_connections=AT_ONCE)
    answers: dict[str, int | None] = {}
    url = f"http://127.0.0.1:{door.getsockname()[1]}"
    async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as http, anyio.create_task_group() as group:
        client = Client(http, answers)
        for _ in range(AT_ONCE):
            group.start_soon(client.ask)
        for kill in range(1, KILLS + 1):
            await client.has(REQUESTS * kill // (KILLS + 2))
            server.kill()
            await bury(effects, server.pid)
            server = await started()
        await client.has(REQUESTS * (KILLS + 1) // (KILLS + 2))
        newer = await started()
        server.send(signal.SIGTERM)
        assert await server.end() in ENDED, server.log
        server = newer
    assert len(answers) == REQUESTS
    await drained(effects)
    done = Counter(row["what"] for row in await effects.fetch("select what from effect"))
    answered = {order for order, status in answers.items() if status is not None and 200 <= status < 300}
    assert len(answered) >= REQUESTS - KILLS * AT_ONCE - AT_ONCE, Counter(answers.values())
    assert [order for order in answered if done[order] != 1] == []
    assert [order for order, effects in done.items() if effects > 1] == []
    assert set(done) <= set(answers)
    assert next(numbers) == KILLS + 2
