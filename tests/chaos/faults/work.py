"""What runs themselves do to the nodes that run them. They are enqueued by SQL, and end like any others."""

import anyio

from ..scene import Scene
from ..schedule import LEASE_S, Fault

HOGS = 30
HOG_S = 0.8 * LEASE_S
"""A transaction that sits idle for a lease is ended by Postgres: it would be tried again without end."""
ALWAYS = 99


async def block(scene: Scene, fault: Fault) -> None:
    """A function that holds the loop of its node, for longer than the lease at times."""
    with scene.noting(fault):
        await scene.enqueue(fault, "block", 1, seconds=fault.lasts_s)
        await anyio.sleep(fault.lasts_s)


async def segfault(scene: Scene, fault: Fault) -> None:
    """A function whose process dies of it."""
    with scene.noting(fault):
        await scene.enqueue(fault, "apart", 1, dies=scene.random.randint(1, 3))


async def murder(scene: Scene, fault: Fault) -> None:
    """A function that takes its node with it: once, or each time that it is tried."""
    with scene.noting(fault):
        await scene.enqueue(fault, "murder", 1, deaths=1 if fault.variant == "once" else ALWAYS)
        await anyio.sleep(5.0 if fault.variant == "once" else 25.0)


async def exhaust(scene: Scene, fault: Fault) -> None:
    """Every connection of the pools is held by somebody's transaction; or every one that the server has."""
    with scene.noting(fault):
        if fault.variant == "pool":
            await scene.enqueue(fault, "stored", HOGS, seconds=min(fault.lasts_s, HOG_S))
            await anyio.sleep(fault.lasts_s)
        else:
            await scene.server.take_all_connections(fault.lasts_s)
