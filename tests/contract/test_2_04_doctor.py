"""CONTRACT 2.4: each finding is planted by a test and found, with its mend tried: after the mend doctor is silent.

`SEEN` is what these tests have planted. What no test can plant on a running server (an old release, a standby, a schema of before) is
judged in tests/doctor/test_judges.py; the last test here says that nothing is left out of both.
"""

import asyncio
import os
import shlex
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import anyio.to_thread
import asyncpg
import pytest
from howdah.db.migrate import newest
from howdah.doctor.ailments import AILMENTS
from howdah.embedded import Embedded

from ..cli.programs import begin, howdah
from ..cli.shop import write_shop
from ..db import world
from ..doctor import conftest
from ..doctor.clinic import Clinic, found_in_shell, told
from ..pooler.bouncer import Bouncer

own_server, clinic, pooler = conftest.own_server, conftest.clinic, conftest.pooler

pytestmark = pytest.mark.anyio

LOAD = "select pg_reload_conf()"

SETTINGS = {
    "fsync_off": ["alter system set fsync = off", LOAD],
    "full_page_writes_off": ["alter system set full_page_writes = off", LOAD],
    "synchronous_commit_off": ["alter database {database} set synchronous_commit = off"],
    "autovacuum_off": ["alter system set autovacuum = off", LOAD],
    "read_only": ["alter database {database} set default_transaction_read_only = on"],
    "isolation_strict": ["alter role postgres set default_transaction_isolation = 'serializable'"],
    "statement_timeout": ["alter role postgres in database {database} set statement_timeout = '1s'"],
    "idle_session_timeout": ["alter role all in database {database} set idle_session_timeout = '1h'"],
    "clock_shifted": ["alter database {database} set howdah.shift = '1 hour'"],
}

TABLES = {
    "table_autovacuum_off": ["alter table howdah.job set (autovacuum_enabled = off)"],
    "unlogged_table": ["alter table howdah.timer set unlogged"],
    "replication_slot": ["select pg_create_physical_replication_slot('left_behind', true)"],
    "prepared_transaction": ["begin", "create table mine (a int)", "prepare transaction 'o''clock'"],
    "vacuum_behind": [
        "insert into howdah.job (id, queue, task, priority) select i, 1, 1, 0 from generate_series(1, 110000) i",
        "delete from howdah.job",
        "select pg_stat_force_next_flush()",
    ],
    "bloat": [
        "alter table howdah.progress alter column value set storage plain",
        "insert into howdah.progress (run, value) select i, to_json(repeat('x', 7500)) from generate_series(1, 17500) i",
        "delete from howdah.progress where run < 17500",
        "vacuum howdah.progress",
        "select pg_stat_force_next_flush()",
    ],
    "homeless_rows": [
        "insert into howdah.run (id, task, queue, priority, args) values ((100::bigint << 40) + 1, 1, 1, 0, '{{}}')",
    ],
    "unsettled_effects": ["insert into howdah.inbox (run, at) values (1, howdah.clock() - interval '1 minute')"],
    # Its lease is counted from the start of the server on, and this server has just started: a lease of less than nothing is over.
    "lost_node": [
        "select howdah.join_node(1, 'lost', 'there', 1, '1', '{{}}', '{{}}', null, 60)",
        "update howdah.node set until = howdah.clock() - interval '1 minute', renewed = howdah.clock() + interval '10 minutes'",
    ],
    "paused_queue": ["select howdah.queue_id('the queue')", "select howdah.pause(queue => 'the queue')"],
    "paused_task": ["select howdah.introduce('the task')", "select howdah.pause(task => 'the task')"],
    "open_breaker": [
        "insert into howdah.limit_terms values ('the breaker', 'breaker', '{{\"failures\": 1, \"of\": 1, \"open_s\": 60}}')",
        "insert into howdah.breaker values ('the breaker', 'a key', '', howdah.clock(), howdah.clock() + interval '1 minute')",
    ],
    "paused_node": [
        "select howdah.join_node(1, 'the node', 'there', 1, '1', '{{}}', '{{}}', null, 60)",
        "select howdah.order_node('the node', 'pause')",
    ],
}

PLANTED = {*SETTINGS, *TABLES}


async def database(clinic: Clinic) -> str:
    return str(await clinic.db.fetchval("select current_database()"))


@pytest.mark.parametrize("name", [*SETTINGS, *TABLES])
async def test_what_statements_can_plant_is_found_and_its_mend_as_it_is_printed_mends_it(clinic: Clinic, name: str) -> None:
    statements = SETTINGS.get(name) or TABLES[name]
    here = await database(clinic)
    await clinic.set_up(*(one.format(database=here) for one in statements))
    if name == "read_only":  # The owner's new session is read-only as well, and so the mend has to come over that.
        clinic.db.terminate()
        clinic.db = await asyncpg.connect(clinic.dsn)
    found = await clinic.finds(name)
    await clinic.follow(found.mend)
    await clinic.falls_silent()


@pytest.mark.parametrize(
    "plant",
    [
        "alter system set synchronous_commit = off",
        "alter role postgres set synchronous_commit = off",
        "alter role all set synchronous_commit = off",
        'alter role postgres in database "{database}" set synchronous_commit = off',
    ],
)
async def test_a_setting_is_taken_back_where_it_was_set(clinic: Clinic, plant: str) -> None:
    await clinic.set_up(plant.format(database=await database(clinic)), LOAD)
    found = await clinic.finds("synchronous_commit_off")
    await clinic.follow(found.mend)
    await clinic.falls_silent()


@pytest.mark.parametrize(("state", "statement"), [("idle_in_transaction", "select 1"), ("long_transaction", "select pg_sleep(60)")])
async def test_an_old_transaction_is_found_and_ended(clinic: Clinic, state: str, statement: str) -> None:
    other = await asyncpg.connect(clinic.dsn, server_settings={"application_name": "report of 'March'"})
    asked = asyncio.ensure_future(other.execute(f"begin; {statement}"))
    try:
        found = await clinic.finds(state)
        assert "report of 'March'" in found.seen
        await clinic.follow(found.mend)
        await clinic.falls_silent()
    finally:
        other.terminate()
        await asyncio.wait([asked])
        asked.exception()


async def test_a_queue_of_notifications_that_fills_is_found_with_the_session_that_keeps_it_full(clinic: Clinic) -> None:
    listener = await asyncpg.connect(clinic.dsn)
    await listener.execute("listen noise")
    await listener.execute("begin; select 1")
    count = 40 if await modern(clinic) else 9000
    await clinic.db.fetch("select pg_notify('noise', i || repeat('x', 7000)) from generate_series(1, $1::int) i", count)
    clinic.words = ("doctor", "--json")
    try:
        found = await clinic.finds("notification_queue")
        await clinic.follow(found.mend)
        await clinic.falls_silent()
    finally:
        listener.terminate()


async def modern(clinic: Clinic) -> bool:
    return int(await clinic.db.fetchval("select current_setting('server_version_num')")) >= 170000


async def test_a_database_without_our_schema_is_found_and_migrated(clinic: Clinic) -> None:
    await clinic.db.execute("drop schema howdah cascade")
    found = await clinic.finds("schema_missing")
    await clinic.follow(found.mend)
    await clinic.falls_silent()


async def test_a_schema_that_is_too_new_is_found(clinic: Clinic) -> None:
    await clinic.db.execute("insert into howdah.migration (number, name) values ($1, 'of_next_year')", newest() + 2)
    assert "deploy" in AILMENTS["schema_newer"].mend
    assert (await clinic.finds("schema_newer")).mend == "pip install --upgrade howdah"
    await clinic.db.execute("delete from howdah.migration where number > $1", newest())
    await clinic.falls_silent()


async def test_missing_days_are_found_and_made(clinic: Clinic) -> None:
    day = await clinic.db.fetchval("select extract(epoch from clock_timestamp())::bigint / 86400 - 18262 + 1")
    await clinic.db.execute(f"drop table howdah.run_d{day}, howdah.event_d{day}")
    found = await clinic.finds("partitions_missing")
    assert found.seen == "There is no partition for tomorrow."
    await clinic.follow(found.mend)
    await clinic.falls_silent()


async def test_runs_that_wait_while_no_node_is_alive_are_found_and_a_worker_takes_them(clinic: Clinic, tmp_path: Path) -> None:
    write_shop(tmp_path)
    await clinic.db.fetchval("select howdah.enqueue('wait', '{\"s\": 0}')")
    found = await clinic.finds("no_node")
    assert found.mend == "howdah worker MODULE:APP"
    async with begin(*found.mend.replace("MODULE:APP", "shop:jobs").split()[1:], cwd=tmp_path, **clinic.said) as worker:
        await worker.told("Ready")
        await clinic.falls_silent()
    await clinic.db.execute("delete from howdah.node")


async def test_runs_of_a_task_that_no_living_node_knows_are_found_and_cancelled(clinic: Clinic) -> None:
    await world.join(clinic.db, known="1")
    await world.enqueue(clinic.db, task="known")
    await world.enqueue(clinic.db, task="it's unknown")
    found = await clinic.finds("unknown_task")
    await clinic.follow(found.mend)
    await clinic.falls_silent()


async def test_runs_that_no_living_node_may_have_are_found_and_cancelled(clinic: Clinic) -> None:
    await clinic.db.execute("update howdah.gate set node = $1", await world.join(clinic.db, known="1", labels={"gpu": True}))
    (run,) = await world.enqueue(clinic.db, task="known", requires={"gpu": False})
    await clinic.db.execute("update howdah.run set at = at - interval '1 minute' where id = $1", run)
    found = await clinic.finds("unplaced_runs")
    assert f"Run {run} of task known" in found.seen
    assert "no node that takes its task has gpu: false" in found.seen
    await clinic.follow(found.mend)
    await clinic.falls_silent()


async def test_runs_that_are_held_by_a_node_that_is_no_more_are_found_and_returned(clinic: Clinic) -> None:
    (run,) = await world.enqueue(clinic.db, task="known")
    dead, _ = await world.join(clinic.db, known="1"), await world.join(clinic.db, known="1")
    assert len(await world.claim(clinic.db, dead, tasks=["known"])) == 1
    await clinic.db.execute("delete from howdah.node where id = $1", dead)
    found = await clinic.finds("orphaned_runs")
    assert await world.state(clinic.db, run) == "running"
    await clinic.follow(found.mend)
    await clinic.falls_silent()
    assert await world.state(clinic.db, run) == "queued"


async def test_timers_that_nobody_fires_are_found_and_fired(clinic: Clinic) -> None:
    await world.join(clinic.db, known="1")
    await clinic.db.fetchval("select howdah.enqueue('known', '{}', delay => '1 hour')")
    await clinic.db.execute("update howdah.timer set due = howdah.clock() - interval '1 minute'")
    found = await clinic.finds("overdue_timers")
    await clinic.follow(found.mend)
    await clinic.falls_silent()


async def test_too_few_connections_are_found_and_more_are_given(clinic: Clinic, own_server: Embedded) -> None:
    async def restart() -> None:
        clinic.db.terminate()
        await anyio.to_thread.run_sync(own_server.stop)
        await anyio.to_thread.run_sync(own_server.start)
        clinic.db = await asyncpg.connect(clinic.dsn)

    async def crowd(stack: AsyncExitStack) -> None:
        for _ in range(9):
            stack.callback((await asyncpg.connect(clinic.dsn)).terminate)

    await clinic.set_up("alter system set max_connections = 22", "alter system set max_wal_senders = 2")
    await restart()
    async with AsyncExitStack() as stack:
        await crowd(stack)
        found = await clinic.finds("connection_headroom")
    await clinic.follow(found.mend)
    assert found.mend.endswith("-- then restart Postgres")
    await restart()
    async with AsyncExitStack() as stack:
        await crowd(stack)
        await clinic.falls_silent()
    await clinic.db.execute("alter system reset all")
    await restart()


@pytest.mark.parametrize("skew", ["5", "-5"])
async def test_a_clock_that_is_wrong_here_is_found(clinic: Clinic, skew: str) -> None:
    doctor = f"{sys.executable} -m tests.chaos.skewed {{}} howdah doctor --json"
    assert told(doctor.format(skew), clinic.said) == ["clock_skew"]
    assert told(doctor.format("0"), clinic.said) == []


async def test_a_pooler_without_a_way_past_it_is_found_and_the_way_is_told(clinic: Clinic, pooler: Bouncer) -> None:
    clinic.said["HOWDAH_DSN"] = pooler.dsn(clinic.dsn)
    found = await clinic.finds("transaction_pooling")
    assert told(f"{found.mend} && howdah doctor --json", clinic.said) == []


async def test_a_pooler_that_is_denied_is_found_by_a_notification_that_does_not_come_back(clinic: Clinic, pooler: Bouncer) -> None:
    clinic.said |= {"HOWDAH_DSN": pooler.dsn(clinic.dsn), "HOWDAH_POOLER": "false"}
    found = await clinic.finds("notifications_unheard")
    assert told(f"{found.mend} && howdah doctor --json", clinic.said) == []


@pytest.mark.parametrize("name", ["direct_dsn_pooled", "direct_dsn_elsewhere", "direct_dsn_unreachable"])
async def test_a_direct_way_that_leads_astray_is_found_and_the_right_one_is_told(clinic: Clinic, pooler: Bouncer, name: str) -> None:
    astray = {
        "direct_dsn_pooled": pooler.dsn(clinic.dsn),
        "direct_dsn_elsewhere": clinic.server.dsn("postgres"),
        "direct_dsn_unreachable": "postgresql://postgres@127.0.0.1:1/none",
    }
    clinic.said |= {"HOWDAH_DSN": pooler.dsn(clinic.dsn), "HOWDAH_DIRECT_DSN": astray[name]}
    found = await clinic.finds(name)
    assert told(f"{found.mend} && howdah doctor --json", clinic.said) == []


async def test_a_low_limit_of_open_files_is_found_and_raised(clinic: Clinic) -> None:
    (found,) = found_in_shell("ulimit -Sn 90; howdah doctor --json", clinic.said)
    assert found.name == "open_files"
    assert told(f"ulimit -Sn 90; {found.mend}; howdah doctor --json", clinic.said) == []
    clinic.said |= {"HOWDAH_CONCURRENCY": "1", "HOWDAH_PROCESSES": "1"}
    assert told("ulimit -Sn 90; howdah doctor --json", clinic.said) == []


async def test_a_missing_uvloop_is_found(clinic: Clinic, tmp_path: Path) -> None:
    (tmp_path / "uvloop.py").write_text("raise ImportError('broken')")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    doctor = await anyio.to_thread.run_sync(lambda: howdah("doctor", cwd=None, PYTHONPATH=path, **clinic.said))
    assert doctor.returncode == 1
    assert doctor.stdout.startswith("warning uvloop_missing: ")
    assert f"  {shlex.quote(sys.executable)} -m pip install --force-reinstall uvloop\n" in doctor.stdout
    assert told("howdah doctor --json", clinic.said) == []


def test_every_finding_is_planted_or_judged() -> None:
    text = Path(__file__).read_text() + (Path(__file__).parents[1] / "doctor" / "test_judges.py").read_text()
    assert [name for name in AILMENTS if f'"{name}"' not in text and f"warning {name}" not in text] == []
    assert len(AILMENTS) >= 15
    assert set(AILMENTS) >= PLANTED
