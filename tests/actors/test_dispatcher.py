"""The dispatcher: it claims what there is room for, and hands back what has not started."""

from collections import Counter
from collections.abc import Mapping, Sequence

import anyio
import msgspec
import pytest
from howdah.actors import dispatcher
from howdah.actors.dispatcher import dispatch
from howdah.config import Config
from howdah.core.lines import Hints, Key, Line
from howdah.core.states import Kind
from howdah.mailbox import Mailbox
from howdah.messages import Admitted, Claimed, Freed, Looked, Stop, ToDispatcher, Woken

from .stage import CONFIG, RUN, Gatehouse, Place, claimed

pytestmark = pytest.mark.anyio

LINE = (RUN.queue, RUN.task)


class Claims:
    """A queue of runs, numbered from 1."""

    def __init__(self, count: int) -> None:
        self.left = [claimed(number) for number in range(1, count + 1)]
        self.lease = 0
        self.asked: list[int] = []
        self.looked = 0
        self.said: list[str] = []

    async def ready(self) -> None:
        pass

    async def look(self, node: int, tasks: list[int]) -> Looked:
        self.looked += 1
        return Looked([((LINE[0], self.left[0].task), (0, self.left[0].id))] if self.left else [])

    async def claim(
        self, node: int, room: int, lines: Sequence[tuple[Line, Key]], leases: list[int], *, aside: bool, durable: bool
    ) -> list[Claimed]:
        self.asked.append(room)
        self.lease += 1
        got, self.left = self.left[:room], self.left[room:]
        return [msgspec.structs.replace(run, lease=self.lease) for run in got]

    async def fetch_admitted(self, node: int, admitted: Mapping[int, int]) -> list[Claimed]:
        return [claimed(run, lease=lease, lane="per-user:1") for run, lease in admitted.items()]

    async def tell_gate(self, said: Sequence[str]) -> None:
        self.said += said


class Suspects(Claims):
    """The same as suspects, of which a node is given one at a time."""

    async def look(self, node: int, tasks: list[int]) -> Looked:
        heads = (await super().look(node, tasks)).heads
        return Looked(heads, aside=bool(heads))

    async def claim(
        self, node: int, room: int, lines: Sequence[tuple[Line, Key]], leases: list[int], *, aside: bool, durable: bool
    ) -> list[Claimed]:
        if leases or not aside:
            return []
        got = await super().claim(node, 1, lines, leases, aside=aside, durable=durable)
        return [msgspec.structs.replace(run, aside=True) for run in got]


class Queues(Claims):
    """Two queues with runs of one task: odd numbers in the first, even ones in the second."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.left = [msgspec.structs.replace(run, queue=2 - run.id % 2) for run in self.left]
        self.lines: list[list[int]] = []

    async def look(self, node: int, tasks: list[int]) -> Looked:
        self.looked += 1
        heads = {run.queue: ((run.queue, run.task), (0, run.id)) for run in reversed(self.left)}
        return Looked(list(heads.values()))

    async def claim(
        self, node: int, room: int, lines: Sequence[tuple[Line, Key]], leases: list[int], *, aside: bool, durable: bool
    ) -> list[Claimed]:
        queues = [line[0] for line, _ in lines]
        self.lines.append(queues)
        self.lease += 1
        got = [run for run in self.left if run.queue in queues][:room]
        self.left = [run for run in self.left if run not in got]
        return [msgspec.structs.replace(run, lease=self.lease) for run in got]


class Emptied(Queues):
    """The same; somebody else takes all that the first queue has, right after the first look."""

    async def look(self, node: int, tasks: list[int]) -> Looked:
        found = await super().look(node, tasks)
        self.left = [run for run in self.left if run.queue == 2]
        return found


class Gated(Claims):
    """The same, where a look finds that runs wait for the gate."""

    async def look(self, node: int, tasks: list[int]) -> Looked:
        return Looked((await super().look(node, tasks)).heads, gated=frozenset({5}))


class Misfits(Queues):
    """The same, where a look finds that some are only to be had aside."""

    async def look(self, node: int, tasks: list[int]) -> Looked:
        return Looked((await super().look(node, tasks)).heads, aside=True)


async def never() -> None: ...


class Desk:
    """A dispatcher with its desk, and a room whose slots nobody serves."""

    def __init__(
        self,
        runs: int,
        slots: int,
        claims: type[Claims] = Claims,
        config: Config = CONFIG,
        weights: Mapping[int, float] | None = None,
        wide: Mapping[str, int] | None = None,
    ) -> None:
        self.weights = weights
        self.gate = Gatehouse()
        self.place = Place(never, slots=slots, wide=wide)
        self.claims = claims(runs)
        self.config = config
        self.desk = Mailbox[ToDispatcher](1000)
        self.hints = Hints()
        self.paused = False

    async def run(self) -> None:
        place = self.place
        await dispatch(
            self.desk,
            self.hints,
            [place.room],
            self.claims,
            place.ledger,
            lambda: place.standing,
            self.config,
            lambda: self.paused,
            self.gate,
            self.weights,
        )


async def test_it_claims_no_more_than_there_is_room_for_and_again_when_room_is_free() -> None:
    it = Desk(runs=10, slots=4)
    async with anyio.create_task_group() as group:
        group.start_soon(it.run)
        await anyio.wait_all_tasks_blocked()
        assert [run.id for run in it.place.room.drain()] == [1, 2, 3, 4]
        it.desk.put_nowait(Freed({1: 3}))
        await anyio.wait_all_tasks_blocked()
        assert len(it.place.room.waiting) >= 3
        group.cancel_scope.cancel()


async def test_it_claims_nothing_before_the_lease_holds() -> None:
    it = Desk(runs=3, slots=4)
    standing, it.place.standing = it.place.standing, None
    async with anyio.create_task_group() as group:
        group.start_soon(it.run)
        await anyio.wait_all_tasks_blocked()
        assert it.claims.asked == []
        it.place.standing = standing
        it.hints.add_all()
        it.desk.put_nowait(Woken())
        await anyio.wait_all_tasks_blocked()
        assert len(it.place.room.waiting) == 3
        group.cancel_scope.cancel()


async def test_a_stop_hands_back_what_waits_without_burning_an_attempt_and_claims_no_more() -> None:
    it = Desk(runs=10, slots=4)
    async with anyio.create_task_group() as group:
        group.start_soon(it.run)
        await anyio.wait_all_tasks_blocked()
        it.desk.put_nowait(Stop())
        back = await it.place.outcomes(4)
        asked = len(it.claims.asked)
        it.hints.add(LINE, (0, 5))
        it.desk.put_nowait(Woken())
        it.desk.put_nowait(Freed({1: 4}))
        it.desk.close()
        assert [(outcome.run, outcome.kind) for outcome in back] == [(number, Kind.RELEASED) for number in (1, 2, 3, 4)]
        assert len(it.claims.asked) == asked
        assert len(it.claims.left) == 6


async def test_a_run_that_no_notification_told_of_is_found_by_the_next_look() -> None:
    it = Desk(runs=0, slots=4)
    async with anyio.create_task_group() as group:
        group.start_soon(it.run)
        await anyio.wait_all_tasks_blocked()
        it.claims.left = [claimed(1)]
        with anyio.fail_after(30):
            while not it.place.room.waiting:
                await anyio.sleep(0.005)
        group.cancel_scope.cancel()
    assert it.claims.looked >= 2


async def test_when_a_suspect_has_ended_the_next_one_does_not_wait_for_a_look() -> None:
    rarely = msgspec.structs.replace(CONFIG, second_look_s=60, busy_look_s=60, idle_look_s=60)
    it = Desk(3, 4, Suspects, rarely)
    async with anyio.create_task_group() as group:
        group.start_soon(it.run)
        for number in (1, 2, 3):
            await anyio.wait_all_tasks_blocked()
            assert [run.id for run in it.place.room.drain()] == [number]
            it.desk.put_nowait(Freed({number: 1}))
        group.cancel_scope.cancel()


async def test_while_it_is_paused_nothing_is_claimed_and_what_had_not_started_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    # How many are taken in advance goes by how long a claim has taken: here none takes any time.
    monkeypatch.setattr(dispatcher, "monotonic", lambda: 1.0)
    it = Desk(runs=10, slots=4)
    async with anyio.create_task_group() as group:
        group.start_soon(it.run)
        await anyio.wait_all_tasks_blocked()
        it.paused = True
        it.desk.put_nowait(Woken())
        back = await it.place.outcomes(4)
        it.desk.put_nowait(Freed({1: 4}))
        it.hints.add(LINE, (0, 5))
        it.desk.put_nowait(Woken())
        await anyio.wait_all_tasks_blocked()
        assert [(outcome.run, outcome.kind) for outcome in back] == [(number, Kind.RELEASED) for number in (1, 2, 3, 4)]
        assert len(it.claims.asked) == 1
        it.paused = False
        it.hints.add_all()
        it.desk.put_nowait(Woken())
        await anyio.wait_all_tasks_blocked()
        assert [run.id for run in it.place.room.waiting] == [5, 6, 7, 8]
        group.cancel_scope.cancel()


async def test_queues_with_weights_share_the_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "monotonic", lambda: 1.0)
    it = Desk(400, 8, Queues, weights={1: 3, 2: 1})
    started: list[int] = []
    async with anyio.create_task_group() as group:
        group.start_soon(it.run)
        for _ in range(20):
            await anyio.wait_all_tasks_blocked()
            batch = it.place.room.drain()
            started += [run.queue for run in batch]
            it.desk.put_nowait(Freed(Counter([run.lease for run in batch])))
        group.cancel_scope.cancel()
    assert len(started) == 160
    assert abs(started.count(1) - 120) <= 8
    assert abs(started[:40].count(1) - 30) <= 8


async def test_a_queue_that_turns_out_to_be_empty_holds_the_other_not_back() -> None:
    rarely = msgspec.structs.replace(CONFIG, second_look_s=60, busy_look_s=60, idle_look_s=60)
    it = Desk(20, 4, Emptied, rarely, {1: 100, 2: 1})
    async with anyio.create_task_group() as group:
        group.start_soon(it.run)
        await anyio.wait_all_tasks_blocked()
        assert [run.id for run in it.place.room.waiting] == [2, 4, 6, 8]
        assert it.claims.looked == 1
        group.cancel_scope.cancel()


async def test_what_is_to_be_had_aside_is_claimed_from_all_queues_and_counts_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "monotonic", lambda: 1.0)
    it = Desk(100, 8, Misfits, weights={1: 3, 2: 1})
    async with anyio.create_task_group() as group:
        group.start_soon(it.run)
        await anyio.wait_all_tasks_blocked()
        assert isinstance(it.claims, Misfits)
        assert sorted(it.claims.lines[0]) == [1, 2]
        assert [run.queue for run in it.place.room.drain()] == [1, 2] * 4
        it.desk.put_nowait(Freed({1: 8}))
        await anyio.wait_all_tasks_blocked()
        # The four of the second queue count for twelve of the first, of which it has had four.
        assert it.claims.lines[1:] == [[1], [1]]
        group.cancel_scope.cancel()


async def test_without_weights_a_claim_is_of_all_queues() -> None:
    it = Desk(20, 4, Queues)
    async with anyio.create_task_group() as group:
        group.start_soon(it.run)
        await anyio.wait_all_tasks_blocked()
        assert isinstance(it.claims, Queues)
        assert sorted(it.claims.lines[0]) == [1, 2]
        group.cancel_scope.cancel()


async def test_what_is_paused_goes_back_where_it_had_not_started_and_the_rest_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "monotonic", lambda: 1.0)
    it = Desk(8, 8, Queues)
    async with anyio.create_task_group() as group:
        group.start_soon(it.run)
        await anyio.wait_all_tasks_blocked()
        assert len(it.place.room.waiting) == 8
        looked = it.claims.looked
        it.hints.add_pause((2, None))
        it.hints.add_all()
        it.desk.put_nowait(Woken())
        back = await it.place.outcomes(4)
        assert [(outcome.run, outcome.kind) for outcome in back] == [(number, Kind.RELEASED) for number in (2, 4, 6, 8)]
        assert [run.id for run in it.place.room.waiting] == [1, 3, 5, 7]
        await anyio.wait_all_tasks_blocked()
        assert it.claims.looked > looked
        group.cancel_scope.cancel()


async def test_the_gate_is_told_of_tasks_that_somebody_found_to_go_by_it() -> None:
    it = Desk(runs=0, slots=4)
    async with anyio.create_task_group() as group:
        group.start_soon(it.run)
        await anyio.wait_all_tasks_blocked()
        assert it.claims.said == [], "no task here says so itself"
        it.gate.found([5])
        it.desk.put_nowait(Woken())
        await anyio.wait_all_tasks_blocked()
        assert it.claims.said == ["room 0: 4 of [5]"]
        group.cancel_scope.cancel()


async def test_a_look_that_finds_runs_for_the_gate_says_so() -> None:
    it = Desk(runs=0, slots=4, claims=Gated)
    async with anyio.create_task_group() as group:
        group.start_soon(it.run)
        await anyio.wait_all_tasks_blocked()
        assert it.gate.also == {5}
        assert "room 0: 4 of [5]" in it.claims.said
        group.cancel_scope.cancel()


async def test_the_gate_is_told_of_the_room_for_runs_of_each_width() -> None:
    it = Desk(runs=0, slots=9, wide={"four": 4, "ten": 10})
    it.gate.also = frozenset({5, 6, 7})
    async with anyio.create_task_group() as group:
        group.start_soon(it.run)
        await anyio.wait_all_tasks_blocked()
        assert sorted(it.claims.said[:3]) == ["room 0: 9 of [5]", "room 1: 2 of [6]", "room 2: 1 of [7]"]
        it.desk.put_nowait(Admitted([claimed(1, lease=9, task=6, lane="x")]))
        await anyio.wait_all_tasks_blocked()
        assert sorted(it.claims.said[-3:]) == ["room 0: 5 of [5]", "room 1: 2 of [6]", "room 2: 0 of [7]"], "of this one it has one"
        group.cancel_scope.cancel()


async def test_of_lines_with_wide_runs_no_more_are_claimed_than_fit_if_all_of_them_are() -> None:
    it = Desk(runs=20, slots=9, wide={"four": 4})
    it.claims.left = [msgspec.structs.replace(run, task=6) for run in it.claims.left]
    async with anyio.create_task_group() as group:
        group.start_soon(it.run)
        await anyio.wait_all_tasks_blocked()
        assert it.claims.asked == [2, 1], "and one more, which waits for its slots before others start"
        assert it.place.room.unfinished == 12
        group.cancel_scope.cancel()


async def test_where_the_gate_wants_room_slots_that_become_free_are_left_to_it() -> None:
    it = Desk(runs=100, slots=4, wide={"three": 3}, config=msgspec.structs.replace(CONFIG, prefetch_horizon_s=0, busy_look_s=60))
    it.gate.also = frozenset({6})
    async with anyio.create_task_group() as group:
        group.start_soon(it.run)
        await anyio.wait_all_tasks_blocked()
        room = it.place.room
        assert len(room.waiting) == 4
        it.gate.wanted = frozenset({6})
        for _ in range(3):
            it.desk.put_nowait(Freed({room.waiting.popleft().lease: 1}))
            await anyio.wait_all_tasks_blocked()
        assert len(room.waiting) == 1, "nothing is claimed for them"
        assert it.claims.said[-1] == "room 1: 1 of [6]"
        it.desk.put_nowait(Admitted([claimed(1000, lease=9, task=6, lane="x")]))
        await anyio.wait_all_tasks_blocked()
        it.desk.put_nowait(Freed({room.waiting.popleft().lease: 1}))
        await anyio.wait_all_tasks_blocked()
        assert room.unfinished == 4, "it came, and the others go on"
        group.cancel_scope.cancel()
