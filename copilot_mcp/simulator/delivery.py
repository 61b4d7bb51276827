"""The last step of an answer: from a `Reply` to the bytes of an HTTP response, spoilt where a fault asks for it."""

import asyncio
import json
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, NoReturn

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from copilot_mcp.simulator.faults import Fault
from copilot_mcp.simulator.replies import Reply

__all__ = ["BROKEN", "ON_SOCKET", "break_connection", "deliver", "encoded"]


class _CutShortError(ConnectionError):
    """The body ends too early: a socket is reset, without one it just ends."""


Sleep = Callable[[float], Awaitable[None]]

BROKEN: Final = "copilot_mcp.simulator.broken"
"""In the scope of a request whose connection was broken, and how: nothing more may be sent."""
ON_SOCKET: Final = "on the socket"

PADDING_BYTES: Final = 100 * 1024 * 1024
DEPTH: Final = 100_000
_PIECE: Final = b"a" * 65_536
_FIRST_BYTE_S: Final = 90.0
_TRICKLE_S: Final = 1.0


def encoded(reply: Reply) -> bytes:
    """The whole body of a reply that is no stream; nothing for a stream, and where the status allows no body."""
    if reply.status in (204, 205, 304):
        return b""
    if reply.text is not None:
        return reply.text.encode()
    if reply.stream is not None:
        return b""
    return json.dumps(reply.body, ensure_ascii=False, separators=(",", ":")).encode()


async def deliver(
    reply: Reply, content: bytes, headers: dict[str, str], faults: Sequence[Fault], request: Request, sleep: Sleep
) -> Response:
    """The response. `content` is `encoded(reply)`; `headers` may be changed.

    Raises:
        ConnectionResetError: the connection is dropped.
    """
    struck = {fault.name: fault for fault in faults}
    if "drop_connection" in struck:
        break_connection(request)
    if reply.stream is None and not struck:
        return Response(content, reply.status, headers)
    streams = reply.stream is not None
    chunks = reply.stream or _whole(content)
    if "wrong_type" in struck:
        headers["Content-Type"] = "application/json" if streams else "text/plain"
    if "deep_json" in struck:
        chunks = _deep(chunks)
    if "big_body" in struck:
        chunks = _padded(chunks)
    if "gzip_bomb" in struck:
        headers["Content-Encoding"] = "gzip"
        chunks = _bomb(chunks)
    if "reset_after_headers" in struck:
        chunks = _reset()
    if "cut_body" in struck:
        chunks = _cut(chunks, whole_events=2 if streams else 0)
    if "cut_answer" in struck:
        chunks = _cut_last(chunks)
    for name, spoil in (("slow_first_byte", _late), ("trickle", _trickled)):
        if name in struck:
            chunks = spoil(chunks, struck[name].seconds, sleep)
    return StreamingResponse(_breaking(chunks, reply.stream, request), reply.status, headers)


def break_connection(request: Request, error: OSError | None = None) -> NoReturn:
    """Break the connection: the socket is reset; without one, the ASGI server in between gets the error.

    Raises:
        OSError: always, so that nothing goes on.
    """
    transport = _transport(request)
    request.scope[BROKEN] = ON_SOCKET if transport else "in process"
    if transport is not None:
        transport.abort()
    raise error or ConnectionResetError("the simulated tenant broke the connection")


def _transport(request: Request) -> asyncio.Transport | None:
    state: Mapping[str, Any] = request.scope.get("state", {})
    return state.get("transport")


async def _breaking(
    chunks: AsyncIterator[bytes], source: AsyncIterator[bytes] | None, request: Request
) -> AsyncIterator[bytes]:
    """The chunks; where they end in a reset, the socket is reset. `source` is closed, wherever they end."""
    try:
        async for chunk in chunks:
            yield chunk
    except _CutShortError:
        if _transport(request) is not None:
            break_connection(request)
    except ConnectionResetError:
        break_connection(request)
    finally:
        for stream in (chunks, source):
            close = getattr(stream, "aclose", None)
            if close is not None:
                await close()


async def _whole(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def _reset() -> AsyncIterator[bytes]:
    raise ConnectionResetError("the simulated tenant reset the connection")
    yield b""


async def _cut(chunks: AsyncIterator[bytes], whole_events: int) -> AsyncIterator[bytes]:
    """Half of the first chunk after the whole ones."""
    async for chunk in chunks:
        if whole_events == 0:
            yield chunk[: len(chunk) // 2]
            raise _CutShortError
        whole_events -= 1
        yield chunk


async def _cut_last(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """All but the last byte of the first chunk."""
    async for chunk in chunks:
        yield chunk[:-1]
        raise _CutShortError


async def _late(chunks: AsyncIterator[bytes], seconds: float, sleep: Sleep) -> AsyncIterator[bytes]:
    await sleep(seconds or _FIRST_BYTE_S)
    async for chunk in chunks:
        yield chunk


async def _trickled(chunks: AsyncIterator[bytes], seconds: float, sleep: Sleep) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        for place in range(len(chunk)):
            yield chunk[place : place + 1]
            await sleep(seconds or _TRICKLE_S)


async def _deep(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Every object, of a body or an event, gets a member that is too deep to be read."""
    async for chunk in chunks:
        yield chunk.replace(b"{", b'{"deep":' + b"[" * DEPTH + b"]" * DEPTH + b",", 1)


async def _padded(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A member of 100 MB in the first object."""
    first = True
    async for chunk in chunks:
        head, brace, rest = chunk.partition(b"{")
        if not first or not brace:
            yield chunk
            continue
        first = False
        yield head + b'{"padding":"'
        for _ in range(PADDING_BYTES // len(_PIECE)):
            yield _PIECE
        yield b'",' + rest


async def _bomb(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same in gzip: half a megabyte that becomes a hundred."""
    squeezed = zlib.compressobj(1, wbits=31)
    async for chunk in _padded(chunks):
        if content := squeezed.compress(chunk):
            yield content
    yield squeezed.flush()
