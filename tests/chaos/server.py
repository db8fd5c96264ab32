"""A Postgres of the storm's own, which may be stopped in any way, run out of disk, and be replaced by its standby.

Its address is a link to the directory of its socket: after a failover it leads to the new server, as an address that moves does.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
import anyio.to_thread
import asyncpg
from howdah.embedded import Embedded
from howdah.embedded import postmaster as pm
from howdah.embedded.account import account_for, surroundings
from howdah.embedded.binaries import major_version, reachable_binaries

DATABASE = "chaos"
START_S = 60.0
QUEUE_PAGES = 64
"""The fewest that Postgres allows: 512 kB of notifications."""
SETTINGS = {
    "fsync": "off",  # Servers are killed, machines are not: what was written is in the kernel's hands.
    "max_connections": "100",
    "shared_buffers": "256MB",
    "wal_level": "replica",
    "max_wal_senders": "4",
    "max_wal_size": "512MB",
    "wal_keep_size": "256MB",
    "log_min_messages": "warning",
}


class Server:
    """One at a time is the primary."""

    def __init__(self, folder: Path, disk_mb: int) -> None:
        self._folder = folder
        self._disk_mb = disk_mb
        self._bases: list[Path] = []
        self._all: list[Embedded] = []
        self._link = folder / "address"

    @property
    def dsn(self) -> str:
        return f"postgresql://postgres@/{DATABASE}?host={quote(str(self._link))}"

    @property
    def socket(self) -> str:
        """Where a proxy connects to."""
        return str(self._link / ".s.PGSQL.5432")

    @property
    def disk(self) -> Path:
        """The folder that the primary's data lies in."""
        return self._bases[-1]

    @property
    def has_small_disk(self) -> bool:
        """Whether that is a file system of its own."""
        return self.disk.is_mount()

    @property
    def primary(self) -> Embedded:
        return self._all[-1]

    def begin(self) -> None:
        """Blocks until it takes connections."""
        base = self._new_base()
        self._bases.append(base)
        self._all.append(Embedded(base, settings=self._settings(base)).start())
        self.point()

    def point(self) -> None:
        """Moves the address to the primary."""
        fresh = self._link.with_suffix(".new")
        fresh.symlink_to(self.primary.sockets)
        fresh.replace(self._link)

    def prepare_standby(self) -> Embedded:
        """A copy of the primary that follows it. Blocks."""
        base = self._new_base()
        account = account_for(base)
        if account.uid != os.geteuid():
            os.chown(base, *account)
        programs = reachable_binaries(base, account)
        subprocess.run(
            [str(programs / "pg_basebackup"), "-h", str(self.primary.sockets), "-U", "postgres", "-D", str(base / "data"),
             "-X", "stream", "-c", "fast", "-R", "--no-sync"],
            check=True, capture_output=True, **surroundings(account),
        )  # fmt: skip
        return Embedded(base, settings=self._settings(base)).start()

    def succeed(self, standby: Embedded) -> None:
        """The primary is dead, long live the primary."""
        self._all.append(standby)
        self._bases.append(standby.path.parent)
        self.point()

    async def stop(self, how: signal.Signals) -> None:
        """SIGINT: fast, SIGQUIT: immediate, as in a crash."""
        pid = pm.running_pid(self.primary.path)
        if pid is not None:
            os.kill(pid, how)
            assert await anyio.to_thread.run_sync(pm.wait_until_gone, pid, self.primary.path, START_S)

    async def start(self) -> None:
        await anyio.to_thread.run_sync(self.primary.start)

    async def ask(self, question: str, *args: object, patience_s: float = START_S) -> Any:
        """One value, from a session of its own: again until it is answered."""
        rows = await self.fetch(question, *args, patience_s=patience_s)
        return rows[0][0] if rows else None

    async def fetch(self, question: str, *args: object, patience_s: float = START_S) -> Sequence[Any]:
        deadline = time.monotonic() + patience_s
        while True:
            try:
                db = await self.connect("chaos")
                try:
                    return await db.fetch(question, *args)
                finally:
                    db.terminate()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                if time.monotonic() > deadline:
                    raise
            await anyio.sleep(0.2)

    async def enqueue(self, statement: str, *args: object) -> None:
        """Once: whoever cannot tell whether it took effect leaves it at that."""
        with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            db = await self.connect("chaos")
            try:
                await db.fetch(statement, *args)
            finally:
                db.terminate()

    async def runs(self) -> bool:
        """Whether the primary is alive."""
        return await anyio.to_thread.run_sync(pm.running_pid, self.primary.path) is not None

    async def take_all_connections(self, seconds: float) -> None:
        """Whatever connection comes free meanwhile is taken, too."""
        mine: list[asyncpg.Connection] = []
        try:
            with anyio.move_on_after(seconds):
                while True:
                    try:
                        mine.append(await self.connect("chaos crowd"))
                    except (OSError, TimeoutError, asyncpg.PostgresError):
                        await anyio.sleep(0.02)
        finally:
            for each in mine:
                each.terminate()

    async def follow(self, *, synchronous: bool) -> None:
        """Waits until the standby streams; from then on commits wait for a synchronous one."""
        if synchronous:
            db = await self.connect("chaos")
            await db.execute("alter system set synchronous_standby_names = '*'")
            await db.execute("select pg_reload_conf()")
            db.terminate()
        wanted = "sync" if synchronous else "async"
        with anyio.fail_after(START_S):
            while not await self.ask(
                "select exists (select from pg_stat_replication where state = 'streaming' and sync_state = $1)", wanted
            ):
                await anyio.sleep(0.05)

    async def fall_behind(self, standby: Embedded) -> None:
        """From now on the standby hears nothing more of the primary."""
        db = await asyncpg.connect(standby.dsn())
        await db.execute("alter system set primary_conninfo = ''")
        await db.execute("select pg_reload_conf()")
        with anyio.fail_after(START_S):
            while await db.fetchval("select exists (select from pg_stat_wal_receiver)"):
                await anyio.sleep(0.02)
        db.terminate()

    async def promote(self) -> None:
        """The standby becomes a primary."""
        await self.ask("select pg_promote(true, 60)")

    async def connect(self, name: str) -> asyncpg.Connection:
        """A session under this name. Those of howdah are called howdah something."""
        return await asyncpg.connect(self.dsn, timeout=5, command_timeout=600, server_settings={"application_name": name})

    def close(self) -> None:
        """Ends every server and takes its disk away."""
        for each in reversed(self._all):
            each.stop()
            each.release()
        for base in self._folder.glob("pg*"):
            if base.is_mount():
                subprocess.run(["umount", "-l", str(base)], check=False)

    def _new_base(self) -> Path:
        base = self._folder / f"pg{len(list(self._folder.glob('pg*')))}"
        base.mkdir(mode=0o755)
        self._mount(base)
        return base

    def _settings(self, base: Path) -> dict[str, str]:
        account = account_for(base)
        major = major_version(reachable_binaries(base, account), account)
        return SETTINGS | ({"max_notify_queue_pages": str(QUEUE_PAGES)} if major >= 17 else {})

    def _mount(self, base: Path) -> None:
        """A file system of its own that can be filled up. Only root may: others go without that fault."""
        if self._disk_mb and os.geteuid() == 0 and shutil.which("mount") is not None:
            options = f"size={self._disk_mb}m,mode=0755"
            subprocess.run(["mount", "-t", "tmpfs", "-o", options, "howdah-chaos", str(base)], check=False, capture_output=True)
