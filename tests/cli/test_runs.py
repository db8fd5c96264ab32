"""`howdah runs`, `queues`, `nodes` and `todo`: what a person sees, and what a program reads."""

import json
from pathlib import Path

import asyncpg
import pytest

from .programs import asked, beside

pytestmark = pytest.mark.anyio

Db = asyncpg.Connection


async def ended(db: Db, kind: int, task: str = "charge", number: int = 1, **said: str) -> int:
    """A run that ended so, as a node would have left it."""
    run = await db.fetchval("select howdah.enqueue($1, json_build_object('customer', $2::int))", task, number)
    row = await db.fetchrow(
        """with held as (update howdah.job set lease = 1, node = 7, attempt = 1 where id = $1 returning task, queue), told as (
             insert into howdah.tally (queue, task, n, ready, running, later) select queue, task, 0, -1, 1, 0 from held)
           select task from held""",
        run,
    )
    logs = json.dumps([[0.25, "WARNING", "shop", "the card is old"]])
    await db.execute(
        "insert into howdah.event (run, lease, node, task, kind, data, logs) values ($1, 1, 7, $2, $3, $4, $5)",
        run, row["task"], kind, json.dumps(said) if said else None, logs,
    )  # fmt: skip
    return run


async def failed(db: Db, number: int = 1, error: str = "1f2e3d4c") -> int:
    said = {"type": "shop.Declined", "message": f"no funds: {number}", "traceback": 'File "shop.py", line 7', "fingerprint": error}
    return await ended(db, 2, number=number, **said)


async def test_runs_are_listed_for_people_and_for_programs(dsn: str, db: Db) -> None:
    run = await failed(db)
    fine = await ended(db, 1, number=2)

    told = await beside("runs", "ls", HOWDAH_DSN=dsn)
    some = await beside("runs", "ls", "--state", "failed", "--task", "charge", "--since", "1h", "--limit", "5", "--json", HOWDAH_DSN=dsn)
    none = await beside("runs", "ls", "--queue", "nowhere", "--tag", "x", "--metadata", "a=b", "--dsn", dsn)

    lines = told.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["RUN", str(fine), str(run)]
    assert "shop.Declined: no funds: 1" in lines[2]
    (one,) = [json.loads(line) for line in some.stdout.splitlines()]
    assert (one["id"], one["state"], one["error"]["fingerprint"], one["args"]) == (run, "failed", "1f2e3d4c", {"customer": 1})
    assert (none.exit_code, none.stdout) == (0, "")
    assert "No run passes" in none.stderr


async def test_a_run_is_shown_with_payload_attempts_errors_logs_and_tree(dsn: str, db: Db) -> None:
    run = await failed(db)
    child = (await db.fetchval("select ids from howdah.submit('mail', array['{}'], jsonb_build_object('parent', $1::bigint), false)", run))[
        0
    ]
    grandchild = (
        await db.fetchval("select ids from howdah.submit('log', array['{}'], jsonb_build_object('parent', $1::bigint), false)", child)
    )[0]

    told = (await beside("runs", "show", str(run), HOWDAH_DSN=dsn)).stdout
    data = json.loads((await beside("runs", "show", str(run), "--json", HOWDAH_DSN=dsn)).stdout)
    unknown = await beside("runs", "show", "5", HOWDAH_DSN=dsn)

    for said in ("state: failed", 'args: {"customer":1}', "attempts: 1", "shop.Declined: no funds: 1", "fingerprint: 1f2e3d4c", "line 7"):
        assert said in told
    assert "| +0.250 s WARNING shop: the card is old" in told
    assert told.endswith(f"tree:\n  {run} charge failed\n    {child} mail queued\n      {grandchild} log queued\n")
    assert [event["kind"] for event in data["history"]] == ["failed"]
    assert (unknown.exit_code, unknown.stderr) == (
        1,
        "howdah: there is no run 5: its transaction has not committed, or its history has been dropped\n",
    )


async def test_a_bulk_retry_asks_says_how_many_and_does_it_once(dsn: str, db: Db) -> None:
    for number in range(3):
        await failed(db, number)
    await ended(db, 1, number=9)

    asked = await beside("runs", "retry", "--task", "charge", HOWDAH_DSN=dsn)
    done = await beside("runs", "retry", "--task", "charge", "--error", "1f2e3d4c", "--yes", HOWDAH_DSN=dsn)
    again = await beside("runs", "retry", "--task", "charge", "--yes", HOWDAH_DSN=dsn)

    assert asked.exit_code == 1
    assert "Retry 3 runs? [y/N]" in asked.stderr
    assert (done.exit_code, done.stdout) == (0, "3 start again\n")
    assert again.stdout == "No run passes this filter.\n"
    assert await db.fetchval("select count(*) from howdah.job") == 3


async def test_runs_are_cancelled_by_id_and_by_filter_with_a_reason(dsn: str, db: Db) -> None:
    ids = [await db.fetchval("select howdah.enqueue('mail')") for _ in range(3)]

    one = await beside("runs", "cancel", str(ids[0]), "77", "--reason", "wrong address", HOWDAH_DSN=dsn)
    rest = await beside("runs", "cancel", "--task", "mail", "--yes", HOWDAH_DSN=dsn)

    assert one.stdout == "1 cancelled, 1 are unknown\n"
    assert rest.stdout == "2 cancelled\n"
    assert "wrong address" in (await beside("runs", "ls", HOWDAH_DSN=dsn)).stdout


def test_what_cannot_be_meant_is_wrong_usage() -> None:
    for words, sentence in (
        (("retry",), "Name runs by their ids, or say which by a filter"),
        (("cancel", "5", "--task", "x"), "one of the two"),
        (("ls", "--state", "done"), "'done' is not one of"),
        (("ls", "--metadata", "x"), "is no KEY=VALUE"),
        (("ls", "--since", "soon"), "is neither how long ago"),
    ):
        refused = asked("runs", *words)
        assert refused.exit_code == 2
        assert sentence in refused.stderr.replace("\n", " ")


async def test_queues_are_listed_and_keep_their_history_as_told(dsn: str, db: Db) -> None:
    await db.fetchval("select howdah.enqueue('mail', queue => 'mail')")

    done = await beside("queues", "set", "mail", "--retention", "7d", HOWDAH_DSN=dsn)
    told = (await beside("queues", "ls", HOWDAH_DSN=dsn)).stdout.splitlines()
    rows = [json.loads(line) for line in (await beside("queues", "ls", "--json", HOWDAH_DSN=dsn)).stdout.splitlines()]
    back = await beside("queues", "set", "mail", "--retention", "default", HOWDAH_DSN=dsn)
    refused = await beside("queues", "set", "mail", "--retention", "12h", HOWDAH_DSN=dsn)

    assert done.stdout == "Queue mail keeps its history 7d.\n"
    assert [line.split()[:2] for line in told] == [["QUEUE", "READY"], ["default", "0"], ["mail", "1"]]
    assert told[2].endswith("7d")
    assert [(row["queue"], row["ready"], row["retention_days"]) for row in rows] == [("default", 0, None), ("mail", 1, 7)]
    assert "as long as the setting" in back.stdout
    assert "not a number of whole days" in refused.stderr


async def test_nodes_are_listed(dsn: str, db: Db) -> None:
    nobody = await beside("nodes", "ls", HOWDAH_DSN=dsn)
    await db.fetchval("select howdah.join_node(7, 'near', 'here', 42, '1.0', '{}', '{}', null, 60)")

    told = (await beside("nodes", "ls", HOWDAH_DSN=dsn)).stdout.splitlines()
    (row,) = [json.loads(line) for line in (await beside("nodes", "ls", "--json", HOWDAH_DSN=dsn)).stdout.splitlines()]

    assert "No node is running" in nobody.stderr
    assert told[1].split()[:4] == ["near", "here", "42", "1.0"]
    assert "alive" in told[1]
    assert (row["name"], row["alive"]) == ("near", True)


async def test_todo_lists_what_waits_for_a_human_with_what_mends_it(dsn: str, db: Db, tmp_path: Path) -> None:
    nothing = await beside("todo", HOWDAH_DSN=dsn)
    runs = [await failed(db, number) for number in range(2)] + [await failed(db, 5, error="aaaaaaaa")]
    await db.execute("update howdah.task set implemented = true")
    await db.fetchval("select howdah.enqueue('orphan')")

    told = (await beside("todo", HOWDAH_DSN=dsn)).stdout
    data = json.loads((await beside("todo", "--json", HOWDAH_DSN=dsn)).stdout)

    assert nothing.stdout == "Nothing waits for you.\n"
    assert "orphan: nobody implements it" in told
    commands = [line.strip() for line in told.splitlines() if line.startswith("  howdah runs retry")]
    assert commands == ["howdah runs retry --task charge --error aaaaaaaa", "howdah runs retry --task charge --error 1f2e3d4c"]
    assert f"charge: 2 runs failed, the newest {runs[1]}" in told
    assert [group["runs"] for group in data["trouble"]] == [1, 2]
    mended = await beside(*commands[1].split()[1:], "--yes", HOWDAH_DSN=dsn)
    assert mended.stdout == "2 start again\n"
    assert [line for line in (await beside("todo", HOWDAH_DSN=dsn)).stdout.splitlines() if "1f2e3d4c" in line] == []
