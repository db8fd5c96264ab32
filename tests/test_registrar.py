"""What the decorators take: handlers of failures and facts, processes, and words that do not make sense."""

from typing import Any

import pytest
from howdah import Alert, App, ConfigurationError, FailedRun, Tasks

JOBS = App()


async def report(failed: FailedRun) -> None: ...
async def untold(failed) -> None: ...  # pyright: ignore[reportUnknownParameterType, reportMissingParameterType]
async def other(number: int) -> None: ...
async def work() -> None: ...
def watch(alert: Alert) -> None: ...


def defaults(task: Any) -> dict[str, Any]:
    return task.definition.catalogue()["defaults"]


def test_the_catalogue_says_who_handles_a_failure_and_by_which_parameter() -> None:
    jobs, tasks = App(), Tasks()
    handler = tasks.task(name="reporter")(report)
    task = jobs.task(on_failure=handler)(work)
    assert defaults(task)["on_failure"] == {"task": "reporter", "parameter": "failed"}
    assert "on_failure" not in defaults(jobs.task(other))
    assert defaults(jobs.task(name="third", on_failure=jobs.stub(report))(work))["on_failure"] == {"task": "report", "parameter": "failed"}


@pytest.mark.parametrize("handler", [untold, other])
def test_a_handler_takes_a_failed_run_and_says_so(handler: Any) -> None:
    jobs = App()
    task = jobs.task(on_failure=jobs.task(handler))(work)
    with pytest.raises(ConfigurationError, match=r"handler '\w+' \(.*\) must be annotated as howdah.FailedRun"):
        defaults(task)


def test_a_handlers_type_may_be_defined_below_it() -> None:
    jobs = App()

    async def late(failed: "Below") -> None: ...

    task = jobs.task(on_failure=jobs.task(late))(work)
    assert defaults(task)["on_failure"]["parameter"] == "failed"


Below = FailedRun


def test_a_task_that_hears_of_facts_says_so_under_its_own_name_alone() -> None:
    jobs = App()
    task = jobs.on("run.failed", "node.lost", aliases=["guard"])(watch)
    assert task.name == "watch"
    (name, said), (alias, quiet) = task.definition.entries()
    assert (name, said["defaults"]["alerts"]) == ("watch", {"facts": ["run.failed", "node.lost"], "parameter": "alert"})
    assert alias == "guard"
    assert "alerts" not in quiet["defaults"]
    assert quiet["hash"] == said["hash"]


def test_a_process_of_its_own_has_its_limits_in_bytes_and_runs() -> None:
    said = App().task(isolation="process", memory="512MB", max_runs=100)(work).definition
    assert (said.isolation, said.memory, said.max_runs) == ("process", 512_000_000, 100)
    plain = App().task(work).definition
    assert (plain.isolation, plain.memory, plain.max_runs) == (None, None, None)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ({"nme": "x"}, r"@jobs.task does not know nme=; it takes name, aliases, queue"),
        ({"timeout": None}, "timeout=None of task 'work': each attempt has a timeout"),
        ({"delivery": "once"}, "delivery='once' is not one of 'at_least_once', 'at_most_once'"),
        ({"isolation": "thread"}, "isolation='thread' is not one of None, 'process'"),
        ({"memory": "1GB"}, 'say isolation="process" as well'),
        ({"max_runs": 5}, 'say isolation="process" as well'),
        ({"isolation": "process", "max_runs": -1}, "max_runs=-1 of task 'work' must be at least 1"),
        ({"aliases": "old"}, r"aliases=\['old'\]"),
        ({"aliases": [""]}, "cannot be a name"),
        ({"on_failure": JOBS.task(work)}, r"must take one argument, a howdah.FailedRun, and its parameters are: none"),
        ({"on_failure": report}, "on_failure= takes a task"),
    ],
)
def test_words_that_make_no_sense_are_refused_at_the_definition(words: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        App().task(**words)(work)


def test_facts_that_do_not_happen_are_refused() -> None:
    empty: Any = work
    odd: Any = "run.done"
    with pytest.raises(ConfigurationError, match=r"fact='run.done' is not one of 'run.failed', 'run.stale'"):
        App().on(odd)
    with pytest.raises(ConfigurationError, match="was given no fact"):
        App().on()
    with pytest.raises(ConfigurationError, match=r"must take one argument, a howdah\.Alert"):
        App().on("node.lost")(empty)


def test_what_is_no_function_is_no_task() -> None:
    odd: Any = "welcome"
    with pytest.raises(ConfigurationError, match="'welcome', which is no function"):
        App().task(odd)
