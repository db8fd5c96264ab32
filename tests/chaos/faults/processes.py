"""What befalls nodes and producers: they are killed, frozen, told to pause, and asked to end."""

import signal

import anyio
import asyncpg

from ..fleet import Member
from ..scene import Scene
from ..schedule import Fault

DRAINED_S = 20.0
LOAD = 150
BUSIEST = "select n.pid from howdah.node n join howdah.job j on j.node = n.id group by n.pid order by count(*) desc limit 1"
"""A claim gives one node all that there is: the others hold nothing, and their deaths would prove nothing."""
ORDER = "select howdah.order_node(name, $2) from howdah.node where pid = $1"


async def kill(scene: Scene, fault: Fault) -> None:
    """As the kernel does it when memory is short, while the node holds as many runs as it can."""
    member = scene.node(fault)
    await scene.enqueue(fault, "patient", LOAD, seconds=0.5)
    await anyio.sleep(0.2)
    busiest = await scene.server.fetch(BUSIEST, patience_s=0.0)
    member = next((each for each in scene.fleet.nodes if busiest and each.pid == busiest[0][0]), member)
    if member.is_ready:
        with scene.noting(fault, scene.life(member).diary):
            member.send(signal.SIGKILL, "kill")


async def kill_producer(scene: Scene, fault: Fault) -> None:
    member = scene.fleet.producers[fault.target % len(scene.fleet.producers)]
    if member.is_ready:
        with scene.noting(fault, scene.life(member).diary):
            member.send(signal.SIGKILL, "kill")


async def pause(scene: Scene, fault: Fault) -> None:
    """Frozen for a while, which may be longer than its lease."""
    member = scene.node(fault)
    if member.is_ready:
        with scene.noting(fault, scene.life(member).diary):
            pid = member.pid
            member.send(signal.SIGSTOP)
            await anyio.sleep(fault.lasts_s)
            if member.pid == pid:
                member.send(signal.SIGCONT)


async def roll(scene: Scene, fault: Fault) -> None:
    """A deploy: nodes are asked to end, and are started again. all: one after the other. hurried: by two signals."""
    members = scene.fleet.nodes if fault.variant == "all" else [scene.node(fault)]
    with scene.noting(fault, " ".join(member.name for member in members)):
        for member in members:
            await _drain(member, hurried=fault.variant == "hurried")


async def order(scene: Scene, fault: Fault) -> None:
    """Somebody tells a node to pause, and later to resume; or to drain, and it ends by itself."""
    member = scene.node(fault)
    if member.is_ready:
        with scene.noting(fault, scene.life(member).diary):
            pid = member.pid
            await scene.server.enqueue(ORDER, pid, fault.variant)
            await anyio.sleep(fault.lasts_s)
            while fault.variant == "pause" and member.pid == pid and not await _resumes(scene, pid):
                await anyio.sleep(0.2)


async def _resumes(scene: Scene, pid: int | None) -> bool:
    """False: the node is not there at the moment, since it has lost its lease; its order waits for it."""
    try:
        return bool(await scene.server.fetch(ORDER, pid, "resume"))
    except asyncpg.InvalidParameterValueError:
        return True  # It drains: a second order of this storm has come between.


async def _drain(member: Member, *, hurried: bool) -> None:
    if not member.is_ready:
        return
    count = len(member.lives)
    member.send(signal.SIGTERM, "roll")
    if hurried:
        await anyio.sleep(0.05)
        member.send(signal.SIGTERM, "roll")
    with anyio.move_on_after(DRAINED_S):
        while len(member.lives) == count or not member.is_ready:
            await anyio.sleep(0.05)
