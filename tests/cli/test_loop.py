"""The loop that commands run on."""

import asyncio

from howdah.cli.loop import run


def test_it_is_that_of_uvloop_without_being_asked_for() -> None:
    async def module() -> str:
        return type(asyncio.get_running_loop()).__module__

    assert run(module()) == "uvloop"
