"""A node in a process of its own. It says `ready` when it works; SIGTERM drains it, a second one hurries it."""

import asyncio
import logging
import signal

import uvloop
from howdah.actors import admissions

from .tasks import WIDE, jobs


async def main() -> None:
    async with jobs.work() as node:
        asked = iter((node.stop,))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: next(asked, node.hurry)())
        print("ready", flush=True)
        await node.stopped.wait()


if __name__ == "__main__":
    if WIDE:
        admissions.AHEAD_MIN = 2  # So that two are out most of the time.
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    uvloop.run(main())
