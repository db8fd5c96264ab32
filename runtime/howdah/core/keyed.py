"""What the gate keeps of each key, of each task and of each line: their state, and the small steps that keep it consistent."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, TypeAlias

import msgspec

from .bucket import ROUNDING, Bucket, Flow
from .crowd import Crowd, Head, Told, Waiting, precedes, priority_of, run_of
from .turns import Turns

Kind: TypeAlias = Any
"""What decides where a run can go, as its queue and its task do: anything hashable that places know."""

Key = tuple[str, str]
"""The name of a limit, and the text of one of its keys."""


class AtMost(msgspec.Struct, frozen=True):
    """So many runs at a time."""

    number: int


Terms = AtMost | Flow


class Demand(msgspec.Struct, frozen=True, gc=False):
    """What a run needs of a key: one permit, or as many tokens as it costs.

    group: who takes turns at this key, with this weight. A line takes turns at the first of its keys for which it names a group.
    kept: the run gives it back when it has ended, and not after each attempt.
    """

    key: Key
    cost: float = 1.0
    group: str | None = None
    weight: float = 1.0
    kept: bool = False


class Admitted(msgspec.Struct, frozen=True, gc=False):
    """A run that starts, and at which place. rooms: of what it demands, in order. keeps: whether it keeps some until its end.
    lane: the first key as one text, "" without."""

    run: int
    line: int
    place: int
    task: Kind
    demands: tuple[Demand, ...]
    rooms: "tuple[Room, ...]"
    keeps: bool
    lane: str


class Places(Protocol):
    """Where admitted runs go: what the nodes have room for."""

    def has(self, task: Kind) -> bool:
        """Whether any node has room for a run of this task."""
        ...

    def left(self, task: Kind) -> int:
        """How many more of them any has room for, as long as none of another task goes anywhere; fewer may be said, but not none."""
        ...

    def take(self, task: Kind) -> int:
        """Takes one of these places; only where there is one. Answers with the node."""
        ...


class Line(Waiting):
    """The runs that wait for the same keys, as far as the gate was told of them.

    rooms: of each key. lane: the text of the first key. more: there are others behind those that are known. at: the room under whose key
    it is parked; called_by: the one that called it from there.
    """

    __slots__ = ("at", "called_by", "demands", "keeps", "lane", "more", "number", "rooms", "task", "turn")

    def __init__(self, number: int, task: "Task", demands: tuple[Demand, ...], rooms: tuple["Room", ...]) -> None:
        grouped = next((at for at, demand in enumerate(demands) if demand.group is not None), None)
        turns = None if grouped is None else rooms[grouped].turns_of_groups()
        share = None if turns is None or grouped is None else turns.join(demands[grouped].group, demands[grouped].weight)
        super().__init__(turns, share)
        self.number = number
        self.task = task
        self.demands = demands
        self.rooms = rooms
        self.keeps = any(demand.kept for demand in demands)
        self.lane = ":".join(demands[0].key) if demands else ""
        self.more = False
        self.at: Room | None = None
        self.called_by: Room | None = None
        self.turn = 0
        task.lines += 1
        for room in rooms:
            room.lines += 1

    def cost_at(self, room: "Room") -> float:
        """How many tokens a run of it takes there."""
        return next(demand.cost for each, demand in zip(self.rooms, self.demands, strict=True) if each is room)

    def missing(self, now: float) -> "Room | None":
        """The first of its rooms that has none for its first run."""
        for room in self.rooms:
            if room.number is None:
                if not room.flows_to(self, self.cost_at(room), now):
                    return room
            elif room.held >= room.number:
                return room
        return None

    def among(self, heads: Sequence[Head], most: int) -> tuple[list[Head], bool] | None:
        """The first of its runs, at most so many, when these wait as well, in order, and whether there are others. None: nothing changes.

        A line of which others wait that are not known takes only those that stand before the last known one: what lies between is
        not to be passed over. One that is known at another priority stands where it was told last, and nowhere else.
        """
        known = self.heads[self.gone :]
        among = set(known)
        fresh = [head for head in heads if head not in among]
        if not fresh:
            return None
        stay = _but(known, fresh)
        if self.more:
            last = known[-1] if known else None
            fresh = [] if last is None else [head for head in fresh if head < last]
        if not fresh and len(stay) == len(known):
            return None
        merged = sorted([*stay, *fresh])
        return merged[:most], self.more or len(merged) > most

    def end(self) -> None:
        """Nothing of it waits any more."""
        self.task.lines -= 1
        for room in self.rooms:
            room.lines -= 1
        if self.turns is not None and self.share is not None:
            self.turns.leave(self.share)


def _but(known: Sequence[Head], fresh: list[Head]) -> Sequence[Head]:
    """The known ones but for runs that are among the fresh ones. Where all have one priority, which is most often, there are none."""
    if not known or priority_of(min(fresh[0], known[0])) == priority_of(max(fresh[-1], known[-1])):
        return known
    runs = {run_of(head) for head in fresh}
    return [head for head in known if run_of(head) not in runs]


class Task:
    """A task that has lines. has: whether there is a place for it, as far as this admission knows.

    leans: the rooms that count on its places, since they called a line of it or save up for one. absent: the rooms that passed
    over lines of it for want of a place.
    """

    __slots__ = ("absent", "has", "leans", "lines", "name", "ready", "told")

    def __init__(self, name: Kind) -> None:
        self.name = name
        self.has = False
        self.lines = 0
        self.ready: Crowd[Line] = Crowd()
        self.leans: set[Room] = set()
        self.absent: set[Room] = set()
        self.told: Told | None = None

    def best(self) -> Line | None:
        """Which of its ready lines goes first, if there is a place."""
        return self.ready.best() if self.has else None


_FULL = Bucket.full()


class Room:
    """What one key has room for, and who waits for it. number: permits in all; None where the terms are a flow.

    called: the line that was called from here and not answered yet; saver: the best one here, for whom the bucket fills. There is
    never more than one of both, so that a full key costs nothing and a free one costs one look.
    """

    __slots__ = (
        "bucket", "called", "due", "flow", "held", "key", "lines", "number", "own", "parked", "saver", "stirred", "turns",
    )  # fmt: skip

    def __init__(self, key: Key, terms: Terms | None, bucket: Bucket | None) -> None:
        self.key = key
        self.held = 0
        self.lines = 0
        self.parked: dict[Task, Crowd[Line]] = {}
        self.turns: Turns[str | None] | None = None
        self.bucket = bucket
        self.called: Line | None = None
        self.saver: Line | None = None
        self.due: float | None = None
        self.stirred = False
        self.own: Terms | None = None
        self.flow: Flow | None = None
        self.number: int | None = 0
        self.agree(terms, -math.inf)

    def agree(self, terms: Terms | None, now: float) -> None:
        """These terms hold from now on; until now the bucket filled under the last ones, and held no more than they allowed. None: none
        are known, and nothing starts."""
        if self.flow is not None:
            self.bucket = (self.bucket or _FULL).filled(self.flow, now)
        self.flow = terms if isinstance(terms, Flow) else None
        self.number = terms.number if isinstance(terms, AtMost) else 0 if terms is None else None

    def turns_of_groups(self) -> Turns[str | None]:
        """The turns that groups take here."""
        if self.turns is None:
            self.turns = Turns()
        return self.turns

    def enough_at(self, cost: float) -> float:
        """When the bucket has enough for this cost."""
        assert self.flow is not None
        return (self.bucket or _FULL).enough_at(self.flow, cost)

    def flows_to(self, line: Line, cost: float, now: float) -> bool:
        """Whether the bucket has enough for the best run of this line, and nobody before it saves up for the same tokens."""
        if self.saver is not None and precedes(self.saver, line):
            return False
        return self.enough_at(cost) <= now + ROUNDING

    def pour(self, flow: Flow, cost: float, now: float) -> None:
        """A run that starts takes its tokens."""
        self.bucket = (self.bucket or _FULL).filled(flow, now).without(cost)

    def best(self) -> Line | None:
        """Who of those parked here goes first, among tasks with a place. The others are noted, to be looked at when they have one."""
        best: Line | None = None
        for task, crowd in self.parked.items():
            if not task.has:
                task.absent.add(self)
                continue
            line = crowd.best()
            if line is not None and (best is None or precedes(line, best)):
                best = line
        return best

    def sweep(self, now: float) -> bool:
        """Forgets who waits no more. True: nothing is left to know of this key that its terms do not say."""
        self.parked = {task: crowd for task, crowd in self.parked.items() if not crowd.sweep()}
        if self.turns is not None:
            self.turns.sweep()
            if not self.turns:
                self.turns = None
        if self.lines or self.held or self.own is not None:
            return False
        if self.bucket is None:
            return True
        if self.flow is None:  # A paused rate goes on with what it has left; a number has no use for that.
            return self.number != 0
        return self.bucket.at <= now and self.bucket.filled(self.flow, now).level >= self.flow.burst


class Rooms:
    """The rooms of all keys that matter now, made from the terms of their limits, or from terms of their own."""

    __slots__ = ("_of_limit", "_rooms", "_terms", "_untouched")

    def __init__(self) -> None:
        self._rooms: dict[Key, Room] = {}
        self._untouched: dict[str, Bucket] = {}
        """Of rates whose terms have changed: what keys hold of which nothing else is known."""
        self._of_limit: dict[str, set[Room]] = {}
        self._terms: dict[str, Terms] = {}

    def __len__(self) -> int:
        return len(self._rooms)

    def __iter__(self) -> Iterator[Room]:
        return iter(self._rooms.values())

    def get(self, key: Key) -> Room | None:
        """The room of this key, if anything is known of it."""
        return self._rooms.get(key)

    def open(self, key: Key) -> Room:
        """The room of this key."""
        room = self._rooms.get(key)
        if room is None:
            room = self._rooms[key] = Room(key, self._terms.get(key[0]), self._untouched.get(key[0]))
            self._of_limit.setdefault(key[0], set()).add(room)
        return room

    def leave(self, room: Room) -> None:
        """Nobody waits here or holds anything: where there is nothing else to know, it is forgotten at once. A sweep would find as many
        as there are keys, all with memory of their own, which is not given back."""
        if room.number is not None and room.own is None and room.turns is None and room.bucket is None:  # None: no rate that is paused.
            del self._rooms[room.key]
            self._of_limit[room.key[0]].discard(room)

    def set_terms(self, limit: str, terms: Terms, now: float) -> list[Room]:
        """The terms of a limit. Answers with the rooms that they hold for, if they are others than before."""
        last = self._terms.get(limit)
        if last == terms:
            return []
        self._terms[limit] = terms
        all_rooms = self._of_limit.get(limit, ())
        if isinstance(last, Flow):
            untouched = self._untouched[limit] = self._untouched.get(limit, _FULL).filled(last, now)
            for room in all_rooms:
                room.bucket = room.bucket or untouched
        rooms = [room for room in all_rooms if room.own is None]
        for room in rooms:
            room.agree(terms, now)
        return rooms

    def set_own(self, key: Key, terms: Terms | None, now: float) -> Room:
        """The terms of one key. None: those of its limit hold again."""
        room = self.open(key)
        room.own = terms
        room.agree(terms or self._terms.get(key[0]), now)
        return room

    def sweep(self, now: float) -> None:
        """Forgets the keys of which nothing is left to know. Tables are made anew: they do not shrink by themselves."""
        self._rooms = {key: room for key, room in self._rooms.items() if not room.sweep(now)}
        self._of_limit = {}
        for key, room in self._rooms.items():
            self._of_limit.setdefault(key[0], set()).add(room)
