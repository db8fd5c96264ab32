"""What the gate knows of placements: which kinds of runs there are, which nodes each may go to, and who waits for a better one."""

from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from .. import codec
from ..core.keyed import Admitted
from ..core.places import Kind, Places
from ..messages import Waiting

PLACEMENTS_AT_ONCE = 200
"""Placements in one statement: each is compared with each node."""


class Map(Protocol):
    """What this needs of the database."""

    async def places(self, placements: Sequence[str]) -> list[tuple[int, int, float]]: ...


class _Preference(msgspec.Struct, frozen=True):
    """What is read of a placement here: for how many seconds a run waits for the best node. The rest is Postgres's to judge."""

    prefer_for: float = 0.0


class Placing:
    """Beside the places of one tenure of the gate."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._asked: set[str] = set()
        """Placements of which it is not known, or not known any more, what they allow."""
        self._prefer_for: dict[str, float] = {}

    def kind(self, row: Waiting) -> Kind:
        """What decides where the runs of a line go."""
        if row.placement is None:
            return row.queue, row.task
        if not self._places.knows(row.placement):
            self._asked.add(row.placement)
        return row.queue, row.task, row.placement

    def tell(self, row: Waiting) -> None:
        """These are all that is known to wait in a line."""
        self._places.patience.tell(row.line, self.kind(row), self._untils(row))

    def add(self, row: Waiting) -> None:
        """These wait in a line, too."""
        self._places.patience.add(row.line, self.kind(row), self._untils(row))

    def went(self, decided: Iterable[Admitted]) -> None:
        """These wait no more, unless their lines are told anew. Nobody looks for them where none prefers anything."""
        patience = self._places.patience
        if patience:
            for one in decided:
                patience.went(one.line, one.run)

    def doubt(self) -> None:
        """Nodes came or went, or have other labels, or it may be so: everything is asked again."""
        self._asked.update(self._places.placements())

    async def ask(self, map_: Map) -> None:
        """Asks what is to be asked."""
        asked, self._asked = list(self._asked), set()
        for at in range(0, len(asked), PLACEMENTS_AT_ONCE):
            some = asked[at : at + PLACEMENTS_AT_ONCE]
            scores: list[dict[int, float]] = [{} for _ in some]
            for number, node, score in await map_.places(some):
                scores[number - 1][node] = score
            for placement, allowed in zip(some, scores, strict=True):
                self._places.allow(placement, allowed)

    async def living(self, map_: Map) -> set[int]:
        """The nodes that live: where anything may go that has no placement."""
        return {node for _, node, _ in await map_.places(["{}"])}

    def next_at(self) -> float | None:
        """When somebody has waited for long enough, by the clock of the database."""
        return self._places.patience.next_at()

    def sweep(self, kinds: Iterable[Kind]) -> None:
        """Forgets what none of these is about."""
        self._prefer_for = {}
        self._places.keep({kind[2] for kind in kinds if len(kind) == 3})

    def _untils(self, row: Waiting) -> list[tuple[int, float]]:
        """Until when each of these waits for the best node. None: it takes what there is."""
        if row.sinces is None or row.placement is None:
            return []
        wait_s = self._prefer_for.get(row.placement)
        if wait_s is None:
            wait_s = self._prefer_for[row.placement] = codec.decoder(_Preference).decode(row.placement).prefer_for
        return [(run, since + wait_s) for run, since in zip(row.runs, row.sinces, strict=True)]
