"""The lease of this node, on a thread and an event loop of its own: a handler that blocks the node's loop keeps its runs.

The identity is random for each start. A node that cannot renew fences itself before its lease runs out: what it
holds may be taken by others from then on, so it takes a new identity and lets go of the old one.
"""

import asyncio
import logging
import random
import sys
import threading
import traceback
from collections.abc import Callable, Collection
from datetime import datetime
from time import monotonic
from types import CodeType, FrameType
from typing import Protocol

import anyio

from ..config import Config
from ..messages import Standing

log = logging.getLogger("howdah.heart")


class Leases(Protocol):
    """What the heart needs of the database."""

    async def enter(self, node: int, lease_s: float) -> datetime: ...
    async def renew(self, node: int, lease_s: float, within_s: float) -> tuple[datetime, bool, str | None] | None: ...
    async def give_way(self, within_s: float) -> None: ...
    async def leave(self, node: int, within_s: float) -> None: ...
    async def drop(self) -> None: ...
    async def close(self) -> None: ...


class Heart:
    """Beats until stopped. `standing` may be read from any thread: it is replaced as a whole."""

    def __init__(
        self,
        config: Config,
        leases: Leases,
        *,
        joined: Callable[[], object],
        fenced: Callable[[int], None],
        unsettled: Callable[[], None],
        ordered: Callable[[str | None], None],
    ) -> None:
        self.standing: Standing | None = None
        self._config = config
        self._leases = leases
        self._joined = joined
        self._fenced = fenced
        self._unsettled = unsettled
        self._ordered = ordered
        self._obeyed: str | None = None
        self._asked = False
        self._gave_way = False
        self._stop = threading.Event()
        self._leave = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken = asyncio.Event()
        self._margin_s = min(config.lease_margin_s, config.lease_s / 3)

    def beat(self, node_loop: asyncio.AbstractEventLoop, blocked: "Watch") -> None:
        """The body of the thread. Callbacks are called on the node's loop."""
        asyncio.run(self.live(node_loop, blocked))

    def stop(self, *, leave: bool) -> None:
        """From any thread: end. leave: in good order, since nothing runs any more; otherwise the lease runs out, and only then may
        others have what is held here, as after any crash."""
        self._leave |= leave
        self._stop.set()
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._woken.set)

    def ask(self) -> None:
        """From any thread: the node may have been told something. Renews at its next look instead of its next beat."""
        self._asked = True

    async def answers(self, within_s: float) -> bool:
        """From the node's loop: whether the thread turns."""
        here, answered = asyncio.get_running_loop(), anyio.Event()
        if self._loop is None or self._loop.is_closed():
            return False
        self._loop.call_soon_threadsafe(here.call_soon_threadsafe, answered.set)
        with anyio.move_on_after(within_s):
            await answered.wait()
        return answered.is_set()

    async def live(self, node_loop: asyncio.AbstractEventLoop, blocked: "Watch") -> None:
        self._loop = asyncio.get_running_loop()
        while not self._stop.is_set():
            node = random.getrandbits(62)
            sent = monotonic()
            now = await self._enter(node)
            if now is None:
                break
            self.standing = self._standing(node, sent, now)
            node_loop.call_soon_threadsafe(self._joined)
            await self._renew(node, node_loop, blocked)
            self.standing = None
            self._asked = True  # Should it come back: it may be told something while it is away.
            if self._stop.is_set():
                if self._leave:
                    await self._leases.leave(node, self._config.probe_timeout_s)
            else:
                log.warning("node %s could not renew its lease in time: its runs stop here and belong to others", node)
                node_loop.call_soon_threadsafe(self._fenced, node)
        await self._leases.close()

    async def _enter(self, node: int) -> datetime | None:
        """Enters, however long Postgres is away; None if it is time to end first."""
        now = None
        async with anyio.create_task_group() as group:

            async def give_up() -> None:
                await self._woken.wait()
                group.cancel_scope.cancel()

            group.start_soon(give_up)
            now = await self._leases.enter(node, self._config.lease_s)
            group.cancel_scope.cancel()
        return now

    async def _renew(self, node: int, node_loop: asyncio.AbstractEventLoop, blocked: "Watch") -> None:
        """Returns when the lease is lost, or when it is time to leave."""
        next_beat = monotonic() + self._config.heartbeat_s
        tick_s = min(self._config.block_warning_s, self._config.heartbeat_s) / 4
        while not self._stop.is_set():
            with anyio.move_on_after(tick_s):
                await self._woken.wait()
            blocked.look(node_loop)
            standing = self.standing
            assert standing is not None
            now = monotonic()
            if now >= standing.until:
                await self._leases.drop()
                return
            if blocked.is_blocked and not self._gave_way:
                await self._leases.give_way(min(self._config.probe_timeout_s, standing.until - now))
            self._gave_way = blocked.is_blocked
            if now < next_beat and not self._asked:
                continue
            self._asked = False
            next_beat = now + self._config.heartbeat_s
            try:
                answer = await self._leases.renew(node, self._config.lease_s, standing.until - now)
            except TimeoutError:
                await self._leases.drop()
                return
            if answer is None:
                return
            self.standing = self._standing(node, now, answer[0])
            if monotonic() >= standing.until:
                # Looked at after the new one was set: a slot may have seen the old one run out and dropped a run, which
                # nobody would take back from a node that lives on.
                await self._leases.drop()
                return
            if answer[1]:
                node_loop.call_soon_threadsafe(self._unsettled)
            if answer[2] != self._obeyed:
                self._obeyed = answer[2]
                node_loop.call_soon_threadsafe(self._ordered, answer[2])

    def _standing(self, node: int, sent: float, now: datetime) -> Standing:
        # Counted from before the request: the database's lease cannot begin earlier.
        answered = monotonic()
        return Standing(node, sent + self._config.lease_s - self._margin_s, now.timestamp() - (sent + answered) / 2, answered)


class Watch:
    """Notices that the node's loop is blocked, and logs the line: the heart's thread is the one that can."""

    def __init__(self, attempts: Collection[CodeType], block_warning_s: float, late: Callable[[float], None] | None = None) -> None:
        """attempts: the code of what makes one, which has it as its local `run`. late: hears on the loop of each answer how long it
        took, in seconds."""
        self._attempts = attempts
        self._late = late
        self._block_warning_s = block_warning_s
        self._thread = threading.get_ident()
        self._answered = threading.Event()
        self._answered.set()
        self._asked_at = 0.0
        self._told = False

    @property
    def is_blocked(self) -> bool:
        """Whether the loop has not answered for so long that it was told."""
        return self._told

    def look(self, node_loop: asyncio.AbstractEventLoop) -> None:
        """Asks the loop for a sign of life now and then, and says where it hangs if none comes."""
        now = monotonic()
        if self._answered.is_set():
            if self._told:
                log.warning("the event loop runs again after %.1f s", now - self._asked_at)
                self._told = False
            # Asked at each look: a block is noticed at its own age, not at that of the last question.
            self._answered.clear()
            self._asked_at = now
            node_loop.call_soon_threadsafe(self._answer)
        elif not self._told and now - self._asked_at >= self._block_warning_s:
            self._told = True
            frame = sys._current_frames().get(self._thread)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - documented so
            stack = "".join(traceback.format_stack(frame)[-8:]) if frame is not None else ""
            log.warning("the event loop has been blocked for %.1f s %s at:\n%s", now - self._asked_at, self._culprit(frame), stack)

    def _answer(self) -> None:
        if self._late is not None:
            self._late(monotonic() - self._asked_at)
        self._answered.set()

    def _culprit(self, frame: FrameType | None) -> str:
        while frame is not None:
            if frame.f_code in self._attempts:
                return f"by {frame.f_locals.get('run')!r}"
            frame = frame.f_back
        return "outside of a run"
