"""A FastAPI app that does its work itself: its only word for that is `lifespan=`."""

from fastapi import FastAPI
from howdah import App, current_run, transaction

jobs = App()


@jobs.task
async def note(order: str) -> None:
    async with transaction() as conn:
        await conn.execute("insert into effect (run, what) values ($1, $2)", current_run().id, order)


app = FastAPI(lifespan=jobs.lifespan)


@app.post("/orders/{order}", status_code=202)
async def take(order: str) -> int:
    run = await note.enqueue(order)
    return run.id
