"""The stable columns of the read models: others read them with SQL of their own, so they are only ever added, at the end."""

Columns = list[tuple[str, str]]

PACE: Columns = [("enqueued_per_minute", "float8"), ("succeeded_per_minute", "float8"), ("failed_per_minute", "float8")]
HELD: Columns = [("ready", "int8"), ("running", "int8"), ("later", "int8"), ("oldest_waiting_s", "float8")]

VIEWS: dict[str, Columns] = {
    "runs": [
        ("id", "int8"),
        ("task", "text"),
        ("queue", "text"),
        ("state", "text"),
        ("priority", "int2"),
        ("enqueued_at", "timestamptz"),
        ("due_at", "timestamptz"),
        ("started_at", "timestamptz"),
        ("ended_at", "timestamptz"),
        ("attempts", "int8"),
        ("crashes", "int8"),
        ("parent", "int8"),
        ("root", "int8"),
        ("tags", "text[]"),
        ("metadata", "jsonb"),
        ("args", "json"),
        ("result", "json"),
        ("error", "json"),
        ("reason", "text"),
        ("progress", "json"),
        ("node", "text"),
    ],
    "queue_stats": [("queue", "text"), *HELD, *PACE, ("retention_days", "int4")],
    "task_stats": [
        ("task", "text"),
        ("queue", "text"),
        ("implemented", "bool"),
        *HELD,
        *PACE,
        ("succeeded", "int8"),
        ("failed", "int8"),
        ("cancelled", "int8"),
        ("retried", "int8"),
    ],
    "nodes": [
        ("id", "int8"),
        ("name", "text"),
        ("host", "text"),
        ("pid", "int4"),
        ("version", "text"),
        ("tasks", "text[]"),
        ("queues", "text[]"),
        ("started_at", "timestamptz"),
        ("renewed_at", "timestamptz"),
        ("alive_until", "timestamptz"),
        ("alive", "bool"),
    ],
    "misfits": [("run", "int8"), ("task", "text"), ("queue", "text"), ("since", "timestamptz"), ("mismatch", "text")],
    "unimplemented": [("task", "text"), ("queue", "text"), ("since", "timestamptz"), ("first_run", "int8")],
}
