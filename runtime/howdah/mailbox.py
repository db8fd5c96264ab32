"""Typed, bounded, closable mailboxes. Closing is the shutdown signal: what is left is taken, then comes the end.

Senders never wait: each edge has a bound that the sender can prove, or it asks with offer() and takes no for an
answer. So no circle of mailboxes can deadlock. A batch is whatever piled up since the last take: no timer, no threshold.
"""

from collections import deque
from typing import Generic, TypeVar

import anyio

M = TypeVar("M")


class Mailbox(Generic[M]):
    """Messages for one reader, who owns the taking end."""

    def __init__(self, capacity: int) -> None:
        self._messages: deque[M] = deque()
        self._capacity = capacity
        self._arrived: anyio.Event | None = None
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
        if self._arrived is not None:
            self._arrived.set()
            self._arrived = None

    def offer(self, message: M) -> bool:
        """Send if there is room; False if not, or if the mailbox is closed."""
        if self._closed or len(self._messages) >= self._capacity:
            return False
        self.put_nowait(message)
        return True

    def close(self) -> None:
        """Nothing more will come."""
        self._closed = True
        if self._arrived is not None:
            self._arrived.set()
            self._arrived = None

    async def take(self, limit: int, within_s: float | None = None) -> list[M]:
        """What piled up, at most so many; waits for the first. [] when the time is over or at the end."""
        messages = self._messages
        if not messages and not self._closed and within_s != 0:
            self._arrived = anyio.Event()
            with anyio.move_on_after(within_s):
                await self._arrived.wait()
            self._arrived = None
        if len(messages) <= limit:
            batch = list(messages)
            messages.clear()
            return batch
        return [messages.popleft() for _ in range(limit)]
