"""What metrics need to know of the database: statements of ours on borrowed connections, each DatabaseAway where it does not answer."""

from collections.abc import Sequence

from ..instruments import QueueHolds
from .files import query
from .pool import Pool


class Readings:
    """Asked by the reporter of one node."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def queue_names(self, numbers: Sequence[int]) -> dict[int, str]:
        """The names of queues by their numbers."""
        async with self._pool.ours() as connection:
            rows = await connection.fetch(query("queue_names"), numbers)
        return {row["id"]: row["name"] for row in rows}

    async def ready_since(self, attempts: Sequence[tuple[int, int, int]]) -> list[tuple[int, float]]:
        """Since when (Unix time of the database) the runs of these attempts (run, task, lease) were ready: each with its place in the
        list. Those whose history has been dropped are left out."""
        runs, tasks, leases = zip(*attempts, strict=True)
        async with self._pool.ours() as connection:
            rows = await connection.fetch(query("ready_since"), runs, tasks, leases)
        return [(row["n"] - 1, row["since"]) for row in rows]

    async def report_queues(self, node: int, queues_max: int) -> Sequence[QueueHolds]:
        """What the queues hold, at most so many; nothing where another node says so."""
        async with self._pool.ours() as connection:
            rows = await connection.fetch(query("report_queues"), node, queues_max)
        return [
            QueueHolds(row["queue"], {state: row[state] for state in ("ready", "running", "later")}, row["oldest_waiting_s"] or 0.0)
            for row in rows
        ]
