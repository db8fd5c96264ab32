"""The rows of the comparison."""

from .row import Row

HOWDAH = Row(
    "howdah", "howdah", "on_howdah.py", {"uvloop": True}, "as it comes: 64 at once, history and fence on", (),
    left="select count(*) from howdah.job", any_left="select (select id from howdah.job order by id limit 1) is not null",
    jobs=200_000, first_rate=16_000,
)  # fmt: skip

GRAPHILE = Row(
    "graphile-worker", "graphile-worker", "on_graphile_worker.mjs", {}, "as it comes: one job at once, no batches",
    ("https://worker.graphile.org/docs/config",),
    left="select count(*) from graphile_worker._private_jobs",
    any_left="select (select id from graphile_worker._private_jobs order by id limit 1) is not null", jobs=6_000,
)  # fmt: skip
GRAPHILE_TUNED = GRAPHILE._replace(
    name="graphile-worker.tuned",
    settings={
        "worker": {"concurrentJobs": 24, "maxPoolSize": 25, "localQueue": {"size": 500}, "completeJobBatchDelay": 0, "failJobBatchDelay": 0}
    },
    why="24 at once, a local queue of 500, completions in batches without delay: the page's own configuration",
    pages=("https://worker.graphile.org/docs/performance",), jobs=200_000, first_rate=8_000,
)  # fmt: skip

PG_BOSS = Row(
    "pg-boss", "pg-boss", "on_pg_boss.mjs", {}, "as it comes: one job each two seconds", ("https://pgboss.io/api/workers",),
    left="select count(*) from pgboss.job where name = 'noop' and state < 'completed'",
    any_left="select exists (select from pgboss.job where name = 'noop' and state < 'completed')", jobs=2_000,
)  # fmt: skip
PG_BOSS_TUNED = PG_BOSS._replace(
    name="pg-boss.tuned",
    settings={
        "boss": {"useListenNotify": True, "max": 10},
        "queue": {"notify": True},
        "work": {"batchSize": 500, "burstWhenBatchFull": True, "pollingIntervalSeconds": 0.5, "localConcurrency": 4},
    },
    why="batches of 500 fetched one after the other while they are full, four at once; woken by NOTIFY",
    pages=("https://pgboss.io/api/workers", "https://pgboss.io/api/constructor", "https://pgboss.io/api/queues"),
    jobs=100_000, first_rate=8_000,
)  # fmt: skip

PGQUEUER = Row(
    "pgqueuer", "pgqueuer", "on_pgqueuer.py", {"uvloop": True}, "as it comes: batches of ten",
    ("https://github.com/janbjorge/pgqueuer/blob/main/docs/guides/performance-tuning.md",),
    left="select count(*) from pgqueuer", any_left="select (select id from pgqueuer order by id limit 1) is not null", jobs=30_000,
)  # fmt: skip
PGQUEUER_TUNED = PGQUEUER._replace(
    name="pgqueuer.tuned", settings={"uvloop": True, "autovacuum": True, "run": {"batch_size": 500}},
    why="batches of 500 (of 50 to 1,000 the fastest), its autovacuum settings; tables stay logged", jobs=60_000, first_rate=4_000,
)  # fmt: skip

PROCRASTINATE = Row(
    "procrastinate", "procrastinate", "on_procrastinate.py", {}, "as it comes: one job at once",
    ("https://procrastinate.readthedocs.io/en/stable/howto/basics/worker.html",),
    left="select count(*) from procrastinate_jobs where status in ('todo', 'doing')", jobs=3_000,
)  # fmt: skip
PROCRASTINATE_TUNED = PROCRASTINATE._replace(
    name="procrastinate.tuned", settings={"uvloop": True, "worker": {"concurrency": 30}, "connector": {"max_size": 20}},
    why="30 at once, 20 connections, uvloop",
    pages=(
        "https://procrastinate.readthedocs.io/en/stable/howto/production/concurrency.html",
        "https://procrastinate.readthedocs.io/en/stable/howto/basics/connector.html",
    ),
    jobs=5_000,
)  # fmt: skip

CHANCY = Row(
    "chancy", "chancy", "on_chancy.py", {}, "as it comes: processes, a look each five seconds",
    ("https://github.com/TkTech/chancy/blob/main/docs/guide/queues.rst",),
    left="select count(*) from chancy_jobs where state in ('pending', 'running', 'retrying')", jobs=2_000, direct=True,
)  # fmt: skip
CHANCY_TUNED = CHANCY._replace(
    name="chancy.tuned",
    settings={
        "uvloop": True,
        "quiet": True,
        "queue": {"executor": "chancy.executors.asyncex.AsyncExecutor", "concurrency": 500, "eager_polling": True, "polling_interval": 1},
    },
    why="async executor, 500 at once, eager polling, no line of log for each job, uvloop",
    pages=(
        "https://github.com/TkTech/chancy/blob/main/chancy/queue.py",
        "https://github.com/TkTech/chancy/blob/main/docs/guide/executors.rst",
        "https://github.com/TkTech/chancy/blob/main/docs/howto/log.rst",
    ),
    jobs=20_000, direct=False,
)  # fmt: skip

DBOS = Row(
    "dbos", "dbos", "on_dbos.py", {}, "as it comes: a look each second, no limit of what is dequeued",
    ("https://docs.dbos.dev/python/tutorials/queue-tutorial",),
    left="select count(*) from dbos.workflow_status where status in ('ENQUEUED', 'PENDING', 'DELAYED')", jobs=3_000, bulk=False,
)  # fmt: skip
DBOS_TUNED = DBOS._replace(
    name="dbos.tuned", settings={"config": {"sys_db_pool_size": 20}, "queue": {"polling_interval_sec": 0.05}},
    why="a look each 50 ms, 20 connections",
    pages=("https://docs.dbos.dev/python/tutorials/queue-tutorial", "https://docs.dbos.dev/python/reference/configuration"),
)  # fmt: skip

ABSURD = Row(
    "absurd", "absurd", "on_absurd.py", {}, "as it comes: one task at once, a look each quarter of a second",
    ("https://github.com/earendil-works/absurd/blob/main/docs/sdks/python.md",),
    left="select count(*) from absurd.t_default where state not in ('completed', 'failed', 'cancelled')", jobs=3_000, bulk=False,
)  # fmt: skip
ABSURD_TUNED = ABSURD._replace(
    name="absurd.tuned", settings={"uvloop": True, "worker": {"concurrency": 50, "batch_size": 100, "poll_interval": 0.01}},
    why="50 at once in batches of 100, a look each 10 ms, uvloop", jobs=5_000,
)  # fmt: skip

AWA = Row(
    "awa", "awa", "on_awa.py", {"workers": 50}, "as it comes: 50 at once",
    ("https://github.com/hardbyte/awa/blob/main/docs/configuration.md",),
    left="select count(*) from awa.jobs where state not in ('completed', 'failed', 'cancelled')", jobs=10_000,
)  # fmt: skip
AWA_TUNED = AWA._replace(
    name="awa.tuned",
    settings={
        "uvloop": True,
        "workers": 200,
        "client": {"max_connections": 24},
        "queue_storage": {"schema": "awa_queue"},
        "start": {"poll_interval_ms": 50, "queue_storage_schema": "awa_queue"},
    },
    why="its ring storage, 200 at once, 24 connections, a look each 50 ms, uvloop",
    pages=("https://github.com/hardbyte/awa/blob/main/docs/configuration.md", "https://github.com/hardbyte/awa/blob/main/docs/benchmarking.md"),
)  # fmt: skip

SAQ = Row(
    "saq.postgres", "saq", "on_saq.py", {}, "as it comes: ten at once", ("https://saq-py.readthedocs.io/en/latest/", "https://github.com/tobymao/saq/blob/master/README.md"),
    left="select count(*) from saq_jobs where status in ('new', 'queued', 'active')", jobs=4_000, bulk=False,
)  # fmt: skip
SAQ_TUNED = SAQ._replace(
    name="saq.postgres.tuned", settings={"uvloop": True, "worker": {"concurrency": 50}, "queue": {"max_size": 20}},
    why="50 at once, uvloop",
)  # fmt: skip
SAQ_REDIS = SAQ._replace(name="saq.redis", store="redis", left="saq:default:queued saq:default:active", jobs=10_000)
SAQ_REDIS_TUNED = SAQ_REDIS._replace(
    name="saq.redis.tuned", settings={"uvloop": True, "worker": {"concurrency": 50}}, why="50 at once, uvloop", jobs=10_000,
)  # fmt: skip

TASKIQ = Row(
    "taskiq", "taskiq", "on_taskiq.py", {}, "as it comes: 100 at once", ("https://danfimov.github.io/taskiq-postgres/",),
    left="select count(*) from taskiq_messages", jobs=4_000, bulk=False, prequeued=False,
)  # fmt: skip
TASKIQ_TUNED = TASKIQ._replace(
    name="taskiq.tuned", settings={"uvloop": True, "receiver": {"max_async_tasks": 100, "max_prefetch": 100, "validate_params": False}},
    why="prefetch of 100, no validation of parameters, uvloop", pages=("https://taskiq-python.github.io/guide/cli.html",),
)  # fmt: skip

CELERY = Row(
    "celery", "celery", "on_celery.py", {}, "as it comes: a process for each core, prefetch of four",
    ("https://docs.celeryq.dev/en/stable/userguide/configuration.html",),
    left="celery unacked", jobs=5_000, bulk=False, store="redis", direct=True,
)  # fmt: skip
CELERY_TUNED = CELERY._replace(
    name="celery.tuned",
    settings={
        "conf": {"worker_prefetch_multiplier": 64, "task_ignore_result": True, "task_default_delivery_mode": "transient"},
        "options": ["--without-gossip", "--without-mingle", "--without-heartbeat"],
    },
    why="prefetch of 64, no results, no gossip between workers",
    pages=(
        "https://docs.celeryq.dev/en/stable/userguide/optimizing.html",
        "https://docs.celeryq.dev/en/stable/userguide/workers.html",
    ),
)  # fmt: skip

ROWS: tuple[Row, ...] = (
    HOWDAH, GRAPHILE_TUNED, GRAPHILE, PG_BOSS_TUNED, PG_BOSS, PGQUEUER_TUNED, PGQUEUER, PROCRASTINATE_TUNED, PROCRASTINATE,
    CHANCY_TUNED, CHANCY, DBOS_TUNED, DBOS, ABSURD_TUNED, ABSURD, AWA_TUNED, AWA, SAQ_TUNED, SAQ, SAQ_REDIS_TUNED, SAQ_REDIS,
    TASKIQ_TUNED, TASKIQ, CELERY_TUNED, CELERY,
)  # fmt: skip
