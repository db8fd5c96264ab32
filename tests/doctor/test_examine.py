"""The examination: silent where all is well, within bounds, read only, and honest about what it may not see."""

from pathlib import Path

import asyncpg
import pytest
from howdah import App, ConfigurationError, DatabaseAway
from howdah.doctor import examine
from howdah.doctor.ailments import AILMENTS

from ..cli.programs import beside
from ..cli.shop import write_shop
from ..db.roles import ENQUEUE, NODE, READ, of
from .clinic import Clinic

pytestmark = pytest.mark.anyio


async def test_a_fresh_healthy_database_is_passed_over_in_silence(clinic: Clinic) -> None:
    said = await beside("doctor", **clinic.said)
    assert (said.exit_code, said.stdout) == (0, "")
    assert said.stderr == "12 looks, and nothing was found.\n"


async def test_a_database_at_work_is_passed_over_in_silence(clinic: Clinic) -> None:
    jobs = App(clinic.dsn)

    @jobs.task
    async def work(n: int) -> int:
        return n

    async with jobs.work():
        runs = await work.enqueue_many(work.call(n) for n in range(3000))
        assert (await jobs.examine()).findings == []
        await runs[-1].result("10s")
        assert (await jobs.examine()).findings == []
    assert (await jobs.examine()).findings == []


async def test_findings_are_for_people_or_one_json_object_each(clinic: Clinic) -> None:
    await clinic.db.execute("alter table howdah.job set (autovacuum_enabled = off); alter table howdah.timer set unlogged")
    told, lines = await beside("doctor", **clinic.said), await beside("doctor", "--json", **clinic.said)
    assert (told.exit_code, lines.exit_code) == (1, 1)
    assert told.stdout == (
        "error unlogged_table: howdah.timer is unlogged. A crash of Postgres empties it.\n"
        '  alter table howdah."timer" set logged;\n\n'
        "warning table_autovacuum_off: Autovacuum is switched off for howdah.job."
        " Its dead rows pile up, and claims grow slower with them.\n"
        '  alter table howdah."job" reset (autovacuum_enabled);\n\n'
    )
    assert told.stderr == "12 looks: 1 error, 1 other finding.\n"
    assert len(lines.stdout.splitlines()) == 2


async def test_with_a_program_it_goes_by_the_settings_of_its_app(clinic: Clinic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_shop(tmp_path, f"from howdah import App\njobs = App({clinic.dsn!r}, concurrency=1_000_000)\n")
    monkeypatch.chdir(tmp_path)
    said = await beside("doctor", "shop:jobs")
    assert said.stdout.startswith("error open_files: "), said.output


@pytest.mark.parametrize(
    ("role", "unseen"),
    [
        (READ, ["transactions of other roles"]),
        (NODE, ["transactions of other roles"]),
        (ENQUEUE, ["nodes", "what is pending", "transactions of other roles"]),
    ],
)
async def test_each_role_sees_what_it_may_and_says_what_it_may_not(clinic: Clinic, role: str, unseen: list[str]) -> None:
    if not await clinic.db.fetchval("select exists (select from pg_roles where rolname = $1)", role):
        await clinic.db.execute(f"create role {role} login")
    await clinic.db.fetchval("select howdah.permit($1, $2)", role, role.removeprefix("howdah_"))
    found = await App(of(clinic.dsn, role)).examine()
    assert found.findings == []
    assert [one.what for one in found.unseen] == unseen
    assert found.unseen[-1].mend == f'grant pg_read_all_stats to "{role}";'
    said = await beside("doctor", HOWDAH_DSN=of(clinic.dsn, role))
    assert said.exit_code == 0
    assert f"Not looked at: {unseen[0]}, since " in said.stderr


async def test_a_look_waits_for_nobody_s_lock_for_long_and_says_what_it_missed(clinic: Clinic) -> None:
    other = await asyncpg.connect(clinic.dsn)
    await other.execute("begin; lock table howdah.job in access exclusive mode")
    found = await App(clinic.dsn).examine()  # The lock is held until it has ended.
    other.terminate()
    assert [one.what for one in found.unseen] == ["tables of the howdah schema", "what is pending"]
    assert found.findings == []


async def test_it_writes_nothing(clinic: Clinic) -> None:
    numbers = "select pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
    before = await clinic.db.fetchval(numbers)
    await App(clinic.dsn).examine()
    assert await clinic.db.fetchval(numbers) == before + 1, "what writes takes a number, and a notification does"


async def test_a_database_that_cannot_be_reached_is_one_sentence() -> None:
    with pytest.raises(DatabaseAway, match="Check HOWDAH_DSN and that the server is up"):
        await App("postgresql://postgres@127.0.0.1:1/none").examine()
    said = await beside("doctor", HOWDAH_DSN="postgresql://postgres@127.0.0.1:1/none")
    assert (said.exit_code, said.stdout) == (1, "")


async def test_a_database_that_does_not_exist_is_one_sentence(clinic: Clinic) -> None:
    with pytest.raises(ConfigurationError, match="Postgres refused the connection"):
        await examine(App(clinic.server.dsn("nowhere")).config)


def test_every_ailment_says_what_it_leads_to_and_what_to_do() -> None:
    for name, one in AILMENTS.items():
        assert name == name.lower()
        assert one.why.endswith("."), name
        assert one.mend, name
