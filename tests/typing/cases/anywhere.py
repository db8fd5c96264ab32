"""Enqueueing from sync code, once per key, and inside of runs."""

from typing import assert_type

from howdah import App, Run

jobs = App()


@jobs.task
async def welcome(user_id: int, email: str) -> str:
    return email


@jobs.task
def shrink(path: str) -> list[int]:
    return []


def view() -> None:
    run = welcome.enqueue_sync(1, "a@b.c")
    assert_type(run, Run[str])
    assert_type(run.created, bool)
    assert_type(run.result_sync("10s"), str)
    assert_type(shrink.options(conn=object()).enqueue_sync("x").result_sync(timeout=1.5), list[int])

    welcome.enqueue_sync("1", "a@b.c")  # error: an id is no text
    welcome.enqueue_sync(1)  # error: no address
    run.result_sync(limit="10s")  # error: the limit is called timeout


async def once() -> None:
    assert_type(await welcome.options(unique=True, unique_for="1h").enqueue(1, "a"), Run[str])
    await welcome.options(unique="key").enqueue(1, "a")
    await welcome.options(child="key", on_parent_cancel="keep").enqueue(1, "a")

    welcome.options(unique=1)  # error: True or a key
    welcome.options(child=True)  # error: a key
    welcome.options(on_parent_cancel="leave")  # error: cancel or keep
