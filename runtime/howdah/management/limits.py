"""`jobs.limits`: what limits allow in a running system, whatever the code says of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from .. import codec
from ..client import Client
from ..db.files import query
from ..demands import text_of
from ..duration import Duration
from ..errors import ArgumentsInvalid, ConfigurationError
from ..limits import KeyText, Limit, Rate
from .asking import asking


class LimitTerms(msgspec.Struct, frozen=True):
    """What a limit allows. number: so many at once; or per_s: so many tokens a second, of which its bucket holds burst; or what opens a
    breaker: this share of failures among the last `of` ends, for open_s seconds."""

    number: int | None = None
    per_s: float | None = None
    burst: float | None = None
    failures: float | None = None
    of: int | None = None
    open_s: float | None = None


class LimitKey(msgspec.Struct, frozen=True):
    """One key of a limit that somebody set or paused. terms None: those of the limit. blocked: the run of a Sequence whose failure holds
    the key up, until it is retried or the key is resumed."""

    key: str
    terms: LimitTerms | None
    paused: bool
    blocked: int | None = None


class OpenKey(msgspec.Struct, frozen=True):
    """A key whose breaker is not closed, since `opened`. until: nothing starts under it before then, and one probe at a time after that."""

    key: str
    opened: datetime
    until: datetime


class LimitInfo(msgspec.Struct, frozen=True):
    """A limit: a row of howdah.limits. kind: "limit", "rate" or "breaker". terms: what it allows now; said: what the code says of it;
    live: what somebody set instead, None: nothing. keys: those that have terms of their own or are paused, at most a thousand.
    open: those of a breaker that are not closed."""

    name: str
    kind: str
    terms: LimitTerms
    said: LimitTerms
    live: LimitTerms | None
    paused: bool
    changed_at: datetime
    keys: list[LimitKey]
    open: list[OpenKey] = []


class Limits:
    """The limits of a database. What is set here stays until it is reset, however often nodes start, and wins over the code.

    A change reaches the gate at once. It holds for what starts from then on: nothing that runs is stopped."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def list(self) -> list[LimitInfo]:
        """Every limit, by name: those of each task that a node has started with."""
        async with asking(self._client) as connection:
            rows = await connection.fetch(query("limits"))
        return [
            LimitInfo(name, kind, _read(terms), _read(said), None if live is None else _read(live), paused, at, _keys(keys), _open(opened))
            for name, kind, terms, said, live, paused, at, keys, opened in rows
        ]

    async def set(self, name: str, n: int, *, per: Duration | None = None, burst: int | None = None) -> None:
        """What a limit allows from now on, for all keys that have nothing of their own: n at once, or for a rate n in each `per` with
        this burst, default n. ArgumentsInvalid: there is no such limit, or it is of the other kind, or the numbers are none."""
        await self._set(name, _terms(name, n, per, burst), None)

    async def reset(self, name: str) -> None:
        """What the code says of a limit holds again. Keys keep what was set for them, and pauses stay. All keys of a breaker are closed."""
        await self._set(name, None, None)

    async def override(self, name: str, key: KeyText, n: int | None, *, per: Duration | None = None, burst: int | None = None) -> None:
        """What one key of a limit allows from now on, as set() takes it. None: what holds for its limit; a breaker is
        closed."""
        if n is None and (per is not None or burst is not None):
            raise ArgumentsInvalid("per= and burst= say how often n may start: pass n as well, or neither to remove what was set")
        await self._set(name, None if n is None else _terms(name, n, per, burst), key)

    async def pause(self, name: str, key: KeyText | None = None) -> None:
        """Has nothing start under a limit, or under one key of it, until it is resumed: what runs goes on, and so do enqueues."""
        async with asking(self._client) as connection:
            await connection.execute(query("pause_limit"), name, _text(key))

    async def resume(self, name: str, key: KeyText | None = None) -> None:
        """Takes back what pause() said; what waits starts at once. A key that was paused by itself is resumed by itself,
        and so is one that a failure in a Sequence holds up."""
        async with asking(self._client) as connection:
            await connection.execute(query("resume_limit"), name, _text(key))

    async def _set(self, name: str, terms: Mapping[str, float | str] | None, key: KeyText | None) -> None:
        async with asking(self._client) as connection:
            await connection.execute(query("set_limit"), name, None if terms is None else codec.encode(terms), _text(key))


def _terms(name: str, n: int, per: Duration | None, burst: int | None) -> Mapping[str, float | str]:
    if per is None and burst is not None:
        raise ArgumentsInvalid(f"burst={burst!r} is said of rates, and a rate has a period: pass per= as well, as in per='1m'")
    try:
        return Limit(name, n).terms() if per is None else Rate(name, n, per=per, burst=burst).terms()
    except (ConfigurationError, ValueError) as error:
        raise ArgumentsInvalid(f"{error}. To let nothing start, pause it: jobs.limits.pause({name!r})") from error


def _text(key: KeyText | None) -> str | None:
    if key is None:
        return None
    text = text_of(key)
    if text is None or "\0" in text:
        raise ArgumentsInvalid(f"{key!r} is no key of a limit: a key is text, a whole number, a bool, a UUID or an enum of these")
    return text


def _read(terms: str) -> LimitTerms:
    return codec.decoder(LimitTerms).decode(terms)


def _keys(keys: str | None) -> list[LimitKey]:
    return [] if keys is None else codec.decoder(list[LimitKey]).decode(keys)


def _open(opened: str | None) -> list[OpenKey]:
    return [] if opened is None else codec.decoder(list[OpenKey]).decode(opened)
