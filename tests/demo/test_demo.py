"""`howdah demo`, as a person starts it, kills it, and starts it again."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

pytestmark = pytest.mark.anyio

Db = asyncpg.Connection

PATIENCE_S = 60.0
FILES = 240


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files to read, and one that does not parse."""
    source = tmp_path / "source"
    source.mkdir()
    for number in range(FILES):
        functions = "".join(f'def f{n}():\n    """Paints house number {number} in colour {n}."""\n' for n in range(20))
        (source / f"house_{number:03}.py").write_text(f'"""House {number}."""\n{functions}')
    (source / "walk.py").write_text('"""Streets."""\ndef stroll():\n    """Walk through the tree of a directory of streets."""\n')
    (source / "broken.py").write_text("def (:\n")
    return source


@asynccontextmanager
async def begin(dsn: str, *words: str) -> AsyncGenerator[asyncio.subprocess.Process, None]:
    """The demo under way; killed at the end of the block if it still runs."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("HOWDAH_")} | {"HOWDAH_DSN": dsn}
    pipe = subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "howdah", "demo", *words, env=ours, stdout=pipe, stderr=pipe)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def demo(dsn: str, *words: str) -> tuple[int, str, str]:
    """Runs it to its end: exit code, stdout, stderr."""
    async with begin(dsn, *words) as process, asyncio.timeout(PATIENCE_S):
        out, said = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), said.decode()


async def first_tenth(process: asyncio.subprocess.Process) -> None:
    """Returns when the demo says that the first files are done."""
    assert process.stderr is not None
    async with asyncio.timeout(PATIENCE_S):
        while line := await process.stderr.readline():
            if re.match(rb"\d+ of \d+ files", line):
                return
    raise AssertionError("it ended before")


async def check_each_is_stored_once(db: Db) -> None:
    assert await db.fetchval("select count(*) from demo.file where stores = 1 and stored is not null") == FILES + 1
    assert await db.fetchval("select count(*) from demo.file where stores <> 1 and module <> 'broken'") == 0
    assert await db.fetchval("select count(*) from demo.document") == FILES * 21 + 2
    assert await db.fetchval("select count(*) from howdah.job") == 0


async def test_killed_in_the_middle_and_started_again_it_finishes_with_each_file_stored_once(dsn: str, db: Db, folder: Path) -> None:
    async with begin(dsn, str(folder)) as process:
        await first_tenth(process)
        process.kill()
        await process.communicate()
    stored = await db.fetchval("select count(*) from demo.file where stored is not null")
    assert 0 < stored < FILES + 1

    code, out, said = await demo(dsn, str(folder))

    assert code == 0
    await check_each_is_stored_once(db)
    assert f"{FILES + 1 - stored} files stored, 1 failed" in out
    assert "p50" in out
    assert "Retries: 0." in out
    assert "broken.py: does not parse: line 1: invalid syntax" in out
    assert said.splitlines()[-1].startswith(f"{FILES + 2} of {FILES + 2} files")


async def test_the_first_signal_stops_it_in_good_order_and_the_next_start_goes_on_at_once(dsn: str, db: Db, folder: Path) -> None:
    async with begin(dsn, str(folder)) as process:
        await first_tenth(process)
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(PATIENCE_S):
            _, said = await process.communicate()
    assert process.returncode == 130
    assert b"Start the demo again" in said
    # Nothing is held by the node that left, so nothing has to wait for a lease to end.
    assert await db.fetchval("select count(*) from howdah.job where lease is not null") == 0

    assert (await demo(dsn, str(folder)))[0] == 0
    await check_each_is_stored_once(db)


async def test_what_is_unchanged_is_left_alone_and_what_changed_is_read_anew(dsn: str, db: Db, folder: Path) -> None:
    await demo(dsn, str(folder))
    runs = "select count(*) from howdah.run"
    before = await db.fetchval(runs)

    _, out, _ = await demo(dsn, str(folder))
    assert "were read before and are unchanged" in out
    assert "broken.py" in out
    assert await db.fetchval(runs) == before

    (folder / "broken.py").write_text('"""Mended, and about zebras."""\n')
    (folder / "house_000.py").unlink()
    _, out, _ = await demo(dsn, str(folder))
    assert "1 files stored, 0 failed" in out
    assert await db.fetchval(runs) == before + 1
    assert await db.fetchval("select count(*) from demo.document where file like '%house_000.py'") == 0

    _, out, _ = await demo(dsn, str(folder), "--again")
    assert f"{FILES + 1} files stored" in out
    assert await db.fetchval(runs) == before + 1 + FILES + 1
    assert await db.fetchval("select max(stores) from demo.file") == 1

    _, out, _ = await demo(dsn, "--search", "zebra")
    assert out.startswith("1. broken (module, ")
    _, out, _ = await demo(dsn, "--search", "walk a directory tree")
    assert out.startswith("1. walk.stroll (function, ")
    assert "Walk through the tree of a directory of streets." in out


async def test_a_search_before_anything_is_stored_and_a_folder_that_is_none_are_told_in_a_sentence(dsn: str, tmp_path: Path) -> None:
    code, _, said = await demo(dsn, "--search", "anything")
    assert (code, said) == (1, "howdah: there is nothing to search in this database yet: run `howdah demo` first\n")

    code, _, said = await demo(dsn, str(tmp_path / "none"))
    assert (code, said) == (1, f"howdah: there is no folder {tmp_path / 'none'}\n")
