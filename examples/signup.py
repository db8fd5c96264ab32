"""A sign-up in FastAPI: the user and the mail to come are committed together, or neither; and the mail is tried until it goes out.

pip install howdah fastapi uvicorn
export HOWDAH_DSN=postgresql://...
howdah migrate
howdah worker signup:jobs               # one terminal
uvicorn signup:app                      # another
curl localhost:8000/users --json '{"email": "ada@example.org"}'
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import asyncpg
from fastapi import FastAPI, HTTPException, Request
from howdah import App, Retry, current_run
from pydantic import BaseModel

jobs = App()


class SignUp(BaseModel):
    email: str


class SignedUp(BaseModel):
    user_id: int
    run_id: int


@jobs.task(retry=Retry(5, base="200ms"), timeout="30s")
async def welcome(user_id: int, email: str) -> str:
    return await send_mail(email, f"welcome aboard, user {user_id}")


async def send_mail(email: str, text: str) -> str:
    """Stands for a mail server that is down when it is asked first."""
    if current_run().attempt == 1:
        raise ConnectionError("the mail server is not there just now")
    return f"to {email}: {text}"


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
    async with asyncpg.create_pool(jobs.config.dsn, min_size=1) as pool:
        await pool.execute("create table if not exists users (id bigint generated always as identity, email text unique)")
        app.state.pool = pool
        yield


app = FastAPI(lifespan=jobs.lifespan_with(lifespan, work=False))  # without work=False it needs no worker beside it


@app.post("/users", status_code=201)
async def sign_up(asked: SignUp, request: Request) -> SignedUp:
    try:
        async with request.app.state.pool.acquire() as conn, conn.transaction():
            user_id = await conn.fetchval("insert into users (email) values ($1) returning id", asked.email)
            run = await welcome.options(conn=conn).enqueue(user_id, asked.email)
    except asyncpg.UniqueViolationError:
        raise HTTPException(409, "no second user, and no second mail") from None
    return SignedUp(user_id=user_id, run_id=run.id)


@app.get("/mails/{run_id}")
async def mail(run_id: int) -> str:
    return await welcome.attach(run_id).result(timeout="30s")
