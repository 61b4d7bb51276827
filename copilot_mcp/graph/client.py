"""`GraphClient`: the Copilot operations of Microsoft Graph as methods."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
from pydantic import ValidationError

from copilot_mcp.errors import CopilotMcpError, GraphError, PermissionDeniedError
from copilot_mcp.graph._base import GraphAnswer
from copilot_mcp.graph.batch import Outcome, retrieve_batch
from copilot_mcp.graph.chat import ChatBody
from copilot_mcp.graph.conversation import CopilotConversation
from copilot_mcp.graph.conversation_ids import conversation_path, new_conversation_path
from copilot_mcp.graph.forbidden import ONE_DRIVE_ALONE, TokenReader
from copilot_mcp.graph.hits import RetrievalResponse
from copilot_mcp.graph.refusals import Answer, refusal
from copilot_mcp.graph.retrieval import RETRIEVAL_LIMIT_S, RetrievalBody
from copilot_mcp.graph.scopes import CHAT_SCOPES, RETRIEVAL_SCOPES
from copilot_mcp.graph.tokens import TokenSource
from copilot_mcp.graph.transport import Clocks, GraphTransport, Operation, Sent
from copilot_mcp.graph.turn import ChatTurn

if TYPE_CHECKING:
    import httpx

CHAT_TURN_LIMIT_S = 330.0
"""Microsoft's own sample waits 300 s for one turn; a little more, so that such an answer is not cut at its end."""

_MIB = 1024 * 1024
_CREATE = Operation("create conversation", repeatable=False, total_s=60, cap_bytes=_MIB)
_CHAT = Operation(
    "chat",
    repeatable=False,
    total_s=CHAT_TURN_LIMIT_S,
    on_conversation=True,
    idle_s=CHAT_TURN_LIMIT_S,  # not a byte comes before the whole answer does
    cap_bytes=8 * _MIB,
)
_STREAM = Operation("chatOverStream", repeatable=False, total_s=CHAT_TURN_LIMIT_S, streams=True, on_conversation=True)
_RETRIEVE = Operation("retrieval", repeatable=True, total_s=RETRIEVAL_LIMIT_S, cap_bytes=4 * _MIB)
_RETRIEVE_PICTURES = replace(_RETRIEVE, cap_bytes=32 * _MIB)

AnswerT = TypeVar("AnswerT", bound=GraphAnswer)


class GraphClient:
    """Speaks to one Graph root for the person behind `tokens`. Holds no conversation and no lock.

    Turns of one conversation must be sent one after another; that is the caller's business. The HTTP client stays
    the caller's: who opened it closes it.
    """

    def __init__(
        self,
        http: "httpx.AsyncClient",
        root: str,
        tokens: TokenSource,
        *,
        user_agent: str = "copilot-mcp",
        clock: Callable[[], datetime] | None = None,
        monotonic: Callable[[], float] | None = None,
        sleep: Callable[[float], Awaitable[None]] | None = None,
        jitter: Callable[[], float] | None = None,
        reader: TokenReader | None = None,
    ) -> None:
        given = {"now": clock, "monotonic": monotonic, "sleep": sleep, "jitter": jitter}
        chosen: dict[str, Any] = {name: function for name, function in given.items() if function is not None}
        self._transport = GraphTransport(http, root, tokens, user_agent, Clocks(**chosen), reader)
        self._answered: bytes | None = None
        """Digest of the last token that SharePoint answered to. A token is one person's; a client may serve many."""

    async def create_conversation(self) -> CopilotConversation:
        """Start a conversation. Sent again only when no connection was made, and once for a new token."""
        sent = await self._transport.send(_CREATE, "/beta/copilot/conversations", {}, CHAT_SCOPES)
        conversation = self._read(CopilotConversation, sent)
        if not conversation.id:
            raise self._unreadable(sent)
        new_conversation_path(conversation.id)  # a question is not to be asked where it cannot be sent
        return conversation

    async def chat(self, conversation_id: str, body: ChatBody, *, new: bool = False) -> CopilotConversation:
        """One turn, answered at the end. Never sent twice once it may have arrived: a refused token is renewed for the
        next call, and this one ends with `token_renewed`. `new`: the id is what `create_conversation` gave, and not
        the word of a caller.

        Raises:
            ArgumentError: The conversation id cannot be one.
            GraphError: Graph refused, or did not answer; after a time limit the turn may have been recorded.
        """
        path_of = new_conversation_path if new else conversation_path
        path = path_of(conversation_id) + "/chat"
        sent = await self._transport.send(_CHAT, path, body.payload(), CHAT_SCOPES)
        return self._read(CopilotConversation, sent, turn=True)

    @asynccontextmanager
    async def chat_over_stream(
        self, conversation_id: str, body: ChatBody, *, new: bool = False
    ) -> AsyncIterator[ChatTurn]:
        """One turn, answered while it is written. Leaving the block closes the connection at once. `new` as in `chat`.

        Raises:
            ArgumentError: The conversation id cannot be one.
            GraphError: Graph refused before the stream began, or inside it.
        """
        path_of = new_conversation_path if new else conversation_path
        path = path_of(conversation_id) + "/chatOverStream"
        sent = await self._transport.send(_STREAM, path, body.payload(), CHAT_SCOPES)
        try:
            turn = ChatTurn(sent, body.message.text, self._transport.clocks)
            try:
                yield turn
            finally:
                await turn.aclose()
        finally:
            with anyio.CancelScope(shield=True):
                await sent.response.aclose()

    async def retrieve(self, body: RetrievalBody, *, beta: bool = False) -> RetrievalResponse:
        """Text extracts from one data source; v1.0 unless `beta` or the body asks for more.

        Raises:
            GraphError: Graph refused, or did not answer after a few tries.
        """
        version = "beta" if beta or body.needs_beta else "v1.0"
        scopes = RETRIEVAL_SCOPES[body.data_source]
        operation = _RETRIEVE_PICTURES if body.include_thumbnails else _RETRIEVE
        try:
            sent = await self._transport.send(operation, f"/{version}/copilot/retrieval", body.payload(), scopes)
        except PermissionDeniedError as error:
            if body.data_source == "oneDriveBusiness" and await self._sharepoint_answered(scopes):
                _explain_one_drive(error)
            raise
        response = self._read(RetrievalResponse, sent)
        if body.data_source == "sharePoint":
            self._answered = _digest(sent.token)
        return response

    async def retrieve_many(self, bodies: Sequence[RetrievalBody]) -> list[Outcome]:
        """Several retrievals in few round trips, results in the order of the bodies; each is a request of the quota.

        Raises nothing of its own: one failure does not cost the others, nor does a permission that one data source
        needs and nobody granted.
        """
        results: dict[int, Outcome] = {}

        async def send(beta: bool) -> None:
            numbers = [number for number, body in enumerate(bodies) if body.needs_beta is beta]
            chosen = [bodies[number] for number in numbers]
            results.update(zip(numbers, await retrieve_batch(self._transport, chosen, beta=beta), strict=True))

        async with anyio.create_task_group() as tasks:  # the two versions cannot share a batch, but the time
            tasks.start_soon(send, False)
            tasks.start_soon(send, True)
        outcomes = [results[number] for number in range(len(bodies))]
        by_source = [(body.data_source, outcome) for body, outcome in zip(bodies, outcomes, strict=True)]
        if any(source == "sharePoint" and isinstance(outcome, RetrievalResponse) for source, outcome in by_source):
            for source, outcome in by_source:
                if source == "oneDriveBusiness" and isinstance(outcome, PermissionDeniedError):
                    _explain_one_drive(outcome)
        return outcomes

    async def _sharepoint_answered(self, scopes: Sequence[str]) -> bool:
        """Whether SharePoint has answered to the token that is in use now."""
        if self._answered is None:
            return False
        try:
            return _digest(await self._transport.tokens.token(scopes)) == self._answered
        except CopilotMcpError:  # it only costs the explanation
            return False

    def _read(self, model: type[AnswerT], sent: Sent, *, turn: bool = False) -> AnswerT:
        """The answer as a model; the reason why it does not fit would quote the body, so it is not chained."""
        try:
            return model.model_validate(sent.answer.body).stamped(sent.request_id, sent.requests_used)
        except ValidationError:
            pass
        raise self._unreadable(sent, turn=turn)

    def _unreadable(self, sent: Sent, *, turn: bool = False) -> GraphError:
        answer = Answer(sent.answer.status, sent.answer.headers, None)
        now = self._transport.clocks.now()
        error = refusal(answer, now=now, on_conversation=turn, request_id=sent.request_id)
        error.requests_used = sent.requests_used
        return error


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _explain_one_drive(error: PermissionDeniedError) -> None:
    """Name the likely reason of a OneDrive refusal that Graph itself did not explain."""
    if error.kind == "forbidden":
        reason = ONE_DRIVE_ALONE
        error.kind, error.hint, error.certainty = reason.kind, reason.hint, reason.certainty
        error.message = f"{reason.sentence} ({', '.join(filter(None, (str(error.status), error.code)))})."
