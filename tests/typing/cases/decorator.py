"""What @jobs.task takes and refuses."""

from howdah import App, Defaults, Retry

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
