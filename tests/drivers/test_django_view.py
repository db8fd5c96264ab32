"""CONTRACT 1.2: a view of Django enqueues in its own transaction and awaits the result."""

from typing import Any

import anyio.to_thread
import asyncpg
import pytest
from django.http import HttpRequest, HttpResponse, QueryDict  # pyright: ignore[reportMissingTypeStubs]
from howdah import App

from .places import django_connection

pytestmark = pytest.mark.anyio

Session = asyncpg.Connection


async def test_both_work_in_a_django_view(jobs: App, dsn: str, db: Session) -> None:
    @jobs.task
    async def welcome(name: str) -> str:
        return f"hello {name}"

    await db.execute("create table users (name text)")

    def call(path: str) -> Any:
        with django_connection(dsn) as at:
            connection: Any = at.conn

            def sign_up(request: HttpRequest) -> HttpResponse:
                name = str(request.GET["name"])
                with at.begin(), connection.cursor() as cursor:
                    cursor.execute("insert into users values (%s)", [name])
                    run = welcome.options(conn=connection).enqueue_sync(name)
                return HttpResponse(run.result_sync("10s").encode())

            request = HttpRequest()
            request.GET = QueryDict(path)
            return sign_up(request).content

    async with jobs.work():
        assert await anyio.to_thread.run_sync(call, "name=Ada") == b"hello Ada"
    assert await db.fetchval("select u.xmin::text = r.xmin::text from users u, howdah.run r")
