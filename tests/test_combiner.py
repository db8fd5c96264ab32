"""Enqueues that travel together: what each run is asked for its limits goes along with its own arguments."""

from collections.abc import Sequence

import anyio
import pytest
from howdah import Limit
from howdah.combiner import Combiner
from howdah.config import configure
from howdah.definitions import Definition
from howdah.submission import Request, Submitted

pytestmark = pytest.mark.anyio


async def plain(number: int) -> None: ...
async def asked(number: int) -> None: ...


PLAIN = Definition(plain)
ASKED = Definition(asked, limits=[Limit("x", 1, key=lambda number: number)])


def request(definition: Definition, number: int) -> Request:
    payload = definition.encode((number,), {}, 1000)
    keys = definition.keys_of(payload)
    return Request(definition, [payload], None, keys=None if keys is None else [keys])


async def test_what_goes_together_keeps_each_runs_keys_beside_its_arguments() -> None:
    sent: list[Sequence[Request]] = []

    async def submit(requests: Sequence[Request]) -> list[Submitted]:
        sent.append(requests)
        return [Submitted([0] * len(one.args), 0, 0, 0, None, None) for one in requests]

    combiner = Combiner(configure({}), submit)
    async with anyio.create_task_group() as group:
        group.start_soon(combiner.serve)
        await anyio.wait_all_tasks_blocked()
        async with anyio.create_task_group() as callers:
            for number in range(3):
                callers.start_soon(combiner.enqueue, request(PLAIN, number))
                callers.start_soon(combiner.enqueue, request(ASKED, number))
        group.cancel_scope.cancel()

    assert [(one.definition.name, one.args, one.keys) for one in sent[-1]] == [
        ("plain", ['{"number":0}', '{"number":1}', '{"number":2}'], None),
        ("asked", ['{"number":0}', '{"number":1}', '{"number":2}'], ['{"x":"0"}', '{"x":"1"}', '{"x":"2"}']),
    ]
