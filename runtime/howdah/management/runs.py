"""Runs, one by one or in bulk: `jobs.runs`."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeAlias, Unpack

from .. import codec
from ..client import Client
from ..core.states import ENDS, State
from ..db.files import query
from ..errors import ArgumentsInvalid, HowdahError
from .asking import Connection, asking
from .filters import Filter, said
from .rows import MENDABLE, Branch, Page, RunDetails, RunInfo, event, run_fields

CHUNK = 500
"""Runs in one transaction of a bulk cancel or retry: bounds its locks, and what a kill half-way leaves undone."""

HISTORY_MAX = 1000
"""Events shown of one run: a run that snoozes for weeks has more."""

TREE_MAX = 2000
"""Runs shown of one tree."""

LISTED_MAX = 1000
"""Runs in one page."""

PENDING = tuple(str(state) for state in State if state not in ENDS)

Chosen: TypeAlias = "int | Iterable[int] | None"


class Runs:
    """The runs of a database, whatever app enqueued them."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def get(self, run: int) -> RunDetails:
        """Everything that is known of a run. HowdahError: there is none of this id, or its history has been dropped."""
        async with asking(self._client) as connection:
            rows = await connection.fetch(query("show_runs"), [run])
            if not rows:
                raise HowdahError(f"there is no run {run}: its transaction has not committed, or its history has been dropped")
            events = await connection.fetch(query("run_history"), run, HISTORY_MAX)
        return RunDetails(**run_fields(rows[0]), history=[event(row) for row in events])

    async def list(self, *, limit: int = 50, **which: Unpack[Filter]) -> Page:
        """The newest runs that pass the filter. Its work is bounded: a short page with a cursor goes on at before=cursor."""
        if not 1 <= limit <= LISTED_MAX:
            raise ArgumentsInvalid(f"limit={limit} must be from 1 to {LISTED_MAX}: go on with before=page.cursor")
        async with asking(self._client) as connection:
            found, cursor = await _find(connection, said(which), limit)
            return Page(await _show(connection, found), cursor)

    async def ids(self, *, limit: int = 10_000, **which: Unpack[Filter]) -> Sequence[int]:
        """The ids alone of the newest runs that pass the filter, however many searches that takes."""
        filters, found = said(which), list[int]()
        while len(found) < limit:
            async with asking(self._client) as connection:
                some, cursor = await _find(connection, filters, min(limit - len(found), LISTED_MAX))
            found += some
            if cursor is None:
                break
            filters["before"] = cursor
        return found

    async def count(self, **which: Unpack[Filter]) -> int:
        """How many runs pass a filter of state, task, queue and since, at once, from the roll-up. Pending states: now.
        Ends: as often as they happened, whatever history still holds. No state: how many were enqueued."""
        async with asking(self._client) as connection:
            return int(await connection.fetchval(query("count_runs"), codec.encode(said(which))))

    async def cancel(self, runs: Chosen = None, *, reason: str | None = None, **which: Unpack[Filter]) -> dict[str, int]:
        """Cancels runs by id, or those that pass a filter (of the pending ones), and says how many were cancelled, requested,
        had ended before, or are unknown. In chunks, each in a transaction of its own."""
        counts: Counter[str] = Counter()
        async for chunk in self._each(runs, which, PENDING):
            counts.update((await self._client.cancel(chunk, reason)).values())
        return dict(counts)

    async def retry(self, runs: Chosen = None, **which: Unpack[Filter]) -> dict[str, int]:
        """Opens ended runs again, by id, or those that pass a filter (failed, quarantined, lost and expired ones unless it says
        which states), and says how many were reopened, are pending, have succeeded, or are unknown. In chunks, each in a
        transaction of its own: given again after a kill, it goes on with those that are left."""
        counts: Counter[str] = Counter()
        async for chunk in self._each(runs, which, MENDABLE):
            async with asking(self._client) as connection:
                counts.update(row["answer"] for row in await connection.fetch(query("retry"), chunk))
        return dict(counts)

    async def tree(self, run: int) -> Branch:
        """A run and everything that it enqueued, and they in turn. HowdahError: there is no such run."""
        top = await self.get(run)
        page = await self.list(root=top.root or run, limit=LISTED_MAX)
        runs = [*page]
        while page.cursor is not None and len(runs) < TREE_MAX:
            page = await self.list(root=top.root or run, limit=LISTED_MAX, before=page.cursor)
            runs += page
        below: defaultdict[int | None, deque[RunInfo]] = defaultdict(deque)
        for one in runs:
            below[one.parent].appendleft(one)
        return _branch(top, below, truncated=page.cursor is not None)

    async def _each(self, runs: Chosen, which: Filter, states: Sequence[str]) -> AsyncGenerator[Sequence[int], None]:
        """The runs that are meant, in chunks, newest first."""
        filters = said(which)
        if runs is not None:
            if filters:
                raise ArgumentsInvalid("pass the ids of runs or a filter, not both")
            for chunk in _chunks([runs] if isinstance(runs, int) else runs):
                yield chunk
            return
        if not filters:
            raise ArgumentsInvalid('this would be for all runs there are: pass ids, or a filter such as state="failed"')
        filters.setdefault("state", [*states])
        while True:
            async with asking(self._client) as connection:
                found, cursor = await _find(connection, filters, CHUNK)
            if found:
                yield found
            if cursor is None:
                return
            filters["before"] = cursor


async def _find(connection: Connection, filters: dict[str, Any], limit: int) -> tuple[list[int], int | None]:
    row = await connection.fetchrow(query("find_runs"), codec.encode(filters), limit)
    assert row is not None
    return row["runs"], row["cursor"]


async def _show(connection: Connection, runs: Sequence[int]) -> list[RunInfo]:
    return [RunInfo(**run_fields(row)) for row in await connection.fetch(query("show_runs"), runs)]


def _chunks(runs: Iterable[int]) -> Iterator[list[int]]:
    rest = iter(dict.fromkeys(runs))
    while chunk := [*islice(rest, CHUNK)]:
        yield chunk


def _branch(run: RunInfo, below: Mapping[int | None, Iterable[RunInfo]], *, truncated: bool = False) -> Branch:
    return Branch(run, [_branch(child, below) for child in below.get(run.id, ())], truncated)
