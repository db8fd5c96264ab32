"""CONTRACT 2.10: the FastAPI example, on a real server: accept, tell from any process, stream."""

import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx
import pytest

from ..asgi.servers import ENDED, Server, Servers
from ..recovery.nodes import Session, happens, until

pytestmark = pytest.mark.anyio

EXAMPLES = Path(__file__).parents[2] / "examples"
BRISK = """
import reports
from reports import app

reports.STREAM_S = 1
"""
ELSEWHERE = """
import asyncio, sys
from reports import jobs, write_report

async def main():
    async with jobs:
        print(repr(await write_report.attach(int(sys.argv[1])).result(timeout="20s")))

asyncio.run(main())
"""


@pytest.fixture
def servers(dsn: str, tmp_path: Path) -> Iterator[Servers]:
    started = Servers(dsn, tmp_path)
    started.write("reports", (EXAMPLES / "reports.py").read_text())
    started.write("brisk", BRISK)
    yield started
    started.close()


@pytest.fixture
async def web(servers: Servers) -> Server:
    return await servers.start("uvicorn", "brisk:app", lifespan_grace_s=1, hand_back_s=20, progress_s=0.1).answers()


@pytest.fixture
async def http(web: Server) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=web.url, timeout=20) as client:
        yield client


async def order(http: httpx.AsyncClient, pages: int) -> dict[str, int]:
    answer = await http.post("/reports", json={"title": "sales", "pages": pages})
    assert answer.status_code == 202, answer.text
    return answer.json()


async def told(http: httpx.AsyncClient, report: int) -> list[tuple[str, Any]]:
    """What one stream says, as (event, data)."""
    async with http.stream("GET", f"/reports/{report}/progress") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        blocks = (await stream.aread()).decode().split("\n\n")[:-1]
    events = [block.split("\n") for block in blocks]
    return [(event.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for event, data in events]


async def test_a_report_is_accepted_told_of_while_it_is_written_and_given_from_any_process(
    http: httpx.AsyncClient, servers: Servers, dsn: str, db: Session
) -> None:
    accepted = await order(http, 8)
    report, run = accepted["report_id"], accepted["run_id"]
    assert (await http.get(f"/reports/{report}")).json()["status"] in ("queued", "running")
    assert await db.fetchval("select run_id from report where id = $1", report) == run
    events = await told(http, report)
    assert events[-1] == ("succeeded", run)
    steps = [data["done"] for event, data in events if event == "progress"]
    assert steps[-1] <= 8
    assert steps == sorted(steps)
    done = {"status": "succeeded", "result": {"title": "sales", "words": 2000}, "error": None}
    assert (await http.get(f"/reports/{report}")).json() == done
    other = await servers.start("uvicorn", "reports:app").answers()
    async with httpx.AsyncClient(base_url=other.url) as elsewhere:
        assert (await elsewhere.get(f"/reports/{report}")).json() == done
    env = {"HOWDAH_DSN": dsn, "PATH": "/usr/bin:/bin", "PYTHONPATH": str(EXAMPLES)}
    script = [sys.executable, "-c", ELSEWHERE, str(run)]
    said = await anyio.to_thread.run_sync(lambda: subprocess.run(script, env=env, capture_output=True, text=True, check=False))
    assert said.stdout == "Report(title='sales', words=2000)\n", said.stderr


async def test_the_row_and_the_run_are_committed_together_or_neither(http: httpx.AsyncClient, db: Session) -> None:
    await db.execute("alter table report add constraint short check (length(title) < 10)")
    # The server closes the connection after an error: nothing else is to be asked on it.
    answer = await http.post("/reports", json={"title": "a very long title", "pages": 1}, headers={"Connection": "close"})
    assert answer.status_code == 500
    assert await db.fetchval("select count(*) from report") == 0
    assert await db.fetchval("select count(*) from howdah.run") == 0
    assert (await http.get("/reports/1")).status_code == 404
    assert (await http.get("/reports/1/progress")).status_code == 404


async def test_a_report_that_failed_says_so(http: httpx.AsyncClient, db: Session) -> None:
    accepted = await order(http, 600)
    await until(db, "select exists (select from howdah.job where lease is not null)")
    await db.fetch("select * from howdah.cancel($1, 'not wanted any more')", [accepted["run_id"]])
    assert (await told(http, accepted["report_id"]))[-1] == ("cancelled", accepted["run_id"])
    assert (await http.get(f"/reports/{accepted['report_id']}")).json()["status"] == "cancelled"


async def test_a_stream_ends_after_its_time_so_that_it_does_not_hold_up_a_server_that_stops(
    web: Server, http: httpx.AsyncClient, db: Session
) -> None:
    report = (await order(http, 600))["report_id"]
    streams: list[list[tuple[str, Any]]] = []

    async def listen() -> None:
        streams.append(await told(http, report))

    async with anyio.create_task_group() as group:
        group.start_soon(listen)
        await until(db, "select exists (select from howdah.progress)")
        web.send(signal.SIGTERM)
        assert await web.end() in ENDED, web.log  # The report that the stream tells of takes longer than anybody waits here.
    await happens(lambda: streams)
    assert streams[0][-1][0] == "progress", "the run had not ended: it was handed back"
    assert await db.fetchval("select count(*) from howdah.job where lease is null") == 1
