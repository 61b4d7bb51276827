"""The one way to Graph: request ids, time limits, retries, errors, and the guard that keeps the token at home."""

import json
import logging
import random
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anyio

from copilot_mcp.errors import CopilotMcpError, GraphError, ServiceUnavailableError, SettingsError, ThrottledError
from copilot_mcp.graph.bodies import ACCEPTED_ENCODINGS, read_whole
from copilot_mcp.graph.challenges import challenge_in
from copilot_mcp.graph.faults import fault_error, is_untrusted_certificate, never_connected
from copilot_mcp.graph.forbidden import Access, TokenReader
from copilot_mcp.graph.refusals import Answer, read_answer, refusal, safe_id, stream_refusal
from copilot_mcp.graph.token_time import in_time
from copilot_mcp.graph.tokens import Bearer, TokenSource, renew_after_turn, token_renewed

if TYPE_CHECKING:
    import httpx

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 5.0
IDLE_TIMEOUT_S = 60.0
RETRIES = 3
RETRY_CEILING_S = 20.0
"""A longer wait is given back to the caller instead of being slept."""

BATCH_CAP_BYTES = 32 * 1024 * 1024
_REFUSAL_CAP_BYTES = 1024 * 1024
RETRIED_STATUSES = frozenset({429, 502, 503, 504})
_FIRST_PAUSE_S = 0.5


@dataclass(frozen=True, slots=True)
class Operation:
    """How one kind of request is treated.

    Attributes:
        name: for logs.
        repeatable: whether a request that may have been processed can be sent again.
        total_s: seconds for the whole call, waits and retries included.
        streams: hand over a successful answer unread.
        on_conversation: whether it is a turn: a 404 means that the conversation is gone, it may have happened although
            no answer came, and a refused token sends nobody's question twice.
        idle_s: seconds without a byte after which nothing is expected any more.
        cap_bytes: an answer larger than this, unpacked, is given up; no documented one comes near.
    """

    name: str
    repeatable: bool
    total_s: float
    streams: bool = False
    on_conversation: bool = False
    idle_s: float = IDLE_TIMEOUT_S
    cap_bytes: int = BATCH_CAP_BYTES


@dataclass(frozen=True, slots=True)
class Clocks:
    """Time as an argument, so that tests need none. `monotonic` is that of the event loop, as are all time limits."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = anyio.current_time
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    jitter: Callable[[], float] = random.random


@dataclass(slots=True)
class Sent:
    """A successful answer. `response` is open where the operation streams, else `answer` is filled.

    Attributes:
        requests_used: requests that were sent for it, retries counted, those without a connection not.
        deadline: monotonic seconds at which the call's time is over.
    """

    response: "httpx.Response"
    answer: Answer
    request_id: str
    requests_used: int
    deadline: float
    token: str = field(repr=False, default="")


class GraphTransport:
    """Sends requests below one Graph root and nowhere else."""

    def __init__(
        self,
        http: "httpx.AsyncClient",
        root: str,
        tokens: TokenSource,
        user_agent: str,
        clocks: Clocks,
        reader: TokenReader | None = None,
    ) -> None:
        self.http = http
        self.tokens = tokens
        self.user_agent = user_agent
        self.clocks = clocks
        self.reader = reader
        self.root = _checked_root(root)
        self.host = urlsplit(self.root).netloc

    async def send(
        self, operation: Operation, path: str, body: Any, scopes: Sequence[str], *, bearer: Bearer | None = None
    ) -> Sent:
        """POST a JSON body and return the successful answer.

        `bearer` is the token of a call that this request is one of; without it the request has one of its own.

        Raises:
            GraphError: Graph refused, or did not answer; `requests_used` tells what was spent.
            CopilotMcpError: No token can be had, or none that serves after one was refused.
        """
        bearer = bearer or Bearer(self.tokens, scopes)
        call = _Call(self, operation, _url(self.root, path), json.dumps(body).encode(), bearer)
        try:
            return await call.run()
        except CopilotMcpError as error:
            error.requests_used = call.sent
            raise

    def access(self, token: str, scopes: Sequence[str]) -> Access:
        """With what a request was made, as far as that is known."""
        if self.reader is None:
            return Access(tuple(scopes))
        return Access(tuple(scopes), self.reader.describe(token), self.reader.consent_link)


@lru_cache(maxsize=64)
def _url(root: str, path: str) -> "httpx.URL":
    """The address of a path below the root. The token goes to the very host that was configured, or nowhere."""
    import httpx

    url, home = httpx.URL(root + path), httpx.URL(root)
    if (url.scheme, url.host, url.port, url.userinfo) != (home.scheme, home.host, home.port, b""):
        raise SettingsError("A request would have left the configured Graph root.", "It was not sent.")
    return url


class _Call:
    """One request with its repetitions."""

    def __init__(
        self, home: GraphTransport, operation: Operation, url: "httpx.URL", content: bytes, bearer: Bearer
    ) -> None:
        self.sent = 0
        self._home = home
        self._operation = operation
        self._url = url
        self._content = content
        self._bearer = bearer
        self._scopes = bearer.scopes
        self._clocks = home.clocks
        self._deadline = home.clocks.monotonic() + operation.total_s
        self._client_request_id = ""
        self._claims: str | None = None

    async def run(self) -> Sent:
        """Send, and send again as far as the operation allows."""
        token = await in_time(self._left(), self._bearer.token())
        retries = 0
        while True:
            outcome = await self._attempt(token)
            if isinstance(outcome, Sent):
                return outcome
            error, may_repeat = outcome
            if error.status == 401 or self._claims is not None:
                if self._operation.on_conversation:
                    await in_time(self._left(), renew_after_turn(self._home.tokens, self._scopes, token, self._claims))
                    raise token_renewed(error)
                if await in_time(self._left(), self._bearer.renew(token, self._claims)):
                    token = await in_time(self._left(), self._bearer.token())
                    continue
            wait = self._wait(error, retries)
            if not may_repeat or retries >= RETRIES or wait > RETRY_CEILING_S or wait >= self._left():
                raise error
            retries += 1
            await self._clocks.sleep(wait)

    async def _attempt(self, token: str) -> tuple[GraphError, bool] | Sent:
        """One request: the answer, or an error and whether the request may be repeated."""
        import httpx

        self.sent += 1
        self._claims = None
        try:
            with anyio.fail_after(max(0.0, self._left())):
                sent = await self._exchange(token)
        except (httpx.HTTPError, TimeoutError) as fault:
            logger.info("%s: %s", self._operation.name, type(fault).__name__)
            self.sent -= never_connected(fault)
            error: GraphError = fault_error(fault, self._home.host, on_conversation=self._operation.on_conversation)
            error.request_id = self._client_request_id
            error.__cause__ = fault
            passing = isinstance(fault, httpx.HTTPError) and not is_untrusted_certificate(fault)
            return error, passing and (self._operation.repeatable or never_connected(fault))
        status = sent.answer.status
        logger.info("%s: %s, request id %s", self._operation.name, status, sent.request_id)
        body = sent.answer.body
        if 200 <= status < 300 and (self._operation.streams or (isinstance(body, dict) and not body.get("error"))):
            return sent
        error = self._refusal(sent)
        error.scopes = self._scopes
        self._claims = challenge_in(status, sent.answer.headers)
        passing = isinstance(error, ThrottledError | ServiceUnavailableError)  # a 5xx may wrap a final refusal
        unread = status < 300 and not isinstance(body, dict) and not sent.answer.is_html and not sent.answer.excess
        return error, self._operation.repeatable and passing and (status in RETRIED_STATUSES or unread)

    def _refusal(self, sent: Sent) -> GraphError:
        answer, now, turn = sent.answer, self._clocks.now(), self._operation.on_conversation
        if 200 <= answer.status < 300 and isinstance(answer.body, dict):  # an error object under a good status
            return stream_refusal(answer.body, now=now, request_id=sent.request_id, on_conversation=turn)
        access = self._home.access(sent.token, self._scopes)
        return refusal(answer, now=now, request_id=sent.request_id, on_conversation=turn, access=access)

    async def _exchange(self, token: str) -> Sent:
        request = self._request(token)
        response = await self._home.http.send(request, stream=True, auth=None, follow_redirects=False)
        request_id = safe_id(response.headers.get("request-id")) or self._client_request_id
        good = 200 <= response.status_code < 300
        if self._operation.streams and good:
            small = {name.casefold(): value for name, value in response.headers.items()}
            answer = Answer(response.status_code, small, None)
            return Sent(response, answer, request_id, self.sent, self._deadline, token)
        try:
            content = await read_whole(response, self._operation.cap_bytes if good else _REFUSAL_CAP_BYTES)
        finally:
            await _close(response)
        answer = read_answer(response.status_code, response.headers, content)
        return Sent(response, answer, request_id, self.sent, self._deadline, token)

    def _request(self, token: str) -> "httpx.Request":
        """Built without the client, so that nothing of its cookies, headers or base address comes along."""
        import httpx

        self._client_request_id = str(uuid.uuid4())
        limits = httpx.Timeout(self._operation.idle_s, connect=CONNECT_TIMEOUT_S, pool=CONNECT_TIMEOUT_S)
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "Accept": "text/event-stream, application/json" if self._operation.streams else "application/json",
            "Accept-Encoding": ACCEPTED_ENCODINGS,
            "User-Agent": self._home.user_agent,
            "client-request-id": self._client_request_id,
        }
        extensions = {"timeout": limits.as_dict()}
        return httpx.Request("POST", self._url, headers=headers, content=self._content, extensions=extensions)

    def _left(self) -> float:
        return self._deadline - self._clocks.monotonic()

    def _wait(self, error: GraphError, retries: int) -> float:
        """Seconds before the next try: what Graph asks for, else twice as long each time, with jitter.

        A wait of nothing, or until a moment that is past, names no time: tries at once would only use up the quota.
        """
        return error.retry_after or backoff(retries, self._clocks)


def backoff(retries: int, clocks: Clocks) -> float:
    """Seconds to wait where Graph named none; the jitter keeps many clients apart."""
    return _FIRST_PAUSE_S * 2.0**retries * (1 + clocks.jitter())


async def _close(response: "httpx.Response") -> None:
    """Close even while the caller is being cancelled, or the connection would stay taken."""
    with anyio.CancelScope(shield=True):
        await response.aclose()


def _checked_root(root: str) -> str:
    """The Graph root without its closing slash: https with a host alone, or plain http on this machine."""
    parts = urlsplit(root)
    local = parts.hostname in ("127.0.0.1", "::1", "localhost")
    unwanted = parts.username or parts.password or parts.query or parts.fragment or parts.path.strip("/")
    if parts.scheme not in (("https", "http") if local else ("https",)) or not parts.hostname or unwanted:
        raise SettingsError("The Graph root must be https:// and a host, without user, path or query.")
    return f"{parts.scheme}://{parts.netloc}"
