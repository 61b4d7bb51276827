"""The one ASGI application of a simulated tenant: Entra, Graph, the approval page and the tenant's own addresses.

It answers on loopback names and on names that end in `.test` only, so that a web page elsewhere cannot reach it
by a name of its own; requests that such a page sends with an `Origin` are refused as well.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from secrets import compare_digest
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from copilot_mcp.simulator.bodies import BadBodyError, limited_body, small_object
from copilot_mcp.simulator.delivery import BROKEN, ON_SOCKET
from copilot_mcp.simulator.device_page import PAGE_HEADERS, blocked_page, decided_page, device_page
from copilot_mcp.simulator.endpoints import Endpoints
from copilot_mcp.simulator.entra import ENTRA_PATHS
from copilot_mcp.simulator.entra_errors import EntraRefusalError
from copilot_mcp.simulator.faults import Faults
from copilot_mcp.simulator.identity_pages import IdentityPages
from copilot_mcp.simulator.sign_ins import SignIns
from copilot_mcp.simulator.tenant import Tenant
from copilot_mcp.simulator.trace import Trace

__all__ = ["build_app"]

_OWN_METHODS: Final[Mapping[str, Sequence[str]]] = {
    "/simulator": ("GET",),
    "/simulator/trace": ("GET",),
    "/simulator/counts": ("GET",),
    "/simulator/approve": ("POST",),
    "/simulator/faults": ("GET", "POST", "DELETE"),
    "/simulator/identity": ("GET", "POST"),
}
_Serve = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class _Own:
    """The addresses that only a simulated tenant has."""

    tenant: Tenant
    sign_ins: SignIns
    faults: Faults
    trace: Trace
    counts: Callable[[], dict[str, Any]]
    key: str | None

    async def about(self, request: Request) -> Response:
        """GET /simulator: what this is."""
        tenant = self.tenant
        people = [{"key": each.key, "name": each.name, "username": each.username} for each in tenant.users]
        facts = {
            "simulated": True,
            "name": tenant.name,
            "about": tenant.about,
            "fiction": tenant.fiction,
            "users": people,
            "sites": [{"name": each.name, "url": each.url} for each in tenant.sites],
            "connections": [{"id": each.id, "name": each.name} for each in tenant.connections],
            "documents": len(tenant.documents),
            "skippedFiles": tenant.skipped,
        }
        return JSONResponse(facts)

    async def show_trace(self, request: Request) -> Response:
        """GET /simulator/trace: what was asked, without texts."""
        return JSONResponse(self.trace.entries)

    async def show_counts(self, request: Request) -> Response:
        """GET /simulator/counts: POSTs received by operation, and chat turns recorded."""
        return JSONResponse(self.counts())

    async def approve(self, request: Request) -> Response:
        """POST /simulator/approve {"user_code", "user"}: what the page does, by a call; no user declines."""
        body = await small_object(request)
        code, user = body.get("user_code"), body.get("user")
        if not isinstance(code, str) or not isinstance(user, str | None):
            return JSONResponse({"error": "user_code and user must be text"}, 400)
        try:
            person = self.sign_ins.decide(code, user)
        except LookupError as error:
            return JSONResponse({"error": str(error)}, 404)
        except EntraRefusalError as refusal:
            return JSONResponse({"approved": False, "user": user, "shown": refusal.code})
        return JSONResponse({"approved": person is not None, "user": person.username if person else None})

    async def change_faults(self, request: Request) -> Response:
        """GET lists the waiting faults, POST {"name", …} or {"spec"} asks for one, DELETE forgets them all."""
        if request.method == "DELETE":
            self.faults.clear()
        if request.method == "POST":
            body = await small_object(request)
            try:
                if isinstance(body.get("spec"), str):
                    self.faults.add_spec(body["spec"])
                elif isinstance(body.get("name"), str):
                    self.faults.add(body.pop("name"), **body)
                else:
                    raise BadBodyError("a fault has a name, or a spec, which is text")
            except (ValueError, TypeError) as error:
                return JSONResponse({"error": str(error)}, 400)
        return JSONResponse([asdict(fault) for fault in self.faults.waiting])

    async def device(self, request: Request) -> Response:
        """GET and POST /devicelogin: where a person types the code."""
        users = self.tenant.users
        if request.method != "POST":
            code, key = (request.query_params.get(name, "")[:100] for name in ("code", "key"))
            return _html(device_page(users, code=code[:20], key=None if self.key is None else key))
        form = dict(parse_qsl((await limited_body(request)).decode("utf-8", "replace")))
        code, key = form.get("code", "")[:20], form.get("key", "")[:100]
        shown = None if self.key is None else key
        if not self.knows(key):
            problem = "The start-up key is missing or wrong; the command that started this tenant printed it."
            return _html(device_page(users, code=code, problem=problem, key=""), 403)
        try:
            pending = self.sign_ins.codes.waiting(code)
            declined = form.get("decision") == "decline"
            person = self.sign_ins.decide(code, None if declined else form.get("user", ""))
        except LookupError as error:
            return _html(device_page(users, code=code, problem=str(error), key=shown), 400)
        except EntraRefusalError as refusal:
            return _html(blocked_page(str(refusal)))
        return _html(decided_page(person, self.sign_ins.client_name(pending.client_id)))

    def knows(self, key: str) -> bool:
        """Whether this is the start-up key, or none is asked for."""
        return self.key is None or compare_digest(key.encode(), self.key.encode())

    def guarded(self, serve: _Serve) -> _Serve:
        """The address behind the start-up key, which stands in the header `Authorization: Bearer`."""

        async def guard(request: Request) -> Response:
            scheme, _, key = request.headers.get("authorization", "").partition(" ")
            if not self.knows(key.strip() if scheme.lower() == "bearer" else ""):
                return JSONResponse({"error": "the start-up key is missing or wrong"}, 401)
            try:
                return await serve(request)
            except BadBodyError as error:
                return JSONResponse({"error": str(error)}, 400)

        return guard

    async def unknown(self, request: Request) -> Response:
        """Any other address below /simulator, or another method than it takes."""
        methods = _OWN_METHODS.get(request.url.path)
        if methods is None:
            return JSONResponse({"error": "there is no such address"}, 404)
        return JSONResponse(
            {"error": f"this address takes {' and '.join(methods)}"}, 405, {"Allow": ", ".join(methods)}
        )


def build_app(
    tenant: Tenant,
    sign_ins: SignIns,
    faults: Faults,
    trace: Trace,
    endpoints: Endpoints,
    pages: IdentityPages,
    *,
    counts: Callable[[], dict[str, Any]],
    key: str | None = None,
) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """Wire the routes of one tenant behind the check of Host and Origin."""
    own = _Own(tenant, sign_ins, faults, trace, counts, key)
    serves: dict[str, _Serve] = {
        "/simulator": own.about,
        "/simulator/trace": own.show_trace,
        "/simulator/counts": own.show_counts,
        "/simulator/approve": own.approve,
        "/simulator/faults": own.change_faults,
        "/simulator/identity": pages.control,
    }
    entra = [_entra_route(path, endpoints) for path in ENTRA_PATHS]
    routes = [
        *(Route(path, own.guarded(serves[path]), methods=_OWN_METHODS[path]) for path in _OWN_METHODS),
        Route("/simulator", _AnyMethod(own.guarded(own.unknown))),
        Route("/simulator/{path:path}", _AnyMethod(own.guarded(own.unknown))),
        Route("/signin", pages.sign_in, methods=["POST"]),
        Route("/devicelogin", own.device, methods=["GET", "POST"]),
        *entra,
        Route("/{version}/{path:path}", _AnyMethod(endpoints.serve_graph)),
    ]

    async def nowhere(request: Request, error: Exception) -> Response:
        return await endpoints.serve_graph(request)

    app = Starlette(routes=routes, exception_handlers={404: nowhere})
    app.router.redirect_slashes = False
    return _Gate(app)


def _entra_route(path: str, endpoints: Endpoints) -> Route:
    async def serve(request: Request) -> Response:
        request.path_params["path"] = path
        return await endpoints.serve_entra(request)

    return Route(f"/{{tenant}}/{path}", _AnyMethod(serve))


class _AnyMethod:
    """An endpoint that answers every method: to those that a route does not list, Starlette says no in plain text."""

    def __init__(self, serve: _Serve) -> None:
        self._serve = serve

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._serve(Request(scope, receive, send))
        await response(scope, receive, send)


class _Gate:
    """Refuses foreign host names (421) and foreign origins (403)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            request = Request(scope)
            host = request.headers.get("host", "")
            if not _is_own_host(host):
                refusal = JSONResponse({"error": {"code": "MisdirectedRequest", "message": "Not this host."}}, 421)
                return await refusal(scope, receive, send)
            if _is_foreign(request.headers.get("origin"), host):
                refusal = JSONResponse({"error": {"code": "Forbidden", "message": "Not this origin."}}, 403)
                return await refusal(scope, receive, send)

        await self._serve(scope, receive, send)
        return None

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; where a fault broke the connection nothing more goes out, not even the framework's own 500."""
        started = False

        async def send_unless_broken(message: Message) -> None:
            nonlocal started
            if not scope.get(BROKEN):
                started = True
                await send(message)

        try:
            await self._app(scope, receive, send_unless_broken)
        except ConnectionError:
            if scope.get(BROKEN) != ON_SOCKET:
                raise
            # Nobody reads this any more, but the server would report an answer that was not finished.
            if not started:
                await send({"type": "http.response.start", "status": 500, "headers": []})
            await send({"type": "http.response.body", "body": b""})


def _is_foreign(origin: str | None, host: str) -> bool:
    try:
        return origin is not None and urlsplit(origin).netloc != host
    except ValueError:
        return True


def _is_own_host(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name == "localhost" or name.endswith(".test"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _html(page: str, status: int = 200) -> Response:
    return HTMLResponse(page, status, PAGE_HEADERS)
