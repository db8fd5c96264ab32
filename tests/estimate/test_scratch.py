"""The scratch database: there while something is measured, gone on every way out, and refused with the mend."""

from collections.abc import AsyncIterator

import anyio
import asyncpg
import pytest
from howdah import ConfigurationError, DatabaseAway
from howdah.config import Config, configure
from howdah.db.files import listing
from howdah.embedded import Embedded
from howdah.estimate.measuring import estimate
from howdah.estimate.scratch import PREFIX, redirected, scratch
from howdah.estimate.shape import Shape
from howdah.estimate.watch import sql

from ..recovery.nodes import forgiven

pytestmark = pytest.mark.anyio

Db = asyncpg.Connection


@pytest.fixture
async def admin(server: Embedded) -> AsyncIterator[Db]:
    connection = await asyncpg.connect(server.dsn("postgres"))
    yield connection
    await connection.close()


@pytest.fixture
def config(server: Embedded) -> Config:
    return configure({"dsn": server.dsn("postgres")})


async def there(admin: Db) -> int:
    return await admin.fetchval("select count(*) from pg_database where starts_with(datname, $1)", PREFIX)


async def test_it_is_migrated_and_gone_afterwards(config: Config, admin: Db) -> None:
    async with scratch(config) as inside:
        assert await there(admin) == 1
        connection = await asyncpg.connect(inside.dsn)
        assert await connection.fetchval("select count(*) from howdah.run") == 0
        # Who is still connected does not keep it.
    assert await there(admin) == 0
    connection.terminate()


async def test_it_is_gone_after_an_error_and_after_a_cancel(config: Config, admin: Db) -> None:
    with pytest.raises(ZeroDivisionError):
        async with scratch(config):
            raise ZeroDivisionError
    with anyio.CancelScope() as scope:
        async with scratch(config):
            scope.cancel()
            await anyio.sleep(10)
    assert await there(admin) == 0


async def test_a_cancel_while_it_is_made_leaves_none(config: Config, admin: Db) -> None:
    async with forgiven():  # asyncpg gives a connection back in a task of its own, and nobody asks that whether it could.
        for after_s in (0.0, 0.01, 0.03, 0.1):
            with anyio.move_on_after(after_s):
                async with scratch(config):
                    await anyio.sleep(10)
        assert await there(admin) == 0


async def test_a_superuser_s_process_that_is_at_work_in_it_is_waited_for(server: Embedded, admin: Db) -> None:
    await admin.execute("create role builder login createdb")
    own = configure({"dsn": server.dsn("postgres").replace("postgres@", "builder@")})
    try:
        async with anyio.create_task_group() as group, scratch(own) as inside:
            theirs = await asyncpg.connect(inside.dsn.replace("builder@", "postgres@") if inside.dsn else None)
            group.start_soon(_leave, theirs)
        assert await there(admin) == 0
    finally:
        await admin.execute("drop role builder")


async def _leave(connection: Db) -> None:
    try:
        await anyio.sleep(0.3)
    finally:
        connection.terminate()


async def test_a_role_that_may_not_create_databases_is_told_what_to_say(server: Embedded, admin: Db) -> None:
    await admin.execute("create role poor login")
    poor = configure({"dsn": server.dsn("postgres").replace("postgres@", "poor@")})
    try:
        with pytest.raises(ConfigurationError, match=r"may not make one .* `alter role \.\.\. createdb`, or name another role with --dsn"):
            async with scratch(poor):
                pass
        await admin.execute("alter role poor createdb")
        async with scratch(poor):
            pass
    finally:
        await admin.execute("drop role poor")


async def test_a_server_that_is_down_says_so() -> None:
    with pytest.raises(DatabaseAway, match="Check HOWDAH_DSN"):
        async with scratch(configure({"dsn": "postgresql://127.0.0.1:1/x"})):
            pass


async def test_runs_that_take_too_long_for_the_time_are_refused_with_a_time_that_will_do(config: Config, admin: Db) -> None:
    with pytest.raises(ConfigurationError, match=r"in 20 s too few runs of 5 s end to measure anything: say --seconds 58, or more"):
        await estimate(config, Shape(task_s=5.0))
    assert await there(admin) == 0


async def test_a_time_in_which_no_run_ends_is_told_and_not_estimated(config: Config, admin: Db) -> None:
    with pytest.raises(ConfigurationError, match=r"no run ended within .* s: say more --seconds than 0,"):
        await estimate(config, Shape(), seconds=0)  # In a millisecond a fast node ends some.
    assert await there(admin) == 0


def test_another_database_of_the_same_server() -> None:
    assert redirected("postgresql://a:b@h:1/x?host=/tmp", "y") == "postgresql://a:b@h:1/y?host=/tmp"
    assert redirected(None, "y") == "postgresql:///y"


@pytest.mark.parametrize("name", [name for name, _ in listing("estimate")])
async def test_a_statement_of_the_estimate_prepares(db: Db, name: str) -> None:
    assert await db.prepare(sql(name))
