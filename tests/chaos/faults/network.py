"""What befalls connections: they are ended by the server, cut on their way, delayed, and left half open."""

import anyio

from ..scene import Scene
from ..schedule import Fault

OURS = "datname = current_database() and (application_name like 'howdah %' or application_name = 'producer')"
END = {
    "one": f"select count(pg_terminate_backend(pid)) from (select pid from pg_stat_activity where {OURS} order by random() limit 1) a",
    "node": f"""select count(pg_terminate_backend(a.pid)) from pg_stat_activity a
        where {OURS} and split_part(a.application_name, ' ', 3) = (select n.name from howdah.node n order by random() limit 1)""",
    "all": f"select count(pg_terminate_backend(pid)) from pg_stat_activity where {OURS}",
}


async def terminate(scene: Scene, fault: Fault) -> None:
    """pg_terminate_backend of one of our connections, of all of a node's, or of all."""
    with scene.noting(fault) as noted:
        noted.target = f"{await scene.server.ask(END[fault.variant])} connections"


async def cut(scene: Scene, fault: Fault) -> None:
    with scene.noting(fault):
        scene.proxy(fault).cut()


async def delay(scene: Scene, fault: Fault) -> None:
    with scene.noting(fault):
        scene.proxy(fault).delay_s = scene.random.uniform(0.01, 0.3)
        await anyio.sleep(fault.lasts_s)
        scene.proxy(fault).delay_s = 0.0


async def half_open(scene: Scene, fault: Fault) -> None:
    with scene.noting(fault):
        scene.proxy(fault).half_open(fault.variant)
        await anyio.sleep(fault.lasts_s)
        scene.proxy(fault).mend()
