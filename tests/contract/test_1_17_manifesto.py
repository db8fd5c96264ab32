"""CONTRACT 1.17: the sign-up in one statement, in both forms, and a trigger that is ready to be used."""

import json
from pathlib import Path

import asyncpg
import pytest
from howdah import App

pytestmark = pytest.mark.anyio

Session = asyncpg.Connection

TABLE = """create table users (id bigint generated always as identity primary key, email text not null unique,
    at timestamptz not null default now())"""

BY_SELECT = """
    with usr_ as (
      insert into users (email) values ($1) returning id, email
    )
    select usr_.*, howdah.enqueue('welcome', json_build_object('user_id', usr_.id, 'email', usr_.email)) as run from usr_"""

BY_VIEW = """
    with usr_ as (
      insert into users (email) values ($1) returning id, email
    ), mail_ as (
      insert into howdah.enqueue_view (task, args, priority, tags)
      select 'welcome', json_build_object('user_id', usr_.id, 'email', usr_.email), 5, array['mail'] from usr_ returning id
    )
    select usr_.*, mail_.id as run from usr_ cross join mail_"""

UNREFERENCED_VIEW = """
    with usr_ as (
      insert into users (email) values ($1) returning id, email
    ), mail_ as (
      insert into howdah.enqueue_view (task, args) select 'welcome', json_build_object('user_id', usr_.id, 'email', usr_.email) from usr_
    )
    select * from usr_"""

UNREFERENCED_SELECT = """
    with usr_ as (
      insert into users (email) values ($1) returning id, email
    ), mail_ as (
      select howdah.enqueue('welcome', json_build_object('user_id', usr_.id, 'email', usr_.email)) from usr_
    )
    select * from usr_"""


async def welcome(user_id: int, email: str) -> str:
    return f"{user_id} {email}"


async def waiting(db: Session) -> list[dict[str, object]]:
    """The arguments of all runs, in order."""
    return [json.loads(row["args"]) for row in await db.fetch("select args from howdah.run order by id")]


@pytest.mark.parametrize("statement", [BY_SELECT, BY_VIEW], ids=["select", "view"])
async def test_the_one_statement_sign_up_works(jobs: App, db: Session, statement: str) -> None:
    task = jobs.task(welcome)
    await db.execute(TABLE)
    row = await db.fetchrow(statement, "ada@example.org")
    async with jobs.work():
        assert await task.attach(row["run"]).result("10s") == f"{row['id']} ada@example.org"


@pytest.mark.parametrize("statement", [BY_SELECT, BY_VIEW], ids=["select", "view"])
async def test_a_sign_up_that_fails_enqueues_nothing(db: Session, statement: str) -> None:
    await db.execute(TABLE)
    await db.execute("insert into users (email) values ('ada@example.org')")
    with pytest.raises(asyncpg.UniqueViolationError):
        await db.fetchrow(statement, "ada@example.org")
    assert await waiting(db) == []


async def test_an_insert_into_the_view_happens_although_nobody_refers_to_it(db: Session) -> None:
    await db.execute(TABLE)
    await db.fetchrow(UNREFERENCED_VIEW, "ada@example.org")
    assert await waiting(db) == [{"user_id": 1, "email": "ada@example.org"}]


async def test_postgres_does_not_call_a_function_in_a_select_that_nobody_refers_to(db: Session) -> None:
    await db.execute(TABLE)
    await db.fetchrow(UNREFERENCED_SELECT, "ada@example.org")
    assert await db.fetchval("select count(*) from users") == 1
    assert await waiting(db) == [], "the reason why there is a view to insert into"


async def test_the_view_takes_what_enqueue_takes_and_holds_nothing(db: Session) -> None:
    parameters = await db.fetchval("select proargnames from pg_proc where pronamespace = 'howdah'::regnamespace and proname = 'enqueue'")
    columns = await db.fetch(
        "select attname from pg_attribute where attrelid = 'howdah.enqueue_view'::regclass and attnum > 0 order by attnum"
    )
    assert [row[0] for row in columns] == ["id", *parameters]
    runs = await db.fetch(
        """insert into howdah.enqueue_view (task, delay, queue, metadata)
           select 'later', interval '1 hour', 'slow', '{"tenant": "7"}' from generate_series(1, 3) returning id"""
    )
    assert [await db.fetchval("select howdah.state($1)", row["id"]) for row in runs] == ["scheduled"] * 3
    assert await db.fetch("select * from howdah.enqueue_view") == []
    with pytest.raises(asyncpg.DataError, match="needs the name of a task"):
        await db.execute("insert into howdah.enqueue_view (args) values ('{}')")


async def test_enqueue_on_insert_is_a_ready_trigger_function(jobs: App, db: Session) -> None:
    @jobs.task
    async def greet(id: int, email: str, at: str) -> str:  # noqa: A002 - a column's name
        return email

    await db.execute(TABLE)
    await db.execute("create trigger greet after insert on users for each row execute function howdah.enqueue_on_insert('greet')")
    await db.execute("insert into users (email) select 'user' || g from generate_series(1, 3) g")
    await db.execute("begin; insert into users (email) values ('gone'); rollback")
    runs = [row["id"] for row in await db.fetch("select id from howdah.run order by id")]
    async with jobs.work():
        assert [await greet.attach(run).result("10s") for run in runs] == ["user1", "user2", "user3"]


async def test_the_trigger_passes_only_what_it_is_told_under_the_names_that_it_is_told(db: Session) -> None:
    await db.execute(TABLE)
    await db.execute(
        "create trigger t after insert on users for each row execute function howdah.enqueue_on_insert('welcome', 'user_id=id', 'email')"
    )
    await db.execute("insert into users (email) values ('ada')")
    assert await waiting(db) == [{"user_id": 1, "email": "ada"}]


@pytest.mark.parametrize(
    ("when", "arguments", "text"),
    [
        ("after insert on users for each row", "", "needs the name of a task"),
        ("after insert on users for each statement", "'welcome'", "is for rows"),
        ("after insert on users for each row", "'welcome', 'mail'", 'the column "mail", and public.users has none'),
        ("after insert on users for each row", "'welcome', 'user_id=mail'", 'the column "mail", and public.users has none'),
    ],
)
async def test_a_trigger_that_makes_no_sense_is_refused_with_the_row(db: Session, when: str, arguments: str, text: str) -> None:
    await db.execute(TABLE)
    await db.execute(f"create trigger t {when} execute function howdah.enqueue_on_insert({arguments})")
    with pytest.raises(asyncpg.PostgresError, match=text):
        await db.execute("insert into users (email) values ('ada')")
    assert await db.fetchval("select count(*) from users") == 0


async def test_a_role_that_may_only_enqueue_may_use_both(db: Session) -> None:
    await db.execute(TABLE)
    await db.execute("create role signer")
    try:
        await db.execute("select howdah.permit('signer', 'enqueue'); grant insert on users to signer")
        await db.execute("create trigger t after insert on users for each row execute function howdah.enqueue_on_insert('welcome')")
        await db.execute("set role signer")
        await db.execute("insert into users (email) values ('ada')")
        await db.execute("insert into howdah.enqueue_view (task) values ('other')")
        await db.execute("reset role")
        assert len(await waiting(db)) == 2
    finally:
        await db.execute("reset role; select howdah.forbid('signer'); drop owned by signer; drop role signer")


def test_the_docs_say_that_a_select_in_a_with_that_nothing_refers_to_is_not_run() -> None:
    page = (Path(__file__).parents[2] / "docs/enqueue.md").read_text()
    assert "Postgres does not run a `select` in a `with` that nothing refers to" in page
    assert "enqueue_view" in page
