"""Every setting and every limit, with its unit and its reason. Each is a keyword of App and a HOWDAH_* variable."""

import logging
import math
import os
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from .errors import ConfigurationError
from .labels import checked, read


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of one app. Times are in seconds."""

    dsn: str | None = None
    """Where Postgres is (HOWDAH_DSN). None: asyncpg's own defaults and PG* variables."""
    direct_dsn: str | None = None
    """The same database past any transaction pooler, for LISTEN and the heart (HOWDAH_DIRECT_DSN). None: dsn."""
    pooler: bool | None = None
    """Whether dsn goes through a pooler that lends a server connection for one transaction at a time. None: it is found out."""

    concurrency: int = 64
    """Async functions that run at once on a node: they wait for I/O most of the time."""
    threads: int = 8
    """Sync functions that run at once on a node, each in a thread: they hold the GIL when they compute."""
    processes: int = msgspec.field(default_factory=lambda: os.cpu_count() or 1)
    """Functions with isolation="process" that run at once on a node, each in a child process. Default: one for each CPU."""
    pool_size: int = 5
    """Connections for enqueues and for transaction(). A node holds at most six more for itself, a client one."""

    labels: dict[str, Any] | None = None
    """What a node says of itself, for runs to require and prefer: labels={"zone": "eu"}, or zone=eu,mem_gb=32,gpu in the variable."""

    lease_s: float = 15.0
    """How long a node that does not report keeps its runs. At least three heartbeats."""
    heartbeat_s: float = 5.0
    """How often a node reports."""
    lease_margin_s: float = 1.0
    """A node that cannot renew stops its runs this long before others may take them (at most a third of the lease)."""
    grace_s: float = 30.0
    """How long running functions may take to end at shutdown before they are cancelled and handed back."""
    hard_grace_s: float = 5.0
    """How long cancelled functions, and outcomes while Postgres is away, may take before the node exits anyway."""
    lifespan_grace_s: float = 8.0
    """How long the lifespan in an ASGI server takes to end at most, all of it: containers are killed after 10 s, and servers that
    reload wait for it (0 there: what runs is handed back at once, and begins anew)."""
    hand_back_s: float = 2.0
    """The end of lifespan_grace_s, in which functions have been cancelled, their runs go back and outcomes are flushed. Kept
    where lifespan_grace_s is shorter, too."""

    claim_max: int = 1000
    """Runs in one claim: beyond this a batch gets no cheaper and the others wait longer."""
    write_max: int = 2000
    """Outcomes in one COPY: the same."""
    prefetch_max: int = 4000
    """High-water mark of runs held beyond the slots, so also of outcomes held in memory while Postgres is away."""
    prefetch_horizon_s: float = 0.05
    """Runs are held in advance only as far as they will start within this time."""
    low_water: float = 0.25
    """A node that still has waiting runs claims again when this share of its room is free: small claims cost as much."""
    enqueue_chunk: int = 2000
    """Runs in one statement of enqueue_many: bounds memory whatever the size."""
    enqueue_chunk_characters: int = 4 * 1024 * 1024
    """A statement of enqueue_many ends where its arguments reach this: large ones would make one that Postgres cannot take."""

    unused_permit_s: float = 0.05
    """A run with limits that has not started this long after it was admitted goes back, for another node to have."""
    second_look_s: float = 0.02
    """After a short claim every line is looked at again this soon: a row that was locked meanwhile was skipped."""
    busy_look_s: float = 1.0
    """The same while there is work: a lost notification costs this at most."""
    idle_look_s: float = 10.0
    """The same on an idle node."""
    look_share: float = 0.05
    """Looks take at most this share of the time, however long dead rows make them."""
    probe_s: float = 10.0
    """How often the listening connection is tried with a notification to itself."""
    probe_timeout_s: float = 2.0
    """A probe that is not heard within this time means a dead connection."""
    keep_longest_s: float = 30.0
    """Upkeep sleeps until the next deadline, at most this long and at most a lease: a node may enter and die meanwhile."""
    quarantine_after: int = 3
    """So many nodes may die while a suspect is the only one that they hold, before it is quarantined. A run is a suspect
    after two crashes of nodes that held it."""
    keep_batch: int = 1000
    """Timers fired in one round of upkeep, and runs raised by their age."""
    ageing_s: float = 0.0
    """A waiting run counts as one priority higher for each time so long that it has waited. 0: priority is exact, and one that never runs
    dry keeps what is below it waiting. It counts for the whole database: say the same to every node."""
    tend_s: float = 3600.0
    """How often partitions are looked after."""
    trim_batch: int = 1000
    """Runs looked at in one transaction that deletes those of queues with a shorter retention."""
    trim_pause_s: float = 0.1
    """Rest between two such transactions, and between two that raise runs by their age: neither is ever in a hurry."""
    retention_days: int = 30
    """Days that history is kept. Runs that are alive are carried over."""
    ahead_days: int = 7
    """Days for which partitions exist in advance."""
    hashes: int = 4
    """Hash partitions of events inside a day."""

    deadline_tick_s: float = 0.05
    """Precision of timeouts: running attempts are looked over this often."""
    slice_s: float = 0.005
    """A slot that never waits gives way to the event loop after this time."""
    block_warning_s: float = 1.0
    """A loop blocked for longer is logged with the stack of the line."""
    command_timeout_s: float = 30.0
    """A statement of ours that takes longer means a dead connection."""
    connect_timeout_s: float = 10.0
    """The same for a connection attempt."""
    backoff_s: float = 0.1
    """First wait between attempts to reconnect; it doubles, with full jitter."""
    backoff_max_s: float = 2.0
    """Longest wait between attempts to reconnect: Postgres is back within this time of being back."""
    result_poll_s: float = 10.0
    """Awaited results are asked for this often in case a notification was lost."""
    poll_s: float = 0.5
    """How often runs, timers, cancels and results are asked for where nothing can be heard: behind a pooler without direct_dsn."""
    default_timeout_s: float = 900.0
    """An attempt's time when neither the task nor the call says one."""
    process_start_s: float = 60.0
    """A child process that has not imported its task after this time is given up."""
    process_look_s: float = 0.1
    """How often the memory of child processes is looked at: one that grows fast is over its limit for so long."""
    process_leave_s: float = 5.0
    """How long a child process that is not needed any more may clean up before it is killed."""
    payload_max: int = 16 * 1024 * 1024
    """Bytes of one run's arguments or result: larger things belong in a store, by reference."""
    error_max: int = 64 * 1024
    """Characters of a recorded traceback."""
    log_max: int = 16 * 1024
    """Characters of what one attempt logs that are kept with its outcome: runs are many, and a log has its own store. 0: none."""
    log_level: str = "INFO"
    """What is kept from: loggers that are set to more (the root logger is, to WARNING) make no such record in the first place."""
    tracing: bool = True
    """Whether there are spans of enqueues and runs where OpenTelemetry is set up. Without that there are none, and nothing is paid."""
    trace_parenting: Literal["parent", "link"] = "parent"
    """What the span of a prompt first attempt is: a child of the span that enqueued the run, or the beginning of a trace of its own, as
    those of retries, delayed, scheduled and batched runs always are. All are linked with it."""
    trace_prompt_s: float = 60.0
    """A first attempt that starts within this time after its enqueue is prompt: a trace that waits for longer is closed by then."""
    progress_s: float = 0.5
    """The latest progress of runs is stored this often: watchers see no more than that, and each is a transaction."""

    report_s: float = 1.0
    """How often a node tells OpenTelemetry what it has done, where the process has a MeterProvider."""
    report_values: int = 500
    """Values of each histogram that are told at once; of more an even sample, since each costs ten microseconds. Counters count all."""
    report_waits: int = 200
    """Runs among them whose waiting time is told: each is looked up in the database."""
    report_queues: int = 1000
    """Queues whose depth is told, those that hold most: each is four series."""
    queue_report_s: float = 15.0
    """How often the one node that tells what the queues hold looks."""

    def __post_init__(self) -> None:
        if self.lease_s < 3 * self.heartbeat_s:
            raise ConfigurationError(
                f"lease_s={self.lease_s:g} is under three heartbeats of {self.heartbeat_s:g} s: one lost heartbeat would cost"
                " the lease. Raise lease_s or lower heartbeat_s."
            )
        for name in (
            "concurrency",
            "threads",
            "processes",
            "pool_size",
            "claim_max",
            "write_max",
            "enqueue_chunk",
            "retention_days",
            "quarantine_after",
            "report_values",
            "report_waits",
        ):
            least = 2 if name == "report_values" else 1  # Every other one of a full sample is left out.
            if getattr(self, name) < least:
                raise ConfigurationError(f"{name}={getattr(self, name)} must be at least {least}")
        if self.log_level not in logging.getLevelNamesMapping():
            raise ConfigurationError(f'log_level={self.log_level!r} is no level of logging: write "INFO", "WARNING" or the like')
        checked(self.labels or {}, "labels=")
        if not 0 <= self.ageing_s < math.inf:
            raise ConfigurationError(f"ageing_s={self.ageing_s:g} must be a time, or 0: runs do not age then")
        if self.poll_s <= 0:
            raise ConfigurationError(f"poll_s={self.poll_s:g} must be more than 0")

    @property
    def hears(self) -> bool:
        """Whether notifications arrive. A transaction pooler has no session that could listen."""
        return not self.pooler or self.direct_dsn is not None

    def reached(self, *, pooler: bool | None) -> "Config":
        """These settings in a database that was reached so. Where nothing is heard, every look comes within poll_s."""
        known = msgspec.structs.replace(self, pooler=pooler)
        if known.hears:
            return known
        busy_s, idle_s = min(self.busy_look_s, self.poll_s), min(self.idle_look_s, self.poll_s)
        beat_s = min(self.heartbeat_s, self.poll_s)  # What a node is told (pause, drain) it hears with the renewal of its lease.
        return msgspec.structs.replace(known, busy_look_s=busy_s, idle_look_s=idle_s, result_poll_s=self.poll_s, heartbeat_s=beat_s)


def configure(settings: Mapping[str, Any]) -> Config:
    """Settings from keywords, then from HOWDAH_* variables, then the defaults above."""
    known = Config.__struct_fields__
    unknown = sorted(set(settings) - set(known))
    if unknown:
        raise ConfigurationError(f"App does not know the setting {unknown[0]!r}; the settings are {', '.join(known)}")
    given: dict[str, Any] = {name: os.environ[f"HOWDAH_{name.upper()}"] for name in known if f"HOWDAH_{name.upper()}" in os.environ}
    if "labels" in given:
        given["labels"] = read(given["labels"], "HOWDAH_LABELS")
    given |= {name: value for name, value in settings.items() if value is not None}
    try:
        return msgspec.convert(given, Config, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"a setting of App or a HOWDAH_* variable has the wrong type: {error}") from error
