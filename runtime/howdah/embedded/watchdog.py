"""The watchdog: parent of the postmaster, in a session of its own, until the last user is gone. Standard library only.

It is run as a file by `python -I -S` and imports nothing of the package: it outlives the process that started it.
`flock` is the whole protocol. It waits for the `users` lock, which it can only get when no process shares it any more.
"""

import fcntl
import itertools
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TypedDict

_SHUTDOWN_S = 60.0
_POLL_S = 0.1
_TAKE_WATCH_S = 5.0


class Order(TypedDict):
    """What the starter asks for: to run `command` as `account`, or to adopt the process `adopt`."""

    base: str
    data: str
    report: int
    account: list[int] | None
    command: list[str]
    adopt: int | None


class Server:
    """The postmaster, started here or adopted from a watchdog that was killed."""

    def __init__(self, pid: int, data: str, child: "subprocess.Popen[bytes] | None" = None) -> None:
        self._pid = pid
        self._data = data
        self._child = child
        self._handle: int | None = None
        if sys.platform == "linux" and hasattr(os, "pidfd_open"):
            # A handle cannot come to mean another process, as the number can. Some sandboxes have none.
            with suppress(OSError):
                self._handle = os.pidfd_open(pid)

    def is_ours(self) -> bool:
        """Whether the process still is the postmaster of our data directory."""
        if self._child is not None:
            return self._child.poll() is None
        if sys.platform == "linux":
            try:
                words = Path(f"/proc/{self._pid}/cmdline").read_bytes().split(b"\0")
            except OSError:
                return False
            return (b"-D", os.fsencode(self._data)) in itertools.pairwise(words)
        command = ["/bin/ps", "-ww", "-o", "command=", "-p", str(self._pid)]
        told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        return f" -D {self._data} " in f"{told.strip()} "

    def wait(self, limit_s: float | None = None) -> bool:
        """Wait for its end; false when it outlived the limit."""
        if self._handle is not None:
            return bool(select.select([self._handle], [], [], limit_s)[0])
        deadline = time.monotonic() + (limit_s if limit_s is not None else float("inf"))
        while self.is_ours():
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_S)
        return True

    def send(self, sign: signal.Signals) -> None:
        """Signal it; nothing happens when it is gone."""
        with suppress(ProcessLookupError):
            if sys.platform == "linux" and self._handle is not None:
                signal.pidfd_send_signal(self._handle, sign)
            elif self.is_ours():
                os.kill(self._pid, sign)

    def shut_down(self) -> None:
        """Shut it down fast, and after a minute at once: then the next start recovers."""
        self.send(signal.SIGINT)
        if not self.wait(_SHUTDOWN_S):
            self.send(signal.SIGQUIT)
            self.wait(_SHUTDOWN_S)


def hold_watch(base: Path) -> bool:
    """Take the lock that says a watchdog lives; the descriptor stays open until this process ends."""
    watch = os.open(base / "watch", os.O_RDWR)
    deadline = time.monotonic() + _TAKE_WATCH_S
    while True:
        try:
            fcntl.flock(watch, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # A predecessor is about to end, or somebody is just looking.
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        else:
            return True


def begin(order: Order) -> Server | None:
    """Start the postmaster, or adopt a living one."""
    if order["adopt"] is None:
        command = order["command"]
        if order["account"] is None:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, cwd="/", umask=0o077)
        else:
            uid, gid = order["account"]
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, cwd="/", umask=0o077, user=uid, group=gid, extra_groups=[])
        return Server(child.pid, order["data"], child)
    server = Server(order["adopt"], order["data"])
    # The handle came first: what is looked at now is what will be signalled later.
    return server if server.is_ours() else None


def wait_for_last_user(base: Path) -> None:
    """Return when no process uses the server, holding the start lock: who comes now waits for the clean stop."""
    users = os.open(base / "users", os.O_RDWR)
    start = os.open(base / "lock", os.O_RDWR)
    while True:
        fcntl.flock(users, fcntl.LOCK_EX)
        fcntl.flock(users, fcntl.LOCK_UN)
        fcntl.flock(start, fcntl.LOCK_EX)
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # Somebody began to use it between the two locks.
            fcntl.flock(start, fcntl.LOCK_UN)
        else:
            return


def main(order: Order) -> None:
    """Watch one server through its life."""
    base = Path(order["base"])
    if not hold_watch(base):
        return
    server = begin(order)
    if server is None:
        return

    def leave_with_the_server() -> None:
        server.wait()
        os._exit(0)

    def stop_now(_sign: int, _frame: FrameType | None) -> None:
        server.send(signal.SIGINT)

    # The starter may have blocked these signals, and a blocked signal stays blocked across exec.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    # The machine goes down, or a person asks for the end: a fast shutdown, and we leave with the server.
    signal.signal(signal.SIGTERM, stop_now)
    signal.signal(signal.SIGINT, stop_now)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    threading.Thread(target=leave_with_the_server, daemon=True).start()
    # The starter reads this byte, and the end of the stream when we end; it may be gone itself by now.
    with suppress(BrokenPipeError):
        os.write(order["report"], b"+")
    wait_for_last_user(base)
    server.shut_down()


if __name__ == "__main__":
    # Detached twice: the starter waits for this process, and keeps neither a child nor a zombie.
    if os.fork():
        os._exit(0)
    main(json.loads(sys.argv[1]))
