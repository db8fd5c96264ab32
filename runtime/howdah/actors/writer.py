"""Makes outcomes durable: whatever piled up during the last commit is the next batch. No timer, no threshold."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Protocol

from ..core.states import Kind
from ..mailbox import Mailbox
from ..messages import Closing, Freed, Outcome, Rejection, ToDispatcher
from .lane import DROPPED
from .tally import Tally

log = logging.getLogger("howdah.writer")


class Records(Protocol):
    """What the writer needs of the database."""

    unsettled: bool

    async def ready(self) -> None: ...
    async def record(self, batch: Sequence[Outcome]) -> list[Rejection]: ...
    async def settle(self) -> None: ...
    async def close_buckets(self, closings: Sequence[Closing]) -> None: ...
    async def tell_gate(self, said: Sequence[str]) -> None: ...


class Ends(Protocol):
    """Who wants to know that permits of the gate are free, and knows which rates are to be closed."""

    def take_closings(self, outcomes: Sequence[Outcome]) -> Sequence[Closing]:
        """What these close: to be done before they are written, or others would start in between."""
        ...

    def ended(self, outcomes: Sequence[Outcome]) -> Sequence[str]:
        """These are durable, or were dropped. What is to be said to a gate on another node."""
        ...


async def write(
    ledger: Mailbox[Outcome],
    records: Records,
    desk: Mailbox[ToDispatcher],
    remind: Callable[[float], None],
    ends: Ends,
    batch_max: int,
    tally: Tally | None = None,
) -> None:
    """Writes until the ledger ends. Room is free again only when an outcome is durable.

    remind: says in how many seconds a run goes on, so that upkeep looks then.
    """
    await records.ready()
    while not ledger.ended:
        batch = await ledger.take(batch_max)
        rows = [outcome for outcome in batch if outcome.kind != DROPPED]
        if rows:
            if closings := ends.take_closings(rows):
                await records.close_buckets(closings)
            began = monotonic()
            rejected = await records.record(rows)
            if tally is not None:
                tally.writes.add((len(rows), monotonic() - began))
                tally.stale += sum(rejection.verdict == "stale" for rejection in rejected)
            _report(rejected, rows)
        if batch:
            desk.put_nowait(Freed(Counter([outcome.lease for outcome in batch])))  # Has room: one for each run held.
            if said := ends.ended(batch):
                await records.tell_gate(said)
        delays = [outcome.delay for outcome in rows if outcome.delay is not None]
        if delays:
            remind(min(delays).total_seconds())
        if records.unsettled:
            await records.settle()


def _report(rejected: Sequence[Rejection], rows: Sequence[Outcome]) -> None:
    failed = [row for row in rows if row.kind == Kind.FAILED]
    if failed:
        late = {(rejection.run, rejection.lease) for rejection in rejected}
        for row in failed:
            if (row.run, row.lease) not in late:
                log.warning(
                    "run %s failed for the last time, on node %s under lease %s: `howdah runs show %s`",
                    row.run,
                    row.node,
                    row.lease,
                    row.run,
                )
    for rejection in rejected:
        if rejection.verdict == "stale":
            other = f"node {rejection.other_node} under lease {rejection.other_lease}" if rejection.other_node else "nobody at the moment"
            log.warning(
                "run %s: the outcome of node %s under lease %s was refused: the lease was lost, and the run belongs to %s;"
                " the outcome is kept in howdah.stale_event",
                rejection.run,
                rejection.node,
                rejection.lease,
                other,
            )
