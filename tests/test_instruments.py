"""Instruments are made once for a provider, and not at all where there is none."""

import pytest
from howdah import instruments as module
from howdah.instruments import Gauges, Instruments, instruments
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint


def test_a_process_without_a_provider_has_none() -> None:
    assert instruments() is None


def test_a_provider_that_does_nothing_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "get_meter_provider", NoOpMeterProvider)
    assert instruments() is None


def test_all_nodes_of_a_process_share_those_of_its_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = MeterProvider()
    monkeypatch.setattr(module, "get_meter_provider", lambda: provider)
    assert instruments() is not None
    assert instruments() is instruments()


def test_slots_of_all_nodes_of_a_process_are_one_number() -> None:
    reader = InMemoryMetricReader()
    made = Instruments(MeterProvider([reader]))
    with made.showing(Gauges(lambda: [("async", 1, 4)])), made.showing(Gauges(lambda: [("async", 3, 4), ("threads", 0, 8)])):
        data = reader.get_metrics_data()
    assert data is not None
    (metric,) = [one for one in data.resource_metrics[0].scope_metrics[0].metrics if one.name == "howdah.node.slots"]
    told: dict[tuple[object, object], object] = {}
    for point in metric.data.data_points:
        assert isinstance(point, NumberDataPoint)
        assert point.attributes is not None
        told[point.attributes["howdah.room"], point.attributes["howdah.slot.state"]] = point.value
    assert told == {("async", "used"): 4, ("async", "free"): 4, ("threads", "used"): 0, ("threads", "free"): 8}


def test_an_enqueue_that_fails_is_told_with_its_error() -> None:
    reader = InMemoryMetricReader()
    made = Instruments(MeterProvider([reader]))
    with pytest.raises(KeyError), made.enqueuing({("mail", "welcome"): 2}):
        raise KeyError
    data = reader.get_metrics_data()
    assert data is not None
    for metric in data.resource_metrics[0].scope_metrics[0].metrics:
        assert (metric.data.data_points[0].attributes or {})["error.type"] == "KeyError"
