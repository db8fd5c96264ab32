"""The catalogue: a node states its tasks there before it works on them."""

from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import NamedTuple
from uuid import UUID

import asyncpg

from .. import codec
from ..definitions import Definition
from ..errors import ConfigurationError
from .files import query
from .pool import Pool


class Registered(NamedTuple):
    """The numbers of tasks and of the queues that are served (None: all), and which installation this is."""

    tasks: dict[int, Definition]
    queues: list[int] | None
    installation: UUID


@contextmanager
def stating(definition: Definition) -> Generator[None, None, None]:
    """Inside of the block, where a task is stated: what others have stated already may speak against it. ConfigurationError says what."""
    try:
        yield
    except asyncpg.InvalidParameterValueError as error:
        raise ConfigurationError(f"Postgres refused the definition of task {definition.name!r} ({definition.place}): {error}") from error


async def register(pool: Pool, definitions: Iterable[Definition], queues: Sequence[str] | None) -> Registered:
    """States these tasks, under each of their names. queues: the names of those that are served; None: all."""
    tasks: dict[int, Definition] = {}
    async with pool.ours() as connection:
        for definition, name, said in ((one, *entry) for one in definitions for entry in one.entries()):
            defaults, given, result, limits = (
                codec.encode(said[part]) if said[part] is not None else None for part in ("defaults", "input", "output", "limits")
            )
            with stating(definition):
                number = await connection.fetchval(
                    query("register"), name, definition.queue, definition.priority, defaults, given, result, said["hash"], limits
                )
            tasks[number] = definition
        installation = await connection.fetchval(query("installation"))
        served = None if queues is None else [await connection.fetchval(query("queue_id"), name) for name in queues]
    return Registered(tasks, served, installation)
