"""A node of the simulation."""

import asyncio
from typing import Any

import anyio
from howdah.node import Node


class Process(Node):
    """A node as it is, save that its heart beats on the loop of the simulation."""

    async def _beat(self, heart: Any, left: anyio.Event) -> None:
        await heart.live(asyncio.get_running_loop(), _Blind())
        left.set()


class _Blind:
    is_blocked = False

    def look(self, _: object) -> None:
        """Nobody's loop is blocked where time stands still meanwhile."""
