"""The HTTP transports on loopback: Streamable HTTP at `/mcp` and SSE at `/sse`, one process, both protocol eras.

Loopback is no protection against other programs and other users of the machine, so a start-up secret is asked for
beside the Host and Origin lists, which stop web pages only.
"""

import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from ipaddress import ip_address
from typing import Any

import uvicorn
from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from copilot_mcp.errors import SettingsError
from copilot_mcp.server.half_characters import mended_json

__all__ = ["HEALTH_PATH", "HTTP_PATH", "SSE_PATH", "bind_loopback", "http_app", "new_secret", "serve_http"]

HTTP_PATH = "/mcp"
SSE_PATH = "/sse"
HEALTH_PATH = "/healthz"
MAX_REQUEST_BYTES = 1024 * 1024
SHUTDOWN_S = 2
BACKLOG = 128


def new_secret() -> str:
    """256 random bits for the `Authorization` header."""
    return secrets.token_urlsafe(32)


def bind_loopback(host: str, port: int) -> socket.socket:
    """A listening socket on a loopback address; port 0 takes any free one.

    Raises:
        SettingsError: The address is not loopback, or the port is taken.
    """
    try:
        address = ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        raise SettingsError(
            f"--host {host} is not a loopback address.",
            "An open port would lend your sign-in to the network; use 127.0.0.1 or ::1.",
        )
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    # Named TCP: asyncio switches Nagle's delay off only where the socket says that it is TCP.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((str(address), port))
        listener.listen(BACKLOG)  # from here on nobody is refused: who comes early waits for the server
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"Port {port} on {host} cannot be used ({error.strerror}).", "Choose another with --port, or 0 for any."
        ) from error
    return listener


def http_app(
    server: MCPServer[Any], *, secret: str | None, services: AbstractAsyncContextManager[Any] | None = None
) -> ASGIApp:
    """One app for both transports behind the gate; `services` is open while it runs.

    Answers 421 to a foreign Host, 403 to a foreign Origin, 401 without the secret (where there is one), 413 above
    1 MiB. `/healthz` says that the process is up, and needs no secret.
    """
    security = TransportSecuritySettings(
        enable_dns_rebinding_protection=True,
        allowed_hosts=[form for host in ("127.0.0.1", "localhost", "[::1]") for form in (host, f"{host}:*")],
        allowed_origins=[
            form for host in ("127.0.0.1", "localhost", "[::1]") for form in (f"http://{host}", f"http://{host}:*")
        ],
    )
    app = server.streamable_http_app(
        streamable_http_path=HTTP_PATH, transport_security=security, max_request_body_size=MAX_REQUEST_BYTES
    )
    sse = server.sse_app(sse_path=SSE_PATH, transport_security=security, max_request_body_size=MAX_REQUEST_BYTES)
    taken = {getattr(route, "path", None) for route in app.routes}
    app.router.routes.extend(route for route in sse.routes if getattr(route, "path", None) not in taken)
    app.add_route(HEALTH_PATH, _health)
    if services is not None:
        _open_around(app, services)
    return _Gate(app, TransportSecurityMiddleware(security), secret)


async def serve_http(app: ASGIApp, listener: socket.socket) -> None:
    """Serve until SIGINT or SIGTERM. Access logs are off: over SSE the session id stands in the query string."""
    config = uvicorn.Config(
        app, log_config=None, access_log=False, timeout_graceful_shutdown=SHUTDOWN_S, lifespan="on", ws="none"
    )
    await uvicorn.Server(config).serve(sockets=[listener])


def _open_around(app: Starlette, services: AbstractAsyncContextManager[Any]) -> None:
    """Services first, the SDK's session manager inside."""
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(scope: Any) -> AsyncIterator[Any]:
        async with services, inner(scope) as state:
            yield state

    app.router.lifespan_context = lifespan


async def _ended_once(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Call the app, and let each answer that it begins end once.

    When the server stops, the SDK leaves an open stream as it is, or begins a second answer behind it.
    """
    begun = over = False

    async def send_in_order(message: Message) -> None:
        nonlocal begun, over
        starts = message["type"] == "http.response.start"
        if over or (starts and begun):
            return
        begun = begun or starts
        over = message["type"] == "http.response.body" and not message.get("more_body", False)
        await send(message)

    await app(scope, receive, send_in_order)
    if begun and not over:
        await send({"type": "http.response.body", "body": b""})


async def _health(request: Request) -> JSONResponse:
    return JSONResponse({"status": "ok"})


def _whole_characters(receive: Receive) -> Receive:
    """The body of a request in one piece, without halves of characters: a piece may end inside an escape."""

    async def received() -> Message:
        message = await receive()
        body = bytearray(message.get("body", b""))
        while message.get("more_body") and len(body) <= MAX_REQUEST_BYTES:  # beyond it is refused anyway
            message = await receive()
            body += message.get("body", b"")
        if message["type"] != "http.request":  # the client has gone
            return message
        text = mended_json(body.decode("latin-1")) if rb"\ud" in body.lower() else None  # byte for character
        return {**message, "body": bytes(body) if text is None else text.encode("latin-1")}

    return received


class _Gate:
    """Host, Origin, then the secret, before anything of the protocol is read."""

    def __init__(self, app: ASGIApp, security: TransportSecurityMiddleware, secret: str | None) -> None:
        self._app = app
        self._security = security
        self._secret = secret

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            refusal = await self._security.validate_request(Request(scope))
            if refusal is None and scope["path"] != HEALTH_PATH and not self._knows_secret(Headers(scope=scope)):
                refusal = PlainTextResponse(
                    "The start-up secret is missing or wrong: send `Authorization: Bearer <secret>` with that of "
                    "COPILOT_MCP_SECRET, or where none was set the one that copilot-mcp printed when it started.",
                    status_code=401,
                    headers={"WWW-Authenticate": "Bearer"},
                )
            if refusal is not None:
                await refusal(scope, receive, send)
                return
            await _ended_once(self._app, scope, _whole_characters(receive), send)
            return
        await self._app(scope, receive, send)

    def _knows_secret(self, headers: Headers) -> bool:
        if self._secret is None:
            return True
        scheme, _, given = headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and secrets.compare_digest(given.strip().encode(), self._secret.encode())
