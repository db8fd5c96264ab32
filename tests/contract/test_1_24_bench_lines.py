"""CONTRACT 1.24: what benchmarks print has fixed keys."""

import importlib
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KEYS = ["name", "unit", "median", "min", "max", "n", "settings", "commit", "machine"]


def test_a_line_has_the_fixed_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT)
    measure = importlib.import_module("bench.measure")
    line = measure.line(measure.Figure("drain", "runs/s", [3, 1, 2], {"nodes": 1}), "abc", {"cpu": "x"})
    said = json.loads(line.json())
    assert [*said] == KEYS
    assert (said["median"], said["min"], said["max"], said["n"]) == (2, 1, 3, 3)


def test_every_kept_line_has_them() -> None:
    lines = [json.loads(text) for text in (ROOT / "bench/results.jsonl").read_text().splitlines()]
    assert [line["name"] for line in lines if [*line] != KEYS] == []
