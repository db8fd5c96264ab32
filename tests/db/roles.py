"""The three roles of the tests, each called after what it is permitted as."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import asyncpg

from .world import Session

ENQUEUE, NODE, READ = "howdah_enqueue", "howdah_node", "howdah_read"
ROLES = {"e": ENQUEUE, "n": NODE, "r": READ}


PUBLIC = """
select p.proname from pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
where p.pronamespace = 'howdah'::regnamespace and a.grantee = 0
union all select c.relname from pg_class c, aclexplode(c.relacl) a where c.relnamespace = 'howdah'::regnamespace and a.grantee = 0
union all select n.nspname from pg_namespace n, aclexplode(n.nspacl) a where n.nspname = 'howdah' and a.grantee = 0
"""
"""What the public may do with ours, by name."""


@asynccontextmanager
async def as_role(dsn: str, role: str) -> AsyncGenerator[Session]:
    """A session of this role."""
    connection = await asyncpg.connect(dsn, user=role)
    try:
        yield connection
    finally:
        connection.terminate()


def of(dsn: str, role: str) -> str:
    """The same database, as this role."""
    return dsn.replace("//postgres@", f"//{role}@")
