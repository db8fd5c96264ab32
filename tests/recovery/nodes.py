"""Nodes as processes, a server that may be restarted, and waiting for what the database says.

Only processes that were started here are ever signalled.
"""

import asyncio
import gc
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import asyncpg
from howdah.embedded import Embedded
from howdah.embedded import postmaster as pm

PROGRAM = Path(__file__).with_name("program.py")
START_S = 60.0
"""A process or a server that has not started after so long never does, however busy the machine is."""
PATIENCE_S = 30.0
"""The same for a state. It is no bound that anything is held to: what must not wait for a poll is tested with polls that come later."""
LONG: dict[str, Any] = {"lease_s": 120.0, "busy_look_s": 0.3, "idle_look_s": 1.0, "keep_longest_s": 0.2}
"""No pause of a busy machine costs a lease that lasts so long. It ends when `bury` says so, and who lives looks soon."""
SHORT: dict[str, Any] = {
    "lease_s": 1.5,
    "heartbeat_s": 0.3,
    "lease_margin_s": 0.3,
    "busy_look_s": 0.3,
    "idle_look_s": 1.0,
    "keep_longest_s": 5.0,
}

EFFECTS = """
create table if not exists effect (run bigint, attempt int, pid int, what text, at timestamptz not null default clock_timestamp());
create index if not exists effect_run on effect (run);
"""

END = "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = current_database() and application_name like $1"
HELD_OPEN = "select application_name from pg_stat_activity where datname = current_database() and application_name like 'howdah %'"

Session = asyncpg.Connection


async def until(db: Session, question: str, *args: object, within_s: float = PATIENCE_S) -> Any:
    """Asks the database until it answers something true; AssertionError with its last answer after the time."""
    deadline = time.monotonic() + within_s
    while not (answer := await db.fetchval(question, *args)):
        if time.monotonic() > deadline:
            raise AssertionError(f"after {within_s:g} s the answer was still {answer!r}: {question} {args}")
        await anyio.sleep(0.01)
    return answer


async def happens(what: Callable[[], object], within_s: float = PATIENCE_S) -> None:
    """The same for something in this process."""
    deadline = time.monotonic() + within_s
    while not what():
        if time.monotonic() > deadline:
            raise AssertionError(f"it did not happen within {within_s:g} s")
        await anyio.sleep(0.005)


def is_alive(pid: int) -> bool:
    """Whether there is such a process that has not ended: a zombie has."""
    stat = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(stat) and not stat.startswith("Z")


async def enqueue(db: Session, task: str, count: int = 1, **args: object) -> list[int]:
    """Enqueues runs of a task by SQL, in one transaction."""
    rows = await db.fetch("select howdah.enqueue($1, $2::json) as id from generate_series(1, $3)", task, json.dumps(args), count)
    return [row["id"] for row in rows]


async def drained(db: Session, within_s: float = PATIENCE_S) -> None:
    """Nothing is pending any more."""
    await until(
        db, "select not exists (select from howdah.job) and not exists (select from howdah.timer)", within_s=within_s
    )  # fmt: skip


async def bury(db: Session, *pids: int) -> None:
    """The leases of these nodes, or of all, end now. With time they end by themselves: for that there is one test, in test_kill."""
    now = "update howdah.node set renewed = howdah.clock(), until = howdah.clock() where pid = any($1) or $1 = '{}'"
    await db.execute(now, pids)


async def doubles(db: Session, what: str) -> int:
    """How many runs left this effect more than once."""
    return await db.fetchval("select count(*) from (select run from effect where what = $1 group by run having count(*) > 1) d", what)


@asynccontextmanager
async def forgiven() -> AsyncGenerator[None]:
    """Around lost connections: asyncpg abandons the future of a COPY that it could not begin, and the loop complains of it."""
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not isinstance(context.get("exception"), asyncpg.PostgresConnectionError | asyncpg.OperatorInterventionError) and before:
            before(loop, context)

    loop.set_exception_handler(handle)
    try:
        yield
    finally:
        gc.collect()  # It complains when the future is collected.
        loop.set_exception_handler(before)


class Process:
    """One node. Its log goes to a file, which `log` reads."""

    def __init__(self, dsn: str, folder: Path, settings: dict[str, Any]) -> None:
        self._log = Path(tempfile.mkstemp(dir=folder, suffix=".log")[1])
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(PROGRAM), json.dumps({"dsn": dsn, "pool_size": 4, **settings})], stdout=subprocess.PIPE, stderr=log
            )
        self._stopped = False

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    @property
    def log(self) -> str:
        return self._log.read_text()

    def await_ready(self) -> None:
        assert self._process.stdout is not None
        heard = select.select([self._process.stdout], [], [], START_S)[0]
        if not heard or not self._process.stdout.readline():
            raise AssertionError(f"the node did not start:\n{self.log}")

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)
        self._stopped = number == signal.SIGSTOP

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    async def end(self, within_s: float = PATIENCE_S) -> int:
        """Waits until it has ended by itself; its exit status."""
        return await anyio.to_thread.run_sync(lambda: self._process.wait(within_s))

    def discard(self) -> None:
        """After a test."""
        if self._process.poll() is None:
            self.kill()
        assert self._process.stdout is not None
        self._process.stdout.close()


class Fleet:
    """The nodes of one test."""

    def __init__(self, dsn: str, folder: Path, **settings: Any) -> None:
        self._dsn = dsn
        self._folder = folder
        self._settings = settings
        self.processes: list[Process] = []

    async def start(self, count: int = 1, **settings: Any) -> list[Process]:
        """So many nodes, started together."""
        started = [Process(self._dsn, self._folder, {**self._settings, **settings}) for _ in range(count)]
        self.processes += started
        for process in started:
            await anyio.to_thread.run_sync(process.await_ready)
        return started

    def close(self) -> None:
        for process in self.processes:
            process.discard()


class Server:
    """A Postgres of the test's own, which may be stopped in any way and started again."""

    def __init__(self, base: Path, **settings: str) -> None:
        self._embedded = Embedded(base, settings={"fsync": "off", "max_connections": "100", **settings}).start()

    def dsn(self, database: str = "postgres") -> str:
        return self._embedded.dsn(database)

    async def stop(self, how: signal.Signals) -> None:
        """SIGINT: fast, SIGQUIT: immediate, as in a crash."""
        pid = pm.running_pid(self._embedded.path)
        assert pid is not None
        os.kill(pid, how)
        assert await anyio.to_thread.run_sync(pm.wait_until_gone, pid, self._embedded.path, START_S)

    async def start(self) -> None:
        await anyio.to_thread.run_sync(self._embedded.start)

    def close(self) -> None:
        self._embedded.stop()
        self._embedded.release()
