"""`howdah worker --reload` and `howdah dev`: the program that runs is the one on disk."""

import os
import signal
from pathlib import Path

import anyio
import anyio.to_thread
import asyncpg
import pytest
from howdah.cli.changes import changes, snapshot
from howdah.embedded import postmaster as pm

from ..embedded.place import Place
from .programs import begin, howdah
from .shop import SHOP, write_shop

pytestmark = pytest.mark.anyio

Db = asyncpg.Connection


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return write_shop(tmp_path)


async def test_a_change_drains_the_worker_and_starts_it_anew_with_what_is_on_disk(dsn: str, db: Db, shop: Path) -> None:
    run = await db.fetchval("select howdah.enqueue('wait', '{\"s\": 1}')")
    async with begin("worker", "shop", "--reload", cwd=shop, HOWDAH_DSN=dsn) as worker:
        assert (await worker.line()).startswith("begun")
        write_shop(shop, SHOP.replace('print("ended"', 'print("ended anew"'))
        assert "shop.py changed" in await worker.told("changed")
        assert await worker.line() == "ended"
        await worker.told("Ready")
        assert await db.fetchval("select howdah.state($1)", run) == "succeeded"

        await db.fetchval("select howdah.enqueue('wait', '{\"s\": 0}')")
        assert (await worker.line()).startswith("begun")
        assert await worker.line() == "ended anew"
        worker.send(signal.SIGINT)
        assert (await worker.end())[0] == 0


async def test_a_syntax_error_is_shown_and_the_worker_waits_for_the_next_change(dsn: str, db: Db, shop: Path) -> None:
    async with begin("worker", "shop", "--reload", cwd=shop, HOWDAH_DSN=dsn) as worker:
        await worker.told("Ready")
        write_shop(shop, "jobs = (\n")
        assert "SyntaxError" in await worker.told("importing it failed") + await worker.told("Error")
        assert "It starts anew when a file changes" in await worker.told("Worker")
        write_shop(shop)
        await worker.told("changed")
        await worker.told("Ready")
        await db.fetchval("select howdah.enqueue('wait', '{\"s\": 0}')")
        assert (await worker.line()).startswith("begun")
        worker.send(signal.SIGTERM)
        assert (await worker.end())[0] == 0


async def test_a_second_change_while_it_drains_hands_back_what_runs(dsn: str, db: Db, shop: Path) -> None:
    run = await db.fetchval("select howdah.enqueue('wait', '{\"s\": 60}')")
    async with begin("worker", "shop", "--reload", cwd=shop, HOWDAH_DSN=dsn) as worker:
        first = await worker.line()
        write_shop(shop, SHOP + "    # one\n")
        await worker.told("changed")
        write_shop(shop, SHOP + "    # another\n")
        second = await worker.line()  # It begins again, in the new process.
        assert second.startswith("begun")
        assert second != first
        worker.send(signal.SIGTERM)
        await worker.told("Draining")
        worker.send(signal.SIGTERM)
        assert (await worker.end())[0] == 0
    assert await db.fetchval("select howdah.state($1)", run) == "queued"


async def test_a_signal_while_it_waits_for_a_change_ends_it(dsn: str, shop: Path) -> None:
    write_shop(shop, "jobs = (\n")
    async with begin("worker", "shop", "--reload", cwd=shop, HOWDAH_DSN=dsn) as worker:
        await worker.told("It starts anew when a file changes")
        worker.send(signal.SIGTERM)
        assert (await worker.end())[0] == 0


async def test_files_that_come_go_and_change_are_named_together_when_they_have_come_to_rest(tmp_path: Path) -> None:
    (tmp_path / "goes.py").touch()
    watching = changes(tmp_path)
    found: list[list[str]] = []
    async with anyio.create_task_group() as group:

        async def watch() -> None:
            found.append(await anext(watching))
            group.cancel_scope.cancel()

        group.start_soon(watch)
        await anyio.wait_all_tasks_blocked()
        (tmp_path / "comes.py").touch()
        (tmp_path / "goes.py").unlink()
        with anyio.fail_after(30):
            await anyio.sleep_forever()
    await watching.aclose()
    assert found == [["comes.py", "goes.py"]]


def test_a_file_that_cannot_be_looked_at_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("")
    (tmp_path / "loop.py").symlink_to("loop.py")
    (tmp_path / "gone.py").symlink_to("nowhere.py")
    (tmp_path / ("far" * 80 + ".py")).symlink_to("x" * 4000)

    assert [*snapshot(tmp_path)] == ["shop.py"]


def test_environments_caches_and_hidden_folders_are_no_part_of_a_program(tmp_path: Path) -> None:
    for folder in (".git", "__pycache__", "env", "shop"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.py").touch()
    (tmp_path / "env" / "pyvenv.cfg").touch()
    (tmp_path / "shop" / "notes.txt").touch()
    assert {*snapshot(tmp_path)} == {os.path.join("shop", "a.py")}  # noqa: PTH118 - as the system writes it


async def test_dev_is_an_embedded_postgres_its_schema_and_a_worker_that_reloads_in_one_command(shop: Path) -> None:
    place = Place()
    try:
        async with begin("dev", "shop", cwd=shop, HOWDAH_HOME=str(place.base)) as worker:
            assert str(place.data) in await worker.told("HOWDAH_DSN is not set")
            await worker.told("Applied 0001_spine")
            dsn = (await worker.told("In other terminals")).split("HOWDAH_DSN=")[1].strip("'")
            await worker.told("Ready")
            write_shop(shop, SHOP + "    # more\n")
            await worker.told("changed")
            await worker.told("Ready")
            enqueued = await anyio.to_thread.run_sync(lambda: howdah("enqueue", "wait", '{"s": 0}', "--wait", HOWDAH_DSN=dsn))
            assert (enqueued.returncode, enqueued.stdout) == (0, "0.0\n")
            worker.send(signal.SIGINT)
            assert (await worker.end())[0] == 0
        with anyio.fail_after(60):
            while pm.running_pid(place.data) is not None:
                await anyio.sleep(0.05)
    finally:
        place.close()
