"""What Debounce and debounce= take and refuse."""

from dataclasses import dataclass
from datetime import timedelta

from howdah import App, Debounce, Run, Tasks

jobs = App()
tasks = Tasks()


@dataclass
class User:
    id: int


def tenant_of(user: User, pages: int = 1) -> str:
    return str(user.id)[:4]


def cost_of(user: User, pages: int = 1) -> float:
    return pages / 2


Debounce("30s")
Debounce(30, max_wait="5m")
Debounce(timedelta(seconds=30), max_wait=300, key="user.id")
Debounce("30s", key=tenant_of)

Debounce()  # error: how long?
Debounce([30])  # error: a list is no duration
Debounce("30s", "5m")  # error: the longest wait is given by name
Debounce("30s", max="5m")  # error: it is max_wait
Debounce("30s", key=7)  # error: neither a path nor a function
Debounce("30s", key=cost_of)  # error: a float is no key
Debounce("30s").wait = 3  # error: it is frozen


@jobs.task(debounce="30s")
async def index(user: User, pages: int = 1) -> int:
    return pages


@tasks.task(debounce=Debounce("30s", max_wait="5m", key="user.id"))
def shrink(user: User, pages: int = 1) -> int:
    return pages


@jobs.stub(debounce="30s")
async def elsewhere(user: User) -> None: ...


@jobs.task(debounce=["30s"])  # error: one duration
async def listed() -> None: ...


async def use(user: User) -> None:
    run: Run[int] = await index.enqueue(user)
    await index.enqueue(user, "two")  # error: a debounce leaves the signature as it is
    await index.options(debounce="5s").enqueue(user)
    await shrink.options(debounce=Debounce("5s", key=tenant_of)).enqueue(user, 2)
    index.options(debounce={"wait": 5})  # error: a dict is no Debounce
    await run.result()
