"""Which faults come when: a pure function of the seed."""

from collections.abc import Iterable, Sequence
from random import Random
from typing import NamedTuple

import msgspec

NODES = 4
PRODUCERS = 2
LEASE_S = 3.0

CALM_S = 3.0
"""Before the first fault: nodes and producers have started by then."""


class Fault(msgspec.Struct, frozen=True):
    """One thing that goes wrong. target: the number of a process; lasts_s: until it is mended."""

    at_s: float
    kind: str
    target: int
    lasts_s: float
    variant: str = ""

    @property
    def until_s(self) -> float:
        """When it is over, as far as it was planned."""
        return self.at_s + self.lasts_s


class Sort(NamedTuple):
    """What the faults of a kind are like. alone: two such do not overlap, since both concern the server as a whole."""

    weight: float
    shortest_s: float = 0.0
    longest_s: float = 0.0
    variants: Sequence[str] = ("",)
    alone: bool = False
    most: int = 1_000_000


SORTS: dict[str, Sort] = {
    "kill": Sort(5),
    "kill_producer": Sort(1),
    "pause": Sort(4, 0.3, 3 * LEASE_S),
    "roll": Sort(2, variants=("one", "all", "hurried")),
    "order": Sort(1, 1.0, 2 * LEASE_S, ("pause", "drain")),
    "terminate": Sort(4, variants=("one", "node", "all")),
    "restart": Sort(2, 0.0, 4.0, ("fast", "immediate"), alone=True),
    "cut": Sort(2),
    "delay": Sort(2, 1.0, 8.0),
    "half_open": Sort(2, 1.0, 10.0, ("deaf", "mute", "both")),
    "exhaust": Sort(1, 1.0, 4.0, ("pool", "server")),
    "block": Sort(1, 1.2, 2 * LEASE_S),
    "segfault": Sort(1),
    "murder": Sort(0.7, variants=("once", "once", "always")),
    "snapshot": Sort(1, 3.0, 15.0),
    "full_queue": Sort(1, 1.0, 6.0, alone=True),
    "full_disk": Sort(0.7, 1.0, 5.0, alone=True),
    "failover": Sort(0.7, 4.0, 10.0, ("synchronous", "asynchronous"), alone=True, most=4),
}
REST_S = 4.0
"""Between two faults of the server as a whole: it comes back, and work goes on."""


def skews(seed: int) -> list[float]:
    """By how many seconds the clock of each node is wrong: one is right, the others are minutes or days off."""
    random = Random(f"skews {seed}")
    wrong = [0.0, random.uniform(-120, 120), random.uniform(-3, 3), random.choice((-1, 1)) * random.uniform(3600, 400_000)]
    random.shuffle(wrong)
    return wrong[:NODES]


def plan(seed: int, seconds: float, kinds: Iterable[str] = SORTS, every_s: float = 2.5) -> list[Fault]:
    """The faults of a storm of so many seconds, in the order of their times: each kind once where there is time for it, then by
    weight. All of them are over when the storm is."""
    random = Random(f"storm {seed}")
    left = sorted(set(kinds) & SORTS.keys())
    random.shuffle(left)
    made: list[Fault] = []
    counts = dict.fromkeys(SORTS, 0)
    at_s, free_s = CALM_S, CALM_S
    while at_s < seconds and (left or any(kind in SORTS for kind in kinds)):
        kind = left.pop() if left else _drawn(random, sorted(set(kinds)), counts)
        sort = SORTS[kind]
        lasts_s = round(random.uniform(sort.shortest_s, sort.longest_s), 3)
        starts_s = max(at_s, free_s) if sort.alone else at_s
        if starts_s + lasts_s < seconds:
            made.append(Fault(round(starts_s, 3), kind, random.randrange(NODES), lasts_s, random.choice(sort.variants)))
            counts[kind] += 1
            if sort.alone:
                free_s = starts_s + lasts_s + REST_S
        at_s += random.uniform(0.2, 1.8) * every_s
    return sorted(made, key=lambda fault: fault.at_s)


def _drawn(random: Random, kinds: Sequence[str], counts: dict[str, int]) -> str:
    possible = [kind for kind in kinds if counts[kind] < SORTS[kind].most]
    return random.choices(possible, [SORTS[kind].weight for kind in possible])[0]
