"""`howdah worker --health`: /live, /ready and /metrics over HTTP, for whoever starts, stops and watches processes.

It is answered from the event loop that the node runs in, and that is the point of /live: a loop that hangs does no work, while the
heart, on its own thread, goes on keeping the runs from everybody else. Nobody but the prober can tell; no answer is the answer.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

import anyio
import anyio.abc
import click

from ..errors import HowdahError
from ..node import Node
from .sdk import Exposition

REQUEST_MAX = 8192
"""Bytes of a request: probes and scrapers send a few hundred."""
REQUEST_S = 10.0
"""How long a request may take, from its connection to the last byte of its answer."""
CONNECTIONS_MAX = 16
"""Requests that are answered at once; others wait for their turn, within their time."""

_WORDS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 501: "Not Implemented", 503: "Service Unavailable"}
_GONE = (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError)


class Address(NamedTuple):
    """Where to listen. host None: on every interface, since a kubelet comes from outside."""

    host: str | None
    port: int

    def __str__(self) -> str:
        return f"{self.host or ''}:{self.port}".removeprefix(":")

    def beyond(self, places: int) -> "Address":
        """So many ports further."""
        return Address(self.host, self.port + places)


class Answer(NamedTuple):
    """What is sent back."""

    status: int
    body: bytes
    kind: str = "text/plain; charset=utf-8"


Page = Callable[[], Awaitable[Answer]]


class _AddressType(click.ParamType):  # pyright: ignore[reportMissingTypeArgument] - generic for type checkers alone in some releases
    """PORT or HOST:PORT."""

    name = "address"

    def convert(self, value: str | Address, param: click.Parameter | None, ctx: click.Context | None) -> Address:
        """As click calls it."""
        if isinstance(value, Address):
            return value
        host, _, port = value.rpartition(":")
        if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
            self.fail(f"{value!r} is no port: write one from 1 to 65535, or HOST:PORT, as in 8080 or 127.0.0.1:8080", param, ctx)
        return Address(host.strip("[]") or None, int(port))


ADDRESS = _AddressType()


def pages_of(nodes: Sequence[Node], exposition: Exposition | None) -> dict[str, Page]:
    """What is told of the nodes of this process; of none as long as they have not started. exposition: its metrics."""

    async def live() -> Answer:
        return said("live", [await node.trouble() for node in nodes])

    async def ready() -> Answer:
        return said("ready", [node.unready() for node in nodes] or ["it starts"])

    async def metrics() -> Answer:
        if exposition is None:
            return Answer(501, b'/metrics needs OpenTelemetry\'s SDK in this environment: pip install "howdah[otel]"\n')
        return Answer(200, await exposition.text(), exposition.kind)

    return {"/live": live, "/ready": ready, "/metrics": metrics}


def said(word: str, trouble: Sequence[str | None]) -> Answer:
    """200 with this word, or 503 with what is in the way."""
    why = [one for one in trouble if one is not None]
    return Answer(503, f"not {word}: {'; '.join(why)}\n".encode()) if why else Answer(200, f"{word}\n".encode())


@asynccontextmanager
async def answering(address: Address, pages: Mapping[str, Page]) -> AsyncGenerator[None]:
    """Serves these pages by their paths, inside of the block. HowdahError: it cannot listen there."""
    try:
        listener = await anyio.create_tcp_listener(local_host=address.host, local_port=address.port)
    except OSError as error:
        raise HowdahError(
            f"--health cannot listen on {address}: {error.strerror or error}. Name another port, or end who has it"
        ) from error
    limiter = anyio.CapacityLimiter(CONNECTIONS_MAX)

    async def serve(stream: anyio.abc.SocketStream) -> None:
        with anyio.move_on_after(REQUEST_S), suppress(*_GONE):
            async with stream:
                head = await _head(stream)
                async with limiter:  # Who connects and says nothing keeps nobody else from an answer.
                    await stream.send(await _answer(head, pages))

    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, serve)
        yield
        group.cancel_scope.cancel()


async def ask(address: Address, path: str) -> Answer | None:
    """What another process answers; None: nothing."""
    received = b""
    with anyio.move_on_after(REQUEST_S), suppress(OSError, *_GONE):
        async with await anyio.connect_tcp(address.host or "127.0.0.1", address.port) as stream:
            await stream.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            while True:
                received += await stream.receive()
    head, parted, body = received.partition(b"\r\n\r\n")
    return Answer(int(head.split(b" ", 2)[1]), body) if parted else None


async def _head(stream: anyio.abc.SocketStream) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received and len(received) <= REQUEST_MAX:
        received += await stream.receive()
    return received


async def _answer(head: bytes, pages: Mapping[str, Page]) -> bytes:
    words = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
    if len(head) > REQUEST_MAX or len(words) != 3 or not words[2].startswith("HTTP/1."):
        return _encoded(Answer(400, b"this is no request of HTTP/1.1 that a probe or a scraper would send\n"))
    method, path = words[0], words[1].partition("?")[0]
    if method not in ("GET", "HEAD"):
        return _encoded(Answer(405, b"GET and HEAD only\n"))
    page = pages.get(path)
    answer = Answer(404, f"there are {', '.join(pages)}\n".encode()) if page is None else await page()
    return _encoded(answer, is_short=method == "HEAD")


def _encoded(answer: Answer, *, is_short: bool = False) -> bytes:
    lines = [
        f"HTTP/1.1 {answer.status} {_WORDS[answer.status]}",
        f"Content-Type: {answer.kind}",
        f"Content-Length: {len(answer.body)}",
        "Cache-Control: no-store",
        "Connection: close",
        *(["Allow: GET, HEAD"] if answer.status == 405 else []),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + (b"" if is_short else answer.body)
