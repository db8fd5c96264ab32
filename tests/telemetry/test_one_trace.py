"""One trace over four processes, as a receiver of OTLP/HTTP in a fifth one got it."""

import json
import signal
import socket
import subprocess
import textwrap
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest

from ..cli.programs import begin, environment, howdah
from .stage import process, received, receiving

pytestmark = pytest.mark.anyio

SHOP = """
    import logging

    from howdah import App, current_run

    jobs = App(heartbeat_s=0.3)

    @jobs.task(queue="children")
    async def child() -> str:
        logging.getLogger("shop").info("in the child")
        return current_run().trace["traceparent"]

    @jobs.task(queue="children", isolation="process")
    def apart() -> int:
        run = child.enqueue_sync()
        return run.id

    @jobs.task(queue="parents")
    async def parent() -> str:
        logging.getLogger("shop").info("in the parent")
        inner = await apart.enqueue()
        await child.attach(await inner.result("20s")).result("20s")
        return await (await child.enqueue()).result("20s")
"""

WEB = """
    from contextlib import asynccontextmanager

    from fastapi import FastAPI
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from shop import jobs, parent

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    AsyncPGInstrumentor().instrument()

    @asynccontextmanager
    async def flushed(_):
        yield
        provider.force_flush()  # uvicorn ends by the signal that it was sent: nothing runs at exit.

    app = FastAPI(lifespan=jobs.lifespan_with(flushed, work=False))
    FastAPIInstrumentor.instrument_app(app, exclude_spans=["receive", "send"])

    @app.post("/parents")
    async def parents() -> str:
        return await (await parent.enqueue()).result("30s")
"""


def _post(url: str) -> str:
    request = urllib.request.Request(url, method="POST")
    with urllib.request.urlopen(request, timeout=40) as answer:
        return json.loads(answer.read())


async def _post_when_it_listens(url: str) -> str:
    with anyio.fail_after(60):
        while True:
            try:
                return await anyio.to_thread.run_sync(_post, url)
            except (ConnectionError, urllib.error.URLError):
                await anyio.sleep(0.05)


async def test_a_request_an_enqueue_a_run_and_its_children_in_other_processes_are_one_trace(dsn: str, tmp_path: Path) -> None:
    for name, text in (("shop", SHOP), ("web", WEB)):
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with receiving() as (url, receiver):
        said = {"HOWDAH_DSN": dsn, "OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"}
        web_said = environment({**said, "OTEL_SERVICE_NAME": "web"})
        worker = ("worker", "shop", "--otel")
        async with (
            begin(*worker, "-q", "parents", cwd=tmp_path, OTEL_SERVICE_NAME="parents", **said) as parents,
            begin(*worker, "-q", "children", cwd=tmp_path, HOWDAH_WORKER_JSON="true", **said) as children,
            process("-m", "uvicorn", "web:app", "--port", str(port), cwd=tmp_path, env=web_said, stderr=subprocess.DEVNULL) as web,
        ):
            await parents.told("Ready")
            await children.told("ready")
            await _post_when_it_listens(f"http://127.0.0.1:{port}/parents")
            spoken = json.loads(await children.told("in the child"))
            web.send_signal(signal.SIGTERM)
            await web.wait()
            for one in (parents, children):
                one.send(signal.SIGTERM)
                assert (await one.end())[0] == 0
        got = await received(receiver)
    spans = {span["id"]: span for span in got if span["what"] == "span"}

    def line(span: dict[str, Any]) -> list[tuple[str, str]]:
        """From the root to this span: services and names."""
        above = line(spans[span["parent"]]) if span["parent"] else []
        return [*above, (span["service"], span["name"])]

    assert {span["trace"] for span in spans.values()} == {next(iter(spans.values()))["trace"]}, "one trace, and no query of ours in it"
    to_parent = [("web", "POST /parents"), ("web", "send parent"), ("parents", "process parent")]
    assert sorted(line(span) for span in spans.values()) == sorted(
        [
            *(to_parent[: count + 1] for count in range(3)),
            [*to_parent, ("parents", "send child")],
            [*to_parent, ("parents", "send child"), ("shop", "process child")],
            [*to_parent, ("parents", "send apart")],
            [*to_parent, ("parents", "send apart"), ("shop", "process apart")],
            # Its enqueue happened in a child process of the worker, which sends its spans itself.
            [*to_parent, ("parents", "send apart"), ("shop", "process apart"), ("shop", "send child")],
            [*to_parent, ("parents", "send apart"), ("shop", "process apart"), ("shop", "send child"), ("shop", "process child")],
        ]
    )
    for record in (one for one in got if one["what"] == "log" and one["logger"] == "shop"):
        made_by = spans[record["span"]]
        told = record["attributes"]
        assert made_by["name"] == f"process {told['task']}" == f"process {record['body'].removeprefix('in the ')}"
        assert (str(told["run"]), told["attempt"]) == (made_by["attributes"]["messaging.message.id"], 1)
        assert (told["trace_id"], told["span_id"]) == (record["trace"], record["span"]) == (made_by["trace"], made_by["id"])
    assert sorted(one["body"] for one in got if one["what"] == "log" and one["logger"] == "shop") == ["in the child"] * 2 + [
        "in the parent"
    ]
    sent = {one["service"] for one in got if one["what"] == "metrics" and "messaging.client.sent.messages" in one["names"]}
    assert sent == {"parents", "shop"}, "of the worker for the children only a process of its own has enqueued"
    (trace,) = {span["trace"] for span in spans.values()}
    assert {name: spoken[name] for name in ("task", "attempt", "trace_id")} == {"task": "child", "attempt": 1, "trace_id": trace}


async def test_sampling_is_what_the_variables_say(dsn: str, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(textwrap.dedent(SHOP))
    async with receiving() as (url, receiver):
        said = {"HOWDAH_DSN": dsn, "OTEL_EXPORTER_OTLP_ENDPOINT": url, "HOWDAH_WORKER_OTEL": "1"}
        said |= {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"}
        async with begin("worker", "shop", cwd=tmp_path, **said) as worker:
            await worker.told("Ready")
            done = await anyio.to_thread.run_sync(lambda: howdah("enqueue", "apart", "{}", "--wait", HOWDAH_DSN=dsn))
            assert done.returncode == 0, done.stderr
            worker.send(signal.SIGTERM)
            assert (await worker.end())[0] == 0
        got = await received(receiver)
    assert [one for one in got if one["what"] == "span"] == []
