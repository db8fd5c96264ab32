"""CONTRACT 1.6: management."""

import ast
import importlib
import inspect
from pathlib import Path

import asyncpg
import howdah.cli
import pytest
from howdah import App, State
from howdah.management.catalogue import Catalogue, Nodes, Queues
from howdah.management.limits import Limits
from howdah.management.runs import Runs

pytestmark = pytest.mark.anyio

Db = asyncpg.Connection

COMMANDS = ("runs", "queues", "limits", "nodes", "tasks", "todo")
OTHERS = ("db", "demo", "dev", "doctor", "enqueue", "estimate", "grant", "migrate", "settings", "top", "worker")
"""Commands that set up, run or show something else than runs, tasks, queues and nodes; `top` is jobs.glance(), `doctor` jobs.examine()."""


def methods(kind: type) -> set[str]:
    return {name for name, what in vars(kind).items() if inspect.iscoroutinefunction(what)}


async def receipt(number: int) -> str:
    return f"receipt {number}"


@pytest.mark.parametrize("command", COMMANDS)
def test_whatever_the_command_line_does_is_first_a_typed_method(command: str) -> None:
    """A command speaks to the database through jobs.runs, jobs.tasks, jobs.queues, jobs.nodes and jobs.limits alone."""
    module = importlib.import_module(f"howdah.cli.{command}")
    tree = ast.parse(Path(inspect.getfile(module)).read_text())
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level == 2}
    assert imported <= {"app", "labels", "management.rows", "management.catalogue", "management.limits"}
    for kind in (Runs, Catalogue, Queues, Nodes, Limits):
        for name in methods(kind):
            signature = inspect.signature(getattr(kind, name))
            assert signature.return_annotation is not inspect.Signature.empty, f"{kind.__name__}.{name}"


async def test_jobs_runs_get_list_cancel_and_retry(jobs: App, db: Db) -> None:
    task = jobs.task(retry=1)(receipt)
    async with jobs:
        run = await task.enqueue(7)
        assert (await jobs.runs.get(run.id)).args == {"number": 7}
        assert [one.id for one in await jobs.runs.list(task="receipt")] == [run.id]
        assert await jobs.runs.cancel(run.id) == {"cancelled": 1}
        assert await jobs.runs.retry(run.id) == {"reopened": 1}
        assert await run.status() is State.QUEUED


async def test_jobs_tasks_jobs_queues_and_jobs_nodes(jobs: App) -> None:
    task = jobs.task(queue="mail")(receipt)
    async with jobs.work():
        await task.enqueue(1)
        (listed,) = await jobs.tasks.list()
        assert (listed.task, listed.queue, listed.implemented, listed.waiting_since) == ("receipt", "mail", True, None)
        assert {one.queue for one in await jobs.queues.list()} == {"default", "mail"}
        assert [one.tasks for one in await jobs.nodes.list()] == [["receipt"]]


async def test_attach_gives_the_run_and_its_result_in_any_process(jobs: App, dsn: str) -> None:
    task = jobs.task(receipt)
    elsewhere = App(dsn)
    there = elsewhere.task(receipt)
    async with jobs.work():
        run = await task.enqueue(7)
        assert await run.result("10s") == "receipt 7"
    async with elsewhere:
        assert await there.attach(run.id).result("10s") == "receipt 7"


async def test_read_models_are_views_whose_columns_are_stable(db: Db) -> None:
    """The columns themselves are pinned in tests/db/test_runs_view.py; Postgres refuses to take one away or to rename it."""
    there = {row[0] for row in await db.fetch("select viewname from pg_views where schemaname = 'howdah'")}
    assert {"runs", "queue_stats", "task_stats", "nodes", "misfits", "unimplemented", "limits"} <= there
    with pytest.raises(asyncpg.InvalidTableDefinitionError, match="cannot drop columns"):
        await db.execute("create or replace view howdah.nodes as select n.id from howdah.node n")


def test_the_commands_are_there() -> None:
    assert sorted({*COMMANDS, *OTHERS}) == list(
        howdah.cli.main.list_commands(howdah.cli.main.make_context("howdah", ["runs"], resilient_parsing=True))
    )
