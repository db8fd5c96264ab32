"""The rooms of a node, with a lane for each of its tasks: async functions in one, functions in threads and in processes in others."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from .actors.batches import BatchLane
from .actors.gathering import GatheringRoom
from .actors.lane import Lane, Sizes, Surroundings
from .actors.processes import Attempts, ProcessLane
from .actors.room import Room
from .actors.threads import Threads
from .batches import BatchDefinition
from .config import Config
from .context import Home
from .definitions import Definition

Build = Callable[[type[Room], str, int, dict[int, Lane]], Room]
"""Makes a room of this kind and name, with so many slots and these lanes."""


class Furniture(NamedTuple):
    """What lanes need: the node's home, what stands around each attempt, and how attempts are made in another process."""

    home: Home
    around: Surroundings
    attempts: Callable[[Definition], Attempts]


def build_rooms(
    definitions: Iterable[Definition], tasks: dict[int, Definition], build: Build, furniture: Furniture, config: Config
) -> list[Room]:
    """The rooms that these tasks need. One lane for each of them, however many names it answers to."""
    sizes = Sizes(config.payload_max, config.error_max)
    home, around, attempts = furniture
    threads = Threads(config.threads)

    def lanes(mine: Iterable[Definition], make: Callable[[Definition], Lane]) -> dict[int, Lane]:
        made = {definition: make(definition) for definition in mine}
        return {number: made[definition] for number, definition in tasks.items() if definition in made}

    def in_loop(definition: Definition) -> Lane:
        return _kind(definition)(definition, home, sizes, around)

    def in_threads(definition: Definition) -> Lane:
        return _kind(definition)(definition, home, sizes, around, threads)

    def in_processes(definition: Definition) -> Lane:
        return ProcessLane(definition, home, sizes, around, attempts(definition))

    together = [definition for definition in definitions if definition.isolation is None]
    apart = [definition for definition in definitions if definition.isolation == "process"]
    rooms = [
        _built(build, "async", config.concurrency, lanes((d for d in together if d.is_async), in_loop)),
        _built(build, "threads", config.threads, lanes((d for d in together if not d.is_async), in_threads)),
        _built(build, "processes", config.processes, lanes(apart, in_processes)),
    ]
    return [room for room in rooms if room.lanes]


def held_max(definitions: Iterable[Definition], config: Config) -> int:
    """How many runs a node holds at most: what its slots take, and what is claimed in advance for each of the rooms."""
    held = 2 * (config.prefetch_max + config.claim_max) + config.concurrency + config.threads + config.processes
    for definition in definitions:
        if isinstance(definition, BatchDefinition):
            slots = config.concurrency if definition.is_async else config.threads
            held += len(definition.aliases) * config.prefetch_max
            held += (1 + len(definition.aliases)) * definition.batch.size * (slots + 1) + config.prefetch_max + config.claim_max
    return held


def _kind(definition: Definition) -> type[Lane]:
    return BatchLane if isinstance(definition, BatchDefinition) else Lane


def _built(build: Build, name: str, slots: int, lanes: dict[int, Lane]) -> Room:
    """Nobody pays for batches where there are none."""
    gathers = any(isinstance(lane.definition, BatchDefinition) for lane in lanes.values())
    return build(GatheringRoom if gathers else Room, name, slots, lanes)
