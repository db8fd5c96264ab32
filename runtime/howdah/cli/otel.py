"""`--otel`: OpenTelemetry set up for this process from the OTEL_* variables, and sent away to the last record before it ends.

The only place of ours that knows the SDK: a program that sets OpenTelemetry up itself needs none of this.
"""

import logging
import os
import threading
import traceback
from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractContextManager, contextmanager
from time import monotonic, time_ns
from typing import Any, Final

from opentelemetry import metrics, trace
from opentelemetry._logs import LogRecord, SeverityNumber, get_logger_provider, set_logger_provider
from opentelemetry.context import get_current
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import ProxyTracerProvider

from ..errors import ConfigurationError
from ..process.place import handed_on
from ..records import RunFilter, run_fields
from .sdk import resource

PROTOCOL = "http/protobuf"
LEAVE_S: Final = 5.0
"""How long the last records may take to be sent: a collector that is away must not keep a process from ending."""
CHILD_LEAVE_S: Final = 2.0
"""The same of a child process, whose node waits for it (process_leave_s) before it leaves itself."""
CHILD_DELAY_MS: Final = 1000
"""How often a child sends its spans: it may be killed at any time, with the attempt that it makes."""

_SET_UP = (
    "--otel sets OpenTelemetry up, and in this process it is set up already (by opentelemetry-instrument, perhaps): leave --otel and"
    " HOWDAH_WORKER_OTEL out, spans are made all the same"
)
_SEVERITIES = {
    logging.DEBUG: SeverityNumber.DEBUG,
    logging.INFO: SeverityNumber.INFO,
    logging.WARNING: SeverityNumber.WARN,
    logging.ERROR: SeverityNumber.ERROR,
    logging.CRITICAL: SeverityNumber.FATAL,
}


@contextmanager
def exported(service: str) -> Generator[None]:
    """Inside of the block traces, metrics and logs of this process, and of the child processes that it starts, go where OTEL_* says.
    service: its name, unless OTEL_SERVICE_NAME gives one. ConfigurationError: that cannot be had."""
    with _exported(service, LEAVE_S), handed_on(f"{__name__}:{exported_by_child.__qualname__}", service):
        yield


def exported_by_child(service: str) -> AbstractContextManager[None]:
    """The same in a child process, until it leaves."""
    return _exported(service, CHILD_LEAVE_S, child_delay_ms())


def child_delay_ms() -> int | None:
    """How often a child sends its spans; None: as the variable says."""
    return None if os.environ.get("OTEL_BSP_SCHEDULE_DELAY", "").strip() else CHILD_DELAY_MS


@contextmanager
def _exported(service: str, leave_s: float, delay_ms: int | None = None) -> Generator[None]:
    """delay_ms: how often spans are sent; None: as the variables say."""
    _check_protocol()
    if not isinstance(trace.get_tracer_provider(), ProxyTracerProvider):
        raise ConfigurationError(_SET_UP)
    who = resource(service)
    endings: list[Callable[[], object]] = []
    if _is_wanted("TRACES"):
        tracing = TracerProvider(resource=who, shutdown_on_exit=False)
        tracing.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=delay_ms))
        trace.set_tracer_provider(tracing)
        endings.append(tracing.shutdown)
    if _is_wanted("METRICS"):
        reader = PeriodicExportingMetricReader(OTLPMetricExporter())
        metering = MeterProvider([reader], resource=who, shutdown_on_exit=False)
        metrics.set_meter_provider(metering)
        endings.append(metering.shutdown)
    handler = None
    if _is_wanted("LOGS"):
        logs = LoggerProvider(resource=who, shutdown_on_exit=False)
        logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
        set_logger_provider(logs)
        endings.append(logs.shutdown)
        handler = LogExport()
        logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        if handler is not None:
            logging.getLogger().removeHandler(handler)
        _leave(endings, leave_s)


def _leave(endings: Iterable[Callable[[], object]], within_s: float) -> None:
    """Sends what is left, all kinds at once. What does not get through in time is lost with its thread."""
    threads = [threading.Thread(target=end, daemon=True, name="howdah otel") for end in endings]
    until = monotonic() + within_s
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until - monotonic()))


class LogExport(logging.Handler):
    """Hands log records to OpenTelemetry, with the run that made them as attributes and its span as their context."""

    def __init__(self) -> None:
        super().__init__()
        self.addFilter(RunFilter())
        # What sends logs away may log: sent away as well, that would go on for ever.
        self.addFilter(lambda record: not record.name.startswith(("opentelemetry.", "urllib3", "requests")))

    def emit(self, record: logging.LogRecord) -> None:
        """As logging calls it."""
        try:
            logger = get_logger_provider().get_logger(record.name)
            logger.emit(
                LogRecord(
                    timestamp=int(record.created * 1e9),
                    observed_timestamp=time_ns(),
                    context=get_current(),
                    severity_text=record.levelname,
                    severity_number=_SEVERITIES.get(record.levelno, SeverityNumber.UNSPECIFIED),
                    body=record.getMessage(),
                    attributes=_attributes(record),
                )
            )
        except Exception:  # noqa: BLE001 - what a record is made of is user code; logging's own way to say so
            self.handleError(record)


def _attributes(record: logging.LogRecord) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "code.file.path": record.pathname,
        "code.function.name": record.funcName,
        "code.line.number": record.lineno,
        **{name: getattr(record, name) for name in run_fields()},
    }
    if record.exc_info and record.exc_info[0] is not None:
        kind, error, _ = record.exc_info
        attributes["exception.type"] = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
        attributes["exception.message"] = str(error)
        attributes["exception.stacktrace"] = "".join(traceback.format_exception(*record.exc_info))
    return attributes


def _is_wanted(signal: str) -> bool:
    """What OTEL_<SIGNAL>_EXPORTER says: otlp, which is also the default, or none."""
    variable = f"OTEL_{signal}_EXPORTER"
    said = os.environ.get(variable, "").strip() or "otlp"
    if said not in ("otlp", "none"):
        raise ConfigurationError(
            f"{variable}={said!r} is not what --otel can send to: it is otlp or none. For other exporters set OpenTelemetry up in your"
            " program, or run `opentelemetry-instrument howdah worker ...`, without --otel"
        )
    return said == "otlp" and os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() != "true"


def _check_protocol() -> None:
    for variable in ("OTEL_EXPORTER_OTLP_PROTOCOL", *(f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL" for signal in ("TRACES", "METRICS", "LOGS"))):
        said = os.environ.get(variable, "").strip() or PROTOCOL
        if said != PROTOCOL:
            raise ConfigurationError(
                f"{variable}={said!r} is not what --otel speaks: it is {PROTOCOL} (port 4318 of a collector, as a rule). Unset it, or run"
                " `opentelemetry-instrument howdah worker ...`, without --otel"
            )
