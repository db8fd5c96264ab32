"""The admissions of one tenure of the gate on their way to the database: while a large one is written, the next is decided.

What is out may be true there or not yet. So who asks the database what waits or what is held first has the answers to all that is out:
a look that says that a run waits has seen what became of its admission.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from ..core.keyed import Admitted as Decided
from ..mailbox import Mailbox
from ..messages import SeatLost, Woken

OUT_MAX = 2
"""One is written, and one waits for that."""

AHEAD_MIN = 100
"""Runs of an admission during which the next is decided: a small one is back so soon that what ends meanwhile had better join the next."""


Level = tuple[str, str, float, float]
"""What the bucket of a key has left: limit, key, tokens, and as of when in Unix time."""


class Register(Protocol):
    """What this needs of the database."""

    async def admit(self, epoch: int, own: int, runs: Sequence[int], nodes: Sequence[int], levels: Sequence[Level]) -> list[Any]: ...


class _Batch(NamedTuple):
    decided: dict[int, Decided]
    twice: list[Decided]
    nodes: list[int]
    levels: Sequence[Level]


class Answer(NamedTuple):
    """What became of one admission: by run what was decided, and a row for each that the database admitted: a Claimed without its lane.
    twice: what was decided of runs beside that, which is not to be."""

    decided: dict[int, Decided]
    rows: list[Any]
    twice: list[Decided]


class Admissions:
    """Written one after the other, in the order in which they were decided."""

    def __init__(self, register: Register, epoch: int, node: int, desk: Mailbox[Woken]) -> None:
        """desk: the gate's, which is woken when an answer is there."""
        self._register, self._epoch, self._node, self._desk = register, epoch, node, desk
        self._batches = Mailbox[_Batch](OUT_MAX)
        self._answers = Mailbox[Answer | SeatLost](OUT_MAX)
        self._out = deque[dict[int, Decided]]()

    @property
    def are_out(self) -> bool:
        """Whether answers are yet to be taken."""
        return bool(self._out)

    @property
    def have_room(self) -> bool:
        """Whether the next one may be decided."""
        out = self._out
        return not out or (len(out) < OUT_MAX and len(out[0]) >= AHEAD_MIN)

    def include(self, run: int) -> bool:
        """Whether this run is among those that are out."""
        return any(run in decided for decided in self._out)

    def send(self, decided: Sequence[Decided], levels: Sequence[Level]) -> None:
        """One more goes out; only where there is room for it. A run goes once, also where it was known in two lines, as one that has
        come to another."""
        once = {one.run: one for one in decided}
        twice = [] if len(once) == len(decided) else [one for one in decided if once[one.run] is not one]
        batch = _Batch(once, twice, [one.place for one in once.values()], levels)
        self._out.append(batch.decided)
        self._batches.put_nowait(batch)

    async def take(self, within_s: float | None = 0) -> list[Answer]:
        """The answers that are there; waits for the first of them for so long. Raises SeatLost where one of them says so."""
        answers: list[Answer] = []
        for answer in await self._answers.take(OUT_MAX, within_s):
            if isinstance(answer, SeatLost):
                raise answer
            self._out.popleft()
            answers.append(answer)
        return answers

    def end(self) -> None:
        """Nothing more goes out."""
        self._batches.close()

    async def serve(self) -> None:
        """Writes until the end; all that was sent is answered, or the seat is lost. What answers mean is for others to find out: here
        the next statement follows at once."""
        while not self._batches.ended:
            for batch in await self._batches.take(1):
                try:
                    rows = await self._register.admit(self._epoch, self._node, list(batch.decided), batch.nodes, batch.levels)
                except SeatLost as lost:
                    self._answers.put_nowait(lost)
                    self._desk.offer(Woken())
                    return
                self._answers.put_nowait(Answer(batch.decided, rows, batch.twice))
                self._desk.offer(Woken())
