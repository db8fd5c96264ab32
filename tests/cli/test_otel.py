"""`howdah worker --otel`: what it cannot do it says, with the mend; what it sends is in tests/telemetry."""

import logging
from collections.abc import Iterator

import pytest
from howdah.cli import worker
from howdah.cli.otel import LogExport, exported
from howdah.cli.sdk import resource
from howdah.errors import ConfigurationError
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Without what the environment says, and without a provider of another test."""
    for name in ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER", "OTEL_SDK_DISABLED"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    yield


def test_without_the_packages_it_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError("No module named 'opentelemetry.sdk'", name="opentelemetry.sdk")

    monkeypatch.setattr("importlib.import_module", missing)

    with pytest.raises(ConfigurationError, match=r'pip install "howdah\[otel\]"'):
        worker._exported("shop")


def test_where_it_is_set_up_already_it_says_to_leave_the_option_out(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = TracerProvider()
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)

    with pytest.raises(ConfigurationError, match="leave --otel and HOWDAH_WORKER_OTEL out"), exported("shop"):
        pass
    provider.shutdown()


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "it is http/protobuf"),
        ("OTEL_TRACES_EXPORTER", "zipkin", "it is otlp or none"),
    ],
)
def test_what_it_does_not_speak_it_says_with_the_variable(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(ConfigurationError, match=f"{variable}='{value}' .* {said}"), exported("shop"):
        pass


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
