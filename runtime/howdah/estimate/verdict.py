"""What is full first, decided from what was measured. Values in, values out."""

from typing import Literal

import msgspec

from .shape import Used

Limit = Literal["python", "postgres", "commits", "slots", "connections", "network"]

MENDS: dict[Limit, str] = {
    "python": "a node is one Python process, and its core is full: run more of them (--processes), or do less in each run",
    "postgres": "the connection that nodes claim or write by works all the time: a faster CPU for Postgres, or less in each run",
    "commits": "outcomes wait for the disk: a faster disk for WAL; more nodes commit beside each other",
    "slots": "all slots are taken while functions wait: raise concurrency (HOWDAH_CONCURRENCY), or run more nodes",
    "connections": "all connections for transaction() are taken: raise pool_size (HOWDAH_POOL_SIZE), or run more nodes",
    "network": "outcomes wait for round trips: bring nodes nearer to Postgres, or run more of them",
}
"""What it means that a limit is reached, and what moves it."""

_TRIPS = 2
"""Round trips of a batch of outcomes: COPY is announced, then ended."""


class Measured(msgspec.Struct, frozen=True):
    """A level of load, in all nodes together. busy: by the name of a connection, the share of looks at which it worked."""

    took_s: float
    runs: int
    nodes: int
    slots: int
    connections: int
    used: Used
    busiest_cpu_s: float
    busy: dict[str, float]
    batch: float
    commit_s: float
    trip_s: float
    transaction: bool


def shares(level: Measured) -> dict[Limit, float]:
    """How full each of them was, from 0 to 1: the fraction of the time for which nothing more could have gone through."""
    batches = level.runs / max(1.0, level.batch) / level.nodes
    committing = min(1.0, batches * level.commit_s / level.took_s)
    travelling = min(1.0, batches * _TRIPS * level.trip_s / level.took_s)
    held = min(1.0, level.used.held_s / (level.took_s * level.connections * level.nodes))
    if level.transaction:
        # Each run commits by itself, on a connection that it holds meanwhile: that part of the holding is the disk's.
        each_s = level.used.held_s / max(1, level.used.ended)
        committing = held * min(1.0, level.commit_s / each_s) if each_s else 0.0
        held -= committing
    working = max((share for name, share in level.busy.items() if not name.startswith("howdah pool")), default=0.0)
    return {
        "python": min(1.0, level.busiest_cpu_s / level.took_s),
        # A commit that waits looks like work from outside.
        "postgres": max(0.0, working - committing),
        "commits": committing,
        "slots": min(1.0, level.used.busy_s / (level.took_s * level.slots * level.nodes)),
        "connections": held,
        "network": travelling,
    }


def first(full: dict[Limit, float]) -> Limit:
    """The one that is fullest."""
    return max(full, key=lambda name: full[name])
