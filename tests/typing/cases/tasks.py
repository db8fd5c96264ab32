"""A task keeps the signature of its function, in what it takes and in what it returns."""

from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, assert_type

from howdah import App, Call, Retry, Run, State, Task
from howdah.tasks import AsyncTask, SyncTask

jobs = App()


@dataclass
class Address:
    street: str
    number: int


@jobs.task
async def welcome(user_id: int, email: str, *, loud: bool = False) -> str:
    return email


@jobs.task(name="shrink", queue="images", priority=3, retry=Retry(5), timeout="30s")
def shrink(path: str, width: int = 100) -> list[int]:
    return [width]


@jobs.task(retry=2, timeout=timedelta(minutes=1))
async def move(address: Address) -> None: ...


assert_type(welcome, AsyncTask[..., str])  # error: the parameters are known too
assert_type(shrink(path="x"), list[int])
calling: Coroutine[Any, Any, str] = welcome(1, "a")


async def enqueue() -> None:
    run = await welcome.enqueue(1, "a@b.c", loud=True)
    assert_type(run, Run[str])
    assert_type(await run.result(timeout="10s"), str)
    assert_type(await run.status(), State)
    assert_type(run.id, int)
    assert_type(await (await shrink.enqueue("x")).result(), list[int])
    assert_type(await (await move.enqueue(Address("Elm", 1))).result(), None)

    await welcome.enqueue("1", "a@b.c")  # error: an id is no text
    await welcome.enqueue(1)  # error: no address
    await welcome.enqueue(1, "a@b.c", True)  # error: loud is given by name
    await welcome.enqueue(1, "a@b.c", lud=True)  # error: no such parameter
    await move.enqueue({"street": "Elm", "number": 1})  # error: a dict is no address
    welcome.enqueue(1, "a@b.c").result()  # error: what is enqueued is awaited first


async def options() -> None:
    later = welcome.options(
        delay="1h", priority=5, queue="mail", expires=60, timeout=1.5, retry=Retry(3), tags=["crm"], metadata={"a": "b"}
    )
    assert_type(await later.enqueue(1, "a@b.c"), Run[str])
    assert_type(await shrink.options(at=datetime.now(UTC)).enqueue("x", width=2), Run[list[int]])

    await later.enqueue(1)  # error: options leave the signature as it is
    welcome.options(delays="1h")  # error: no such option
    welcome.options(at="tomorrow")  # error: an instant is a datetime
    welcome.options(priority="high")  # error: a priority is a number
    welcome.options(metadata={"a": 1})  # error: metadata is text


async def many() -> None:
    assert_type(shrink.call("x", width=3), Call)
    assert_type(await shrink.enqueue_many(shrink.call(path) for path in ("a", "b")), list[Run[list[int]]])
    assert_type(await shrink.attach(7).result(), list[int])

    shrink.call(7)  # error: a path is text
    await shrink.enqueue_many(["a", "b"])  # error: texts are no calls
    await shrink.attach("7").result()  # error: an id is a number


def works(task: Task[[str], object]) -> None: ...


works(jobs.task(lambda text: len(text)))
works(welcome)  # error: other parameters
SyncTask.enqueue(shrink, "x", height=3)  # error: no such parameter
