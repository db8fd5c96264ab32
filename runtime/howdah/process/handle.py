"""One child process, in the hands of its node.

It is the leader of a process group of its own: a Ctrl-C in the node's terminal does not reach it, and killing the group
takes what its functions started along. It ends with its node, whatever it is doing: it holds the reading end of a pipe
whose writing end the node has (see howdah/child.py).
"""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from multiprocessing import spawn

from ..errors import ProcessDied
from ..messages import Begun, Extended, Limited, Reported, Sign
from .wire import Broken, Ended, Frames, FromChild, Hello, Ready, Start, ToChild, framed

_PROGRAM = "import sys; sys.path[:] = {path!r}; from howdah.child import main; main({fds})"
_REAP_S = 0.001
"""First wait for the exit status of a child that has let go of its socket; it doubles."""


class Child(asyncio.Protocol):
    """Starts when it is made. One question at a time: each method that waits is called when no other one does.

    Whoever is cancelled while it waits must kill it.
    """

    def __init__(self, task: str) -> None:
        self.task = task
        self.runs = 0
        self.blame: ProcessDied | None = None
        """Why we killed it, if that is what its run is to be told."""
        self._frames = Frames()
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[FromChild | None] | None = None
        self._told: Callable[[Sign], object] | None = None
        self._gone = False
        self._swept = False
        self._rope = -1
        self._faults = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the child is reaped
        self._socket, theirs = socket.socketpair()
        rope_end, self._rope = os.pipe()
        fds = theirs.fileno(), rope_end, self._faults.fileno()
        program = _PROGRAM.format(path=sys.path, fds=", ".join(map(str, fds)))
        flags: list[str] = _interpreter_flags()
        try:
            self._process = subprocess.Popen(
                [os.fsdecode(spawn.get_executable()), *flags, "-c", program], stdin=subprocess.DEVNULL, pass_fds=fds, process_group=0
            )
        except BaseException:
            self._socket.close()
            self._faults.close()
            os.close(self._rope)
            raise
        finally:
            theirs.close()
            os.close(rope_end)

    def __repr__(self) -> str:
        return f"<process {self.pid} of {self.task}>"

    @property
    def pid(self) -> int:
        """The number of the process, and of its group."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can be asked for something."""
        return not self._gone and self._exit_code() is None

    async def prepare(self, hello: Hello, within_s: float) -> None:
        """Waits until it has found its task. ProcessDied: it has not."""
        self._transport, _ = await asyncio.get_running_loop().create_unix_connection(lambda: self, sock=self._socket)
        try:
            async with asyncio.timeout(within_s):
                answer = await self._ask(hello)
        except TimeoutError:
            raise ProcessDied(
                f"a child process for task {self.task!r} was not ready within {within_s:g} s (process_start_s): what its module does"
                " when it is imported takes too long"
            ) from None
        if isinstance(answer, Broken):
            raise ProcessDied(f"a child process for task {self.task!r} could not be made ready:\n{answer.why}")
        assert isinstance(answer, Ready)

    async def run(self, start: Start, hear: Callable[[Sign], None]) -> Ended:
        """Makes an attempt; hear is told what it says meanwhile. ProcessDied: the process did not survive it."""
        self.runs += 1
        self._told = hear
        hear(Begun())
        answer = await self._ask(start)
        assert isinstance(answer, Ended)
        return answer

    def send(self, message: ToChild) -> None:
        """Says something that has no answer."""
        if self._transport is not None:
            self._transport.write(framed(message))

    def end(self) -> None:
        """Kills it and what it started, at once. Its run is told by ProcessDied."""
        if not self._swept:
            with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS refuses for a group of zombies.
                os.killpg(self.pid, signal.SIGKILL)

    def look(self) -> None:
        """Notices its end also where a process that it started holds its socket open."""
        if not self._gone and self._exit_code() is not None:
            self.connection_lost(None)

    def discard(self) -> None:
        """Kills it, and hears nothing more of it."""
        self.end()
        if self._transport is not None:
            self._transport.abort()
        else:
            self._socket.close()

    def reaped(self) -> bool:
        """Whether nothing is left of it."""
        if self._exit_code() is None:
            return False
        if self._transport is not None:
            self._transport.abort()
        self._faults.close()
        if self._rope >= 0:
            os.close(self._rope)
            self._rope = -1
        return True

    def reap(self, within_s: float) -> None:
        """Waits for the end of a discarded one: the loop ends as well."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(within_s)
        self.reaped()

    def data_received(self, data: bytes) -> None:
        """Of the protocol."""
        for message in self._frames.cut(data):
            self._hear(message)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Of the protocol. What is gone leaves its group to us."""
        self._gone = True
        self.end()
        self._hear(None)

    async def _ask(self, question: ToChild) -> FromChild:
        if self._gone:
            raise await self._obituary()
        self._answer = asyncio.get_running_loop().create_future()
        self.send(question)
        try:
            answer = await self._answer
        finally:
            self._answer = None
        if answer is None:
            raise await self._obituary()
        return answer

    def _hear(self, message: FromChild | None) -> None:
        if isinstance(message, Extended | Reported | Limited):
            if self._told is not None and self._answer is not None:  # Of the attempt under way: a thread may outlive its own.
                self._told(message)
        elif self._answer is not None and not self._answer.done():
            self._answer.set_result(message)

    def _exit_code(self) -> int | None:
        """None while it lives. When it has ended, so does its group: nothing may have our number when it is given anew."""
        code = self._process.poll()
        if code is not None and not self._swept:
            self.end()
            self._swept = True
        return code

    async def _obituary(self) -> ProcessDied:
        """Why it is gone: told by whoever killed it, by its exit status, and by what faulthandler saw."""
        wait_s = _REAP_S
        while (code := self._exit_code()) is None:
            await asyncio.sleep(wait_s)
            wait_s *= 2
        if self.blame is not None:
            return self.blame
        error = ProcessDied(f"the process of task {self.task!r} {_manner(code)}")
        self._faults.seek(0)
        if seen := self._faults.read().decode(errors="replace").strip():
            error.add_note(seen)
        return error


def _interpreter_flags() -> list[str]:
    """-X dev, -W error and the like, for a child as for its node: as multiprocessing passes them on."""
    return [str(flag) for flag in subprocess._args_from_interpreter_flags()]  # type: ignore[attr-defined] # noqa: SLF001


def _manner(code: int) -> str:
    if code >= 0:
        return f"ended with exit status {code} in the middle of its attempt: something in it called os._exit() or the like"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    match name:
        case "SIGSEGV" | "SIGBUS" | "SIGILL" | "SIGFPE" | "SIGABRT":
            why = "native code in it failed"
        case "SIGKILL":
            why = "Howdah did not do it; the kernel does where memory runs out"
        case _:
            why = "somebody sent it that signal"
    return f"was ended by {name}: {why}"
