"""The catalogue: a node states its tasks there before it works on them."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

from .. import codec
from ..definitions import Definition
from .files import query
from .pool import Pool


class Registered(NamedTuple):
    """The numbers of tasks and of the queues that are served (None: all), and which installation this is."""

    tasks: dict[int, Definition]
    queues: list[int] | None
    installation: UUID


async def register(pool: Pool, definitions: Iterable[Definition], queues: Sequence[str] | None) -> Registered:
    """States these tasks, under each of their names. queues: the names of those that are served; None: all."""
    tasks: dict[int, Definition] = {}
    async with pool.ours() as connection:
        for definition, name, said in ((one, *entry) for one in definitions for entry in one.entries()):
            number = await connection.fetchval(
                query("register"),
                name,
                definition.queue,
                definition.priority,
                *(codec.encode(said[part]) if said[part] is not None else None for part in ("defaults", "input", "output")),
                said["hash"],
                codec.encode(said["limits"]) if said["limits"] is not None else None,
            )
            tasks[number] = definition
        installation = await connection.fetchval(query("installation"))
        served = None if queues is None else [await connection.fetchval(query("queue_id"), name) for name in queues]
    return Registered(tasks, served, installation)
