"""What every Python peer's program shares. It runs in the peer's own environment, so it imports the standard library alone.

    python on_X.py install | produce | work        with PEER_DSN, PEER_REDIS, PEER_SETTINGS (JSON),
    PEER_STARTS and PEER_STAMPS (held, direct, or empty to count) in the environment

`work` says `@ open` when everything is imported and connected, waits for the line `go`, and works until a line `end`.
`produce` says `@ open` and answers each line of JSON with one: see Producer. Starts go to the named pipe PEER_STARTS as pairs of numbers:
(starts since the last pair, now) while draining, (stamp of the enqueue, now) where latency is asked for.
"""

import asyncio
import json
import os
import struct
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any, Protocol

SETTINGS: dict[str, Any] = json.loads(os.environ.get("PEER_SETTINGS", "{}"))
DSN = os.environ.get("PEER_DSN", "")
REDIS = os.environ.get("PEER_REDIS", "")
FD = os.open(os.environ["PEER_STARTS"], os.O_WRONLY) if os.environ.get("PEER_STARTS") else -1
"""By name, since not every process that runs functions inherits what its parent has open."""
STAMPS = os.environ.get("PEER_STAMPS", "")
PAIR = struct.Struct("<qq")
EACH = 64
HELD_NS = 5_000_000
CALLERS = 16
"""Enqueues at once, at most, where a rate is asked for."""
TICK_S = 0.01
"""How often a producer that enqueues in bulk looks how many are due."""


def payload(stamp: int = 0) -> dict[str, Any]:
    """A hundred bytes of arguments. The first is the moment of the enqueue, in microseconds of the monotonic clock."""
    return {"user_id": stamp or 12345678901, "email": "someone@example.com", "note": "filled up to a hundred bytes........."}


def now_us() -> int:
    return time.monotonic_ns() // 1000


def stamped() -> dict[str, Any]:
    return payload(now_us())


def counter() -> Callable[[int], None]:
    """Counts starts; tells the first at once, then each 64th, so that counting costs next to nothing."""
    count = 0

    def started(_stamp: int) -> None:
        nonlocal count
        count += 1
        if count % EACH == 1:
            os.write(FD, PAIR.pack(1 if count == 1 else EACH, time.monotonic_ns()))

    return started


class Stamps:
    """Keeps pairs of enqueue and start; hands them over when they are 64, or 5 ms old when the next one comes, or on flush()."""

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._since = 0

    def __call__(self, stamp: int) -> None:
        now = time.monotonic_ns()
        if not self._held:
            self._since = now
        self._held.append(PAIR.pack(stamp * 1000, now))
        if len(self._held) >= EACH or now - self._since > HELD_NS:
            self.flush()

    def flush(self) -> None:
        held, self._held = self._held, []
        if held:
            os.write(FD, b"".join(held))


def direct(stamp: int) -> None:
    """Tells each start at once: for programs whose functions run in processes that nobody asks to flush."""
    os.write(FD, PAIR.pack(stamp * 1000, time.monotonic_ns()))


STARTS = Stamps() if STAMPS == "held" else None
started: Callable[[int], None] = STARTS or (direct if STAMPS == "direct" else counter())


def say(word: str) -> None:
    sys.stdout.write(f"@ {word}\n")
    sys.stdout.flush()


def words() -> Iterator[str]:
    """The driver's lines. Read without a buffer object: its lock would be held in children that a library forks."""
    rest = b""
    while data := os.read(0, 4096):
        *lines, rest = (rest + data).split(b"\n")
        yield from (line.decode() for line in lines)


WORDS = words()


def obey() -> None:
    """The thread that hears the driver: `flush` and `end`; the end of the pipe is an end, too."""
    for word in WORDS:
        if word == "flush" and STARTS:
            STARTS.flush()
            say("flushed")
        elif word == "end":
            break
    os._exit(0)


def await_go() -> None:
    """Blocks until the driver says `go`."""
    say("open")
    assert next(WORDS) == "go"
    threading.Thread(target=obey, daemon=True).start()


class Peer(Protocol):
    """What a peer's program gives."""

    async def install(self) -> None:
        """Makes the schema."""
        ...

    async def produce(self) -> None:
        """Connects what enqueues."""
        ...

    async def one(self, given: dict[str, Any]) -> None: ...

    async def many(self, given: list[dict[str, Any]]) -> None: ...

    async def work(self) -> None:
        """Prepares, calls await_go(), and works without end."""
        ...


class Producer:
    """Obeys: {"do": "bulk", n, chunk, cap_s}, {"do": "single", n, cap_s}, {"do": "pace", rates: [[per_s, seconds], ...], bulk}."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    async def obey(self, asked: dict[str, Any]) -> dict[str, Any]:
        if asked["do"] == "bulk":
            return await self._bulk(asked["n"], asked["chunk"], asked["cap_s"])
        if asked["do"] == "single":
            return await self._single(asked["n"], asked["cap_s"])
        return await self._pace(asked["rates"], bulk=asked["bulk"])

    async def _bulk(self, number: int, chunk: int, cap_s: float) -> dict[str, Any]:
        began, done = time.perf_counter(), 0
        while done < number and time.perf_counter() - began < cap_s:
            size = min(chunk, number - done)
            await self._peer.many([payload() for _ in range(size)])
            done += size
        return {"n": done, "s": time.perf_counter() - began}

    async def _single(self, number: int, cap_s: float) -> dict[str, Any]:
        began, done = time.perf_counter(), 0
        while done < number and time.perf_counter() - began < cap_s:
            await self._peer.one(payload())
            done += 1
        return {"n": done, "s": time.perf_counter() - began}

    async def _pace(self, rates: list[list[float]], *, bulk: bool) -> dict[str, Any]:
        """An open loop: what is due is enqueued, whether or not it is worked on. Each enqueue is stamped when its call begins."""
        free = asyncio.Semaphore(4 if bulk else CALLERS)
        began, sent, due_before, until = time.perf_counter(), 0, 0.0, 0.0

        async def send(count: int) -> None:
            async with free:
                if bulk:
                    await self._peer.many([stamped() for _ in range(count)])
                else:
                    await self._peer.one(stamped())

        async with asyncio.TaskGroup() as group:
            for per_s, seconds in rates:
                start, until = until, until + seconds
                while True:
                    passed = min(time.perf_counter() - began, until)
                    due = int(due_before + per_s * (passed - start))
                    if due > sent:
                        for count in [due - sent] if bulk else [1] * (due - sent):
                            group.create_task(send(count))
                        sent = due
                    if passed >= until:
                        break
                    await asyncio.sleep(TICK_S if bulk else max(0.0005, (sent + 1 - due_before) / per_s + start - passed))
                due_before += per_s * seconds
            ended = time.perf_counter() - began
        return {"n": sent, "asked_s": ended, "s": time.perf_counter() - began}


async def _produce(peer: Peer) -> None:
    await peer.produce()
    producer = Producer(peer)
    say("open")
    while (line := await asyncio.to_thread(next, WORDS, "end")) != "end":
        say(json.dumps(await producer.obey(json.loads(line))))
    os._exit(0)  # What a library leaves open must not keep the driver waiting.


def main(peer: Peer) -> None:
    """Runs the mode of the command line, on uvloop where the row's settings say so."""
    mode: dict[str, Callable[[], Awaitable[None]]] = {"install": peer.install, "produce": lambda: _produce(peer), "work": peer.work}
    factory = None
    if SETTINGS.get("uvloop"):
        import uvloop  # noqa: PLC0415 - only where a row asks for it

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner, suppress(KeyboardInterrupt):
        runner.run(_as_coroutine(mode[sys.argv[1]]))
    sys.stdout.flush()
    os._exit(0)


async def several(one: Callable[[dict[str, Any]], Awaitable[None]], given: list[dict[str, Any]], callers: int = CALLERS) -> None:
    """Enqueues one by one, some at once: for peers that have no bulk enqueue."""
    left = iter(given)

    async def call() -> None:
        for each in left:
            await one(each)

    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(call())


async def _as_coroutine(call: Callable[[], Awaitable[None]]) -> None:
    await call()
