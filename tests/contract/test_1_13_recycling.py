"""CONTRACT 1.13: isolation="process", its limits, and workers that end to be started anew."""

import importlib
import os
import subprocess
import sys
import textwrap
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid5

import anyio
import asyncpg
import msgspec
import pytest
from howdah import App, ConfigurationError, MemoryExceeded, ProcessDied, RunCancelled, RunFailed

pytestmark = pytest.mark.anyio

Db = asyncpg.Connection

SHOP = """
    import ctypes, logging, os, time
    from collections.abc import AsyncGenerator
    from dataclasses import dataclass
    from datetime import datetime
    from decimal import Decimal
    from uuid import UUID

    import msgspec
    from howdah import App, GiveUp, Retry, Snooze, Tasks, current_node, current_run, transaction, use

    jobs = App(grace_s=2, hard_grace_s=2, deadline_tick_s=0.01, process_look_s=0.02)
    tasks = Tasks()
    told = []

    class Declined(ValueError): ...

    class Order(msgspec.Struct):
        number: int
        at: datetime
        price: Decimal
        key: UUID
        raw: bytes
        lines: tuple[str, ...] = ()

    def shown(order: Order, tags: set[str], rest: dict[str, Order] | None = None) -> str:
        return repr((order, sorted(tags), rest))

    @jobs.task(name="here")
    async def here(order: Order, tags: set[str], rest: dict[str, Order] | None = None) -> str:
        return shown(order, tags, rest)

    @jobs.task(name="there", isolation="process")
    async def there(order: Order, tags: set[str], rest: dict[str, Order] | None = None) -> str:
        return shown(order, tags, rest)

    @jobs.task(name="there_sync", isolation="process")
    def there_sync(order: Order, tags: set[str], rest: dict[str, Order] | None = None) -> str:
        return shown(order, tags, rest)

    @jobs.task(isolation="process", memory="150MB", retry=1)
    def fill(megabytes: int) -> int:
        held = bytearray(megabytes * 10**6)
        held[::4096] = b"x" * len(held[::4096])
        if megabytes > 150:
            time.sleep(60)
        return len(held)

    @jobs.task(isolation="process", max_runs=2)
    def pid() -> int:
        return os.getpid()

    @jobs.task(isolation="process", retry=1, timeout="1s")
    def block() -> None:
        time.sleep(60)

    @jobs.task(isolation="process", retry=Retry(2, base=0.01))
    def crash() -> int:
        if current_run().attempt == 1:
            ctypes.string_at(0)
        return current_run().attempt

    @jobs.task(isolation="process", retry=Retry(2, base=0.01))
    async def declines() -> None:
        raise Declined("no funds")

    @jobs.task(isolation="process")
    async def gives_up() -> None:
        raise GiveUp("never")

    @jobs.task(isolation="process")
    async def snoozes() -> int:
        run = current_run()
        if "woken" not in told:
            told.append("woken")
            raise Snooze(0.01)
        return run.attempt

    async def note() -> AsyncGenerator[None]:
        told.append(f"entered {current_run().task}")
        yield
        told.append("left")

    async def made() -> AsyncGenerator[str]:
        told.append("made")
        yield "dependency"
        told.append("cleaned up")

    async def kept() -> AsyncGenerator[int]:
        told.append("kept")
        yield os.getpid()

    @jobs.task(isolation="process")
    def depends(text: str, made: str = use(made), kept: int = use(kept, per="node")) -> list:
        return [text, made, kept == os.getpid(), told]

    @jobs.task(isolation="process", retry=1)
    async def commits() -> None:
        async with transaction():
            pass

    @jobs.task(isolation="process", timeout="1s", retry=1)
    def long() -> str:
        current_run().extend("30s")
        time.sleep(1.5)
        return current_run().idempotency_key

    @jobs.task(isolation="process")
    def reports(file: str) -> None:
        for done in range(1000):
            current_run().progress(done, 1000)
        current_run().progress(1000, 1000, "all")
        logging.getLogger("shop").warning("done %s", 1000)
        while not os.path.exists(file):
            time.sleep(0.01)

    @jobs.task(isolation="process")
    def fans_out() -> int:
        return pid.enqueue_sync().id

    @jobs.task(isolation="process")
    async def fans_out_async() -> list[int]:
        run = await pid.enqueue()
        return [run.id, await run.result("20s"), (await pid.enqueue()).id]

    @jobs.task(isolation="process")
    def placed(change: bool) -> tuple[str, dict]:
        if change:
            current_node().labels.set(zone="us")
        return current_node().name, dict(current_node().labels)

    @tasks.task(isolation="process")
    def collected() -> str:
        return "collected"

    def bare() -> str:
        return "bare"

    renamed = jobs.task(name="renamed", isolation="process")(bare)
    jobs.include(tasks)
"""


@pytest.fixture
def shop(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module above, imported as its child processes will."""
    (tmp_path / "recycled_shop.py").write_text(textwrap.dedent(SHOP))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("HOWDAH_DSN", dsn)
    yield importlib.import_module("recycled_shop")
    del sys.modules["recycled_shop"]


ORDER = {
    "number": 3,
    "at": "2030-01-02T03:04:05Z",
    "price": "1.10",
    "key": "12345678-1234-5678-1234-567812345678",
    "raw": "AAE=",
    "lines": ["ä", "b"],
}


async def test_a_handler_sees_the_same_values_in_every_executor(shop: Any) -> None:
    order = msgspec.convert(ORDER, shop.Order, strict=False)
    async with shop.jobs.work():
        tasks = shop.here, shop.there, shop.there_sync
        seen = {await (await task.enqueue(order, {"x", "y"}, rest={"z": order})).result("20s") for task in tasks}

    assert len(seen) == 1
    assert seen == {shop.shown(order, {"x", "y"}, {"z": order})}


async def test_a_function_reads_the_labels_of_its_node_as_they_are_when_it_starts_and_cannot_change_them(shop: Any) -> None:
    async with shop.jobs.work() as node:
        assert await (await shop.placed.enqueue(change=False)).result("20s") == (node.name, {})
        node.labels.set(zone="eu", gpu=True, mem_gb=32, load=0.5)
        assert await (await shop.placed.enqueue(change=False)).result("20s") == (node.name, dict(node.labels))
        with pytest.raises(RunFailed, match="labels of a node can only be read in a process of a task's own"):
            await (await shop.placed.options(retry=1).enqueue(change=True)).result("20s")
        assert node.labels["zone"] == "eu"


async def test_over_its_memory_the_child_is_killed_and_the_attempt_fails_with_that_reason(shop: Any) -> None:
    async with shop.jobs.work():
        with pytest.raises(RunFailed, match=r"held \d+ MB, over its limit of 150 MB") as caught:
            await (await shop.fill.enqueue(300)).result("20s")
        assert caught.value.is_a(MemoryExceeded)
        assert caught.value.is_a(ProcessDied)
        assert await (await shop.fill.enqueue(1)).result("20s") == 10**6


async def test_a_child_is_recycled_after_max_runs(shop: Any) -> None:
    async with shop.jobs.work():
        pids = [await (await shop.pid.enqueue()).result("20s") for _ in range(4)]

    assert pids[0] == pids[1] != pids[2] == pids[3]
    assert os.getpid() not in pids


async def test_a_timeout_and_a_cancellation_kill_what_no_thread_could_end(shop: Any) -> None:
    async with shop.jobs.work():
        with pytest.raises(RunFailed, match="longer than its timeout of 1 s"):
            await (await shop.block.enqueue()).result("20s")
        run = await shop.block.options(timeout="1h").enqueue()
        while await run.status() != "running":
            await anyio.sleep(0)
        await run.cancel("enough")
        with pytest.raises(RunCancelled, match="cancelled"):
            await run.result("10s")


async def test_a_crash_fails_its_attempt_with_a_clear_reason_and_the_next_one_works(shop: Any, db: Db) -> None:
    async with shop.jobs.work():
        run = await shop.crash.enqueue()
        assert await run.result("20s") == 2
    recorded = await db.fetchval("select data from howdah.event where run = $1 and kind = 4", run.id)
    assert "was ended by SIGSEGV: native code in it failed" in recorded
    assert "in crash" in msgspec.json.decode(recorded)["traceback"]


async def test_what_a_function_raises_means_there_what_it_means_elsewhere(shop: Any) -> None:
    async with shop.jobs.work():
        with pytest.raises(RunFailed, match="no funds") as declined:
            await (await shop.declines.enqueue()).result("20s")
        with pytest.raises(RunFailed, match="never") as gave_up:
            await (await shop.gives_up.enqueue()).result("20s")
        assert await (await shop.snoozes.enqueue()).result("20s") == 1

    assert declined.value.is_a(shop.Declined)
    assert (declined.value.error_type, declined.value.attempt) == ("recycled_shop.Declined", 2)
    assert "in declines" in declined.value.traceback
    assert gave_up.value.attempt == 1


async def test_dependencies_are_resolved_in_the_child_and_live_as_long_as_it(shop: Any) -> None:
    async with shop.jobs.work():
        first = await (await shop.depends.enqueue("a")).result("20s")
        second = await (await shop.depends.enqueue("b")).result("20s")

    assert first == ["a", "dependency", True, ["made", "kept"]]
    assert second == ["b", "dependency", True, ["made", "kept", "cleaned up", "made"]]


async def test_a_transaction_of_the_node_is_refused_with_what_to_do_instead(shop: Any) -> None:
    async with shop.jobs.work():
        with pytest.raises(RunFailed, match="leave isolation= out, or commit on a connection of your own"):
            await (await shop.commits.enqueue()).result("20s")


async def test_an_attempt_extends_its_time_and_knows_its_key_there_too(shop: Any, db: Db) -> None:
    async with shop.jobs.work():
        run = await shop.long.enqueue()
        key = await run.result("20s")

    assert key == str(uuid5(await db.fetchval("select id from howdah.installation"), str(run.id)))


async def test_progress_and_logs_of_an_attempt_come_from_there_too(shop: Any, db: Db, tmp_path: Path) -> None:
    file = tmp_path / "enough"
    async with shop.jobs.work():
        run = await shop.reports.enqueue(str(file))
        while await db.fetchval("select value ->> 'message' from howdah.progress where run = $1", run.id) != "all":
            await anyio.sleep(0)
        file.touch()
        await run.result("20s")

    (line,) = msgspec.json.decode(await db.fetchval("select logs from howdah.event where run = $1", run.id))
    assert line[1:] == ["WARNING", "shop", "done 1000"]


async def test_what_is_enqueued_there_is_a_child_of_the_run(shop: Any, db: Db) -> None:
    async with shop.jobs.work():
        run = await shop.fans_out.enqueue()
        child = await run.result("20s")

        other = await shop.fans_out_async.enqueue()
        first, result, second = await other.result("20s")

    assert await db.fetchval("select parent from howdah.run where id = $1", child) == run.id
    assert result not in (None, os.getpid())
    assert [row[0] for row in await db.fetch("select parent from howdah.run where id = any($1)", [first, second])] == [other.id] * 2


async def test_a_child_finds_its_task_under_another_name_and_in_a_collection(shop: Any) -> None:
    async with shop.jobs.work():
        assert await (await shop.collected.enqueue()).result("20s") == "collected"
        assert await (await shop.renamed.enqueue()).result("20s") == "bare"


async def test_middleware_stands_around_the_attempt_where_it_is_made(shop: Any) -> None:
    shop.jobs.middleware(shop.note)
    async with shop.jobs.work():
        seen = await (await shop.depends.enqueue("a")).result("20s")

    assert seen[3] == ["entered depends", "made", "kept"]
    assert shop.told == []


async def test_middleware_that_no_child_could_import_is_refused_at_the_start(shop: Any) -> None:
    @shop.jobs.middleware
    async def hidden() -> AsyncGenerator[None, None]:
        yield

    with pytest.raises(ConfigurationError, match=r"cannot import the middleware .*hidden: it is defined inside of"):
        async with shop.jobs.work():
            pass


async def test_a_function_that_no_child_could_import_is_refused_at_its_definition(jobs: App) -> None:
    with pytest.raises(ConfigurationError, match=r"imports its function by name: it is defined inside of test_a_function.*top level"):

        @jobs.task(isolation="process")
        def inner() -> None: ...

    with pytest.raises(ConfigurationError, match="it is a lambda"):
        jobs.task(name="one", isolation="process")(lambda: None)


SCRIPT = """
    import asyncio, os
    from howdah import App

    jobs = App()

    class Own(Exception): ...

    @jobs.task(isolation="process", retry=1)
    def work(how: str) -> int:
        if how == "raise":
            raise Own("of the script")
        return os.getpid()

    async def main():
        async with jobs.work():
            print(await (await work.enqueue("pid")).result("20s") != os.getpid())
            try:
                await (await work.enqueue("raise")).result("20s")
            except Exception as error:
                print(error.is_a(Own), error)

    {start}
"""


@pytest.mark.parametrize(
    ("start", "says"),
    [
        ('if __name__ == "__main__": asyncio.run(main())', "True\nTrue run"),
        ("asyncio.run(main())", "which imports this module for its tasks and starts nothing: put what starts your program under"),
    ],
)
async def test_a_script_may_hold_its_tasks_and_hears_that_it_would_start_itself_again(
    dsn: str, tmp_path: Path, start: str, says: str
) -> None:
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT).replace("{start}", start))
    done = subprocess.run(
        [sys.executable, script], env={**os.environ, "HOWDAH_DSN": dsn}, capture_output=True, text=True, timeout=60, check=False
    )

    assert says in done.stdout + done.stderr
    if done.returncode == 0:
        assert "__main__.Own: of the script" in done.stdout
