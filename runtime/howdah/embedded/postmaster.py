"""The server process: who it is, whether it answers, how it is stopped. A process id alone is never trusted, for it may be reused."""

import itertools
import os
import select
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

_PORT = 5432
_PROBE_S = 2.0
_STILL_STARTING = b"57P03"  # cannot_connect_now: starting up, recovering or shutting down
_POLL_S = 0.01
_SHUTDOWN_S = 60.0


def recorded_pid(data: Path) -> int | None:
    """What postmaster.pid says, true or stale."""
    try:
        return int((data / "postmaster.pid").read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None


def recorded_ready(data: Path) -> bool:
    """Whether the server has written into postmaster.pid that it is ready: cheaper to ask than the server."""
    try:
        return "\nready" in (data / "postmaster.pid").read_text()
    except FileNotFoundError:
        return False


def running_pid(data: Path) -> int | None:
    """The process id of the living postmaster of this data directory, if there is one."""
    pid = recorded_pid(data)
    return pid if pid is not None and is_postmaster(pid, data) else None


def is_postmaster(pid: int, data: Path) -> bool:
    """Whether this process was started as `... -D data`: the check against a reused process id."""
    wanted = str(data)
    if sys.platform == "linux":
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="surrogateescape").split("\0")
        except OSError:
            return False
        return ("-D", wanted) in itertools.pairwise(words)
    told = subprocess.run(["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return f" -D {wanted} " in f"{told.strip()} "


def accepts(sockets: Path) -> bool:
    """Whether a server in this socket directory takes connections (also when it is full: then it is merely busy)."""
    with suppress(OSError), socket.socket(socket.AF_UNIX) as client:
        client.settimeout(_PROBE_S)
        client.connect(str(sockets / f".s.PGSQL.{_PORT}"))
        words = b"\0\3\0\0user\0postgres\0database\0postgres\0\0"
        client.sendall((len(words) + 4).to_bytes(4, "big") + words)
        answer = client.recv(4096)
        if answer.startswith(b"R"):
            with suppress(OSError):
                client.sendall(b"X\0\0\0\4")  # a polite end keeps the log quiet; the answer counts without it
            return True
        return answer.startswith(b"E") and b"C" + _STILL_STARTING not in answer.split(b"\0")
    return False


def wait_until_gone(pid: int, data: Path, limit_s: float) -> bool:
    """Wait for the end of this postmaster; false when it outlived the limit."""
    deadline = time.monotonic() + limit_s
    if (handle := _handle_of(pid)) is not None:
        try:
            return not is_postmaster(pid, data) or readable(handle, limit_s)
        finally:
            os.close(handle)
    while is_postmaster(pid, data):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True


def _handle_of(pid: int) -> int | None:
    """A descriptor that tells the end of the process, where the kernel and this Python know such a thing."""
    if sys.platform == "linux" and hasattr(os, "pidfd_open"):
        with suppress(OSError):
            return os.pidfd_open(pid)
    return None


def readable(file: int, limit_s: float) -> bool:
    """Wait until there is something to read, or the end. Unlike select, poll takes the high numbers of a busy process."""
    poll = select.poll()
    poll.register(file, select.POLLIN)
    return bool(poll.poll(limit_s * 1000))


def shut_down(pid: int, data: Path) -> None:
    """End the postmaster: fast (sessions are closed, nothing is lost), and after a minute at once (the next start recovers)."""
    for sign in (signal.SIGINT, signal.SIGQUIT):
        if not is_postmaster(pid, data):
            return
        with suppress(ProcessLookupError):
            os.kill(pid, sign)
        if wait_until_gone(pid, data, _SHUTDOWN_S):
            return
