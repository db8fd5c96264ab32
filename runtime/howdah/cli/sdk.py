"""OpenTelemetry's SDK, set up for a process that is ours: a library leaves that to the program, and here we are the program.

It is the extra `otel`. What needs it is imported where it is wanted, so that the commands work without it.
"""

from __future__ import annotations

import functools
import os
import platform
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

import anyio
import anyio.to_thread
from opentelemetry.metrics import get_meter_provider, set_meter_provider


class Exposition:
    """The metrics of this process as Prometheus reads them. reader: for the MeterProvider."""

    def __init__(self, reader: Any, kind: str, make: Callable[[], bytes]) -> None:
        self.reader = reader
        self.kind = kind
        self._make = make
        self._one = anyio.CapacityLimiter(1)

    async def text(self) -> bytes:
        """All of them, made in a thread: the loop has runs to see to. One at a time."""
        return await anyio.to_thread.run_sync(self._make, limiter=self._one)


def exposition() -> Exposition | None:
    """Made anew; None: the extra is not installed."""
    try:
        from opentelemetry.exporter.prometheus import PrometheusMetricReader  # noqa: PLC0415 - an extra
        from prometheus_client import CollectorRegistry  # noqa: PLC0415 - the same
        from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest  # noqa: PLC0415 - the same
    except ImportError:
        return None
    registry = CollectorRegistry(auto_describe=False)
    reader = PrometheusMetricReader(scope_info_enabled=False, registry=registry)
    return Exposition(reader, CONTENT_TYPE_LATEST, functools.partial(generate_latest, registry))


def resource(service: str) -> Any:
    """Who this process is. service: its name, unless the OTEL_* variables give one."""
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - an extra

    made = Resource.create({"service.instance.id": f"{platform.node()}-{os.getpid()}"})
    if str(made.attributes.get("service.name", "")).startswith("unknown_service"):
        made = made.merge(Resource({"service.name": service}))
    return made


@contextmanager
def metered(readers: Sequence[Any], service: str) -> Generator[None]:
    """Inside of the block the process has a MeterProvider with these readers; at its end what they have not told is told. A program
    that has set up one of its own keeps it, and they read that one. service: its name, unless the OTEL_* variables give one."""
    if not readers:
        yield
        return
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415 - an extra, and whoever made the readers has it

    provider = get_meter_provider()
    if isinstance(provider, MeterProvider):
        for reader in readers:
            provider.add_metric_reader(reader)
        yield
        for reader in readers:
            provider.remove_metric_reader(reader)
        return
    provider = MeterProvider(metric_readers=readers, resource=resource(service), shutdown_on_exit=False)
    set_meter_provider(provider)
    try:
        yield
    finally:
        provider.shutdown()
