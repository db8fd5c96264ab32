"""A receiver of OTLP/HTTP in a process of its own: what it is sent, it says on stdout, a json line for each span, log record
and message of metrics.

python -m tests.telemetry.receiver        the first line is its address
"""

import gzip
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


def _plain(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value") for pair in pairs}


def _spans(body: bytes) -> list[dict[str, Any]]:
    return [
        {
            "what": "span",
            "service": _plain(group.resource.attributes).get("service.name"),
            "name": span.name,
            "trace": span.trace_id.hex(),
            "id": span.span_id.hex(),
            "parent": span.parent_span_id.hex(),
            "attributes": _plain(span.attributes),
        }
        for group in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


def _records(body: bytes) -> list[dict[str, Any]]:
    return [
        {
            "what": "log", "body": record.body.string_value, "trace": record.trace_id.hex(), "span": record.span_id.hex(),
            "attributes": _plain(record.attributes), "logger": scope.scope.name,
        }
        for group in ExportLogsServiceRequest.FromString(body).resource_logs for scope in group.scope_logs for record in scope.log_records
    ]  # fmt: skip


def _metrics(body: bytes) -> list[dict[str, Any]]:
    return [
        {
            "what": "metrics",
            "service": _plain(group.resource.attributes).get("service.name"),
            "names": sorted(metric.name for scope in group.scope_metrics for metric in scope.metrics),
        }
        for group in ExportMetricsServiceRequest.FromString(body).resource_metrics
    ]


READ = {"/v1/traces": _spans, "/v1/logs": _records, "/v1/metrics": _metrics}


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        print("".join(json.dumps(one) + "\n" for one in READ[self.path](body)), end="", flush=True)
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - the name is the standard library's


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
