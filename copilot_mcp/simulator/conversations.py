"""Copilot conversations: who owns them, what they remember, and the body of one turn."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

from copilot_mcp.simulator.answers import Memory
from copilot_mcp.simulator.prose import Answer, label_body
from copilot_mcp.simulator.replies import GraphRefusalError, graph_time

__all__ = ["Conversation", "Conversations", "Turn", "message_body", "turn_of"]

MAX_CONVERSATIONS: Final = 10_000
ACTIVE: Final = "active"
DISENGAGED: Final = "disengagedForRai"


@dataclass(slots=True)
class Conversation:
    """One conversation of one person. `title` is the first prompt."""

    id: str
    owner: str
    created: float
    title: str = ""
    state: str = ACTIVE
    turns: int = 0
    busy: bool = False
    memory: Memory = field(default_factory=Memory)

    def created_body(self) -> dict[str, Any]:
        """The answer to its creation, which alone says `status` for `state`."""
        return {
            "id": self.id,
            "createdDateTime": graph_time(self.created),
            "displayName": "",
            "status": self.state,
            "turnCount": 0,
        }


@dataclass(frozen=True, slots=True)
class Turn:
    """A finished turn: what was asked and what is answered, with the ids both forms of the operation share."""

    conversation_id: str
    title: str
    state: str
    number: int
    prompt: str
    answer: Answer
    asked: float
    answered: float
    echo_id: str = field(default_factory=lambda: str(uuid4()))
    answer_id: str = field(default_factory=lambda: str(uuid4()))

    def body(self, root: str) -> dict[str, Any]:
        """The conversation as the synchronous operation answers it."""
        return {"@odata.context": f"{root}/$metadata#microsoft.graph.copilotConversation"} | self.envelope([{}])

    def envelope(self, cards: list[dict[str, Any]]) -> dict[str, Any]:
        """The conversation with the echo and the whole answer."""
        messages = [
            message_body(self.echo_id, self.prompt, self.asked),
            message_body(self.answer_id, self.answer.text, self.answered, self.answer, cards),
        ]
        return {
            "id": self.conversation_id,
            "createdDateTime": graph_time(self.asked),
            "displayName": self.title,
            "state": self.state,
            "turnCount": self.number,
            "messages": messages,
        }


def message_body(
    message_id: str,
    text: str,
    when: float,
    answer: Answer | None = None,
    cards: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """One message; without an answer the echo of a prompt."""
    return {
        "@odata.type": "#microsoft.graph.copilotConversationResponseMessage",
        "id": message_id,
        "text": text,
        "createdDateTime": graph_time(when),
        "adaptiveCards": cards or [],
        "attributions": answer.attributions() if answer else [],
        "sensitivityLabel": label_body(answer.label if answer else None),
    }


class Conversations:
    """Every conversation of the tenant, at most 10,000; may be used from any thread."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, Conversation] = {}
        self.recorded = 0
        """Turns that were taken, in all conversations."""

    def create(self, owner: str) -> Conversation:
        """A new conversation. The oldest is forgotten when there are too many."""
        conversation = Conversation(str(uuid4()), owner, self._clock())
        with self._lock:
            if len(self._known) >= MAX_CONVERSATIONS:
                del self._known[next(iter(self._known))]
            self._known[conversation.id] = conversation
        return conversation

    def forget(self, conversation_id: str) -> None:
        """From now on the conversation is gone."""
        with self._lock:
            self._known.pop(conversation_id, None)

    @contextmanager
    def taking_turn(self, conversation_id: str, owner: str) -> Iterator[Conversation]:
        """Hold the conversation for one turn.

        Raises:
            GraphRefusalError: it does not exist or is somebody else's (404), is closed (403) or busy (409).
        """
        with self._lock:
            conversation = self._known.get(conversation_id)
            if conversation is None or conversation.owner != owner:
                raise GraphRefusalError(404, "ConversationNotFound", "The conversation was not found.")
            if conversation.state == DISENGAGED:
                raise GraphRefusalError(403, "ConversationDisengaged", "The conversation was closed.")
            if conversation.busy:
                raise GraphRefusalError(409, "Conflict", "The conversation is busy with another turn.")
            conversation.busy = True
        turns = conversation.turns
        try:
            yield conversation
        finally:
            conversation.busy = False
            with self._lock:
                self.recorded += conversation.turns - turns


def turn_of(conversation: Conversation, prompt: str, answer: Answer, asked: float, answered: float) -> Turn:
    """Record a turn; from here on it has happened, whether or not anybody reads the answer."""
    conversation.turns += 1
    conversation.title = conversation.title or prompt
    return Turn(
        conversation.id, conversation.title, conversation.state, conversation.turns, prompt, answer, asked, answered
    )
