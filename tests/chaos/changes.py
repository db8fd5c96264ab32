"""What limits allow is changed while everything goes on: numbers, those of single keys, pauses, and keys that a failure holds up."""

import time
from random import Random

import anyio

from .faults.server import LOST
from .server import Server

SET = "select howdah.set_limit(l.name, {}, {})::text from howdah.limit_terms l where l.name = $1"
NUMBER = SET.format("jsonb_build_object('number', $2::int)", "null")
OF_KEY = SET.format("jsonb_build_object('number', $2::int)", "$3")
AS_ITS_LIMIT = SET.format("null", "$2")
PAUSE = "select howdah.pause_limit(l.name)::text from howdah.limit_terms l where l.name = $1"
PAUSE_KEY = "select howdah.pause_limit(l.name, $2)::text from howdah.limit_terms l where l.name = $1"
RESUME = "select howdah.resume_limit(l.name)::text from howdah.limit_terms l where l.paused"
RESUME_KEYS = "select howdah.resume_limit(k.name, k.key)::text from howdah.limit_key k where k.paused"
UNBLOCK = "select howdah.resume_limit(k.name, k.key)::text from howdah.limit_key k where k.blocked is not null"
RETRY = "select howdah.retry(array(select k.blocked from howdah.limit_key k where k.blocked is not null order by k.blocked))::text"

NUMBERS = {"chaos-all": (4, 10, 16), "chaos-key": (1, 2, 3, 4), "chaos-held": (1, 2, 4), "chaos-fair": (2, 6, 9), "chaos-newest": (1, 2, 3),
           "chaos-wide": (20, 60, 90)}  # fmt: skip
KEYED = ("chaos-key", "chaos-held", "chaos-newest")
PAUSED = ("chaos-key", "chaos-line", "chaos-held")
KEYS = 6


async def make(server: Server, seed: int, until: float) -> None:
    """One after the other, until then."""
    random = Random(f"terms {seed}")
    while True:
        await anyio.sleep(random.uniform(0.5, 3.0))
        if time.monotonic() > until:
            return
        try:
            question, args = _change(random)
            await server.ask(question, *args)
        except LOST:
            continue  # Whether it took effect or not, its row says so.


async def end(server: Server) -> None:
    """Nothing is paused any more."""
    for resume in (RESUME, RESUME_KEYS):
        await server.ask(resume)


async def free(server: Server) -> None:
    """Whatever a failure holds up goes on: said again for as long as runs may fail."""
    await server.ask(UNBLOCK)


def _change(random: Random) -> tuple[str, tuple[object, ...]]:
    key = f"k{random.randrange(KEYS)}"
    match random.choice(("number", "key", "key", "forget", "pause", "pause", "resume", "unblock", "retry", "retry")):
        case "number":
            name = random.choice(list(NUMBERS))
            return NUMBER, (name, random.choice(NUMBERS[name]))
        case "key":
            name = random.choice(KEYED)
            return OF_KEY, (name, random.choice(NUMBERS[name]), key)
        case "forget":
            return AS_ITS_LIMIT, (random.choice(KEYED), key)
        case "pause":
            name = random.choice(PAUSED)
            return (PAUSE_KEY, (name, key)) if random.random() < 0.7 else (PAUSE, (name,))
        case "resume":
            return random.choice((RESUME, RESUME_KEYS)), ()
        case "unblock":
            return UNBLOCK, ()
        case _:
            return RETRY, ()
