"""Where the browser brings the answer of a sign-in: a page on 127.0.0.1 that is there for one answer only.

MSAL has a receiver of its own, which blocks a thread until it is done, listens on every address inside a container,
and may start a browser that writes to standard output. This one is ended at any moment, listens on loopback alone, and
starts nothing. Only a POST with the right `state` is an answer; anything else is refused and waiting goes on.
"""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from secrets import compare_digest
from urllib.parse import parse_qsl

import anyio
import uvicorn
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

__all__ = ["Receiver", "opened_receiver"]

_MAX_FORM = 65_536
_MAX_FIELDS = 20
_CLOSING_S = 1
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_PAGE = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>copilot-mcp</title>"
    "<p>{text} You can close this page and go back to copilot-mcp."
)


class Receiver:
    """Waits for one answer. `state` is to be set before the browser is sent off."""

    def __init__(self, port: int) -> None:
        self.redirect_uri = f"http://localhost:{port}"
        self.state = ""
        self._hosts = (f"localhost:{port}", f"127.0.0.1:{port}")
        self._answered = anyio.Event()
        self._answer: dict[str, str] = {}

    async def answer(self) -> dict[str, str]:
        """The members of the answer, as the sign-in service wrote them."""
        await self._answered.wait()
        return self._answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            response = await self._response(Request(scope, receive))
            await response(scope, receive, send)
            if self._answer:
                self._answered.set()

    async def _response(self, request: Request) -> Response:
        if request.headers.get("host", "").lower() not in self._hosts:
            return PlainTextResponse("Not this host.", 421, _HEADERS)
        if request.url.path != "/":
            return PlainTextResponse("There is nothing here.", 404, _HEADERS)
        if request.method != "POST":
            return PlainTextResponse("The answer of a sign-in comes by POST.", 400, _HEADERS)
        members = await _form(request)
        if self._answer or not self.state or not compare_digest(members.get("state", "").encode(), self.state.encode()):
            return PlainTextResponse("This is not the answer that is waited for.", 400, _HEADERS)
        self._answer = members
        text = "Signed in." if "code" in members else "The sign-in did not succeed."
        return HTMLResponse(_PAGE.format(text=text), headers=_HEADERS)


async def _form(request: Request) -> dict[str, str]:
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > _MAX_FORM:
            return {}
    try:
        return dict(parse_qsl(content.decode("utf-8", "replace"), max_num_fields=_MAX_FIELDS))
    except ValueError:
        return {}


@asynccontextmanager
async def opened_receiver() -> AsyncIterator[Receiver]:
    """A receiver on a free port of loopback, gone when the block ends.

    Raises:
        OSError: No port can be had.
    """
    failure: Exception | None = None
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.bind(("127.0.0.1", 0))
        receiver = Receiver(listener.getsockname()[1])
        config = uvicorn.Config(
            receiver,
            log_config=None,
            access_log=False,  # an address could hold what a browser was sent with
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=_CLOSING_S,
        )
        server = uvicorn.Server(config)
        listener.listen(8)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_served, server, listener)
            try:
                yield receiver
            except Exception as error:
                failure = error  # raised below: the task group would wrap it in a group
            finally:
                server.should_exit = True
    finally:
        listener.close()
    if failure is not None:
        raise failure


async def _served(server: uvicorn.Server, listener: socket.socket) -> None:
    """Serve until told to stop, also when the caller is cancelled: the last page must reach the browser."""
    with anyio.CancelScope(shield=True):
        await server.serve(sockets=[listener])
