"""`$batch`: several retrievals in one round trip, each with its own result or error.

A batch saves round trips, not quota: every item counts. Answers come in any order and are joined by id, without
regard to case. An item that was throttled or met a passing fault is sent again without the others, when the wait that
it asked for itself is over; what the others brought is kept.
"""

import base64
import binascii
import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from pydantic import ValidationError

from copilot_mcp.errors import CopilotMcpError, GraphError, ServiceUnavailableError
from copilot_mcp.graph.hits import RetrievalResponse
from copilot_mcp.graph.refusals import Answer, refusal, retry_after, stream_refusal
from copilot_mcp.graph.retrieval import RetrievalBody
from copilot_mcp.graph.scopes import RETRIEVAL_SCOPES
from copilot_mcp.graph.transport import (
    RETRIES,
    RETRIEVAL_LIMIT_S,
    RETRY_CEILING_S,
    GraphTransport,
    Operation,
    Sent,
    backoff,
)

ITEMS_PER_BATCH = 20

_BATCH = Operation("batch", repeatable=True, total_s=RETRIEVAL_LIMIT_S)
_RETRIED_ITEM_STATUSES = (429, 502, 503, 504)
_CONSENT_KINDS = ("consent_required", "scopes_missing")

Outcome: TypeAlias = RetrievalResponse | CopilotMcpError
"""What became of one retrieval: its answer, or the error of Graph or of the sign-in that stands for it."""


@dataclass(slots=True)
class _Item:
    """One retrieval on its way. `due` is the monotonic second at which it is sent again, None when it is settled."""

    id: str
    body: RetrievalBody
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
    deadline = transport.clocks.monotonic() + _BATCH.total_s
    items = [_Item(str(number), body) for number, body in enumerate(bodies, 1)]
    for start in range(0, len(items), ITEMS_PER_BATCH):
        await _settle(transport, items[start : start + ITEMS_PER_BATCH], "beta" if beta else "v1.0", deadline)
    return [_outcome(item) for item in items]


async def _settle(transport: GraphTransport, items: list[_Item], version: str, deadline: float) -> None:
    """Send one batch, then each item that met a passing fault again when it is due."""
    clocks = transport.clocks
    await _send(transport, items, version, deadline)
    while waiting := [item for item in items if item.due is not None]:
        moment = min(item.due for item in waiting if item.due is not None)
        await clocks.sleep(max(0.0, moment - clocks.monotonic()))
        due = [item for item in waiting if item.due is not None and item.due <= moment]
        await _send(transport, due, version, deadline)


async def _send(transport: GraphTransport, items: list[_Item], version: str, deadline: float) -> None:
    """Send items in one envelope and give each its outcome.

    One token serves the whole envelope, so it needs the permissions of all. Where one of them was not granted, every
    data source is asked for by itself, so that it costs no other its answer. With no time left nothing is sent.
    """
    if transport.clocks.monotonic() >= deadline:
        for item in items:
            item.due = None
        return
    scopes = sorted({scope for item in items for scope in item.scopes})
    try:
        await _send_envelope(transport, items, version, scopes, deadline)
    except CopilotMcpError as error:
        groups = [[item for item in items if item.scopes == wanted] for wanted in {item.scopes: None for item in items}]
        if error.kind in _CONSENT_KINDS and len(groups) > 1:
            for group in groups:
                await _send(transport, group, version, deadline)
            return
        for item in items:
            item.sends += error.requests_used if isinstance(error, GraphError) else 0
            item.due, item.outcome = None, error


async def _send_envelope(
    transport: GraphTransport, items: list[_Item], version: str, scopes: Sequence[str], deadline: float
) -> None:
    envelope = {"requests": [item.request() for item in items]}
    batch = replace(_BATCH, total_s=deadline - transport.clocks.monotonic())
    sent = await transport.send(batch, f"/{version}/$batch", envelope, scopes)
    answers = _by_id(sent.answer.body)
    now, pause = transport.clocks.monotonic(), backoff(max(item.sends for item in items), transport.clocks)
    for item in items:
        item.sends += sent.requests_used
        answer = answers.get(item.id.casefold())
        item.outcome, item.due = _read(item, answer, transport, sent), None
        if answer is None or answer.status not in _RETRIED_ITEM_STATUSES or item.sends > RETRIES:
            continue
        asked = retry_after(answer.headers, transport.clocks.now())
        wait = pause if asked is None else asked
        if wait <= RETRY_CEILING_S and now + wait < deadline:
            item.due = now + wait


def _by_id(body: Any) -> dict[str, Answer]:
    """The answers of an envelope by id in small letters; the first of two with one id counts."""
    answers: dict[str, Answer] = {}
    responses = body.get("responses")
    for response in responses if isinstance(responses, list) else []:
        if isinstance(response, dict) and isinstance(response.get("status"), int):
            given = response.get("headers")
            headers = given if isinstance(given, dict) else {}
            small = {str(name).casefold(): str(value) for name, value in headers.items()}
            answer = Answer(response["status"], small, _item_body(response.get("body")))
            answers.setdefault(str(response.get("id")).casefold(), answer)
    return answers


def _item_body(body: Any) -> Any:
    """An item's body; what is not JSON comes as base64, so a string may hide an object all the same."""
    if not isinstance(body, str):
        return body
    try:
        return json.loads(base64.b64decode(body, validate=True))
    except (binascii.Error, ValueError, RecursionError):
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
    access = transport.access(sent.token, RETRIEVAL_SCOPES[item.body.data_source])
    return refusal(answer, now=transport.clocks.now(), request_id=sent.request_id, access=access)


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
    if isinstance(error, GraphError):
        error.requests_used = item.sends
    return error
