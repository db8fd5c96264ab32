"""What `transaction()` is on a node: a lent connection whose commit ends the run."""

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime

from .context import CurrentRun, UserConnection, lease_lost
from .core.verdict import Cause
from .db.completions import Completions, LeaseGone, SessionEnded
from .db.link import is_lost
from .db.pool import Pool
from .errors import DatabaseAway, HowdahError

log = logging.getLogger("howdah.node")


class Transactions:
    """Those of one node. offset_s: Unix time of the database minus monotonic time here."""

    def __init__(self, pool: Pool, lease_s: float, offset_s: Callable[[], float]) -> None:
        self._completions = Completions(pool, lease_s)
        self._lease_s = lease_s
        self._offset_s = offset_s

    def open(self, run: CurrentRun) -> AbstractAsyncContextManager[UserConnection]:
        """One that ends the run when it commits. HowdahError: its function is no coroutine."""
        if run.in_thread:
            raise HowdahError(
                f"transaction() was called in a thread, by the plain function of {run!r}, and its connection belongs to the event"
                " loop: make the function `async def`, or commit on a connection of your own and be ready to be run again"
            )
        return self._transaction(run)

    @asynccontextmanager
    async def _transaction(self, run: CurrentRun) -> AsyncGenerator[UserConnection, None]:
        started = datetime.fromtimestamp(run.started + self._offset_s(), UTC)
        run.in_transaction = True
        try:
            async with self._completions.open(run.claimed, started, run.encoded_result, run.encoded_logs) as connection:
                yield connection
        except Exception as error:
            # Postgres refuses its last statement, or has ended the session of a zombie that sat idle in its transaction.
            if isinstance(error, LeaseGone) or (run.cause is Cause.LOST and (is_lost(error) or isinstance(error, SessionEnded))):
                log.warning(
                    "run %s: the transaction() of node %s under lease %s was rolled back: the lease was lost, and who holds the run now"
                    " does it anew",
                    run.id,
                    run.claimed.node,
                    run.claimed.lease,
                )
                raise lease_lost(run) from error
            if isinstance(error, SessionEnded):
                raise DatabaseAway(
                    f"the transaction() of {run!r} was rolled back, since its session was ended: it sat idle for a lease"
                    f" ({self._lease_s:g} s), or the connection was lost. Await what takes long before the block"
                ) from error
            raise
        finally:
            run.in_transaction = False
        run.completed = True
