"""What the gate believes to be held: never less than what is. A permit is noted when its admission is known, and freed when its row is
known to be gone.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from ..core.gate import Gate
from ..core.keyed import Admitted, Demand, Room
from ..core.places import Places
from ..messages import Held
from .guards import Guards
from .impatience import Impatience


class Permit(msgspec.Struct, gc=False):
    """What a run gives back after its attempt, and who holds the run. since: monotonic seconds."""

    lease: int
    node: int
    task: int
    rooms: tuple[Room, ...]
    since: float


class Holdings:
    """The permits of all nodes, by run. Whoever frees one tells the gate's decisions and the places of it."""

    def __init__(self, gate: Gate, places: Places, impatience: Impatience, guards: Guards) -> None:
        self._gate, self._places, self._impatience, self._guards = gate, places, impatience, guards
        self.permits: dict[int, Permit] = {}
        self.kept: dict[int, tuple[Room, ...]] = {}
        """What runs keep until they have ended, also while nobody holds them."""

    def inherit(self, row: Held, demands: tuple[Demand, ...], now: float) -> None:
        """A run that held these before this gate took over; or that keeps some of them, where nobody holds it."""
        if row.lease is not None and row.node is not None:
            rooms = self._keep(row.run, demands, self._gate.hold(demands))
            self.permits[row.run] = Permit(row.lease, row.node, row.task, rooms, now)
        else:
            demands = tuple(demand for demand in demands if demand.kept)
            self._keep(row.run, demands, self._gate.hold(demands))

    def take(self, runs: Iterable[Admitted], leases: Iterable[int], now: float) -> None:
        """These were admitted, each under its lease; the gate's decisions know."""
        permits, modes = self.permits, self._impatience.modes
        for run, lease in zip(runs, leases, strict=True):
            number = run.run
            rooms = self._keep(number, run.demands, run.rooms) if run.keeps or modes else run.rooms
            permits[number] = Permit(lease, run.place, run.task[1], rooms, now)

    def is_held(self, run: int, lease: int) -> bool:
        """Whether this run is believed to hold this lease."""
        permit = self.permits.get(run)
        return permit is not None and permit.lease == lease

    def free(self, ended: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
        """These runs do not hold these leases any more. Answers with those that were not known to."""
        permits, leave, free = self.permits, self._gate.leave, self._places.free
        watched = bool(self._impatience.modes or self._guards)
        unknown: list[tuple[int, int]] = []
        for run, lease in ended:
            permit = permits.get(run)
            if permit is None or permit.lease != lease:
                unknown.append((run, lease))
                continue
            del permits[run]
            leave(permit.rooms)
            free(permit.node, permit.task)
            if watched:
                keys = [room.key for room in permit.rooms]
                self._impatience.freed(run, keys)
                self._guards.freed(run, lease, permit.task, permit.since, keys)
        return unknown

    def free_waiting(self, runs: Sequence[int]) -> None:
        """Runs whose rows wait hold nothing, whatever was heard of them: nobody else admits, and what was admitted here was seen."""
        for run in runs:
            permit = self.permits.get(run)
            if permit is not None:
                self.free([(run, permit.lease)])

    def let_go(self, run: int) -> None:
        """A run has ended, and keeps nothing any more."""
        kept = self.kept.pop(run)
        self._gate.leave(kept)
        self._impatience.freed(run, [room.key for room in kept])

    def before(self, since: float) -> list[tuple[int, Permit]]:
        """Those that are older than this."""
        return [(run, permit) for run, permit in self.permits.items() if permit.since < since]

    def of_nodes(self, nodes: set[int]) -> list[tuple[int, int]]:
        """The runs of these nodes, with their leases."""
        return [(run, permit.lease) for run, permit in self.permits.items() if permit.node in nodes]

    def whereabouts(self) -> Iterator[tuple[int, int]]:
        """The node and the task of each run that is held."""
        return ((permit.node, permit.task) for permit in self.permits.values())

    def _keep(self, run: int, demands: tuple[Demand, ...], rooms: tuple[Room, ...]) -> tuple[Room, ...]:
        """Notes what a run keeps until it has ended. Returns what it gives back after the attempt."""
        if self._impatience.modes:
            self._impatience.admitted(run, demands)
        for demand in demands:
            if demand.kept:
                self.kept[run] = tuple(room for room, one in zip(rooms, demands, strict=True) if one.kept)
                return tuple(room for room, one in zip(rooms, demands, strict=True) if not one.kept)
        return rooms
