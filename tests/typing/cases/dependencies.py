"""A dependency has the type of what its provider supplies, and calls leave it out."""

from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import asynccontextmanager, contextmanager
from sys import stdout
from typing import Any, TextIO, assert_type

from howdah import App, Run, use

jobs = App()


class Pool:
    async def __aenter__(self) -> "Connection":
        return Connection()

    async def __aexit__(self, *_: object) -> None: ...


class Connection: ...


def get_pool() -> Pool:
    return Pool()


def get_log() -> TextIO:
    return stdout


async def get_secret() -> str:
    return "secret"


async def connect(pool: Pool = use(get_pool, per="node")) -> AsyncIterator[Connection]:
    yield Connection()


async def session() -> AsyncGenerator[Connection, None]:
    yield Connection()


def number() -> Generator[int, None, None]:
    yield 1


@asynccontextmanager
async def managed() -> AsyncGenerator[bytes, None]:
    yield b""


@contextmanager
def measured() -> Generator[float, None, None]:
    yield 1.0


@jobs.task
async def welcome(
    user_id: int,
    email: str,
    pool: Pool = use(get_pool),
    log: TextIO = use(get_log),
    secret: str = use(get_secret),
    connection: Connection = use(connect),
    other: Connection = use(session, per="run"),
    count: int = use(number),
    data: bytes = use(managed),
    seconds: float = use(measured),
) -> None: ...


assert_type(use(get_pool, per="node"), Pool)
assert_type(use(get_log), TextIO)
assert_type(use(get_secret), str)
assert_type(use(connect), Connection)
assert_type(use(managed), bytes)
assert_type(use(measured), float)


async def enqueue() -> None:
    assert_type(await welcome.enqueue(1, "a@b.c"), Run[None])
    await welcome.enqueue("1", "a@b.c")  # error: an id is no text
    await welcome.enqueue(1, "a@b.c", Connection())  # error: and a connection is no pool


@jobs.task
async def wrong(
    pool: Connection = use(get_pool),  # error: it supplies a pool
    connection: Pool = use(connect),  # error: it yields a connection
    secret: int = use(get_secret),  # error: a secret is text
) -> None: ...


use(get_pool, per="process")  # error: a life is that of a run or of a node
use(Pool())  # error: what supplies the value, not the value


@jobs.middleware
async def traced() -> AsyncGenerator[None, Any]:
    outcome = yield
    print(outcome)


@jobs.middleware
async def looser() -> AsyncIterator[None]:
    yield


@jobs.middleware  # error: it takes no context
async def contextual(run: object) -> AsyncIterator[None]:
    yield


@jobs.middleware  # error: it wraps, so it yields
async def flat() -> None: ...
