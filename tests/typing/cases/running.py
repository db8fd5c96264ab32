"""What a function sees of its run, and what a caller sees of errors."""

from typing import Literal, assert_type

from howdah import App, CurrentRun, GiveUp, HowdahError, RunFailed, Snooze, current_run, transaction

jobs = App()


@jobs.task
async def charge(order_id: int) -> str:
    run = current_run()
    assert_type(run, CurrentRun)
    assert_type(run.attempt, int)
    assert_type(run.tags, tuple[str, ...])
    assert_type(run.metadata, dict[str, str])
    async with transaction() as conn:
        await conn.execute("insert into charge values ($1)", order_id)
        conn.exekute("insert")  # error: a connection of asyncpg
        run.set_result("receipt")
    with transaction():  # error: it is asynchronous
        pass
    if order_id == 1:
        raise Snooze("5m")
    raise GiveUp("the card was withdrawn")


async def client() -> None:
    async with jobs, jobs.work(queues=["mail"]):
        run = await charge.enqueue(1)
        assert_type(await run.cancel(reason="typo"), Literal["cancelled", "requested", "ended", "unknown"])
        await run.cancel(1)  # error: a reason is text
        try:
            await run.result()
        except RunFailed as error:
            assert_type(error.run_id, int)
            assert_type(error.attempt, int)
            caught: HowdahError = error
            print(caught)
    with jobs:  # error: it is asynchronous
        pass
