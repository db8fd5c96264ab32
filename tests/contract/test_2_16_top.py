"""CONTRACT 2.16: top, drawn on a terminal at 80 and 200 columns, with 10,000 queues, updates each second with at most 2 queries, quits on
q, restores the terminal."""

import re
import signal
from pathlib import Path

import anyio
import asyncpg
import pyte
import pytest
from howdah.cli.top import top
from howdah.embedded import Embedded

from ..cli.terminals import CTRL_C, Terminal, on_terminal
from ..recovery.proxy import Proxy

pytestmark = pytest.mark.anyio

Db = asyncpg.Connection

QUEUES = 10_000
FRAME = "\x1b[H"
BEGIN, END = "\x1b[?1049h", "\x1b[?1049l"

CROWD = f"""
insert into howdah.queue (name) select 'queue-' || i from generate_series(1, {QUEUES - 1}) i;
select howdah.introduce('work');
insert into howdah.total (queue, task, kind, n, ready, running, later)
select q.id, 1, k, 100, case k when 0 then q.id % 977 else 0 end, case k when 0 then q.id % 7 else 0 end, 0
from howdah.queue q cross join (values (0), (1), (2), (4)) v(k);
analyze;
"""


def drawn(terminal: Terminal, columns: int, lines: int) -> list[str]:
    """What an emulator shows of the last frame that is complete."""
    screen = pyte.Screen(columns, lines)
    frames = terminal.screen.split(FRAME)
    pyte.Stream(screen).feed(FRAME + frames[-2])
    return [line.rstrip() for line in screen.display]


async def frames(terminal: Terminal, count: int) -> None:
    for _ in range(count):
        await terminal.shows(FRAME)


@pytest.mark.parametrize("columns", [80, 200])
async def test_it_is_drawn_whole_with_ten_thousand_queues(dsn: str, db: Db, tmp_path: Path, columns: int) -> None:
    await db.execute(CROWD)
    await db.execute("select howdah.join_node(1, 'a-node-of-ours', 'here', 42, '1.0', '{1}', '{1}', null, 60)")
    async with on_terminal("top", "--interval", "0.2s", cwd=tmp_path, size=(columns, 40), HOWDAH_DSN=dsn) as terminal:
        await frames(terminal, 3)
        shown = drawn(terminal, columns, 40)
        raw = terminal.screen.split(FRAME)[-2]
    text = "\n".join(shown)
    assert len(shown) == 40
    assert raw.count("\r\n") < 40, "nothing is scrolled away"
    assert shown[0].startswith("howdah top  test_")
    assert re.search(r"^ready [\d,]{6,}  running [\d,]{6,}", shown[1])
    assert re.search(r"^QUEUE \(\d+ of 10,000\) +READY +RUNNING +LATER +LAG +IN/S +DONE/S +FAILED/S", shown[2])
    assert re.search(r"^queue-\d+ +976 +\d +0 +0 +0 +0", text, re.MULTILINE)
    assert re.search(r"^a-node-of-ours +alive +1 +all", text, re.MULTILINE)
    assert re.search(r"^RUN +TASK +NODE +TRY +AGE +PROGRESS", text, re.MULTILINE)
    assert ("RETRIED/S" in text, "VERSION" in text) == (columns == 200, columns == 200)
    assert shown[-1] == "" or "q quit  p pause" in shown[-1]
    assert "q quit  p pause" in text


async def test_it_updates_each_second_with_at_most_two_queries(dsn: str, db: Db, server: Embedded, tmp_path: Path) -> None:
    await db.execute(CROWD)
    name = await db.fetchval("select current_database()")
    await db.execute(f"alter database {name} set log_statement = 'all'")  # In sessions that begin from now on.
    async with on_terminal("top", cwd=tmp_path, HOWDAH_DSN=dsn) as terminal:
        await frames(terminal, 2)
        before, drawn_before = server.log.stat().st_size, terminal.screen.count(FRAME)
        await frames(terminal, 5)
        logged, drawn_since = server.log.read_text()[before:], terminal.screen.count(FRAME) - drawn_before
        terminal.press(b"q")
        assert await terminal.end() == 0
    queries = len(re.findall(r"LOG:  (?:statement|execute)", logged))
    assert next(option for option in top.params if option.name == "interval").default == "1s"
    assert 4 <= queries <= 2 * (drawn_since + 1), f"{queries} for {drawn_since} frames"


@pytest.mark.parametrize("way", ["q", "ctrl-c", "sigterm", "sighup"])
async def test_it_quits_and_the_terminal_is_as_it_was(dsn: str, tmp_path: Path, way: str) -> None:
    async with on_terminal("top", cwd=tmp_path, HOWDAH_DSN=dsn) as terminal:
        before = terminal.modes()
        await frames(terminal, 1)
        assert terminal.modes() != before
        if way == "q":
            terminal.press(b"q")
        elif way == "ctrl-c":
            terminal.press(CTRL_C)
        else:
            terminal.send(getattr(signal, way.upper()))
        assert await terminal.end() == (130 if way == "ctrl-c" else 0)
        await terminal.shows(END)
        assert terminal.modes() == before
        assert terminal.screen.count(BEGIN) == terminal.screen.count(END) == 1


async def test_an_error_restores_the_terminal_as_well(dsn: str, db: Db, tmp_path: Path) -> None:
    async with on_terminal("top", cwd=tmp_path, HOWDAH_DSN=dsn) as terminal:
        before = terminal.modes()
        await frames(terminal, 1)
        await db.execute("drop function howdah.held_runs(int)")
        await terminal.shows(END)
        assert await terminal.end() == 1
        assert terminal.modes() == before


async def test_p_pauses_and_goes_on(dsn: str, db: Db, tmp_path: Path) -> None:
    async with on_terminal("top", "--interval", "0.1s", cwd=tmp_path, HOWDAH_DSN=dsn) as terminal:
        await frames(terminal, 2)
        terminal.press(b"p")
        await terminal.shows("paused: p goes on, q quits")
        await db.fetchval("select howdah.introduce('new', 'queue-of-the-pause')")
        terminal.resize(100, 30)  # It is drawn anew, and says what it said.
        await terminal.shows("paused: p goes on, q quits")
        assert "queue-of-the-pause" not in terminal.screen
        terminal.press(b"p")
        await terminal.shows("queue-of-the-pause")
        terminal.press(b"q")
        assert await terminal.end() == 0


async def test_ctrl_z_gives_the_terminal_back_and_going_on_takes_it_again(dsn: str, tmp_path: Path) -> None:
    async with on_terminal("top", cwd=tmp_path, HOWDAH_DSN=dsn) as terminal:
        before = terminal.modes()
        await frames(terminal, 1)
        terminal.press(b"\x1a")
        await terminal.shows(END)
        with anyio.fail_after(30):  # Its last words come before that.
            while terminal.modes() != before:
                await anyio.sleep(0.01)
        terminal.send(signal.SIGCONT)
        await terminal.shows(BEGIN)
        await frames(terminal, 1)
        terminal.press(b"q")
        assert await terminal.end() == 0
        assert terminal.modes() == before


@pytest.mark.parametrize("trouble", ["frozen", "gone"])
async def test_a_database_that_is_away_is_said_so_and_asked_again(dsn: str, tmp_path: Path, trouble: str) -> None:
    async with Proxy.to(dsn) as proxy, on_terminal("top", "--interval", "0.2s", cwd=tmp_path, HOWDAH_DSN=proxy.dsn) as terminal:
        await frames(terminal, 2)
        proxy.freeze()
        if trouble == "gone":
            proxy.cut()
        await terminal.shows("Postgres does not answer, for ")
        proxy.thaw()
        await terminal.shows("\x1b[2mq quit  p pause")
        terminal.press(b"q")
        assert await terminal.end() == 0


async def test_q_quits_also_while_the_database_is_away(dsn: str, tmp_path: Path) -> None:
    async with Proxy.to(dsn) as proxy, on_terminal("top", "--interval", "0.2s", cwd=tmp_path, HOWDAH_DSN=proxy.dsn) as terminal:
        before = terminal.modes()
        await frames(terminal, 2)
        proxy.freeze()
        await terminal.shows("Postgres does not answer, for ")
        terminal.press(b"q")
        await terminal.shows(END)
        assert await terminal.end() == 0  # The database does not answer before the end of this test.
        assert terminal.modes() == before
        proxy.thaw()  # What waits there to be let through ends before its loop does.
        await anyio.wait_all_tasks_blocked()


async def test_names_and_messages_cannot_speak_to_the_terminal(dsn: str, db: Db, tmp_path: Path) -> None:
    await db.fetchval("select howdah.introduce($1, $2)", "task", "\x1b]0;owned\x07\x1b[31mred\n\u202equeue")
    async with on_terminal("top", cwd=tmp_path, size=(200, 40), HOWDAH_DSN=dsn) as terminal:
        await terminal.shows(r"\x1b]0;owned\x07\x1b[31mred\n\u202equeue")
        assert "\x1b]0;" not in terminal.screen
        assert "\u202e" not in terminal.screen
