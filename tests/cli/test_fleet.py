"""`howdah worker --processes N`: it supervises, passes signals on, and leaves nobody behind."""

import asyncio
import errno
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest
from howdah.cli import fleet
from howdah.cli.voice import Voice

from ..recovery.nodes import bury
from .programs import PATIENCE_S, begin, beside, howdah
from .shop import write_shop
from .terminals import CTRL_C, on_terminal

pytestmark = pytest.mark.anyio

Db = asyncpg.Connection


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return write_shop(tmp_path)


async def pids(db: Db, count: int, without: int = 0) -> set[int]:
    """The processes of the nodes, when so many are there and this one is not among them."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found = {row[0] for row in await db.fetch("select pid from howdah.nodes where alive")}
            if len(found) == count and without not in found:
                return found
            await asyncio.sleep(0.02)


async def enqueue(db: Db, task: str, s: float) -> int:
    return await db.fetchval("select howdah.enqueue($1, json_build_object('s', $2::float8))", task, s)


async def stay(db: Db) -> int:
    """A run that ends when the file `leave` is there."""
    return await db.fetchval("select howdah.enqueue('stay')")


async def test_so_many_nodes_work_and_a_signal_to_the_one_process_drains_all_of_them(dsn: str, db: Db, shop: Path) -> None:
    runs = [await stay(db) for _ in range(2)]
    async with begin("worker", "shop", "-c", "1", cwd=shop, HOWDAH_DSN=dsn, HOWDAH_WORKER_PROCESSES="2") as worker:
        await worker.told("2 processes of shop")
        begun = {(await worker.line()).split()[1] for _ in range(2)}
        assert len(await pids(db, 2)) == 2

        worker.send(signal.SIGTERM)
        await worker.told("Draining: 2 workers")
        (shop / "leave").touch()
        code, out, said = await worker.end()

    assert len(begun) == 2
    assert (code, out) == (0, "ended\nended\n")
    assert said.endswith("Stopped; every outcome is durable.\n")
    assert [await db.fetchval("select howdah.state($1)", run) for run in runs] == ["succeeded"] * 2
    assert await db.fetchval("select count(*) from howdah.node") == 0


async def test_one_that_dies_is_started_anew_and_what_it_held_comes_back(dsn: str, db: Db, shop: Path) -> None:
    async with begin("worker", "shop", "--processes", "2", cwd=shop, HOWDAH_DSN=dsn) as worker:
        await worker.told("Ready")  # One that dies before any has worked ends all: the next would die of the same.
        first = await pids(db, 2)
        victim = min(first)
        os.kill(victim, signal.SIGKILL)
        assert "was killed by SIGKILL. Another one starts in 0.5 s" in await worker.told("Another one starts")
        await bury(db, victim)
        second = await pids(db, 2, without=victim)
        assert max(first) in second
        worker.send(signal.SIGTERM)
        assert (await worker.end())[0] == 0


async def test_the_second_signal_hands_back_what_runs_and_for_programs_each_line_is_json(dsn: str, db: Db, shop: Path) -> None:
    run = await enqueue(db, "wait", 60)
    async with begin("worker", "shop", "--processes", "2", "--json", cwd=shop, HOWDAH_DSN=dsn) as worker:
        await worker.line()
        await pids(db, 2)
        worker.send(signal.SIGINT)
        await worker.told("Draining: 2 workers")
        worker.send(signal.SIGINT)
        code, _, said = await worker.end()
    events = [json.loads(line) for line in said.splitlines()]
    assert code == 0
    assert len({one["pid"] for one in events if one["event"] == "hurrying"}) == 3
    assert len([one for one in events if one["event"] == "stopped"]) == 3
    assert await db.fetchval("select howdah.state($1)", run) == "queued"


async def test_the_third_signal_ends_them_at_once_however_blocked_they_are(dsn: str, db: Db, shop: Path) -> None:
    await enqueue(db, "block", 60)
    async with begin("worker", "shop", "--processes", "2", cwd=shop, HOWDAH_DSN=dsn) as worker:
        blocked = int((await worker.line()).split()[1])
        await worker.insist(signal.SIGINT)
        assert (await worker.end())[0] == 130
    async with asyncio.timeout(PATIENCE_S):
        while psutil.pid_exists(blocked) and psutil.Process(blocked).status() != psutil.STATUS_ZOMBIE:
            await asyncio.sleep(0.01)


async def test_workers_whose_supervisor_was_killed_drain_and_leave(dsn: str, db: Db, shop: Path) -> None:
    run = await stay(db)
    async with begin("worker", "shop", "--processes", "2", cwd=shop, HOWDAH_DSN=dsn) as worker:
        await worker.line()
        await pids(db, 2)
        worker.send(signal.SIGKILL)
        await worker.told("The process that supervised this one is gone: it drains.")
        (shop / "leave").touch()
        await pids(db, 0)
        said = (await worker.end())[2]
    assert said.count("The process that supervised this one is gone: it drains.") == 1, "and once it was told above"
    assert await db.fetchval("select howdah.state($1)", run) == "succeeded"


async def test_one_that_reached_its_limit_is_started_anew_and_one_that_was_drained_by_order_is_not(dsn: str, db: Db, shop: Path) -> None:
    async with begin("worker", "shop", "--processes", "2", "--max-runs", "1", cwd=shop, HOWDAH_DSN=dsn) as worker:
        first = await pids(db, 2)
        await enqueue(db, "wait", 0)
        await worker.told("To be started anew")
        done = int((await worker.line()).split()[1])
        second = await pids(db, 2, without=done)
        assert len(first & second) == 1

        for name in [row[0] for row in await db.fetch("select name from howdah.nodes")]:
            assert (await beside("nodes", "drain", name, HOWDAH_DSN=dsn)).exit_code == 0
        code, _, said = await worker.end()
    assert code == 0
    assert said.count("was told to drain, and is not started anew") == 2


def test_workers_that_cannot_start_end_the_supervisor_instead_of_being_tried_for_ever(tmp_path: Path) -> None:
    done = howdah("worker", "shop", "--processes", "2", cwd=tmp_path, HOWDAH_DSN="postgresql://nobody@127.0.0.1:1/none")
    assert done.returncode == 1
    assert "there is no module 'shop'" in done.stderr
    assert "Traceback" not in done.stderr


async def test_on_a_terminal_one_ctrl_c_drains_several_processes_and_cancels_nothing(dsn: str, db: Db, shop: Path) -> None:
    """The terminal sends SIGINT to the whole group in the foreground: workers that heard that as well would count two."""
    runs = [await stay(db) for _ in range(2)]
    async with on_terminal("worker", "shop", "--processes", "2", "-c", "1", cwd=shop, HOWDAH_DSN=dsn) as terminal:
        await terminal.shows("begun")
        await terminal.shows("begun")
        terminal.press(CTRL_C)
        await terminal.shows("Draining: 2 workers")
        await terminal.shows("2 runs to end (stay x2), ")
        (shop / "leave").touch()
        await terminal.shows("Stopped; every outcome is durable.")
        assert await terminal.end() == 0
    assert "Hurrying" not in terminal.screen
    assert [await db.fetchval("select howdah.state($1)", run) for run in runs] == ["succeeded"] * 2


READY_AND = """
import os, signal, sys
os.write(int(sys.argv[-1]), b'{"ready": "here"}\\n')
WHAT
"""


async def test_a_worker_that_cannot_be_started_for_the_moment_is_tried_again_and_the_others_work_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The machine has no memory left: what one worker has died of keeps the next one from being started."""
    monkeypatch.setattr(fleet, "BACKOFF_S", 0.01)
    begin_process, begun = subprocess.Popen, list[list[str]]()

    def popen(command: list[str], **said: Any) -> "subprocess.Popen[bytes]":
        begun.append(command)
        if len(begun) == 3:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        what = "sys.exit(1)" if len(begun) == 2 else "signal.pause()"
        return begin_process([command[0], "-c", READY_AND.replace("WHAT", what), *command[-1:]], **said)

    monkeypatch.setattr(subprocess, "Popen", popen)
    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
        ended = group.create_task(fleet.Fleet(["shop"], 2, Voice(as_json=True)).run())
        while len(begun) < 4:
            await asyncio.sleep(0.01)
        signal.raise_signal(signal.SIGTERM)
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [one["event"] for one in events] == ["died", "unstarted", "draining", "stopped"]
    assert "could not be started: Resource temporarily unavailable" in events[1]["text"]
    assert events[2]["text"].startswith("Draining: 2 workers")
    assert ended.result() == 0
