"""Sessions of every library that conn= takes, each with the same few words: put a row, commit, roll back, savepoint."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any

import asyncpg
import django  # pyright: ignore[reportMissingTypeStubs]
import psycopg
import sqlalchemy as sa
from django.conf import settings  # pyright: ignore[reportMissingTypeStubs]
from django.db import connections  # pyright: ignore[reportMissingTypeStubs]
from django.db import transaction as django_transaction  # pyright: ignore[reportMissingTypeStubs]
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

Block = Callable[[], AbstractAsyncContextManager[object]]
SyncBlock = Callable[[], AbstractContextManager[object]]


class Place:
    """A session of async code: `conn` is what the user passes, the others are what the user's code does beside it."""

    def __init__(self, conn: object, begin: Block, savepoint: Block) -> None:
        self.conn = conn
        self.begin = begin
        self.savepoint = savepoint


class SyncPlace:
    """The same of sync code."""

    def __init__(self, conn: object, begin: SyncBlock, savepoint: SyncBlock) -> None:
        self.conn = conn
        self.begin = begin
        self.savepoint = savepoint


@asynccontextmanager
async def asyncpg_connection(dsn: str) -> AsyncGenerator[Place]:
    conn = await asyncpg.connect(dsn)
    yield Place(conn, conn.transaction, conn.transaction)
    await conn.close()


@asynccontextmanager
async def asyncpg_pool(dsn: str) -> AsyncGenerator[Place]:
    async with asyncpg.create_pool(dsn, min_size=1, max_size=1) as pool, pool.acquire() as conn:
        yield Place(conn, conn.transaction, conn.transaction)


@asynccontextmanager
async def _psycopg(dsn: str, **said: Any) -> AsyncGenerator[Place]:
    async with await psycopg.AsyncConnection.connect(dsn, **said) as conn:
        yield Place(conn, conn.transaction, conn.transaction)


def psycopg_async(dsn: str) -> AbstractAsyncContextManager[Place]:
    return _psycopg(dsn)


def psycopg_async_dicts(dsn: str) -> AbstractAsyncContextManager[Place]:
    return _psycopg(dsn, row_factory=dict_row, autocommit=True)


def psycopg_async_raw(dsn: str) -> AbstractAsyncContextManager[Place]:
    return _psycopg(dsn, cursor_factory=psycopg.AsyncRawCursor)


def psycopg_async_client(dsn: str) -> AbstractAsyncContextManager[Place]:
    return _psycopg(dsn, cursor_factory=psycopg.AsyncClientCursor)


@asynccontextmanager
async def _session(dsn: str, driver: str) -> AsyncGenerator[Place]:
    engine = create_async_engine(dsn.replace("postgresql://", f"postgresql+{driver}://"))
    async with AsyncSession(engine) as session:
        yield Place(session, session.begin, session.begin_nested)
    await engine.dispose()


def sqlalchemy_session_asyncpg(dsn: str) -> AbstractAsyncContextManager[Place]:
    return _session(dsn, "asyncpg")


def sqlalchemy_session_psycopg(dsn: str) -> AbstractAsyncContextManager[Place]:
    return _session(dsn, "psycopg")


@asynccontextmanager
async def _connection(dsn: str, driver: str) -> AsyncGenerator[Place]:
    engine = create_async_engine(dsn.replace("postgresql://", f"postgresql+{driver}://"))
    async with engine.connect() as conn:
        yield Place(conn, conn.begin, conn.begin_nested)
    await engine.dispose()


def sqlalchemy_connection_asyncpg(dsn: str) -> AbstractAsyncContextManager[Place]:
    return _connection(dsn, "asyncpg")


def sqlalchemy_connection_psycopg(dsn: str) -> AbstractAsyncContextManager[Place]:
    return _connection(dsn, "psycopg")


@asynccontextmanager
async def sqlalchemy_scoped(dsn: str) -> AsyncGenerator[Place]:
    engine = create_async_engine(dsn.replace("postgresql://", "postgresql+asyncpg://"))
    session = async_scoped_session(async_sessionmaker(engine), scopefunc=lambda: 0)
    yield Place(session, session.begin, session.begin_nested)
    await session.remove()
    await engine.dispose()


ASYNC = [
    asyncpg_connection, asyncpg_pool, psycopg_async, psycopg_async_dicts, psycopg_async_raw, psycopg_async_client,
    sqlalchemy_session_asyncpg, sqlalchemy_session_psycopg, sqlalchemy_connection_asyncpg, sqlalchemy_connection_psycopg,
    sqlalchemy_scoped,
]  # fmt: skip


@contextmanager
def psycopg_sync(dsn: str) -> Generator[SyncPlace]:
    with psycopg.connect(dsn) as conn:
        yield SyncPlace(conn, conn.transaction, conn.transaction)


@contextmanager
def psycopg_sync_raw(dsn: str) -> Generator[SyncPlace]:
    conn: psycopg.Connection[Any] = psycopg.connect(dsn, autocommit=True)
    conn.cursor_factory, conn.row_factory = psycopg.RawCursor, dict_row
    with conn:
        yield SyncPlace(conn, conn.transaction, conn.transaction)


@contextmanager
def sqlalchemy_session(dsn: str) -> Generator[SyncPlace]:
    engine = sa.create_engine(dsn.replace("postgresql://", "postgresql+psycopg://"))
    with Session(engine) as session:
        yield SyncPlace(session, session.begin, session.begin_nested)
    engine.dispose()


@contextmanager
def sqlalchemy_connection(dsn: str) -> Generator[SyncPlace]:
    engine = sa.create_engine(dsn.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as conn:
        yield SyncPlace(conn, conn.begin, conn.begin_nested)
    engine.dispose()


@contextmanager
def sqlalchemy_scoped_sync(dsn: str) -> Generator[SyncPlace]:
    engine = sa.create_engine(dsn.replace("postgresql://", "postgresql+psycopg://"))
    session = scoped_session(sessionmaker(engine))
    yield SyncPlace(session, session.begin, session.begin_nested)
    session.remove()
    engine.dispose()


def configure_django() -> None:
    """Once in a process, with no database yet: each test brings its own."""
    if not settings.configured:
        settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}, USE_TZ=True)
        django.setup()


@contextmanager
def django_connection(dsn: str) -> Generator[SyncPlace]:
    configure_django()
    parts = conninfo_to_dict(dsn)
    names = {"dbname": "NAME", "host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD"}
    said = {ours: parts[theirs] for theirs, ours in names.items() if theirs in parts}
    known: Any = connections
    known.settings["ours"] = known.configure_settings({"default": {}, "ours": {"ENGINE": "django.db.backends.postgresql", **said}})["ours"]
    conn = known["ours"]

    def atomic() -> Any:
        return django_transaction.atomic(using="ours")

    try:
        yield SyncPlace(conn, atomic, atomic)
    finally:
        if conn.connection is not None:  # Django refuses even to close on an event loop.
            conn.close()
        del known["ours"]
        del known.settings["ours"]


SYNC = [psycopg_sync, psycopg_sync_raw, sqlalchemy_session, sqlalchemy_connection, sqlalchemy_scoped_sync, django_connection]
