"""A pass of the peers' benchmark goes on where it stopped, and its report is made of what was kept."""

import asyncio
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bench.peers import figures, rounds, search, table
from bench.peers.programs import PAIR, Starts
from bench.peers.rounds import WORK, Round, due
from bench.peers.rows import ROWS

ROW = {row.name: row for row in ROWS}
MACHINE: dict[str, Any] = {"cpu": "a", "cores": 2, "postgres": "18", "python": "3"}


def kept(row: str, work: str, number: int = 1, of: int = 1, *, failed: str = "", **told: float) -> Round:
    return Round(
        number=of, round=number, row=row, work=work, figures={name.replace("_", "."): value for name, value in told.items()},
        failed=failed, took_s=1.0, load_before=0.0, at="2026-01-01T00:00:00Z", commit="abc", machine=MACHINE, versions="",
    )  # fmt: skip


def pieces(rows: list[str], done: list[Round], count: int) -> list[tuple[int, str, str]]:
    return [(number, row.name, work) for number, row, work in due([ROW[name] for name in rows], done, count)]


def test_every_row_comes_in_turn_before_any_comes_again():
    order = [(number, row) for number, row, work in pieces(["howdah", "pgqueuer.tuned"], [], 2) if work == "drain.1"]
    assert order == [(1, "howdah"), (1, "pgqueuer.tuned"), (2, "howdah"), (2, "pgqueuer.tuned")]


def test_what_is_kept_is_not_done_again_even_when_it_failed():
    done = [kept("howdah", "drain.1", drain_1=5.0), kept("howdah", "latency", failed="it fell silent")]
    left = pieces(["howdah"], done, 1)
    assert (1, "howdah", "drain.1") not in left
    assert (1, "howdah", "latency") not in left
    assert (1, "howdah", "drain.2") in left


def test_a_pass_that_is_complete_has_nothing_left():
    all_of_it = [kept(row, work, number) for number, row, work in pieces(list(ROW), [], 5)]
    assert pieces(list(ROW), all_of_it, 5) == []


def test_long_searches_are_made_once_of_most_rows_and_in_every_round_of_rivals():
    searches = [(number, row) for number, row, work in pieces(["howdah", "dbos.tuned", "dbos"], [], 5) if work == "highest"]
    assert searches.count((1, "dbos.tuned")) == 1
    assert [number for number, row in searches if row == "dbos.tuned"] == [1]
    assert [number for number, row in searches if row == "howdah"] == [1, 2, 3, 4, 5]
    assert not [row for _, row in searches if row == "dbos"]


def test_who_does_not_take_what_was_there_before_is_not_asked_to_drain():
    assert {work for _, _, work in pieces(["taskiq.tuned"], [], 5)} == {"latency", "highest", "burst"}


def test_a_snapshot_in_postgres_is_held_only_beside_those_who_are_there():
    assert "snapshot" not in {work for _, _, work in pieces(["saq.redis.tuned"], [], 5)}
    assert "snapshot" in {work for _, _, work in pieces(["saq.postgres.tuned"], [], 5)}


def test_only_the_newest_pass_counts(tmp_path: Path):
    path = tmp_path / "kept.jsonl"
    entries = [kept("howdah", "drain.1", of=1, drain_1=1.0), kept("howdah", "drain.1", of=2, drain_1=2.0)]
    path.write_text("".join(msgspec.json.encode(one).decode() + "\n" for one in entries))
    assert [one.figures for one in rounds.read(path)] == [{"drain.1": 2.0}]
    assert rounds.read(tmp_path / "nothing.jsonl") == []


def test_lines_are_medians_over_rounds():
    told = [kept("howdah", "drain.1", number, drain_1=value) for number, value in enumerate((3.0, 1.0, 2.0), 1)]
    [entry] = figures.lines(told)
    assert (entry.name, entry.unit, entry.median, entry.min, entry.max, entry.n) == ("peers.drain.1.howdah", "runs/s", 2.0, 1.0, 3.0, 3)


def test_a_bar_compares_within_each_round_with_the_best_rival():
    told: list[Round] = []
    for number, (ours, fast, slow) in enumerate(((90.0, 60.0, 10.0), (30.0, 20.0, 12.0), (200.0, 100.0, 11.0)), 1):
        told += [
            kept("howdah", "drain.1", number, drain_1=ours),
            kept("graphile-worker.tuned", "drain.1", number, drain_1=fast),
            kept("pgqueuer.tuned", "drain.1", number, drain_1=slow),
        ]
    first, _, python, *_ = figures.bars(told)
    assert (first.measured, first.rounds, first.reached, first.rival) == (1.5, 3, True, "graphile-worker.tuned")
    assert (python.measured, python.reached, python.rival) == (9.0, True, "pgqueuer.tuned")


def test_a_bar_about_latency_names_the_lowest_peer():
    told = [kept("howdah", "latency", idle_p50=2.0), kept("saq.redis", "latency", idle_p50=1.0), kept("dbos", "latency", idle_p50=500.0)]
    [idle] = [bar for bar in figures.bars(told) if bar.rival == "saq.redis"]
    assert (idle.measured, idle.reached) == (2.0, False)
    [on_disk] = [bar for bar in figures.bars(told) if bar.rival == "dbos"]
    assert (on_disk.measured, on_disk.reached) == (0.004, True)


def test_a_bar_without_figures_is_said_to_be_unmeasured():
    assert all(bar.measured is None and not bar.reached for bar in figures.bars([kept("howdah", "burst", burst=0.0)]))


def test_the_report_has_figures_failures_promises_and_settings_of_what_was_measured():
    told = [
        kept("howdah", "drain.1", drain_1=70_000.0),
        kept("graphile-worker.tuned", "drain.1", drain_1=50_000.0),
        kept("dbos.tuned", "drain.1", failed="CannotBeHadError: no network"),
    ]
    text = "\n".join(table.section(told))
    assert "| howdah | 70,000 (n=1) |" in text
    assert "1.40 (graphile-worker.tuned) | 1 | reached, of too few rounds |" in text
    assert "- dbos.tuned, drain.1: CannotBeHadError: no network" in text
    assert "https://worker.graphile.org/docs/performance" in text
    assert "| pgqueuer" not in text
    assert "taskiq does not take" in text


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_row_cites_its_pages_and_says_what_it_promises(row: rounds.Row):
    assert row.promise in table.PROMISES
    assert row.pages or row.peer == "howdah"
    assert all(page.startswith("https://") for page in (*row.pages, *table.PROMISES[row.promise].pages))


def test_every_peer_stands_as_it_comes_beside_its_tuned_row():
    names = {row.name for row in ROWS} - {"howdah"}
    assert {name for name in names if name.endswith(".tuned")} == {f"{name}.tuned" for name in names if not name.endswith(".tuned")}
    assert set(WORK) == {"drain.1", "latency", "drain.2", "snapshot", "highest", "burst", "backlog"}


def test_the_search_doubles_then_halves_the_gap():
    infinite = float("inf")
    assert search.following(500, held=True, best=500, failed=infinite) == 1000
    assert search.following(500, held=False, best=0, failed=500) == 250
    assert search.following(2000, held=False, best=1000, failed=2000) == 1500


def test_a_burst_is_felt_until_its_last_slow_window():
    quick = [(at / 100, 0.002) for at in range(1400)]
    assert search.felt_s(quick) == 0.0
    assert search.felt_s([*quick, (7.1, 0.4), (7.2, 0.4)]) == 1.25


def test_starts_are_whole_pairs_however_they_arrive(tmp_path: Path):
    async def hear() -> Starts:
        starts = Starts()
        with starts.heard(str(tmp_path / "starts")):
            writer = os.open(tmp_path / "starts", os.O_WRONLY)
            text = PAIR.pack(1, 10) + PAIR.pack(64, 20)
            os.write(writer, text[:20])
            await starts.first.wait()
            assert (starts.total, starts.pairs) == (1, [(1, 10)])
            starts.first.clear()
            os.write(writer, text[20:])
            await starts.first.wait()
            os.close(writer)
        return starts

    starts = asyncio.run(hear())
    assert (starts.total, starts.pairs) == (65, [(1, 10), (64, 20)])
