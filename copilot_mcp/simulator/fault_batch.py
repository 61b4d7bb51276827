"""Faults of stage `batch`: what a service may do to the answers of a batch."""

from collections.abc import Callable, Sequence
from typing import Any

from copilot_mcp.simulator.challenges import REVOKED_CLAIMS, challenge_header, challenge_refusal
from copilot_mcp.simulator.faults import Fault
from copilot_mcp.simulator.replies import Reply

__all__ = ["spoilt_batch"]


def spoilt_batch(
    reply: Reply, faults: Sequence[Fault], refuse: Callable[[int, str, str], Reply], order: Sequence[str]
) -> Reply:
    """The envelope as the faults want it; `refuse` makes Graph's error shape, `order` are the ids in the requests."""
    if not faults:
        return reply
    responses: list[dict[str, Any]] = sorted(reply.body["responses"], key=lambda each: order.index(str(each["id"])))
    for fault in faults:
        if not responses:
            break
        first = responses[0]
        match fault.name:
            case "batch_reordered":
                responses.reverse()
            case "batch_missing":
                responses = responses[1:]
            case "batch_doubled":
                responses = [first, *responses]
            case "batch_unknown_id":
                responses = [{**first, "id": "nobody-asked"}, *responses]
            case "batch_item_424":
                responses[0] = _failed(first, refuse(424, "FailedDependency", "A request it depends on failed."))
            case "batch_item_429":
                failed = _failed(first, refuse(429, "TooManyRequests", "Too many requests; wait and try again."))
                failed["headers"]["Retry-After"] = fault.retry_after or "3"
                responses[0] = failed
            case "batch_item_401":
                responses[0] = _failed(first, refuse(401, "InvalidAuthenticationToken", "Access token is not taken."))
            case "batch_item_claims":
                challenge = challenge_refusal(challenge_header(REVOKED_CLAIMS), fault.status or 401)
                failed = _failed(first, refuse(challenge.status, challenge.code, challenge.message))
                failed["headers"].update(challenge.headers)
                responses[0] = failed
    reply.body = {"responses": responses}
    return reply


def _failed(response: dict[str, Any], refusal: Reply) -> dict[str, Any]:
    return {**response, "status": refusal.status, "headers": dict(response["headers"]), "body": refusal.body}
