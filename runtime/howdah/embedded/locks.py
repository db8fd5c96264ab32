"""The three lock files of a base directory. The kernel keeps the count: it drops a lock on exit, SIGTERM, SIGKILL and crash alike.

`lock` serialises start and stop, `users` is held shared by each process that uses the server, `watch` is held by the watchdog.
"""

import errno
import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import EmbeddedError


def open_lock(path: Path) -> int:
    """Open, and create if needed, a lock file of the owner of its directory."""
    try:
        return _open_owned(path, os.O_RDWR)
    except PermissionError as error:
        message = (
            f"{path} belongs to another user, so this user cannot share its Postgres. "
            "Choose a directory of your own, for example with the environment variable HOWDAH_HOME."
        )
        raise EmbeddedError(message) from error
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        message = f"{path} is a link that somebody planted. Remove it, or choose another directory with HOWDAH_HOME."
        raise EmbeddedError(message) from error


def _open_owned(path: Path, mode: int) -> int:
    # Root may work in a user's directory: what it makes there must stay usable for that user, and a link planted
    # there must not lead root elsewhere.
    file = os.open(path, mode | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    if os.geteuid() == 0 and os.fstat(file).st_uid == 0 and (owner := path.parent.stat()).st_uid != 0:
        os.fchown(file, owner.st_uid, owner.st_gid)
    return file


def open_log(path: Path) -> int:
    """Open the server's log for appending, as a file of the owner of its directory."""
    return _open_owned(path, os.O_WRONLY | os.O_APPEND)


def try_lock(file: int, operation: int) -> bool:
    """Take the lock if nobody stands against it."""
    try:
        fcntl.flock(file, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def exclusive(path: Path) -> Generator[None]:
    """Wait until the lock is ours alone, and hold it."""
    file = open_lock(path)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


@contextmanager
def exclusive_at_once(path: Path) -> Generator[bool]:
    """Hold the lock if it is free; tell whether it was."""
    file = open_lock(path)
    try:
        yield try_lock(file, fcntl.LOCK_EX)
    finally:
        os.close(file)


def share(path: Path) -> int:
    """Wait until nobody holds the lock alone, then hold it together with others until the descriptor is closed."""
    file = open_lock(path)
    fcntl.flock(file, fcntl.LOCK_SH)
    return file


def is_held(path: Path) -> bool:
    """Whether any process holds the lock, shared or alone."""
    with exclusive_at_once(path) as free:
        return not free


def holders(path: Path) -> list[int]:
    """The processes that share the lock, as far as the kernel tells (Linux does, in /proc/locks)."""
    found: set[int] = set()
    with suppress(OSError):
        inode = str(path.stat().st_ino)
        for line in Path("/proc/locks").read_text().splitlines():
            # 1: FLOCK  ADVISORY  READ 1234 fe:00:5678 0 EOF
            match line.split():
                case [_, "FLOCK", _, "READ", pid, place, *_] if place.rpartition(":")[2] == inode and int(pid) > 0:
                    found.add(int(pid))
                case _:
                    pass  # another file's lock, or somebody who waits
    return sorted(found)
