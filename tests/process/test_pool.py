"""Children: they see what every executor sees, are few, are killed with their attempt, and never stay behind."""

import asyncio
import importlib
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import anyio
import msgspec
import pytest
from howdah import MemoryExceeded, ProcessDied, Task
from howdah.codec import decode
from howdah.core.states import Kind
from howdah.messages import Failure
from howdah.process import place
from howdah.process.pool import Terms

from . import isolated as tasks
from .stage import CONFIG, children, happens, hello, lives

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]


async def test_a_function_sees_typed_arguments_its_run_and_one_event_loop_for_all_of_its_runs() -> None:
    async with children(3) as pool:
        assert await pool.value(tasks.total, order={"number": 3, "lines": ["a", "b"]}) == {"lines": 2.0, "number": 3, "type": "Order"}
        assert await pool.value(tasks.run_of) == [1, 1, ["red"], {"a": "b"}, False]
        first, second = await pool.value(tasks.who), await pool.value(tasks.who)

    assert (first[0], first[2]) == (second[0], second[2])
    assert first[0] != os.getpid()
    assert (first[1], second[1]) == (1, 2)


async def test_a_child_enters_first_what_its_node_hands_on_and_nothing_else(tmp_path: Path) -> None:
    noted = tmp_path / "noted"
    async with children() as pool:
        with place.handed_on("tests.process.isolated:noting", str(noted)):
            told = hello(tasks.echo)
        assert await pool.value(tasks.echo, Terms(told), text="in it") == "in it"
        assert noted.read_text() == "entered\n"
        assert await pool.value(tasks.modules, package="opentelemetry.sdk") == []
    assert noted.read_text() == "entered\nleft\n"
    assert hello(tasks.echo).scopes == []


async def test_large_arguments_and_results_pass_whole() -> None:
    text = "ü" * (2 << 20)
    async with children() as pool:
        assert await pool.value(tasks.echo, text=text) == text


async def test_what_a_function_raises_is_judged_there_as_it_would_be_here() -> None:
    async with children() as pool:
        declined = await pool.call(tasks.raises, what="declined")
        snooze = await pool.call(tasks.raises, what="snooze")
        gave_up = await pool.call(tasks.raises, what="give up")
        exited = await pool.call(tasks.raises, what="exit")
        refused = await pool.call(tasks.raises, what="transaction")
        unfit = await pool.call(tasks.echo, text=3)

    failure = msgspec.json.decode(declined.data or "", type=Failure)
    assert (failure.type, failure.message) == (f"{tasks.Declined.__module__}.Declined", "no funds")
    assert failure.bases[1:3] == ["builtins.ValueError", "builtins.Exception"]
    assert "isolated.py" in failure.traceback
    assert "howdah/" not in failure.traceback
    assert [outcome.kind for outcome in (declined, snooze, gave_up, exited)] == [Kind.RETRIED, Kind.SNOOZED, Kind.FAILED, Kind.RETRIED]
    assert snooze.delay is not None
    assert snooze.delay.total_seconds() == 300
    assert "leave isolation= out" in decode(refused.data or "")["message"]
    assert unfit.kind == Kind.MISFIT
    assert "do not fit the signature" in decode(unfit.data or "")["message"]


@pytest.mark.parametrize(
    ("how", "says"), [("segfault", "SIGSEGV: native code"), ("exit", "exit status 7 in the middle"), ("kill", "where memory runs out")]
)
async def test_an_attempt_whose_process_dies_fails_with_the_reason_and_the_next_one_works(how: str, says: str) -> None:
    async with children() as pool:
        with pytest.raises(ProcessDied, match=says) as caught:
            await pool.call(tasks.dies, how=how)
        assert len(pool) == 0
        assert ("in dies" in "".join(caught.value.__notes__)) if how == "segfault" else not hasattr(caught.value, "__notes__")
        assert await pool.value(tasks.echo, text="next") == "next"


async def test_an_idle_child_that_died_meanwhile_is_replaced_unseen() -> None:
    async with children() as pool:
        pid, _ = await pool.value(tasks.who_sync)
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # All of its threads have ended; whose child it is still reaps it.
        assert (await pool.value(tasks.who_sync))[0] != pid
        assert len(pool) == 1


async def test_more_memory_than_allowed_ends_the_attempt_with_that_reason() -> None:
    async with children() as pool:
        limit = 150 * tasks.MEGABYTES
        with pytest.raises(MemoryExceeded, match=r"of task 'hold' held \d+ MB, over its limit of 150 MB \(memory=\) and was killed"):
            await pool.call(tasks.hold, Terms(hello(tasks.hold), memory_max=limit), megabytes=300)
        assert await pool.value(tasks.echo, Terms(hello(tasks.echo), memory_max=limit), text="small") == "small"


async def test_a_child_is_replaced_after_max_runs() -> None:
    async with children() as pool:
        seen = [await pool.value(tasks.who_sync, Terms(hello(tasks.who_sync), max_runs=2)) for _ in range(5)]

    assert [call for _, call in seen] == [1, 2, 1, 2, 1]
    assert len({pid for pid, _ in seen}) == 3
    assert not any(lives(pid) for pid, _ in seen)


async def test_there_are_never_more_children_than_slots_and_the_longest_idle_makes_room() -> None:
    async with children(2) as pool:
        first, _ = await pool.value(tasks.who_sync)
        second, *_ = await pool.value(tasks.who)
        assert (await pool.value(tasks.who_sync))[0] == first
        await pool.value(tasks.echo, text="third")
        assert len(pool) == 2
        await happens(lambda: not lives(second))
        assert (await pool.value(tasks.who_sync))[0] == first


async def test_an_attempt_that_is_cancelled_kills_its_child_at_once_with_all_that_it_started(tmp_path: Path) -> None:
    file = tmp_path / "pids"
    async with children() as pool:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30) as limit, anyio.create_task_group() as group:

                async def cut() -> None:
                    await happens(lambda: file.exists() and file.read_text())
                    limit.reschedule(0)

                group.start_soon(cut)
                await pool.call(tasks.starts_another, file=str(file), leave=False)
        pids = [int(pid) for pid in file.read_text().split()]
        assert len(pool) == 0
        await happens(lambda: not any(lives(pid) for pid in pids))


async def test_one_that_is_cancelled_while_its_child_starts_leaves_nothing() -> None:
    async with children() as pool:
        with anyio.move_on_after(0.05):
            await pool.call(tasks.echo, text="late")
        assert len(pool) == 0


async def test_a_child_that_ends_is_missed_although_what_it_started_holds_its_socket(tmp_path: Path) -> None:
    file = tmp_path / "pids"
    async with children() as pool:
        with pytest.raises(ProcessDied, match="exit status 1"):
            await pool.call(tasks.starts_another, file=str(file), leave=True)
        await happens(lambda: not any(lives(int(pid)) for pid in file.read_text().split()))


async def test_signals_that_are_meant_for_the_node_pass_a_child_by_but_not_what_it_starts() -> None:
    async with children() as pool:
        assert await pool.value(tasks.signalled) == "True"


async def test_a_module_that_cannot_be_imported_is_said_with_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "broken_tasks.py").write_text("from howdah import App\njobs = App()\n\n@jobs.task\ndef one() -> None: ...\n")
    one: Task[..., None] = importlib.import_module("broken_tasks").one

    (tmp_path / "broken_tasks.py").write_text("raise KeyError('no such setting')\n")
    async with children() as pool:
        with pytest.raises(ProcessDied, match=r"(?s)could not be made ready:.*broken_tasks.py\", line 1.*no such setting"):
            await pool.call(one)
        (tmp_path / "broken_tasks.py").write_text("")
        with pytest.raises(ProcessDied, match="broken_tasks was imported, and there is no 'one' in it"):
            await pool.call(one)
        (tmp_path / "broken_tasks.py").write_text("import time\ntime.sleep(60)")
    async with children(config=msgspec.structs.replace(CONFIG, process_start_s=0.5)) as pool:
        with pytest.raises(ProcessDied, match=r"not ready within 0.5 s \(process_start_s\)"):
            await pool.call(one)


@pytest.mark.parametrize("task", ["sleep", "holds_the_gil"])
def test_no_child_outlives_a_node_that_is_killed_whatever_it_is_doing(tmp_path: Path, task: str) -> None:
    program = """
        import asyncio, json, sys
        from tests.process import isolated
        from tests.process.stage import children

        async def main():
            async with children() as pool:
                print((await pool.value(isolated.who_sync))[0], flush=True)
                await pool.call(getattr(isolated, sys.argv[1]), **json.loads(sys.argv[2]))

        asyncio.run(main())
    """
    file = tmp_path / "pid"
    args = '{"s": 60}' if task == "sleep" else f'{{"file": "{file}"}}'
    node = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program), task, args], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert node.stdout is not None
    try:
        pids = [int(node.stdout.readline())]
        if task == "holds_the_gil":
            asyncio.run(happens(lambda: file.exists() and file.read_text()))
            pids.append(int(file.read_text()))
        assert all(lives(pid) for pid in pids)
    finally:
        node.kill()
        node.wait()
        node.stdout.close()
    asyncio.run(happens(lambda: not any(lives(pid) for pid in pids)))
