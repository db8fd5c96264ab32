"""A batch task is enqueued by item and called with a list; a run is one of its answers."""

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Any, assert_type

from howdah import App, CurrentBatch, FailedRun, Retry, Run, Tasks, current_batch, use

jobs = App()
tasks = Tasks()


@dataclass
class Mail:
    to: str


@dataclass
class Receipt:
    id: int


async def connection() -> AsyncGenerator[int, None]:
    yield 1


def receiver(mail: Mail) -> str:
    return mail.to


@jobs.batch_task(size=100, within="1s")
async def send(mails: list[Mail]) -> list[Receipt | Exception]:
    return [Receipt(1)]


@jobs.batch_task(size=100, within=0.5, key="item.to", retry=Retry(5), timeout="30s", name="sent")
async def send_all(mails: list[Mail], smtp: int = use(connection)) -> list[Receipt]:
    assert_type(current_batch(), CurrentBatch)
    return [Receipt(smtp)]


@tasks.batch_task(size=2, within=0, key=receiver)
def count(mails: list[Mail]) -> list[int | None | Exception]:
    return [None]


@jobs.batch_task(size=2, within=0)
async def forget(ids: list[int]) -> list[None]:
    return [None]


@jobs.batch_task(size=2, within=0)
async def mend(failed: list[FailedRun]) -> list[None]:
    return [None]


@jobs.task(on_failure=mend)
async def fails() -> None: ...


@jobs.task(on_failure=send)  # error: a handler takes a FailedRun
async def unhandled() -> None: ...


async def use_them(mail: Mail) -> None:
    assert_type(await send.enqueue(mail), Run[Receipt])
    assert_type(await send_all.enqueue(mail), Run[Receipt])
    assert_type(await count.options(delay=5).enqueue(mail), Run[int | None])
    assert_type(await (await forget.enqueue(3)).result(), None)
    runs = await send.enqueue_many(send.call(mail) for _ in range(3))
    assert_type(runs, list[Run[Receipt]])
    for answer in await send([mail]):
        if not isinstance(answer, Exception):
            assert_type(answer, Receipt)
    count([mail])
    await send_all([mail], smtp=2)

    await send.enqueue([mail])  # error: one item
    await send.enqueue(3)  # error: it is a Mail
    await send.enqueue()  # error: it has an item
    send.call(mail, mail)  # error: it has one
    await send(mail)  # error: a list
    await send([3])  # error: of mails
    await send_all.enqueue(mail, 2)  # error: a node fills that


@jobs.batch_task(size=2)  # error: within what time?
async def untimed(ids: list[int]) -> list[None]:
    return []


@jobs.batch_task(within=2)  # error: how many?
async def endless(ids: list[int]) -> list[None]:
    return []


@jobs.batch_task(size=2, within=0, isolation="process")  # error: that is for single runs
def apart(ids: list[int]) -> list[None]:
    return []


@jobs.batch_task(size=2, within=0, key=3)  # error: a key is a path or a function
async def keyed(ids: list[int]) -> list[None]:
    return []


single: Callable[..., Any] = jobs.batch_task(size=2, within=0)(receiver)  # error: it takes no list


async def one_answer(mails: list[Mail]) -> Receipt:
    return Receipt(1)


jobs.batch_task(size=2, within=0)(one_answer)  # error: it returns no list
