"""Where admitted runs go: what nodes said they have room for, less what the gate has admitted to them since."""

from collections.abc import Iterable

from .tidings import Space

Kind = tuple[int, int]
"""The queue and the task of a run: what decides where it can go."""


class Place:
    """One executor of a node: how many runs with limits it may hold, and how many it holds."""

    __slots__ = ("capacity", "held", "node", "queues", "tasks")

    def __init__(self, node: int) -> None:
        self.node = node
        self.capacity = 0
        self.held = 0
        self.tasks: frozenset[int] = frozenset()
        self.queues: frozenset[int] | None = None

    def serves(self, kind: Kind) -> bool:
        """Whether such runs may go here."""
        return kind[1] in self.tasks and (self.queues is None or kind[0] in self.queues)


class Places:
    """The places of all nodes, for one admission after the other."""

    def __init__(self, own: int, batch_max: int) -> None:
        """own: the gate's node, which goes first among equals: its runs need no notification. batch_max: so many in one admission."""
        self._own = own
        self._batch_max = batch_max
        self._left = batch_max
        self._places: dict[tuple[int, int], Place] = {}
        self._by_kind: dict[Kind, list[Place]] = {}
        self._by_node: dict[tuple[int, int], Place] = {}
        """By node and task."""

    def tell(self, space: Space, held: Iterable[tuple[int, int]]) -> None:
        """A node has so much room. held: what is known to be held, as (node, task), should the place be a new one."""
        place = self._places.get((space.node, space.room))
        tasks = frozenset(space.tasks)
        if place is None or tasks != place.tasks:
            place = self._places[space.node, space.room] = Place(space.node)
            place.tasks = tasks
            place.queues = None if space.queues is None else frozenset(space.queues)
            place.held = sum(1 for node, task in held if node == space.node and task in tasks)
            self._index()
        place.capacity = space.capacity

    def forget(self, node: int) -> None:
        """A node is no more, as far as the database knows: nothing more goes there until it says otherwise."""
        for (owner, _), place in self._places.items():
            if owner == node:
                place.capacity = 0

    def begin(self) -> None:
        """Another admission begins."""
        self._left = self._batch_max

    def has(self, task: Kind) -> bool:
        """Whether any node has room for such a run."""
        if self._left <= 0:
            return False
        return any(place.held < place.capacity for place in self._of(task))

    def take(self, task: Kind) -> int:
        """Takes one of these places: on the node that has most room. Answers with the node."""
        best = None
        most = 0
        for place in self._of(task):
            free = place.capacity - place.held
            if free > most or (free == most and free > 0 and place.node == self._own):
                best, most = place, free
        assert best is not None, "there is one, or has() would have said so"
        best.held += 1
        self._left -= 1
        return best.node

    def free(self, node: int, task: int) -> None:
        """A run of this task is on this node no more."""
        place = self._by_node.get((node, task))
        if place is not None:
            place.held -= 1

    def sweep(self) -> None:
        """Forgets places that hold nothing and have no room."""
        kept = {key: place for key, place in self._places.items() if place.held or place.capacity}
        if len(kept) != len(self._places):
            self._places = kept
            self._index()

    def _of(self, kind: Kind) -> list[Place]:
        places = self._by_kind.get(kind)
        if places is None:
            places = self._by_kind[kind] = [place for place in self._places.values() if place.serves(kind)]
        return places

    def _index(self) -> None:
        self._by_kind = {}
        self._by_node = {(place.node, task): place for place in self._places.values() for task in place.tasks}
