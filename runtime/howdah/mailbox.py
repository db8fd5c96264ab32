"""Typed, bounded, closable mailboxes. Closing is the shutdown signal: what is left is taken, then comes the end.

Senders never wait: each edge has a bound that the sender can prove, or it asks with offer() and takes no for an
answer. So no circle of mailboxes can deadlock. A batch is whatever piled up since the last take: no timer, no threshold.
"""

import asyncio
from collections import deque
from typing import Generic, TypeVar

M = TypeVar("M")


class Mailbox(Generic[M]):
    """Messages for one reader, who owns the taking end."""

    def __init__(self, capacity: int) -> None:
        self._messages: deque[M] = deque()
        self._capacity = capacity
        self._arrived: asyncio.Future[None] | None = None
        self._closed = False

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def ended(self) -> bool:
        """Closed, and everything has been taken."""
        return self._closed and not self._messages

    def put_nowait(self, message: M) -> None:
        """Send on an edge that is proven to have room; a full or closed mailbox is a bug."""
        if self._closed or len(self._messages) >= self._capacity:
            reason = "closed" if self._closed else f"full with {self._capacity} messages"
            raise RuntimeError(f"the mailbox is {reason}: the bound of this edge does not hold")
        self._messages.append(message)
        self._stir()

    def offer(self, message: M) -> bool:
        """Send if there is room; False if not, or if the mailbox is closed."""
        if self._closed or len(self._messages) >= self._capacity:
            return False
        self.put_nowait(message)
        return True

    def close(self) -> None:
        """Nothing more will come."""
        self._closed = True
        self._stir()

    async def take(self, limit: int, within_s: float | None = None) -> list[M]:
        """What piled up, at most so many; waits for the first. [] when the time is over or at the end."""
        messages = self._messages
        if not messages and not self._closed and within_s != 0:
            # A future and a timer: a cancel scope for each wait costs an idle node a tenth of a millisecond per wake-up.
            loop = asyncio.get_running_loop()
            self._arrived = loop.create_future()
            timer = None if within_s is None else loop.call_later(within_s, self._stir)
            try:
                await self._arrived
            finally:
                self._arrived = None
                if timer is not None:
                    timer.cancel()
        if len(messages) <= limit:
            batch = list(messages)
            messages.clear()
            return batch
        return [messages.popleft() for _ in range(limit)]

    def _stir(self) -> None:
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)
