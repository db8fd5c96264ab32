"""`howdah worker --otel` sets OpenTelemetry up: what it sends is in tests/telemetry, what it refuses in tests/refusals."""

import logging
from collections.abc import Iterator, Sequence

import pytest
from click.testing import CliRunner
from howdah.cli import main, worker
from howdah.cli.otel import LogExport, child_delay_ms, exported
from howdah.cli.sdk import resource
from opentelemetry import trace


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Without what the environment says, and without a provider of another test."""
    for name in ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER", "OTEL_SDK_DISABLED"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    yield


def test_a_child_sends_its_spans_each_second_unless_the_variable_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_BSP_SCHEDULE_DELAY", raising=False)
    assert child_delay_ms() == 1000
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    assert child_delay_ms() is None


def test_with_every_kind_left_out_nothing_is_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    for signal in ("TRACES", "METRICS", "LOGS"):
        monkeypatch.setenv(f"OTEL_{signal}_EXPORTER", "none")

    with exported("shop"):
        assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
        assert not any(isinstance(handler, LogExport) for handler in logging.getLogger().handlers)


def test_a_name_of_the_service_that_is_given_goes_before_that_of_the_module(monkeypatch: pytest.MonkeyPatch) -> None:
    assert resource("shop").attributes["service.name"] == "shop"

    monkeypatch.setenv("OTEL_SERVICE_NAME", "till")

    assert resource("shop").attributes["service.name"] == "till"


def test_what_sends_logs_away_is_not_sent_away_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    handler = LogExport()
    sent: list[logging.LogRecord] = []
    monkeypatch.setattr(handler, "emit", sent.append)
    for name in ("opentelemetry.sdk", "urllib3.connectionpool", "shop"):
        handler.handle(logging.LogRecord(name, logging.INFO, "here", 1, "said", None, None))

    assert [record.name for record in sent] == ["shop"]


def test_each_of_several_processes_is_told_to_do_it(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    class Fleet:
        def __init__(self, words: Sequence[str], *_: object) -> None:
            told.extend(words)

        async def run(self) -> int:
            return 0

    monkeypatch.setattr(worker, "Fleet", Fleet)
    assert CliRunner().invoke(main, ["worker", "shop", "--processes", "2", "--otel"]).exit_code == 0
    assert told.count("--otel") == 1
