"""Runs that would wait for what their ancestors keep until they have ended: refused where they are enqueued, by every way in."""

import json
from typing import Any

import asyncpg
import pytest
from howdah.core.states import Kind
from howdah.db.files import query

from . import world
from .test_gate import PER_USER, admit, ask, define, enter
from .world import Session

pytestmark = pytest.mark.anyio

ARGS = {"user_id": 7}
ACTIVE: dict[str, Any] = PER_USER | {"terms": {"number": 1}}
SHARED: dict[str, Any] = {"limit": "other", "kind": "limit", "terms": {"number": 1}, "path": ["user_id"]}
BOUNCE = {"wait": 5, "key": "k"}


@pytest.fixture(autouse=True)
async def alone(db: Session) -> None:
    await world.tidy(db)
    await db.execute("truncate howdah.limit_terms, howdah.limit_key, howdah.bucket; update howdah.task set hash = null")


def limit(number: int, **more: Any) -> dict[str, Any]:
    return PER_USER | {"terms": {"number": number}} | more


async def keeper(db: Session, number: int = 1, parent: int | None = None) -> int:
    """A run that keeps a permit of so many under the key 7."""
    await define(db, limit(number, hold="run"), task="keeps")
    options: dict[str, Any] = {} if parent is None else {"parent": parent}
    (run,) = await ask(db, ARGS, task="keeps", **options)
    return run


async def wanting(db: Session, parent: int, user: int = 7, **options: Any) -> list[int]:
    """A run of a task that gives its permit back after each attempt."""
    return await ask(db, {"user_id": user}, task="wants", parent=parent, **options)


async def test_a_child_that_gives_its_permit_back_waits_for_that_of_its_parent_for_ever_too(db: Session) -> None:
    parent = await keeper(db)
    await define(db, ACTIVE, task="wants")
    with pytest.raises(asyncpg.DataError, match=f'run {parent}, which .* keeps the only permit of limit per-user under the key "7"'):
        await wanting(db, parent)
    assert len(await wanting(db, parent, user=8)) == 1, "another key is free"
    await define(db, SHARED, task="free")
    assert len(await ask(db, ARGS, task="free", parent=parent)) == 1, "another limit is free"


async def test_every_way_in_asks(db: Session) -> None:
    parent = await keeper(db)
    await define(db, ACTIVE, task="wants")
    args, options, limits = json.dumps(ARGS), json.dumps({"parent": parent}), json.dumps([ACTIVE])
    said = {"parent": parent, "unique_key": "once"}, {"parent": parent, "child": "one"}, {"parent": parent, "debounce": BOUNCE}
    ways = [
        ("select howdah.enqueue('wants', $1, parent => $2)", (args, parent)),
        ("select howdah.submit_all('{wants}', array[$1], '{1}', array[$2])", (options, args)),
        ("select howdah.submit_new('novel', array[$1], $2, false, 'default', 0::smallint, '{}', $3)", (args, options, limits)),
        *(("select howdah.submit('wants', array[$1], $2, true)", (args, json.dumps(one))) for one in said),
    ]
    for statement, arguments in ways:
        with pytest.raises(asyncpg.DataError, match="keeps the only permit"):
            await db.fetch(statement, *arguments)
    assert await db.fetchval("select count(*) from howdah.run where parent = $1", parent) == 0


async def test_a_debounced_run_that_waits_does_not_become_a_child_that_would_wait_for_ever(db: Session) -> None:
    parent = await keeper(db)
    await define(db, ACTIVE, task="wants")
    await ask(db, ARGS, task="wants", debounce=BOUNCE)
    with pytest.raises(asyncpg.DataError, match="keeps the only permit"):
        await wanting(db, parent, debounce=BOUNCE)


async def test_ancestors_that_keep_all_permits_between_them_are_found(db: Session) -> None:
    top = await keeper(db, 2)
    middle = await keeper(db, 2, parent=top)
    await define(db, limit(2), task="wants")
    assert len(await wanting(db, top)) == 1, "there is one more"
    with pytest.raises(asyncpg.DataError, match=f'runs {middle}, {top}, which .* keep all 2 permits of limit per-user under the key "7"'):
        await wanting(db, middle)
    await db.execute("""select howdah.set_limit('per-user', '{"number": 3}')""")
    assert len(await wanting(db, middle)) == 1, "what was set counts"


async def test_what_one_key_allows_counts_before_what_its_limit_does(db: Session) -> None:
    parent = await keeper(db, 2)
    await define(db, limit(2), task="wants")
    await db.execute("""select howdah.set_limit('per-user', '{"number": 1}', '7')""")
    with pytest.raises(asyncpg.DataError, match="keeps the only permit"):
        await wanting(db, parent)
    await db.execute("""select howdah.set_limit('per-user', '{"number": 1}'), howdah.set_limit('per-user', '{"number": 2}', '7')""")
    assert len(await wanting(db, parent)) == 1


async def test_a_key_that_is_paused_or_blocked_is_opened_again_and_no_deadlock(db: Session) -> None:
    parent = await keeper(db, 2)
    await define(db, limit(2), task="wants")
    await db.execute("select howdah.pause_limit('per-user'), howdah.pause_limit('per-user', '7')")
    await db.execute("update howdah.limit_key set blocked = $1", parent)
    assert len(await wanting(db, parent)) == 1


async def test_an_ancestor_that_has_ended_keeps_nothing_and_nobody_above_it_waits_for_the_child(db: Session) -> None:
    top = await keeper(db)
    await define(db, SHARED, task="between")
    (middle,) = await ask(db, ARGS, task="between", parent=top)
    await define(db, ACTIVE, task="wants")
    with pytest.raises(asyncpg.DataError, match="keeps the only permit"):
        await wanting(db, middle)
    await world.cancel(db, middle)
    assert len(await wanting(db, middle)) == 1, "as the handler of its failure, which waits until the one above has ended"


async def test_the_handler_of_a_failure_is_not_taken_for_one_that_waits_for_what_failed(db: Session) -> None:
    await define(db, ACTIVE | {"path": ["failed", "args", "user_id"]}, task="mends")
    handler, said = json.dumps({"on_failure": {"task": "mends", "parameter": "failed"}}), json.dumps([limit(1, hold="run")])
    await db.fetchval(query("register"), "keeps", "default", 0, handler, None, None, said, said)
    (run,) = await ask(db, ARGS, task="keeps")
    node = await world.join(db, keeps="h")
    (claimed,) = await admit(db, await enter(db, node), node, run)
    await world.send(db, world.outcome(claimed, Kind.FAILED))
    await db.execute(query("settle"))
    assert await db.fetchval("select count(*) from howdah.run where parent = $1", run) == 1
