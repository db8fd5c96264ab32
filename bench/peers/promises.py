"""What each peer keeps and what it fences, as its documentation or its source says."""

from .row import Promise

PROMISES: dict[str, Promise] = {
    "howdah": Promise(
        "each run and all its events, by day", "lease and node, row by row", "enqueue and acknowledgement; claims need not be",
        ("https://www.postgresql.org/docs/18/wal-async-commit.html",),
    ),
    "graphile-worker": Promise(
        "none: a job that succeeded is deleted", "none: by id", "both; a batch of completions is one commit, up to its delay later",
        ("https://worker.graphile.org/docs/performance", "https://worker.graphile.org/docs/schema"),
    ),
    "pg-boss": Promise(
        "the job's row, until retention deletes it", "none: by id and state", "both",
        ("https://pgboss.io/api/queues", "https://pgboss.io/api/jobs"),
    ),
    "pgqueuer": Promise(
        "the job is deleted, three lines of log stay", "none: by id", "both at the level `durable`; acknowledgements in batches",
        (
            "https://github.com/janbjorge/pgqueuer/blob/main/docs/guides/performance-tuning.md",
            "https://github.com/janbjorge/pgqueuer/blob/main/docs/guides/reliability.md",
        ),
    ),
    "procrastinate": Promise(
        "the job's row and its events, until deleted by hand or by option", "none: by id and status", "both",
        ("https://procrastinate.readthedocs.io/en/stable/howto/production/delete_finished_jobs.html",),
    ),
    "chancy": Promise(
        "the job's row, a day by default", "a claim's id", "enqueue; acknowledgements are sent each second and on shutdown",
        ("https://github.com/TkTech/chancy/blob/main/docs/design.rst", "https://github.com/TkTech/chancy/blob/main/chancy/worker.py"),
    ),
    "dbos": Promise(
        "the workflow's row with input and output, and its steps", "an owner's token", "both",
        ("https://docs.dbos.dev/explanations/system-tables", "https://docs.dbos.dev/architecture"),
    ),
    "absurd": Promise(
        "task and runs, until a clean-up", "the attempt's run id", "both",
        (
            "https://github.com/earendil-works/absurd/blob/main/docs/concepts.md",
            "https://github.com/earendil-works/absurd/blob/main/docs/cleanup.md",
        ),
    ),
    "awa": Promise(
        "the job with its result, a day by default", "the attempt's lease", "both; completions in batches",
        (
            "https://github.com/hardbyte/awa/blob/main/docs/adr/013-run-lease-and-guarded-finalization.md",
            "https://github.com/hardbyte/awa/blob/main/docs/configuration.md",
        ),
    ),
    "saq.postgres": Promise(
        "the job's row, ten minutes by default", "none: by key", "both", ("https://saq-py.readthedocs.io/en/latest/",),
    ),
    "saq.redis": Promise(
        "the job's key, ten minutes by default", "none: by key", "neither: Redis snapshots at intervals",
        ("https://saq-py.readthedocs.io/en/latest/", "https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/"),
    ),
    "taskiq": Promise(
        "none: an acknowledged message is deleted", "none: by id; a claimed message of a dead worker stays claimed", "both",
        ("https://danfimov.github.io/taskiq-postgres/",),
    ),
    "celery": Promise(
        "none without a result backend", "none: acknowledged before it runs", "neither: Redis snapshots at intervals",
        (
            "https://docs.celeryq.dev/en/stable/userguide/tasks.html",
            "https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/",
        ),
    ),
}  # fmt: skip
