"""Where admitted runs go: what nodes said they have room for, less what the gate has admitted to them since.

A run with a placement goes only where that allows, and to the best of those nodes. While that is full it waits, until it has waited for
long enough (patience.py), and then it takes the best that has room.
"""

from collections.abc import Collection, Iterable, Mapping

from .patience import Patience
from .tidings import Space

Kind = tuple[int, int] | tuple[int, int, str]
"""The queue and the task of a run, and its placement where it has one: what decides where it can go."""


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
        self._scores: dict[str, Mapping[int, float]] = {}
        """How well the nodes fit that a placement allows."""
        self._ranked: dict[Kind, list[tuple[float, Place]]] = {}
        self.patience = Patience()
        self._hurried: dict[Kind, int] = {}
        """How many of a kind may go to another place than the best, in this admission."""

    def has_place(self, space: Space) -> bool:
        """Whether this is known, but for its capacity."""
        place = self._places.get((space.node, space.room))
        return place is not None and place.tasks == frozenset(space.tasks)

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

    def allow(self, placement: str, scores: Mapping[int, float]) -> None:
        """These nodes are allowed by a placement, the better the higher their score."""
        self._scores[placement] = scores
        self._ranked = {}

    def knows(self, placement: str) -> bool:
        """Whether it was told what a placement allows: until then nothing of it goes."""
        return placement in self._scores

    def placements(self) -> list[str]:
        """Those that it knows."""
        return list(self._scores)

    def begin(self, now: float = 0.0) -> None:
        """Another admission begins. now: of the clock by which runs wait for the best place."""
        self._left = self._batch_max
        self._hurried = self.patience.due(now)

    def has(self, task: Kind) -> bool:
        """Whether any node has room for such a run."""
        if self._left <= 0:
            return False
        if len(task) == 3:
            return self._best(task) is not None
        for place in self._of(task):  # noqa: SIM110 - a generator costs more than the answer, for each run
            if place.held < place.capacity:
                return True
        return False

    def left(self, task: Kind) -> int:
        """How many more such runs have a place now, as long as no others take one. Of those with a placement it is said of the next."""
        if len(task) == 3:
            return 1 if self.has(task) else 0
        left = 0
        for place in self._of(task):
            if place.held < place.capacity:
                left += place.capacity - place.held
        return min(left, self._left)

    def take(self, task: Kind) -> int:
        """Takes one of these places: on the node that has most room. Answers with the node."""
        if len(task) == 3:
            best = self._take_best(task)
            best.held += 1
            self._left -= 1
            return best.node
        places = self._by_kind.get(task) or self._of(task)
        best = places[0]
        if len(places) > 1:
            most = best.capacity - best.held
            for place in places:
                free = place.capacity - place.held
                if free > most or (free == most and place.node == self._own):
                    best, most = place, free
        assert best.held < best.capacity, "there is one, or has() would have said so"
        best.held += 1
        self._left -= 1
        return best.node

    def aim(self, kind: Kind) -> int | None:
        """The node that such a run would go to if there was room: of the best the one that holds least. None: none may have it."""
        if len(kind) == 3:
            ranked = self._rank(kind)
            places = [place for score, place in ranked if score == ranked[0][0]]
        else:
            places = self._of(kind)
        best = min(places, key=lambda place: (place.held, place.node != self._own, place.node), default=None)
        return None if best is None else best.node

    def free(self, node: int, task: int) -> None:
        """A run of this task is on this node no more."""
        place = self._by_node.get((node, task))
        if place is not None:
            place.held -= 1

    def _rank(self, kind: tuple[int, int, str]) -> list[tuple[float, Place]]:
        """The places that such a run may go to, the best first, the gate's own node first among equals."""
        ranked = self._ranked.get(kind)
        if ranked is None:
            queue, task, placement = kind
            scores = self._scores.get(placement, {})
            fit = [place for place in self._places.values() if place.node in scores and place.serves((queue, task))]
            ranked = [(scores[place.node], place) for place in fit]
            ranked.sort(key=lambda one: (-one[0], one[1].node != self._own, one[1].node))
            self._ranked[kind] = ranked
        return ranked

    def _best(self, kind: tuple[int, int, str]) -> tuple[float, Place] | None:
        """Where such a run goes now: of the best with room the one that has most. None: nowhere, or it waits for a better one."""
        ranked = self._rank(kind)
        best: tuple[float, Place] | None = None
        most = 0
        for score, place in ranked:
            if best is not None and score < best[0]:
                break
            free = place.capacity - place.held
            if free > most:
                best, most = (score, place), free
        if best is not None and best[0] < ranked[0][0] and not self._hurried.get(kind):
            return None
        return best

    def _take_best(self, kind: tuple[int, int, str]) -> Place:
        best = self._best(kind)
        assert best is not None, "there is one, or has() would have said so"
        score, place = best
        if score < self._rank(kind)[0][0]:
            self._hurried[kind] -= 1
        return place

    def keep(self, placements: Collection[str]) -> None:
        """Forgets all placements but these."""
        self._scores = {placement: scores for placement, scores in self._scores.items() if placement in placements}
        self._ranked = {}

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
        self._ranked = {}
        self._by_node = {(place.node, task): place for place in self._places.values() for task in place.tasks}
