"""python -m tests.chaos.producer NUMBER SEED RATE: enqueues so many runs a second, through whatever goes wrong, until SIGTERM.

It writes down what was acknowledged as committed, and of what it is not known. What has an identity (a unique key) is asked for
until it is acknowledged. Time that was lost is made up for.
"""

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from random import Random

import anyio
import asyncpg
import uvloop
from howdah import DatabaseAway, Run

from .diary import now_us
from .tasks import LIMITED, apart, diary, flaky, jobs, once, paced, parent, patient, plain, stored, threaded

BOOK = "insert into chaos.booking (mark) values ($1)"
SLACK_S = 3.0
PATIENT_S = 1.5
ADOPTED_S = 4.0
KEYS = 6
FAILURES = (0, 0, 0, 0, 0, 0, 1, 1, 2, 3)
"""How often a run fails before it succeeds; the last of these is too much for some."""
PACED_S = 1.0
"""A batch under the rate so often at most: what comes faster would wait longer than the storm lasts."""
LIMITS = "CHAOS_LIMITS" in os.environ
"""Most of what is not in bulk is under limits."""
BACKLOG_MAX = 4000
"""So far behind after an outage a producer makes up for it in bulk."""
LOST = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


class Producer:
    """One of them. Marks are its own: whatever becomes of it, no other makes the same."""

    def __init__(self, number: int, seed: int) -> None:
        self.random = Random(f"producer {number} {seed}")
        self.sent = 0
        self._name = f"{number}-{os.getpid()}"
        self._numbers = 0
        self._kept: asyncpg.Connection | None = None
        self._paced_at = 0.0
        config = jobs.config
        self._patience_s = config.connect_timeout_s + 2 * config.command_timeout_s + SLACK_S

    def marks(self, way: str, count: int) -> list[str]:
        first = self._numbers
        self._numbers += count
        self.sent += count
        return [f"{way}-{self._name}-{first + number}" for number in range(count)]

    def note(self, mark: str, run: Run[object]) -> None:
        diary.write("P", mark, run.id, run.task, int(run.created), now_us())

    @asynccontextmanager
    async def asked(self, task: str, marks: Iterable[str]) -> AsyncGenerator[None]:
        """Around an enqueue. DatabaseAway: whether these were enqueued is not known; it must say so in time."""
        began = time.monotonic()
        try:
            yield
        except DatabaseAway:
            diary.write_all([f"U {mark} {task} {now_us()}\n" for mark in marks])
            await asyncio.sleep(0.05)
        finally:
            if (took := time.monotonic() - began) > self._patience_s:
                diary.write("S", f"enqueue-{task}", round(took, 3), now_us())

    async def many(self, task: str, marks: list[str], send: Callable[[], Awaitable[list[Run[None]]]]) -> None:
        async with self.asked(task, marks):
            runs = await send()
            at = now_us()
            diary.write_all([f"P {mark} {run.id} {task} 1 {at}\n" for mark, run in zip(marks, runs, strict=True)])

    async def in_bulk(self) -> None:
        marks = self.marks("bulk", self.random.randint(20, 600))
        await self.many("plain", marks, lambda: plain.enqueue_many(plain.call(mark) for mark in marks))

    async def one_by_one(self) -> None:
        async def one(mark: str) -> None:
            async with self.asked("plain", [mark]):
                self.note(mark, await plain.enqueue(mark))

        async with anyio.create_task_group() as group:
            for mark in self.marks("single", self.random.randint(5, 40)):
                group.start_soon(one, mark)

    async def transactional(self) -> None:
        marks = self.marks("stored", self.random.randint(10, 120))
        await self.many("stored", marks, lambda: stored.enqueue_many(stored.call(mark) for mark in marks))

    async def at_most_once(self) -> None:
        marks = self.marks("once", self.random.randint(5, 60))
        await self.many("once", marks, lambda: once.enqueue_many(once.call(mark) for mark in marks))

    async def failing(self) -> None:
        marks = self.marks("flaky", self.random.randint(5, 40))
        fails = self.random.randint(1, 3)
        await self.many("flaky", marks, lambda: flaky.enqueue_many(flaky.call(mark, fails) for mark in marks))

    async def delayed(self) -> None:
        marks = self.marks("later", self.random.randint(10, 60))
        task = plain.options(delay=self.random.uniform(0.01, 4.0), priority=self.random.randint(-2, 2))
        await self.many("plain", marks, lambda: task.enqueue_many(plain.call(mark) for mark in marks))

    async def slow(self) -> None:
        """What a node holds for a while: a kill finds something."""
        marks = self.marks("slow", self.random.randint(5, 30))
        seconds = self.random.uniform(0.05, 1.0)
        await self.many("patient", marks, lambda: patient.enqueue_many(patient.call(mark, seconds) for mark in marks))

    async def limited(self) -> None:
        """What waits for limits: some fails, some rests, some is cancelled while it waits or runs."""
        random = self.random
        task = random.choices(list(LIMITED), list(LIMITED.values()))[0]
        marks = self.marks(task.name, random.randint(4, 30))
        async with self.asked(task.name, marks):
            runs = await task.enqueue_many(
                task.call(mark, f"k{random.randrange(KEYS)}", random.uniform(0.0, 0.08), random.choice(FAILURES), random.random() < 0.1)
                for mark in marks
            )
            for mark, run in zip(marks, runs, strict=True):
                self.note(mark, run)
            if random.random() < 0.2:
                doomed = random.choice(runs)
                diary.write("C", doomed.id, await doomed.cancel("chaos"), now_us())
        if time.monotonic() >= self._paced_at:
            self._paced_at = time.monotonic() + PACED_S
            marks = self.marks("paced", random.randint(5, 25))
            await self.many("paced", marks, lambda: paced.enqueue_many(paced.call(mark) for mark in marks))

    async def in_threads(self) -> None:
        marks = self.marks("thread", self.random.randint(2, 12))
        await self.many("threaded", marks, lambda: threaded.enqueue_many(threaded.call(mark) for mark in marks))

    async def in_processes(self) -> None:
        marks = self.marks("apart", 2)
        await self.many("apart", marks, lambda: apart.enqueue_many(apart.call(mark) for mark in marks))

    async def unique(self) -> None:
        """Twice with one identity, each as often as it takes."""
        [mark] = self.marks("unique", 1)

        async def insist() -> None:
            while True:
                try:
                    run = await plain.options(unique=mark, unique_for="6h").enqueue(mark)
                except DatabaseAway:
                    await asyncio.sleep(0.1)
                else:
                    self.note(mark, run)
                    return

        async with anyio.create_task_group() as group:
            group.start_soon(insist)
            group.start_soon(insist)

    async def in_own_transaction(self) -> None:
        """A row of the producer's and the run: both or neither."""
        for mark in self.marks("own", self.random.randint(1, 5)):
            try:
                connection = await self._own()
                async with connection.transaction():
                    await connection.execute(BOOK, mark)
                    run = await plain.options(conn=connection).enqueue(mark)
            except LOST:
                diary.write("U", mark, "plain", now_us())
                await self._drop()
            else:
                self.note(mark, run)

    async def families(self) -> None:
        children, waits = self.random.randint(1, 5), self.random.random() < 0.5
        for mark in self.marks("family", self.random.randint(1, 3)):
            self.sent += children
            async with self.asked("parent", [mark]):
                self.note(mark, await parent.enqueue(mark, children, waits))

    async def cancelled(self) -> None:
        """Some before they start, some while they run, some with children."""
        for mark in self.marks("cancel", self.random.randint(1, 6)):
            delay = self.random.choice((0.0, 0.0, 3.0))
            try:
                run = await patient.options(delay=delay).enqueue(mark, self.random.uniform(0.2, PATIENT_S))
                self.note(mark, run)
                await asyncio.sleep(self.random.choice((0.0, 0.02, 0.3)))
                diary.write("C", run.id, await run.cancel("chaos"), now_us())
            except DatabaseAway:
                diary.write("U", mark, "patient", now_us())

    async def adopted(self) -> None:
        """Children of a run that is cancelled."""
        [mark] = self.marks("adopter", 1)
        try:
            run = await patient.options(delay=ADOPTED_S).enqueue(mark, 0.1)
            self.note(mark, run)
            connection = await self._own()
            for number in range(self.random.randint(1, 4)):
                await connection.fetchval(
                    "select howdah.enqueue('child', json_build_object('mark', $1::text), parent => $2, delay => make_interval(secs => $3))",
                    f"orphan-{mark}/{number}", run.id, ADOPTED_S,
                )  # fmt: skip
            while True:
                try:
                    diary.write("C", run.id, await run.cancel("chaos"), now_us())
                except DatabaseAway:
                    await asyncio.sleep(0.1)
                else:
                    return
        except LOST:
            diary.write("U", mark, "patient", now_us())
            await self._drop()

    async def _own(self) -> asyncpg.Connection:
        if self._kept is None or self._kept.is_closed():
            self._kept = await asyncpg.connect(
                jobs.config.dsn, timeout=3, command_timeout=5, server_settings={"application_name": "producer"}
            )
        return self._kept

    async def _drop(self) -> None:
        if self._kept is not None:
            self._kept.terminate()
        self._kept = None
        await asyncio.sleep(0.1)


async def produce(producer: Producer, rate: float, asked_to_end: anyio.Event) -> None:
    """In turns, as many as are due by now."""
    some = {
        producer.one_by_one: 6, producer.transactional: 9, producer.at_most_once: 5, producer.failing: 4, producer.delayed: 3,
        producer.in_threads: 3, producer.in_processes: 0.3, producer.unique: 8, producer.in_own_transaction: 6, producer.families: 3,
        producer.cancelled: 1.5, producer.adopted: 0.7, producer.slow: 12, producer.limited: 300 if LIMITS else 6,
    }  # fmt: skip
    began = time.monotonic()
    while not asked_to_end.is_set():
        due = rate * (time.monotonic() - began) - producer.sent
        if due < 1:
            await asyncio.sleep(min(1.0, (1 - due) / rate))
            continue
        # Most runs are plain ones in bulk: the others cost more.
        if producer.random.random() < (0.02 if LIMITS else 0.2) or due > BACKLOG_MAX:
            await producer.in_bulk()
        else:
            await producer.random.choices(list(some), list(some.values()))[0]()


async def main(number: int, seed: int, rate: float) -> None:
    asked_to_end = anyio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked_to_end.set)
    producer = Producer(number, seed)
    while not asked_to_end.is_set():
        try:
            async with jobs:
                print("ready", flush=True)
                await produce(producer, rate, asked_to_end)
        except* DatabaseAway:
            await asyncio.sleep(0.2)
        except* Exception as errors:
            diary.write("!", repr(errors.exceptions[0]).replace("\n", " "))
            raise


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
