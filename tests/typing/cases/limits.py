"""What Limit, Rate and limits= take and refuse."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from howdah import App, Breaker, Limit, Rate, RateLimited, Run, Tasks

jobs = App()
tasks = Tasks()


class Plan(StrEnum):
    FREE = "free"
    GOLD = "gold"


@dataclass
class User:
    id: UUID
    plan: Plan


def tenant_of(user: User, pages: int = 1) -> str:
    return str(user.id)[:4]


def plan_of(user: User, pages: int = 1) -> Plan:
    return user.plan


def user_of(user: User, pages: int = 1) -> UUID:
    return user.id


def cost_of(user: User, pages: int = 1) -> float:
    return pages / 2


async def awaited(user: User, pages: int = 1) -> str:
    return "x"


Limit("all", 2)
Limit("per-user", 2, key="user.id", hold="run")
Limit("per-tenant", 2, key=tenant_of, fair_by=plan_of, weights={"gold": 3})
Limit("per-user", 2, key=lambda *_: 7)
Rate("smtp", 100, per="1m")
Rate("smtp", 100, per=60, burst=10, key=user_of, cost="pages")
Rate("smtp", 100, per=1.5, cost=2)
Rate("smtp", 100, per=1.5, cost=cost_of)

Limit("x")  # error: at most how many?
Limit("x", "2")  # error: a number
Limit(2, "x")  # error: the name comes first
Limit("x", 2, "user.id")  # error: a key is given by name
Limit("x", 2, key=7)  # error: neither a path nor a function
Limit("x", 2, key=cost_of)  # error: a float is no key
Limit("x", 2, key=awaited)  # error: an enqueue does not wait for its key
Limit("x", 2, hold="for ever")  # error: no such way to hold
Limit("x", 2, fair_by="user.plan", weights=[3])  # error: weights have groups
Limit("x", 2, per="1m")  # error: that is a Rate
Rate("x", 2)  # error: in what time?
Rate("x", 2, "1m")  # error: the period is given by name
Rate("x", 2, per=[1])  # error: a list is no duration
Rate("x", 2, per="1m", burst=1.5)  # error: a bucket holds whole tokens
Rate("x", 2, per="1m", cost=tenant_of)  # error: a cost is a number
Rate("x", 2, per="1m", fair_by="user.plan")  # error: groups share places, not tokens
Breaker("x", failures=0.5, of=20, open_for="1m", key="user.id")
Breaker("x", key=tenant_of)
Breaker("x", 0.5)  # error: a share is given by name
Breaker("x", of="20")  # error: so many ends are a number
Breaker("x", fair_by="user.plan")  # error: it shares nothing
Limit("x", 2).n = 3  # error: a limit is frozen


@jobs.task(limits=[Limit("per-user", 2, key="user.id"), Rate("smtp", 100, per="1m"), Breaker("stripe")])
async def welcome(user: User, pages: int = 1) -> int:
    raise RateLimited("smtp", retry_after="30s")


@tasks.task(limits=(Limit("per-tenant", 2, key=tenant_of),))
def shrink(user: User, pages: int = 1) -> int:
    raise RateLimited(retry_after=30)


@jobs.on("run.failed", limits=[Limit("x", 1)])
async def watch(alert: object) -> None:
    raise RateLimited("smtp", 30)  # error: the pause is given by name


@jobs.task(limits=["x"])  # error: a name is no limit
async def named() -> None: ...


@jobs.task(limits=Limit("x", 1))  # error: several may be given
async def single() -> None: ...


@jobs.stub(limits=[Limit("x", 1)])  # error: that is said where the function lives
async def elsewhere() -> None: ...


@jobs.stub(keys={"per-tenant": tenant_of, "smtp/cost": 2.5, "per-user": 7})
async def afar(user: User) -> int:
    raise NotImplementedError


@jobs.stub(keys={"per-tenant": None})  # error: no key
async def keyless(user: User) -> None: ...


afar.options(keys={"per-tenant": "gold", "per-tenant/group": tenant_of})
afar.options(keys=["per-tenant"])  # error: names and keys


async def use(user: User) -> None:
    run: Run[int] = await welcome.enqueue(user)
    await welcome.enqueue(user, "two")  # error: limits leave the signature as it is
    await run.result()
