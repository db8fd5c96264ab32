"""How Postgres refuses, as asyncpg raises it, for what the model raises."""

import asyncpg

from .rows import GateTaken, LeaseLost, NodeGone, QueueFull, Twice


class HW001(asyncpg.PostgresError):
    sqlstate = "HW001"


class HW002(asyncpg.PostgresError):
    sqlstate = "HW002"


class HW003(asyncpg.PostgresError):
    sqlstate = "HW003"


class HW004(asyncpg.PostgresError):
    sqlstate = "HW004"


REFUSALS: dict[type[Exception], type[asyncpg.PostgresError]] = {
    LeaseLost: HW001,
    NodeGone: HW002,
    Twice: HW003,
    GateTaken: HW004,
    QueueFull: asyncpg.ProgramLimitExceededError,
}
