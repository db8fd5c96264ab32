"""docs/operating.md says how to size, pool, fail over, keep and permit, and its blocks run. Its YAML: tests/contract/test_2_05_metrics.py,
tests/examples/test_container.py; what it prints of estimate: tests/cli/test_estimate.py; a failover: tests/recovery/test_failover.py.
"""

import re
import shlex
from pathlib import Path

import asyncpg
import pytest
from howdah.config import configure

pytestmark = pytest.mark.anyio

PAGE = (Path(__file__).parents[1] / "docs" / "operating.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
HEADS = re.findall(r"^## (.*)$|^\*\*(\w+)\.\*\*", PAGE, re.MULTILINE)


@pytest.mark.parametrize("head", ["How much will it hold", "PgBouncer", "Failover", "Retention", "Roles"])
def test_what_has_to_be_known_has_its_place(head: str) -> None:
    assert head in {name for names in HEADS for name in names}


async def test_roles_are_permitted_by_the_statements_of_the_page(db: asyncpg.Connection) -> None:
    (statements,) = [text for language, text in BLOCKS if language == "sql"]
    roles = re.findall(r"permit\('(\w+)', '(\w+)'\)", statements)
    assert [kind for _, kind in roles] == ["node", "enqueue", "read"]
    transaction = db.transaction()  # Roles are the whole server's: none stays.
    await transaction.start()
    for role, _ in roles:
        await db.execute(f"create role {role}")
    await db.execute(statements)
    assert [await db.fetchval("select has_schema_privilege($1, 'howdah', 'usage')", role) for role, _ in roles] == [True] * 3
    assert await db.fetchval("select has_table_privilege($1, 'howdah.queue_stats', 'select')", roles[2][0])
    await transaction.rollback()


def test_an_address_of_two_servers_is_one_that_is_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = [text for language, text in BLOCKS if language == "sh" and "HOWDAH_DSN" in text]
    _, assignment = shlex.split(line)
    name, _, dsn = assignment.partition("=")
    monkeypatch.setenv(name, dsn)
    assert configure({}).dsn == dsn
    assert dsn.endswith("?target_session_attrs=read-write"), "as the failover is tested with"


def test_no_block_is_left_out() -> None:
    assert sorted(language for language, _ in BLOCKS) == ["sh", "sh", "sql", "yaml", "yaml", "yaml", "yaml"]
