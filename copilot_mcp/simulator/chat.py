"""The Chat API's operations: create a conversation, take a turn whole, take a turn as a stream."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from zoneinfo import ZoneInfo

from copilot_mcp.simulator.answers import Question, compose
from copilot_mcp.simulator.conversations import DISENGAGED, Conversation, Conversations, Turn, turn_of
from copilot_mcp.simulator.faults import Faults
from copilot_mcp.simulator.fields import bad_request, flag, known_members, member, number, objects, text
from copilot_mcp.simulator.prose import Answer
from copilot_mcp.simulator.replies import Reply
from copilot_mcp.simulator.search import Index
from copilot_mcp.simulator.stream import stream_turn
from copilot_mcp.simulator.tenant import Tenant, User

__all__ = ["Chat", "read_question"]

MAX_PROMPT_CHARACTERS: Final = 128_000
_MEMBERS = ("message", "locationHint", "additionalContext", "contextualResources", "responseOptions")
_LOCATION = ("timeZone", "latitude", "longitude", "countryOrRegion", "countryOrRegionConfidence")
_CLOSED = "I cannot go on with this conversation. Please start a new one."


@dataclass(frozen=True, slots=True)
class Chat:
    """The chat side of Graph. `pause` waits between two events of a stream."""

    tenant: Tenant
    index: Callable[[], Index]
    faults: Faults
    clock: Callable[[], float]
    conversations: Conversations
    pause: Callable[[], Awaitable[None]]

    def create(self, user: User, body: Mapping[str, Any]) -> Reply:
        """POST copilot/conversations."""
        known_members(body, (), "a conversation")
        return Reply(201, self.conversations.create(user.id).created_body())

    def chat(self, user: User, conversation_id: str, body: Mapping[str, Any], root: str) -> Reply:
        """POST copilot/conversations/{id}/chat."""
        turn, _ = self._take_turn(user, conversation_id, body, "chat")
        return Reply(200, turn.body(root))

    def chat_over_stream(self, user: User, conversation_id: str, body: Mapping[str, Any], root: str) -> Reply:
        """POST copilot/conversations/{id}/chatOverStream."""
        turn, conversation = self._take_turn(user, conversation_id, body, "chatOverStream")
        struck = self.faults.take("chatOverStream", "stream", user.key)
        if any(fault.name == "whole_body" for fault in struck):
            return Reply(200, turn.body(root))
        struck += self.faults.take("chatOverStream", "values", user.key)
        events: list[Any] = []
        stream = stream_turn(turn, conversation, struck, events, self.pause)
        return Reply(200, stream=stream, events=events, media_type="text/event-stream")

    def _take_turn(
        self, user: User, conversation_id: str, body: Mapping[str, Any], operation: str
    ) -> tuple[Turn, Conversation]:
        question = read_question(body)
        asked = self.clock()
        with self.conversations.taking_turn(conversation_id, user.id) as conversation:
            struck = {fault.name for fault in self.faults.take(operation, "turn", user.key)}
            answer = compose(self.tenant, self.index(), user, question, conversation.memory)
            if "disengaged" in struck:
                conversation.state = DISENGAGED
                answer = Answer((_CLOSED,))
            if "empty_answer" in struck:
                answer = replace(answer, segments=(), sources=())
            return turn_of(conversation, question.text, answer, asked, self.clock()), conversation


def read_question(body: Mapping[str, Any]) -> Question:
    """The turn that a body asks for.

    Raises:
        GraphRefusalError: a member is missing, unknown or of the wrong type, or the time zone is no IANA name.
    """
    known_members(body, _MEMBERS, "the turn")
    prompt = text(member(body, "message"), "text", required=True)
    if len(prompt) > MAX_PROMPT_CHARACTERS:
        raise bad_request("'text' is too long.")
    _check_location(member(body, "locationHint"))
    resources = member(body, "contextualResources")
    known_members(resources, ("files", "webContext"), "contextualResources")
    web, context = member(resources, "webContext"), objects(body, "additionalContext")
    for each in context:
        text(each, "description")
    for option, value in member(body, "responseOptions").items():
        if not option.startswith("@odata."):
            flag({option: value}, option, default=False)
    return Question(
        prompt,
        files=tuple(text(file, "uri", required=True) for file in objects(resources, "files")),
        context=tuple(text(each, "text", required=True) for each in context),
        web=flag(web, "isWebEnabled", default=True),
    )


def _check_location(location: Mapping[str, Any]) -> None:
    """Refuse members of another type, and a zone that the zone database does not have, Windows names among it."""
    known_members(location, _LOCATION, "locationHint")
    for name in ("latitude", "longitude", "countryOrRegionConfidence"):
        number(location, name)
    text(location, "countryOrRegion")
    try:
        ZoneInfo(text(location, "timeZone", required=True))
    except (ValueError, LookupError, OSError):
        raise bad_request("'timeZone' must be an IANA time zone name.") from None
