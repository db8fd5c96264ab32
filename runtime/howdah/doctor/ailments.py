"""Everything that the doctor knows to find: the name, how bad it is, what it leads to, and its mend in short. docs/operating.md has this
table; a test compares the two.
"""

from typing import NamedTuple

from .finding import Finding, Severity


class Ailment(NamedTuple):
    """One kind of finding."""

    severity: Severity
    why: str
    mend: str
    """In short; a finding has it with its names."""


AILMENTS: dict[str, Ailment] = {
    # The server.
    "server_too_old": Ailment("error", "Howdah needs Postgres 15 or later.", "`pg_upgrade` to a supported release"),
    "standby": Ailment("error", "Nothing can be enqueued, claimed or ended on a standby.", "name the primary in `HOWDAH_DSN`"),
    "fsync_off": Ailment("error", "A crash of the machine may destroy the database.", "`alter system set fsync = 'on'`"),
    "full_page_writes_off": Ailment(
        "error", "A crash of the machine may leave torn pages behind.", "`alter system set full_page_writes = 'on'`"
    ),
    "synchronous_commit_off": Ailment(
        "error",
        "A crash loses outcomes that were acknowledged: their runs start again, and what was enqueued last is gone.",
        "`alter ... reset synchronous_commit`, where it was set",
    ),
    "autovacuum_off": Ailment(
        "warning", "Dead rows pile up, and claims grow slower with them.", "`alter system set autovacuum = 'on'` (`track_counts` too)"
    ),
    "read_only": Ailment(
        "error", "Nothing can be enqueued, claimed or ended.", "`alter ... reset default_transaction_read_only`, where it was set"
    ),
    "isolation_strict": Ailment(
        "error",
        "Upkeep needs read committed and refuses anything else: dead nodes are not reaped.",
        "`alter ... reset default_transaction_isolation`, where it was set",
    ),
    "statement_timeout": Ailment(
        "warning",
        "Upkeep and claims may be cut off before they end, and begin again for ever.",
        "`alter ... reset statement_timeout`, where it was set",
    ),
    "idle_session_timeout": Ailment(
        "warning",
        "Connections that listen are idle by nature: they are cut off, and starts are late each time.",
        "`alter ... reset idle_session_timeout`, where it was set",
    ),
    "connection_headroom": Ailment(
        "warning",
        "The next node, or its restart, may be refused.",
        "`alter system set max_connections`, and restart Postgres; or stop who holds them",
    ),
    "clock_shifted": Ailment(
        "error",
        "Timers, leases and expiry go by a clock that is there for tests.",
        "`alter ... reset howdah.shift`, where it was set",
    ),
    "clock_skew": Ailment(
        "warning",
        "Howdah goes by the database's clock; logs and traces of this machine disagree with it.",
        "`chronyc makestep`, or `timedatectl set-ntp true`, on the machine that is wrong",
    ),
    # The way to it.
    "transaction_pooling": Ailment(
        "warning",
        "Behind a transaction pooler nothing can be heard: nodes and clients poll, and are late by up to poll_s.",
        "`export HOWDAH_DIRECT_DSN=...`, past the pooler",
    ),
    "direct_dsn_unreachable": Ailment(
        "error", "Nodes cannot listen, nor renew their leases: they do not start.", "name Postgres itself in `HOWDAH_DIRECT_DSN`"
    ),
    "direct_dsn_elsewhere": Ailment(
        "error",
        "Nodes would listen, and renew their leases, where their runs are not.",
        "name the database of `HOWDAH_DSN` in `HOWDAH_DIRECT_DSN`",
    ),
    "direct_dsn_pooled": Ailment(
        "error",
        "LISTEN does not outlive a transaction there: nodes believe that they hear, and are late by up to idle_look_s.",
        "name Postgres itself in `HOWDAH_DIRECT_DSN`",
    ),
    "notifications_unheard": Ailment(
        "error",
        "Starts, cancels and results wait for the next look, up to idle_look_s later.",
        "`export HOWDAH_DIRECT_DSN=...`, past whatever lies before Postgres",
    ),
    "notification_queue": Ailment(
        "warning",
        "A session that listens sits in a transaction: nearly full, Howdah announces nothing any more and starts are late; full, commits of"
        " others that notify fail.",
        "`select pg_terminate_backend(...)` of the oldest transaction",
    ),
    # What holds dead rows.
    "idle_in_transaction": Ailment(
        "warning",
        "Dead rows of all tables stay for as long as it is open, and so do the locks that it holds.",
        "`select pg_terminate_backend(...)`",
    ),
    "long_transaction": Ailment(
        "warning", "Dead rows of all tables stay for as long as it runs, and claims grow slower.", "`select pg_terminate_backend(...)`"
    ),
    "replication_slot": Ailment(
        "warning",
        "It keeps the log, and may keep dead rows, until the disk is full.",
        "`select pg_drop_replication_slot(...)`, or start its reader",
    ),
    "prepared_transaction": Ailment(
        "warning", "It holds its locks, and dead rows, also over restarts.", "`rollback prepared ...`, or `commit prepared ...`"
    ),
    # Our tables.
    "table_autovacuum_off": Ailment(
        "warning", "Its dead rows pile up, and claims grow slower with them.", "`alter table ... reset (autovacuum_enabled)`"
    ),
    "vacuum_behind": Ailment(
        "warning", "Index scans pass over dead rows: claims and ends grow slower.", "`vacuum (analyze) ...`; then see what holds them"
    ),
    "bloat": Ailment(
        "warning", "What reads the table in full, as reaping does, reads mostly nothing.", "`vacuum (full, analyze) ...`, while it is calm"
    ),
    "unlogged_table": Ailment("error", "A crash of Postgres empties it.", "`alter table ... set logged`"),
    "schema_missing": Ailment("error", "Nothing works without the schema.", "`howdah migrate`"),
    "schema_older": Ailment("error", "This code refuses to work with it.", "`howdah migrate`"),
    "schema_newer": Ailment("error", "This code is too old for it, and refuses to work with it.", "deploy the newer howdah"),
    "partitions_missing": Ailment(
        "error",
        "Rows of such a day go to the default partition, where they slow everything down and retention does not find them.",
        "`howdah.tend(...)`; a living node does it each hour",
    ),
    "homeless_rows": Ailment("warning", "Retention does not find them, and they slow down the making of days.", "`howdah.add_day(...)`"),
    # Nodes and what they do.
    "no_node": Ailment("warning", "Nothing starts.", "`howdah worker MODULE:APP`"),
    "unknown_task": Ailment(
        "warning",
        "Its runs wait until a node that defines it starts, and serves their queue.",
        "start a worker that has it, or `howdah runs cancel --task ...`",
    ),
    "unplaced_runs": Ailment(
        "warning",
        "What they require of a node's labels none has that takes their task, or they are bound to one that has not.",
        "start a worker that has it (`--label NAME=VALUE`), or `howdah runs cancel ...`",
    ),
    "lost_node": Ailment(
        "warning",
        "Living nodes reap such a one at once: none does, and what it held waits.",
        "`howdah worker MODULE:APP`, or one `howdah.keep(...)`",
    ),
    "orphaned_runs": Ailment(
        "error", "Nobody looks for what a node held that is not on the list: it stays so.", "`howdah.reap_nodes(...)`"
    ),
    "paused_node": Ailment("warning", "It starts nothing until it is resumed.", "`howdah nodes resume ...`"),
    "paused_queue": Ailment("warning", "None of its runs starts, on any node, until it is resumed.", "`howdah queues resume ...`"),
    "paused_task": Ailment("warning", "None of its runs starts, on any node, until it is resumed.", "`howdah tasks resume ...`"),
    "no_gate": Ailment(
        "error",
        "Runs with limits wait for a node that admits them: one that has tasks with limits, and hears.",
        "`howdah worker MODULE:APP`, with `HOWDAH_DIRECT_DSN` where `HOWDAH_DSN` goes through a pooler",
    ),
    "open_breaker": Ailment(
        "warning",
        "What its runs need has failed: they wait, and one at a time is tried.",
        "what they need; `howdah limits override ...` closes it by hand",
    ),
    "unsettled_effects": Ailment(
        "warning",
        "Who awaits results hears nothing; unique keys stay taken; handlers of failures do not start.",
        "`howdah.settle()`",
    ),
    "overdue_timers": Ailment("warning", "Delayed runs and retries do not start.", "`howdah worker MODULE:APP`, or one `howdah.keep(...)`"),
    # This process.
    "uvloop_missing": Ailment("warning", "The event loop is Python's own: nodes are slower.", "`pip install uvloop`"),
    "open_files": Ailment("error", "A busy node, or your functions, run out of sockets and files.", "`ulimit -n ...`"),
}


def finding(name: str, seen: str, mend: str) -> Finding:
    """A finding of this name."""
    ailment = AILMENTS[name]
    return Finding(name, ailment.severity, seen, ailment.why, mend)
