"""Answers searches from the demo's table."""

import msgspec

from ..db.files import query
from ..db.pool import Pool
from ..errors import ConfigurationError

HITS = 5
"""Hits shown for one search: they fit a screen beside the summary."""


class Hit(msgspec.Struct, frozen=True):
    """One module, class or function that answers a search."""

    name: str
    kind: str
    file: str
    line: int
    summary: str


async def search(pool: Pool, words: str) -> list[Hit]:
    """The best hits, all of the words before some of them. ConfigurationError: the demo has stored nothing here yet."""
    async with pool.ours() as connection:
        if not await connection.fetchval(query("exists", "demo")):
            raise ConfigurationError("there is nothing to search in this database yet: run `howdah demo` first")
        return [Hit(*row) for row in await connection.fetch(query("search", "demo"), words, HITS)]


async def totals(pool: Pool) -> tuple[int, int]:
    """How many files are stored, and how many entries they have."""
    async with pool.ours() as connection:
        row = await connection.fetchrow(query("totals", "demo"))
    assert row is not None, "counts have a row"
    return row["files"], row["documents"]
