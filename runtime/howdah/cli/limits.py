"""`howdah limits`: what limits allow, setting that in a running system, and pausing one or one of its keys."""

import click

from ..app import App
from ..management.limits import LimitInfo, LimitTerms
from .asking import TEXT, ask, dsn_option, json_option, print_lines
from .durations import LENGTH
from .plain import plain
from .tables import moment, table


@click.group()
def limits() -> None:
    """List limits; set, override, pause and resume one in a running system."""


@limits.command()
@json_option
@dsn_option
def ls(dsn: str | None, *, as_json: bool) -> None:
    """List the limits, what each allows, and the keys of which somebody said otherwise."""

    async def work(jobs: App) -> list[LimitInfo]:
        return await jobs.limits.list()

    listed = ask(dsn, work)
    if as_json:
        print_lines(listed)
        return
    if not listed:
        click.echo("There are no limits yet: a node makes those of its tasks known when it starts.", err=True)
        return
    table(("LIMIT", "KEY", "KIND", "ALLOWS", "THE CODE SAYS", "STATE"), (row for one in listed for row in _rows(one)))


def _rows(one: LimitInfo) -> list[tuple[object, ...]]:
    state = "; ".join(word for word in ("set live" if one.live is not None else "", "paused" if one.paused else "") if word)
    rows: list[tuple[object, ...]] = [(one.name, None, one.kind, _allowed(one.terms), _allowed(one.said), state)]
    for key in one.keys:
        words = ("set live" if key.terms is not None else "", "paused" if key.paused else "")
        held = "" if key.blocked is None else f"held up by the failure of run {key.blocked}"
        state = "; ".join(word for word in (*words, held) if word)
        rows.append((one.name, key.key or "''", None, _allowed(key.terms or one.terms), None, state))
    for opened in one.open:
        state = f"open since {moment(opened.opened)}, next probe from {moment(opened.until)}"
        rows.append((one.name, opened.key or "''", None, None, None, state))
    return rows


def _allowed(terms: LimitTerms) -> str:
    if terms.failures is not None:
        return f"opens for {terms.open_s:g} s at {terms.failures:.3g} failed of {terms.of:,}"
    if terms.per_s is None:
        return f"{terms.number:,} at once"
    rates = [(terms.per_s * length_s, unit) for unit, length_s in (("s", 1), ("m", 60), ("h", 3600), ("d", 86400))]
    whole = [(n, unit) for n, unit in rates if n > 0.999 and abs(n - round(n)) < 1e-6 * n]  # As it was said, most probably.
    n, unit = (whole or [rate for rate in rates if rate[0] >= 1] or rates[-1:])[0]
    return f"{n:,.6g} per {unit}, burst {terms.burst:,g}"


_per = click.option("--per", type=LENGTH, metavar="DURATION", help="Of a rate: in which time N may start, as in 1m.")
_burst = click.option("--burst", type=int, metavar="B", help="Of a rate: how many may start at once after a pause; default N.")


@limits.command(name="set")
@click.argument("name", type=TEXT)
@click.argument("n", type=int)
@_per
@_burst
@dsn_option
def set_(dsn: str | None, name: str, n: int, per: float | None, burst: int | None) -> None:
    """Have the limit NAME allow N from now on, whatever the code says, until it is reset."""
    ask(dsn, lambda jobs: jobs.limits.set(name, n, per=per, burst=burst))
    click.echo(f"Limit {plain(name)} allows {_said(n, per)}, until `howdah limits reset` takes that back.")


@limits.command()
@click.argument("name", type=TEXT)
@dsn_option
def reset(dsn: str | None, name: str) -> None:
    """Have the limit NAME allow what the code says of it; keys keep what was set for them. A breaker is closed."""
    ask(dsn, lambda jobs: jobs.limits.reset(name))
    click.echo(f"Limit {plain(name)} allows what the code says of it.")


@limits.command()
@click.argument("name", type=TEXT)
@click.argument("key", type=TEXT)
@click.argument("n", type=TEXT)
@_per
@_burst
@dsn_option
def override(dsn: str | None, name: str, key: str, n: str, per: float | None, burst: int | None) -> None:
    """Have the limit NAME allow N for one KEY from now on; N is `default` to take that back."""
    if n != "default" and not n.isdecimal():
        raise click.BadParameter(f"{n!r} is neither a whole number nor `default`", param_hint="N")
    number = None if n == "default" else int(n)
    ask(dsn, lambda jobs: jobs.limits.override(name, key, number, per=per, burst=burst))
    said = "what holds for the others" if number is None else _said(number, per)
    click.echo(f"Limit {plain(name)} allows key {plain(key)!r} {said}.")


@limits.command()
@click.argument("name", type=TEXT)
@click.argument("key", type=TEXT, required=False)
@dsn_option
def pause(dsn: str | None, name: str, key: str | None) -> None:
    """Have nothing start under the limit NAME, or under one KEY of it, until it is resumed; what runs goes on."""
    ask(dsn, lambda jobs: jobs.limits.pause(name, key))
    click.echo(f"Limit {_named(name, key)} pauses: nothing starts under it; `howdah limits resume` takes that back.")


@limits.command()
@click.argument("name", type=TEXT)
@click.argument("key", type=TEXT, required=False)
@dsn_option
def resume(dsn: str | None, name: str, key: str | None) -> None:
    """Let runs start again under the limit NAME, or under one KEY of it, after a pause."""
    ask(dsn, lambda jobs: jobs.limits.resume(name, key))
    click.echo(f"Limit {_named(name, key)} lets runs start again.")


def _named(name: str, key: str | None) -> str:
    return plain(name) if key is None else f"{plain(name)}, key {plain(key)!r},"


def _said(n: int, per: float | None) -> str:
    return f"{n:,} at once" if per is None else f"{n:,} in each {per:g} s"
