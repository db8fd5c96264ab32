"""What @jobs.task takes and refuses."""

from typing import assert_type

from howdah import Alert, App, Defaults, FailedRun, Retry, Run, Task, Tasks

App("postgresql:///shop", imports=["shop.tasks"], defaults=Defaults(retry=Retry(7)))
App(imports=[1])  # error: modules are named
App(defaults={"retry": 7})  # error: defaults have a type of their own

jobs = App()


@jobs.task(nme="x")  # error: no such option
async def misnamed() -> None: ...


@jobs.task(timeout=[30])  # error: a list is no duration
async def endless() -> None: ...


@jobs.task(retry="5")  # error: attempts are counted
async def stubborn() -> None: ...


jobs.task("welcome")  # error: a name is no function


tasks = Tasks(defaults=Defaults(timeout="5s"))
jobs.include(tasks)
jobs.include([tasks])  # error: one at a time
Tasks(defaults={"timeout": 5})  # error: defaults have a type of their own
Tasks(jobs)  # error: the app includes it, not the other way round
Defaults(delivery="twice")  # error: no such delivery


@tasks.task
async def collected(number: int) -> str:
    return str(number)


@tasks.task
async def report(failed: FailedRun, depth: int = 0) -> None: ...


@jobs.task(on_failure=report, delivery="at_most_once", aliases=["renewed"])
async def renew(number: int) -> None: ...


@jobs.task(on_failure=collected)  # error: a handler takes a FailedRun
async def unhandled() -> None: ...


@jobs.task(isolation="thread")  # error: no such isolation
def isolated() -> None: ...


@jobs.task(isolation="process", memory="512MB", max_runs=100)
def resize(path: str) -> int:
    return 0


@jobs.task(isolation="process", memory=[512])  # error: a list is no size
def bloated() -> None: ...


@jobs.task(aliases=[1])  # error: names are text
def renamed() -> None: ...


@jobs.stub
async def elsewhere(number: int) -> str:
    raise NotImplementedError


@jobs.stub(name="sum", queue="sums", retry=5)
def total(prices: list[int]) -> int:
    raise NotImplementedError


@jobs.stub(isolation="process")  # error: that is said where the function lives
async def away() -> None: ...


@jobs.on("run.failed", "node.lost")
async def watch(alert: Alert, depth: int = 0) -> None:
    assert_type(alert.run_id, int | None)


@jobs.on("run.done")  # error: no such fact
async def deaf(alert: Alert) -> None: ...


@jobs.on("run.failed")  # error: it is called with an Alert
async def numb(number: int) -> None: ...


async def use() -> None:
    assert_type(await collected.enqueue(1), Run[str])
    assert_type(elsewhere, Task[[int], str])  # error: the name of the parameter is known too
    assert_type(await (await elsewhere.enqueue(number=1)).result(), str)
    assert_type(await total.enqueue([1]), Run[int])
    await elsewhere.enqueue("1")  # error: a number
    await elsewhere(1)  # error: there is no function to run here
    assert_type(resize("a"), int)
    assert_type(await resize.enqueue("a"), Run[int])
    await watch.enqueue(1)  # error: an Alert
