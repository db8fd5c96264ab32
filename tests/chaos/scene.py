"""What faults act upon."""

import json
import time
from collections.abc import Generator
from contextlib import contextmanager
from random import Random

import msgspec

from .fleet import Fleet, Life, Member
from .proxy import Proxy
from .schedule import Fault
from .server import Server

ENQUEUE = """
select howdah.enqueue($1::text, (jsonb_build_object('mark', format('harm-%s-%s-%s', $1::text, $2::text, g)) || $3::jsonb)::json)
from generate_series(1, $4) g
"""


class Noted(msgspec.Struct):
    """A fault as it came to pass, in monotonic seconds. target: the name of the life or the thing that it struck."""

    number: int
    kind: str
    variant: str
    target: str
    began: float
    ended: float


class Scene:
    """One storm's processes, server and ways between them."""

    def __init__(self, seed: int, random: Random, fleet: Fleet, server: Server, proxies: dict[str, Proxy]) -> None:
        self.seed = seed
        self.random = random
        self.fleet = fleet
        self.server = server
        self.proxies = proxies
        self.noted: list[Noted] = []
        self.skipped: dict[str, str] = {}

    def node(self, fault: Fault) -> Member:
        return self.fleet.nodes[fault.target % len(self.fleet.nodes)]

    def proxy(self, fault: Fault) -> Proxy:
        names = sorted(self.proxies)
        return self.proxies[names[fault.target % len(names)]]

    async def enqueue(self, fault: Fault, task: str, count: int, **args: object) -> None:
        """So many runs that belong to a fault. Whether they were enqueued is nobody's concern."""
        await self.server.enqueue(ENQUEUE, task, f"{self.seed}-{fault.at_s}", json.dumps(args), count)

    @contextmanager
    def noting(self, fault: Fault, target: str = "") -> Generator[Noted]:
        """Around a fault: when it began and ended."""
        noted = Noted(len(self.noted), fault.kind, fault.variant, target, time.monotonic(), 0.0)
        self.noted.append(noted)
        try:
            yield noted
        finally:
            noted.ended = time.monotonic()

    @staticmethod
    def life(member: Member) -> Life:
        return member.lives[-1]
