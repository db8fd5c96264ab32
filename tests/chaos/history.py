"""Everything that is known of one run, in the order of time: what a violation is printed with."""

import asyncpg

from .checks import text

LEFT = """
select format('hot now: job %s', to_jsonb(j)) from howdah.job j where j.id = $1
union all select format('hot now: timer %s', to_jsonb(t)) from howdah.timer t where t.id = $1
union all select format('hot now: misfit %s', to_jsonb(m)) from howdah.misfit m where m.id = $1
union all select format('in inbox: %s', to_jsonb(i)) from howdah.inbox i where i.run = $1
union all select format('shown as %s', howdah.state($1))
"""


async def history(db: asyncpg.Connection, run: int) -> list[str]:
    """Lines."""
    lines = [f"{row['at']:%H:%M:%S.%f} {row['what']}" for row in await db.fetch(text("history"), run)]
    return [*lines, *[row[0] for row in await db.fetch(LEFT, run)]]
