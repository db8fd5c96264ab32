"""The job of on_chancy.py in a module of its own, which chancy's processes import by name."""

import harness
from chancy import job


@job()
async def noop(*, user_id: int, email: str, note: str) -> None:
    harness.started(user_id)
