"""Several workers as processes of one: `--processes N`, and the one that `--reload` starts anew.

Each stands in a process group of its own, so that a Ctrl-C of the terminal reaches this process alone: a worker that heard it as
well would take what is passed on for the second one, and cancel what runs.
"""

import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, nullcontext
from pathlib import Path
from time import monotonic

import anyio
import anyio.to_thread

from .changes import changes
from .health import Address, Answer, answering, ask, said
from .lifeline import Lifeline, News
from .loop import signals
from .serving import COUNTDOWN_S, countdown, counted
from .voice import Voice

BACKOFF_S = 0.5
"""Wait before a worker that died is started anew; it doubles while they die early."""
BACKOFF_MAX_S = 30.0
"""The longest such wait."""
STEADY_S = 30.0
"""A worker that lived for so long died of something else than its start."""

_OURS = ("HOWDAH_WORKER_PROCESSES", "HOWDAH_WORKER_RELOAD", "HOWDAH_WORKER_HEALTH")
"""What was said to this process and not to its workers."""


class _Worker:
    """One worker process."""

    def __init__(self, words: Sequence[str]) -> None:
        ours, theirs = socket.socketpair()
        with theirs, ExitStack() as undone:
            undone.callback(ours.close)
            self.process = subprocess.Popen(  # noqa: S603 - this program itself, with the words it was given
                [sys.executable, "-m", "howdah", "worker", *words, "--lifeline", str(theirs.fileno())],
                stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()], process_group=0,
                env={name: value for name, value in os.environ.items() if name not in _OURS},
            )  # fmt: skip
            undone.pop_all()
        self.lifeline = Lifeline(ours)
        self.started = monotonic()
        self.news = News()
        self.is_ready = False
        self.is_leaving = False
        self.is_outdated = False
        self._is_asked = False

    def ask(self) -> None:
        """Has it drain; asked again, cancel what runs and hand it back."""
        # Of two signals: one that is sent again before it was heard counts once. SIGTERM also ends a process that is still starting.
        self._send(signal.SIGINT if self._is_asked else signal.SIGTERM)
        self._is_asked = True

    def kill(self) -> None:
        """Ends it at once, whatever it does."""
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self.process.poll() is None:
            self.process.send_signal(number)

    async def ended(self) -> int:
        """Its exit code, when it has one; negative: the signal that killed it."""
        return await anyio.to_thread.run_sync(self.process.wait, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1))


class Fleet:
    """So many workers, each started anew when it ends, until it is stopped. watched: a folder whose changes start all of them anew.
    health: where it says how they do, all together; each of several says so for itself at a port of its own behind that."""

    def __init__(self, words: Sequence[str], count: int, voice: Voice, watched: Path | None = None, health: Address | None = None) -> None:
        self._words = words
        self._health = health
        self._count = count
        self._voice = voice
        self._watched = watched
        self._workers: dict[int, _Worker] = {}
        self._stopping = anyio.Event()
        self._changed = anyio.Event()
        self._has_worked = False
        self._code = 0

    async def run(self) -> int:
        """Looks after them until all have ended for good; the exit code."""
        try:
            with signals(self._drain, self._hurry, self._kill):
                async with self._answering(), anyio.create_task_group() as group:
                    if self._watched is not None:
                        group.start_soon(self._reload, self._watched)
                    group.start_soon(self._tell)
                    async with anyio.create_task_group() as places:
                        for place in range(self._count):
                            places.start_soon(self._keep, place)
                    group.cancel_scope.cancel()
        finally:
            self._kill()
        self._voice.say("stopped", "Stopped; every outcome is durable." if not self._code else "Stopped.")
        return self._code

    def _health_of(self, place: int) -> Address | None:
        """Where the worker at this place answers: a single one in the place of all."""
        return self._health if self._health is None or self._count == 1 else self._health.beyond(place + 1)

    def _answering(self) -> AbstractAsyncContextManager[None]:
        if self._health is None or self._count == 1:
            return nullcontext()
        ports = ", ".join(str(self._health.beyond(place + 1).port) for place in range(self._count))

        async def live() -> Answer:
            # One that has died or is starting is looked after here: ending them all would help nobody.
            return said("live", [await self._trouble(place, "/live") for place, worker in self._workers.items() if worker.is_ready])

        async def ready() -> Answer:
            return said("ready", [await self._trouble(place, "/ready") for place in range(self._count)])

        async def metrics() -> Answer:
            return Answer(404, f"each worker has its own /metrics, at the ports {ports}\n".encode())

        return answering(self._health, {"/live": live, "/ready": ready, "/metrics": metrics})

    async def _trouble(self, place: int, path: str) -> str | None:
        address = self._health_of(place)
        assert address is not None, "only asked where somebody answers"
        answer = await ask(address, path)
        if answer is None:
            return f"worker {place + 1} does not answer"
        return None if answer.status == 200 else f"worker {place + 1} is {answer.body.decode().rstrip()}"

    async def _keep(self, place: int) -> None:
        """Has a worker at this place, one after the other."""
        wait_s = BACKOFF_S
        while not self._stopping.is_set():
            own = self._health_of(place)
            try:
                worker = self._workers[place] = _Worker([*self._words, *([] if own is None else [f"--health={own}"])])
            except OSError as error:  # No process or memory is left, perhaps for the moment alone. The others work on.
                text = f"A worker could not be started: {error.strerror or error}. Tried again in {wait_s:g} s."
                self._voice.say("unstarted", text, wait_s=wait_s)
                wait_s = await self._wait(wait_s)
                continue
            code = await self._see_through(worker)
            del self._workers[place]
            pid = worker.process.pid
            if self._stopping.is_set():
                self._code = self._code or (1 if code > 0 else 0)
            elif worker.is_leaving:
                self._voice.say("left", f"Worker {pid} was told to drain, and is not started anew.", worker=pid)
                return
            elif code == 0 or worker.is_outdated:
                continue
            elif self._watched is not None:
                self._voice.say("broken", f"Worker {pid} {_end(code)}. It starts anew when a file changes.", worker=pid, code=code)
                await self._changed.wait()
            elif not self._has_worked:
                # It never came as far as its first run: what it said of that is on the screen, and another one would say the same.
                self._code = code if code > 0 else 1
                self._drain(signal.SIGTERM)
            else:
                if monotonic() - worker.started >= STEADY_S:
                    wait_s = BACKOFF_S
                text = f"Worker {pid} {_end(code)}. Another one starts in {wait_s:g} s."
                self._voice.say("died", text, worker=pid, code=code, wait_s=wait_s)
                wait_s = await self._wait(wait_s)

    async def _wait(self, wait_s: float) -> float:
        """Waits so long, unless they are to stop; how long it is the next time."""
        with anyio.move_on_after(wait_s):
            await self._stopping.wait()
        return min(2 * wait_s, BACKOFF_MAX_S)

    async def _see_through(self, worker: _Worker) -> int:
        """Hears what it says until it ends; its exit code."""
        code = 0
        async with anyio.create_task_group() as group:
            group.start_soon(self._hear, worker)
            code = await worker.ended()
            group.cancel_scope.cancel()
        worker.lifeline.close()
        return code

    async def _hear(self, worker: _Worker) -> None:
        while (heard := await worker.lifeline.hear()) is not None:
            for news in heard:
                worker.news = news
                worker.is_ready |= news.ready is not None
                worker.is_leaving |= news.leaving
                self._has_worked |= worker.is_ready

    async def _reload(self, folder: Path) -> None:
        async for names in changes(folder):
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            self._voice.say("changed", f"{', '.join(names[:3])}{more} changed: the worker drains and starts anew.", files=names)
            for worker in self._workers.values():
                worker.is_outdated = True
                worker.ask()  # One that drains since the change before cancels and hands back now.
            self._changed.set()
            self._changed = anyio.Event()

    async def _tell(self) -> None:
        """What a drain waits for, over all workers, each second."""
        await self._stopping.wait()
        while self._workers:
            running: Counter[str] = Counter()
            for worker in self._workers.values():
                running.update(worker.news.running or {})
            left_s = max((worker.news.left_s for worker in self._workers.values()), default=0.0)
            if running:
                self._voice.count_down(countdown(running, left_s), running=running, left_s=round(left_s, 1))
            await anyio.sleep(COUNTDOWN_S)

    def _drain(self, _number: signal.Signals) -> None:
        if self._workers and not self._code:
            text = f"Draining: {counted(len(self._workers), 'worker')}; Ctrl-C again cancels what runs and hands it back."
            self._voice.say("draining", text)
        self._stop()

    def _hurry(self) -> None:
        self._voice.say("hurrying", "Hurrying: what runs is cancelled and handed back; once more exits at once.")
        self._stop()

    def _stop(self) -> None:
        self._stopping.set()
        self._changed.set()
        for worker in self._workers.values():
            worker.ask()

    def _kill(self) -> None:
        for worker in list(self._workers.values()):
            worker.kill()


def _end(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
