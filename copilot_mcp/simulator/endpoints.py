"""Between HTTP and the two services: reads requests, spoils answers where a fault asks for it, keeps the trace."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from copilot_mcp.simulator.connection import connection_error, silence
from copilot_mcp.simulator.delivery import break_connection, deliver, encoded
from copilot_mcp.simulator.entra import ENTRA_PATHS, Entra, EntraCall
from copilot_mcp.simulator.faults import Faults
from copilot_mcp.simulator.graph import Graph, GraphCall, operation_of
from copilot_mcp.simulator.json_values import read_value
from copilot_mcp.simulator.replies import GraphRefusalError, Reply, RequestIds
from copilot_mcp.simulator.trace import Trace, harmless

__all__ = ["Endpoints"]

MAX_BODY_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The HTTP endpoints of Entra and Graph. `approval_page` is the address where device codes are typed."""

    graph: Graph
    entra: Entra
    faults: Faults
    trace: Trace
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    approval_page: Callable[[], str]
    key: str | None = None

    async def serve_graph(self, request: Request) -> Response:
        """Any path below a version root; without one there is nothing."""
        ids = RequestIds.of(self.clock(), request.headers.get("client-request-id"))
        version, path = (request.path_params.get(name, "") for name in ("version", "path"))
        try:
            operation, target = operation_of(version, path)
        except GraphRefusalError as refusal:
            return await self._send(request, "unknown", refusal.reply(ids), ids, None)
        authorization = request.headers.get("authorization", "")
        if await self._gone(request, operation, lambda: self.graph.user_key(authorization)):
            return Response(status_code=503)
        content = await _content(request)
        if content is None:
            reply = GraphRefusalError(413, "RequestEntityTooLarge", "The request is too large.").reply(ids)
            return await self._send(request, operation, reply, ids, None)
        call = GraphCall(operation, version, target, request.method, authorization, content, ids, _media_type(request))
        return await self._send(request, operation, self.graph.answer(call), ids, _json_or_none(content))

    async def serve_entra(self, request: Request) -> Response:
        """The five endpoints of an authority."""
        ids = RequestIds.of(self.clock(), request.headers.get("client-request-id"))
        operation, method = ENTRA_PATHS[request.path_params["path"]]
        if await self._gone(request, operation, ""):
            return Response(status_code=503)
        if request.method != method:
            reply = self.entra.wrong_method(request.method, method, ids, _base(request))
            return await self._send(request, operation, reply, ids, None)
        content = (await _content(request) or b"") if method == "POST" else request.url.query.encode()
        form = (
            dict(parse_qsl(content.decode("utf-8", "replace"), max_num_fields=50)) if content.count(b"&") < 50 else {}
        )
        brought = None if self.key is None else form.get("key", "")[:100]
        tenant, page = request.path_params["tenant"], self.approval_page()
        call = EntraCall(operation, tenant, form, _base(request), page, ids, brought)
        return await self._send(request, operation, self.entra.answer(call), ids, harmless(form))

    async def _gone(self, request: Request, operation: str, user: str | Callable[[], str]) -> bool:
        """Break the connection or wait where a fault says so; true when nobody waits for an answer any more.

        Raises:
            OSError: the connection is broken.
        """
        for fault in self.faults.take(operation, "connect", user):
            break_connection(request, connection_error(fault.name))
        self.trace.count(request.method, operation)
        for fault in self.faults.take(operation, "wait", user):
            if fault.name == "silence":
                await silence(request)
                return True
            await self.sleep(fault.seconds)
        return False

    async def _send(self, request: Request, operation: str, reply: Reply, ids: RequestIds, asked: Any) -> Response:
        """Make HTTP of a reply and keep it in the trace."""
        headers = {**ids.headers(), "Date": ids.http_date(), "Cache-Control": "no-store", **reply.headers}
        # not as media_type: to text types Starlette would add a charset that the service does not send
        headers["Content-Type"] = reply.media_type
        told: Any = reply.events if reply.stream is not None else reply.body
        if operation in ("devicecode", "token") and isinstance(told, dict):
            told = harmless(told)
        content = encoded(reply)
        entry = _entry(request, operation, reply, ids, len(content))
        self.trace.add(entry, asked, told)
        authorization = request.headers.get("authorization", "")
        struck = self.faults.take(operation, "body", lambda: self.graph.user_key(authorization))
        return await deliver(reply, content, headers, struck, request, self.sleep)


def _entry(request: Request, operation: str, reply: Reply, ids: RequestIds, size: int) -> dict[str, Any]:
    length = request.headers.get("content-length", "")[:12]
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", ids.date.utctimetuple()),
        "method": request.method,
        "path": request.url.path,
        "operation": operation,
        "status": reply.status,
        "requestId": ids.request_id,
        "requestBytes": int(length) if length.isdecimal() else 0,
        "responseBytes": size,
        **reply.notes,
    }


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "")


def _base(request: Request) -> str:
    """The address asked under: the `.test` names stand for https, which a client's transport takes off."""
    host = request.headers.get("host", "127.0.0.1")
    scheme = "https" if host.split(":", 1)[0].endswith(".test") else "http"
    return f"{scheme}://{host}"


async def _content(request: Request) -> bytes | None:
    """The request's body, None when it is too large."""
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > MAX_BODY_BYTES:
            return None
    return bytes(content)


def _json_or_none(content: bytes) -> Any:
    try:
        return read_value(content)
    except ValueError:
        return None
