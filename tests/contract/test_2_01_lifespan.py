"""CONTRACT 2.1: jobs.lifespan has one meaning, a lifespan callable; jobs.lifespan_with() returns one."""

import inspect
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from fastapi import FastAPI, Request
from howdah import App, ConfigurationError
from starlette.applications import Starlette

from ..asgi.client import TestClient

pytestmark = pytest.mark.anyio


async def test_the_signature_is_the_one_that_is_promised() -> None:
    words = inspect.signature(App.lifespan_with).parameters
    assert [*words] == ["self", "mine", "work", "grace"]
    assert words["mine"].default is None
    assert words["work"].default is True
    assert [words[name].kind for name in ("work", "grace")] == [inspect.Parameter.KEYWORD_ONLY] * 2
    assert App().config.lifespan_grace_s == 8, "what is meant where grace= is not said"


async def test_each_gives_a_callable_of_the_app_that_gives_an_async_context_manager(jobs: App) -> None:
    for lifespan in (jobs.lifespan, jobs.lifespan_with(), jobs.lifespan_with(jobs.lifespan), jobs.lifespan_with(work=False)):
        assert callable(lifespan)
        assert isinstance(lifespan(FastAPI()), AbstractAsyncContextManager)
        assert isinstance(lifespan(), AbstractAsyncContextManager)


async def test_fastapi_takes_it_with_a_lifespan_of_ones_own_whose_state_requests_see(dsn: str) -> None:
    jobs = App(dsn, lifespan_grace_s=2)

    @jobs.task
    async def double(number: int) -> int:
        return 2 * number

    given: list[object] = []

    @asynccontextmanager
    async def mine(app: FastAPI) -> AsyncGenerator[dict[str, int]]:
        given.append(app)
        yield {"factor": 3}

    app = FastAPI(lifespan=jobs.lifespan_with(mine))

    @app.get("/")
    async def both(request: Request) -> list[int]:
        assert request.state.howdah is jobs
        return [request.state.factor, await (await double.enqueue(2)).result("10s")]

    with TestClient(app) as client:
        assert client.get("/").json() == [3, 4]
    assert given == [app]


BARE = "a bare generator function: decorate it with @contextlib.asynccontextmanager"
NONE = r"which is no lifespan: .* as in FastAPI\(lifespan=jobs\.lifespan_with\(\)\)\. An app goes to jobs\.asgi\(app\)"


async def generates(app: object) -> AsyncGenerator[None]:
    yield


async def waits(app: object) -> None: ...


@pytest.mark.parametrize(
    ("mine", "says"), [(generates, BARE), (waits, NONE), (7, NONE), (FastAPI(), NONE), (Starlette(), NONE)],
    ids=["a generator", "a coroutine function", "a number", "a FastAPI", "a Starlette"],
)  # fmt: skip
async def test_what_is_no_lifespan_is_refused_at_once_and_the_mend_is_named(jobs: App, mine: object, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        jobs.lifespan_with(mine)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def test_a_forgotten_call_is_refused_at_the_start_with_its_mend(jobs: App) -> None:
    app = Starlette(lifespan=jobs.lifespan_with)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigurationError, match=NONE), TestClient(app):
        pass
