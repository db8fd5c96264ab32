"""The child processes of a node. Idle ones wait for further runs of their task; there are never more than slots.

A slot that is cancelled while it waits for its child kills it: that is how timeouts and cancellations end an attempt.
"""

import logging
from collections.abc import Callable
from time import monotonic

import anyio
import msgspec

from ..config import Config
from ..errors import MemoryExceeded
from ..messages import Outcome, Sign
from ..size import said
from .handle import Child
from .memory import resident
from .wire import Hello, Leave, Start

log = logging.getLogger("howdah.process")

_REAP_S = 1.0
"""The end of a killed process takes milliseconds; a node that is ending waits for it this long."""


class Terms(msgspec.Struct, frozen=True):
    """What a task wants of its children. memory_max: bytes of resident memory. max_runs: after so many it is a new one."""

    hello: Hello
    memory_max: int | None = None
    max_runs: int | None = None


class Children:
    """At most `slots` children that run or idle: as many attempts are made at once, so there is one for each."""

    def __init__(self, slots: int, config: Config) -> None:
        self._slots = slots
        self._config = config
        self._busy: dict[Child, int | None] = {}
        """What runs, and how much memory it may take."""
        self._idle: list[Child] = []
        """The longest idle first."""
        self._ending: dict[Child, float] = {}
        """Until when each may clean up before it is killed."""
        self._stirred = anyio.Event()

    def __len__(self) -> int:
        return len(self._busy) + len(self._idle)

    async def attempt(self, terms: Terms, start: Start, hear: Callable[[Sign], None]) -> Outcome:
        """One attempt in a child; hear is told when it is about to start there, and what it says. ProcessDied: the child
        did not survive it, or could not be had. Whoever is cancelled here leaves no child behind that still works on it."""
        child = self._idle_of(terms.hello.address.task)
        fresh = child is None
        if child is None:
            self._make_room()
            child = Child(terms.hello.address.task)
        self._busy[child] = terms.memory_max
        self._stirred.set()
        sound = False
        try:
            if fresh:
                await child.prepare(terms.hello, self._config.process_start_s)
            outcome = (await child.run(start, hear)).outcome
            sound = True
        finally:
            del self._busy[child]
            if not sound:
                self._kill(child)
        if child.runs == terms.max_runs:
            self._dismiss(child)
        else:
            self._idle.append(child)
        return outcome

    async def watch(self) -> None:
        """Kills who takes more memory than its task allows, and reaps; forever."""
        while True:
            if not self._busy and not self._ending:
                self._stirred = anyio.Event()
                await self._stirred.wait()
            await anyio.sleep(self._config.process_look_s)
            self._reap()
            await self._weigh()

    async def close(self) -> None:
        """Lets the idle ones clean up and end. Nothing runs any more."""
        while self._idle:
            self._dismiss(self._idle.pop())
        while self._ending:
            self._reap()
            await anyio.sleep(0.005)

    def kill(self) -> None:
        """Ends all of them at once: the node goes down."""
        everyone = [*self._busy, *self._idle, *self._ending]
        self._idle.clear()
        for child in everyone:
            child.discard()
        for child in everyone:
            child.reap(_REAP_S)
        self._ending.clear()

    def _idle_of(self, task: str) -> Child | None:
        """The one that was busy last, since its memory is warm. One may have died while it was idle."""
        for child in reversed(self._idle):
            if child.task == task:
                self._idle.remove(child)
                if child.alive:
                    return child
                self._kill(child)
                return self._idle_of(task)
        return None

    def _make_room(self) -> None:
        """A slot that asks is not among the busy ones yet: with every place taken, at least one is idle."""
        while len(self) >= self._slots:
            self._dismiss(self._idle.pop(0))

    def _dismiss(self, child: Child) -> None:
        child.send(Leave())
        self._ending[child] = monotonic() + self._config.process_leave_s
        self._stirred.set()

    def _kill(self, child: Child) -> None:
        child.discard()
        self._ending[child] = 0.0
        self._stirred.set()

    def _reap(self) -> None:
        now = monotonic()
        for child, until in list(self._ending.items()):
            if child.reaped():
                del self._ending[child]
            elif until and until <= now:
                log.warning("%r did not clean up within %g s (process_leave_s) and was killed", child, self._config.process_leave_s)
                self._kill(child)
        for child in self._busy:
            child.look()

    async def _weigh(self) -> None:
        limits = {child: memory_max for child, memory_max in self._busy.items() if memory_max is not None}
        sizes = await resident([child.pid for child in limits])
        for child, memory_max in limits.items():
            size = sizes.get(child.pid, 0)
            if size > memory_max and child in self._busy:
                child.blame = MemoryExceeded(
                    f"the process of task {child.task!r} held {said(size)}, over its limit of {said(memory_max)} (memory=) and was killed"
                )
                child.end()
