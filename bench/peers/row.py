"""What a row of the comparison is: a peer with settings, and what it promises."""

from typing import Any, Literal, NamedTuple

Store = Literal["postgres", "redis"]


class Promise(NamedTuple):
    """What a peer keeps of a run and what it refuses, each in a few words, with the page that says it."""

    history: str
    fence: str
    commit: str
    """Whether an enqueue and an acknowledgement are each on disk before they are reported."""
    pages: tuple[str, ...]


class Row(NamedTuple):
    """A peer under one set of settings."""

    name: str
    peer: str
    """Its environment in versions.toml."""
    program: str
    settings: dict[str, Any]
    why: str
    """What the settings are, in words."""
    pages: tuple[str, ...]
    """The documentation that gives them."""
    left: str
    """SQL: how many jobs are not acknowledged yet. For Redis: the keys whose lengths add up to it."""
    any_left: str = ""
    """SQL: whether there is any, cheaper. Default: counts."""
    jobs: int = 20_000
    """Jobs of a drain: about three seconds of them, so that a slow peer does not eat the time."""
    chunk: int = 10_000
    """Jobs in one bulk enqueue."""
    bulk: bool = True
    """Whether there is a bulk enqueue at all."""
    first_rate: float = 500
    """Where the search for the highest rate begins."""
    prequeued: bool = True
    """Whether a worker takes what was enqueued before it started."""
    store: Store = "postgres"
    direct: bool = False
    """Functions run in processes that nobody asks to flush: each start is told at once."""

    @property
    def promise(self) -> str:
        """Which entry of the table of promises is about it."""
        return f"{self.peer}.{self.store}" if self.peer == "saq" else self.peer

    @property
    def fastest(self) -> bool:
        """Whether the long measurements are made of it: not of rows that stand beside a tuned one."""
        return self.name == "howdah" or self.name.endswith(".tuned")
