"""What requires=, prefers=, sticky= and slots= take and refuse."""

from howdah import App, CurrentNode, current_node
from howdah.placement import above, at_least, at_most, below, not_equal, weight

jobs = App(labels={"zone": "eu"})


@jobs.task(
    requires={"gpu": True, "mem_gb": at_least(16), "cores": above(2.5), "rack": not_equal("x"), "os": "linux"},
    prefers={"zone": weight("eu", 10), "mem_gb": [weight(at_most(64), 2), weight(below(32), 3)], "ssd": True},
    prefer_for="5s",
    sticky="soft",
    slots=4,
)
async def render(film: int) -> str:
    return ""


render.options(requires={"gpu": False}, prefers={"zone": "eu"}, prefer_for=2, sticky="hard")
node: CurrentNode = current_node()
name: str = node.name
node.labels.set(zone="us", mem_gb=32, fast=True)
node.labels.remove("zone", "fast")
zone: object = node.labels["zone"]

at_least("16")  # error: a number
weight("eu", "10")  # error: a number
weight("eu")  # error: how much?
render.options(requires={"gpu": None})  # error: no value of a label
render.options(requires={"gpu": lambda: True})  # error: decided in Postgres, which has no functions of ours
render.options(requires={"gpu": weight(True, 1)})  # error: what is required has no weight
render.options(requires=["gpu"])  # error: labels and values
render.options(sticky="firm")  # error: soft or hard
render.options(prefer_for=None, slots=2)  # error: slots are the task's
node.labels.set(zone=None)  # error: no value of a label
node.labels.set("zone", "us")  # error: by name
jobs.task(slots="4")  # error: a number
jobs.task(sticky=True)  # error: soft or hard
