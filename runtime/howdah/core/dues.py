"""When buckets are to have enough for whoever saves up there, and whom to ask then."""

from heapq import heapify, heappop, heappush
from itertools import count

from .bucket import ROUNDING
from .keyed import Room, Rooms


class Dues:
    """By moment. A room has one that counts, the one it knows of."""

    __slots__ = ("_entries", "_heap")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Room]] = []
        self._entries = count(1)

    def add(self, room: Room, at: float) -> None:
        """The bucket of this room is to have enough then."""
        if room.due != at:
            room.due = at
            heappush(self._heap, (at, next(self._entries), room))

    def next_at(self) -> float | None:
        """When a bucket next has enough for somebody. None: no bucket keeps anybody waiting."""
        heap = self._heap
        while heap:
            at, _, room = heap[0]
            if room.due == at:
                if room.saver is not None:
                    return at
                room.due = None
            heappop(heap)
        return None

    def take(self, now: float) -> list[Room]:
        """Those that were to have enough by now."""
        rooms: list[Room] = []
        heap = self._heap
        while heap and heap[0][0] <= now + ROUNDING:
            at, _, room = heappop(heap)
            if room.due == at:
                room.due = None
                rooms.append(room)
        return rooms

    def sweep(self, rooms: Rooms) -> None:
        """Forgets rooms that are known no more."""
        self._heap = [due for due in self._heap if due[2].due == due[0] and rooms.get(due[2].key) is due[2]]
        heapify(self._heap)
