"""`$batch`: several retrievals in one round trip, each with its own result or error.

A batch saves round trips, not quota: every item counts. Answers come in any order and are joined by id, without
regard to case. An item that was throttled or met a passing fault is sent again without the others, when the wait that
it asked for itself is over; what the others brought is kept. Where items refuse the token, it is renewed once for all
of them, as for a single request, and only they are sent again.
"""

import base64
import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from pydantic import ValidationError

from copilot_mcp.errors import CopilotMcpError, ServiceUnavailableError
from copilot_mcp.graph.challenges import challenge_in
from copilot_mcp.graph.hits import RetrievalResponse
from copilot_mcp.graph.json_reader import read_json
from copilot_mcp.graph.refusals import Answer, refusal, retry_after, stream_refusal
from copilot_mcp.graph.retrieval import RETRIEVAL_LIMIT_S, RetrievalBody
from copilot_mcp.graph.scopes import RETRIEVAL_SCOPES
from copilot_mcp.graph.token_time import in_time
from copilot_mcp.graph.tokens import Bearer
from copilot_mcp.graph.transport import (
    RETRIED_STATUSES,
    RETRIES,
    RETRY_CEILING_S,
    GraphTransport,
    Operation,
    Sent,
    backoff,
)

ITEMS_PER_BATCH = 20
_WEB_TO_PLAIN = str.maketrans("-_", "+/")  # the two alphabets of base64

_BATCH = Operation("batch", repeatable=True, total_s=RETRIEVAL_LIMIT_S)

Outcome: TypeAlias = RetrievalResponse | CopilotMcpError
"""What became of one retrieval: its answer, or the error of Graph or of the sign-in that stands for it."""


@dataclass(slots=True)
class _Item:
    """One retrieval on its way.

    Attributes:
        bearer: the token it was sent with, which it shares with the others of its envelope.
        due: the monotonic second at which it is sent again, None when it is settled.
    """

    id: str
    body: RetrievalBody
    bearer: Bearer
    sends: int = 0
    outcome: Outcome | None = None
    due: float | None = None

    @property
    def scopes(self) -> tuple[str, ...]:
        """The permissions that its data source needs."""
        return RETRIEVAL_SCOPES[self.body.data_source]

    def request(self) -> dict[str, Any]:
        """The item as the batch wants it."""
        return {
            "id": self.id,
            "method": "POST",
            "url": "/copilot/retrieval",
            "headers": {"Content-Type": "application/json"},
            "body": self.body.payload(),
        }


async def retrieve_batch(transport: GraphTransport, bodies: Sequence[RetrievalBody], *, beta: bool) -> list[Outcome]:
    """Send retrievals in batches of at most twenty; the results stand in the order of the bodies.

    The time of one call bounds all that is sent, repetitions included; what it has no room for is not sent.
    """
    batch = _Batch(transport, "beta" if beta else "v1.0")
    outcomes: list[Outcome] = []
    for start in range(0, len(bodies), ITEMS_PER_BATCH):
        some = bodies[start : start + ITEMS_PER_BATCH]
        bearer = batch.bearer(some)
        items = [_Item(str(number), body, bearer) for number, body in enumerate(some, start + 1)]
        await batch.settle(items)
        outcomes += map(_outcome, items)
    return outcomes


@dataclass(frozen=True, slots=True)
class _Refused:
    """The items of an envelope that refused its token, and the claims challenge of the first that had one."""

    items: list[_Item]
    token: str
    claims: str | None


class _Batch:
    """The envelopes of one call to one version; those that need the same permissions share a token."""

    def __init__(self, transport: GraphTransport, version: str) -> None:
        self._transport = transport
        self._clocks = transport.clocks
        self._path = f"/{version}/$batch"
        self._deadline = transport.clocks.monotonic() + _BATCH.total_s
        self._bearers: dict[tuple[str, ...], Bearer] = {}

    async def settle(self, items: list[_Item]) -> None:
        """Send one batch, then each item that met a passing fault again when it is due."""
        await self._send(items)
        while waiting := [item for item in items if item.due is not None]:
            moment = min(item.due for item in waiting if item.due is not None)
            await self._clocks.sleep(max(0.0, moment - self._clocks.monotonic()))
            due = [item for item in waiting if item.due is not None and item.due <= moment]
            for bearer in {item.bearer: None for item in due}:
                await self._send([item for item in due if item.bearer is bearer])

    def bearer(self, bodies: Sequence[RetrievalBody]) -> Bearer:
        """One token serves a whole envelope, so it needs the permissions of all."""
        scopes = tuple(sorted({scope for body in bodies for scope in RETRIEVAL_SCOPES[body.data_source]}))
        return self._bearers.setdefault(scopes, Bearer(self._transport.tokens, scopes))

    async def _send(self, items: list[_Item]) -> None:
        """Send items in one envelope and give each its outcome; those that refuse the token again with a new one.

        All have the same bearer. With no time left nothing is sent.
        """
        bearer = items[0].bearer
        refused: _Refused | None = None
        while items:
            try:
                if refused is not None and not await self._renewed(bearer, refused):
                    return  # refused with a new token too, so that stands
                if self._clocks.monotonic() >= self._deadline:
                    _leave(items, renewed=refused is not None)
                    return
                refused = await self._send_envelope(items, bearer)
                items = refused.items
            except CopilotMcpError as error:
                await self._fail(items, error)
                return

    async def _renewed(self, bearer: Bearer, refused: _Refused) -> bool:
        left = self._deadline - self._clocks.monotonic()
        return await in_time(left, bearer.renew(refused.token, refused.claims))

    async def _fail(self, items: list[_Item], error: CopilotMcpError) -> None:
        """Give the error of an envelope to its items.

        Where a permission was not granted, every data source is asked for by itself, so that it costs no other its
        answer.
        """
        for item in items:
            item.sends += error.requests_used
        groups = [[item for item in items if item.scopes == wanted] for wanted in {item.scopes: None for item in items}]
        if error.lacks_permission and len(groups) > 1:
            for group in groups:
                bearer = self.bearer([item.body for item in group])
                for item in group:
                    item.bearer = bearer
                await self._send(group)
            return
        for item in items:
            item.due, item.outcome = None, error

    async def _send_envelope(self, items: list[_Item], bearer: Bearer) -> _Refused:
        envelope = {"requests": [item.request() for item in items]}
        batch = replace(_BATCH, total_s=self._deadline - self._clocks.monotonic())
        sent = await self._transport.send(batch, self._path, envelope, bearer.scopes, bearer=bearer)
        answers = _by_id(sent.answer)
        now, pause = self._clocks.monotonic(), backoff(max(item.sends for item in items), self._clocks)
        refused = _Refused([], sent.token, None)
        for item in items:
            item.sends += sent.requests_used
            answer = answers.get(item.id.casefold())
            item.outcome, item.due = _read(item, answer, self._transport, sent), None
            if answer is None:
                continue
            claims = challenge_in(answer.status, answer.headers)
            if answer.status == 401 or claims is not None:
                refused = replace(refused, items=[*refused.items, item], claims=refused.claims or claims)
            wait = self._wait(answer, pause)
            if wait is not None and item.sends <= RETRIES and now + wait < self._deadline:
                item.due = now + wait
        return refused

    def _wait(self, answer: Answer, pause: float) -> float | None:
        """Seconds until an item is sent again, `pause` where it names none; None where that does not help."""
        if answer.status not in RETRIED_STATUSES:
            return None
        asked = retry_after(answer.headers, self._clocks.now())
        wait = asked or pause
        return wait if wait <= RETRY_CEILING_S else None


def _leave(items: list[_Item], *, renewed: bool) -> None:
    """Let items be that there is no time to send: with the outcome they have, but for a refusal that is cured."""
    for item in items:
        item.due = None
        if renewed:
            item.outcome = ServiceUnavailableError(
                "Microsoft Graph refused the token. The sign-in has been renewed, but this call had no time left for "
                "this request.",
                "Ask again.",
                kind="timeout",
            )


def _by_id(envelope: Answer) -> dict[str, Answer]:
    """The answers of an envelope by id in small letters; of two with one id the first, or the one that is an answer.

    An item has no `Date` of its own, so the envelope's is its.
    """
    answers: dict[str, Answer] = {}
    responses = envelope.body.get("responses")
    dated = {"date": envelope.headers["date"]} if "date" in envelope.headers else {}
    for response in responses if isinstance(responses, list) else []:
        if isinstance(response, dict) and (status := _status(response.get("status"))):
            given = response.get("headers")
            headers = given if isinstance(given, dict) else {}
            small = {str(name).casefold(): str(value) for name, value in headers.items()}
            answer = Answer(status, dated | small, _item_body(response.get("body")))
            before = answers.setdefault(str(response.get("id")).casefold(), answer)
            if status < 300 <= before.status:
                answers[str(response.get("id")).casefold()] = answer
    return answers


def _status(value: Any) -> int:
    """The status of an item, 0 where there is none; text is read as a number."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:4])
    return value if type(value) is int else 0


def _item_body(body: Any) -> Any:
    """An item's body; what is not JSON comes as base64, so a string may hide an object all the same."""
    if not isinstance(body, str):
        return body
    packed = body.strip().rstrip("=").translate(_WEB_TO_PLAIN)
    packed += "=" * (-len(packed) % 4)
    try:
        return read_json(body.encode() if body.lstrip().startswith("{") else base64.b64decode(packed, validate=True))
    except ValueError:  # also that of an odd base64, and of a limit
        return None


def _read(item: _Item, answer: Answer | None, transport: GraphTransport, sent: Sent) -> Outcome:
    if answer is None:
        return ServiceUnavailableError(
            "Microsoft Graph left this request out of its batch answer.", "Try again later.", request_id=sent.request_id
        )
    if 200 <= answer.status < 300:
        if isinstance(answer.body, dict) and answer.body.get("error"):  # beside hits that cannot be complete
            now = transport.clocks.now()
            return stream_refusal(answer.body, now=now, request_id=sent.request_id, on_conversation=False)
        try:
            response = RetrievalResponse.model_validate(answer.body)
            return response.stamped(answer.headers.get("request-id", sent.request_id), item.sends)
        except ValidationError:
            pass  # falls through to "cannot be read"; the reason would quote the body
    access = transport.access(sent.token, item.scopes)
    error = refusal(answer, now=transport.clocks.now(), request_id=sent.request_id, access=access)
    error.scopes = item.scopes
    return error


def _no_time_left() -> CopilotMcpError:
    return ServiceUnavailableError(
        "This request was not sent: the others took all the time of the call.",
        "Ask again, fewer at a time.",
        kind="timeout",
    )


def _outcome(item: _Item) -> Outcome:
    """What became of an item, marked with what it took; an error that several share is not marked for one of them."""
    if isinstance(item.outcome, RetrievalResponse):
        return item.outcome.stamped(item.outcome.request_id, item.sends)
    error = copy.copy(item.outcome) or _no_time_left()
    error.requests_used = item.sends
    return error
