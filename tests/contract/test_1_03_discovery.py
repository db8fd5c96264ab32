"""CONTRACT 1.3: how a task comes to its name and to its app."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from howdah import App, ArgumentsInvalid, ConfigurationError, Defaults, Retry, Tasks

pytestmark = pytest.mark.anyio


async def greet(name: str) -> str:
    return f"hello {name}"


async def shout(name: str) -> str:
    return name.upper()


async def test_a_tasks_name_is_the_functions_unless_name_says_otherwise(jobs: App) -> None:
    assert jobs.task(greet).name == "greet"
    assert jobs.task(name="welcome")(greet).name == "welcome"


async def test_a_second_task_of_the_same_name_is_an_error_that_names_both_files(jobs: App, tmp_path: Path) -> None:
    other: dict[str, Any] = {}
    exec(compile("async def greet(name: str) -> str: ...", tmp_path / "other.py", "exec"), other)
    jobs.task(greet)
    with pytest.raises(ConfigurationError) as caught:
        jobs.task(other["greet"])
    assert str(caught.value).startswith(f"two tasks are called 'greet': one at {__file__}:")
    assert f"one at {tmp_path / 'other.py'}:1. Give one of them name=" in str(caught.value)


async def test_two_tasks_that_claim_one_name_or_alias_are_an_error_that_names_both(jobs: App) -> None:
    jobs.task(aliases=["hail"])(greet)
    both = rf"two tasks are called '\w+': one at {__file__}:\d+, one at {__file__}:\d+. Take it out of aliases="
    with pytest.raises(ConfigurationError, match=both):
        jobs.task(name="hail")(shout)
    with pytest.raises(ConfigurationError, match=both):
        jobs.task(name="x", aliases=["hail"])(shout)
    with pytest.raises(ConfigurationError, match=both):
        jobs.task(name="y", aliases=["greet"])(shout)


async def test_aliases_keep_stored_runs_of_a_renamed_task(jobs: App, dsn: str, db: "asyncpg.Connection[asyncpg.Record]") -> None:
    program = App(dsn)
    before = program.task(name="greeting")(greet)
    async with program:
        old = await before.enqueue("ada")
    by_sql = await db.fetchval("""select howdah.enqueue('greeting', '{"name": "bob"}')""")
    after = jobs.task(aliases=["greeting"])(greet)
    async with jobs.work():
        assert await after.attach(old.id).result("10s") == "hello ada"
        assert await after.attach(by_sql).result("10s") == "hello bob"
        again = await db.fetchval("""select howdah.enqueue('greeting', '{"name": "cy"}')""")
        assert await after.attach(again).result("10s") == "hello cy"


async def test_tasks_are_collected_in_a_module_without_the_app_and_included(jobs: App) -> None:
    tasks = Tasks()
    first = tasks.task(greet)
    with pytest.raises(ConfigurationError, match=r"Tasks\(greet\) belongs to no app yet: call jobs.include"):
        await first.enqueue("ada")
    jobs.include(tasks)
    jobs.include(tasks)
    later = tasks.task(shout)
    async with jobs.work():
        assert await (await first.enqueue("ada")).result("10s") == "hello ada"
        assert await (await later.enqueue("ada")).result("10s") == "ADA"
    assert await first("ada") == "hello ada"


async def test_a_tasks_belongs_to_one_app(jobs: App) -> None:
    tasks = Tasks()
    jobs.include(tasks)
    with pytest.raises(ConfigurationError, match="included by another app already"):
        App().include(tasks)
    nothing: Any = sys
    with pytest.raises(ConfigurationError, match="pass the Tasks"):
        jobs.include(nothing)


async def test_an_included_task_of_a_name_that_is_taken_names_both_files(jobs: App) -> None:
    jobs.task(greet)
    tasks = Tasks()
    tasks.task(name="greet")(shout)
    with pytest.raises(ConfigurationError, match=rf"one at {__file__}:\d+, one at {__file__}:\d+"):
        jobs.include(tasks)


def test_a_tasks_own_words_go_before_those_of_its_tasks_before_the_apps_before_the_librarys() -> None:
    jobs = App(defaults=Defaults(retry=Retry(7), queue="app", priority=1), default_timeout_s=60)
    tasks = Tasks(defaults=Defaults(retry=2, timeout="5s"))
    own = tasks.task(name="own", retry=9, priority=0)(greet).definition
    silent = tasks.task(greet).definition
    jobs.include(tasks)
    late = tasks.task(name="late")(greet).definition
    apps = jobs.task(shout).definition

    assert (own.policy.retry.attempts, own.policy.timeout_s, own.queue, own.priority) == (9, 5.0, "app", 0)
    assert (silent.policy.retry.attempts, silent.policy.timeout_s, silent.queue, silent.priority) == (2, 5.0, "app", 1)
    assert (late.policy, late.queue, late.priority) == (silent.policy, "app", 1)
    assert (apps.policy.retry.attempts, apps.policy.timeout_s, apps.queue) == (7, 60.0, "app")
    assert App().task(greet).definition.policy.timeout_s == 900


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package `shop_of_test` whose module `tasks` adds to its module `main`."""
    folder = tmp_path / "shop_of_test"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "main.py").write_text("from howdah import App\njobs = App(imports=['shop_of_test.tasks'])\n")
    (folder / "tasks.py").write_text("from .main import jobs\n@jobs.task\nasync def add(a: int, b: int) -> int: return a + b\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "shop_of_test"
    for name in [name for name in sys.modules if name.startswith("shop_of_test")]:
        del sys.modules[name]


async def test_imports_are_imported_before_a_node_starts(package: str, dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOWDAH_DSN", dsn)
    main = __import__(f"{package}.main").main
    assert len(main.jobs.registry) == 0
    async with main.jobs.work():
        add = sys.modules[f"{package}.tasks"].add
        assert await (await add.enqueue(1, 2)).result("10s") == 3
        with pytest.raises(ArgumentsInvalid):
            await add.enqueue(1, "2")


async def test_imports_that_are_not_there_are_named(dsn: str) -> None:
    with pytest.raises(ConfigurationError, match=r"imports= names 'no_shop.tasks', and there is no module 'no_shop'"):
        App(dsn, imports=["no_shop.tasks"]).load()
    text: Any = "shop.tasks"
    with pytest.raises(ConfigurationError, match=r"imports=\['shop.tasks'\]"):
        App(dsn, imports=text)
