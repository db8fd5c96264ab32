"""Carries a folder through the queue: files enter in batches while the node works on the first of them."""

from collections.abc import Sequence
from time import monotonic

import anyio
import msgspec

from ..app import Run
from ..errors import RunEnded, RunFailed
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
    """How far a job is. It is complete when the job returns, and tells the truth when it is interrupted too."""

    files: int
    entered: int = 0
    stored: int = 0
    entries: int = 0
    elapsed_s: float = 0.0
    runs: list[int] = msgspec.field(default_factory=list[int])
    failed: list[Failed] = msgspec.field(default_factory=list[Failed])


async def carry(library: Library, files: Sequence[Source], tally: Tally, shown: Show, *, again: bool) -> None:
    """Returns when every file that had to be read has been stored or has failed."""
    began = monotonic()

    def step() -> None:
        tally.elapsed_s = monotonic() - began
        shown.step(done=already + tally.stored + len(tally.failed), total=tally.files, failed=len(tally.failed))

    async def follow(path: str, run: Run[int]) -> None:
        try:
            tally.entries += await run.result()
        except RunEnded as end:
            tally.failed.append(Failed(path, end.message if isinstance(end, RunFailed) else str(end)))
        else:
            tally.stored += 1
        tally.runs.append(run.id)
        step()

    already = 0
    async with anyio.create_task_group() as group:
        for first in range(0, len(files), BATCH):
            batch = files[first : first + BATCH]
            runs = await library.enter(batch, again=again)
            tally.entered += len(runs)
            already += len(batch) - len(runs)
            step()
            for path, run in runs.items():
                group.start_soon(follow, path, run)
    tally.failed.sort(key=lambda failure: failure.path)
