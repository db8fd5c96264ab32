"""CONTRACT 2.5: `--health` (live, ready, and Prometheus text at `/metrics`, from the same instruments), by a real worker over HTTP."""

import json
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import asyncpg
import httpx
import pytest

from ..cli.programs import begin, beside
from ..cli.shop import WAIT, write_shop
from ..db.roles import NODE, of
from ..telemetry.stage import received, receiving

pytestmark = pytest.mark.anyio

Db = asyncpg.Connection

SHOP = (
    """
    import asyncio, os, time
    from howdah import App

    jobs = App()
"""
    + WAIT
    + """
    @jobs.task
    async def stay() -> None:
        print("begun", flush=True)
        while not os.path.exists("leave"):
            await asyncio.sleep(0.01)

    @jobs.task
    async def block() -> None:
        print("blocks", flush=True)
        while not os.path.exists("leave"):
            time.sleep(0.01)

    @jobs.task
    async def fails() -> None:
        raise KeyError("no")
"""
)

ALONE = "sys.modules['opentelemetry.exporter'] = sys.modules['opentelemetry.sdk'] = None"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return write_shop(tmp_path, SHOP)


@pytest.fixture
def port() -> int:
    """One that is free, as those behind it most likely are."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


async def get(port: int, path: str, timeout_s: float = 10) -> tuple[int, str] | None:
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=timeout_s) as http:
            answer = await http.get(f"http://127.0.0.1:{port}{path}")
    except httpx.TransportError:
        return None
    return answer.status_code, answer.text


async def until(port: int, path: str, says: Callable[[tuple[int, str] | None], bool]) -> None:
    with anyio.fail_after(60):
        while not says(await get(port, path)):
            await anyio.sleep(0.02)


async def happens(condition: Callable[[], Awaitable[bool]]) -> None:
    with anyio.fail_after(60):
        while not await condition():
            await anyio.sleep(0.05)


def said_of_target(metrics: str) -> str:
    """The line of /metrics that says whose they are."""
    return next(line for line in metrics.splitlines() if line.startswith("target_info{"))


async def test_a_worker_is_live_and_ready_and_not_ready_while_it_is_paused_or_drains(dsn: str, db: Db, shop: Path, port: int) -> None:
    async with begin("worker", "shop", "--health", f"127.0.0.1:{port}", cwd=shop, HOWDAH_DSN=dsn) as worker:
        await worker.told("Ready")
        assert await get(port, "/live") == (200, "live\n")
        assert await get(port, "/ready") == (200, "ready\n")

        (row,) = [json.loads(line) for line in (await beside("nodes", "ls", "--json", HOWDAH_DSN=dsn)).stdout.splitlines()]
        await beside("nodes", "pause", row["name"], HOWDAH_DSN=dsn)
        await until(port, "/ready", lambda answer: answer == (503, "not ready: it was told to pause\n"))
        assert await get(port, "/live") == (200, "live\n")
        await beside("nodes", "resume", row["name"], HOWDAH_DSN=dsn)
        await until(port, "/ready", lambda answer: answer == (200, "ready\n"))

        await db.fetchval("select howdah.enqueue('stay')")
        assert await worker.line() == "begun"
        worker.send(signal.SIGTERM)
        await until(port, "/ready", lambda answer: answer == (503, "not ready: it drains\n"))
        assert await get(port, "/live") == (200, "live\n")
        (shop / "leave").touch()
        assert (await worker.end())[0] == 0
    assert await get(port, "/live") is None


async def test_a_worker_whose_loop_is_blocked_does_not_answer_although_its_heart_beats(dsn: str, db: Db, shop: Path, port: int) -> None:
    async with begin("worker", "shop", "--health", str(port), cwd=shop, HOWDAH_DSN=dsn) as worker:
        await worker.told("Ready")
        await db.fetchval("select howdah.enqueue('block')")
        assert await worker.line() == "blocks"
        assert await get(port, "/live", timeout_s=0.5) is None
        (shop / "leave").touch()
        await until(port, "/live", lambda answer: answer == (200, "live\n"))


async def test_a_worker_away_from_postgres_is_live_and_not_ready_and_comes_back(dsn: str, db: Db, shop: Path, port: int) -> None:
    name = await db.fetchval("select current_database()")
    if not await db.fetchval("select exists (select from pg_roles where rolname = $1)", NODE):
        await db.execute(f"create role {NODE} login")
    await db.fetchval("select howdah.permit($1, 'node')", NODE)
    words = {"HOWDAH_HEARTBEAT_S": "0.2", "HOWDAH_LEASE_S": "60", "HOWDAH_PROBE_TIMEOUT_S": "0.3", "HOWDAH_DSN": of(dsn, NODE)}
    async with begin("worker", "shop", "--health", str(port), cwd=shop, **words) as worker:
        await worker.told("Ready")
        await db.execute(f"alter database {name} connection limit 0")  # The owner, who is here, is above it.
        await db.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and usename = $2", name, NODE)
        await until(port, "/ready", lambda answer: answer == (503, "not ready: Postgres does not answer\n"))
        assert await get(port, "/live") == (200, "live\n")
        await db.execute(f"alter database {name} connection limit -1")
        await until(port, "/ready", lambda answer: answer == (200, "ready\n"))


METRICS = {
    "messaging_process_duration_seconds",
    "howdah_run_wait_duration_seconds",
    "howdah_queue_depth",
    "howdah_queue_oldest_age_seconds",
    "howdah_node_slots",
}


async def test_metrics_are_prometheus_text_from_the_same_instruments(dsn: str, db: Db, shop: Path, port: int) -> None:
    async with begin("worker", "shop", "--health", str(port), cwd=shop, HOWDAH_DSN=dsn, HOWDAH_REPORT_S="0.1") as worker:
        await worker.told("Ready")
        for _ in range(3):
            await db.fetchval("select howdah.enqueue('wait', '{\"s\": 0.01}')")
        await db.fetchval("select howdah.enqueue('fails', '{}')")

        async def told() -> bool:
            _, text = await get(port, "/metrics") or (0, "")
            lines = [line for line in text.splitlines() if line.startswith("messaging_client_consumed_messages_total")]
            # How long runs waited is looked up in the database, a little later than they are counted.
            names = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")}
            return (
                any('howdah_outcome="succeeded"' in line and line.endswith(" 3.0") for line in lines)
                and any('error_type="KeyError"' in line and line.endswith(" 1.0") for line in lines)
                and names >= METRICS
            )

        await happens(told)
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.get(f"http://127.0.0.1:{port}/metrics")
            head = await http.head(f"http://127.0.0.1:{port}/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=")
        assert (head.status_code, head.content) == (200, b"")


async def test_with_otel_in_the_same_process_metrics_are_there_and_go_to_the_collector_as_well(
    dsn: str, db: Db, shop: Path, port: int
) -> None:
    async with receiving() as (url, receiver):
        words = {"HOWDAH_DSN": dsn, "HOWDAH_REPORT_S": "0.1", "OTEL_EXPORTER_OTLP_ENDPOINT": url}
        words["OTEL_METRIC_EXPORT_INTERVAL"] = "100"  # What a node holds at the moment is told while there is one.
        async with begin("worker", "shop", "--otel", "--health", str(port), cwd=shop, **words) as worker:
            await worker.told("Ready")
            await db.fetchval("select howdah.enqueue('wait', '{\"s\": 0}')")

            async def told() -> bool:
                _, text = await get(port, "/metrics") or (0, "")
                return "messaging_process_duration_seconds_count{" in text

            await happens(told)
            _, text = await get(port, "/metrics") or (0, "")
            worker.send(signal.SIGTERM)
            code, _, log = await worker.end()
        got = await received(receiver)
    assert code == 0
    assert [word for word in ("Traceback", "opentelemetry") if word in log] == []
    assert 'service_name="shop"' in said_of_target(text)
    assert [one["name"] for one in got if one["what"] == "span"] == ["process wait"]
    there = {name for one in got if one["what"] == "metrics" for name in one["names"]}
    assert {"messaging.process.duration", "messaging.client.consumed.messages", "howdah.node.slots"} <= there
    assert {one["service"] for one in got if one["what"] in ("span", "metrics")} == {"shop"}


@pytest.mark.parametrize(("variables", "name"), [({}, "shop"), ({"OTEL_SERVICE_NAME": "till"}, "till")], ids=["none", "given"])
async def test_whose_metrics_they_are_is_said_by_the_module_or_by_the_variable(
    dsn: str, shop: Path, port: int, variables: dict[str, str], name: str
) -> None:
    async with begin("worker", "shop", "--health", str(port), cwd=shop, HOWDAH_DSN=dsn, **variables) as worker:
        await worker.told("Ready")
        _, text = await get(port, "/metrics") or (0, "")
    assert f'service_name="{name}"' in said_of_target(text)


async def test_without_the_extra_metrics_say_how_to_get_them_and_the_others_work(dsn: str, shop: Path, port: int) -> None:
    (shop / "sitecustomize.py").write_text(f"import sys\n{ALONE}\n")
    words = {"HOWDAH_DSN": dsn, "PYTHONPATH": f"{shop}:" + ":".join(sys.path)}
    async with begin("worker", "shop", "--health", str(port), cwd=shop, **words) as worker:
        await worker.told("Ready")
        assert await get(port, "/ready") == (200, "ready\n")
        status, text = await get(port, "/metrics") or (0, "")
        assert (status, 'pip install "howdah[otel]"' in text) == (501, True)


async def test_several_processes_answer_together_and_each_for_itself(dsn: str, shop: Path, port: int) -> None:
    async with begin("worker", "shop", "--processes", "2", "--health", str(port), cwd=shop, HOWDAH_DSN=dsn) as fleet:
        await until(port, "/ready", lambda answer: answer == (200, "ready\n"))
        assert await get(port, "/live") == (200, "live\n")
        assert await get(port, "/metrics") == (404, f"each worker has its own /metrics, at the ports {port + 1}, {port + 2}\n")
        for each in (port + 1, port + 2):
            assert await get(each, "/live") == (200, "live\n")
            assert (await get(each, "/metrics") or (0, ""))[0] == 200
        nodes = [json.loads(line) for line in (await beside("nodes", "ls", "--json", HOWDAH_DSN=dsn)).stdout.splitlines()]
        await beside("nodes", "pause", nodes[0]["name"], HOWDAH_DSN=dsn)

        def one_pauses(answer: tuple[int, str] | None) -> bool:
            return answer is not None and answer[0] == 503 and answer[1].endswith("is not ready: it was told to pause\n")

        await until(port, "/ready", one_pauses)
        fleet.send(signal.SIGTERM)
        assert (await fleet.end())[0] == 0


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /else HTTP/1.1\r\n\r\n", 404),
        (b"GET /live?x=1 HTTP/1.0\r\n\r\n", 200),
        (b"POST /live HTTP/1.1\r\nContent-Length: 2\r\n\r\nab", 405),
        (b"nonsense\r\n\r\n", 400),
        (b"GET /live HTTP/1.1\r\nX: " + b"x" * 9000 + b"\r\n\r\n", 400),
    ],
    ids=["elsewhere", "with a query", "another method", "no http", "too long"],
)
async def test_only_short_requests_to_get_one_of_three_pages_are_answered(request_: bytes, status: int, port: int) -> None:
    from howdah.cli.health import Address, answering, pages_of

    async with answering(Address("127.0.0.1", port), pages_of([], None)), await anyio.connect_tcp("127.0.0.1", port) as stream:
        await stream.send(request_)
        assert (await stream.receive()).startswith(f"HTTP/1.1 {status} ".encode())


async def test_a_request_that_never_ends_is_cut_off(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from howdah.cli import health

    monkeypatch.setattr(health, "REQUEST_S", 0.1)
    async with health.answering(health.Address("127.0.0.1", port), health.pages_of([], None)):
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            await stream.send(b"GET /live HT")
            with anyio.fail_after(30), pytest.raises(anyio.EndOfStream):
                await stream.receive()
        assert await health.ask(health.Address(None, port), "/ready") == (503, b"not ready: it starts\n", "text/plain; charset=utf-8")


async def test_who_connects_and_says_nothing_keeps_nobody_else_from_an_answer(port: int) -> None:
    from howdah.cli.health import CONNECTIONS_MAX, Address, answering, ask, pages_of

    async with answering(Address("127.0.0.1", port), pages_of([], None)), AsyncExitStack() as silent:
        for _ in range(CONNECTIONS_MAX):
            await silent.enter_async_context(await anyio.connect_tcp("127.0.0.1", port))
        assert await ask(Address(None, port), "/ready") is not None


@pytest.mark.parametrize("said", ["x", "0", "70000", "host:", ":-1"])
async def test_what_is_no_port_is_refused_with_the_mend(said: str) -> None:
    refused = await beside("worker", "shop", "--health", said)
    assert refused.exit_code == 2
    assert "is no port: write one from 1 to 65535, or HOST:PORT" in refused.output


async def test_a_port_that_is_taken_is_one_sentence(dsn: str, shop: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with begin("worker", "shop", "--health", f"127.0.0.1:{port}", cwd=shop, HOWDAH_DSN=dsn) as worker:
            code, _, told = await worker.end()
    assert code == 1
    assert f"--health cannot listen on 127.0.0.1:{port}: " in told
    assert "Name another port, or end who has it" in told
