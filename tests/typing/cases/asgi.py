"""Lifespans, as frameworks take them, and apps with ours around them."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from fastapi import FastAPI
from howdah import App
from litestar import Litestar
from quart import Quart
from starlette.applications import Starlette

jobs = App()


@asynccontextmanager
async def plain(app: FastAPI) -> AsyncGenerator[None, None]:
    yield


@asynccontextmanager
async def stateful(app: Starlette) -> AsyncGenerator[dict[str, int], None]:
    yield {"pool": 7}


async def generates(app: FastAPI) -> AsyncGenerator[None, None]:
    yield


def wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    return []


FastAPI(lifespan=jobs.lifespan)
FastAPI(lifespan=jobs.lifespan_with())
FastAPI(lifespan=jobs.lifespan_with(plain, work=False))
Starlette(lifespan=jobs.lifespan)
Starlette(lifespan=jobs.lifespan_with(stateful, grace="20s"))
Litestar([], lifespan=[jobs.lifespan, jobs.lifespan_with(grace=timedelta(seconds=1))])
jobs.lifespan_with(jobs.lifespan)
Starlette(lifespan=jobs.lifespan_with)  # error: it is not called
FastAPI(lifespan=jobs.lifespan())  # error: it is called
jobs.lifespan_with(generates)  # error: no context manager
jobs.lifespan_with(FastAPI())  # error: an app
jobs.lifespan_with(plain, False)  # error: work has a name
jobs.lifespan_with(grace=None, queues=["mail"])  # error: a node's word

inner = Quart(__name__)
jobs.asgi(FastAPI())
jobs.asgi(Starlette(), work=False, grace=5)
jobs.asgi(Litestar([]))
jobs.asgi(inner)
jobs.asgi(jobs.asgi(inner))
jobs.asgi(wsgi)  # error: not of three parameters


async def by_hand() -> Any:
    async with jobs.lifespan() as state:
        state["howdah"].whatever()
    async with jobs.lifespan_with(stateful)(Starlette()) as state:
        return state
