"""`howdah settings`: every setting, as config.py describes it. docs/settings.md is what --markdown prints."""

import ast
import inspect
import itertools
import os
import textwrap
from typing import Any, NamedTuple

import click
import msgspec

from ..config import Config, configure
from ..core.retry import Retry
from ..duration import seconds
from ..policy import LIBRARY

_HEAD = """\
# Settings

Generated from `runtime/howdah/config.py` by `howdah settings --markdown`; a test compares the two.

A setting is a keyword of `App` or a `HOWDAH_*` variable; the keyword wins. `howdah settings` prints what is in force.

```python
jobs = App(concurrency=200, lease_s=30, heartbeat_s=5)
```
```
HOWDAH_CONCURRENCY=200 howdah worker shop:jobs
```

## What a task does where it says nothing

| word | default | |
|---|---|---|
"""


class Setting(NamedTuple):
    """One setting."""

    name: str
    default: Any
    reason: str

    @property
    def variable(self) -> str:
        """Its environment variable."""
        return f"HOWDAH_{self.name.upper()}"

    def said(self, value: Any) -> str:
        """A value of it, with its unit."""
        if value is None:
            return "none"
        if value is msgspec.NODEFAULT:
            return "computed"
        number = f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else str(value)
        return f"{number} s" if self.name.endswith("_s") else number


def settings_of(kind: type[Config]) -> list[Setting]:
    """The settings in the order of the class, each with the text that stands below it there."""
    (body,) = (node.body for node in ast.parse(textwrap.dedent(inspect.getsource(kind))).body if isinstance(node, ast.ClassDef))
    reasons: dict[str, str] = {}
    for statement, following in itertools.pairwise(body):
        match statement, following:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                reasons[name] = " ".join(text.split())
            case _:
                pass
    return [Setting(field.name, field.default, reasons[field.name]) for field in msgspec.structs.fields(kind)]


def markdown() -> str:
    """docs/settings.md."""
    return "\n".join([_HEAD + "\n".join(_words()), "", "## Settings of the app", "", *_table(), ""])


def _words() -> list[str]:
    retry, timeout = LIBRARY.retry, LIBRARY.timeout
    assert isinstance(retry, Retry)
    assert isinstance(timeout, float | int | str)
    wait = (
        f"before attempt n + 1 an even draw from 0 to min({seconds(retry.cap):g} s, {seconds(retry.base):g} s * {retry.factor:g}^(n - 1))"
    )
    return [
        f"| `retry` | `Retry({retry.attempts})` | attempts in all, the first included; full jitter: {wait} |",
        f"| `timeout` | {seconds(timeout) / 60:g} min | of each attempt; it is `default_timeout_s` below |",
        f"| `queue` | `{LIBRARY.queue}` | |",
        f"| `priority` | {LIBRARY.priority} | higher first |",
        f"| `delivery` | `{LIBRARY.delivery}` | a run whose node died is run again; `at_most_once`: it ends as `lost`, and `retry` is 1 |",
        "",
        "A task's own words go before `Tasks(defaults=Defaults(...))`, these before `App(defaults=Defaults(...))`, these before the table.",
    ]


def _table() -> list[str]:
    rows = [f"| `{one.name}` | `{one.variable}` | {one.said(one.default)} | {one.reason} |" for one in settings_of(Config)]
    return ["| keyword | variable | default | what it is, and why |", "|---|---|---|---|", *rows]


@click.command()
@click.option("--markdown", "as_markdown", is_flag=True, help="Print docs/settings.md.")
def settings(*, as_markdown: bool) -> None:
    """List the settings and what is in force here: defaults, and HOWDAH_* variables where they are set."""
    if as_markdown:
        click.echo(markdown(), nl=False)
        return
    config = configure({})
    listed = settings_of(Config)
    wide = max(len(one.variable) for one in listed)
    for one in listed:
        changed = one.variable in os.environ
        # A DSN may hold a password.
        shown = "set" if changed and one.name.endswith("dsn") else one.said(getattr(config, one.name))
        click.echo(f"{one.variable:{wide}}  {click.style(f'{shown:>12}', bold=changed)}  {one.reason}")
