"""`howdah grant`: roles get the least that they need, and lose it again."""

import asyncpg
import pytest

from .programs import asked, beside

pytestmark = pytest.mark.anyio

Db = asyncpg.Connection
MAY = """
select has_function_privilege('howdah_granted', p.oid, 'execute') from pg_proc p
where p.pronamespace = 'howdah'::regnamespace and p.proname = $1
"""


@pytest.fixture
async def role(db: Db) -> str:
    if not await db.fetchval("select exists (select from pg_roles where rolname = 'howdah_granted')"):
        await db.execute("create role howdah_granted login")
    return "howdah_granted"


async def test_a_role_is_granted_a_kind_and_forbidden_everything(dsn: str, db: Db, role: str) -> None:
    granted = await beside("grant", role, "--as", "enqueue", HOWDAH_DSN=dsn)
    assert (granted.exit_code, granted.stderr) == (0, "")
    assert granted.stdout == "howdah_granted is permitted as enqueue: it enqueues, and can neither read runs nor cancel them.\n"
    assert await db.fetchval(MAY, "submit")
    assert not await db.fetchval(MAY, "claim")

    assert (await beside("grant", role, "--as", "node", "--dsn", dsn)).exit_code == 0
    assert await db.fetchval(MAY, "claim")

    taken = await beside("grant", role, "--none", HOWDAH_DSN=dsn)
    assert taken.stdout == "howdah_granted has no rights of ours any more.\n"
    assert not await db.fetchval(MAY, "submit")


async def test_what_it_prints_does_the_same(db: Db, role: str) -> None:
    printed = await beside("grant", role, "--as", "node", "--sql")
    assert printed.stdout == "select howdah.permit('howdah_granted', 'node');\n"
    await db.execute(printed.stdout)
    assert await db.fetchval(MAY, "claim")
    await db.execute((await beside("grant", role, "--none", "--sql")).stdout)
    assert not await db.fetchval(MAY, "claim")
    assert (await beside("grant", "o'dd", "--none", "--sql")).stdout == "select howdah.forbid('o''dd');\n"


async def test_who_may_not_grant_and_who_is_not_there_is_one_sentence(dsn: str, role: str) -> None:
    missing = await beside("grant", "howdah_missing", "--as", "node", HOWDAH_DSN=dsn)
    assert missing.exit_code == 1
    assert (
        missing.stderr
        == "howdah: there is no role 'howdah_missing' in this Postgres. Create it first, as in: create role howdah_missing login\n"
    )
    assert (await beside("grant", role, "--as", "node", HOWDAH_DSN=dsn)).exit_code == 0
    refused = await beside("grant", role, "--as", "node", HOWDAH_DSN=dsn.replace("//postgres@", f"//{role}@"))
    assert refused.exit_code == 1
    assert "as the owner of the howdah schema" in refused.stderr


def test_one_of_as_and_none_is_said() -> None:
    assert asked("grant", "x").exit_code == 2
    assert asked("grant", "x", "--as", "node", "--none").exit_code == 2
    assert asked("grant", "x", "--as", "king").exit_code == 2
