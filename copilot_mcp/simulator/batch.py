"""`$batch`: up to 20 retrievals in one request, each with its own status, answered in no particular order."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from copilot_mcp.simulator.fields import bad_request, member, objects, text, texts
from copilot_mcp.simulator.replies import Reply

__all__ = ["is_json", "run_batch"]

MAX_REQUESTS: Final = 20
_RETRIEVAL: Final = "copilot/retrieval"

Item = Callable[[Mapping[str, Any]], Reply]


def run_batch(body: Mapping[str, Any], retrieve: Item, refuse: Callable[[int, str, str], Reply]) -> Reply:
    """Carry out every item with `retrieve`; `refuse` makes Graph's error shape.

    Raises:
        GraphRefusalError: the batch as a whole is malformed.
    """
    requests = objects(body, "requests")
    _check(requests)
    replies: dict[str, Reply] = {}
    for request in requests:
        identity = request["id"].casefold()
        before = [replies[each.casefold()] for each in texts(request, "dependsOn")]
        if any(reply.status >= 400 for reply in before):
            replies[identity] = refuse(424, "FailedDependency", "A request it depends on failed.")
        else:
            replies[identity] = _run(request, retrieve, refuse)
    responses = [_response(request["id"], replies[request["id"].casefold()]) for request in requests]
    notes = [reply.notes for reply in replies.values()]
    return Reply(200, {"responses": sorted(responses, key=_anywhere)}, notes={"items": notes})


def _check(requests: Sequence[Mapping[str, Any]]) -> None:
    if not requests:
        raise bad_request("'requests' must hold at least one request.")
    if len(requests) > MAX_REQUESTS:
        raise bad_request("A batch holds at most 20 requests.")
    seen: set[str] = set()
    for request in requests:
        identity = text(request, "id", required=True).casefold()
        if identity in seen:
            raise bad_request("The 'id' of each request must be unique.")
        text(request, "method", required=True)
        text(request, "url", required=True)
        if not all(each.casefold() in seen for each in texts(request, "dependsOn")):
            raise bad_request("'dependsOn' must name earlier requests.")
        seen.add(identity)


def _run(request: Mapping[str, Any], retrieve: Item, refuse: Callable[[int, str, str], Reply]) -> Reply:
    headers = {name.casefold(): value for name, value in member(request, "headers").items()}
    if "body" in request and not is_json(headers.get("content-type")):
        return refuse(400, "BadRequest", "A request with a body needs the header 'Content-Type'.")
    if request["url"].strip("/").casefold() != _RETRIEVAL:
        return refuse(404, "ResourceNotFound", "The resource cannot be reached in a batch.")
    if request["method"].upper() != "POST":
        return refuse(405, "MethodNotAllowed", "The method is not allowed.")
    content = request.get("body")
    if not isinstance(content, dict):
        return refuse(400, "BadRequest", "The body must be a JSON object.")
    return retrieve(content)


def is_json(content_type: object) -> bool:
    """Media types are compared without case, and without their parameters."""
    return str(content_type).partition(";")[0].strip().casefold() == "application/json"


def _response(identity: str, reply: Reply) -> dict[str, Any]:
    headers = {"Content-Type": "application/json; charset=utf-8", **reply.headers}
    body = reply.body if reply.text is None else reply.text
    return {"id": identity, "status": reply.status, "headers": headers, "body": body}


def _anywhere(response: Mapping[str, Any]) -> bytes:
    """A fixed order that is not the order of the requests: the real one is arbitrary."""
    return hashlib.sha256(str(response["id"]).encode()).digest()
