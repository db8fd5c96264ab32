"""`howdah limits`: what a person sees, sets, overrides, pauses and resumes, and what a program reads."""

import json

import pytest
from howdah import App, Limit, Rate

from .programs import beside

pytestmark = pytest.mark.anyio


async def known(dsn: str) -> None:
    jobs = App(dsn)

    @jobs.task(limits=[Limit("per-user", 2, key="user_id"), Rate("smtp", 90, per="1m")])
    async def mail(user_id: int) -> None: ...

    async with jobs, jobs.work():
        pass


async def test_limits_are_set_overridden_paused_and_listed(dsn: str) -> None:
    await known(dsn)
    said = [
        await beside("limits", *words, HOWDAH_DSN=dsn)
        for words in (
            ("set", "per-user", "5"),
            ("set", "smtp", "100", "--per", "1h", "--burst", "20"),
            ("override", "per-user", "42", "1"),
            ("pause", "per-user", "43"),
            ("pause", "smtp"),
        )
    ]
    assert [one.stdout for one in said] == [
        "Limit per-user allows 5 at once, until `howdah limits reset` takes that back.\n",
        "Limit smtp allows 100 in each 3600 s, until `howdah limits reset` takes that back.\n",
        "Limit per-user allows key '42' 1 at once.\n",
        "Limit per-user, key '43', pauses: nothing starts under it; `howdah limits resume` takes that back.\n",
        "Limit smtp pauses: nothing starts under it; `howdah limits resume` takes that back.\n",
    ]
    told = (await beside("limits", "ls", HOWDAH_DSN=dsn)).stdout.splitlines()
    assert [" ".join(line.split()) for line in told] == [
        "LIMIT KEY KIND ALLOWS THE CODE SAYS STATE",
        "per-user limit 5 at once 2 at once set live",
        "per-user 42 1 at once set live",
        "per-user 43 5 at once paused",
        "smtp rate 100 per h, burst 20 90 per m, burst 90 set live; paused",
    ]
    rows = [json.loads(line) for line in (await beside("limits", "ls", "--json", HOWDAH_DSN=dsn)).stdout.splitlines()]
    assert [(row["name"], row["terms"]["number"], row["paused"], len(row["keys"])) for row in rows] == [
        ("per-user", 5, False, 2),
        ("smtp", None, True, 0),
    ]
    for words in (
        ("reset", "per-user"),
        ("reset", "smtp"),
        ("override", "per-user", "42", "default"),
        ("resume", "per-user", "43"),
        ("resume", "smtp"),
    ):
        assert (await beside("limits", *words, HOWDAH_DSN=dsn)).exit_code == 0
    told = (await beside("limits", "ls", HOWDAH_DSN=dsn)).stdout.splitlines()
    assert [" ".join(line.split()) for line in told[1:]] == [
        "per-user limit 2 at once 2 at once",
        "smtp rate 90 per m, burst 90 90 per m, burst 90",
    ]


async def test_what_makes_no_sense_is_refused_in_one_sentence(dsn: str) -> None:
    nothing = await beside("limits", "ls", HOWDAH_DSN=dsn)
    unknown = await beside("limits", "set", "per-usr", "5", HOWDAH_DSN=dsn)
    odd = await beside("limits", "override", "per-user", "42", "many", HOWDAH_DSN=dsn)
    assert "There are no limits yet" in nothing.stderr
    assert (unknown.exit_code, "there is no limit per-usr" in unknown.stderr) == (1, True)
    assert (odd.exit_code, "'many' is neither a whole number nor `default`" in odd.stderr.replace("\n", " ")) == (2, True)
