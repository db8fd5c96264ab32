"""How much memory processes hold: /proc where there is one, else ps."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import anyio.to_thread

_PROC = Path("/proc/self/statm").exists()
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


async def resident(pids: Sequence[int]) -> dict[int, int]:
    """The resident memory of each process in bytes, without those that are gone."""
    if _PROC:
        return {pid: size for pid in pids if (size := _of_proc(pid)) is not None}
    return await anyio.to_thread.run_sync(_of_ps, pids)


def _of_proc(pid: int) -> int | None:
    try:
        with open(f"/proc/{pid}/statm", "rb", buffering=0) as file:  # noqa: PTH123 - read ten times a second for each child
            return int(file.read(128).split()[1]) * _PAGE
    except (OSError, IndexError):
        return None


def _of_ps(pids: Sequence[int]) -> dict[int, int]:
    done = subprocess.run(["ps", "-o", "pid=,rss=", "-p", ",".join(map(str, pids))], capture_output=True, text=True, check=False)
    return {int(pid): int(kilobytes) * 1024 for pid, kilobytes in (line.split() for line in done.stdout.splitlines())}
