"""Reports that take their time: a request is accepted at once, and any process tells how far it is and what came of it.

pip install howdah fastapi uvicorn
export HOWDAH_DSN=postgresql://...
howdah migrate
uvicorn reports:app                     # it enqueues and works; more of it with --workers 4, or `howdah worker reports:jobs`
curl localhost:8000/reports --json '{"title": "sales", "pages": 20}'
curl localhost:8000/reports/1           # status and result
curl -N localhost:8000/reports/1/progress
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import asyncpg
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse
from howdah import App, RunEnded, State, current_run
from pydantic import BaseModel

jobs = App()

STREAM_S = 10
"""A stream ends after this time, and the browser's EventSource asks again: servers wait for open streams when they stop."""
LOOK_S = 0.25
"""How often a stream looks how far the run is."""


class Wanted(BaseModel):
    title: str
    pages: int


class Report(BaseModel):
    title: str
    words: int


class Accepted(BaseModel):
    report_id: int
    run_id: int


class Told(BaseModel):
    status: State
    result: Report | None = None
    error: str | None = None


@jobs.task(timeout="10m")
async def write_report(title: str, pages: int) -> Report:
    words = 0
    for page in range(1, pages + 1):
        await asyncio.sleep(0.05)  # Stands for the work.
        words += 250
        current_run().progress(page, pages)
    return Report(title=title, words=words)


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncGenerator[dict[str, Any], None]:
    async with asyncpg.create_pool(jobs.config.dsn, min_size=1) as pool:
        await pool.execute("create table if not exists report (id bigint generated always as identity, title text, run_id bigint)")
        yield {"pool": pool}


app = FastAPI(lifespan=jobs.lifespan_with(lifespan))


async def run_of(report_id: int, request: Request) -> int:
    run_id: int | None = await request.state.pool.fetchval("select run_id from report where id = $1", report_id)
    if run_id is None:
        raise HTTPException(404, "there is no such report")
    return run_id


@app.post("/reports", status_code=202)
async def order(wanted: Wanted, request: Request) -> Accepted:
    async with request.state.pool.acquire() as conn, conn.transaction():
        run = await write_report.options(conn=conn).enqueue(wanted.title, wanted.pages)
        insert = "insert into report (title, run_id) values ($1, $2) returning id"
        report_id = await conn.fetchval(insert, wanted.title, run.id)
    return Accepted(report_id=report_id, run_id=run.id)


@app.get("/reports/{report_id}")
async def tell(report_id: int, request: Request) -> Told:
    run = write_report.attach(await run_of(report_id, request))
    status = await run.status()
    if status == State.SUCCEEDED:
        return Told(status=status, result=await run.result())
    details = await jobs.runs.get(run.id)
    return Told(status=status, error=details.error.message if details.error else None)


@app.get("/reports/{report_id}/progress")
async def progress(report_id: int, request: Request) -> StreamingResponse:
    return StreamingResponse(events(await run_of(report_id, request)), media_type="text/event-stream")


async def events(run_id: int) -> AsyncGenerator[str, None]:
    """What changes of the run, until it has ended or the time is over."""
    run, told = write_report.attach(run_id), None
    ends = anyio.current_time() + STREAM_S
    while anyio.current_time() < ends:
        with suppress(TimeoutError, RunEnded):
            await run.result(timeout=LOOK_S)  # Pushed, so that the end is told at once.
        details = await jobs.runs.get(run_id)
        if details.progress != told:
            told = details.progress
            yield f"event: progress\ndata: {json.dumps(told)}\n\n"
        if details.ended_at is not None:
            yield f"event: {details.state}\ndata: {run_id}\n\n"
            return
