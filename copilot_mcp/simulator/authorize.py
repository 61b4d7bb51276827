"""The authorization code grant with PKCE (RFC 6749, 4.1; RFC 7636; RFC 8252 for redirects to loopback).

A request whose application and redirect are in order ends at the redirect, with a code or an error; any other is
shown to the person, because nobody knows where else it may go.
"""

import base64
import hashlib
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from secrets import compare_digest
from typing import Any, Final
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

from copilot_mcp.simulator.entra_errors import EntraRefusalError, entra_refusal, error_members
from copilot_mcp.simulator.scopes import resource_scopes
from copilot_mcp.simulator.secrets_issued import SECRET_MARK
from copilot_mcp.simulator.sessions import Grant
from copilot_mcp.simulator.sign_ins import SignIns
from copilot_mcp.simulator.tenant import User

__all__ = ["AuthorizationRequest", "Authorizations", "BrowserAnswer"]

CODE_LIFETIME_S: Final = 600
_REQUEST_LIFETIME_S: Final = 900
_MAX_KEPT: Final = 1_000
_MODES: Final = ("query", "fragment", "form_post")
_LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")
_AUTHORITY: Final = "https://login.copilot-mcp.test"
_NATIVE: Final = f"{_AUTHORITY}/common/oauth2/nativeclient"


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """One request of a browser, as the client wrote it. `mode` is the response mode."""

    id: str
    client_id: str
    redirect_uri: str
    mode: str
    state: str
    nonce: str
    scopes: tuple[str, ...]
    challenge: str
    method: str
    login_hint: str
    claims: Mapping[str, Any]
    expires_at: float


@dataclass(frozen=True, slots=True)
class BrowserAnswer:
    """Where the browser goes and what it takes along: with GET and `location`, or as a form that it posts."""

    redirect_uri: str
    mode: str
    members: Mapping[str, str] = field(repr=False)

    @property
    def location(self) -> str:
        """The whole address for the modes query and fragment."""
        mark = "#" if self.mode == "fragment" else "&" if "?" in self.redirect_uri else "?"
        return f"{self.redirect_uri}{mark}{urlencode(self.members)}"


@dataclass(slots=True)
class _Code:
    request: AuthorizationRequest
    user: User
    expires_at: float
    redeemed: bool = False


class Authorizations:
    """Requests that wait for a person, and codes that wait to be redeemed; may be used from any thread."""

    def __init__(self, sign_ins: SignIns, clock: Callable[[], float]) -> None:
        self._sign_ins = sign_ins
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: dict[str, AuthorizationRequest] = {}
        self._codes: dict[str, _Code] = {}

    def begin(self, query: Mapping[str, str], claims: Mapping[str, Any]) -> AuthorizationRequest:
        """Read a request whose answer may go to its redirect. `check` it before anybody decides.

        Raises:
            EntraRefusalError: the application or the redirect is not registered: shown, never redirected.
        """
        self._sign_ins.check_client(query.get("client_id", ""))
        redirect_uri = query.get("redirect_uri", "")
        if not _is_registered(redirect_uri):
            raise entra_refusal(50011)
        request = AuthorizationRequest(
            secrets.token_urlsafe(16),
            query["client_id"],
            redirect_uri,
            query.get("response_mode", "query"),
            query.get("state", ""),
            query.get("nonce", ""),
            tuple(query.get("scope", "").split()),
            query.get("code_challenge", ""),
            query.get("code_challenge_method", "plain"),
            query.get("login_hint", ""),
            claims,
            self._clock() + _REQUEST_LIFETIME_S,
        )
        with self._lock:
            _make_room(self._waiting)
            self._waiting[request.id] = request
        return request

    def check(self, request: AuthorizationRequest, query: Mapping[str, str]) -> None:
        """Raise `EntraRefusalError` for what is told at the redirect."""
        if query.get("response_type") != "code":
            raise entra_refusal(70005 if query.get("response_type") else 900144)
        if request.mode not in _MODES:
            raise entra_refusal(70007)
        if not request.scopes:
            raise entra_refusal(900144)
        if request.challenge and not 43 <= len(request.challenge) <= 128:
            raise entra_refusal(501491)
        resource_scopes(request.scopes)
        if query.get("prompt") == "none" and self._sign_ins.auto_approve is None:
            raise entra_refusal(50058)

    def waiting(self, request_id: str) -> AuthorizationRequest:
        """The request that a person looks at.

        Raises:
            LookupError: it is decided, too old, or never was.
        """
        with self._lock:
            request = self._waiting.get(request_id)
        if request is None or self._clock() >= request.expires_at:
            raise LookupError("That sign-in is not waiting for a decision. Start it again in the application.")
        return request

    def decide(self, request_id: str, user: str | None, *, agreed: bool = True) -> BrowserAnswer:
        """Approve as `user` (key, user name or id), or decline with None; the answer may be an error.

        Raises:
            LookupError: no such request or person.
            EntraRefusalError: the page says that a policy or a missing approval stops the person; nothing goes to
                the client, and the request goes on waiting.
        """
        request = self.waiting(request_id)
        person = self._sign_ins.known(user) if user is not None else None
        if person is None:
            self._forget(request_id)
            return self.refused(request, entra_refusal("access_denied"))
        self._sign_ins.stop_at_the_page("browser", person, request.client_id, request.scopes)
        self._forget(request_id)
        try:
            self._sign_ins.admit("browser", person, request.client_id, request.scopes, agreed=agreed)
        except EntraRefusalError as refusal:
            return self.refused(request, refusal)
        code = self._sign_ins.issued.add("authorization_code", f"{SECRET_MARK}-{secrets.token_urlsafe(64)}")
        with self._lock:
            _make_room(self._codes)
            self._codes[code] = _Code(request, person, self._clock() + CODE_LIFETIME_S)
        return _answer_to(request, {"code": code})

    def refused(self, request: AuthorizationRequest, refusal: EntraRefusalError) -> BrowserAnswer:
        """The way back with an error."""
        members = error_members(refusal, self._clock(), str(uuid4()), _AUTHORITY, browser=True)
        return _answer_to(request, members)

    def _forget(self, request_id: str) -> None:
        with self._lock:
            self._waiting.pop(request_id, None)

    def redeem(self, code: str, form: Mapping[str, str], claims: Mapping[str, Any]) -> Grant:
        """Exchange a code for tokens; a code is good once, and a failed try does not use it up.

        Raises:
            EntraRefusalError: unknown or expired (70008), redeemed (54005), another application or redirect (500112),
                or a verifier that does not fit (501481).
        """
        with self._lock:
            kept = self._codes.get(code)
            if kept is None or self._clock() >= kept.expires_at:
                raise entra_refusal(70008)
            _check(kept, form)
            kept.redeemed = True
        request = kept.request
        asked = {**request.claims, **claims}
        scopes = tuple(form.get("scope", "").split()) or request.scopes
        session = self._sign_ins.begin("browser", kept.user, request.client_id, asked)
        return self._sign_ins.granted(session, scopes, asked, whole=False, nonce=request.nonce)


def _answer_to(request: AuthorizationRequest, members: Mapping[str, Any]) -> BrowserAnswer:
    """The answer to a request, with the state it came with."""
    state = {"state": request.state} if request.state else {}
    mode = request.mode if request.mode in _MODES else "query"
    return BrowserAnswer(request.redirect_uri, mode, {**{k: str(v) for k, v in members.items()}, **state})


def _check(kept: _Code, form: Mapping[str, str]) -> None:
    request = kept.request
    if kept.redeemed:
        raise entra_refusal(54005)
    if (form.get("client_id"), form.get("redirect_uri")) != (request.client_id, request.redirect_uri):
        raise entra_refusal(500112)
    verifier = form.get("code_verifier", "")
    if request.method == "S256":
        digest = hashlib.sha256(verifier.encode()).digest()
        verifier = base64.urlsafe_b64encode(digest).rstrip(b"=").decode() if verifier else ""
    if request.challenge and not compare_digest(verifier.encode(), request.challenge.encode()):
        raise entra_refusal(501481)


def _is_registered(redirect_uri: str) -> bool:
    """Loopback with any port and without a path, as `http://localhost` is registered; or the native client page."""
    if redirect_uri == _NATIVE:
        return True
    try:
        parts = urlsplit(redirect_uri)
        port_is_number = parts.port is None or parts.port > 0
    except ValueError:
        return False
    name = parts.netloc.rsplit(":", 1)[0] if parts.port is not None else parts.netloc
    plain = not parts.query and not parts.fragment and parts.path in ("", "/")
    return parts.scheme == "http" and name in _LOOPBACK and plain and port_is_number


def _make_room(kept: dict[str, Any]) -> None:
    if len(kept) >= _MAX_KEPT:
        del kept[next(iter(kept))]
