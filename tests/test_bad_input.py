"""Whatever anybody says to Howdah is refused with a sentence or makes a run that ends; names inject neither SQL nor escape sequences."""

import json
import shlex
from datetime import timedelta
from typing import Any

import anyio
import anyio.to_thread
import asyncpg
import pytest
from click.testing import CliRunner
from howdah import App
from howdah.cli import main
from howdah.core.states import ENDS, State
from howdah.errors import HowdahError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.anyio

Db = asyncpg.Connection

MANY = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.function_scoped_fixture],
)

HOSTILE = "\x1b[31mred\x1b]0;title\x07 '; drop table howdah.run; -- $(reboot) \u202e\x9b2J"
"""A name that would colour, retitle and clear a terminal, and is SQL and shell."""

NAMES = st.one_of(st.sampled_from(["", "work", HOSTILE, "x" * 201, "'", '"', "%s", "$1"]), st.text(max_size=20))

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)

INTERVALS = st.sampled_from(
    ["0", "-1 second", "1 second", "-1 hour", "infinity", "-infinity", "101 years", "300000 years", "1 month", "1 microsecond"]
)

SQL_ARGUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "args": JSON.map(json.dumps),
        "delay": INTERVALS,
        "at": st.sampled_from(["infinity", "-infinity", "20000-01-01", "0044-03-15 BC", "now", "2020-01-01"]),
        "priority": st.sampled_from([0, 1, -32767, 32767, -32768, 32768, 2**31 - 1]),
        "queue": NAMES,
        "expires": INTERVALS,
        "timeout": INTERVALS,
        "tags": st.lists(st.none() | NAMES, max_size=3),
        "metadata": JSON.map(json.dumps),
        "unique_key": NAMES | st.just("k" * 70_000),
        "unique_args": st.booleans(),
        "unique_for": INTERVALS,
        "parent": st.sampled_from([0, -1, 1, 2**63 - 1]),
        "child": NAMES,
        "on_parent_cancel": st.sampled_from(["cancel", "keep", "", HOSTILE]),
    },
)

TYPES = {
    "args": "json", "delay": "interval", "at": "timestamptz", "priority": "int", "expires": "interval", "timeout": "interval",
    "tags": "text[]", "metadata": "jsonb", "unique_args": "boolean", "unique_for": "interval", "parent": "bigint",
}  # fmt: skip

NOT_TEXT = {"22P02", "22P05", "22021", "22007", "22008"}
"""What Postgres itself says of input that is no value of its type: it names the value."""


async def _enqueue(db: Db, task: str, arguments: dict[str, Any]) -> int | str:
    """The run, or the code of the refusal."""
    values = [value if isinstance(value, str) else str(value).lower() for name, value in arguments.items() if name != "tags"]
    names = [name for name in arguments if name != "tags"]
    said = "".join(f", {name} => ${n}::text::{TYPES.get(name, 'text')}" for n, name in enumerate(names, 2))
    if "tags" in arguments:
        said += f", tags => ${len(values) + 2}::text[]"
        values.append(arguments["tags"])
    try:
        return await db.fetchval(f"select howdah.enqueue($1{said})", task, *values)
    except asyncpg.PostgresError as error:
        assert error.sqlstate == "22023" or error.sqlstate in NOT_TEXT, (error.sqlstate, str(error), arguments)
        assert str(error)
        return str(error.sqlstate)


def drawn(*strategies: st.SearchStrategy[Any]) -> list[tuple[Any, ...]]:
    """Examples, the same each time: what is awaited cannot be asked by hypothesis itself."""
    examples: list[tuple[Any, ...]] = []

    @MANY
    @given(st.tuples(*strategies))
    def keep(example: tuple[Any, ...]) -> None:
        examples.append(example)

    keep()
    return examples


async def test_what_sql_enqueues_is_refused_with_a_sentence_or_ends(db: Db, jobs: App) -> None:
    @jobs.task
    async def work() -> None:
        pass

    made: dict[int, object] = {}
    for (arguments,) in drawn(SQL_ARGUMENTS):
        answer = await _enqueue(db, "work", {"args": "{}"} | arguments)
        if isinstance(answer, int):
            made[answer] = arguments
    assert len(made) > 5
    later = {row[0] for row in await db.fetch("select id from howdah.timer where due > howdah.clock() + interval '1 minute'")}
    async with jobs, jobs.work():
        with anyio.fail_after(20):
            while await db.fetchval(
                "select exists (select from howdah.job) or exists (select from howdah.timer where id <> all ($1))", later
            ):
                await anyio.sleep(0)
        unfit = {row[0] for row in await db.fetch("select id from howdah.misfit")}
        for run in made.keys() - later - unfit:
            assert State(await db.fetchval("select howdah.state($1)", run)) in ENDS, made[run]
        assert await jobs.runs.list(limit=500)


@pytest.mark.parametrize("name", ["", "x" * 201, "a\0b"])
@pytest.mark.parametrize("what", ["task", "queue"])
async def test_a_name_that_cannot_be_stored_is_refused_by_sql_with_a_sentence(db: Db, what: str, name: str) -> None:
    with pytest.raises(asyncpg.DataError) as refused:
        await (
            db.fetchval("select howdah.enqueue($1)", name)
            if what == "task"
            else db.fetchval("select howdah.enqueue('a', queue => $1)", name)
        )
    assert what in str(refused.value) or "\0" in name


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ("priority => 100000", "priority is 100000"),
        ("metadata => '[1]'", "metadata of work must be a json object"),
        ("delay => '300000 years'", "at most a hundred years"),
        ("timeout => '200 years'", "at most a hundred years"),
        ("at => 'infinity'", "wait for ever"),
        ("at => '20000-01-01'", "wait for ever"),
        ("unique_key => repeat('k', 70000)", "a key has 70000 characters"),
    ],
)
async def test_what_could_never_run_or_be_shown_is_refused_by_sql(db: Db, argument: str, sentence: str) -> None:
    with pytest.raises(asyncpg.InvalidParameterValueError, match=sentence):
        await db.fetchval(f"select howdah.enqueue('work', '{{}}', {argument})")


DURATIONS = st.one_of(
    st.floats(),
    st.integers(),
    st.sampled_from(["1h", "-1s", "", "soon", "1e400", "0"]),
    st.timedeltas(),
    st.sampled_from([timedelta.max, 10**400]),
    st.none(),
)

OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "delay": DURATIONS,
        "expires": DURATIONS,
        "timeout": DURATIONS,
        "priority": st.integers() | st.floats(),
        "queue": NAMES,
        "tags": st.lists(NAMES, max_size=2),
        "metadata": st.dictionaries(NAMES, JSON, max_size=2),
        "unique": NAMES | st.booleans() | st.just("k" * 70_000),
        "unique_for": DURATIONS,
        "child": NAMES,
    },
)


async def test_what_python_enqueues_is_refused_as_one_of_ours_or_is_a_run(db: Db, jobs: App) -> None:
    @jobs.task
    async def work(value: Any) -> None:
        raise AssertionError(f"nothing runs here: {value}")

    made: list[int] = []
    async with jobs:
        for options, value in drawn(OPTIONS, JSON):
            try:
                made.append((await work.options(**options).enqueue(value)).id)
            except HowdahError as error:
                assert str(error)
            except ValueError as error:  # What is no duration, as the Python that it is.
                assert "no duration" in str(error), repr(error)
    assert len(made) > 5
    assert await db.fetchval("select bool_and(howdah.state(id) is not null) from unnest($1::bigint[]) id", made)


NUMBERS = st.sampled_from(["0", "-1", "1", "99999999999999999999", "1.5", "x", ""])
WORDS = (
    NAMES | NUMBERS | st.sampled_from(["\0", "\udc80", "a=\0", "0001-01-01", "9999-12-31T23:59:59-23:59", "99999999999d", "1e400", "--"])
)
COMMANDS = st.sampled_from(
    [["runs", "ls"], ["runs", "show"], ["runs", "retry", "--yes"], ["runs", "cancel", "--yes"], ["todo"], ["tasks"], ["queues", "ls"],
     ["queues", "set"], ["queues", "set", "--retention"], ["nodes", "ls"], ["nodes", "pause"], ["nodes", "drain"],
     ["enqueue"], ["enqueue", "--ahead", "work"], ["grant"], ["grant", "--as", "read"], ["settings"], []]
)  # fmt: skip
FLAGS = st.sampled_from(
    ["--task", "--queue", "--tag", "--metadata", "--parent", "--root", "--error", "--since", "--before", "--limit", "--state", "--reason",
     "--retention", "--json", "--priority", "--delay", "--expires", "--unique"]
)  # fmt: skip


def _tell(dsn: str, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, words, env={"HOWDAH_DSN": dsn})
    unexpected = result.exception is not None and not isinstance(result.exception, SystemExit)
    assert not unexpected, (words, repr(result.exception))
    return result.exit_code, result.output


async def test_the_command_line_answers_or_refuses_and_never_shows_a_traceback(dsn: str, db: Db) -> None:
    await db.fetchval("select howdah.enqueue($1)", HOSTILE)

    @MANY
    @given(COMMANDS, st.lists(st.tuples(FLAGS, WORDS).map(list) | WORDS.map(lambda word: [word]), max_size=3))
    def one(command: list[str], more: list[list[str]]) -> None:
        code, said = _tell(dsn, *command, *(word for words in more for word in words))
        assert code in (0, 1, 2)
        assert "Traceback" not in said
        assert code == 2 or "\x1b" not in said, "wrong usage repeats what was typed"

    await anyio.to_thread.run_sync(one)


@pytest.mark.parametrize(
    "words",
    [
        ("runs", "show", "99999999999999999999"),
        ("runs", "retry", "99999999999999999999"),
        ("runs", "ls", "--before", "99999999999999999999"),
        ("runs", "ls", "--tag", "\udc80"),
        ("runs", "ls", "--task", "a\0b"),
        ("runs", "ls", "--since", "0001-01-01"),
        ("queues", "set", "x\0", "--retention", "7d"),
        ("nodes", "pause", "x\0"),
        ("enqueue", "x\0"),
        ("enqueue", "x", "{}", "--priority", "99999"),
        ("enqueue", "x", "{}", "--delay", "soon"),
    ],
    ids=" ".join,
)
async def test_what_cannot_be_meant_is_wrong_usage(dsn: str, words: tuple[str, ...]) -> None:
    code, said = await anyio.to_thread.run_sync(_tell, dsn, *words)
    assert code == 2
    assert said.splitlines()[-1].startswith("Error: ")


@pytest.mark.parametrize("name", ["", "x" * 201])
async def test_a_queue_that_cannot_be_named_so_is_refused_in_one_line(dsn: str, name: str) -> None:
    code, said = await anyio.to_thread.run_sync(_tell, dsn, "queues", "set", name, "--retention", "7d")
    assert (code, said.count("\n")) == (1, 1)
    assert "the name of a queue" in said


async def test_nothing_that_others_said_reaches_the_terminal_raw(dsn: str, db: Db, jobs: App) -> None:
    """Names, tags, metadata, arguments, errors, logs and reasons: escape sequences are spelled out, SQL is text."""

    @jobs.task(name=HOSTILE, queue=HOSTILE)
    async def fails(value: str) -> None:
        raise ValueError(value)

    async with jobs, jobs.work():
        run = await fails.options(tags=[HOSTILE], metadata={HOSTILE: HOSTILE}).enqueue(HOSTILE)
        with pytest.raises(HowdahError):
            await run.result("10s")
    waiting = await db.fetchval("select howdah.enqueue('orphan ' || $1, queue => $1)", HOSTILE)
    await db.fetch("select * from howdah.cancel(array[howdah.enqueue('stopped')], $1)", HOSTILE)
    for words in (
        ("runs", "ls"), ("runs", "show", str(run.id)), ("runs", "show", str(waiting)), ("todo",), ("tasks",), ("queues", "ls"),
        ("nodes", "ls"),
        ("queues", "set", HOSTILE, "--retention", "7d"), ("runs", "ls", "--task", HOSTILE), ("runs", "cancel", "--queue", HOSTILE, "--yes"),
    ):  # fmt: skip
        code, said = await anyio.to_thread.run_sync(_tell, dsn, *words)
        assert code == 0, said
        assert [one for one in said if not one.isprintable() and one != "\n"] == [], words
    assert await db.fetchval("select count(*) from howdah.run") == 3


async def test_a_command_that_todo_offers_means_its_task_in_a_shell(dsn: str, db: Db) -> None:
    name = "orphan; $(reboot) 'x'"
    await db.fetchval("select howdah.enqueue($1)", name)
    _, said = await anyio.to_thread.run_sync(_tell, dsn, "todo")
    offered = said[said.index("howdah runs cancel") :].splitlines()[0]
    assert shlex.split(offered) == ["howdah", "runs", "cancel", "--task", name]
