"""Tasks for child processes, which import this module by its name. No test is here."""

import asyncio
import ctypes
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from howdah import App, GiveUp, RateLimited, Retry, Snooze, current_run, transaction

jobs = App()

MEGABYTES = 10**6

calls = 0


@contextmanager
def noting(file: str) -> Generator[None]:
    """What a node may hand on to its children."""
    with Path(file).open("a", buffering=1) as noted:
        noted.write("entered\n")
        yield
        noted.write("left\n")


async def too_many(how: str) -> None:
    """A bare function, which names no limits."""
    raise RateLimited(retry_after=30)


class Order(msgspec.Struct):
    number: int
    lines: list[str]


class Declined(ValueError):
    pass


@jobs.task
async def total(order: Order, factor: float = 1.0) -> dict[str, Any]:
    return {"lines": len(order.lines) * factor, "number": order.number, "type": type(order).__name__}


@jobs.task
async def who() -> list[int]:
    global calls
    calls += 1
    return [os.getpid(), calls, id(asyncio.get_running_loop())]


@jobs.task
def who_sync() -> list[int]:
    global calls
    calls += 1
    return [os.getpid(), calls]


@jobs.task
def run_of() -> list[Any]:
    run = current_run()
    return [run.id, run.attempt, list(run.tags), run.metadata, run.cancelled]


@jobs.task
def echo(text: str) -> str:
    return text


@jobs.task(retry=Retry(3, base=10))
def raises(what: str) -> None:
    match what:
        case "declined":
            raise Declined("no funds")
        case "snooze":
            raise Snooze("5m")
        case "give up":
            raise GiveUp("never")
        case "exit":
            sys.exit(3)
        case "transaction":
            transaction()
        case _:
            raise AssertionError(what)


@jobs.task
def dies(how: str) -> None:
    match how:
        case "segfault":
            ctypes.string_at(0)
        case "exit":
            os._exit(7)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case _:
            raise AssertionError(how)


@jobs.task
def hold(megabytes: int) -> None:
    held = bytearray(megabytes * MEGABYTES)
    held[::4096] = b"x" * len(held[::4096])
    time.sleep(60)


@jobs.task
def sleep(s: float) -> None:
    time.sleep(s)


@jobs.task
def holds_the_gil(file: str) -> None:
    Path(file).write_text(f"{os.getpid()}\n")
    re.match(r"(a+)+$", "a" * 60 + "b")


@jobs.task
def starts_another(file: str, *, leave: bool) -> None:
    """A process of its own that has everything we have open."""
    pid = os.fork()
    if not pid:
        time.sleep(60)
        os._exit(0)
    Path(file).write_text(f"{os.getpid()} {pid}\n")
    if leave:
        os._exit(1)
    time.sleep(60)


@jobs.task
def modules(package: str) -> list[str]:
    return [name for name in sys.modules if name.startswith(package)]


@jobs.task
def signalled() -> str:
    """Is told to end by whoever tells all of them, and what it starts hears that as usual."""
    os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGTERM)
    started = subprocess.run(
        [sys.executable, "-c", "import signal; print(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)"], capture_output=True, text=True
    )
    return started.stdout.strip()
