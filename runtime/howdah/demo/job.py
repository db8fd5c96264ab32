"""Carries a folder through the queue: files enter in batches while the node works on the first of them."""

from collections.abc import Sequence
from time import monotonic

import anyio
import msgspec

from ..errors import RunEnded, RunFailed
from ..runs import Run
from .library import Library
from .progress import Show
from .sources import Source

BATCH = 200
"""Files that enter in one transaction: the first runs start long before the last file has entered."""


class Failed(msgspec.Struct, frozen=True):
    """A file that was not stored, and what its run said."""

    path: str
    error: str


class Tally(msgspec.Struct):
    """How far a job is, also when it was interrupted. fresh: files that entered with a new run. already: stored before."""

    files: int
    fresh: int = 0
    already: int = 0
    stored: int = 0
    entries: int = 0
    elapsed_s: float = 0.0
    runs: list[int] = msgspec.field(default_factory=list[int])
    failed: list[Failed] = msgspec.field(default_factory=list[Failed])

    @property
    def left(self) -> int:
        """Files that have not come to an end."""
        return self.files - self.already - self.stored - len(self.failed)


async def carry(library: Library, files: Sequence[Source], tally: Tally, shown: Show, *, again: bool) -> None:
    """Returns when every file that had to be read has been stored or has failed."""
    began = monotonic()

    def step() -> None:
        tally.elapsed_s = monotonic() - began
        shown.step(done=tally.files - tally.left, total=tally.files, failed=len(tally.failed))

    async def follow(path: str, run: Run[int]) -> None:
        try:
            tally.entries += await run.result()
        except RunEnded as end:
            tally.failed.append(Failed(path, end.message if isinstance(end, RunFailed) else str(end)))
        else:
            tally.stored += 1
        tally.runs.append(run.id)
        step()

    async with anyio.create_task_group() as group:
        for first in range(0, len(files), BATCH):
            batch = files[first : first + BATCH]
            entered = await library.enter(batch, again=again)
            tally.fresh += entered.fresh
            tally.already += len(batch) - len(entered.runs)
            step()
            for path, run in entered.runs.items():
                group.start_soon(follow, path, run)
    tally.failed.sort(key=lambda failure: failure.path)
