"""Tasks, queues and nodes: `jobs.tasks`, `jobs.queues`, `jobs.nodes`, and what waits for a human."""

from __future__ import annotations

from ..client import Client
from ..core.states import State
from ..db.files import query
from ..duration import Duration, seconds
from ..errors import ArgumentsInvalid
from .asking import asking
from .rows import Misfit, NodeInfo, QueueInfo, Signature, TaskInfo, Todo, Trouble, Unimplemented, Unplaced, decoded

MISFITS_MAX = 100
"""Misfits listed in one answer: many runs of one task misfit for one reason."""

TROUBLE_MAX = 300
"""Bad ends looked at for one list of what is to do, over all tasks."""

DAY_S = 86400


class Catalogue:
    """The tasks of a database, whoever defined them."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def list(self) -> list[TaskInfo]:
        """Every task, by name."""
        async with asking(self._client) as connection:
            return [TaskInfo(*row) for row in await connection.fetch(query("task_stats"))]

    async def signature(self, task: str) -> Signature | None:
        """What the catalogue knows of the arguments of a task; None: nobody has named it yet."""
        async with asking(self._client) as connection:
            row = await connection.fetchrow(query("task_input"), task)
        return None if row is None else Signature(row["implemented"], decoded(row["input"]))

    async def pause(self, task: str) -> None:
        """Has no run of this task start on any node until it is resumed: what runs goes on, enqueues, timers and expiry go on, and what
        nodes had claimed in advance goes back. It is a row, which outlives every process. ArgumentsInvalid: there is no such task."""
        async with asking(self._client) as connection:
            await connection.execute(query("pause"), None, task)

    async def resume(self, task: str) -> None:
        """Takes back what pause() said; nodes look for what has waited at once."""
        async with asking(self._client) as connection:
            await connection.execute(query("resume"), None, task)

    async def todo(self) -> Todo:
        """What waits for a human: tasks that nobody implements, runs that fit nobody or may go nowhere, and what went wrong, newest
        first. Looks at a bounded number of each."""
        async with asking(self._client) as connection:
            unimplemented = [Unimplemented(*row) for row in await connection.fetch(query("unimplemented"))]
            misfits = [Misfit(*row) for row in await connection.fetch(query("misfits"), MISFITS_MAX)]
            nowhere = await connection.fetch(query("unplaced"))
            rows = await connection.fetch(query("trouble"), TROUBLE_MAX)
        unplaced = [Unplaced(**{**row, "requires": decoded(row["requires"])}) for row in nowhere]
        trouble = [Trouble(task, State(state), *rest) for task, state, *rest in rows]
        return Todo(unimplemented, misfits, trouble, unplaced)


class Queues:
    """The queues of a database."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def list(self) -> list[QueueInfo]:
        """Every queue, by name."""
        async with asking(self._client) as connection:
            return [QueueInfo(*row) for row in await connection.fetch(query("queue_stats"))]

    async def set(self, name: str, *, retention: Duration | None) -> None:
        """For how long the history of a queue's runs is kept, in whole days; None: as the setting retention_days says. A queue that is
        new is added. Shorter than others' takes effect within the hour, run by run; longer keeps what is there now."""
        days = None if retention is None else _days(retention)
        async with asking(self._client) as connection:
            await connection.execute(query("set_retention"), name, days)

    async def pause(self, name: str) -> None:
        """Has no run of this queue start on any node until it is resumed: what runs goes on, enqueues, timers and expiry go on, and what
        nodes had claimed in advance goes back. It is a row, which outlives every process. ArgumentsInvalid: there is no such queue."""
        async with asking(self._client) as connection:
            await connection.execute(query("pause"), name, None)

    async def resume(self, name: str) -> None:
        """Takes back what pause() said; nodes look for what has waited at once."""
        async with asking(self._client) as connection:
            await connection.execute(query("resume"), name, None)


class Nodes:
    """The running processes."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def list(self) -> list[NodeInfo]:
        """Every node that has not left, by its start."""
        async with asking(self._client) as connection:
            return [NodeInfo(*row[:-1], labels=decoded(row[-1])) for row in await connection.fetch(query("nodes"))]

    async def pause(self, node: str | int) -> str:
        """Tells a node to start nothing new until it is told to resume; what runs there goes on. It obeys within a second, and still does
        when it has lost its connection meanwhile. node: its name, the beginning of a single one's, or its id. Returns the name."""
        return await self._order(node, "pause")

    async def resume(self, node: str | int) -> str:
        """Takes back what pause() said."""
        return await self._order(node, "resume")

    async def drain(self, node: str | int) -> str:
        """Tells a node to stop as the first Ctrl-C does: what runs may end within its grace_s, and then it leaves. Not to be taken back."""
        return await self._order(node, "drain")

    async def _order(self, node: str | int, what: str) -> str:
        async with asking(self._client) as connection:
            return str(await connection.fetchval(query("order_node"), str(node), what))


def _days(retention: Duration) -> int:
    try:
        days, rest = divmod(seconds(retention), DAY_S)
    except ValueError as error:
        raise ArgumentsInvalid(f"retention= takes a duration: {error}") from error
    if rest or days < 1:
        raise ArgumentsInvalid(f'retention={retention!r} is not a number of whole days, at least one: write it as in "7d"')
    return int(days)
