"""What every function of ours promises beyond its own verb: who may call it, what a session can do to it, what it says."""

import re

import pytest
from howdah.db.files import listing

from .world import Session

pytestmark = pytest.mark.anyio

FUNCTIONS = listing("functions")

INTERNAL = {
    "clock": "inlined into the statements of its callers",
    "day_base": "reads the clock only",
    "wake": "called by functions that run as the owner",
    "tell": "the same",
    "world": "the same",
    "is_pending": "the same",
    "pausable": "the same",
    "task_flags": "reads its argument only",
    "checked_defaults": "the same",
    "checked_labels": "the same",
    "checked_placement": "the same",
    "fits": "the same",
    "forbid": "nobody but the owner may grant",
    "permit": "the same",
    "protect": "the same",
    "checked_terms": "called by functions that run as the owner",
    "demands": "reads its arguments only",
    "is_count": "the same",
    "line_of": "the same",
    "has_demands": "called by functions that run as the owner",
    "debounce_keys": "the same",
    "demand_flags": "the same",
    "active_demands": "the same",
    "knock": "called by functions that run as the owner",
    "gate_free": "ends other connections of the node's own role, as that role may",
    "recover": "ends another connection of the node's own role, as that role may",
}
"""Functions that do not run as the owner, with the reason."""


@pytest.mark.parametrize(("name", "text"), FUNCTIONS, ids=[name for name, _ in FUNCTIONS])
def test_the_header_of_a_function_says_what_it_guarantees_and_what_it_locks(name: str, text: str) -> None:
    header = []
    for line in text.splitlines():
        if not line.startswith("-- "):
            break
        header.append(line.removeprefix("-- "))
    said = " ".join(header)
    assert len(said) > 60
    assert re.search(r"[Ll]ocks: |Takes no locks|[Ll]ock: ", said), f"{name}.sql does not say which locks it takes"
    assert said.endswith("."), "full sentences"


@pytest.mark.parametrize(("name", "text"), FUNCTIONS, ids=[name for name, _ in FUNCTIONS])
def test_a_file_holds_the_function_that_it_is_named_after_and_can_be_applied_again(name: str, text: str) -> None:
    made = re.findall(r"^create (or replace )?(function|trigger) (?:howdah\.)?(\w+)", text, re.MULTILINE)
    assert {what[2] for what in made} == {name}
    assert all(what[0] for what in made)


async def test_every_function_is_deaf_to_the_search_path_of_its_caller(db: Session) -> None:
    rows = await db.fetch(
        """select p.proname, p.proconfig, p.prosqlbody is not null as bound from pg_proc p
           where p.pronamespace = 'howdah'::regnamespace"""
    )
    assert {row["proname"] for row in rows} == {name for name, _ in FUNCTIONS} | {"clock"}
    # A body in standard SQL was bound to its objects when it was made.
    open_ = [row["proname"] for row in rows if not row["bound"] and "search_path=pg_catalog, pg_temp" not in (row["proconfig"] or [])]
    assert open_ == []


async def test_what_users_call_runs_with_the_rights_of_the_owner(db: Session) -> None:
    rows = await db.fetch("select proname from pg_proc where pronamespace = 'howdah'::regnamespace and not prosecdef")
    assert {row[0] for row in rows} == set(INTERNAL)


async def test_what_a_permitted_role_calls_is_deaf_to_its_session(db: Session) -> None:
    await db.execute("create role guest")
    await db.fetchval("select howdah.permit('guest', 'node')")
    await db.execute(
        "create schema trap; create table trap.task (name text); create function trap.nextval(regclass) returns bigint return 1"
    )
    await db.execute("grant usage on schema trap to guest")
    await db.execute(
        "set search_path = trap, pg_catalog; set role guest; set enable_indexscan = off; set plan_cache_mode = force_custom_plan"
    )
    run = await db.fetchval("select howdah.enqueue('greet', '{}')")
    assert await db.fetchval("select howdah.state($1)", run) == "queued"
    assert await db.fetchval("select answer from howdah.cancel(array[$1::bigint], 'why not')", run) == "cancelled"
    with pytest.raises(Exception, match="permission denied"):
        await db.fetch("select * from howdah.job")
    await db.execute("reset role; reset search_path; reset enable_indexscan; drop schema trap cascade")
    await db.execute("select howdah.forbid('guest'); drop role guest")


async def test_statements_that_touch_hot_tables_have_their_plans_guarded(db: Session) -> None:
    hot = [
        "cancel",
        "cancel_children",
        "claim",
        "claim_aside",
        "complete",
        "expire",
        "fire",
        "fold",
        "fold_control",
        "fold_moves",
        "fetch_admitted",
        "gate_admit",
        "gate_heads",
        "gate_look",
        "hold_keys",
        "hold_open",
        "put_off",
        "candidate_runs",
        "find_runs",
        "first_since",
        "look",
        "matching_runs",
        "newest_ended",
        "newest_marked",
        "newest_pending",
        "oldest_waiting",
        "outcomes",
        "pending_lines",
        "roll_up",
        "run_history",
        "show_runs",
        "sweep",
        "trim",
        "trouble",
        "reject",
        "retry",
        "set_aside",
        "settle",
        "submit",
        "watch",
    ]
    rows = await db.fetch("select proname, proconfig from pg_proc where pronamespace = 'howdah'::regnamespace and proname = any($1)", hot)
    needed = {
        "enable_seqscan=off",
        "enable_hashjoin=off",
        "enable_mergejoin=off",
        "enable_bitmapscan=off",
        "plan_cache_mode=force_generic_plan",
    }
    batches = {"claim", "fetch_admitted", "gate_admit"}  # They join what they hold with its payloads: both are fenced off, and hashed.
    assert batches <= {row["proname"] for row in rows}
    unguarded = [
        row["proname"]
        for row in rows
        if not needed - ({"enable_hashjoin=off"} if row["proname"] in batches else set()) <= set(row["proconfig"])
    ]
    assert unguarded == []
