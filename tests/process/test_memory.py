"""The memory of processes, with /proc and without."""

import os
import subprocess
import sys

import pytest
from howdah.process import memory

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("proc", [True, False])
async def test_the_memory_of_living_processes_is_known_and_that_of_others_is_left_out(proc: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    monkeypatch.setattr(memory, "_PROC", proc)
    sizes = await memory.resident([os.getpid(), ended.pid])

    assert list(sizes) == [os.getpid()]
    assert 10 << 20 < sizes[os.getpid()] < 4 << 30


async def test_both_ways_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    ways = []
    for proc in (True, False):
        monkeypatch.setattr(memory, "_PROC", proc)
        ways.append((await memory.resident([os.getpid()]))[os.getpid()])

    assert ways[0] == pytest.approx(ways[1], rel=0.2)
