"""`$batch`: several retrievals in one round trip, each with its own result or error.

A batch saves round trips, not quota: every item counts. Answers come in any order and are joined by id, without
regard to case. Only items that were throttled or met a busy service are sent again, after the longest wait they ask
for.
"""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from copilot_mcp.errors import GraphError, ServiceUnavailableError
from copilot_mcp.graph.hits import RetrievalResponse
from copilot_mcp.graph.refusals import Answer, refusal, retry_after
from copilot_mcp.graph.retrieval import RetrievalBody
from copilot_mcp.graph.scopes import RETRIEVAL_SCOPES
from copilot_mcp.graph.transport import RETRIES, RETRY_CEILING_S, GraphTransport, Operation, backoff

ITEMS_PER_BATCH = 20

_BATCH = Operation("batch", repeatable=True, total_s=120)
_RETRIED_ITEM_STATUSES = (429, 503)


@dataclass(slots=True)
class _Item:
    """One retrieval on its way."""

    id: str
    body: RetrievalBody
    sends: int = 0
    outcome: RetrievalResponse | GraphError | None = None

    def request(self) -> dict[str, Any]:
        """The item as the batch wants it."""
        return {
            "id": self.id,
            "method": "POST",
            "url": "/copilot/retrieval",
            "headers": {"Content-Type": "application/json"},
            "body": self.body.payload(),
        }


async def retrieve_batch(
    transport: GraphTransport, bodies: Sequence[RetrievalBody], *, beta: bool
) -> list[RetrievalResponse | GraphError]:
    """Send retrievals in batches of at most twenty; the results stand in the order of the bodies."""
    items = [_Item(str(number), body) for number, body in enumerate(bodies, 1)]
    for start in range(0, len(items), ITEMS_PER_BATCH):
        await _settle(transport, items[start : start + ITEMS_PER_BATCH], "beta" if beta else "v1.0")
    return [_outcome(item) for item in items]


async def _settle(transport: GraphTransport, items: list[_Item], version: str) -> None:
    """Send one batch, then its passing failures again, at most `RETRIES` times."""
    waiting = items
    for retries in range(RETRIES):
        waits = await _send(transport, waiting, version)
        waiting = [item for item in waiting if item.id in waits]
        asked = [wait for wait in waits.values() if wait is not None]
        wait = max(asked, default=backoff(retries, transport.clocks))
        if not waiting or wait > RETRY_CEILING_S:
            return
        await transport.clocks.sleep(wait)
    await _send(transport, waiting, version)


async def _send(transport: GraphTransport, items: list[_Item], version: str) -> dict[str, float | None]:
    """Send one envelope, give every item its outcome; return the ids worth another try, each with its wait."""
    scopes = sorted({scope for item in items for scope in RETRIEVAL_SCOPES[item.body.data_source]})
    envelope = {"requests": [item.request() for item in items]}
    try:
        sent = await transport.send(_BATCH, f"/{version}/$batch", envelope, scopes)
    except GraphError as error:
        for item in items:
            item.sends += error.requests_used
            item.outcome = error
        return {}
    answers = _by_id(sent.answer.body)
    waits: dict[str, float | None] = {}
    for item in items:
        item.sends += sent.requests_used
        answer = answers.get(item.id.casefold())
        item.outcome = _read(item, answer, transport, sent.request_id)
        if answer is not None and answer.status in _RETRIED_ITEM_STATUSES:
            waits[item.id] = retry_after(answer.headers, transport.clocks.now())
    return waits


def _by_id(body: Any) -> dict[str, Answer]:
    """The answers of an envelope by id in small letters; the first of two with one id counts."""
    answers: dict[str, Answer] = {}
    responses = body.get("responses")
    for response in responses if isinstance(responses, list) else []:
        if isinstance(response, dict) and isinstance(response.get("status"), int):
            headers = response.get("headers")
            small = {str(name).casefold(): str(value) for name, value in (headers or {}).items()}
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


def _read(
    item: _Item, answer: Answer | None, transport: GraphTransport, request_id: str
) -> RetrievalResponse | GraphError:
    if answer is None:
        return ServiceUnavailableError(
            "Microsoft Graph left this request out of its batch answer.", "Try again later.", request_id=request_id
        )
    if 200 <= answer.status < 300:
        try:
            response = RetrievalResponse.model_validate(answer.body)
            return response.stamped(answer.headers.get("request-id", request_id), item.sends)
        except ValidationError:
            pass  # falls through to "cannot be read"; the reason would quote the body
    return refusal(answer, now=transport.clocks.now(), request_id=request_id)


def _outcome(item: _Item) -> RetrievalResponse | GraphError:
    if isinstance(item.outcome, RetrievalResponse):
        return item.outcome.stamped(item.outcome.request_id, item.sends)
    error = item.outcome or ServiceUnavailableError("This request was not sent.")
    error.requests_used = item.sends
    return error
