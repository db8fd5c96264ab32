"""What a person sees of one worker on a terminal, and what a program reads instead."""

import json
import re
import signal
from pathlib import Path

import asyncpg
import pytest

from .programs import begin, beside, howdah
from .shop import write_shop
from .terminals import CTRL_C, on_terminal

pytestmark = pytest.mark.anyio

Db = asyncpg.Connection


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return write_shop(tmp_path)


async def test_the_first_ctrl_c_counts_down_what_still_runs_in_a_line_that_changes(dsn: str, db: Db, shop: Path) -> None:
    run = await db.fetchval("select howdah.enqueue('stay')")
    async with on_terminal("worker", "shop", cwd=shop, HOWDAH_DSN=dsn) as terminal:
        await terminal.shows("begun")
        terminal.press(CTRL_C)
        await terminal.shows("Draining: 1 run may end within 30 s; Ctrl-C again cancels and hands back.")
        for _ in range(2):
            await terminal.shows("\r\x1b[2K  1 run to end (stay), ")
        (shop / "leave").touch()
        await terminal.shows("Stopped; every outcome is durable.")
        assert await terminal.end() == 0
    left = [int(number) for number in re.findall(r"1 run to end \(stay\), (\d+) s left", terminal.screen)]
    assert left == sorted(set(left), reverse=True)
    assert 30 >= left[0] > left[1]
    assert await db.fetchval("select howdah.state($1)", run) == "succeeded"


async def test_the_second_ctrl_c_cancels_and_hands_back(dsn: str, db: Db, shop: Path) -> None:
    run = await db.fetchval("select howdah.enqueue('wait', '{\"s\": 60}')")
    async with on_terminal("worker", "shop", cwd=shop, HOWDAH_DSN=dsn) as terminal:
        await terminal.shows("begun")
        terminal.press(CTRL_C)
        await terminal.shows("Draining")
        terminal.press(CTRL_C)
        await terminal.shows("Hurrying: 1 run cancelled and handed back; once more exits at once.")
        assert await terminal.end() == 0
    assert await db.fetchval("select howdah.state($1)", run) == "queued"


async def test_the_third_ctrl_c_exits_at_once(dsn: str, db: Db, shop: Path) -> None:
    await db.fetchval("select howdah.enqueue('wait', '{\"s\": 60}')")
    await db.fetchval("select howdah.enqueue('block', '{\"s\": 60}')")
    async with on_terminal("worker", "shop", cwd=shop, HOWDAH_DSN=dsn) as terminal:
        await terminal.shows("begun")
        await terminal.shows("begun")
        assert await terminal.insist(CTRL_C) == 130


async def test_for_programs_everything_that_is_said_is_one_json_object_per_line(dsn: str, db: Db, shop: Path) -> None:
    async with begin("worker", "shop", "--json", cwd=shop, HOWDAH_DSN=dsn) as worker:
        name = json.loads(await worker.told('"ready"'))["node"]
        await beside("nodes", "pause", name, HOWDAH_DSN=dsn)
        log = json.loads(await worker.told('"log"'))
        await beside("nodes", "resume", name, HOWDAH_DSN=dsn)
        await db.fetchval("select howdah.enqueue('stay')")
        assert (await worker.line()).startswith("begun")
        worker.send(signal.SIGTERM)
        first = json.loads(await worker.told('"countdown"'))
        (shop / "leave").touch()
        code, out, said = await worker.end()

    rest = [json.loads(line) for line in said.splitlines()]
    assert (code, out) == (0, "ended\n")
    assert (log["level"], log["logger"]) == ("WARNING", "howdah.node")
    assert "was told to pause" in log["message"]
    assert {one["event"] for one in rest[:-1]} <= {"countdown"}
    assert rest[-1]["event"] == "stopped"
    assert [run["task"] for run in first["runs"]] == ["stay"]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT.*Z", one["at"]) for one in rest)


def test_for_programs_a_refusal_is_json_as_well(shop: Path) -> None:
    refused = howdah("worker", "shop", "--json", cwd=shop, HOWDAH_DSN="postgresql://nobody@127.0.0.1:1/none")
    assert refused.returncode == 1
    (line,) = refused.stderr.splitlines()
    assert json.loads(line)["event"] == "refused"
    assert "Postgres does not answer" in json.loads(line)["text"]


@pytest.mark.parametrize("word", ["mail=", "mail=0", "mail=-1", "mail=nan", "mail=inf", "mail=many", "=10"])
def test_a_weight_that_is_none_is_a_mistake_of_usage(shop: Path, word: str) -> None:
    refused = howdah("worker", "shop", "-q", word, cwd=shop)
    assert refused.returncode == 2
    said = " ".join(refused.stderr.split())
    assert f"'{word}' is no queue with its weight: a weight is a positive number, as in -q mail=10" in said
    assert f"a name that holds a = needs one, as in -q {word}=1" in said


async def test_weights_of_queues_reach_each_node_of_a_fleet(dsn: str, shop: Path) -> None:
    words = ("-q", "mail=2.5", "-q", "a=b=10", "-q", "default", "--processes", "2", "--json")
    async with begin("worker", "shop", *words, cwd=shop, HOWDAH_DSN=dsn) as worker:
        for _ in range(2):
            while (told := json.loads(await worker.told('"started"'))).get("processes"):
                pass
            assert told["queues"] == ["mail=2.5", "a=b=10", "default=1"]
        worker.send(signal.SIGTERM)
        assert (await worker.end())[0] == 0
