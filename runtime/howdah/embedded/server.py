"""The face of the embedded Postgres: one server per base directory, used by any number of processes at once.

Each user process shares the lock `users`; a detached watchdog owns the server and stops it when nobody does any more.
"""

import atexit
import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self
from urllib.parse import quote

from ..errors import EmbeddedError
from . import binaries, cluster, locks, postmaster, sockets
from .account import account_for, clean_environment

_START_S = 60.0
_POLL_S = 0.005
_OTHERS_SHARE = 2
_HIDDEN_S = 5.0
_ORPHANS_S = 10.0
_LOG_BYTES_MAX = 10 * 2**20


def default_base() -> Path:
    """Where the shared server of this user lives: HOWDAH_HOME, else /var/lib/howdah for root, else the user's data directory."""
    if chosen := os.environ.get("HOWDAH_HOME"):
        return Path(chosen)
    if os.geteuid() == 0:
        # Root's home is closed to the user that Postgres will run as.
        return Path(f"/var/lib/howdah/default-{os.geteuid()}")
    shared = os.environ.get("XDG_DATA_HOME")
    return (Path(shared) if shared else Path.home() / ".local" / "share") / "howdah" / "default"


class Embedded:
    """A Postgres server of this machine, shared by every process that starts one with the same base directory.

    `settings` are server settings; they count for the process that actually starts the server.
    """

    def __init__(self, base: Path | None = None, *, settings: Mapping[str, str] | None = None) -> None:
        if os.name != "posix":
            message = "The embedded Postgres needs Linux or macOS. On Windows use WSL, or name a server of your own in HOWDAH_DSN."
            raise EmbeddedError(message)
        # Resolved, so that two spellings of one place share one server.
        self._base = (base if base is not None else default_base()).expanduser().resolve()
        self._settings = dict(settings or {})
        self._users: int | None = None

    @property
    def path(self) -> Path:
        """The data directory."""
        return self._base / "data"

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self._base / "log"

    @property
    def sockets(self) -> Path:
        """The directory of the server's socket."""
        return sockets.sockets_of(self._base, account_for(self._base))

    def dsn(self, database: str = "postgres") -> str:
        """How to connect, for asyncpg, psycopg and SQLAlchemy alike; valid while the server runs."""
        address = f"postgresql://postgres@/{quote(database, safe='')}?host={quote(str(self.sockets))}"
        # Drivers take a port that is not named from the environment, where it means another server.
        return f"{address}&port=5432" if os.environ.get("PGPORT", "5432") != "5432" else address

    def running(self) -> bool:
        """Whether the server takes connections."""
        return postmaster.accepts(self.sockets)

    def start(self) -> Self:
        """Use the server, starting it if it does not run; blocks until it takes connections. Again is allowed."""
        cluster.prepare_base(self._base, account_for(self._base))
        with locks.exclusive(self._base / "lock"):
            entered = self._users is None
            if self._users is None:
                self._users = locks.share(self._base / "users")
            try:
                self._ensure_running()
            except BaseException:
                if entered:
                    self._leave()
                raise
        if entered:
            atexit.register(self.release)
        return self

    def release(self) -> None:
        """Use the server no more. The last user waits for the clean stop, as a container may end with this process."""
        if self._users is None:
            return
        atexit.unregister(self.release)
        with locks.exclusive_at_once(self._base / "lock") as free:
            self._leave()
            if free and self._nobody_is_left():
                self._shut_down()
            # Otherwise somebody is starting, stopping or using it: the watchdog will see to the rest.

    def stop(self) -> list[str]:
        """Stop the server although it may be in use; returns who used it. Their sessions end, what is committed stays."""
        if not self._base.exists():
            return []
        users = [user for pid in locks.holders(self._base / "users") if (user := _describe(pid))]
        with locks.exclusive(self._base / "lock"):
            self._shut_down()
        return users

    def reset(self) -> None:
        """Delete the data. Refuses while any process uses the server."""
        if not self._base.exists():
            return
        with locks.exclusive(self._base / "lock"):
            if not self._nobody_is_left():
                users = ", ".join(_describe(pid) for pid in locks.holders(self._base / "users")) or "another process"
                message = f"The Postgres in {self._base} is in use by {users}. End that first; nothing was deleted."
                raise EmbeddedError(message)
            self._shut_down()
            for directory in (self.sockets, self.path, *self._base.glob("data.tmp.*")):
                if directory.exists():
                    shutil.rmtree(directory)
            self.log.unlink(missing_ok=True)

    def outlive_exec(self) -> None:
        """Let the program that replaces this process by exec count as the user."""
        if self._users is not None:
            os.set_inheritable(self._users, True)  # noqa: FBT003 - the signature is the standard library's

    def _leave(self) -> None:
        # Closed, never unlocked: a forked child shares the lock and may still use the server.
        if self._users is not None:
            os.close(self._users)
            self._users = None

    def _nobody_is_left(self) -> bool:
        """Under the start lock: whether nobody shares the users' lock.

        The watchdog, woken by our leaving, holds it alone for one moment and then waits for the start lock. So one failure
        may be the watchdog's; a second one after the lock could be shared means that others share it.
        """
        file = locks.open_lock(self._base / "users")
        shared_by_others = 0
        try:
            while shared_by_others < _OTHERS_SHARE:
                if locks.try_lock(file, fcntl.LOCK_EX):
                    return True
                if locks.try_lock(file, fcntl.LOCK_SH):
                    shared_by_others += 1
                    fcntl.flock(file, fcntl.LOCK_UN)
                else:
                    time.sleep(_POLL_S)
        finally:
            os.close(file)
        return False

    def _shut_down(self) -> None:
        """Under the start lock: end the server if one runs."""
        try:
            pid = postmaster.running_pid(self.path)
            if pid is not None:
                postmaster.shut_down(pid, self.path)
        except PermissionError as error:
            message = f"The Postgres in {self._base} belongs to another user. Ask that user, or root, to stop it."
            raise EmbeddedError(message) from error

    def _ensure_running(self) -> None:
        """Under the start lock: find a living server and see that it is watched, or start one."""
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            try:
                pid = postmaster.running_pid(self.path)
            except PermissionError as error:
                message = f"{self.path} belongs to another user. Choose a directory of your own, for example with HOWDAH_HOME."
                raise EmbeddedError(message) from error
            if pid is None:
                self._wait_for_watchdog(deadline)
                if self._launch(deadline):
                    return
            elif not self._becomes_ready(pid, deadline):
                continue  # It was on its way out, or its start failed.
            elif locks.is_held(self._base / "watch") or self._adopt(pid):
                return
        message = (
            f"Postgres in {self._base} did not take connections within {_START_S:.0f} s. Its log, {self.log}, ends with:\n{self._tail(0)}"
        )
        raise EmbeddedError(message)

    def _becomes_ready(self, pid: int, deadline: float) -> bool:
        while time.monotonic() < deadline:
            if postmaster.accepts(self.sockets):
                return True
            if postmaster.recorded_ready(self.path) and not (self.sockets / ".s.PGSQL.5432").exists():
                message = (
                    f"Postgres runs in {self._base}, but its socket in {self.sockets} is not there: it was deleted, or this "
                    "process has a private /tmp. Run `howdah db stop` and start again."
                )
                raise EmbeddedError(message)
            if postmaster.wait_until_gone(pid, self.path, 10 * _POLL_S):
                return False
        return False

    def _wait_for_watchdog(self, deadline: float) -> None:
        """A watchdog without a server is ending, or its server lives where we cannot see it."""
        patience = min(deadline, time.monotonic() + _HIDDEN_S)
        while locks.is_held(self._base / "watch"):
            if time.monotonic() > patience:
                message = (
                    f"The Postgres in {self._base} is run by a process that is not visible here, probably in another container. "
                    "Give each container a HOWDAH_HOME of its own, or name one server in HOWDAH_DSN."
                )
                raise EmbeddedError(message)
            time.sleep(_POLL_S)

    def _launch(self, deadline: float) -> bool:
        """Start the server under a new watchdog; false when it is worth trying again."""
        account = account_for(self._base)
        programs = binaries.reachable_binaries(self._base, account)
        major = binaries.major_version(programs, account)
        if (self.path / "PG_VERSION").exists():
            cluster.check_version(self.path, programs, major)
        else:
            cluster.make_cluster(self._base, programs, major, account, self._settings)
        account = account_for(self._base)
        sockets.make_sockets(self.sockets, account)
        settings = cluster.shared_memory_settings() | self._settings
        command = [str(programs / "postgres"), "-D", str(self.path), "-k", str(self.sockets), "-h", ""]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        began_at = self._log_size()
        report = self._spawn(command, None)
        try:
            while time.monotonic() < deadline:
                if postmaster.recorded_ready(self.path) and postmaster.accepts(self.sockets):
                    return True
                if _ended(report, _POLL_S):
                    break
        finally:
            os.close(report)
        told = self._tail(began_at)
        if "shared memory block" in told and "still in use" in told and deadline - time.monotonic() > _START_S - _ORPHANS_S:
            # The children of a postmaster that was killed need a moment to notice.
            time.sleep(0.1)
            return False
        message = f"Postgres in {self._base} did not start. It said:\n{told}"
        raise EmbeddedError(message)

    def _adopt(self, pid: int) -> bool:
        """Give a server whose watchdog was killed a new one."""
        report = self._spawn([], pid)
        try:
            return os.read(report, 1) == b"+"
        finally:
            os.close(report)

    def _spawn(self, command: list[str], adopt: int | None) -> int:
        """Start a watchdog in its own session; returns a pipe that says `+` when it watches and ends when it ends."""
        account = account_for(self._base)
        os.close(locks.open_lock(self._base / "watch"))
        log = locks.open_log(self.log)
        report, reporting = os.pipe()
        order = {
            "base": str(self._base),
            "data": str(self.path),
            "report": reporting,
            "account": None if account.uid == os.geteuid() else list(account),
            "command": command,
            "adopt": adopt,
        }
        environment = clean_environment()
        if (stale := postmaster.recorded_pid(self.path)) is not None and adopt is None:
            # Postgres would take any living process of that number, which a container reuses at once, for a rival. This
            # variable, pg_ctl's own, exempts the number; the check of the shared memory stays.
            environment["PG_GRANDPARENT_PID"] = str(abs(stale))
        program = Path(__file__).with_name("watchdog.py")
        try:
            subprocess.run(
                [sys.executable, "-I", "-S", str(program), json.dumps(order)],
                pass_fds=(reporting,),
                start_new_session=True,
                cwd="/",
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                check=False,
            )
        finally:
            os.close(reporting)
            os.close(log)
        return report

    def _log_size(self) -> int:
        with contextlib.suppress(FileNotFoundError):
            if self.log.stat().st_size <= _LOG_BYTES_MAX:
                return self.log.stat().st_size
            self.log.replace(self._base / "log.1")
        return 0

    def _tail(self, since: int) -> str:
        try:
            with self.log.open("rb") as log:
                log.seek(since)
                return log.read()[-2000:].decode(errors="replace")
        except FileNotFoundError:
            return ""


def _ended(report: int, limit_s: float) -> bool:
    """Whether the watchdog is gone; waits a little for it, or for its sign of life."""
    return postmaster.readable(report, limit_s) and os.read(report, 1) == b""


def _describe(pid: int) -> str:
    """A process as a person knows it."""
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        return f"process {pid} ({' '.join(words).strip()[:80]})"
    return f"process {pid}"
