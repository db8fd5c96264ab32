"""What befalls Postgres as a whole."""

import signal
import subprocess
from pathlib import Path

import anyio
import anyio.to_thread
import asyncpg
import msgspec

from ..scene import Scene
from ..schedule import Fault

FILLED_S = 10.0
LOST = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


async def restart(scene: Scene, fault: Fault) -> None:
    """Stopped in good order, or as a crash does it, and started after a while."""
    with scene.noting(fault):
        await scene.server.stop(signal.SIGINT if fault.variant == "fast" else signal.SIGQUIT)
        await anyio.sleep(fault.lasts_s)
        await scene.server.start()


async def snapshot(scene: Scene, fault: Fault) -> None:
    """A session that keeps a snapshot: no dead row is cleaned up meanwhile."""
    with scene.noting(fault):
        db = await scene.server.connect("chaos snapshot")
        try:
            await db.execute("begin isolation level repeatable read")
            await db.fetchval("select count(*) from howdah.job")
            await anyio.sleep(fault.lasts_s)
        except LOST:
            pass  # Another fault took it.
        finally:
            db.terminate()


async def full_queue(scene: Scene, fault: Fault) -> None:
    """A session that listens and sits in its transaction keeps every notification, until there is room for none."""
    with scene.noting(fault) as noted:
        listener = await scene.server.connect("chaos listener")
        noisy = await scene.server.connect("chaos noise")
        try:
            await listener.execute("listen chaos_noise")
            await listener.execute("begin")
            await listener.fetchval("select 1")
            with anyio.move_on_after(FILLED_S):
                noted.target = await _fill(noisy)
            await anyio.sleep(fault.lasts_s)
        except LOST:
            pass
        finally:
            listener.terminate()
            noisy.terminate()


async def _fill(noisy: asyncpg.Connection) -> str:
    number = 0
    while True:
        try:
            await noisy.execute("select pg_notify('chaos_noise', $1 || repeat('x', 7000))", f"{number}")
        except asyncpg.ProgramLimitExceededError:
            return f"full after {number}"
        number += 1


async def full_disk(scene: Scene, fault: Fault) -> None:
    """Not a byte is left, for data or for the log. Postgres fails statements, or ends; it is started again when there is room."""
    server = scene.server
    if not server.has_small_disk:
        scene.skipped["full_disk"] = "the data of the server is on no file system of its own (only root can make one)"
        return
    ballast = server.disk / "ballast"
    with scene.noting(fault) as noted:
        try:
            await anyio.to_thread.run_sync(_take_all, ballast)
            await anyio.sleep(fault.lasts_s)
        finally:
            ballast.unlink(missing_ok=True)
            noted.target = "it ran on" if await server.runs() else "it ended"
            await server.start()


def _take_all(ballast: Path) -> None:
    """Takes what is free, by and by: what the server frees meanwhile, too."""
    block = b"\0" * 2**20
    with ballast.open("wb", buffering=0) as file:
        while block:
            try:
                file.write(block)
            except OSError:
                block = block[: len(block) // 2]


async def failover(scene: Scene, fault: Fault) -> None:
    """The primary dies, and its standby takes its place and its address. What a synchronous one was promised it has."""
    server = scene.server
    with scene.noting(msgspec.structs.replace(fault, kind="standby")):
        try:
            standby = await anyio.to_thread.run_sync(server.prepare_standby)
        except subprocess.CalledProcessError as error:
            scene.skipped["failover"] = f"another fault was in the way of the copy: {error.stderr.decode()[-200:]}"
            return
        await server.follow(synchronous=fault.variant == "synchronous")
        await anyio.sleep(fault.lasts_s)
    with scene.noting(fault):
        await server.stop(signal.SIGQUIT)
        await anyio.to_thread.run_sync(server.succeed, standby)
        await server.promote()
