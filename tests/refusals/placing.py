"""What tasks, calls and SQL may not say of the nodes that a run goes to, and what is no label of one."""

from typing import Any, cast

import asyncpg
from howdah import App, current_node
from howdah import errors as e
from howdah.placement import at_least, weight

from ..wrongdoing import ping
from .row import SELECT, C, Row

ROWS = [
    # Labels.
    Row(
        "labels that are none",
        lambda s: App(labels={"zone": None}),
        C,
        "labels= says zone='None': a label is a text of at most 200 characters, a number or a bool",
        lambda s: App(labels={"zone": "eu"}),
    ),
    Row(
        "a label without a name",
        lambda s: App(labels={"": 1}),
        C,
        "labels= has a label '': its name is text of 1 to 200 characters, without NUL",
        lambda s: App(labels={"a": 1}),
    ),
    Row(
        "too many labels",
        lambda s: App(labels=dict.fromkeys(map(str, range(65)), 1)),
        C,
        "labels= has 65 labels: a node has at most 64",
        lambda s: App(labels=dict.fromkeys(map(str, range(64)), 1)),
    ),
    Row(
        "no node around",
        lambda s: current_node(),
        e.HowdahError,
        "`async with jobs.work() as node:` gives, and node.labels are its labels",
        None,
    ),
    # Definitions.
    Row(
        "requirements that are none",
        lambda s: s.define(ping, requires=cast("Any", ["gpu"])),
        C,
        "is no mapping: pass labels and values, as in requires={'zone': 'eu'}",
        lambda s: s.define(ping, requires={"gpu": True}),
    ),
    Row(
        "too many requirements",
        lambda s: s.define(ping, requires=dict.fromkeys(map(str, range(65)), 1)),
        C,
        "names 65 labels, and at most 64 are compared",
        lambda s: s.define(ping, requires=dict.fromkeys(map(str, range(64)), 1)),
    ),
    Row(
        "a requirement without a value",
        lambda s: s.define(ping, requires=cast("Any", {"gpu": None})),
        C,
        "says gpu='None': a label is a text",
        lambda s: s.define(ping, requires={"gpu": True}),
    ),
    Row(
        "a requirement that is a function",
        lambda s: s.define(ping, requires=cast("Any", {"gpu": bool})),
        C,
        "gives label 'gpu' a function, and Postgres decides: pass a value or a comparison, as at_least(16)",
        lambda s: s.define(ping, requires={"gpu": at_least(16)}),
    ),
    Row(
        "a requirement with a weight",
        lambda s: s.define(ping, requires=cast("Any", {"zone": weight("eu", 1)})),
        C,
        "what is required has none: use weight() in prefers=",
        lambda s: s.define(ping, prefers={"zone": weight("eu", 1)}),
    ),
    Row(
        "a comparison of texts",
        lambda s: s.define(ping, requires={"mem": at_least(cast("Any", "16"))}),
        C,
        "says at_least('16') of label 'mem', which compares numbers",
        lambda s: s.define(ping, requires={"mem": at_least(16)}),
    ),
    Row(
        "a weight of nothing",
        lambda s: s.define(ping, prefers={"zone": weight("eu", 0)}),
        C,
        "the weight 0: a weight is a number above 0, at most 1,000,000",
        lambda s: s.define(ping, prefers={"zone": weight("eu", 0.1)}),
    ),
    Row(
        "a preference for nothing",
        lambda s: s.define(ping, prefers={"zone": []}),
        C,
        "lists 0 values for label 'zone': one to 64 of them",
        lambda s: s.define(ping, prefers={"zone": ["eu"]}),
    ),
    Row(
        "a wait for nothing",
        lambda s: s.define(ping, prefer_for="5s"),
        C,
        'how long to wait for a better node, and nothing is preferred: say prefers= as well, or sticky="soft"',
        lambda s: s.define(ping, prefer_for="5s", sticky="soft"),
    ),
    Row(
        "a wait that is none",
        lambda s: s.define(ping, prefers={"zone": "eu"}, prefer_for="soon"),
        C,
        "takes a duration, as in prefer_for='5s'",
        lambda s: s.define(ping, prefers={"zone": "eu"}, prefer_for=1),
    ),
    Row(
        "a long wait",
        lambda s: s.define(ping, prefers={"zone": "eu"}, prefer_for="25h"),
        C,
        "is more than a day: what is worth such a wait is required",
        lambda s: s.define(ping, prefers={"zone": "eu"}, prefer_for="24h"),
    ),
    Row(
        "sticky in no known way",
        lambda s: s.define(ping, sticky=cast("Any", "firm")),
        C,
        "sticky='firm' is not one of 'soft', 'hard'",
        lambda s: s.define(ping, sticky="hard"),
    ),
    Row(
        "no slots of a task",
        lambda s: s.define(ping, slots=0),
        C,
        "must be a whole number, at least 1: what a run takes on its node",
        lambda s: s.define(ping, slots=1),
    ),
    Row(
        "a call that requires nonsense",
        lambda s: s.define(ping).options(requires=cast("Any", {"gpu": None})),
        C,
        "requires= of a call of 'ping' says gpu='None'",
        lambda s: s.define(ping).options(requires={"gpu": True}),
    ),
    # SQL.
    Row(
        "SQL: requirements as an array",
        lambda s: s.sql(f"{SELECT}('t', requires => '[]')"),
        asyncpg.DataError,
        "requires of t must be an object of at most 64 labels, each with a name of 1 to 200 characters",
        lambda s: s.sql(f"{SELECT}('t', requires => '{{}}')"),
    ),
    Row(
        "SQL: an unknown comparison",
        lambda s: s.sql(f"{SELECT}('t', requires => '{{\"a\": {{\"like\": 1}}}}')"),
        asyncpg.DataError,
        "what requires of t says of label a makes no sense",
        lambda s: s.sql(f"{SELECT}('t', requires => '{{\"a\": {{\"at_least\": 1}}}}')"),
    ),
    Row(
        "SQL: a weight of nothing",
        lambda s: s.sql(f'{SELECT}(\'t\', prefers => \'{{"a": {{"equal": 1, "weight": 0}}}}\')'),
        asyncpg.DataError,
        "what prefers of t says of label a makes no sense",
        lambda s: s.sql(f'{SELECT}(\'t\', prefers => \'{{"a": {{"equal": 1, "weight": 1}}}}\')'),
    ),
    Row(
        "SQL: a long wait",
        lambda s: s.sql(f"{SELECT}('t', prefer_for => '25 hours')"),
        asyncpg.DataError,
        "and not a time of at most a day",
        lambda s: s.sql(f"{SELECT}('t', prefer_for => '24 hours')"),
    ),
    Row(
        "SQL: sticky in no known way",
        lambda s: s.sql(f"{SELECT}('t', sticky => 'firm')"),
        asyncpg.DataError,
        "sticky of t is firm and not soft or hard",
        lambda s: s.sql(f"{SELECT}('t', sticky => 'hard')"),
    ),
    Row(
        "SQL: a placement that is none",
        lambda s: s.sql("select howdah.introduce('nowhere', p_defaults => '{\"placement\": []}')"),
        asyncpg.DataError,
        "the placement of nowhere must be an object",
        lambda s: s.sql("select howdah.introduce('nowhere', p_defaults => '{\"placement\": {}}')"),
    ),
    Row(
        "SQL: labels as an array",
        lambda s: s.sql("select howdah.checked_labels('[]')"),
        asyncpg.DataError,
        "the labels of a node are an object of at most 64 names and values",
        lambda s: s.sql("select howdah.checked_labels('{}')"),
    ),
    Row(
        "SQL: a label without a value",
        lambda s: s.sql("select howdah.checked_labels('{\"a\": null}')"),
        asyncpg.DataError,
        "the label a is no text, number or truth value of at most 200 characters",
        lambda s: s.sql("select howdah.checked_labels('{\"a\": 1}')"),
    ),
]
