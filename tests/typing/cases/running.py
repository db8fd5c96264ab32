"""What a function sees of its run, and what a caller sees of errors."""

from typing import Literal, assert_type

from howdah import App, CurrentRun, GiveUp, HowdahError, RunFailed, Snooze, current_run, transaction
from howdah.management.rows import RunInfo

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
    run.extend("5m")
    run.extend(timeout=30)
    run.extend(None)  # error: a timeout is a duration
    run.progress(1, total=2, message="half")
    run.progress("half")  # error: what is done is a number
    with transaction():  # error: it is asynchronous
        pass
    if order_id == 1:
        raise Snooze("5m")
    if order_id == 2:
        raise Snooze()  # error: for how long?
    raise GiveUp("the card was withdrawn")


async def client() -> None:
    async with jobs.work(queues={"mail": 10, "default": 0.5}):
        pass
    async with jobs.work(queues={"mail": "10"}):  # error: a weight is a number
        pass
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
        page = await jobs.runs.list(state="failed", tags=["crm"], metadata={"tenant": "7"}, since="2h", limit=10)
        assert_type(page[0], RunInfo)
        await jobs.runs.list(colour="red")  # error: there is no such filter
        assert_type(await jobs.runs.cancel(run.id, reason="typo"), dict[str, int])
        await jobs.runs.cancel("7")  # error: a run is a number
        await jobs.queues.set("mail", retention="7d")
        await jobs.queues.set("mail", retention=None)
        await jobs.queues.set("mail", "7d")  # error: retention is a keyword
        await jobs.queues.pause("mail")
        await jobs.tasks.resume("charge")
        await jobs.tasks.pause(charge)  # error: a task is named
    with jobs:  # error: it is asynchronous
        pass
