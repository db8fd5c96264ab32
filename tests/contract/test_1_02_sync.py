"""CONTRACT 1.2: one twin for each of the two calls that synchronous code needs. A Django view: tests/drivers/test_django_view.py."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.to_thread
import asyncpg
import pytest
from howdah import App, AppNotOpen, DatabaseAway, HowdahError, Run, RunFailed

pytestmark = pytest.mark.anyio

Session = asyncpg.Connection
T = TypeVar("T")


async def aside(function: Callable[[], T]) -> T:
    """In a thread that no node knows."""
    return await anyio.to_thread.run_sync(function, abandon_on_cancel=True)


async def pools(db: Session) -> int:
    """Connections that were made for enqueues."""
    return await db.fetchval(
        "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'howdah pool'"
    )


async def test_both_work_in_a_thread_of_a_sync_task_on_the_connections_of_its_node(dsn: str, db: Session) -> None:
    jobs = App(dsn, pool_size=1, grace_s=2, hard_grace_s=2)

    @jobs.task
    async def double(number: int) -> int:
        return 2 * number

    @jobs.task
    def outer(number: int) -> list[int]:
        run = double.enqueue_sync(number)
        return [run.id, run.result_sync("10s")]

    async with jobs.work():
        run = await outer.enqueue(4)
        inner, result = await run.result("20s")
        assert result == 8
        assert await pools(db) == 1
    row = await db.fetchrow("select parent, root from howdah.run where id = $1", inner)
    assert row == (run.id, run.id), "a thread knows the run that it is in"


SCRIPT = """
import sys
from howdah import App
jobs = App(sys.argv[1])

@jobs.task
async def double(number: int) -> int: ...

runs = [double.enqueue_sync(number) for number in range(3)]
print([run.result_sync("20s") for run in runs])
"""


def script(dsn: str, text: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", text, dsn], capture_output=True, text=True, timeout=60, check=False)


async def test_both_work_in_a_script_which_ends_at_its_end(jobs: App, dsn: str, db: Session) -> None:
    @jobs.task
    async def double(number: int) -> int:
        return 2 * number

    async with jobs.work():
        done = await aside(lambda: script(dsn, SCRIPT))
        assert (done.returncode, done.stdout, done.stderr) == (0, "[0, 2, 4]\n", "")


async def test_a_script_ends_though_a_thread_of_it_still_waits_for_a_result(dsn: str, db: Session) -> None:
    waits = SCRIPT.replace('print([run.result_sync("20s") for run in runs])', "") + (
        "import threading, time\n"
        "threading.Thread(target=runs[0].result_sync, daemon=True).start()\n"
        "while not jobs.portal._background.door.client.results._waiting: time.sleep(0.01)\n"
        "print('end')\n"
    )
    done = await aside(lambda: script(dsn, waits))
    assert (done.returncode, done.stdout) == (0, "end\n")
    assert await db.fetchval("select count(*) from howdah.run") == 3


async def test_a_fork_after_the_start_is_an_error_that_says_so(dsn: str) -> None:
    forks = SCRIPT.replace('print([run.result_sync("20s") for run in runs])', "") + (
        "import os\n"
        "child = os.fork()\n"
        "try:\n"
        "    double.enqueue_sync(4)\n"
        "    line = 'parent enqueued'\n"
        "except Exception as error:\n"
        "    line = f'{type(error).__name__} {error}'\n"
        # The other process writes, too: one write, where an unbuffered print makes two.
        "os.write(1, f'{line}\\n'.encode())\n"
        "if child: sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    done = await aside(lambda: script(dsn, forks))
    assert done.returncode == 0, done.stderr
    assert sorted(line.split(" ", 4)[:4] for line in done.stdout.splitlines()) == [
        ["HowdahError", "this", "process", "was"],
        ["parent", "enqueued"],
    ]
    assert "make the first call after the fork" in done.stdout


async def test_on_a_running_event_loop_each_raises_and_names_the_async_form(jobs: App) -> None:
    @jobs.task
    async def one() -> int:
        return 1

    async with jobs:
        run = await one.enqueue()
        with pytest.raises(HowdahError, match=r"one\.enqueue_sync was called on a running event loop.*await one\.enqueue\(\.\.\.\)"):
            one.enqueue_sync()
        with pytest.raises(HowdahError, match=r"run\.result_sync was called on a running event loop.*await run\.result\(\.\.\.\)"):
            run.result_sync()


async def test_without_an_open_app_one_background_thread_serves_all_and_is_had_again_after_its_end(jobs: App, db: Session) -> None:
    @jobs.task
    async def one(number: int) -> int:
        return number

    def enqueue(number: int) -> Run[int]:
        return one.enqueue_sync(number)

    try:
        async with anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(aside, lambda number=number: enqueue(number))
        assert await db.fetchval("select count(*) from howdah.run") == 20
        assert len([thread for thread in threading.enumerate() if thread.name == "howdah portal"]) == 1
        await aside(jobs.portal.close)
        assert [thread for thread in threading.enumerate() if thread.name == "howdah portal"] == []
        assert (await aside(lambda: enqueue(20))).created
    finally:
        await aside(jobs.portal.close)


async def test_who_waits_while_the_background_thread_is_ended_is_told(jobs: App) -> None:
    @jobs.task
    async def one() -> int:
        return 1

    raised: list[BaseException] = []

    def wait() -> None:
        try:
            one.enqueue_sync().result_sync()
        except AppNotOpen as error:
            raised.append(error)

    async with anyio.create_task_group() as group:
        group.start_soon(aside, wait)
        while jobs.portal._background is None or not jobs.portal._background.door.client.results._waiting:
            await anyio.sleep(0.01)
        await aside(jobs.portal.close)
    assert len(raised) == 1


async def test_a_server_that_is_down_is_said_and_leaves_no_thread(dsn: str) -> None:
    jobs = App("postgresql://127.0.0.1:1/x")

    @jobs.task
    async def one() -> int:
        return 1

    for _ in range(2):
        with pytest.raises(DatabaseAway, match="does not answer"):
            await aside(one.enqueue_sync)
    assert [thread for thread in threading.enumerate() if thread.name == "howdah portal"] == []


async def test_a_thread_that_waits_stays_served_when_the_block_that_served_it_is_left(jobs: App, db: Session) -> None:
    leave, done = anyio.Event(), anyio.Event()
    got: list[int] = []

    @jobs.task
    async def slow() -> int:
        await leave.wait()
        return 7

    async def outer() -> None:
        async with jobs:
            await done.wait()

    def wait(run: Run[int]) -> None:
        got.append(run.result_sync("20s"))

    async with jobs.work(), anyio.create_task_group() as group, anyio.create_task_group() as first:
        async with jobs:
            jobs.portal._doors.reverse()  # The newest is asked first here.
            run = await slow.enqueue()
            group.start_soon(aside, lambda: wait(run))
            while not jobs.client.results._waiting:
                await anyio.sleep(0.01)
            first.start_soon(outer)
        leave.set()
        while not got:
            await anyio.sleep(0.01)
        done.set()
    assert got == [7]


async def test_the_time_and_the_failure_of_a_result_come_as_in_async_code(jobs: App) -> None:
    @jobs.task(retry=1)
    async def broken() -> int:
        raise KeyError("lost")

    def failing() -> None:
        run = broken.enqueue_sync()
        with pytest.raises(RunFailed, match="KeyError"):
            run.result_sync("20s")
        with pytest.raises(TimeoutError):
            broken.options(delay="1h").enqueue_sync().result_sync("50ms")

    async with jobs.work():
        await aside(failing)


async def test_the_thread_of_an_open_app_whose_loop_stands_still_does_not_wait_for_itself(jobs: App) -> None:
    """A fixture of pytest may open the app on a loop that runs only now and then."""

    @jobs.task
    async def one() -> int:
        return 1

    def now_and_then() -> None:
        entered, leave = asyncio.Event(), asyncio.Event()

        async def fixture() -> None:
            async with jobs.portal.open(jobs.client):
                entered.set()
                await leave.wait()

        with asyncio.Runner() as runner:
            opened = runner.get_loop().create_task(fixture())
            runner.run(entered.wait())
            try:
                assert one.enqueue_sync().created
            finally:
                jobs.portal.close()
                leave.set()
                runner.get_loop().run_until_complete(opened)

    await aside(now_and_then)
