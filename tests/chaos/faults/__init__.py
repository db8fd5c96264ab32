"""Each kind of fault as a coroutine, which ends when it is mended."""

from collections.abc import Awaitable, Callable

from ..scene import Scene
from ..schedule import Fault
from . import network, processes, server, work

FAULTS: dict[str, Callable[[Scene, Fault], Awaitable[None]]] = {
    "kill": processes.kill,
    "kill_producer": processes.kill_producer,
    "pause": processes.pause,
    "roll": processes.roll,
    "order": processes.order,
    "terminate": network.terminate,
    "cut": network.cut,
    "delay": network.delay,
    "half_open": network.half_open,
    "restart": server.restart,
    "snapshot": server.snapshot,
    "full_queue": server.full_queue,
    "full_disk": server.full_disk,
    "failover": server.failover,
    "block": work.block,
    "segfault": work.segfault,
    "murder": work.murder,
    "exhaust": work.exhaust,
}
