"""The HTTP client that MSAL gets: the process's own, with limits that MSAL does not have.

Measured with msal 1.39, and the reason for each duty here: no time limit of its own; an answer of any size is read;
redirects are followed; a 429 or 5xx is remembered for a minute; a `Retry-After` on a success is remembered too, and
the next person then receives that success; an unreadable answer reaches the log with the tokens in it; an answer whose
life time or scopes have another type than documented fails as a whole.

MSAL is synchronous. It runs in a worker thread of anyio, and each request goes back to the event loop from there.
"""

import json
import logging
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx
from anyio import from_thread

from copilot_mcp.auth.answers import without_stumbles
from copilot_mcp.http_dates import read_http_date

__all__ = ["AuthorityFaultError", "MsalHttp", "MsalResponse"]

logger = logging.getLogger(__name__)

MAX_BODY = 1_048_576
"""Bytes of an answer; a real one has a few thousand."""

TOTAL_TIMEOUT_S = 20.0
"""One request from the first byte of the handshake to the last of the answer."""

DISCOVERY_LIFE_S = 24 * 3600.0
MAX_CLOCK_SKEW_S = 300.0
_TIMEOUT = httpx.Timeout(15.0, connect=5.0, pool=5.0)
_NETWORK_LOGIN = (407, 511)
_REDIRECTS = range(300, 400)
_CLIENT_ERRORS = range(400, 500)
_LOOP_DETECTED = 50196
_TRANSIENT_ERRORS = (None, "temporarily_unavailable", "server_error")
_NOT_REMEMBERED = 401
"""A status that MSAL reads like 400 but does not keep for a minute."""


class AuthorityFaultError(Exception):
    """No usable answer came from the sign-in service.

    MSAL lets it pass, and the credential itself falls back to a token that is still valid. `kind` is one of `offline`,
    `tls_intercepted`, `captive_portal`, `identity_unavailable`, `bad_answer`, and `refused` for a discovery request
    whose error stands in `oauth`. `retry_after` is in seconds, None when unknown.
    """

    def __init__(
        self, kind: str, host: str, *, retry_after: float | None = None, oauth: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(kind)
        self.kind = kind
        self.host = host
        self.retry_after = retry_after
        self.oauth = oauth


@dataclass(frozen=True, slots=True)
class MsalResponse:
    """An answer in the form MSAL reads."""

    status_code: int
    text: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)

    def raise_for_status(self) -> None:
        """MSAL asks this after a 5xx, and none is handed to it."""


class MsalHttp:
    """What MSAL calls; every method runs in a worker thread of anyio.

    Only `authority` (a root such as `https://login.microsoftonline.com`) is ever contacted. Discovery documents are
    kept for a day, so an MSAL application costs no network after the first.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        authority: str,
        *,
        clock: Callable[[], float] = time.time,
        total_timeout_s: float = TOTAL_TIMEOUT_S,
    ) -> None:
        self._http = http
        self._host = urlsplit(authority).netloc
        self._clock = clock
        self._total_timeout_s = total_timeout_s
        self._discovered: dict[str, tuple[float, MsalResponse]] = {}
        self.skew_minutes = 0
        """How far this computer's clock is behind the service's, as last seen; 0 below five minutes."""

    def get(
        self, url: str, params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None, **_: object
    ) -> MsalResponse:
        """Fetch a discovery document.

        Raises:
            AuthorityFaultError: It did not come, or names an address on another host.
        """
        kept = self._discovered.get(url)
        if kept and kept[0] > self._clock():
            return kept[1]
        answer = self._send("GET", url, params=params, headers=headers)
        self._check_discovery(answer)
        self._discovered[url] = (self._clock() + DISCOVERY_LIFE_S, answer)
        return answer

    def post(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        **_: object,
    ) -> MsalResponse:
        """Send a form, to the device-code or the token endpoint.

        Raises:
            AuthorityFaultError: No answer in the form of OAuth came.
        """
        return self._send("POST", url, params=params, headers=headers, form=data)

    def close(self) -> None:
        """Nothing: the client belongs to the process."""

    def _check_discovery(self, answer: MsalResponse) -> None:
        document = json.loads(answer.text)
        if answer.status_code in _CLIENT_ERRORS:
            raise AuthorityFaultError("refused", self._host, oauth=document)
        for name in ("authorization_endpoint", "token_endpoint", "device_authorization_endpoint"):
            endpoint = document.get(name)
            if not isinstance(endpoint, str) or not self._is_ours(endpoint):
                raise AuthorityFaultError("bad_answer", self._host)

    def _is_ours(self, url: str) -> bool:
        parts = urlsplit(url)
        return parts.scheme == "https" and parts.netloc == self._host

    def _send(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        form: Mapping[str, Any] | None = None,
    ) -> MsalResponse:
        if not self._is_ours(url):
            logger.warning("A request to a host other than %s was refused.", self._host)
            raise AuthorityFaultError("bad_answer", self._host)
        fields = None if form is None else {name: value for name, value in form.items() if value is not None}
        request = self._request(method, url, params, headers, fields)
        started = time.monotonic()
        status, answer_headers, body = from_thread.run(self._exchange, request)
        self._log(request, status, answer_headers, time.monotonic() - started)
        self._watch_clock(answer_headers)
        return self._read(status, answer_headers, body, str((fields or {}).get("scope", "")))

    def _request(
        self,
        method: str,
        url: str,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        fields: Mapping[str, Any] | None,
    ) -> httpx.Request:
        """Not made by the client, which would add the cookies of earlier answers and so tie two sign-ins together."""
        request = httpx.Request(
            method, url, params=params or None, headers=headers, data=fields, extensions={"timeout": _TIMEOUT.as_dict()}
        )
        request.headers.setdefault("user-agent", self._http.headers["user-agent"])
        request.headers.setdefault("accept", "*/*")
        # Compression is asked away: a small body could unpack to any size.
        request.headers["accept-encoding"] = "identity"
        return request

    async def _exchange(self, request: httpx.Request) -> tuple[int, httpx.Headers, bytes]:
        """Send, and read at most `MAX_BODY` bytes."""
        try:
            with anyio.fail_after(self._total_timeout_s):
                response = await self._http.send(request, stream=True, follow_redirects=False)
                try:
                    return response.status_code, response.headers, await self._body(response)
                finally:
                    await response.aclose()
        except (httpx.HTTPError, TimeoutError, OSError) as error:
            raise AuthorityFaultError(_fault_kind(error), self._host) from None

    async def _body(self, response: httpx.Response) -> bytes:
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise AuthorityFaultError("bad_answer", self._host)
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > MAX_BODY:
                raise AuthorityFaultError("bad_answer", self._host)
        return bytes(body)

    def _read(self, status: int, headers: httpx.Headers, body: bytes, asked: str) -> MsalResponse:
        """The answer for MSAL: JSON that is an object, and no status or header that MSAL would remember."""
        text = body.decode("utf-8", "replace")
        document = _json_object(text)
        if status in _REDIRECTS:
            raise AuthorityFaultError("bad_answer", self._host)
        busy = status == 429 or status >= 500
        if busy and (document is None or _is_transient(document)):
            kind = "captive_portal" if status in _NETWORK_LOGIN else "identity_unavailable"
            raise AuthorityFaultError(kind, self._host, retry_after=_retry_after(headers, self._clock()))
        if document is None:
            raise AuthorityFaultError(_unreadable_kind(status, headers, text), self._host)
        if "access_token" in document or "refresh_token" in document:
            text = json.dumps(without_stumbles(document, asked))
        kept = {name: value for name, value in headers.items() if name.lower() != "retry-after"}
        return MsalResponse(_NOT_REMEMBERED if busy or status == 400 else status, text, kept)

    def _log(self, request: httpx.Request, status: int, headers: httpx.Headers, seconds: float) -> None:
        path = "/{tenant}/" + request.url.path.lstrip("/").partition("/")[2]
        logger.debug(
            "%s %s%s %d in %d ms, request %s",
            request.method,
            request.url.host,
            path,
            status,
            round(seconds * 1000),
            "".join(letter for letter in headers.get("x-ms-request-id", "-")[:64] if letter.isalnum() or letter in "-"),
        )

    def _watch_clock(self, headers: httpx.Headers) -> None:
        """Warn once when this computer's clock is so wrong that tokens will be refused."""
        there = read_http_date(headers.get("date", ""))
        if there is None:
            return
        apart = there.timestamp() - self._clock()
        known, self.skew_minutes = self.skew_minutes, round(apart / 60) if abs(apart) > MAX_CLOCK_SKEW_S else 0
        if self.skew_minutes and not known:
            minutes = abs(self.skew_minutes)
            logger.warning("This computer's clock is %d minutes off; tokens may be refused until it is set.", minutes)


def _json_object(text: str) -> dict[str, Any] | None:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _is_transient(document: Mapping[str, Any]) -> bool:
    """Whether the same request may succeed in a moment; not so where Entra complains of just that."""
    codes = document.get("error_codes")
    looping = isinstance(codes, list) and _LOOP_DETECTED in codes
    return document.get("error") in _TRANSIENT_ERRORS and not looping


def _unreadable_kind(status: int, headers: httpx.Headers, text: str) -> str:
    """Somebody between us and Microsoft answers with a page; Microsoft itself with JSON."""
    page = "html" in headers.get("content-type", "").lower() or text.lstrip()[:1] == "<"
    return "captive_portal" if page or status in _NETWORK_LOGIN else "bad_answer"


def _retry_after(headers: httpx.Headers, now: float) -> float | None:
    """Seconds from `Retry-After`, in either form of RFC 9110, 10.2.3; at most an hour."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:6]), 3600.0)
    there = read_http_date(value)
    return None if there is None else min(max(there.timestamp() - now, 0.0), 3600.0)


def _fault_kind(error: BaseException) -> str:
    if any(isinstance(cause, ssl.SSLError) for cause in _causes(error)):
        return "tls_intercepted"
    if isinstance(error, httpx.ProxyError):
        return "captive_portal"
    return "bad_answer" if isinstance(error, httpx.RemoteProtocolError | httpx.DecodingError) else "offline"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from, a bounded chain."""
    current: BaseException | None = error
    for _ in range(10):
        if current is None:
            return
        yield current
        current = current.__cause__ or current.__context__
