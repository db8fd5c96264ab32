"""What is set of a limit in a running system: who is refused, that it wins over the code, and that the gate hears of it."""

import asyncio
import json
from typing import Any

import asyncpg
import pytest
from howdah.db.files import query

from . import world
from .test_gate import PER_USER, SMTP
from .world import Connect, Session

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
async def defined(db: Session) -> None:
    await world.tidy(db)
    await db.execute("truncate howdah.limit_terms, howdah.limit_key, howdah.bucket")
    await code(db, PER_USER, SMTP)


async def code(db: Session, *limits: dict[str, Any]) -> None:
    """The code says so, as a node that starts does."""
    await db.execute("select howdah.note_limits($1)", json.dumps(limits))


async def allowed(db: Session) -> dict[tuple[str, str | None], tuple[Any, bool]]:
    """As the gate reads it."""
    rows = await db.fetch(query("gate_terms"))
    return {(row["name"], row["key"]): (json.loads(row["terms"] or "null"), row["paused"]) for row in rows}


REFUSED = [
    ("'per-usr', '{\"number\": 5}'", "there is no limit per-usr", "makes those of its tasks known when it starts"),
    ("null, '{\"number\": 5}'", "there is no limit null", ""),
    ("'per-user', '{\"number\": 0}'", 'limit per-user cannot allow {"number": 0}', "To let nothing start, pause it"),
    ("'per-user', '{\"number\": -1}'", "limit per-user cannot allow", "pause it"),
    ("'per-user', '{\"number\": 1.5}'", "limit per-user cannot allow", "pause it"),
    ("'per-user', '{\"number\": 2147483648}'", "limit per-user cannot allow", "pause it"),
    ("'per-user', '{\"number\": \"5\"}'", "limit per-user cannot allow", "pause it"),
    ("'per-user', '{\"number\": 5, \"colour\": 1}'", "limit per-user cannot allow", "pause it"),
    ("'per-user', '{}'", "limit per-user cannot allow", "pause it"),
    ("'per-user', '5'", "what limit per-user allows is an object, and this is 5", 'For example {"number": 5}'),
    ("'per-user', '{\"per_s\": 5, \"burst\": 5}'", "per-user is a limit and no rate", "Say how many at once"),
    ("'smtp', '{\"number\": 5}'", "smtp is a rate and no limit: it has a period", "jobs.limits.set('smtp', 100, per='1m')"),
    ("'smtp', '{\"per_s\": 0, \"burst\": 5}'", "rate smtp cannot allow", "pause it"),
    ("'smtp', '{\"per_s\": 5}'", "rate smtp cannot allow", "pause it"),
    ('\'smtp\', \'{"per_s": "5", "burst": 5}\'', "rate smtp cannot allow", "pause it"),
    ("'smtp', '{\"per_s\": 5, \"burst\": 0}'", "rate smtp cannot allow", "pause it"),
    ('\'smtp\', \'{"per_s": 5, "burst": 5, "number": 5}\'', "what limit smtp allows is an object", "for a rate"),
    ("'smtp', null, repeat('x', 201)", "a key of limit smtp has at most 200 characters, and this one has 201", ""),
]


@pytest.mark.parametrize(("arguments", "said", "hint"), REFUSED, ids=[arguments for arguments, *_ in REFUSED])
async def test_what_makes_no_sense_is_refused_and_changes_nothing(db: Session, arguments: str, said: str, hint: str) -> None:
    before = await allowed(db)
    with pytest.raises(asyncpg.InvalidParameterValueError) as refusal:
        await db.execute(f"select howdah.set_limit({arguments})")
    assert said in str(refusal.value)
    assert hint in (refusal.value.hint or "")
    assert await allowed(db) == before


@pytest.mark.parametrize("verb", ["pause_limit", "resume_limit"])
async def test_only_a_limit_that_is_known_is_paused_and_resumed(db: Session, verb: str) -> None:
    with pytest.raises(asyncpg.InvalidParameterValueError, match="there is no limit per-usr"):
        await db.execute(f"select howdah.{verb}('per-usr', 'ann')")


async def test_what_is_set_wins_over_the_code_until_it_is_reset(db: Session) -> None:
    await db.execute("""select howdah.set_limit('per-user', '{"number": 5}'), howdah.set_limit('smtp', '{"per_s": 0.5, "burst": 3}')""")
    await code(db, PER_USER | {"terms": {"number": 3}}, SMTP)
    assert await allowed(db) == {("per-user", None): ({"number": 5}, False), ("smtp", None): ({"per_s": 0.5, "burst": 3}, False)}
    await db.execute("select howdah.set_limit('per-user', null), howdah.set_limit('smtp', 'null')")
    assert await allowed(db) == {("per-user", None): ({"number": 3}, False), ("smtp", None): ({"per_s": 2, "burst": 10}, False)}


async def test_a_key_has_terms_of_its_own_until_they_are_taken_back(db: Session) -> None:
    await db.execute("""select howdah.set_limit('per-user', '{"number": 5}', 'ann'), howdah.set_limit('per-user', '{"number": 6}', '')""")
    assert await allowed(db) == {
        ("per-user", None): ({"number": 2}, False),
        ("per-user", "ann"): ({"number": 5}, False),
        ("per-user", ""): ({"number": 6}, False),
        ("smtp", None): ({"per_s": 2, "burst": 10}, False),
    }
    await db.execute("select howdah.set_limit('per-user', null, 'ann'), howdah.set_limit('per-user', null, '')")
    assert await db.fetchval("select count(*) from howdah.limit_key") == 0


async def test_a_pause_of_a_key_and_its_terms_are_two_things(db: Session) -> None:
    await db.execute("""select howdah.pause_limit('per-user', 'ann'), howdah.set_limit('per-user', '{"number": 5}', 'ann')""")
    assert (await allowed(db))["per-user", "ann"] == ({"number": 5}, True)
    await db.execute("select howdah.set_limit('per-user', null, 'ann')")
    assert (await allowed(db))["per-user", "ann"] == (None, True)
    await db.execute("select howdah.resume_limit('per-user', 'ann'), howdah.resume_limit('per-user', 'bob')")
    assert ("per-user", "ann") not in await allowed(db)


async def test_the_resume_of_a_key_lets_go_what_a_failure_in_sequence_holds_up_and_nothing_else_does(db: Session) -> None:
    await db.execute("insert into howdah.limit_key values ('per-user', 'ann', null, false, 7)")
    await db.execute("""select howdah.set_limit('per-user', '{"number": 5}', 'ann'), howdah.set_limit('per-user', null, 'ann')""")
    assert (await allowed(db))["per-user", "ann"] == (None, True)
    (row,) = [row for row in await db.fetch(query("limits")) if row["name"] == "per-user"]
    assert json.loads(row["keys"]) == [{"key": "ann", "terms": None, "paused": False, "blocked": 7}]
    await db.execute("select howdah.resume_limit('per-user', 'ann')")
    assert ("per-user", "ann") not in await allowed(db)


async def test_a_limit_and_its_keys_are_paused_and_resumed_apart(db: Session) -> None:
    await db.execute("select howdah.pause_limit('per-user'), howdah.pause_limit('per-user', 'ann'), howdah.pause_limit('per-user')")
    assert {key: paused for key, (_, paused) in (await allowed(db)).items() if key[0] == "per-user"} == {
        ("per-user", None): True,
        ("per-user", "ann"): True,
    }
    await db.execute("select howdah.resume_limit('per-user')")
    found = await allowed(db)
    assert (found["per-user", None][1], found["per-user", "ann"][1]) == (False, True)


async def test_the_gate_hears_of_each_change(db: Session, connect: Connect) -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    ears = await connect()
    await ears.add_listener("howdah_gate", lambda *said: told.put_nowait(str(said[3])))
    for call in (
        """set_limit('per-user', '{"number": 5}')""",
        "set_limit('per-user', null)",
        """set_limit('per-user', '{"number": 5}', 'ann')""",
        "pause_limit('per-user', 'ann')",
        "resume_limit('per-user', 'ann')",
        "pause_limit('smtp')",
    ):
        await db.execute(f"select howdah.{call}")
        assert await asyncio.wait_for(told.get(), 10) == "terms", call


async def test_the_view_says_what_holds_what_the_code_says_and_what_was_set(db: Session) -> None:
    await db.execute("""select howdah.set_limit('per-user', '{"number": 5}'), howdah.set_limit('per-user', '{"number": 6}', 'ann')""")
    await db.execute("select howdah.pause_limit('smtp'), howdah.pause_limit('per-user', 'bob')")
    rows = {row["name"]: row for row in await db.fetch(query("limits"))}
    user, smtp = rows["per-user"], rows["smtp"]
    assert [json.loads(user[column]) for column in ("terms", "said", "live")] == [{"number": 5}, {"number": 2}, {"number": 5}]
    assert json.loads(user["keys"]) == [
        {"key": "ann", "terms": {"number": 6}, "paused": False, "blocked": None},
        {"key": "bob", "terms": None, "paused": True, "blocked": None},
    ]
    assert (smtp["kind"], smtp["live"], smtp["paused"], smtp["keys"]) == ("rate", None, True, None)
