"""CONTRACT 2.8: library code knows the API of OpenTelemetry alone."""

import ast
import subprocess
import sys

import anyio.to_thread
import pytest
from howdah import App
from howdah.tracing import Tracing

from ..house.tree import PACKAGE

pytestmark = pytest.mark.anyio

API = {"opentelemetry", "opentelemetry.context", "opentelemetry.metrics", "opentelemetry.trace", "opentelemetry.util.types"}

BLOCKED = """
import importlib.abc, sys

class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter", "opentelemetry.instrumentation", "opentelemetry.semconv")):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked())

import asyncio
from howdah import App, current_run

jobs = App()

@jobs.task
async def greet(name: str) -> str:
    return f"hello, {name}, of run {current_run().attempt}"

async def main() -> None:
    async with jobs.work() as node:
        print(await (await greet.enqueue("you")).result("10s"))
        print(node._tracing.tracer)

asyncio.run(main())

import logging
from opentelemetry import metrics, trace

print(type(trace.get_tracer_provider()).__name__, type(metrics.get_meter_provider()).__name__, logging.getLogger().handlers)
"""


def test_library_code_imports_the_api_alone() -> None:
    for path in PACKAGE.rglob("*.py"):
        if path.is_relative_to(PACKAGE / "cli"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.ImportFrom(module=str(module)) if module.startswith("opentelemetry"):
                    assert module in API, path
                case ast.Import(names=names):
                    assert {alias.name for alias in names if alias.name.startswith("opentelemetry")} <= API, path
                case _:
                    pass


def test_library_code_configures_nothing_globally() -> None:
    named = {"set_tracer_provider", "set_meter_provider", "set_logger_provider", "set_global_textmap", "set_global_response_propagator"}
    for path in PACKAGE.rglob("*.py"):
        if not path.is_relative_to(PACKAGE / "cli"):
            words = {getattr(node, "id", getattr(node, "attr", None)) for node in ast.walk(ast.parse(path.read_text()))}
            assert not words & named, path


async def test_with_the_sdk_blocked_howdah_runs_without_an_error_and_leaves_nothing_set_up(dsn: str) -> None:
    done = await anyio.to_thread.run_sync(lambda: subprocess.run(
        [sys.executable, "-W", "error", "-c", BLOCKED], env={"PYTHONPATH": ":".join(sys.path), "HOWDAH_DSN": dsn}, capture_output=True,
        text=True, timeout=60, check=False,
    ))  # fmt: skip
    assert (done.stdout, done.stderr) == ("hello, you, of run 1\nNone\nProxyTracerProvider _ProxyMeterProvider []\n", "")


async def test_without_a_provider_there_is_no_span_cost(jobs: App, monkeypatch: pytest.MonkeyPatch) -> None:
    def begin(*_: object) -> None:
        raise AssertionError("a span was begun, and nobody has set that up")

    monkeypatch.setattr(Tracing, "begin", begin)
    monkeypatch.setattr(Tracing, "end", begin)

    @jobs.task
    async def task() -> int:
        return 1

    async with jobs.work():
        assert await (await task.enqueue()).result("10s") == 1
