"""Simulated Graph: finds the operation of a request, checks the token and its scopes, and answers.

The sign-in is checked as Graph checks it: signature, audience, life time, then the scopes of the operation. What
comes out is a `Reply`; `endpoints.py` makes HTTP of it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from copilot_mcp.simulator.batch import is_json, run_batch
from copilot_mcp.simulator.challenges import REVOKED_CLAIMS, Challenges, challenge_header, challenge_refusal
from copilot_mcp.simulator.chat import Chat
from copilot_mcp.simulator.fault_batch import spoilt_batch
from copilot_mcp.simulator.fault_values import altered
from copilot_mcp.simulator.faults import Fault, Faults
from copilot_mcp.simulator.fields import read_json
from copilot_mcp.simulator.replies import GraphRefusalError, Reply, RequestIds, fault_reply
from copilot_mcp.simulator.retrieval import RETRIEVAL_SCOPES, Retrieval, data_source_of
from copilot_mcp.simulator.tenant import Tenant, User
from copilot_mcp.simulator.throttle import Throttle
from copilot_mcp.simulator.tokens import GRAPH_RESOURCE, TENANT_ID, TokenError, Tokens

__all__ = ["CHAT_SCOPES", "Graph", "GraphCall", "operation_of"]

CHAT_SCOPES: Final = (
    "Sites.Read.All",
    "Mail.Read",
    "People.Read.All",
    "OnlineMeetingTranscript.Read.All",
    "Chat.Read",
    "ChannelMessage.Read.All",
    "ExternalItem.Read.All",
)
_ROUTES: Final = (
    ("conversations", ("beta",), re.compile(r"copilot/conversations")),
    ("chat", ("beta",), re.compile(r"copilot/conversations/([^/]+)/(?:microsoft\.graph\.copilot\.)?chat")),
    (
        "chatOverStream",
        ("beta",),
        re.compile(r"copilot/conversations/([^/]+)/(?:microsoft\.graph\.copilot\.)?chatOverStream"),
    ),
    ("retrieval", ("v1.0", "beta"), re.compile(r"copilot/retrieval")),
    ("batch", ("v1.0", "beta"), re.compile(r"\$batch")),
)
_CHALLENGE: Final = (
    'Bearer realm="", authorization_uri="https://login.copilot-mcp.test/common/oauth2/authorize", '
    f'client_id="{TENANT_ID}"'
)


@dataclass(frozen=True, slots=True)
class GraphCall:
    """One request to Graph, in the terms of its operation. `target` is the conversation id of a turn."""

    operation: str
    version: str
    target: str
    method: str
    authorization: str
    content: bytes
    ids: RequestIds
    content_type: str = "application/json"


def operation_of(version: str, path: str) -> tuple[str, str]:
    """The operation and the conversation id of a path below the version root.

    Raises:
        GraphRefusalError: 404, also for an operation that this version does not have.
    """
    for name, versions, pattern in _ROUTES:
        found = pattern.fullmatch(path.strip("/"))
        if found and version in versions:
            return name, found[1] if found.groups() else ""
    raise GraphRefusalError(404, "ResourceNotFound", "There is no such resource in this version.")


@dataclass(frozen=True, slots=True)
class Graph:
    """Graph's operations over one tenant."""

    tenant: Tenant
    tokens: Tokens
    faults: Faults
    chat: Chat
    retrieval: Retrieval
    challenges: Challenges
    throttle: Throttle

    def answer(self, call: GraphCall) -> Reply:
        """Carry out one request; every refusal comes back in Graph's shape."""
        struck = self.faults.take(call.operation, "answer", lambda: self.user_key(call.authorization))
        if struck:
            if struck[0].name == "conversation_gone":
                self.chat.conversations.forget(call.target)
            reply = _fault_reply(struck[0], call.ids)
            reply.notes["fault"] = struck[0].name
            return reply
        notes: dict[str, Any] = {}
        try:
            reply = self._spoilt(self._carry_out(call, notes), call.operation, notes)
        except GraphRefusalError as refusal:
            reply = refusal.reply(call.ids)
        reply.notes = notes | reply.notes
        return reply

    def user_key(self, authorization: str) -> str:
        """Whose request this is, empty where the token does not tell."""
        try:
            return self._signed_in(authorization)[0].key
        except GraphRefusalError:
            return ""

    def _spoilt(self, reply: Reply, operation: str, notes: Mapping[str, Any]) -> Reply:
        """A good answer with the values that a fault wants; a stream has its own."""
        if reply.status < 300 and reply.stream is None:
            reply.body = altered(reply.body, self.faults.take(operation, "values", str(notes.get("user", ""))))
        return reply

    def _carry_out(self, call: GraphCall, notes: dict[str, Any]) -> Reply:
        if call.method != "POST":
            raise GraphRefusalError(405, "MethodNotAllowed", "The method is not allowed.", {"Allow": "POST"})
        user, claims = self._signed_in(call.authorization)
        notes["user"] = user.key
        if call.content and not is_json(call.content_type):
            raise GraphRefusalError(415, "UnsupportedMediaType", "The body must be application/json.")
        body = read_json(call.content)
        match call.operation:
            case "batch":  # of the token only what every operation asks of it; the rest is each item's own
                reply = run_batch(body, self._item(call, user, claims), _refuser(call.ids))
                order = [str(each["id"]) for each in body["requests"]]
                return spoilt_batch(reply, self.faults.take("batch", "batch", user.key), _refuser(call.ids), order)
            case "retrieval":
                return self._retrieve(call.version, user, claims, body)
        self.challenges.check(claims)
        _require(_scopes_of(claims), CHAT_SCOPES)
        match call.operation:
            case "conversations":
                return self.chat.create(user, body)
            case "chat":
                return self.chat.chat(user, call.target, body, f"{GRAPH_RESOURCE}/beta")
            case _:
                return self.chat.chat_over_stream(user, call.target, body, f"{GRAPH_RESOURCE}/beta")

    def _signed_in(self, authorization: str) -> tuple[User, Mapping[str, Any]]:
        """The person and the claims of a bearer token."""
        scheme, _, token = authorization.partition(" ")
        try:
            if scheme.casefold() != "bearer" or not token.strip():
                raise TokenError("Access token is empty.")
            claims = self.tokens.check(token.strip(), GRAPH_RESOURCE)
            user = self.tenant.user(str(claims["oid"]))
            if user is None:
                raise TokenError("The user of the token does not exist.")
        except TokenError as error:
            challenge = {"WWW-Authenticate": _CHALLENGE}
            raise GraphRefusalError(401, "InvalidAuthenticationToken", str(error), challenge) from None
        return user, claims

    def _retrieve(self, version: str, user: User, claims: Mapping[str, Any], body: Mapping[str, Any]) -> Reply:
        """A retrieval, once its data source takes the token with these claims."""
        source = data_source_of(body)
        self.challenges.check(claims, source)
        _require(_scopes_of(claims), RETRIEVAL_SCOPES[source])
        self.throttle.count(user.key)
        return self.retrieval.retrieve(user, version, body)

    def _item(self, call: GraphCall, user: User, claims: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], Reply]:
        """A retrieval inside a batch: its own faults, conditions of access, scopes and refusal."""

        def retrieve(body: Mapping[str, Any]) -> Reply:
            struck = self.faults.take("retrieval", "answer", user.key)
            if struck:
                return _fault_reply(struck[0], call.ids)
            try:
                return self._spoilt(self._retrieve(call.version, user, claims, body), "retrieval", {"user": user.key})
            except GraphRefusalError as refusal:
                return refusal.reply(call.ids)

        return retrieve


def _fault_reply(fault: Fault, ids: RequestIds) -> Reply:
    if fault.name == "claims_challenge":
        return challenge_refusal(fault.value or challenge_header(REVOKED_CLAIMS)).reply(ids)
    return fault_reply(fault, ids)


def _refuser(ids: RequestIds) -> Callable[[int, str, str], Reply]:
    return lambda status, code, message: GraphRefusalError(status, code, message).reply(ids)


def _scopes_of(claims: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(str(claims.get("scp", "")).split())


def _require(scopes: frozenset[str], needed: Sequence[str]) -> None:
    missing = [name for name in needed if name not in scopes]
    if missing:
        names = ", ".join(needed)
        raise GraphRefusalError(403, "Forbidden", f"Required scopes = [{names}]. Missing: {', '.join(missing)}.")
