"""The programs that the tests of workers run."""

import textwrap
from pathlib import Path

SHOP = """
    import asyncio
    import os
    import time

    from howdah import App

    jobs = App(lease_s=60, heartbeat_s=0.3, keep_longest_s=0.3)

    @jobs.task
    async def wait(s: float) -> float:
        print("begun", os.getpid(), flush=True)
        await asyncio.sleep(s)
        print("ended", flush=True)
        return s

    @jobs.task
    async def stay() -> None:
        os.write(1, f"begun {os.getpid()}\\n".encode())  # Lines of several processes share a pipe: each is one write.
        while not os.path.exists("leave"):
            await asyncio.sleep(0.01)
        os.write(1, b"ended\\n")

    @jobs.task
    async def block(s: float) -> None:
        print("begun", os.getpid(), flush=True)
        time.sleep(s)
"""

WAIT = """
    @jobs.task
    async def wait(s: float) -> float:
        print("begun", flush=True)
        await asyncio.sleep(s)
        print("ended", flush=True)
        return s
"""
"""A task for programs of tests' own: it says when it begins and when it ends."""


def write_shop(folder: Path, text: str = SHOP) -> Path:
    """The module `shop` in this folder."""
    (folder / "shop.py").write_text(textwrap.dedent(text))
    return folder
