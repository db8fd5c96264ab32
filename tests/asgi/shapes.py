"""One small program for each way in: `app` is what a server serves, GET /work enqueues a run of `effect`, which leaves a row.

What they have in common stands in `work`, the module that is written beside them.
"""

WORK = '''
import asyncio
import os
import time

import asyncpg
from howdah import App, current_run, use

jobs = App()
NOTE = "insert into effect (run, pid, what) values ($1, $2, $3)"

async def effects():
    async with asyncpg.create_pool(jobs.config.dsn, min_size=1, max_size=4) as pool:
        yield pool

@jobs.task
async def effect(seconds: float = 0.0, pool: asyncpg.Pool = use(effects, per="node")) -> None:
    """Takes so long, and notes whether it got to its end; a long one that it has begun, too."""
    run = current_run().id
    if seconds >= 1:
        await pool.execute(NOTE, run, os.getpid(), "begun")
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        await pool.execute(NOTE, run, os.getpid(), "cancelled")
        raise
    await pool.execute(NOTE, run, os.getpid(), "effect")

@jobs.task(isolation="process")
def apart() -> int:
    return os.getpid()

@jobs.task
def stubborn(seconds: float) -> None:
    """Cannot be interrupted. Says in a file that it has begun."""
    open("begun", "w").close()
    time.sleep(seconds)
'''

FASTAPI = '''
import os
import time
from fastapi import FastAPI
from work import apart, effect, jobs, stubborn

app = FastAPI(lifespan=jobs.lifespan)

@app.get("/work")
async def work(seconds: float = 0.0) -> int:
    return (await effect.enqueue(seconds)).id

@app.get("/sync")
def in_a_thread() -> int:
    return effect.enqueue_sync().id

@app.get("/stubborn")
async def stay(seconds: float) -> int:
    return (await stubborn.enqueue(seconds)).id

@app.get("/apart")
async def in_a_process() -> int:
    return await (await apart.enqueue()).result("20s")

@app.get("/block")
async def block() -> None:
    """Until a file is there; says in another one that it has begun."""
    open("blocks", "w").close()
    while not os.path.exists("leave"):
        time.sleep(0.01)
'''

STARLETTE = """
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from work import effect, jobs

async def work(request):
    return JSONResponse((await effect.enqueue()).id)

app = Starlette(routes=[Route("/work", work)], lifespan=jobs.lifespan)
"""

LITESTAR = """
from litestar import Litestar, get
from work import effect, jobs

@get("/work")
async def work() -> int:
    return (await effect.enqueue()).id

app = Litestar([work], lifespan=[jobs.lifespan])
"""

QUART = """
from quart import Quart
from work import effect, jobs

app = Quart(__name__)

@app.while_serving
async def serve():
    async with jobs.lifespan():
        yield

@app.get("/work")
async def work():
    return str((await effect.enqueue()).id)
"""

QUART_WRAPPED = """
from quart import Quart
from work import effect, jobs

app = Quart(__name__)
app.asgi_app = jobs.asgi(app.asgi_app)

@app.get("/work")
async def work():
    return str((await effect.enqueue()).id)
"""

DJANGO = """
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import JsonResponse
from django.urls import path
from work import effect, jobs

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x")

async def work(request):
    return JsonResponse({"id": (await effect.enqueue()).id})

def in_a_thread(request):
    return JsonResponse({"id": effect.enqueue_sync().id})

urlpatterns = [path("work", work), path("sync", in_a_thread)]
app = jobs.asgi(get_asgi_application())
"""

BARE = """
from work import effect, jobs

async def inner(scope, receive, send):
    assert scope["type"] == "http"
    text = str((await effect.enqueue()).id).encode() if scope["path"] == "/work" else b"nothing"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(text)).encode())]})
    await send({"type": "http.response.body", "body": text})

app = jobs.asgi(inner)
"""

SHAPES = {
    "fastapi": FASTAPI,
    "starlette": STARLETTE,
    "litestar": LITESTAR,
    "quart": QUART,
    "quart_wrapped": QUART_WRAPPED,
    "django": DJANGO,
    "bare": BARE,
}
