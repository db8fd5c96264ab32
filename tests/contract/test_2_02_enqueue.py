"""CONTRACT 2.2: `howdah enqueue TASK JSON [--wait]`, not `run`, beside the noun group `howdah runs`."""

import json
from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from enum import Enum

import asyncpg
import pytest
from howdah import App, Limit, Rate

from ..cli.programs import beside, howdah
from ..db.roles import ENQUEUE

pytestmark = pytest.mark.anyio

Db = asyncpg.Connection


class Size(Enum):
    SMALL = "small"
    LARGE = "large"


async def ship(
    order: int, size: Size = Size.SMALL, price: Decimal = Decimal(0), on: date | None = None, tags: list[str] | None = None
) -> str:
    if order < 0:
        raise ValueError("no such order")
    return f"{order} {size.value} {price}"


@pytest.fixture
async def shop(jobs: App) -> AsyncIterator[App]:
    jobs.task(retry=1)(ship)
    async with jobs.work():
        yield jobs


async def call(*words: str, dsn: str, **said: str) -> tuple[int, str, str]:
    """The command, beside the node of this test."""
    done = await beside("enqueue", *words, HOWDAH_DSN=dsn, **said)
    return done.exit_code, done.stdout, done.stderr


async def test_it_prints_the_run_id_and_for_programs_one_document(shop: App, dsn: str) -> None:
    code, out, said = await call("ship", '{"order": 7}', dsn=dsn)
    assert (code, said) == (0, "")
    assert (await shop.runs.get(int(out))).args == {"order": 7}

    code, out, _ = await call("ship", '{"order": 7}', "--unique", "seven", "--delay", "1h", "--json", dsn=dsn)
    first = json.loads(out)
    again = json.loads((await call("ship", '{"order": 8}', "--unique", "seven", "--json", dsn=dsn))[1])
    assert first["created"]
    assert again == {"run": first["run"], "created": False}


async def test_wait_prints_the_result(shop: App, dsn: str) -> None:
    code, out, said = await call("ship", '{"order": 7, "size": "large"}', "--wait", dsn=dsn)
    assert (code, out) == (0, '"7 large 0"\n')
    assert "waiting for its end" in said

    code, out, said = await call("ship", '{"order": 7}', "--wait", "--json", dsn=dsn)
    document = json.loads(out)
    assert (code, said) == (0, "")
    assert (document["state"], document["result"]) == ("succeeded", "7 small 0")


async def test_wait_says_the_error_and_exits_with_1(shop: App, dsn: str) -> None:
    code, out, said = await call("ship", '{"order": -1}', "--wait", dsn=dsn)
    assert (code, out) == (1, "")
    assert "failed at attempt 1 with ValueError: no such order" in said

    code, out, said = await call("ship", '{"order": -1}', "--wait", "--json", dsn=dsn)
    document = json.loads(out)
    assert (code, said) == (1, "")
    assert (document["state"], document["error"]["type"], document["error"]["message"]) == ("failed", "ValueError", "no such order")


async def test_wait_ends_after_its_timeout_and_the_run_goes_on(shop: App, dsn: str) -> None:
    code, out, said = await call("ship", '{"order": 1}', "--delay", "1h", "--wait", "--timeout", "100ms", dsn=dsn)
    assert (code, out) == (1, "")
    (run,) = await shop.runs.ids(task="ship")
    assert f"run {run} has not ended within 0.1 s, and goes on: `howdah runs show {run}`" in said
    assert str((await shop.runs.get(run)).state) == "scheduled"
    assert (await call("ship", '{"order": 1}', "--timeout", "1s", dsn=dsn))[0] == 2


async def test_options_and_variables_say_how(shop: App, dsn: str) -> None:
    words = ["--priority", "5", "--queue", "slow", "--tag", "a", "--tag", "b", "--metadata", "tenant=7", "--delay", "1h"]
    _, out, _ = await call("ship", '{"order": 1}', *words, dsn=dsn)
    run = await shop.runs.get(int(out))
    assert (run.priority, run.queue, run.tags, run.metadata, str(run.state)) == (5, "slow", ["a", "b"], {"tenant": "7"}, "scheduled")
    _, out, _ = await call("ship", '{"order": 1}', dsn=dsn, HOWDAH_ENQUEUE_QUEUE="other", HOWDAH_ENQUEUE_JSON="1")
    assert (await shop.runs.get(json.loads(out)["run"])).queue == "other"


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ('{"ordre": 7}', "it has no parameter 'ordre'; did you mean order?; its parameter 'order' is missing"),
        ("{}", "its parameter 'order' is missing"),
        ('{"order": "seven"}', """its parameter 'order' cannot be the text "seven\""""),
        ('{"order": 1.5}', "its parameter 'order' cannot be the number 1.5"),
        ('{"order": 1.0}', "its parameter 'order' cannot be the number 1.0"),
        ('{"order": true}', "its parameter 'order' cannot be true"),
        ('{"order": 1, "size": "huge"}', """its parameter 'size' cannot be the text "huge\""""),
        ('{"order": 1, "on": []}', "its parameter 'on' cannot be a list"),
        ('{"order": 1, "tags": {}}', "its parameter 'tags' cannot be an object"),
        ('{"order": null}', "its parameter 'order' cannot be null"),
        ("[7]", "one json object of the parameters of 'ship'"),
        ("{order: 7}", "one json object of the parameters of 'ship'"),
        ('{"a b": 7}', "has no parameter 'a b'"),
    ],
)
async def test_arguments_that_do_not_fit_the_catalogue_are_refused_and_nothing_is_enqueued(
    shop: App, dsn: str, args: str, says: str
) -> None:
    code, out, said = await call("ship", args, dsn=dsn)
    assert (code, out) == (1, "")
    assert says in said
    assert "Traceback" not in said
    assert await shop.runs.ids(task="ship") == []


@pytest.mark.parametrize(
    "args",
    ['{"order": 1, "on": "2026-05-01", "tags": ["a"]}', '{"order": 1, "on": null}', '{"order": 1, "price": 1.10}'],
)
async def test_arguments_that_a_node_takes_are_not_refused(shop: App, dsn: str, args: str) -> None:
    code, out, said = await call("ship", args, "--wait", dsn=dsn)
    assert code == 0, said
    assert out.startswith('"1 small')


async def test_names_that_no_parameter_can_have_are_refused_in_a_sentence(shop: App, dsn: str) -> None:
    for name in ("class", "an order", ""):
        code, _, said = await call("later", json.dumps({name: 1}), "--ahead", dsn=dsn)
        assert code == 1
        assert said == f"howdah: task 'later' has no parameter {name!r}: that is no name of one\n"


async def test_a_parameter_may_be_called_as_ours_are(shop: App, dsn: str, db: Db) -> None:
    code, out, _ = await call("later", '{"self": 1, "args": 2, "client": 3}', "--ahead", dsn=dsn)
    assert code == 0
    assert json.loads(await db.fetchval("select args from howdah.run where id = $1", int(out))) == {"self": 1, "args": 2, "client": 3}


async def test_a_task_that_nobody_has_defined_is_refused_unless_it_is_meant(shop: App, dsn: str, db: Db) -> None:
    code, _, said = await call("shp", '{"order": 1}', dsn=dsn)
    assert (code, said) == (1, "howdah: no program has defined a task 'shp' yet; did you mean ship?\n")
    assert await db.fetchval("select count(*) from howdah.task where name = 'shp'") == 0
    code, out, _ = await call("not.here.yet", '{"order": 1}', "--ahead", dsn=dsn)
    assert code == 0
    assert await db.fetchval("select howdah.state($1)", int(out)) == "queued"


async def test_a_role_that_may_only_enqueue_enqueues_and_hears_that_it_may_not_wait(shop: App, dsn: str, db: Db) -> None:
    if not await db.fetchval("select exists (select from pg_roles where rolname = $1)", ENQUEUE):
        await db.execute(f"create role {ENQUEUE} login")
    await db.fetchval("select howdah.permit($1, 'enqueue')", ENQUEUE)
    guest = dsn.replace("//postgres@", f"//{ENQUEUE}@")
    code, out, _ = await call("ship", '{"order": 7}', dsn=guest)
    assert code == 0
    assert (await shop.runs.get(int(out))).args == {"order": 7}
    assert "its parameter 'order' is missing" in (await call("ship", dsn=guest))[2]
    code, _, said = await call("ship", '{"order": 7}', "--wait", dsn=guest)
    assert code == 1
    assert "howdah grant ROLE --as" in said


async def test_a_key_that_only_python_can_work_out_is_given_or_the_refusal_says_how(jobs: App, dsn: str, db: Db) -> None:
    limits = [Limit("by order", 1, key=lambda order: order), Rate("cranes", 9, per="1m", cost=lambda order: order)]

    @jobs.task(limits=limits)
    async def lift(order: int) -> None: ...

    async with jobs.work():
        code, out, said = await call("lift", '{"order": 7}', dsn=dsn)
        assert (code, out) == (1, "")
        assert "limit by order of lift has a key that its function in Python works out, and nobody gave it" in said
        assert "--key 'by order=1'" in said
        code, out, said = await call("lift", '{"order": 7}', "--key", "by order=a=b", "--key", "cranes/cost=2.5", dsn=dsn)
        assert code == 0, said
        stored = await db.fetchval("select demands from howdah.run where id = $1", int(out))
        assert json.loads(stored) == [["by order", "a=b"], ["cranes", "", 2.5]]


@pytest.mark.parametrize(
    ("key", "code", "says"),
    [
        ("by order", 2, "'by order' is no LIMIT=KEY"),
        ("cranes/cost=much", 2, "'much' is no number, and cranes/cost is a cost"),
        ("cranes/cost=-1", 1, "is -1.0: a cost is a positive number"),
        (f"by order={'x' * 201}", 1, "it has 201 characters of at most 200"),
        ("*=1", 1, "'*' cannot be a name"),
    ],
)
async def test_a_key_that_is_none_is_refused_in_a_sentence(shop: App, dsn: str, key: str, code: int, says: str) -> None:
    done, out, said = await call("ship", '{"order": 7}', "--key", key, dsn=dsn)
    assert (done, out) == (code, "")
    assert says in said
    assert "Traceback" not in said


def test_run_is_no_command_and_runs_is() -> None:
    assert howdah("run", "ship", "{}").returncode == 2
    assert howdah("runs", "-h").returncode == 0
