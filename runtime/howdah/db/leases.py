"""A node's entry in the database: who it is, its lease, and its labels."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import anyio
import asyncpg
import msgspec

from .. import codec
from ..config import Config
from ..labels import Labels, LabelValue
from .files import query
from .link import Link, Owned


class Member(msgspec.Struct, frozen=True):
    """What the node table says of a process."""

    name: str
    host: str
    pid: int
    version: str
    tasks: list[int]
    hashes: list[str]
    queues: list[int] | None
    labels: Labels
    """Others from time to time."""


class Leases:
    """The lease of this node, renewed from the heart's own thread."""

    def __init__(self, config: Config, member: Member) -> None:
        self._link = Link(config, f"heart {member.name}", direct=True)
        self._member = member
        self._labels: Mapping[str, LabelValue] = {}
        """Those that the database was told of."""

    async def enter(self, node: int, lease_s: float) -> datetime:
        """Enters the node under a new identity; returns the database's time. Repeated after a loss, it is one identity still."""
        who, labels = self._member, self._member.labels.now()
        said = codec.encode(dict(labels))

        async def work(connection: Owned) -> datetime:
            now = None
            while now is None:
                try:
                    now = await connection.fetchval(
                        query("join_node"),
                        *(node, who.name, who.host, who.pid, who.version, who.tasks, who.hashes, who.queues, lease_s, said),
                    )
                except asyncpg.UniqueViolationError:
                    # An earlier try did commit. No answer: it has been reaped since then, or that was in another world.
                    now = await connection.fetchval(query("renew"), node, lease_s)
                    if now is None:
                        await connection.execute(query("leave_node"), node)  # It holds nothing yet: the identity is free again.
            assert isinstance(now, datetime)
            return now

        entered = await self._link.call(work)
        self._labels = labels
        return entered

    async def renew(self, node: int, lease_s: float, within_s: float) -> tuple[datetime, bool, str | None] | None:
        """Extends the lease, and says which labels the node has, if these are others than before. The database's time, whether effects
        wait unsettled, and what the node was told to do (pause, drain). None: the node was reaped. TimeoutError: Postgres did not answer
        within the time."""
        with anyio.fail_after(within_s):
            row = await self._link.call(lambda c: c.fetchrow(query("renew"), node, lease_s))
            labels = self._member.labels.now()
            if row is not None and labels is not self._labels:
                said = codec.encode(dict(labels))
                if await self._link.call(lambda c: c.fetchval(query("label_node"), node, said)):
                    self._labels = labels
        return None if row is None else (row["now"], row["unsettled"], row["ordered"])

    async def give_way(self, within_s: float) -> None:
        """Ends what this node has of the gate: its loop does not turn, and every node would wait for it."""
        with anyio.move_on_after(within_s):
            await self._link.call(lambda c: c.execute(query("gate_free"), self._member.name))

    async def leave(self, node: int, within_s: float) -> None:
        """Takes the node off the list, if Postgres answers in time; otherwise its lease runs out."""
        with anyio.move_on_after(within_s):
            await self._link.call(lambda c: c.execute(query("leave_node"), node))

    async def drop(self) -> None:
        """Gives the connection up: it did not answer."""
        await self._link.drop()

    async def close(self) -> None:
        """Ends the connection."""
        await self._link.close()
